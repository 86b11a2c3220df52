//! Which cursors a run does not go on from, before anything is read: their streams begin anew.
//!
//! A cursor says that the destination has everything before it. It is forgotten where that is not so for
//! the table of now, or where the user wants all of it again. // G1

use tributary_model::{Existing, State, Stream, StreamName, TableName};

use crate::attempt::Progress;
use crate::beside;
use crate::connection::{Connection, SyncRequest};
use crate::plan::table_of;

/// Forgets the cursors of streams that the configuration has given another table: it begins with all
/// of the rows, and the one of before stays as it is.
pub(crate) fn forget_moved(state: &mut State, streams: &[Stream], connection: &Connection) {
    for stream in streams.iter().map(|stream| &stream.name) {
        let table = table_of(connection, stream).to_string();
        let before = state.tables.get(stream).map(|known| known.table.clone());
        let Some(before) = before.filter(|before| *before != table) else {
            continue;
        };
        if state.streams.remove(stream).is_some() {
            tracing::warn!(%stream, "kept in {table} from now on, and read anew for it; {before} stays as it is");
        }
        if state.streams.is_empty() {
            state.shared = None;
        }
    }
}

/// Forgets the cursors of streams whose tables somebody has dropped: with what changes from now on alone
/// they would not be what the source is. Says which they are.
pub(crate) fn forget_gone(
    state: &mut State,
    streams: &[Stream],
    connection: &Connection,
    existing: &Existing,
) -> Vec<(StreamName, TableName)> {
    let capabilities = connection.destination.capabilities();
    let mut gone = Vec::new();
    for stream in streams.iter().map(|stream| &stream.name) {
        let table = table_of(connection, stream);
        let known = state.tables.get(stream);
        let was_there = known.is_some_and(|known| known.table == table.to_string());
        let is_there = |name: &TableName| existing.contains_key(name);
        if was_there
            && !is_there(&table)
            && !is_there(&beside::next_to(&table, &capabilities))
            && state.streams.remove(stream).is_some()
        {
            gone.push((stream.clone(), table));
        }
    }
    if !gone.is_empty() && state.streams.is_empty() {
        state.shared = None;
    }
    gone
}

/// Forgets cursors that must not be gone on from.
pub(crate) fn forget(
    state: &mut State,
    streams: &[Stream],
    request: &SyncRequest,
    progress: &Progress,
) {
    // A stream that was left out for a while has missed changes of the shared log: were its old
    // cursor kept, it would silently go on without them.
    if state.shared.is_some() {
        state
            .streams
            .retain(|name, _| streams.iter().any(|stream| stream.name == *name));
    }
    if progress.refresh {
        state.streams.retain(|name, _| !request.asks_for(name));
        // With no stream left that depends on it, a position that may be gone is not needed either.
        if state.streams.is_empty() {
            state.shared = None;
        }
    }
}
