//! Who we are to Snowflake: a token that a key signs, renewed before it ends, or one that was given.

use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use tributary_model::{Result, Secret, now};

use crate::key::Key;

/// How long a signed token is good: Snowflake takes an hour at most.
const LASTS: TimeDelta = TimeDelta::minutes(50);
/// How long before its end it is not used any more: clocks differ, and statements are on their way.
const EARLY: TimeDelta = TimeDelta::minutes(5);

/// A login.
#[derive(Debug)]
pub(crate) enum Login {
    /// Signed for each hour.
    Key(Box<Signer>),
    /// Given by the user.
    Token(Secret),
}

/// A key, whose it is, and the token that it signed last.
#[derive(Debug)]
pub(crate) struct Signer {
    key: Key,
    /// `ACCOUNT.USER`.
    subject: String,
    signed: Mutex<Option<(DateTime<Utc>, Secret)>>,
}

/// What a request says of who sends it.
pub(crate) struct Pass {
    pub(crate) token: Secret,
    /// Its kind, for `X-Snowflake-Authorization-Token-Type`.
    pub(crate) kind: &'static str,
}

impl Login {
    /// A login of `user` by a key.
    pub(crate) fn by_key(account: &str, user: &str, key: Key) -> Self {
        // What follows the first point says where an account is, which is no part of its name.
        let account = account.split('.').next().unwrap_or_default();
        Self::Key(Box::new(Signer {
            key,
            subject: format!("{}.{}", account.to_uppercase(), user.to_uppercase()),
            signed: Mutex::new(None),
        }))
    }

    /// What the next request carries.
    pub(crate) fn pass(&self) -> Result<Pass> {
        match self {
            Self::Token(token) => Ok(Pass {
                token: token.clone(),
                kind: "PROGRAMMATIC_ACCESS_TOKEN",
            }),
            Self::Key(signer) => Ok(Pass {
                token: signer.token(now())?,
                kind: "KEYPAIR_JWT",
            }),
        }
    }

    /// Forgets a token that was refused; whether there can be another.
    pub(crate) fn renew(&self) -> bool {
        match self {
            Self::Token(_) => false,
            Self::Key(signer) => {
                *signer.signed.lock().unwrap_or_else(PoisonError::into_inner) = None;
                true
            }
        }
    }
}

impl Signer {
    fn token(&self, now: DateTime<Utc>) -> Result<Secret> {
        let mut signed = self.signed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((until, token)) = &*signed
            && now + EARLY < *until
        {
            return Ok(token.clone());
        }
        let until = now + LASTS;
        let token = self.sign(now, until)?;
        *signed = Some((until, token.clone()));
        Ok(token)
    }

    fn sign(&self, now: DateTime<Utc>, until: DateTime<Utc>) -> Result<Secret> {
        let encode = |part: serde_json::Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let header = encode(json!({"alg": "RS256", "typ": "JWT"}));
        let claims = encode(json!({
            "iss": format!("{}.{}", self.subject, self.key.fingerprint()),
            "sub": self.subject,
            "iat": now.timestamp(),
            "exp": until.timestamp(),
        }));
        let message = format!("{header}.{claims}");
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(message.as_bytes())?);
        Ok(Secret::new(format!("{message}.{signature}")))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn claims(token: &Secret) -> serde_json::Value {
        let part = token.expose().split('.').nth(1).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    }

    #[test]
    fn a_token_is_signed_anew_before_it_ends() {
        let key = Key::read(&tributary_standins::snowflake::private_key()).unwrap();
        let Login::Key(signer) = Login::by_key("xy12345.eu-central-1", "loader", key) else {
            unreachable!("a login by key")
        };
        let start = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let first = signer.token(start).unwrap();
        let claimed = claims(&first);
        assert_eq!(claimed["sub"], "XY12345.LOADER");
        assert!(
            claimed["iss"]
                .as_str()
                .unwrap()
                .starts_with("XY12345.LOADER.SHA256:")
        );
        assert!(claimed["exp"].as_i64().unwrap() - claimed["iat"].as_i64().unwrap() <= 3600);
        let later = signer.token(start + TimeDelta::minutes(40)).unwrap();
        assert_eq!(first.expose(), later.expose());
        let anew = signer.token(start + TimeDelta::minutes(46)).unwrap();
        assert_eq!(claims(&anew)["iat"], 1_800_000_000 + 46 * 60);
    }
}
