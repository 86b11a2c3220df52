//! The tables of `_tributary` as objects: rows of JSON, one in a line.
//!
//! They follow from the log, as files of tables do, and are written again as often as an entry is
//! applied. Reading them back is for people and for questions; the program itself reads the log.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use tributary_model::{ConnectionName, Error, Result, StreamCount};

use crate::log::{Committed, Entry, FORMAT, cursors};
use crate::place;
use tributary_store::Store;

/// Writes the rows that belong to one entry.
pub(crate) async fn write(store: &dyn Store, of: &ConnectionName, entry: &Entry) -> Result<()> {
    let Some(committed) = entry.committed() else {
        return Ok(());
    };
    let sequence = committed.sequence;
    for number in &committed.rejected_gone {
        store
            .delete(&place::system("rejected", of, *number))
            .await?;
    }
    let loads = lines([load(of, committed)])?;
    let state = lines(state(of, entry, committed))?;
    let (loads_at, state_at) = (place::system("loads", of, sequence), place::state(of));
    let changes_at = place::system("schema_changes", of, sequence);
    let changes = lines(schema_changes(of, committed))?;
    let put_changes = async {
        match changes.is_empty() {
            true => Ok(()),
            false => store.put(&changes_at, changes).await,
        }
    };
    let (loads, state, changes) = tokio::join!(
        store.put(&loads_at, loads),
        store.put(&state_at, state),
        put_changes
    );
    loads.and(state).and(changes)
}

fn load(of: &ConnectionName, committed: &Committed) -> Value {
    let sum = |each: fn(&StreamCount) -> u64| committed.streams.values().map(each).sum::<u64>();
    let duration = committed.committed_at - committed.started_at;
    json!({
        "load_id": committed.load_id,
        "connection": of,
        "sequence": committed.sequence,
        "started_at": instant(committed.started_at),
        "committed_at": instant(committed.committed_at),
        "duration_seconds": duration.as_seconds_f64(),
        "rows_read": sum(|count| count.rows_read),
        "rows_written": sum(|count| count.rows_written),
        "rows_rejected": sum(|count| count.rows_rejected),
        "bytes_read": sum(|count| count.bytes_read),
        "from_cursor": cursors(&committed.before),
        "to_cursor": cursors(&committed.state),
        "streams": committed.streams,
    })
}

fn state(of: &ConnectionName, entry: &Entry, committed: &Committed) -> Vec<Value> {
    let row = |stream: String, cursor: &Value| {
        json!({
            "connection": of,
            "stream": stream,
            "cursor": cursor,
            "epoch": entry.epoch,
            "sequence": committed.sequence,
            "load_id": committed.load_id,
            "format": FORMAT,
            "written_by": entry.written_by,
            "updated_at": instant(committed.committed_at),
        })
    };
    let shared = committed.state.shared.as_ref().unwrap_or(&Value::Null);
    let streams = committed.state.streams.iter();
    std::iter::once(row("*".to_owned(), shared))
        .chain(streams.map(|(stream, cursor)| row(stream.to_string(), cursor)))
        .collect()
}

fn schema_changes<'a>(
    of: &'a ConnectionName,
    committed: &'a Committed,
) -> impl Iterator<Item = Value> + 'a {
    committed.schema_changes.iter().map(move |change| {
        json!({
            "load_id": committed.load_id,
            "connection": of,
            "stream": change.stream,
            "table": change.table,
            "column": change.column,
            "change": change.change,
            "from_type": change.from_type,
            "to_type": change.to_type,
            "changed_at": instant(committed.started_at),
        })
    })
}

fn lines(rows: impl IntoIterator<Item = Value>) -> Result<Bytes> {
    let mut text = Vec::new();
    for row in rows {
        write_line(&mut text, &row)?;
    }
    Ok(text.into())
}

fn write_line(text: &mut Vec<u8>, row: &impl Serialize) -> Result<()> {
    serde_json::to_writer(&mut *text, row)
        .map_err(|cause| Error::bug("a row can't be written as JSON").because(cause))?;
    text.push(b'\n');
    Ok(())
}

/// An instant as the rows have it.
pub(crate) fn instant(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}
