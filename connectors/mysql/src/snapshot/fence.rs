//! Opens a read view that shows every transaction up to a place in the log.
//!
//! A server writes a transaction to its log first and lets other sessions see it later: after
//! waiting for replicas, for the disk, or for nothing at all. In between, the log's reader has it and
//! a query does not. Each way to wait for the other half of the commit is one variant of [`Fence`].

use std::time::Duration;

use tributary_model::{Error, ErrorKind, Result};

use crate::ask::Ask;
use crate::failure::{classify, server_code};
use crate::gtid::Gtids;
use crate::info::TableInfo;
use crate::names::quote;
use crate::position::LogPosition;
use crate::server::{Flavor, Server, status};

/// The place in the log that a view must reach.
#[derive(Clone, Debug)]
pub(crate) struct Low {
    pub(crate) position: LogPosition,
    pub(crate) gtids: Option<Gtids>,
}

/// How to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fence {
    /// MySQL with GTIDs: a transaction's GTID counts as executed only after its engine commit.
    Executed,
    /// MariaDB: its status says up to which place of the log all commits are complete.
    Committed,
    /// MySQL without GTIDs: a table lock is granted only when no transaction on the table is half
    /// way through its commit. It is let go at once. Without the right to lock, the rows themselves
    /// are read under shared locks, a few at a time.
    TableLock,
}

/// A view that shows everything up to the low mark.
#[derive(Debug)]
pub(crate) enum View {
    /// A read view is open; nothing behind this place in the log shows.
    Open(LogPosition),
    /// There is no view; rows have to be read under locks, and the place asked for afterwards.
    Locks,
}

const STEP: Duration = Duration::from_millis(5);
const LONGEST_STEP: Duration = Duration::from_millis(100);
/// How long a half-finished commit is waited for. // G6
const PATIENCE: Duration = Duration::from_secs(120);

const START: &str = "START TRANSACTION WITH CONSISTENT SNAPSHOT";

impl Fence {
    /// The way for this server.
    pub(crate) fn of(server: &Server) -> Self {
        match server.flavor {
            Flavor::MariaDb => Self::Committed,
            Flavor::MySql if server.gtid() => Self::Executed,
            Flavor::MySql => Self::TableLock,
        }
    }

    /// Opens a view that shows every transaction up to `low`.
    pub(crate) async fn open(
        self,
        conn: &mut impl Ask,
        server: &Server,
        table: &TableInfo,
        low: &Low,
    ) -> Result<View> {
        match (self, &low.gtids) {
            (Self::Executed, Some(gtids)) => {
                wait_until_executed(conn, gtids).await?;
                start(conn, server).await
            }
            (Self::Committed, _) => {
                wait_until_committed(conn, low).await?;
                start(conn, server).await
            }
            (Self::TableLock | Self::Executed, _) => match lock_and_let_go(conn, table).await {
                Ok(()) => start(conn, server).await,
                Err(error) if lacks_right(&error) => Ok(View::Locks),
                Err(error) => Err(error),
            },
        }
    }
}

async fn start(conn: &mut impl Ask, server: &Server) -> Result<View> {
    drop_query(conn, START).await?;
    // After the view: what it shows was in the log before this answer.
    Ok(View::Open(status(conn, server).await?.position))
}

async fn wait_until_executed(conn: &mut impl Ask, gtids: &Gtids) -> Result<()> {
    let seconds = PATIENCE.as_secs();
    let sql = format!("SELECT WAIT_FOR_EXECUTED_GTID_SET('{gtids}', {seconds})");
    let answer = conn.ask(&sql).await.map_err(waiting)?;
    if answer.first().and_then(|row| row.at(0)) == Some("0") {
        Ok(())
    } else {
        Err(stalled(seconds))
    }
}

/// Outside of a snapshot, MariaDB's `Binlog_snapshot_*` is the last commit that is complete.
///
/// It is asked before the view is opened, not inside: the server keeps the answer in one place for
/// all sessions, so that with some luck a session gets another's (seen on 10.11). What another got
/// is a place of complete commits too, just an older one: here it means waiting a little longer,
/// while inside it could be newer than the view. File and offset may come from two sessions, so
/// that the answer has to be good twice.
async fn wait_until_committed(conn: &mut impl Ask, low: &Low) -> Result<()> {
    let mut step = STEP;
    let mut waited = Duration::ZERO;
    let mut agreed = 0;
    while agreed < 2 {
        if committed_position(conn).await? >= low.position {
            agreed += 1;
            continue;
        }
        agreed = 0;
        if waited >= PATIENCE {
            return Err(stalled(PATIENCE.as_secs()));
        }
        tokio::time::sleep(step).await;
        waited += step;
        step = (step * 2).min(LONGEST_STEP);
    }
    Ok(())
}

async fn committed_position(conn: &mut impl Ask) -> Result<LogPosition> {
    let rows = conn
        .ask("SHOW STATUS WHERE Variable_name IN ('Binlog_snapshot_file', 'Binlog_snapshot_position')")
        .await
        .map_err(waiting)?;
    let mut file = None;
    let mut offset = None;
    for row in rows {
        let (Some(name), Some(value)) = (row.at(0), row.at(1)) else {
            return Err(Error::bug("SHOW STATUS has other columns"));
        };
        match name.to_ascii_lowercase().as_str() {
            "binlog_snapshot_file" => file = Some(value.to_owned()),
            "binlog_snapshot_position" => offset = value.parse().ok(),
            _ => {}
        }
    }
    match (file, offset) {
        (Some(file), Some(offset)) if !file.is_empty() => Ok(LogPosition::new(file, offset)),
        _ => Err(Error::new(
            ErrorKind::Config,
            "the server does not say where in its log commits are complete",
        )
        .fix("Switch the binary log on (log_bin) and restart the server.")),
    }
}

async fn lock_and_let_go(conn: &mut impl Ask, table: &TableInfo) -> Result<()> {
    const LOCK_WAIT: &str = "SET SESSION lock_wait_timeout = 2";
    const LOCK_TIMEOUT: u16 = 1205;
    let sql = format!(
        "LOCK TABLES {}.{} READ",
        quote(&table.database),
        quote(&table.name)
    );
    drop_query(conn, LOCK_WAIT).await?;
    let mut waited = Duration::ZERO;
    loop {
        // Two seconds at most: writers queue up behind a lock that waits.
        match drop_query(conn, &sql).await {
            Ok(()) => return drop_query(conn, "UNLOCK TABLES").await,
            Err(error) if server_code(&error) == Some(LOCK_TIMEOUT) && waited < PATIENCE => {
                tokio::time::sleep(LONGEST_STEP * 5).await;
                waited += Duration::from_secs(2) + LONGEST_STEP * 5;
            }
            Err(error) => return Err(error),
        }
    }
}

fn lacks_right(error: &Error) -> bool {
    matches!(server_code(error), Some(1044 | 1142 | 1227))
}

async fn drop_query(conn: &mut impl Ask, sql: &str) -> Result<()> {
    conn.ask(sql).await.map(drop).map_err(waiting)
}

fn waiting(error: mysql_async::Error) -> Error {
    classify(error, "opening a consistent view")
}

/// A commit is half way through for so many seconds.
pub(crate) fn stalled(seconds: u64) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        format!("a transaction that is in the log has not become visible for {seconds} seconds"),
    )
    .fix("Look for commits that hang: a full disk, or a semi-synchronous replica that does not answer.")
}
