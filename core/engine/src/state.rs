//! Moving cursors by hand: the one exception to "cursors only move forward" (G3).

use std::collections::BTreeMap;

use tributary_model::{
    AnyDestination, Commit, ConnectionName, Context, Error, ErrorKind, Fence, LoadPlan, Result,
    State, now,
};

/// Changes the stored state of a connection in a load without rows, and fences off whoever writes
/// it. The epoch is the one that `open` raised.
///
/// # Errors
/// Those of the destination.
pub async fn rewrite_state(
    destination: &dyn AnyDestination,
    connection: &ConnectionName,
    change: impl FnOnce(&mut State),
) -> Result<()> {
    let (before, fence) = destination.open(connection).await?;
    let mut state = before.clone();
    change(&mut state);
    let load = destination.begin(&empty_load(&fence), &fence).await?;
    let commit = Commit {
        state,
        before,
        streams: BTreeMap::new(),
        committed_at: now(),
    };
    let outcome = load.commit(&commit).await;
    outcome
        .map(drop)
        .map_err(explain)
        .context(|| format!("writing the state of {connection}"))
}

fn empty_load(fence: &Fence) -> LoadPlan {
    let started_at = now();
    LoadPlan {
        connection: fence.connection.clone(),
        load_id: format!(
            "{}-{}-state",
            started_at.format("%Y%m%dT%H%M%S%.6f"),
            fence.epoch
        ),
        started_at,
        tables: Vec::new(),
    }
}

fn explain(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Unavailable => error.context("the reply to the commit was lost"),
        _ => error,
    }
}
