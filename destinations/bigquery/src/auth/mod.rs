//! Who asks: access tokens from a service account's key, a workload identity, or the machine itself.
//!
//! A token is fetched when it is needed, kept until shortly before it expires, and fetched anew once
//! BigQuery refuses it. One task fetches at a time.

mod external;
mod metadata;
mod service_account;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use tokio::sync::Mutex;
use tributary_model::{Error, ErrorKind, Fault, Result, Secret, now};
use url::Url;

use crate::config::Config;
use crate::error::unreachable;
use crate::settings::wrong;
use external::External;
use service_account::ServiceAccount;

/// What is asked for.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// Seconds that a token is renewed before it expires.
const AHEAD: i64 = 60;
/// Bytes of a login's answer at most. // G6
const ANSWER: usize = 1 << 20;

/// What proves who asks.
#[derive(Clone, Debug)]
pub(crate) enum Credentials {
    ServiceAccount(Arc<ServiceAccount>),
    External(Arc<External>),
    /// The machine's own service account.
    Metadata,
    /// An emulator wants none.
    Anonymous,
}

impl Credentials {
    /// The credentials, and the project that they name.
    pub(crate) fn from_config(
        config: &Config,
    ) -> std::result::Result<(Self, Option<String>), Fault> {
        let text = match (&config.credentials, &config.credentials_file) {
            (Some(_), Some(_)) => {
                return Err(wrong(
                    &["credentials"],
                    "`credentials` and `credentials_file` are both given",
                    "Keep one of them.",
                ));
            }
            (Some(text), None) => text.clone(),
            (None, Some(path)) => Secret::new(std::fs::read_to_string(path).map_err(|cause| {
                // A file that is not there may be where the sync will run.
                let error = Error::new(ErrorKind::Config, "the file of the credentials can't be read")
                    .because(cause)
                    .fix("Set `credentials_file` to the JSON file of the key; a relative name starts at the directory that the program runs in.");
                Fault::doubt(&["credentials_file"], error)
            })?),
            (None, None) => return Ok((Self::Metadata, None)),
        };
        Self::read(text.expose()).map_err(|what| {
            let fix = "Use the JSON file of a service account's key or of a workload identity as it was downloaded.";
            match config.credentials.is_some() {
                true => wrong(&["credentials"], what, fix),
                false => wrong(&["credentials_file"], what, fix),
            }
        })
    }

    /// Reads the file of a key. What is wrong with it is told without repeating it. // G8
    fn read(text: &str) -> std::result::Result<(Self, Option<String>), &'static str> {
        let file: Value = serde_json::from_str(text).map_err(|_| "the credentials are not JSON")?;
        let project = file["project_id"].as_str().map(str::to_owned);
        match file["type"].as_str() {
            Some("service_account") => {
                let account = ServiceAccount::read(&file)?;
                Ok((Self::ServiceAccount(Arc::new(account)), project))
            }
            Some("external_account") => {
                Ok((Self::External(Arc::new(External::read(&file)?)), project))
            }
            Some(_) | None => Err(
                "the credentials are neither those of a service account nor of a workload identity",
            ),
        }
    }

    /// The machine's own account is not for whoever answers on this machine without encryption.
    pub(crate) fn at(self, api: &Url) -> Self {
        match self {
            Self::Metadata if api.scheme() == "http" => Self::Anonymous,
            other => other,
        }
    }

    /// Who that is, for messages.
    pub(crate) fn who(&self) -> String {
        match self {
            Self::ServiceAccount(account) => account.email.clone(),
            Self::External(_) => "the workload identity".to_owned(),
            Self::Metadata => "this machine's service account".to_owned(),
            Self::Anonymous => "nobody".to_owned(),
        }
    }
}

/// A token that is valid for a while.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) access: Secret,
    fetched: DateTime<Utc>,
    expires: DateTime<Utc>,
}

impl Token {
    /// Reads the answer of a login.
    fn read(answer: &Value) -> Result<Self> {
        let access = answer["access_token"].as_str();
        let seconds = answer["expires_in"].as_i64();
        let (Some(access), Some(seconds)) = (access, seconds) else {
            return Err(Error::new(
                ErrorKind::Malformed,
                "the answer to the login holds no token",
            ));
        };
        Ok(Self {
            access: Secret::new(access),
            fetched: now(),
            expires: now() + TimeDelta::seconds(seconds),
        })
    }

    /// Whether it can't have expired: where it is refused, a new one would be as well.
    pub(crate) fn is_new(&self) -> bool {
        (now() - self.fetched).num_seconds() < AHEAD
    }

    fn lasts(&self) -> bool {
        (self.expires - now()).num_seconds() > AHEAD
    }
}

/// Gives tokens.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    credentials: Credentials,
    http: reqwest::Client,
    held: Arc<Mutex<Option<Token>>>,
}

impl Tokens {
    pub(crate) fn new(credentials: Credentials, http: reqwest::Client) -> Self {
        Self {
            credentials,
            http,
            held: Arc::default(),
        }
    }

    /// The token to use now; `None` where none is wanted.
    pub(crate) async fn get(&self) -> Result<Option<Token>> {
        let mut held = self.held.lock().await;
        if let Some(token) = held.as_ref().filter(|token| token.lasts()) {
            return Ok(Some(token.clone()));
        }
        let token = match &self.credentials {
            Credentials::ServiceAccount(account) => account.login(&self.http).await?,
            Credentials::External(external) => external.login(&self.http).await?,
            Credentials::Metadata => metadata::login(&self.http).await?,
            Credentials::Anonymous => return Ok(None),
        };
        *held = Some(token.clone());
        Ok(Some(token))
    }

    /// Forgets a token that was refused, unless there is a newer one already.
    pub(crate) async fn refused(&self, token: &Token) {
        let mut held = self.held.lock().await;
        let same = |held: &Token| held.access.expose() == token.access.expose();
        if held.as_ref().is_some_and(same) {
            *held = None;
        }
    }
}

/// Sends a request of a login and reads its answer, which is JSON.
async fn answer(request: reqwest::RequestBuilder, place: &str) -> Result<Value> {
    let body = ask(request, place).await?;
    Ok(serde_json::from_slice(&body).unwrap_or_default())
}

/// The same, whatever it is.
async fn ask(request: reqwest::RequestBuilder, place: &str) -> Result<Vec<u8>> {
    let away = |cause: reqwest::Error| unreachable(place, &cause.without_url().to_string());
    let response = request.send().await.map_err(away)?;
    let status = response.status().as_u16();
    let body = small(response).await.map_err(away)?;
    match status {
        200..=299 => Ok(body),
        429 | 500.. => Err(unreachable(place, &format!("it answered {status}"))),
        _ => Err(Error::new(
            ErrorKind::Access,
            format!("{place} gives no token (it answered {status})"),
        )
        .because(refusal(&body))
        .fix("Create a new key for the service account; look whether it is disabled and whether the clock of this machine is right.")),
    }
}

fn refusal(body: &[u8]) -> String {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let words = [
        &answer["error_description"],
        &answer["error"]["message"],
        &answer["error"],
    ];
    let said = words.into_iter().find_map(Value::as_str);
    said.unwrap_or("no reason was given").to_owned()
}

/// The body of an answer that ought to be small.
async fn small(mut response: reqwest::Response) -> reqwest::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > ANSWER {
            break;
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Pairs as a form.
fn form(pairs: &[(&str, &str)]) -> String {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(pairs).finish()
}

const FORM: &str = "application/x-www-form-urlencoded";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_that_are_none_are_told_without_repeating_them() {
        for text in [
            "hunter2",
            "{}",
            r#"{"type":"authorized_user"}"#,
            r#"{"type":"service_account","private_key":"hunter2"}"#,
        ] {
            let refused = Credentials::read(text).map(|_| ());
            assert!(
                refused.is_err_and(|what| !what.contains("hunter2")),
                "{text}"
            );
        }
    }
}
