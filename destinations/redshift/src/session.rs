//! A session: one connection to the warehouse, in which nothing is waited for without end. // G6
//!
//! A session that is dropped while something is under way is closed at once, and the server undoes it.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use tokio::task::AbortHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, SimpleQueryMessage, SimpleQueryRow, SimpleQueryStream};
use tributary_model::{Error, ErrorKind, Result};

use crate::error::{Explain, of_connecting};
use crate::settings::{Settings, Tls};
use crate::tls::Encryption;

/// How long connecting may take.
const CONNECTING: Duration = Duration::from_secs(60);
/// How long a kept session is asked whether it still lives.
const ASKING: Duration = Duration::from_secs(10);
/// How much longer than the server we wait: it knows best what it was doing.
const LONGER: Duration = Duration::from_secs(30);

/// What every session of ours is told first: instants are in UTC, floats are written whole, and names
/// mean the same whatever the user's default is.
fn hello(settings: &Settings) -> [String; 5] {
    [
        "SET timezone TO 'UTC'".to_owned(),
        "SET datestyle TO 'ISO, YMD'".to_owned(),
        "SET extra_float_digits TO 2".to_owned(),
        "SET enable_case_sensitive_identifier TO false".to_owned(),
        timeout(settings.statement_timeout),
    ]
}

fn timeout(patience: Duration) -> String {
    format!("SET statement_timeout TO {}", patience.as_millis())
}

/// A connection to the warehouse.
pub(crate) struct Session {
    client: Client,
    wire: AbortHandle,
    patience: Duration,
    usual: Duration,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

impl Drop for Session {
    /// Else the driver would wait for what is under way.
    fn drop(&mut self) {
        self.wire.abort();
    }
}

impl Session {
    /// Connects.
    pub(crate) async fn connect(settings: &Settings) -> Result<Self> {
        let encryption = Encryption::new(&settings.tls)?;
        let config = config(settings);
        let connecting = tokio::time::timeout(CONNECTING, config.connect(encryption));
        let (client, connection) = match connecting.await {
            Ok(connected) => connected.map_err(|error| of_connecting(&error, settings))?,
            Err(_) => {
                return Err(Error::new(
                    ErrorKind::Unavailable,
                    format!("{} does not answer", settings.place()),
                )
                .fix("Look whether the warehouse runs and whether its security group lets this machine reach it."));
            }
        };
        let wire = tokio::spawn(async move {
            // Whoever waits for an answer is told what has happened.
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a session ended");
            }
        });
        let mut session = Self {
            client,
            wire: wire.abort_handle(),
            patience: settings.statement_timeout + LONGER,
            usual: settings.statement_timeout,
        };
        session
            .run_all(&hello(settings), "beginning a session")
            .await?;
        Ok(session)
    }

    /// Whether the server still answers.
    async fn is_alive(&mut self) -> bool {
        let ping = tokio::time::timeout(ASKING, self.client.simple_query("SELECT 1"));
        ping.await.is_ok_and(|answer| answer.is_ok())
    }

    /// Runs a statement; says how many rows it changed.
    pub(crate) async fn run(&mut self, sql: &str, doing: &str) -> Result<u64> {
        let answer = within(self.patience, self.client.simple_query(sql)).await?;
        Ok(changed(&answer.explain(doing)?))
    }

    /// Runs statements one after the other.
    pub(crate) async fn run_all(&mut self, statements: &[String], doing: &str) -> Result<()> {
        for statement in statements {
            self.run(statement, doing).await?;
        }
        Ok(())
    }

    /// Asks.
    pub(crate) async fn ask(&mut self, sql: &str, doing: &str) -> Result<Vec<Row>> {
        let answer = within(self.patience, self.client.simple_query(sql)).await?;
        let messages = answer.explain(doing)?.into_iter();
        let rows = messages.filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(Row(row)),
            _ => None,
        });
        Ok(rows.collect())
    }

    /// Asks for rows that come one by one, as fast as they are taken.
    pub(crate) async fn stream(
        &mut self,
        sql: &str,
    ) -> Result<SimpleQueryStream, tokio_postgres::Error> {
        self.client.simple_query_raw(sql).await
    }

    /// Lets statements take so long and no longer, from here on; `None` is as long as usual.
    pub(crate) async fn limit(&mut self, limit: Option<Duration>) -> Result<()> {
        let limit = limit.unwrap_or(self.usual);
        self.run(&timeout(limit), "setting a limit").await?;
        Ok(())
    }
}

/// How many rows the last statement changed.
fn changed(messages: &[SimpleQueryMessage]) -> u64 {
    let counts = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::CommandComplete(count) => Some(*count),
        _ => None,
    });
    counts.last().unwrap_or_default()
}

/// A row of an answer, as text.
#[derive(Debug)]
pub(crate) struct Row(SimpleQueryRow);

impl Row {
    /// A value that may be NULL.
    pub(crate) fn optional(&self, index: usize) -> Result<Option<&str>> {
        self.0.try_get(index).explain("reading an answer")
    }

    /// A value that is not NULL.
    pub(crate) fn text(&self, index: usize) -> Result<&str> {
        self.optional(index)?
            .ok_or_else(|| Error::bug("an answer lacks a value"))
    }

    /// A number that is not negative.
    pub(crate) fn number(&self, index: usize) -> Result<u64> {
        let text = self.text(index)?;
        text.parse()
            .map_err(|cause| Error::bug(format!("`{text}` is no number")).because(cause))
    }
}

/// All rows of an answer that comes one by one.
pub(crate) async fn each(
    stream: SimpleQueryStream,
    mut take: impl FnMut(SimpleQueryMessage) -> Result<()>,
) -> Result<(), Failure> {
    let mut stream = pin!(stream);
    while let Some(message) = stream.next().await {
        take(message.map_err(Failure::Server)?).map_err(Failure::Ours)?;
    }
    Ok(())
}

/// Why an answer ended.
#[derive(Debug)]
pub(crate) enum Failure {
    Server(tokio_postgres::Error),
    Ours(Error),
}

/// Waits for `work`, but not for ever.
async fn within<T>(patience: Duration, work: impl Future<Output = T>) -> Result<T> {
    tokio::time::timeout(patience, work).await.map_err(|_| {
        Error::new(
            ErrorKind::Unavailable,
            format!("the warehouse has been silent for {} seconds", patience.as_secs()),
        )
        .fix("Look whether the warehouse still runs; raise `statement_timeout` of the destination if it was at work.")
    })
}

fn config(settings: &Settings) -> tokio_postgres::Config {
    let mode = match settings.tls {
        Tls::Disabled => SslMode::Disable,
        Tls::Preferred => SslMode::Prefer,
        Tls::Required | Tls::VerifyCa(_) | Tls::VerifyIdentity(_) => SslMode::Require,
    };
    let mut config = tokio_postgres::Config::new();
    config
        .host(&settings.host)
        .port(settings.port)
        .user(&settings.user)
        .dbname(&settings.database)
        .application_name(&settings.application_name)
        .ssl_mode(mode)
        .connect_timeout(CONNECTING)
        .keepalives_idle(Duration::from_secs(60));
    if let Some(password) = &settings.password {
        config.password(password.expose());
    }
    config
}

/// Sessions of a destination: at most one is kept while nobody needs it.
#[derive(Clone, Debug)]
pub(crate) struct Sessions {
    pub(crate) settings: Arc<Settings>,
    kept: Arc<Mutex<Option<Session>>>,
}

impl Sessions {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings: Arc::new(settings),
            kept: Arc::default(),
        }
    }

    /// The kept session where it still lives, else a new one.
    pub(crate) async fn get(&self) -> Result<Session> {
        let kept = self.slot().take();
        if let Some(mut session) = kept
            && session.is_alive().await
        {
            return Ok(session);
        }
        Session::connect(&self.settings).await
    }

    /// Takes back a session in which nothing is under way.
    pub(crate) fn keep(&self, session: Session) {
        *self.slot() = Some(session);
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Session>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
