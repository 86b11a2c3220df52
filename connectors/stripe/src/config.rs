//! The settings of a Stripe source.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tributary_model::{Error, ErrorKind, Result, Secret};
use tributary_rest::Settings;

/// The version that rows are read in: the last one before lines, payments and periods moved to other
/// objects, which is what most models of Stripe data are written for.
const VERSION: &str = "2024-06-20";
/// What Stripe allows, less a margin for whoever else uses the account.
const LIVE_RATE: f64 = 80.0;
const TEST_RATE: f64 = 20.0;

/// A Stripe account.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// A secret key (`sk_…`) or, better, a restricted key (`rk_…`) that may only read.
    pub(crate) api_key: Secret,
    /// A connected account (`acct_…`) to read instead of the key's own.
    pub(crate) account: Option<String>,
    /// Where the API is; by default https://api.stripe.com.
    pub(crate) api_url: Option<String>,
    /// What was created before this day is not read; by default everything is.
    pub(crate) start_date: Option<String>,
    /// The version of the API that rows are read in; 2024-06-20 by default.
    pub(crate) api_version: Option<String>,
    /// Requests a second at most; 80 with a live key and 20 with a test key by default.
    #[schemars(range(min = 0.1, max = 1000.0))]
    pub(crate) requests_per_second: Option<f64>,
}

impl Settings for Config {
    const KIND: &'static str = "stripe";
    const MANIFEST: &'static str = include_str!("../manifest.yaml");

    fn settings(&self) -> Result<Map<String, Value>> {
        let key = self.api_key.expose().trim();
        if key.is_empty() {
            return Err(Error::new(ErrorKind::Config, "`api_key` is empty")
                .fix("Create a restricted key with read access in the Stripe dashboard."));
        }
        let mode = mode(key);
        let rate = self.requests_per_second.unwrap_or(match mode {
            "test" => TEST_RATE,
            _ => LIVE_RATE,
        });
        let realm = match &self.account {
            Some(account) => format!("{mode} {account}"),
            None => mode.to_owned(),
        };
        let mut settings = Map::new();
        let mut set = |name: &str, value: Value| settings.insert(name.to_owned(), value);
        set("api_key", json!(key));
        set("realm", json!(realm));
        set("requests_per_second", json!(rate));
        set(
            "api_version",
            json!(self.api_version.as_deref().unwrap_or(VERSION)),
        );
        for (name, value) in [
            ("account", &self.account),
            ("api_url", &self.api_url),
            ("start_date", &self.start_date),
        ] {
            if let Some(value) = value {
                set(name, json!(value));
            }
        }
        Ok(settings)
    }
}

/// `live` or `test`, by the middle of the key.
fn mode(key: &str) -> &'static str {
    match key.split('_').nth(1) {
        Some("test") => "test",
        _ => "live",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn settings(config: Value) -> Map<String, Value> {
        let config: Config = serde_json::from_value(config).unwrap();
        config.settings().unwrap()
    }

    #[test]
    fn the_manifest_has_no_mistakes_and_stays_readable() {
        let config: Config = serde_json::from_value(json!({"api_key": "k"})).unwrap();
        config.manifest().unwrap();
        assert!(Config::MANIFEST.lines().count() < 150);
    }

    #[test]
    fn the_key_tells_the_mode() {
        let test = settings(json!({"api_key": "rk_test_abc", "account": "acct_1"}));
        assert_eq!(test["realm"], "test acct_1");
        assert_eq!(test["requests_per_second"], 20.0);
        let live = settings(json!({"api_key": " sk_live_abc\n"}));
        assert_eq!(
            (&live["realm"], &live["api_key"]),
            (&json!("live"), &json!("sk_live_abc"))
        );
        assert_eq!(live["requests_per_second"], 80.0);
    }
}
