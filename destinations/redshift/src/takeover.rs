//! Who writes a connection now, and how another takes over.
//!
//! A load locks the connection's lock table for as long as its transaction lives. Whoever opens the
//! connection ends the session that holds the lock: a load that has not committed is undone at once,
//! even where its process hangs or its network is gone. The lock decides nothing by itself: that is
//! the fence row's part. // G7
//!
//! Proof that nothing commits behind the opening's back: it holds the lock from before it raises the
//! epoch until its own commit. A load takes the lock before it claims its number; so it has committed
//! before the opening reads the state, or claims with an epoch that is no longer the fence row's.
//! `LOCK` takes no snapshot, so whoever has waited for it sees what the one before has committed, and
//! no two transactions of a connection ever cross (error 1023).

use std::time::Duration;

use tributary_model::{ConnectionName, Error, ErrorKind, Fence, Result};

use crate::session::Session;
use crate::state::{self, Stored};
use crate::system::{self, Own};

/// How long the lock is waited for before it is looked who holds it, and how often. // G6
const ATTEMPT: Duration = Duration::from_secs(5);
const ATTEMPTS: u32 = 24;
/// How long a load waits for it: an opening is brief.
const BRIEF: Duration = Duration::from_secs(120);

/// Raises the connection's epoch, which fences everyone else off, and reads its state. // G7
pub(crate) async fn open(session: &mut Session, of: &ConnectionName) -> Result<Stored> {
    let own = Own::new(of);
    system::create(session, &own).await?;
    hold_against_all(session, &own).await?;
    state::refuse_newer_format(session, &own).await?;
    state::raise_epoch(session, &own).await?;
    let stored = state::read(session, &own)
        .await?
        .ok_or_else(|| Error::bug(format!("the fence row of `{of}` is not there")))?;
    session.run("COMMIT", "committing the new epoch").await?;
    Ok(stored)
}

/// Begins a transaction that holds the lock, and ends whoever else holds it.
async fn hold_against_all(session: &mut Session, own: &Own) -> Result<()> {
    session.limit(Some(ATTEMPT)).await?;
    for _ in 0..ATTEMPTS {
        end_holders(session, own).await?;
        session.run("BEGIN", "beginning a transaction").await?;
        match lock(session, own).await {
            Ok(()) => return session.limit(None).await,
            // It was waited for long enough; whoever holds it may have come since.
            Err(error) if is_tired(&error) => {
                session.run("ROLLBACK", "waiting for a lock").await?;
            }
            Err(error) => return Err(error),
        }
    }
    let of = &own.connection;
    Err(Error::new(
        ErrorKind::Unavailable,
        format!("a load of the connection `{of}` is under way in another session"),
    )
    .fix(
        "Wait until it has ended. If it belongs to another user, a superuser can end it: \
         SELECT pg_terminate_backend(pid) with the pid that svv_transactions shows.",
    ))
}

/// Begins a load: its transaction, the lock, and the claim. // G1 G7
pub(crate) async fn begin_load(
    session: &mut Session,
    own: &Own,
    fence: &Fence,
    load_id: &str,
) -> Result<()> {
    session.limit(Some(BRIEF)).await?;
    session.run("BEGIN", "beginning a load").await?;
    lock(session, own).await?;
    session.limit(None).await?;
    state::claim(session, own, fence, load_id).await
}

async fn lock(session: &mut Session, own: &Own) -> Result<()> {
    let lock = format!("LOCK {}", own.lock());
    session.run(&lock, "locking the connection").await?;
    Ok(())
}

/// Whether a statement was ended since it took too long.
fn is_tired(error: &Error) -> bool {
    error.kind() == ErrorKind::Unavailable && error.why().is_some_and(|why| why.contains("57014"))
}

/// Waits until nobody holds the lock.
pub(crate) async fn queue(session: &mut Session, own: &Own) -> Result<()> {
    session.limit(Some(BRIEF)).await?;
    session.run("BEGIN", "beginning a transaction").await?;
    lock(session, own).await?;
    session.run("ROLLBACK", "letting the lock go").await?;
    session.limit(None).await
}

/// Ends the sessions that hold the lock. Users see their own alone, which are all that write.
async fn end_holders(session: &mut Session, own: &Own) -> Result<()> {
    let doing = "ending a load that another process has left";
    let table = format!(
        "SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = '{}' AND c.relname = {}",
        system::SCHEMA,
        own.lock_name()
    );
    let rows = session.ask(&table, doing).await?;
    let Some(table) = rows.first() else {
        return Ok(());
    };
    let holders = format!(
        "SELECT DISTINCT pid FROM svv_transactions WHERE relation = {} AND granted \
         AND pid <> pg_backend_pid()",
        table.number(0)?
    );
    for row in session.ask(&holders, doing).await? {
        let pid = row.number(0)?;
        tracing::info!(connection = %own.connection, pid, "ending the session of an older load");
        let end = format!("SELECT pg_terminate_backend({pid})");
        session.ask(&end, doing).await?;
    }
    Ok(())
}
