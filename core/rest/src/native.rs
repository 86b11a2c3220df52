//! For connectors of their own code: the requests, logins and limits of this engine, without its
//! streams.
//!
//! A manifest without streams says where the API is, how to log in and how often to ask; what is
//! asked, and what a refusal means, is the connector's. The invariants of requests hold here, too:
//! they stay at the vendor's own addresses, and limits are kept for each credential.

use std::sync::Arc;

use serde_json::{Map, Value};
use tributary_model::{Error, ErrorKind, Result, Vault};

use crate::http::{Call, Client, Failure, Fetched, Refusals};
use crate::manifest::Manifest;
use crate::manifest::request::{Method, Target};
use crate::manifest::settings;
use crate::ready;
use crate::template::Scope;

/// What asks an API.
#[derive(Debug)]
pub struct Http {
    client: Client,
}

/// What an API says to a request.
#[derive(Debug)]
pub enum Reply {
    /// What was asked for.
    Page(Value),
    /// The API refuses the request.
    Refused {
        /// The status.
        status: u16,
        /// The body where it is JSON, else its beginning as a text; without secrets of ours.
        body: Value,
    },
    /// The answer would be too much at once: ask for less.
    TooMuch(Error),
}

/// Characters of an answer that is no JSON.
const SHOWN: usize = 500;

impl Http {
    /// Fills a manifest in; contacts nothing. `more` are addresses of the vendor's besides `base`
    /// that get the credential, too.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] where settings are missing or can't be meant.
    pub fn new(manifest: &Manifest, given: &Map<String, Value>, more: &[&str]) -> Result<Self> {
        let config = settings::fill_in(&manifest.settings, given).map_err(|mistakes| {
            let what = format!("the settings of {} are not complete", manifest.name);
            Error::new(ErrorKind::Config, what).because(mistakes.join("; "))
        })?;
        let scope = Scope {
            config: Some(&config),
            ..Scope::default()
        };
        let mut client = ready::client(manifest, &config, &scope, None)?;
        for base in more {
            client.origin.add(base)?;
        }
        Ok(Self { client })
    }

    /// Gives it a place for tokens that replace each other.
    #[must_use]
    pub fn with_vault(mut self, vault: Arc<dyn Vault>) -> Self {
        self.client.auth.keep_in(vault);
        self
    }

    /// Fetches a token where there is none yet.
    ///
    /// # Errors
    /// What keeps the API from giving one.
    pub async fn log_in(&self) -> Result<()> {
        self.client.token().await.map(drop)
    }

    /// Asks for what is at a path below `base`, or at a whole address of the vendor's. Waits and
    /// asks again as long as that may help.
    ///
    /// # Errors
    /// What is not an answer: the API is away or rejects the credential.
    pub async fn get(&self, path: &str, params: &[(&str, &str)]) -> Result<Reply> {
        let mut call = Call::to(&self.client.origin, Method::Get, path)?;
        call.refusals = Refusals::Told;
        for (name, value) in params {
            call.append(&Target::Param((*name).to_owned()), value);
        }
        let response = match self.client.send(&call, &[]).await {
            Ok(Fetched::Page(response)) => response,
            Ok(Fetched::Shrink(error) | Fetched::Narrow(error)) => {
                return Ok(Reply::TooMuch(error));
            }
            Ok(Fetched::Empty | Fetched::End) => return Ok(Reply::Page(Value::Null)),
            Err(Failure::Source(error) | Failure::Stream(error)) => return Err(error),
            Err(Failure::Skip(why) | Failure::Slice(why)) => {
                let what = format!("{} was refused", call.label());
                return Err(Error::new(ErrorKind::Incompatible, what).because(why));
            }
        };
        let bytes = response.body.to_bytes()?;
        let body: Option<Value> = serde_json::from_slice(&bytes).ok();
        match (response.status, body) {
            (..300, Some(body)) => Ok(Reply::Page(body)),
            (..300, None) => Err(Error::new(
                ErrorKind::Malformed,
                format!("the answer to {} is not JSON", call.label()),
            )),
            (status, body) => Ok(Reply::Refused {
                status,
                body: self.told(body, &bytes),
            }),
        }
    }

    fn told(&self, body: Option<Value>, bytes: &[u8]) -> Value {
        let text = match &body {
            Some(body) => body.to_string(),
            None => String::from_utf8_lossy(bytes).chars().take(SHOWN).collect(),
        };
        let shown = self.client.redact_all(&text);
        serde_json::from_str(&shown).unwrap_or(Value::String(shown))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    const MANIFEST: &str = "{name: acme, base: \"https://api.example.com\", streams: {}, \
        config: {key: secret, rate: {type: number, default: 60}}, auth: {bearer: \"{config.key}\"}, \
        limits: [{rate: \"{config.rate}/min\", burst: 5}]}";

    fn http(given: &Value) -> Result<Http> {
        let manifest = Manifest::parse("acme", MANIFEST).unwrap();
        Http::new(
            &manifest,
            given.as_object().unwrap(),
            &["https://files.example.com"],
        )
    }

    #[test]
    fn a_manifest_may_have_no_streams() {
        assert!(http(&json!({"key": "hunter2"})).is_ok());
        let error = http(&json!({})).unwrap_err();
        assert!(error.to_string().contains("`key` is missing"), "{error}");
    }

    #[tokio::test]
    async fn requests_stay_at_the_vendors_own_addresses() {
        let http = http(&json!({"key": "hunter2"})).unwrap();
        let error = http
            .get("https://evil.example.org/x", &[])
            .await
            .unwrap_err();
        assert!(error.to_string().contains("another host"), "{error}");
    }

    #[test]
    fn what_is_told_holds_no_secret() {
        let http = http(&json!({"key": "hunter2"})).unwrap();
        let told = http.told(Some(json!({"error": "no hunter2 here"})), b"");
        assert_eq!(told, json!({"error": "no *** here"}));
        let told = http.told(None, b"<html>hunter2</html>");
        assert_eq!(told, json!("<html>***</html>"));
    }
}
