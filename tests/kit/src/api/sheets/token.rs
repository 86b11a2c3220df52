//! Tokens: for a service account against an assertion signed with its key, for a user against a
//! refresh token that stays the same.
//!
//! The key protects nothing but these tests; it was made once with
//! `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -outform DER`.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use serde_json::{Value, json};

use crate::api::exchange::{Reply, Request};

static KEY: &[u8] = include_bytes!("key.der");

/// The address that assertions are for, wherever they are sent.
pub(super) const AUDIENCE: &str = "https://oauth2.googleapis.com/token";
const LASTS: i64 = 3_599;
const HOUR: i64 = 3_600;
/// Seconds that clocks may differ.
const SKEW: i64 = 300;

/// Those who may ask for tokens, and the tokens that were given.
#[derive(Clone, Debug)]
pub(super) struct Tokens {
    pub(super) client_email: String,
    key_id: String,
    /// Whether the service account's key is still good.
    pub(super) key_works: bool,
    pub(super) client_id: String,
    pub(super) client_secret: String,
    pub(super) refresh: String,
    /// When each expires, and its scopes.
    given: BTreeMap<String, (i64, String)>,
    issued: u64,
}

impl Tokens {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            client_email: format!("tributary-{seed}@acme.iam.gserviceaccount.com"),
            key_id: format!("{seed:040x}"),
            key_works: true,
            client_id: format!("{seed}.apps.googleusercontent.com"),
            client_secret: format!("GOCSPX-{seed:028}"),
            refresh: format!("1//refresh-{seed}"),
            given: BTreeMap::new(),
            issued: 0,
        }
    }

    /// The service account's key file.
    pub(super) fn key_file(&self) -> Value {
        let label = "PRIVATE KEY";
        let base64 = STANDARD.encode(KEY);
        let lines: Vec<_> = base64
            .as_bytes()
            .chunks(64)
            .map(String::from_utf8_lossy)
            .collect();
        let pem = format!(
            "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
            lines.join("\n")
        );
        json!({
            "type": "service_account",
            "project_id": "acme",
            "private_key_id": self.key_id,
            "private_key": pem,
            "client_email": self.client_email,
            "client_id": "123456",
            "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": AUDIENCE,
            "universe_domain": "googleapis.com",
        })
    }

    pub(super) fn expire(&mut self) {
        self.given.clear();
    }

    /// The scopes of a request's token, if it is good.
    pub(super) fn scopes(&self, request: &Request, now: i64) -> Option<&str> {
        let token = request.header("authorization")?.strip_prefix("Bearer ")?;
        let (until, scopes) = self.given.get(token)?;
        (now < *until).then_some(scopes)
    }

    /// Answers a request for a token.
    pub(super) fn token(&mut self, request: &Request, now: i64) -> Reply {
        let field = |name: &str| request.field(name).unwrap_or_default();
        let scopes = match field("grant_type").as_str() {
            "urn:ietf:params:oauth:grant-type:jwt-bearer" => self.verify(&field("assertion"), now),
            "refresh_token" => self.refreshed(&field),
            _ => Err(("unsupported_grant_type", "Invalid grant_type")),
        };
        match scopes {
            Ok(scopes) => self.give(scopes, now),
            Err((error, description)) => {
                let status = if error == "invalid_client" { 401 } else { 400 };
                let body = json!({"error": error, "error_description": description});
                Reply::json(status, &body)
            }
        }
    }

    fn refreshed(&self, field: &dyn Fn(&str) -> String) -> Result<String, Refusal> {
        if (field("client_id"), field("client_secret"))
            != (self.client_id.clone(), self.client_secret.clone())
        {
            return Err(("invalid_client", "Unauthorized"));
        }
        if field("refresh_token") != self.refresh {
            return Err(("invalid_grant", "Token has been expired or revoked."));
        }
        Ok("https://www.googleapis.com/auth/spreadsheets.readonly \
            https://www.googleapis.com/auth/drive.metadata.readonly"
            .to_owned())
    }

    fn give(&mut self, scopes: String, now: i64) -> Reply {
        self.issued += 1;
        let token = format!("ya29.{}-{}", self.key_id, self.issued);
        self.given
            .insert(token.clone(), (now + LASTS, scopes.clone()));
        let body = json!({"access_token": token, "expires_in": LASTS, "token_type": "Bearer",
            "scope": scopes});
        Reply::json(200, &body)
    }

    /// The scopes that a good assertion asks for.
    fn verify(&self, assertion: &str, now: i64) -> Result<String, Refusal> {
        const BAD: Refusal = ("invalid_grant", "Invalid JWT Signature.");
        let (message, signature) = assertion.rsplit_once('.').ok_or(BAD)?;
        let (header, claims) = message.split_once('.').ok_or(BAD)?;
        let (header, claims) = (decoded(header).ok_or(BAD)?, decoded(claims).ok_or(BAD)?);
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| BAD)?;
        let good = public_key().verify(message.as_bytes(), &signature).is_ok();
        let known = header["alg"] == "RS256" && header["kid"] == self.key_id.as_str();
        if !good || !known || !self.key_works {
            return Err(BAD);
        }
        if claims["iss"] != self.client_email.as_str() {
            return Err(("invalid_grant", "Invalid grant: account not found"));
        }
        if claims["aud"] != AUDIENCE {
            return Err(("invalid_grant", "Invalid JWT: Failed audience check."));
        }
        let (Some(iat), Some(exp)) = (claims["iat"].as_i64(), claims["exp"].as_i64()) else {
            return Err(("invalid_grant", "Invalid JWT: iat and exp are required."));
        };
        let timely = exp > now && iat <= now + SKEW && exp - iat <= HOUR;
        if !timely {
            return Err((
                "invalid_grant",
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable \
                 timeframe. Check your iat and exp values in the JWT claim.",
            ));
        }
        match claims["scope"].as_str() {
            Some(scopes) if !scopes.is_empty() => Ok(scopes.to_owned()),
            _ => Err(("invalid_scope", "Empty or missing scope not allowed.")),
        }
    }
}

type Refusal = (&'static str, &'static str);

fn decoded(part: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

fn public_key() -> UnparsedPublicKey<Vec<u8>> {
    let pair = RsaKeyPair::from_pkcs8(KEY).expect("the key is one");
    let public = pair.public_key().as_ref().to_vec();
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public)
}
