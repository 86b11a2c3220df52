//! Who writes a connection now, and how another takes over.
//!
//! A load holds an advisory lock of its connection for as long as its transaction lives, so that its
//! session can be found. Whoever opens the connection ends that session: a load that has not
//! committed is undone at once, even where its process hangs or its network is gone, and nobody waits
//! for locks of the dead. The lock decides nothing by itself: that is the fence row's part. // G7
//!
//! Proof that nothing commits behind the opening's back: it holds the lock from before it raises the
//! epoch until its own commit. A load takes the lock before it claims its number; so it has committed
//! before the opening reads the state, or claims with an epoch that is no longer the fence row's.

use std::time::Duration;

use sqlx::Row;
use tributary_model::{ConnectionName, Error, ErrorKind, Result};

use crate::error::Explain;
use crate::session::Session;

/// The lock of those who open: one at a time in a database.
const OPENING: i64 = 0x7472_6962_7574_6172;
/// How often a lock is asked for, and the pause between. // G6
const TRIES: u32 = 600;
const PAUSE: Duration = Duration::from_millis(100);

/// Holds the lock of those who open until the transaction ends.
pub(crate) async fn queue(session: &mut Session) -> Result<()> {
    let sql = format!("SELECT pg_advisory_xact_lock({OPENING})");
    session.run(&sql, "waiting for another opening").await?;
    Ok(())
}

/// Holds the lock of `of` until the transaction ends; ends the session of a load that holds it.
pub(crate) async fn take_over(session: &mut Session, of: &ConnectionName) -> Result<()> {
    let mut refused = None;
    for _ in 0..TRIES {
        if try_lock(session, of).await? {
            return Ok(());
        }
        if refused.is_none() {
            refused = end_holder(session, of).await?;
        }
        tokio::time::sleep(PAUSE).await;
    }
    let busy = Error::new(
        ErrorKind::Unavailable,
        format!("a load of the connection `{of}` is under way in another session"),
    );
    Err(match refused {
        Some(user) => busy.fix(format!(
            "Wait until it has ended, or let this user end it: GRANT \"{user}\" TO CURRENT_USER;"
        )),
        None => busy.fix("Wait until it has ended."),
    })
}

/// Holds the lock of `of` for a load; whoever opens meanwhile is waited for.
pub(crate) async fn hold(session: &mut Session, of: &ConnectionName) -> Result<()> {
    for _ in 0..TRIES {
        if try_lock(session, of).await? {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(Error::new(
        ErrorKind::Unavailable,
        format!("another process opens the connection `{of}` and does not come to an end"),
    )
    .fix("End the session that `SELECT * FROM pg_locks WHERE locktype = 'advisory'` names."))
}

async fn try_lock(session: &mut Session, of: &ConnectionName) -> Result<bool> {
    let doing = "asking for the connection's lock";
    let query = sqlx::query("SELECT pg_try_advisory_xact_lock($1)").bind(key(of));
    let rows = session.ask(query, doing).await?;
    let row = rows
        .first()
        .ok_or_else(|| Error::bug("a lock gave no answer"))?;
    row.try_get(0).explain(doing)
}

/// Ends the session that holds the lock; the user it belongs to, where that is not allowed.
async fn end_holder(session: &mut Session, of: &ConnectionName) -> Result<Option<String>> {
    let doing = "ending a load that another process has left";
    let key = key(of);
    let holders = sqlx::query(
        "SELECT a.pid, a.usename::text, pg_has_role(current_user, a.usesysid, 'MEMBER') \
         OR pg_has_role(current_user, 'pg_signal_backend', 'MEMBER') FROM pg_locks l \
         JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.locktype = 'advisory' AND l.granted \
         AND l.objsubid = 1 AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
         AND (l.classid::bigint << 32 | l.objid::bigint) = $1 AND l.pid <> pg_backend_pid()",
    )
    .bind(key);
    for row in session.ask(holders, doing).await? {
        let pid: i32 = row.try_get(0).explain(doing)?;
        if !row.try_get::<bool, _>(2).explain(doing)? {
            return row.try_get(1).explain(doing);
        }
        tracing::info!(connection = %of, pid, "ending the session of an older load");
        let end = sqlx::query("SELECT pg_terminate_backend($1)").bind(pid);
        session.ask(end, doing).await?;
    }
    Ok(None)
}

/// The number of a connection's lock: FNV-1a, 64 bits.
fn key(of: &ConnectionName) -> i64 {
    let hash = of
        .as_str()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    hash.cast_signed()
}
