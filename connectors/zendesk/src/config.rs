//! The settings of a Zendesk source.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tributary_model::{Error, ErrorKind, Fault, Result, Secret};
use tributary_rest::Settings;

/// Requests a minute that a Professional plan allows.
const REQUESTS: f64 = 400.0;
/// Of which this share is asked for: the rest is for people and other programs.
const SHARE: f64 = 0.7;
/// Requests a minute to all exports together, on all plans but those with the High Volume add-on.
const EXPORTS: f64 = 10.0;
/// Exports that may follow each other at once; they count against the same minute.
const EXPORTS_AT_ONCE: f64 = 4.0;

/// A Zendesk Support account, with an API token or an OAuth client.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Your name at Zendesk: `acme` for https://acme.zendesk.com.
    pub(crate) subdomain: String,
    /// Who the API token belongs to.
    pub(crate) email: Option<String>,
    /// An API token of the Admin Center: Apps and integrations, APIs.
    pub(crate) api_token: Option<Secret>,
    /// The OAuth client's unique identifier.
    pub(crate) client_id: Option<String>,
    /// The OAuth client's secret.
    pub(crate) client_secret: Option<Secret>,
    /// What the OAuth client got when you let it in. It works once; what comes in its place is kept.
    pub(crate) refresh_token: Option<Secret>,
    /// Where the API is; by default https://SUBDOMAIN.zendesk.com.
    pub(crate) api_url: Option<String>,
    /// What changed before this day is not exported; by default everything is.
    pub(crate) start_date: Option<String>,
    /// Requests a minute that your plan allows; 400 by default. At most seven tenths are used.
    #[schemars(range(min = 10.0, max = 100_000.0))]
    pub(crate) requests_per_minute: Option<f64>,
    /// Requests a minute that your plan allows to exports; 10 by default, 30 with High Volume.
    #[schemars(range(min = 5.0, max = 100_000.0))]
    pub(crate) exports_per_minute: Option<f64>,
}

impl Config {
    /// Refuses what is not exactly one whole credential.
    fn credential(&self) -> Result<()> {
        let token = [self.email.is_some(), self.api_token.is_some()];
        let client = [
            self.client_id.is_some(),
            self.client_secret.is_some(),
            self.refresh_token.is_some(),
        ];
        let (is_set, is_whole) = (
            |parts: &[bool]| parts.contains(&true),
            |parts: &[bool]| !parts.contains(&false),
        );
        let what = match (is_set(&token), is_set(&client)) {
            (true, true) => "two credentials are set, and one is needed",
            (true, false) if is_whole(&token) => return Ok(()),
            (false, true) if is_whole(&client) => return Ok(()),
            (false, false) => "no credential is set",
            (true, false) | (false, true) => "the credential is not complete",
        };
        Err(Error::new(ErrorKind::Config, what).fix(
            "Set `email` and `api_token`; or `client_id`, `client_secret` and `refresh_token` of an \
             OAuth client.",
        ))
    }
}

impl Settings for Config {
    const KIND: &'static str = "zendesk";
    const MANIFEST: &'static str = include_str!("../manifest.yaml");

    fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if let Err(error) = subdomain(&self.subdomain) {
            faults.push(Fault::mistake(&["subdomain"], error));
        }
        if let Err(error) = self.credential() {
            faults.push(Fault::mistake(&[], error));
        }
        faults
    }

    fn settings(&self) -> Result<Map<String, Value>> {
        self.credential()?;
        let requests = self.requests_per_minute.unwrap_or(REQUESTS) * SHARE;
        let exports = self.exports_per_minute.unwrap_or(EXPORTS) - EXPORTS_AT_ONCE;
        let mut settings = Map::new();
        let mut set = |name: &str, value: Value| settings.insert(name.to_owned(), value);
        set("subdomain", json!(subdomain(&self.subdomain)?));
        set("requests", json!(requests));
        set("exports", json!(exports.max(1.0)));
        let secret =
            |secret: &Option<Secret>| secret.as_ref().map(|it| it.expose().trim().to_owned());
        for (name, value) in [
            ("api_token", secret(&self.api_token)),
            ("client_secret", secret(&self.client_secret)),
            ("refresh_token", secret(&self.refresh_token)),
            ("email", self.email.clone()),
            ("client_id", self.client_id.clone()),
            ("api_url", self.api_url.clone()),
            ("start_date", self.start_date.clone()),
        ] {
            if let Some(value) = value {
                set(name, json!(value));
            }
        }
        Ok(settings)
    }
}

/// The name alone, where someone wrote the whole address. It becomes part of one: nothing but a
/// name may stand there. // G8
fn subdomain(text: &str) -> Result<&str> {
    let text = text.trim().trim_end_matches('/');
    let text = text.strip_prefix("https://").unwrap_or(text);
    let name = text.strip_suffix(".zendesk.com").unwrap_or(text);
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_name = (3..=63).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(is_plain);
    match is_name {
        true => Ok(name),
        false => Err(Error::new(
            ErrorKind::Config,
            "`subdomain` is not a name at zendesk.com",
        )
        .fix("Write `acme` for https://acme.zendesk.com.")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_has_no_mistakes_and_stays_readable() {
        config(&json!({})).manifest().unwrap();
        assert!(Config::MANIFEST.lines().count() < 170);
    }

    fn config(more: &Value) -> Config {
        let mut config = json!({"subdomain": "acme"});
        for (name, value) in more.as_object().unwrap() {
            config[name] = value.clone();
        }
        serde_json::from_value(config).unwrap()
    }

    #[test]
    fn one_whole_credential_is_needed() {
        let token = json!({"email": "a@b.c", "api_token": "t"});
        let client = json!({"client_id": "i", "client_secret": "s", "refresh_token": "r"});
        let both = json!({"email": "a@b.c", "api_token": "t", "client_id": "i"});
        for (more, good) in [
            (&token, true),
            (&client, true),
            (&both, false),
            (&json!({}), false),
            (&json!({"email": "a@b.c"}), false),
            (&json!({"client_id": "i", "refresh_token": "r"}), false),
        ] {
            assert_eq!(config(more).faults().is_empty(), good, "{more}");
            assert_eq!(config(more).settings().is_ok(), good, "{more}");
        }
    }

    #[test]
    fn a_subdomain_leads_to_zendesk_and_nowhere_else() {
        for good in [
            "acme",
            "acme.zendesk.com",
            "https://acme.zendesk.com/",
            " acme ",
        ] {
            assert_eq!(subdomain(good).unwrap(), "acme");
        }
        for bad in [
            "",
            "a",
            "evil.org/",
            "acme.evil.org",
            "acme:1@x",
            "-acme",
            "Acme",
            "ac me",
        ] {
            assert!(subdomain(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn less_is_asked_for_than_the_plan_allows() {
        let token = json!({"email": "a@b.c", "api_token": " t\n", "requests_per_minute": 700});
        let settings = config(&token).settings().unwrap();
        assert_eq!(
            (&settings["api_token"], &settings["exports"]),
            (&json!("t"), &json!(6.0))
        );
        let requests = settings["requests"].as_f64().unwrap();
        assert!((489.0..491.0).contains(&requests));
    }
}
