//! The settings of a Mailchimp source.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tributary_model::{Error, ErrorKind, Fault, Result, Secret};
use tributary_rest::Settings;

use crate::data_center::{self, DataCenter};

/// What is read with a request for each member that changed.
const OF_MEMBERS: &str = "member_";
/// Of these streams one is a list inside each member, and costs nothing.
const INSIDE_MEMBERS: &str = "member_tags";
/// What is read with a request for each campaign.
const OF_CAMPAIGNS: [&str; 2] = ["campaign_content", "campaign_feedback"];

/// A Mailchimp account, with an API key or an OAuth token.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// An API key; its end names the data centre, as in `…-us21`.
    pub(crate) api_key: Option<Secret>,
    /// The token of an OAuth application that you let in, instead of a key. It never expires.
    pub(crate) access_token: Option<Secret>,
    /// Where the API is; by default https://DATA_CENTRE.api.mailchimp.com.
    pub(crate) api_url: Option<String>,
    /// Members who did not change since this day are not read; by default all are.
    pub(crate) start_date: Option<String>,
    /// Also read notes, events, goals and activity of members: some requests for each who changed.
    pub(crate) per_member: Option<bool>,
    /// Also read what campaigns say and what colleagues say of them: two requests for each, once a
    /// day.
    pub(crate) per_campaign: Option<bool>,
}

/// How the account proves itself.
enum Credential<'a> {
    Key {
        key: &'a Secret,
        data_center: DataCenter,
    },
    Token(&'a Secret),
}

impl Config {
    /// The one credential.
    fn credential(&self) -> Result<Credential<'_>> {
        match (&self.api_key, &self.access_token) {
            (Some(key), None) => Ok(Credential::Key {
                key,
                data_center: DataCenter::of_key(key.expose().trim())?,
            }),
            (None, Some(token)) => Ok(Credential::Token(token)),
            (Some(_), Some(_)) => Err(one_of("two credentials are set, and one is needed")),
            (None, None) => Err(one_of("no credential is set")),
        }
    }
}

#[async_trait]
impl Settings for Config {
    const KIND: &'static str = "mailchimp";
    const MANIFEST: &'static str = include_str!("../manifest.yaml");

    fn faults(&self) -> Vec<Fault> {
        let keys: &[&str] = match (&self.api_key, &self.access_token) {
            (Some(_), None) => &["api_key"],
            _ => &[],
        };
        let wrong = self.credential().err();
        wrong
            .map(|error| Fault::mistake(keys, error))
            .into_iter()
            .collect()
    }

    fn settings(&self) -> Result<Map<String, Value>> {
        let (at, name, secret) = match self.credential()? {
            Credential::Key { key, data_center } => (data_center, "api_key", key),
            // Streams are the same everywhere: nobody needs to be asked for them.
            Credential::Token(token) => (DataCenter::any(), "access_token", token),
        };
        let mut settings = Map::new();
        let mut set = |name: &str, value: Value| settings.insert(name.to_owned(), value);
        set("data_center", json!(at.as_str()));
        set(name, json!(secret.expose().trim()));
        for (name, value) in [("api_url", &self.api_url), ("start_date", &self.start_date)] {
            if let Some(value) = value {
                set(name, json!(value));
            }
        }
        Ok(settings)
    }

    async fn learn(&self, settings: &mut Map<String, Value>) -> Result<()> {
        if let Credential::Token(token) = self.credential()? {
            let at = data_center::of_token(token, self.api_url.as_deref()).await?;
            settings.insert("data_center".to_owned(), json!(at.as_str()));
        }
        Ok(())
    }

    fn leaves_out(&self, stream: &str) -> bool {
        let of_members = stream.starts_with(OF_MEMBERS) && stream != INSIDE_MEMBERS;
        let of_campaigns = OF_CAMPAIGNS.contains(&stream);
        (of_members && self.per_member != Some(true))
            || (of_campaigns && self.per_campaign != Some(true))
    }
}

fn one_of(what: &str) -> Error {
    Error::new(ErrorKind::Config, what)
        .fix("Set `api_key`, or `access_token` of an OAuth application.")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_has_no_mistakes_and_stays_readable() {
        let config: Config = serde_json::from_value(json!({"api_key": "x-us1"})).unwrap();
        config.manifest().unwrap();
        assert!(Config::MANIFEST.lines().count() < 170);
    }

    #[test]
    fn what_costs_a_request_for_each_record_is_read_on_demand_only() {
        let left_out = |stream: &str, config: Value| {
            let config: Config = serde_json::from_value(config).unwrap();
            config.leaves_out(stream)
        };
        let (some, all) = (json!({}), json!({"per_member": true, "per_campaign": true}));
        for (stream, by_default) in [
            ("member_notes", true),
            ("member_tags", false),
            ("campaign_content", true),
            ("campaign_locations", false),
        ] {
            assert_eq!(left_out(stream, some.clone()), by_default, "{stream}");
            assert!(!left_out(stream, all.clone()), "{stream}");
        }
    }

    #[test]
    fn one_credential_is_needed_and_a_key_must_name_its_data_centre() {
        for (config, good) in [
            (json!({"api_key": "abc-us21"}), true),
            (json!({"access_token": "t"}), true),
            (json!({}), false),
            (json!({"api_key": "abc-us21", "access_token": "t"}), false),
            (json!({"api_key": "abc"}), false),
        ] {
            let read: Config = serde_json::from_value(config.clone()).unwrap();
            assert_eq!(read.faults().is_empty(), good, "{config}");
        }
    }
}
