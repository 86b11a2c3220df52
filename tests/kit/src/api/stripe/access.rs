//! Who may ask what: keys, what they are allowed, and accounts of others.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::error::Failure;
use crate::api::exchange::Request;

/// A key to an account.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) account: String,
    pub(super) rights: Rights,
}

/// What a key may read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rights {
    All,
    /// Streams by name, and `account`, `events`.
    Only(BTreeSet<String>),
}

impl Key {
    /// Refuses what the key may not read, by the name of the permission that it lacks.
    pub(super) fn check(&self, text: &str, stream: &str, needed: &str) -> Result<(), Failure> {
        match &self.rights {
            Rights::Only(streams) if !streams.contains(stream) => Err(Failure::invalid(
                403,
                format!(
                    "The provided key '{}' does not have the required permissions for this \
                     endpoint on account '{}'. Having the '{needed}' permission would allow this \
                     request to continue.",
                    masked(text),
                    self.account
                ),
            )),
            Rights::Only(_) | Rights::All => Ok(()),
        }
    }
}

/// The key that a request carries, as a bearer or as the name of a user without a password.
pub(super) fn key_of(request: &Request) -> Option<String> {
    let header = request.header("authorization")?;
    let (scheme, value) = header.split_once(' ')?;
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" => Some(value.trim().to_owned()),
        "basic" => {
            let decoded = STANDARD.decode(value.trim()).ok()?;
            let pair = String::from_utf8(decoded).ok()?;
            Some(pair.split(':').next().unwrap_or_default().to_owned())
        }
        _ => None,
    }
}

pub(super) fn no_key() -> Failure {
    Failure::invalid(
        401,
        "You did not provide an API key. You need to provide your API key in the Authorization \
         header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
    )
}

pub(super) fn wrong_key(key: &str) -> Failure {
    let text = format!("Invalid API Key provided: {}", masked(key));
    Failure::invalid(401, text)
}

pub(super) fn no_such_account(key: &str, account: &str) -> Failure {
    Failure::invalid(
        403,
        format!(
            "The provided key '{}' does not have access to account '{account}' (or that account \
             does not exist). Application access may have been revoked.",
            masked(key)
        ),
    )
    .coded("account_invalid")
}

/// A key with its middle hidden.
fn masked(key: &str) -> String {
    let head: String = key.chars().take(8).collect();
    let count = key.chars().count();
    let tail: String = key.chars().skip(count.saturating_sub(4).max(8)).collect();
    format!("{head}{}{tail}", "*".repeat(count.saturating_sub(12)))
}
