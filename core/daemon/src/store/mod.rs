//! The control store: what outlives the daemon and is not data. Runs, pauses, when streams last
//! began, tokens that replace each other, alerts that are still to be sent.
//!
//! SQLite in a file by default, Postgres where several machines share it: one text of SQL for both.
//!
//! Invariant: nothing here says how far anything has been read; deleting the store loses history and
//! pauses, and no row. // G1
//! Deliberately absent: settings. They are in the configuration.

mod lead;
mod migrations;
mod place;
mod runs;
mod told;
mod vault;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::any::AnyPoolOptions;
use sqlx::{AnyPool, Executor};
use tributary_model::{Error, ErrorKind, Result, Secret};

pub(crate) use lead::Lead;
pub use place::Place;
pub(crate) use runs::History;
pub use vault::StoreVault;

/// Connections at once: the daemon writes little. // G6
const CONNECTIONS: u32 = 4;

/// The control store.
#[derive(Clone, Debug)]
pub struct Store {
    pool: AnyPool,
    place: Arc<Place>,
    /// Whether it could be used the last time.
    works: Arc<AtomicBool>,
}

impl Store {
    /// Opens the store and brings its tables up to date.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] where it can't be used as it is, [`ErrorKind::Unavailable`] where its
    /// server is away.
    pub async fn open(place: Place) -> Result<Self> {
        sqlx::any::install_default_drivers();
        place.prepare()?;
        let is_sqlite = place.is_sqlite();
        let options = AnyPoolOptions::new()
            .max_connections(if place.is_shared() { CONNECTIONS } else { 1 })
            // A store in memory is gone with its one connection.
            .min_connections(if place.is_shared() { 0 } else { 1 })
            .idle_timeout(None)
            .max_lifetime(None)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    if is_sqlite {
                        let settings = "PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 10000; \
                                        PRAGMA synchronous = NORMAL";
                        connection.execute(settings).await?;
                    }
                    Ok(())
                })
            });
        let pool = options
            .connect(&place.url())
            .await
            .map_err(|why| place.unusable(why))?;
        let store = Self {
            pool,
            place: Arc::new(place),
            works: Arc::new(AtomicBool::new(true)),
        };
        migrations::run(&store.pool)
            .await
            .map_err(|why| store.place.unusable(why))?;
        Ok(store)
    }

    /// Where it is, without a password.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Whether it could be used the last time.
    #[must_use]
    pub fn works(&self) -> bool {
        self.works.load(Ordering::Relaxed)
    }

    /// Whether it answers now.
    pub(crate) async fn ping(&self) -> Result<()> {
        self.note(sqlx::query("SELECT 1").execute(&self.pool).await.map(drop))
    }

    /// Notes whether a statement worked, and says in our terms why it did not.
    fn note<T>(&self, outcome: sqlx::Result<T>) -> Result<T> {
        self.works.store(outcome.is_ok(), Ordering::Relaxed);
        outcome.map_err(|why| self.place.unusable(why))
    }
}

/// What an error of the database means. // G8: its text may hold an address, never a password.
fn kind_of(why: &sqlx::Error) -> ErrorKind {
    match why {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => ErrorKind::Unavailable,
        sqlx::Error::Database(database) => match database.code().as_deref() {
            // Wrong password or user, of Postgres.
            Some("28P01" | "28000") => ErrorKind::Access,
            Some(code) if code.starts_with("08") || code.starts_with("57") => {
                ErrorKind::Unavailable
            }
            _ => ErrorKind::Config,
        },
        _ => ErrorKind::Config,
    }
}

fn unusable(
    place: &str,
    kind: ErrorKind,
    why: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    Error::new(kind, format!("the control store {place} can't be used"))
        .because(why)
        .fix(
            "Make it reachable and writable, or name another in `daemon.store`. It holds history \
             and pauses only: deleting it loses no data.",
        )
}

/// An address may hold a password.
pub(crate) fn place_of(store: Option<&Secret>, folder: Option<&std::path::Path>) -> Place {
    match store {
        Some(written) => Place::read(written),
        None => folder.map_or(Place::Memory, |folder| {
            Place::File(folder.join("control.sqlite"))
        }),
    }
}

#[cfg(test)]
mod tests;
