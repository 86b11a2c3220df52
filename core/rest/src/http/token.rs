//! An access token, and the statement a service account signs to get one.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Map, Value, json};
use tributary_model::{Error, ErrorKind, Result, Secret};

/// What the API gave for proving who asks.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) access: Secret,
    pub(crate) expires: Option<DateTime<Utc>>,
    /// The whole answer, secrets left out, for `{token.x}`.
    pub(crate) answer: Value,
    /// Counts the tokens of this process.
    pub(crate) number: u64,
}

/// Seconds that a token is renewed before it expires.
const AHEAD: i64 = 60;

impl Token {
    /// Reads the answer of a login.
    pub(crate) fn read(
        answer: &Value,
        lasts: Option<i64>,
        number: u64,
        now: DateTime<Utc>,
    ) -> Option<Self> {
        let access = answer.get("access_token").and_then(Value::as_str)?;
        let seconds = match answer.get("expires_in") {
            Some(Value::Number(number)) => number.as_i64(),
            Some(Value::String(text)) => text.parse().ok(),
            _ => lasts.map(|milliseconds| milliseconds / 1000),
        };
        let shown = answer.as_object().cloned().unwrap_or_default();
        let secret = |name: &str| name.ends_with("_token") || name.contains("secret");
        let shown: Map<String, Value> = shown
            .into_iter()
            .filter(|(name, _)| !secret(name))
            .collect();
        Some(Self {
            access: Secret::new(access),
            expires: seconds.and_then(|seconds| {
                now.checked_add_signed(chrono::TimeDelta::try_seconds(seconds)?)
            }),
            answer: Value::Object(shown),
            number,
        })
    }

    /// Whether it can be used a while longer.
    pub(crate) fn lasts(&self, now: DateTime<Utc>) -> bool {
        self.expires
            .is_none_or(|expires| (expires - now).num_seconds() > AHEAD)
    }
}

/// A private key and whose it is.
#[derive(Debug)]
pub(crate) struct Signer {
    key: Secret,
    key_id: Option<String>,
    issuer: Option<String>,
}

impl Signer {
    /// Takes a private key (PEM), or the file of a service account that holds one.
    pub(crate) fn read(text: &str) -> Result<Self> {
        if !text.trim_start().starts_with('{') {
            return Ok(Self {
                key: Secret::new(text),
                key_id: None,
                issuer: None,
            });
        }
        // G8: why it can't be read may repeat what is in it.
        let file: Value = serde_json::from_str(text)
            .map_err(|_| unusable("the file of the service account is not JSON"))?;
        let field = |name: &str| file.get(name).and_then(Value::as_str).map(str::to_owned);
        let key = field("private_key")
            .ok_or_else(|| unusable("the file of the service account has no `private_key`"))?;
        Ok(Self {
            key: Secret::new(key),
            key_id: field("private_key_id"),
            issuer: field("client_email"),
        })
    }

    /// The signed statement: `claims`, and who says it when.
    pub(crate) fn sign(&self, claims: &[(String, String)], now: DateTime<Utc>) -> Result<String> {
        const HOUR: i64 = 3600;
        let mut said = Map::new();
        if let Some(issuer) = &self.issuer {
            said.insert("iss".to_owned(), json!(issuer));
        }
        said.insert("iat".to_owned(), json!(now.timestamp()));
        said.insert("exp".to_owned(), json!(now.timestamp() + HOUR));
        for (name, value) in claims {
            said.insert(name.clone(), json!(value));
        }
        let mut head = Map::new();
        head.insert("alg".to_owned(), json!("RS256"));
        head.insert("typ".to_owned(), json!("JWT"));
        if let Some(id) = &self.key_id {
            head.insert("kid".to_owned(), json!(id));
        }
        let encode =
            |part: Map<String, Value>| URL_SAFE_NO_PAD.encode(Value::Object(part).to_string());
        let text = format!("{}.{}", encode(head), encode(said));
        let pair = self.pair()?;
        let mut signature = vec![0; pair.public().modulus_len()];
        pair.sign(
            &RSA_PKCS1_SHA256,
            &SystemRandom::new(),
            text.as_bytes(),
            &mut signature,
        )
        .map_err(|_| unusable("the private key can't sign"))?;
        Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    fn pair(&self) -> Result<RsaKeyPair> {
        let text = self.key.expose();
        let lines = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.starts_with("-----"));
        let der = STANDARD
            .decode(lines.collect::<String>())
            .map_err(|_| unusable("the private key is not PEM"))?;
        let pair = match text.contains("BEGIN RSA PRIVATE KEY") {
            true => RsaKeyPair::from_der(&der),
            false => RsaKeyPair::from_pkcs8(&der),
        };
        pair.map_err(|_| unusable("the private key is not an RSA key of 2048 bits or more"))
    }
}

fn unusable(what: &str) -> Error {
    Error::new(ErrorKind::Config, what).fix(
        "Create a new key for the service account, and use its JSON file as it was downloaded.",
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_before_it_expires_and_shows_no_secret() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let answer = json!({"access_token": "hunter2", "refresh_token": "hunter3", "expires_in": "120", "dc": "us6"});
        let token = Token::read(&answer, None, 1, now).unwrap();
        assert!(token.lasts(now));
        assert!(!token.lasts(now + chrono::TimeDelta::seconds(61)));
        assert_eq!(token.answer, json!({"expires_in": "120", "dc": "us6"}));
        assert!(!format!("{token:?}").contains("hunter"));
        assert!(Token::read(&json!({"error": "no"}), None, 1, now).is_none());
    }
}
