//! A session: one connection to the server, in which nothing is waited for without end. // G6
//!
//! A session that is dropped while something is under way is closed, and the server undoes it.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgRow, PgSslMode};
use sqlx::query::Query;
use sqlx::{ConnectOptions, Connection, Executor};
use tributary_model::{Error, ErrorKind, Result};

use crate::error::{Explain, code, of_connecting, standby};
use crate::settings::{Settings, Tls};

/// How long connecting may take.
const CONNECTING: Duration = Duration::from_secs(30);
/// How long a kept session is asked whether it still lives.
const ASKING: Duration = Duration::from_secs(5);
/// How much longer than the server we wait: it knows best what it was doing.
const LONGER: Duration = Duration::from_secs(30);
/// How long a lock on a table is waited for.
const LOCK_SECONDS: u32 = 60;

/// What a transaction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum For {
    /// Changing something.
    Writing,
    /// Looking something up.
    Reading,
    /// Reading everything as of one moment.
    OneMoment,
}

/// What every transaction of ours begins with: names mean what they say, instants are in UTC, a commit
/// is durable, and a server notices that we are gone.
///
/// All of it ends with the transaction. A pooler may give each transaction another of its sessions: what
/// a session is told stays with somebody else, and must be nothing.
fn begin(settings: &Settings, what_for: For) -> String {
    let mode = match what_for {
        For::Writing => "READ COMMITTED READ WRITE",
        For::Reading => "READ COMMITTED READ ONLY",
        For::OneMoment => "REPEATABLE READ READ ONLY",
    };
    format!(
        "BEGIN ISOLATION LEVEL {mode}; SET LOCAL search_path = pg_catalog; \
         SET LOCAL standard_conforming_strings = on; SET LOCAL bytea_output = 'hex'; \
         SET LOCAL extra_float_digits = 1; SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO, MDY'; \
         SET LOCAL statement_timeout = {}; SET LOCAL lock_timeout = '{LOCK_SECONDS}s'; \
         SET LOCAL idle_in_transaction_session_timeout = 0; \
         SET LOCAL tcp_keepalives_idle = 60; SET LOCAL tcp_keepalives_interval = 10; \
         SET LOCAL tcp_keepalives_count = 3; \
         SELECT set_config('synchronous_commit', 'on', true) \
         WHERE current_setting('synchronous_commit') = 'off'",
        settings.statement_timeout.as_millis()
    )
}

/// A connection to the server.
pub(crate) struct Session {
    connection: PgConnection,
    settings: Arc<Settings>,
    patience: Duration,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

impl Session {
    /// Connects.
    pub(crate) async fn connect(settings: &Arc<Settings>) -> Result<Self> {
        let options = options(settings);
        let connecting = tokio::time::timeout(CONNECTING, options.connect());
        let connection = match connecting.await {
            Ok(connected) => connected.map_err(|error| of_connecting(&error, settings))?,
            Err(_) => {
                return Err(Error::new(
                    ErrorKind::Unavailable,
                    format!("{} does not answer", settings.place()),
                )
                .fix("Look whether the server runs and whether a firewall lets this machine reach it."));
            }
        };
        Ok(Self {
            connection,
            settings: settings.clone(),
            patience: settings.statement_timeout + LONGER,
        })
    }

    /// Begins a transaction; nothing is done outside of one.
    pub(crate) async fn begin(&mut self, what_for: For) -> Result<()> {
        let sql = begin(&self.settings, what_for);
        let running = self.connection.execute(sqlx::raw_sql(&sql));
        match within(self.patience, running).await? {
            // A standby does not begin what writes, and has a code of no meaning for that.
            Err(error) if what_for == For::Writing && code(&error) == Some("0A000") => {
                Err(standby().because(error.to_string()))
            }
            begun => begun.map(drop).explain("beginning a transaction"),
        }
    }

    /// The server's version as a number such as 150018; 0 where it does not say.
    pub(crate) fn version(&self) -> u32 {
        self.connection.server_version_num().unwrap_or_default()
    }

    /// Whether the server still answers.
    async fn is_alive(&mut self) -> bool {
        let ping = tokio::time::timeout(ASKING, self.connection.ping());
        ping.await.is_ok_and(|answer| answer.is_ok())
    }

    /// Runs statements without parameters; says how many rows they changed.
    pub(crate) async fn run(&mut self, sql: &str, doing: &str) -> Result<u64> {
        let running = self.connection.execute(sqlx::raw_sql(sql));
        let done = within(self.patience, running).await?.explain(doing)?;
        Ok(done.rows_affected())
    }

    /// Runs statements one after the other.
    pub(crate) async fn run_all(&mut self, statements: &[String], doing: &str) -> Result<()> {
        for statement in statements {
            self.run(statement, doing).await?;
        }
        Ok(())
    }

    /// Runs a statement with parameters; says how many rows it changed.
    pub(crate) async fn tell(
        &mut self,
        query: Query<'_, sqlx::Postgres, PgArguments>,
        doing: &str,
    ) -> Result<u64> {
        let running = query.persistent(false).execute(&mut self.connection);
        Ok(within(self.patience, running)
            .await?
            .explain(doing)?
            .rows_affected())
    }

    /// Asks with parameters.
    pub(crate) async fn ask(
        &mut self,
        query: Query<'_, sqlx::Postgres, PgArguments>,
        doing: &str,
    ) -> Result<Vec<PgRow>> {
        let asking = query.persistent(false).fetch_all(&mut self.connection);
        within(self.patience, asking).await?.explain(doing)
    }

    /// Sends `data`, in PostgreSQL's binary format, to a `COPY ... FROM STDIN`.
    pub(crate) async fn copy(&mut self, statement: &str, data: &[u8], doing: &str) -> Result<u64> {
        let patience = self.patience;
        let copying = async {
            let mut copy = self.connection.copy_in_raw(statement).await?;
            copy.send(data).await?;
            copy.finish().await
        };
        within(patience, copying).await?.explain(doing)
    }

    /// The connection itself, for questions whose answer has any shape.
    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

/// Waits for `work`, but not for ever.
async fn within<T>(patience: Duration, work: impl Future<Output = T>) -> Result<T> {
    tokio::time::timeout(patience, work).await.map_err(|_| {
        Error::new(
            ErrorKind::Unavailable,
            format!("the server has been silent for {} seconds", patience.as_secs()),
        )
        .fix("Look whether the server still runs; raise `statement_timeout` of the destination if it was at work.")
    })
}

fn options(settings: &Settings) -> PgConnectOptions {
    let mode = match settings.tls {
        Tls::Disabled => PgSslMode::Disable,
        Tls::Preferred => PgSslMode::Prefer,
        Tls::Required => PgSslMode::Require,
        Tls::VerifyCa(_) => PgSslMode::VerifyCa,
        Tls::VerifyIdentity(_) => PgSslMode::VerifyFull,
    };
    let mut options = PgConnectOptions::new_without_pgpass()
        .port(settings.port)
        .username(&settings.user)
        // Never one that happens to be in the environment.
        .password(
            settings
                .password
                .as_ref()
                .map_or("", |password| password.expose()),
        )
        .database(&settings.database)
        .application_name(&settings.application_name)
        .statement_cache_capacity(0)
        // Each transaction says it; poolers do not let it through.
        .extra_float_digits(None)
        .ssl_mode(mode)
        .disable_statement_logging();
    options = match settings.is_socket() {
        true => options.socket(&settings.host),
        false => options.host(&settings.host),
    };
    match &settings.tls {
        Tls::VerifyCa(Some(file)) | Tls::VerifyIdentity(Some(file)) => options.ssl_root_cert(file),
        _ => options,
    }
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

    /// A session that looks something up, in a transaction.
    pub(crate) async fn reading(&self) -> Result<Session> {
        let mut session = self.get().await?;
        session.begin(For::Reading).await?;
        Ok(session)
    }

    /// Ends what a session was reading.
    pub(crate) async fn done(&self, mut session: Session) -> Result<()> {
        session.run("COMMIT", "ending a transaction").await?;
        self.keep(session);
        Ok(())
    }

    /// Takes back a session in which nothing is under way.
    pub(crate) fn keep(&self, session: Session) {
        *self.slot() = Some(session);
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Session>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
