//! Who runs the connections, where several daemons share a store: one leads, the others stand by.
//!
//! On Postgres the leader holds an advisory lock on a connection of its own: it is gone when the
//! leader is. On SQLite it holds a lock on a file beside the store.
//!
//! Invariant: data does not depend on this. Two leaders at once fence each other off (G3); the lock
//! keeps them from doing so all the time.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use sqlx::{AnyConnection, Connection, Row};
use tributary_model::{ErrorKind, Result};

use super::{Place, Store};

/// How often those who stand by ask. A leader that dies is replaced well within 30 seconds.
const ASK: Duration = Duration::from_secs(2);

/// The longest that a server is waited for. // G6
const PATIENCE: Duration = Duration::from_secs(5);

/// The right to run connections.
#[derive(Debug)]
pub(crate) enum Lead {
    /// Of a store that others can't reach.
    Alone,
    /// A lock on a file.
    File { _lock: File },
    /// A lock that this connection holds.
    Postgres(Box<AnyConnection>),
}

impl Store {
    /// Leads, if nobody else does.
    pub(crate) async fn try_lead(&self) -> Result<Option<Lead>> {
        match self.place() {
            Place::Memory => Ok(Some(Lead::Alone)),
            Place::File(path) => {
                let lock = lock(path).map_err(|why| {
                    super::unusable(&self.place().to_string(), ErrorKind::Config, why)
                })?;
                Ok(lock.map(|lock| Lead::File { _lock: lock }))
            }
            Place::Postgres(_) => self.try_lock().await,
        }
    }

    /// Waits until it leads.
    pub(crate) async fn lead(&self) -> Lead {
        loop {
            match self.try_lead().await {
                Ok(Some(lead)) => return lead,
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "standing by"),
            }
            tokio::time::sleep(ASK).await;
        }
    }

    async fn try_lock(&self) -> Result<Option<Lead>> {
        let url = self.place().url();
        let connecting = tokio::time::timeout(PATIENCE, AnyConnection::connect(&url)).await;
        let connected = connecting.unwrap_or(Err(sqlx::Error::PoolTimedOut));
        let mut connection = self.note(connected)?;
        let lock = "SELECT CASE WHEN pg_try_advisory_lock($1) THEN 1 ELSE 0 END";
        let row = sqlx::query(lock)
            .bind(key_of("tributary daemon"))
            .fetch_one(&mut connection)
            .await;
        let holds = self.note(row)?.get::<i32, _>(0) == 1;
        Ok(holds.then(|| Lead::Postgres(Box::new(connection))))
    }
}

impl Lead {
    /// Whether it still leads, as far as can be told.
    pub(crate) async fn holds(&mut self) -> bool {
        match self {
            Self::Alone | Self::File { .. } => true,
            Self::Postgres(connection) => {
                let answer = tokio::time::timeout(PATIENCE, connection.ping()).await;
                matches!(answer, Ok(Ok(())))
            }
        }
    }
}

fn lock(store: &Path) -> std::io::Result<Option<File>> {
    let mut path = store.as_os_str().to_owned();
    path.push(".lock");
    let mut options = OpenOptions::new();
    let file = options.create(true).append(true).mode(0o600).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(why)) => Err(why),
    }
}

/// The number by which Postgres knows a lock.
pub(super) fn key_of(name: &str) -> i64 {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    i64::from_le_bytes(hash.to_le_bytes())
}
