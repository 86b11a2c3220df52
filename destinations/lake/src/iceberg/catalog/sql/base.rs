//! The databases that a catalog can be in, and what differs between them: how they are opened, and
//! what their errors mean. Statements are the same.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions};
use tributary_model::{Error, ErrorKind, Result, Secret};

/// How long a statement waits for other writers of a file, or for a connection.
const PATIENCE: Duration = Duration::from_secs(30);
/// Connections to a database.
const CONNECTIONS: u32 = 2;

/// Where a catalog is.
#[derive(Clone, Debug)]
pub(crate) enum Base {
    /// A file of SQLite.
    File(PathBuf),
    /// A database of PostgreSQL.
    Postgres(Box<PgConnectOptions>),
}

/// Connections to it.
#[derive(Clone, Debug)]
pub(super) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Base {
    /// A database of PostgreSQL by its address.
    ///
    /// # Errors
    /// Fails where it is none; the message does not repeat it, as it may hold a password.
    pub(crate) fn postgres(url: &Secret) -> Result<Self> {
        let url = url.expose();
        let is_postgres = url.starts_with("postgres://") || url.starts_with("postgresql://");
        let options = PgConnectOptions::from_str(url).ok().filter(|_| is_postgres);
        let options = options.ok_or_else(|| {
            Error::new(
                ErrorKind::Config,
                "the catalog's `url` is not the address of a database",
            )
            .fix("Write `url: \"postgres://user:${PASSWORD}@host:5432/database\"`.")
        })?;
        let options = options.application_name("tributary");
        Ok(Self::Postgres(Box::new(options)))
    }

    pub(super) async fn connect(&self) -> Result<Pool> {
        match self {
            Self::File(path) => {
                if let Some(folder) = path.parent() {
                    let made = tokio::fs::create_dir_all(folder).await;
                    made.map_err(|cause| tributary_store::local(&cause, folder))?;
                }
                let options = SqliteConnectOptions::new()
                    .filename(path)
                    .create_if_missing(true)
                    .journal_mode(SqliteJournalMode::Wal)
                    .busy_timeout(PATIENCE);
                let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS);
                let pool = pool.connect_with(options).await;
                pool.map(Pool::Sqlite).map_err(|cause| self.failed(cause))
            }
            Self::Postgres(options) => {
                let pool = PgPoolOptions::new()
                    .max_connections(CONNECTIONS)
                    .acquire_timeout(PATIENCE);
                let pool = pool.connect_with(PgConnectOptions::clone(options)).await;
                pool.map(Pool::Postgres).map_err(|cause| self.failed(cause))
            }
        }
    }

    /// The error of a statement, or of connecting.
    pub(super) fn failed(&self, cause: sqlx::Error) -> Error {
        let code = cause.as_database_error().and_then(|error| error.code());
        let (kind, fix) = match (self, code.as_deref().unwrap_or_default()) {
            (Self::File(path), _) => {
                let path = path.display();
                let fix = format!("See that {path} can be written and is a catalog of Iceberg.");
                (ErrorKind::Unavailable, fix)
            }
            // No such user, a wrong password, no entry in pg_hba.conf, no right.
            (Self::Postgres(_), "28000" | "28P01" | "42501") => {
                let fix = "Correct user and password in the catalog's `url`; the user makes and \
                           changes two tables (CREATE on the schema, or make them before).";
                (ErrorKind::Access, fix.to_owned())
            }
            (Self::Postgres(_), "3D000") => {
                let fix = "Make the database (`CREATE DATABASE`), or correct the catalog's `url`.";
                (ErrorKind::Config, fix.to_owned())
            }
            (Self::Postgres(_), _) => {
                let fix = "See that the server is up and can be reached from here.";
                (ErrorKind::Unavailable, fix.to_owned())
            }
        };
        Error::new(kind, format!("the catalog in {self} can't be used"))
            .because(cause)
            .fix(fix)
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "SQLite, {}", path.display()),
            Self::Postgres(options) => write!(
                f,
                "PostgreSQL, {}:{}/{}",
                options.get_host(),
                options.get_port(),
                options.get_database().unwrap_or_default()
            ),
        }
    }
}

impl Pool {
    /// Runs a statement; gives the number of rows that it changed.
    pub(super) async fn execute(&self, sql: &str, values: &[&str]) -> Result<u64, sqlx::Error> {
        match self {
            Self::Sqlite(pool) => {
                let query = values
                    .iter()
                    .fold(sqlx::query(sql), |query, value| query.bind(*value));
                Ok(query.execute(pool).await?.rows_affected())
            }
            Self::Postgres(pool) => {
                let query = values
                    .iter()
                    .fold(sqlx::query(sql), |query, value| query.bind(*value));
                Ok(query.execute(pool).await?.rows_affected())
            }
        }
    }

    /// The one text that answers a question, where there is one.
    pub(super) async fn text(
        &self,
        sql: &str,
        values: &[&str],
    ) -> Result<Option<String>, sqlx::Error> {
        match self {
            Self::Sqlite(pool) => {
                let query = sqlx::query_scalar::<_, String>(sql);
                let query = values.iter().fold(query, |query, value| query.bind(*value));
                query.fetch_optional(pool).await
            }
            Self::Postgres(pool) => {
                let query = sqlx::query_scalar::<_, String>(sql);
                let query = values.iter().fold(query, |query, value| query.bind(*value));
                query.fetch_optional(pool).await
            }
        }
    }
}
