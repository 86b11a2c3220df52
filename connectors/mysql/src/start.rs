//! Where in the log a reading begins, and whether the log still has what lies behind.
//!
//! A position is only ever continued on the server that wrote it, or, by GTID, on one that proves
//! to have the same transactions. The absence of a position means the beginning, never the end of
//! the log.

use std::collections::BTreeSet;

use mysql_async::Conn;
use tributary_model::{Error, ErrorKind, Result};

use crate::cursor::LogCursor;
use crate::failure::classify;
use crate::gtid::Gtids;
use crate::position::LogPosition;
use crate::server::{Flavor, Server, gtids_at, log_files, status};

/// Where to begin.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    /// A transaction boundary.
    pub(crate) position: LogPosition,
    /// The transactions before it, where the server names them.
    pub(crate) gtids: Option<Gtids>,
    /// Counts the servers followed so far.
    pub(crate) era: u32,
    /// XA transactions that are prepared and have no rows of interest.
    pub(crate) prepared: BTreeSet<String>,
}

/// The end of the log, for a first reading: asked for before anything is read.
pub(crate) async fn fresh(conn: &mut Conn, server: &Server) -> Result<Start> {
    let now = status(conn, server).await?;
    Ok(Start {
        position: now.position,
        gtids: now.gtids,
        era: 0,
        prepared: BTreeSet::new(),
    })
}

/// The stored position, if this server can go on from it.
pub(crate) async fn resume(conn: &mut Conn, server: &Server, at: &LogCursor) -> Result<Start> {
    let gtids = at
        .gtid
        .as_deref()
        .map(|text| parse(text, server.flavor))
        .transpose()?;
    let is_same = at.server == server.identity.to_string();
    let era = if is_same { at.era } else { at.era + 1 };
    match (&gtids, server.flavor) {
        (Some(Gtids::Mysql(_)), Flavor::MySql) if server.gtid() => {
            require_transactions(conn, at).await?;
        }
        _ if !is_same => return Err(replaced(at, server)),
        (_, Flavor::MariaDb) => require_same_history(conn, server, at, gtids.as_ref()).await?,
        (_, Flavor::MySql) => require_file(conn, server, at).await?,
    }
    let gtids = if server.gtid() { gtids } else { None };
    Ok(Start {
        position: at.position.clone(),
        gtids,
        era,
        prepared: at.prepared.clone(),
    })
}

fn parse(text: &str, flavor: Flavor) -> Result<Gtids> {
    Ok(match flavor {
        Flavor::MySql => Gtids::Mysql(text.parse()?),
        Flavor::MariaDb => Gtids::Mariadb(text.parse()?),
    })
}

/// MySQL with GTIDs: the server has all that we have, and nothing that we lack is purged.
async fn require_transactions(conn: &mut Conn, at: &LogCursor) -> Result<()> {
    use mysql_async::prelude::Queryable;
    let ours = at.gtid.as_deref().unwrap_or_default();
    let sql = format!(
        "SELECT GTID_SUBSET('{ours}', @@GLOBAL.gtid_executed), \
         GTID_SUBSET(@@GLOBAL.gtid_purged, '{ours}')"
    );
    let (has_ours, keeps_rest): (i64, i64) = conn
        .query_first(sql)
        .await
        .map_err(|error| classify(error, "comparing transactions with the server's"))?
        .ok_or_else(|| Error::bug("GTID_SUBSET had no answer"))?;
    if has_ours == 0 {
        return Err(Error::new(
            ErrorKind::Incompatible,
            format!(
                "the server lacks transactions that were already copied from {} (up to {})",
                at.server, at.position
            ),
        )
        .fix(START_OVER));
    }
    if keeps_rest == 0 {
        Err(purged(&at.position, None))
    } else {
        Ok(())
    }
}

/// MariaDB: our place in the file is there and has the GTIDs behind it that we have.
async fn require_same_history(
    conn: &mut Conn,
    server: &Server,
    at: &LogCursor,
    gtids: Option<&Gtids>,
) -> Result<()> {
    require_file(conn, server, at).await?;
    let Some(ours) = gtids else { return Ok(()) };
    let theirs = gtids_at(conn, &at.position).await?.map(Gtids::Mariadb);
    if theirs.as_ref() == Some(ours) {
        Ok(())
    } else {
        Err(rewritten(at))
    }
}

/// The file is there and long enough.
async fn require_file(conn: &mut Conn, server: &Server, at: &LogCursor) -> Result<()> {
    let files = log_files(conn, server).await?;
    match files.iter().find(|file| file.name == at.position.file) {
        Some(file) if file.size >= at.position.offset => Ok(()),
        Some(_) => Err(rewritten(at)),
        None => Err(purged(
            &at.position,
            files.first().map(|file| file.name.as_str()),
        )),
    }
}

const START_OVER: &str = "If this is the right server, copy the tables anew: `tributary sync \
     CONNECTION --full-refresh`. Otherwise correct the address.";

fn replaced(at: &LogCursor, server: &Server) -> Error {
    Error::new(
        ErrorKind::Incompatible,
        format!(
            "this is another server ({}) than the one read before ({}), and its position can't be \
             carried over",
            server.identity, at.server
        ),
    )
    .fix(START_OVER)
}

fn rewritten(at: &LogCursor) -> Error {
    Error::new(
        ErrorKind::Incompatible,
        format!(
            "the server's log is not the one read before: {} is a place where it has something else",
            at.position
        ),
    )
    .fix(START_OVER)
}

/// The log no longer reaches back to where we are.
pub(crate) fn purged(position: &LogPosition, oldest: Option<&str>) -> Error {
    let kept = oldest.map_or(String::new(), |file| {
        format!(" (the oldest file kept is {file})")
    });
    Error::new(
        ErrorKind::Expired,
        format!("the change log position {position} is no longer on the server{kept}"),
    )
    .fix(
        "The changes in between can't be read any more. Copy the tables anew with `tributary sync \
         CONNECTION --full-refresh`, or set `snapshot: when_needed` to have that done by itself; \
         then keep the log longer (binlog_expire_logs_seconds).",
    )
}
