//! Tokens that are fetched, and renewed by one at a time.
//!
//! A refresh token may be worth nothing once it has been used: the answer holds its successor. So the
//! order is: hold the name among all processes; take the newest token kept; ask; keep the successor
//! durably; only then use what was got. A crash after the API's answer and before it is kept loses
//! the token, and nothing in our power can help that; a crash at any other place loses nothing.

use std::sync::Arc;

use serde_json::{Map, Value};
use tokio::sync::Mutex;
use tributary_model::{Error, ErrorKind, Result, Secret, Vault, failpoint, now};
use url::Url;

use crate::manifest::auth::{ClientIn, Grant, OAuthSpec, Send};
use crate::template::{Scope, Template};

use super::answered::{retry_after_of, small};
use super::call::missing;
use super::origin::Origin;
use super::token::{Signer, Token};

/// A way to get tokens, with the user's settings filled in.
#[derive(Debug)]
pub(crate) struct OAuth {
    url: Url,
    /// Whom a signed statement is for: the vendor, also where another stands in for it.
    audience: String,
    grant: Given,
    client: Option<(String, Secret)>,
    client_in: ClientIn,
    send: Send,
    extra: Vec<(String, String)>,
    lasts: Option<i64>,
    /// Under which the newest refresh token is kept.
    name: String,
    vault: Option<Arc<dyn Vault>>,
    held: Mutex<Held>,
}

#[derive(Debug)]
enum Given {
    Refresh(Secret),
    Client,
    Statement {
        signer: Signer,
        claims: Vec<(String, String)>,
    },
}

#[derive(Debug, Default)]
struct Held {
    token: Option<Arc<Token>>,
    /// The newest refresh token, where no vault keeps it.
    refresh: Option<Secret>,
    count: u64,
}

/// Bytes of a login's answer at most. // G6
const ANSWER: usize = 1 << 20;
/// Times that a token is asked for while the API is busy. // G6
const TRIES: u32 = 4;

impl OAuth {
    pub(crate) fn new(spec: &OAuthSpec, scope: &Scope<'_>, origin: &Origin) -> Result<Self> {
        let text = |template: &Template| {
            Ok::<_, Error>(template.render(scope).map_err(missing)?.unwrap_or_default())
        };
        let maybe = |template: &Option<Template>| template.as_ref().map(text).transpose();
        let url = text(&spec.token_url)?;
        let pairs = |pairs: &[(String, Template)]| {
            let rendered = pairs
                .iter()
                .map(|(name, value)| Ok((name.clone(), text(value)?)));
            rendered.collect::<Result<Vec<_>>>()
        };
        let grant = match &spec.grant {
            Grant::RefreshToken(token) => Given::Refresh(Secret::new(text(token)?)),
            Grant::ClientCredentials => Given::Client,
            Grant::JwtBearer { key, claims } => Given::Statement {
                signer: Signer::read(&text(key)?)?,
                claims: pairs(claims)?,
            },
        };
        let client = match (maybe(&spec.client_id)?, maybe(&spec.client_secret)?) {
            (Some(id), secret) => Some((id, Secret::new(secret.unwrap_or_default()))),
            (None, _) => None,
        };
        let mut extra = pairs(&spec.extra)?;
        extra.extend(maybe(&spec.scope)?.map(|scope| ("scope".to_owned(), scope)));
        Ok(Self {
            name: name_of(&url, client.as_ref(), &grant),
            url: origin.resolve_login(&url)?,
            audience: url,
            grant,
            client,
            client_in: spec.client_in,
            send: spec.send,
            extra,
            lasts: spec.lasts,
            vault: None,
            held: Mutex::default(),
        })
    }

    pub(crate) fn keep_in(&mut self, vault: Arc<dyn Vault>) {
        self.vault = Some(vault);
    }

    /// The token to use now.
    pub(crate) async fn token(&self, http: &reqwest::Client) -> Result<Arc<Token>> {
        let mut held = self.held.lock().await;
        match &held.token {
            Some(token) if token.lasts(now()) => Ok(token.clone()),
            _ => self.fetch(http, &mut held).await,
        }
    }

    /// Fetches a token in place of `stale`, unless someone has done so already.
    pub(crate) async fn renew(&self, http: &reqwest::Client, stale: &Token) -> Result<()> {
        let mut held = self.held.lock().await;
        let is_newest = held
            .token
            .as_ref()
            .is_none_or(|token| token.number == stale.number);
        if is_newest {
            self.fetch(http, &mut held).await?;
        }
        Ok(())
    }

    async fn fetch(&self, http: &reqwest::Client, held: &mut Held) -> Result<Arc<Token>> {
        let _alone = match &self.vault {
            Some(vault) => Some(vault.hold(&self.name).await?),
            None => None,
        };
        let refresh = self.newest_refresh(held).await?;
        let answer = self.ask(http, refresh.as_ref()).await?;
        let successor = answer.get("refresh_token").and_then(Value::as_str);
        if let (Some(before), Some(successor)) = (&refresh, successor)
            && before.expose() != successor
        {
            self.keep(held, Secret::new(successor)).await?;
        }
        held.count += 1;
        let token = Token::read(&answer, self.lasts, held.count, now()).ok_or_else(|| {
            Error::new(
                ErrorKind::Malformed,
                "the API's answer to the login holds no `access_token`",
            )
        })?;
        let token = Arc::new(token);
        held.token = Some(token.clone());
        Ok(token)
    }

    async fn newest_refresh(&self, held: &Held) -> Result<Option<Secret>> {
        let Given::Refresh(first) = &self.grant else {
            return Ok(None);
        };
        let kept = match &self.vault {
            Some(vault) => vault.get(&self.name).await?,
            None => held.refresh.clone(),
        };
        Ok(Some(kept.unwrap_or_else(|| first.clone())))
    }

    async fn keep(&self, held: &mut Held, successor: Secret) -> Result<()> {
        failpoint::reach("rest.before_keep")?;
        match &self.vault {
            Some(vault) => vault.put(&self.name, &successor).await?,
            None => held.refresh = Some(successor),
        }
        failpoint::reach("rest.after_keep")
    }

    async fn ask(&self, http: &reqwest::Client, refresh: Option<&Secret>) -> Result<Value> {
        let mut tried = 0;
        loop {
            tried += 1;
            let error = match self.ask_once(http, refresh).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let passes = matches!(
                error.kind(),
                ErrorKind::Unavailable | ErrorKind::Throttled(_)
            );
            if !passes || tried >= TRIES {
                return Err(error);
            }
            let said = match error.kind() {
                ErrorKind::Throttled(wait) => wait,
                _ => None,
            };
            let wait = super::wait::before_next(Default::default(), tried, said, 0.5);
            tokio::time::sleep(wait).await;
        }
    }

    async fn ask_once(&self, http: &reqwest::Client, refresh: Option<&Secret>) -> Result<Value> {
        let away = |why: reqwest::Error| {
            Error::new(
                ErrorKind::Unavailable,
                "the API could not be asked for a token",
            )
            .because(why.without_url())
        };
        let mut request = http
            .post(self.url.clone())
            .header("accept", "application/json");
        if let (ClientIn::Basic, Some((id, secret))) = (self.client_in, &self.client) {
            request = request.basic_auth(id, Some(secret.expose()));
        }
        let pairs = self.pairs(refresh)?;
        request = match self.send {
            Send::Form => {
                let mut form = url::form_urlencoded::Serializer::new(String::new());
                form.extend_pairs(&pairs);
                request
                    .header("content-type", "application/x-www-form-urlencoded")
                    .body(form.finish())
            }
            Send::Json => {
                let fields = pairs
                    .into_iter()
                    .map(|(name, value)| (name, json_value(value)));
                let body = Value::Object(fields.collect::<Map<_, _>>());
                request
                    .header("content-type", "application/json")
                    .body(body.to_string())
            }
        };
        let response = request.send().await.map_err(away)?;
        let status = response.status().as_u16();
        let said = retry_after_of(&response);
        let bytes = small(response, ANSWER).await.map_err(away)?;
        let bytes = bytes.ok_or_else(too_much)?;
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        match status {
            200..=299 => Ok(answer),
            429 => Err(Error::new(
                ErrorKind::Throttled(said),
                "the API gives no token now",
            )),
            500.. => Err(Error::new(
                ErrorKind::Unavailable,
                format!("the API answered {status} when it was asked for a token"),
            )),
            _ => Err(self.refused(status, &answer)),
        }
    }

    fn pairs(&self, refresh: Option<&Secret>) -> Result<Vec<(String, String)>> {
        let mut pairs = Vec::new();
        let mut add = |name: &str, value: &str| pairs.push((name.to_owned(), value.to_owned()));
        match &self.grant {
            Given::Refresh(_) => {
                add("grant_type", "refresh_token");
                add("refresh_token", refresh.map_or("", Secret::expose));
            }
            Given::Client => add("grant_type", "client_credentials"),
            Given::Statement { signer, claims } => {
                add("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
                let mut claims = claims.clone();
                let aud = claims.iter().any(|(name, _)| name == "aud");
                if !aud {
                    claims.push(("aud".to_owned(), self.audience.clone()));
                }
                add("assertion", &signer.sign(&claims, now())?);
            }
        }
        if let (ClientIn::Body, Some((id, secret))) = (self.client_in, &self.client) {
            add("client_id", id);
            if !secret.expose().is_empty() {
                add("client_secret", secret.expose());
            }
        }
        pairs.extend(self.extra.iter().cloned());
        Ok(pairs)
    }

    /// The login was refused: only its user can help.
    fn refused(&self, status: u16, answer: &Value) -> Error {
        let said = ["error_description", "error"]
            .iter()
            .find_map(|name| answer.get(*name).and_then(Value::as_str))
            .unwrap_or("it gave no reason");
        let fix = match self.grant {
            Given::Refresh(_) => {
                "Authorize the application again, and set the new `refresh_token` on the source."
            }
            Given::Client => {
                "Check the client's name and secret, and that it is allowed to log in."
            }
            Given::Statement { .. } => "Check the service account's key and what it may read.",
        };
        Error::new(
            ErrorKind::Access,
            format!("the API refused the login ({status})"),
        )
        .because(said.to_owned())
        .fix(fix)
    }
}

fn too_much() -> Error {
    let what = format!("the answer to the login has more than {} kB", ANSWER >> 10);
    Error::new(ErrorKind::Malformed, what).fix("Check `api_url`: an answer with a token is small.")
}

/// Numbers in a JSON login stay numbers.
fn json_value(text: String) -> Value {
    match text.parse::<u64>() {
        Ok(number) if number.to_string() == text => Value::from(number),
        _ => Value::String(text),
    }
}

/// A name for the credential that tells nothing about it: a new credential gets a new name.
fn name_of(url: &str, client: Option<&(String, Secret)>, grant: &Given) -> String {
    let mut hasher = blake3::Hasher::new();
    let secret = match grant {
        Given::Refresh(token) => token.expose(),
        Given::Client | Given::Statement { .. } => "",
    };
    let id = client.map_or("", |(id, _)| id.as_str());
    for part in [url, id, secret] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    format!("oauth-{}", &hasher.finalize().to_hex()[..24])
}
