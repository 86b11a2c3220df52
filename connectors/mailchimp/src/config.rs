//! The settings of a Mailchimp source.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tributary_model::{Error, ErrorKind, Fault, Result, Secret};

use crate::data_center::DataCenter;

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
}

/// How the account proves itself.
pub(crate) enum Credential<'a> {
    Key {
        key: &'a Secret,
        data_center: DataCenter,
    },
    Token(&'a Secret),
}

impl Config {
    /// What can't be meant.
    pub(crate) fn faults(&self) -> Vec<Fault> {
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

    /// The one credential.
    pub(crate) fn credential(&self) -> Result<Credential<'_>> {
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

    /// The settings of the manifest.
    pub(crate) fn settings(&self, at: &DataCenter) -> Result<Map<String, Value>> {
        let mut settings = Map::new();
        let mut set = |name: &str, value: Value| settings.insert(name.to_owned(), value);
        set("data_center", json!(at.as_str()));
        match self.credential()? {
            Credential::Key { key, .. } => set("api_key", json!(key.expose().trim())),
            Credential::Token(token) => set("access_token", json!(token.expose().trim())),
        };
        for (name, value) in [("api_url", &self.api_url), ("start_date", &self.start_date)] {
            if let Some(value) = value {
                set(name, json!(value));
            }
        }
        Ok(settings)
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
