//! The SQL API: statements over HTTPS, each request with an identity under which it counts once.
//!
//! A request is sent again, under the same identity and marked as a repetition, after anything that
//! leaves open whether it arrived: Snowflake then answers with what it has done already. So a request
//! is carried out at most once, however often it is sent. // G1
//!
//! Several statements of a request share one session, which ends with it: a transaction that was not
//! committed in it is undone. They run in order, and none after one that failed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tributary_model::{Error, ErrorKind, Result};
use uuid::Uuid;

use crate::answer::{MetaData, Reply, Rows, malformed};
use crate::auth::Login;
use crate::error;
use crate::parts::parts;
use crate::settings::{Credentials, Settings};

const CONNECT: Duration = Duration::from_secs(20);
/// The service answers within 45 seconds, with the result or with where to ask for it.
const REPLY: Duration = Duration::from_secs(120);
/// How often a request is sent, and the pauses between: about two minutes in all. // G6
const TRIES: u32 = 12;
/// The same where nobody has ever been at the address: who waits for `check` has mistyped it.
const CONNECTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
/// Pauses between two questions whether a statement has ended.
const FIRST_ASKING: Duration = Duration::from_millis(100);
const LONGEST_ASKING: Duration = Duration::from_secs(5);
/// How much longer than Snowflake we wait: it knows best what it was doing.
const LONGER: Duration = Duration::from_secs(120);
/// Bytes of SQL that Snowflake takes in one request.
const TEXT: usize = 1_000_000;

/// Where names without a schema are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope<'a> {
    /// Nowhere: all names are full.
    Database,
    /// In this schema, which must be there.
    Schema(&'a str),
}

/// A connection to an account.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    login: Arc<Login>,
    pub(crate) settings: Arc<Settings>,
    /// What our statements are called in the query history.
    tag: String,
    /// Whether anybody has ever answered: an address that was right is not given up so soon.
    was_answered: Arc<AtomicBool>,
}

/// What became of a request.
#[derive(Debug)]
pub(crate) struct Done {
    reply: Reply,
    handle: String,
}

/// How a request failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    /// The code of a statement that was refused; `None` where nobody knows what was done.
    pub(crate) code: Option<String>,
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, code: None }
    }
}

impl Client {
    /// Nothing is contacted yet.
    pub(crate) fn new(settings: Settings) -> Result<Self> {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(REPLY)
            .user_agent(concat!("tributary/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|cause| Error::bug("no client for HTTP can be made").because(cause))?;
        let login = match (settings.key()?, &settings.credentials) {
            (Some(key), _) => {
                let user = settings.user.as_deref().unwrap_or_default();
                Login::by_key(&settings.account, user, key)
            }
            (None, Credentials::Token(token)) => Login::Token(token.clone()),
            (None, Credentials::Key(_) | Credentials::KeyFile(_)) => {
                return Err(Error::bug("a key was read and is not there"));
            }
        };
        Ok(Self {
            http,
            login: Arc::new(login),
            tag: settings.query_tag.clone(),
            settings: Arc::new(settings),
            was_answered: Arc::default(),
        })
    }

    /// The same, for statements that belong to something of a name.
    pub(crate) fn tagged(&self, name: &str) -> Self {
        Self {
            tag: format!("{}:{name}", self.settings.query_tag),
            ..self.clone()
        }
    }

    /// Runs statements, each a transaction of its own unless they say otherwise, also where the user's
    /// session does not commit by itself.
    pub(crate) async fn run(
        &self,
        scope: Scope<'_>,
        statements: &[String],
        doing: &str,
    ) -> Result<()> {
        for part in parts(statements, TEXT) {
            let run = self.submit(scope, &part).await;
            run.map_err(|failure| failure.error.context(doing))?;
        }
        Ok(())
    }

    /// Asks one question.
    pub(crate) async fn ask(&self, scope: Scope<'_>, sql: &str, doing: &str) -> Result<Rows> {
        let statement = [sql.to_owned()];
        let done = self.submit(scope, &statement).await;
        let done = done.map_err(|failure| failure.error.context(doing))?;
        self.rows(done).await.map_err(|error| error.context(doing))
    }

    /// Sends statements in one request, and waits until all of them are done.
    pub(crate) async fn submit(
        &self,
        scope: Scope<'_>,
        statements: &[String],
    ) -> Result<Done, Failure> {
        let text = statements.join(";\n");
        if text.len() > TEXT {
            return Err(too_long(text.len()).into());
        }
        let body = self.body(scope, &text, statements.len());
        let request = format!("api/v2/statements?requestId={}", Uuid::new_v4());
        let mut reply = self.send(&Method::POST, &request, Some(&body)).await?;
        let mut pause = FIRST_ASKING;
        let give_up = tokio::time::Instant::now() + self.settings.statement_timeout + LONGER;
        // 202: it is under way, and has a handle to ask by.
        while reply.0 == StatusCode::ACCEPTED {
            let handle = reply.1.statement_handle.clone();
            let handle = handle.ok_or_else(|| malformed("a statement has no handle"))?;
            if tokio::time::Instant::now() > give_up {
                return Err(silent(&handle).into());
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_ASKING);
            let path = format!("api/v2/statements/{handle}");
            reply = self.send(&Method::GET, &path, None).await?;
        }
        let reply = reply.1;
        let handle = reply.statement_handle.clone().unwrap_or_default();
        Ok(Done { reply, handle })
    }

    fn body(&self, scope: Scope<'_>, text: &str, count: usize) -> Value {
        let settings = &self.settings;
        let mut body = json!({
            "statement": text,
            "timeout": settings.statement_timeout.as_secs(),
            "database": settings.database,
            "parameters": {
                "MULTI_STATEMENT_COUNT": count.to_string(),
                "QUERY_TAG": self.tag,
                // Times and bytes come in one way, whatever an account's own settings are. No other
                // parameters: the service takes few.
                "TIMEZONE": "UTC",
                "BINARY_OUTPUT_FORMAT": "HEX",
            },
        });
        let more = [
            (
                "schema",
                match scope {
                    Scope::Database => None,
                    Scope::Schema(name) => Some(name.to_owned()),
                },
            ),
            ("warehouse", settings.warehouse.clone()),
            ("role", settings.role.clone()),
        ];
        for (key, value) in more {
            if let Some(value) = value {
                body[key] = value.into();
            }
        }
        body
    }

    /// The rows of a request with one statement.
    pub(crate) async fn rows(&self, done: Done) -> Result<Rows> {
        let Done { reply, handle } = done;
        let meta = reply.result_set_meta_data.unwrap_or_default();
        self.gather(&handle, meta, reply.data).await
    }

    /// The rows of a request's statement, the first being 0.
    pub(crate) async fn rows_of(&self, done: &Done, number: usize) -> Result<Rows> {
        let handle = done.reply.statement_handles.get(number);
        let handle = handle.ok_or_else(|| malformed("a statement of several has no handle"))?;
        let path = format!("api/v2/statements/{handle}");
        let (_, reply) = self
            .send(&Method::GET, &path, None)
            .await
            .map_err(Error::from)?;
        let meta = reply.result_set_meta_data.unwrap_or_default();
        self.gather(handle, meta, reply.data).await
    }

    async fn gather(
        &self,
        handle: &str,
        meta: MetaData,
        data: Vec<Vec<Option<String>>>,
    ) -> Result<Rows> {
        let mut rows = data;
        for number in 1..meta.partition_info.len() {
            rows.extend(self.partition(handle, number).await?);
        }
        Ok(Rows {
            columns: meta.row_type,
            rows,
        })
    }

    /// One of the later pieces of an answer.
    pub(crate) async fn partition(
        &self,
        handle: &str,
        number: usize,
    ) -> Result<Vec<Vec<Option<String>>>> {
        let path = format!("api/v2/statements/{handle}?partition={number}");
        let (_, reply) = self
            .send(&Method::GET, &path, None)
            .await
            .map_err(Error::from)?;
        Ok(reply.data)
    }

    /// Asks a question whose rows are wanted piece by piece: the columns, the first piece, and how
    /// many pieces there are under which handle.
    pub(crate) async fn ask_for_pieces(
        &self,
        sql: &str,
        doing: &str,
    ) -> Result<(Rows, String, usize)> {
        let done = self.submit(Scope::Database, &[sql.to_owned()]).await;
        let Done { reply, handle } = done.map_err(|failure| failure.error.context(doing))?;
        let meta = reply.result_set_meta_data.unwrap_or_default();
        let pieces = meta.partition_info.len().max(1);
        let rows = Rows {
            columns: meta.row_type,
            rows: reply.data,
        };
        Ok((rows, handle, pieces))
    }

    /// Sends a request until there is an answer that says something.
    async fn send(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Reply), Failure> {
        let mut pause = FIRST_PAUSE;
        let mut refreshed = false;
        let mut last = None;
        for attempt in 0..TRIES {
            if attempt > 0 {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            // Marked as a repetition: what the first one did is not done again.
            let repeated = attempt > 0 && *method == Method::POST;
            let path = format!("{path}{}", if repeated { "&retry=true" } else { "" });
            match self.once(method, &path, body).await {
                Ok(Outcome::Answer(status, reply)) => return Ok((status, *reply)),
                Ok(Outcome::Refused(failure)) => return Err(failure),
                Ok(Outcome::NoPass(failure)) => {
                    if refreshed || !self.login.renew() {
                        return Err(failure);
                    }
                    refreshed = true;
                }
                Ok(Outcome::Unreachable(error)) if attempt + 1 >= self.connects() => {
                    return Err(error.into());
                }
                Ok(Outcome::Unreachable(error)) => last = Some(error),
                Ok(Outcome::Later(error, wait)) => {
                    pause = wait.unwrap_or(pause);
                    last = Some(error);
                }
                Err(error) => last = Some(error),
            }
        }
        let last = last.unwrap_or_else(|| Error::bug("a request was never sent"));
        Err(last.into())
    }

    /// How often a request is sent to an address where nobody is.
    fn connects(&self) -> u32 {
        match self.was_answered.load(Ordering::Relaxed) {
            true => TRIES,
            false => CONNECTS,
        }
    }

    async fn once(&self, method: &Method, path: &str, body: Option<&Value>) -> Result<Outcome> {
        let host = &self.settings.url;
        let lost = |cause: reqwest::Error| {
            Error::new(
                ErrorKind::Unavailable,
                format!("{host} gave no whole reply"),
            )
            .because(chain(&cause.without_url()))
            .fix("See that the account's address is right and can be reached from here.")
        };
        let pass = self.login.pass()?;
        let mut request = self
            .http
            .request(method.clone(), format!("{host}/{path}"))
            .bearer_auth(pass.token.expose())
            .header("X-Snowflake-Authorization-Token-Type", pass.kind)
            .header("Accept", "application/json");
        if let Some(body) = body {
            request = request
                .header("Content-Type", "application/json")
                .body(body.to_string());
        }
        let reply = match request.send().await {
            Err(cause) if cause.is_connect() => return Ok(Outcome::Unreachable(lost(cause))),
            sent => sent.map_err(lost)?,
        };
        self.was_answered.store(true, Ordering::Relaxed);
        let status = reply.status();
        let wait = reply.headers().get("retry-after");
        let wait = wait.and_then(|wait| wait.to_str().ok()?.parse().ok());
        let bytes = reply.bytes().await.map_err(lost)?;
        Ok(judge(status, wait.map(Duration::from_secs), &bytes))
    }
}

/// What one reply means.
enum Outcome {
    Answer(StatusCode, Box<Reply>),
    /// The statement was refused, and has changed nothing that was not committed.
    Refused(Failure),
    /// The token was refused.
    NoPass(Failure),
    /// There is nobody at the address, at least now.
    Unreachable(Error),
    /// Nothing was done, or nobody knows: the same again after a while.
    Later(Error, Option<Duration>),
}

fn judge(status: StatusCode, wait: Option<Duration>, bytes: &[u8]) -> Outcome {
    let reply: Option<Reply> = serde_json::from_slice(bytes).ok();
    let away = |what: &str| {
        Error::new(
            ErrorKind::Unavailable,
            format!("Snowflake {what} ({status})"),
        )
    };
    match (status.as_u16(), reply) {
        (200 | 202, Some(reply)) => Outcome::Answer(status, Box::new(reply)),
        // A body that was cut off: the same identity gets the same answer.
        (200 | 202, None) => Outcome::Later(away("sent half an answer"), wait),
        (429, _) => {
            let error = Error::new(
                ErrorKind::Throttled(wait),
                "Snowflake asks for fewer requests",
            );
            Outcome::Later(error, wait.map(|wait| wait.min(LONGEST_PAUSE)))
        }
        (401 | 403, reply) => {
            let reply = reply.unwrap_or_default();
            let error = match error::of(&reply) {
                error if error.kind() == ErrorKind::Access => error,
                other => Error::new(ErrorKind::Access, "Snowflake refused the login")
                    .because(other.why().unwrap_or_else(|| other.what()))
                    .fix("Correct `account`, `user` and the key or token of the destination."),
            };
            Outcome::NoPass(Failure {
                error,
                code: reply.code,
            })
        }
        (408, reply) => Outcome::Refused(Failure {
            error: away("ended a statement that took too long").fix(
                "Raise `statement_timeout` of the destination, or give it a larger warehouse.",
            ),
            code: reply.and_then(|reply| reply.code),
        }),
        (422 | 400 | 404 | 405 | 415, Some(reply)) => Outcome::Refused(Failure {
            error: error::of(&reply),
            code: reply.code.or(reply.sql_state),
        }),
        (404, None) => Outcome::Refused(Failure {
            error: Error::new(
                ErrorKind::Config,
                "there is no Snowflake account at that address",
            )
            .fix("Correct `account` or `url` of the destination."),
            code: Some("404".to_owned()),
        }),
        _ => Outcome::Later(
            away("is not available"),
            wait.map(|wait| wait.min(LONGEST_PAUSE)),
        ),
    }
}

fn too_long(bytes: usize) -> Error {
    Error::new(
        ErrorKind::Incompatible,
        format!("the statements of a load have {bytes} bytes, and Snowflake takes {TEXT} at once"),
    )
    .fix("Divide the connection's streams among several connections, or exclude columns.")
}

fn silent(handle: &str) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        format!("the statement {handle} does not end"),
    )
    .fix("Look at it in the query history; raise `statement_timeout` of the destination if it was at work.")
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(there) = cause {
        text = format!("{text}: {there}");
        cause = there.source();
    }
    text
}
