//! Where in the log a reading begins, and whether the log still has what lies behind.
//!
//! A position is only ever continued on the server that wrote it, or, by GTID, on one that proves
//! to have the same transactions. That it is the same server with the same log is checked besides:
//! a log that was reset gives out the same names of files and numbers of transactions again. The
//! absence of a position means the beginning, never the end of the log.

use std::collections::{BTreeMap, BTreeSet};

use mysql_async::Conn;
use tributary_model::{Error, ErrorKind, Result};

use crate::cursor::LogCursor;
use crate::failure::classify;
use crate::gtid::{DomainGtid, GtidPosition, Gtids};
use crate::log::birth::Birth;
use crate::position::LogPosition;
use crate::server::{Flavor, LogFile, Server, gtid_state, gtids_at, log_files, status};
use crate::snapshot::stalled;

/// How the server is told where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Road {
    /// By the GTIDs that are known: on another server than before, and always on MySQL with GTIDs.
    Gtid,
    /// By file and offset.
    Position,
}

/// Where to begin.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    /// A transaction boundary.
    pub(crate) position: LogPosition,
    /// The transactions before it, where the server names them.
    pub(crate) gtids: Option<Gtids>,
    /// Counts the servers followed so far.
    pub(crate) era: u32,
    /// XA transactions that are prepared.
    pub(crate) prepared: BTreeSet<String>,
    /// Where those of them begin that have rows of interest.
    pub(crate) withheld: BTreeMap<String, LogPosition>,
    /// Which of the two says where.
    pub(crate) road: Road,
    /// The file where the last reading ended, which must still be that one.
    pub(crate) birth: Option<Birth>,
}

/// The end of the log, for a first reading: asked for before anything is read.
pub(crate) async fn fresh(conn: &mut Conn, server: &Server) -> Result<Start> {
    let now = status(conn, server).await?;
    Ok(Start {
        position: now.position,
        gtids: now.gtids,
        era: 0,
        prepared: BTreeSet::new(),
        withheld: BTreeMap::new(),
        road: Road::Position,
        birth: None,
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
    let files = log_files(conn, server).await?;
    let road = match (&gtids, server.flavor) {
        (Some(Gtids::Mysql(_)), Flavor::MySql) if server.gtid() => {
            let mut commits = Commits::Complete;
            if is_same {
                require_numbering(&files, at)?;
                commits = wait_for_commits(conn, at).await?;
            }
            require_transactions(conn, &files, at, commits).await?;
            Road::Gtid
        }
        (Some(Gtids::Mariadb(ours)), Flavor::MariaDb) if !is_same || at.by_gtid => {
            require_domains(conn, &files, ours, at).await?;
            Road::Gtid
        }
        _ if !is_same => return Err(replaced(at, server)),
        (_, Flavor::MariaDb) => {
            require_same_history(conn, &files, at, gtids.as_ref()).await?;
            Road::Position
        }
        (_, Flavor::MySql) => {
            require_file(&files, at)?;
            Road::Position
        }
    };
    let is_kept = files.iter().any(|file| file.name == at.position.file);
    let is_known = is_same && is_kept;
    let birth = at.born.filter(|_| is_known).map(|born| Birth {
        file: at.position.file.clone(),
        at: born,
    });
    let gtids = if server.gtid() { gtids } else { None };
    Ok(Start {
        position: at.position.clone(),
        gtids,
        era,
        // Their rows stand at places of the log that was read before.
        prepared: if is_same {
            at.prepared.clone()
        } else {
            BTreeSet::new()
        },
        withheld: if is_same {
            at.withheld.clone()
        } else {
            BTreeMap::new()
        },
        road,
        birth,
    })
}

fn parse(text: &str, flavor: Flavor) -> Result<Gtids> {
    Ok(match flavor {
        Flavor::MySql => Gtids::Mysql(text.parse()?),
        Flavor::MariaDb => Gtids::Mariadb(text.parse()?),
    })
}

/// How long a commit is waited for that the log has and the server does not count yet, seconds. // G6
const COMMITS: u64 = 30;

/// Whether all commits count that the log has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Commits {
    Complete,
    /// Some have been waited for in vain.
    Late,
}

/// MySQL with GTIDs on the server of before: a transaction is in the log, and so in our cursor, before
/// it counts as executed. In between it waits for a replica or the disk: not lacking, but late.
async fn wait_for_commits(conn: &mut Conn, at: &LogCursor) -> Result<Commits> {
    use mysql_async::prelude::Queryable;
    let ours = at.gtid.as_deref().unwrap_or_default();
    let sql = format!("SELECT WAIT_FOR_EXECUTED_GTID_SET('{ours}', {COMMITS})");
    // NULL is no answer that it should give, and none to rely on.
    let in_vain: Option<Option<i64>> = conn
        .query_first(sql)
        .await
        .map_err(|error| classify(error, "waiting for commits that are in the log"))?;
    Ok(match in_vain {
        Some(Some(0)) => Commits::Complete,
        Some(_) | None => Commits::Late,
    })
}

/// MySQL with GTIDs: the server has all that we have, and nothing that we lack is purged.
async fn require_transactions(
    conn: &mut Conn,
    files: &[LogFile],
    at: &LogCursor,
    commits: Commits,
) -> Result<()> {
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
        return Err(missing(files, at, commits));
    }
    if keeps_rest == 0 {
        Err(purged(&at.position, None))
    } else {
        Ok(())
    }
}

/// Why the server does not count all that we have. Where its log reaches to our place, they are in it, and
/// their commits are late: a copy of everything would wait for the same.
fn missing(files: &[LogFile], at: &LogCursor, commits: Commits) -> Error {
    match commits {
        Commits::Late if is_reached(files, at) => stalled(COMMITS),
        Commits::Late | Commits::Complete => lacking(at),
    }
}

fn is_reached(files: &[LogFile], at: &LogCursor) -> bool {
    let own = files.iter().find(|file| file.name == at.position.file);
    own.is_some_and(|file| file.size >= at.position.offset)
}

/// MySQL with GTIDs on the server of before: its files go on where they were. Numbers of
/// transactions do not tell: after a reset they are given out again.
fn require_numbering(files: &[LogFile], at: &LogCursor) -> Result<()> {
    match require_file(files, at) {
        // Whether what lies behind it is kept, its GTIDs say.
        Err(error) if error.kind() == ErrorKind::Expired => Ok(()),
        outcome => outcome,
    }
}

/// MariaDB: our place in the file is there and has the GTIDs behind it that we have.
async fn require_same_history(
    conn: &mut Conn,
    files: &[LogFile],
    at: &LogCursor,
    gtids: Option<&Gtids>,
) -> Result<()> {
    require_file(files, at)?;
    let Some(Gtids::Mariadb(ours)) = gtids else {
        return Ok(());
    };
    let Some(theirs) = gtids_at(conn, &at.position).await? else {
        // The server does not look beyond an event that is longer than its max_allowed_packet. That the
        // file is the one of before is told by when it was begun, as soon as it is read.
        return match at.born {
            Some(_) => Ok(()),
            None => Err(rewritten(at)),
        };
    };
    // A domain that the server was told to forget (DELETE_DOMAIN_ID) says nothing.
    let is_ours = |gtid: DomainGtid| ours.last(gtid.domain) == Some(gtid);
    if theirs.iter().all(is_ours) && theirs.is_empty() == ours.is_empty() {
        Ok(())
    } else {
        Err(rewritten(at))
    }
}

/// MariaDB, another server than before: it has written each of our last transactions into its own
/// log, and nothing that we lack is purged. The server checks it once more when the log is asked for.
async fn require_domains(
    conn: &mut Conn,
    files: &[LogFile],
    ours: &GtidPosition,
    at: &LogCursor,
) -> Result<()> {
    let state = gtid_state(conn).await?;
    let has = |gtid| state.iter().any(|written| written.covers(gtid));
    if ours.is_empty() || !ours.iter().all(has) {
        return Err(lacking(at));
    }
    let Some(oldest) = files.first() else {
        return Err(purged(&at.position, None));
    };
    let begin = LogPosition::new(oldest.name.clone(), 4);
    let before = gtids_at(conn, &begin).await?.unwrap_or_default();
    // What was written before the oldest file that is kept must be ours already.
    if before.iter().all(|gone| ours.reaches(gone)) {
        Ok(())
    } else {
        Err(purged(&at.position, Some(&oldest.name)))
    }
}

/// The file is there and long enough.
fn require_file(files: &[LogFile], at: &LogCursor) -> Result<()> {
    if let Some(file) = files.iter().find(|file| file.name == at.position.file) {
        return if file.size >= at.position.offset {
            Ok(())
        } else {
            Err(rewritten(at))
        };
    }
    let oldest = files.first().map(|file| file.name.as_str());
    // Files go in order: one that is gone is older than the oldest that is kept.
    let is_older = oldest.is_none_or(|oldest| at.position < LogPosition::new(oldest, 0));
    if is_older {
        Err(purged(&at.position, oldest))
    } else {
        Err(rewritten(at))
    }
}

pub(crate) const START_OVER: &str = "If this is the right server, copy the tables anew: `tributary sync \
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

fn lacking(at: &LogCursor) -> Error {
    Error::new(
        ErrorKind::Incompatible,
        format!(
            "the server lacks transactions that were already copied from {} (up to {})",
            at.server, at.position
        ),
    )
    .because("it was restored from a backup or reset, lags behind, or belongs to another group of servers")
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
        "The changes in between can't be read any more. Find and write what was missed with `tributary \
         verify CONNECTION --repair`, or copy the tables anew with `tributary sync CONNECTION \
         --full-refresh`, or set `snapshot: when_needed` to have that done by itself; then keep the log \
         longer (binlog_expire_logs_seconds).",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_that_is_in_the_log_is_late_and_not_lacking() {
        let at = LogCursor {
            server: "here".into(),
            position: LogPosition::new("binlog.000002", 500),
            gtid: None,
            era: 0,
            prepared: BTreeSet::new(),
            withheld: BTreeMap::new(),
            unsettled: BTreeSet::new(),
            born: None,
            by_gtid: false,
        };
        let kind = |name: &str, size: u64, commits: Commits| {
            let name = name.to_owned();
            missing(&[LogFile { name, size }], &at, commits).kind()
        };
        let file = "binlog.000002";
        assert_eq!(kind(file, 500, Commits::Late), ErrorKind::Unavailable);
        assert_eq!(kind(file, 499, Commits::Late), ErrorKind::Incompatible);
        let next = "binlog.000003";
        assert_eq!(kind(next, 900, Commits::Late), ErrorKind::Incompatible);
        assert_eq!(kind(file, 500, Commits::Complete), ErrorKind::Incompatible);
    }
}
