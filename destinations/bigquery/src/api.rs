//! The REST API: one request, asked again a few times where that is harmless.
//!
//! Everything that is sent here is idempotent: reading, what is there already or gone already is told
//! apart by its status, and a job has an id. So an answer that was lost is asked for again. // G6

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use tributary_model::{Error, ErrorKind, Result};

use crate::auth::{Token, Tokens};
use crate::error::{of_answer, unreachable};
use crate::settings::Settings;

/// How long an answer may take.
const ANSWERING: Duration = Duration::from_secs(120);
const CONNECTING: Duration = Duration::from_secs(30);
/// How often something is asked, and the pause after the first time; it doubles.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_millis(250);

/// The API of one project.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    http: reqwest::Client,
    tokens: Tokens,
    base: String,
}

/// What BigQuery says to a request.
#[derive(Debug)]
pub(crate) enum Answer {
    Done(Value),
    /// 404.
    Missing(Error),
    /// 409: there is one of that name.
    Exists,
}

impl Answer {
    /// The answer where the thing must be there.
    pub(crate) fn done(self) -> Result<Value> {
        match self {
            Self::Done(value) => Ok(value),
            Self::Missing(error) => Err(error),
            Self::Exists => Err(Error::new(
                ErrorKind::Incompatible,
                "something of that name is there already",
            )),
        }
    }
}

impl Api {
    pub(crate) fn new(settings: &Settings) -> Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(ANSWERING)
            .connect_timeout(CONNECTING)
            .user_agent(concat!("tributary/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|cause| Error::bug("the HTTP client can't be made").because(cause))?;
        let base = settings.api.as_str().trim_end_matches('/');
        let project = encoded(&settings.project);
        Ok(Self {
            tokens: Tokens::new(settings.credentials.clone(), http.clone()),
            base: format!("{base}/bigquery/v2/projects/{project}"),
            http,
        })
    }

    /// The tokens, for the other API.
    pub(crate) fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Asks; `path` begins behind the project.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer> {
        let mut tried = 0;
        let mut pause = PAUSE;
        loop {
            tried += 1;
            let error = match self.try_call(method.clone(), path, body).await {
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
            tracing::debug!(%error, path, "asking BigQuery again");
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Answer> {
        self.call(Method::GET, path, None).await
    }

    /// Asks with a token, and with a new one where that is refused.
    async fn try_call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer> {
        let token = self.tokens.get().await?;
        let answered = self
            .send(method.clone(), path, body, token.as_ref())
            .await?;
        let (status, body) = match (answered, token) {
            ((401, _), Some(stale)) => {
                self.tokens.refused(&stale).await;
                let fresh = self.tokens.get().await?;
                self.send(method, path, body, fresh.as_ref()).await?
            }
            (answered, _) => answered,
        };
        match status {
            200..=299 if body.is_empty() => Ok(Answer::Done(Value::Null)),
            200..=299 => serde_json::from_slice(&body)
                .map(Answer::Done)
                .map_err(|_| Error::new(ErrorKind::Malformed, "BigQuery's answer is not JSON")),
            404 => Ok(Answer::Missing(of_answer(status, &body))),
            409 => Ok(Answer::Exists),
            _ => Err(of_answer(status, &body)),
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        token: Option<&Token>,
    ) -> Result<(u16, Vec<u8>)> {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(token) = token {
            request = request.bearer_auth(token.access.expose());
        }
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        let away = |cause: reqwest::Error| unreachable("BigQuery", &chain(&cause.without_url()));
        let response = request.send().await.map_err(away)?;
        let status = response.status().as_u16();
        let body = response.bytes().await.map_err(away)?;
        Ok((status, body.to_vec()))
    }
}

/// An error with what is underneath, which says more.
fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", chain(cause)),
        None => error.to_string(),
    }
}

/// A part of a path.
pub(crate) fn encoded(part: &str) -> String {
    percent_encoding::utf8_percent_encode(part, percent_encoding::NON_ALPHANUMERIC).to_string()
}
