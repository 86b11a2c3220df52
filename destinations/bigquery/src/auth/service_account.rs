//! A service account's key: it signs a statement, for which Google gives a token.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};
use tributary_model::{Error, ErrorKind, Result, Secret, now};

use super::{FORM, SCOPE, Token, answer, form};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const TOKEN_URL: &str = "https://oauth2.googleapis.com/token";
/// Seconds for which a statement holds.
const HOUR: i64 = 3600;

/// A service account with its key.
#[derive(Debug)]
pub(crate) struct ServiceAccount {
    pub(super) email: String,
    key: Secret,
    key_id: String,
    token_url: String,
}

impl ServiceAccount {
    pub(super) fn read(file: &Value) -> std::result::Result<Self, &'static str> {
        let field = |name: &str| file[name].as_str().map(str::to_owned);
        let account = Self {
            email: field("client_email").ok_or("the credentials have no `client_email`")?,
            key: Secret::new(field("private_key").ok_or("the credentials have no `private_key`")?),
            key_id: field("private_key_id").unwrap_or_default(),
            token_url: field("token_uri").unwrap_or_else(|| TOKEN_URL.to_owned()),
        };
        account.pair()?;
        Ok(account)
    }

    pub(super) async fn login(&self, http: &reqwest::Client) -> Result<Token> {
        let statement = self.statement(now())?;
        let body = form(&[("grant_type", GRANT), ("assertion", &statement)]);
        let request = http
            .post(&self.token_url)
            .header("content-type", FORM)
            .body(body);
        Token::read(&answer(request, "Google's login").await?)
    }

    fn statement(&self, now: DateTime<Utc>) -> Result<String> {
        let head = json!({"alg": "RS256", "typ": "JWT", "kid": self.key_id});
        let claims = json!({
            "iss": self.email, "scope": SCOPE, "aud": self.token_url,
            "iat": now.timestamp(), "exp": now.timestamp() + HOUR,
        });
        let encode = |part: Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let text = format!("{}.{}", encode(head), encode(claims));
        let unusable = |what: &str| Error::new(ErrorKind::Config, what);
        let pair = self.pair().map_err(unusable)?;
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

    fn pair(&self) -> std::result::Result<RsaKeyPair, &'static str> {
        let lines = self.key.expose().lines().map(str::trim);
        let lines = lines.filter(|line| !line.starts_with("-----"));
        let der = STANDARD
            .decode(lines.collect::<String>())
            .map_err(|_| "the private key is not PEM")?;
        RsaKeyPair::from_pkcs8(&der)
            .or_else(|_| RsaKeyPair::from_der(&der))
            .map_err(|_| "the private key is not an RSA key of 2048 bits or more")
    }
}
