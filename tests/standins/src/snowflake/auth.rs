//! Who is let in: whoever has the key, or the token.

use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use serde_json::Value;

use super::{ACCOUNT, FINGERPRINT, KEY, TOKEN, USER};

const HOUR: i64 = 3_600;

/// Code and message of a refusal.
pub(super) type Refusal = (&'static str, &'static str);

const INVALID: Refusal = ("390144", "JWT token is invalid.");

/// Whether a request may go on.
pub(super) fn admit(headers: &HeaderMap) -> Result<(), Refusal> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let token = header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let token = token.ok_or((
        "390101",
        "Authorization header not found in the request data.",
    ))?;
    match header("x-snowflake-authorization-token-type") {
        Some("KEYPAIR_JWT") => verify(token).ok_or(INVALID),
        Some("PROGRAMMATIC_ACCESS_TOKEN") if token == TOKEN => Ok(()),
        Some("PROGRAMMATIC_ACCESS_TOKEN") => {
            Err(("394304", "Programmatic access token is invalid."))
        }
        _ => Err(("390303", "Invalid OAuth access token.")),
    }
}

fn verify(token: &str) -> Option<()> {
    let (message, signature) = token.rsplit_once('.')?;
    let (header, claims) = message.split_once('.')?;
    let (header, claims) = (decoded(header)?, decoded(claims)?);
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    public_key().verify(message.as_bytes(), &signature).ok()?;
    let subject = format!("{ACCOUNT}.{USER}");
    let issuer = format!("{subject}.{FINGERPRINT}");
    let (from, until) = (claims["iat"].as_i64()?, claims["exp"].as_i64()?);
    let now = super::now().timestamp();
    let good = header["alg"] == "RS256"
        && claims["sub"] == subject.as_str()
        && claims["iss"] == issuer.as_str()
        && from <= now + 60
        && until > now
        && until - from <= HOUR;
    good.then_some(())
}

fn decoded(part: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

fn public_key() -> UnparsedPublicKey<Vec<u8>> {
    let pair = RsaKeyPair::from_pkcs8(KEY).expect("the key is one");
    UnparsedPublicKey::new(
        &RSA_PKCS1_2048_8192_SHA256,
        pair.public_key().as_ref().to_vec(),
    )
}
