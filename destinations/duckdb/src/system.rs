//! The tables in the schema `_tributary`, and the state in them.
//!
//! `state` has a row for each stream with a cursor, and for each connection one row with the stream
//! `*`: the fence row, with the shared cursor, the epoch, and the number and identity of the last
//! load. It is there from the first opening on.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use duckdb::{Connection, params};
use serde_json::Value;
use tributary_model::{ConnectionName, Error, ErrorKind, Fence, Result, State, StreamName, now};

use crate::error::Explain;
use crate::remembered;

/// The version of the layout of these tables.
pub(crate) const FORMAT: i64 = 1;
/// The stream of the fence row.
pub(crate) const ALL: &str = "*";

const TABLES: &str = r#"
CREATE SCHEMA IF NOT EXISTS _tributary;
CREATE TABLE IF NOT EXISTS _tributary.state (
    connection VARCHAR, stream VARCHAR, "cursor" JSON, epoch UBIGINT, sequence UBIGINT,
    load_id VARCHAR, format INTEGER, written_by VARCHAR, updated_at TIMESTAMP WITH TIME ZONE
);
CREATE TABLE IF NOT EXISTS _tributary.loads (
    load_id VARCHAR, connection VARCHAR, sequence UBIGINT,
    started_at TIMESTAMP WITH TIME ZONE, committed_at TIMESTAMP WITH TIME ZONE,
    duration_seconds DOUBLE,
    rows_read UBIGINT, rows_written UBIGINT, rows_rejected UBIGINT, bytes_read UBIGINT,
    from_cursor JSON, to_cursor JSON, streams JSON
);
CREATE TABLE IF NOT EXISTS _tributary.rejected (
    load_id VARCHAR, connection VARCHAR, stream VARCHAR, "table" VARCHAR, "column" VARCHAR,
    "value" VARCHAR, reason VARCHAR, "row" JSON, hidden JSON, "key" VARCHAR,
    rejected_at TIMESTAMP WITH TIME ZONE
);
CREATE TABLE IF NOT EXISTS _tributary.tables (
    connection VARCHAR, stream VARCHAR, "table" VARCHAR, names JSON, ways JSON
);
CREATE TABLE IF NOT EXISTS _tributary.schema_changes (
    load_id VARCHAR, connection VARCHAR, stream VARCHAR, "table" VARCHAR, "column" VARCHAR,
    change VARCHAR, from_type VARCHAR, to_type VARCHAR, changed_at TIMESTAMP WITH TIME ZONE
);
"#;

/// Columns that a table of the system has had only since some version, with their types.
const LATER: [(&str, &str, &str); 3] = [
    ("rejected", "value", "VARCHAR"),
    ("rejected", "hidden", "JSON"),
    ("rejected", "key", "VARCHAR"),
];

/// What is stored of one connection.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) state: State,
    pub(crate) sequence: u64,
    pub(crate) last_load: Option<String>,
}

/// Raises the connection's epoch, which fences everyone else off, and reads its state. // G7
pub(crate) fn open(connection: &Connection, of: &ConnectionName) -> Result<(State, Fence)> {
    within(connection, || {
        refuse_newer_format(connection)?;
        create(connection)?;
        raise_epoch(connection, of)?;
        let stored = read(connection, of)?
            .ok_or_else(|| Error::bug(format!("the fence row of `{of}` is not there")))?;
        let fence = Fence {
            connection: of.clone(),
            epoch: stored.state.epoch,
            sequence: stored.sequence,
            last_load: stored.last_load,
        };
        Ok((stored.state, fence))
    })
}

/// Makes the tables that are not there.
pub(crate) fn create(connection: &Connection) -> Result<()> {
    connection
        .execute_batch(TABLES)
        .explain("making the tables of `_tributary`")?;
    LATER
        .iter()
        .try_for_each(|(table, column, kind)| add_column(connection, table, column, kind))
}

/// Adds a column that a file of an earlier version does not have.
fn add_column(connection: &Connection, table: &str, column: &str, kind: &str) -> Result<()> {
    let doing = "bringing the tables of `_tributary` up to date";
    let is_there: bool = connection
        .query_row(
            "SELECT count(*) > 0 FROM duckdb_columns() WHERE database_name = current_database() \
             AND schema_name = '_tributary' AND table_name = ? AND column_name = ?",
            [table, column],
            |row| row.get(0),
        )
        .explain(doing)?;
    match is_there {
        true => Ok(()),
        false => connection
            .execute_batch(&format!(
                "ALTER TABLE _tributary.{table} ADD COLUMN \"{column}\" {kind}"
            ))
            .explain(doing),
    }
}

/// Reads the connection's state without changing anything; `None` where it was never opened.
pub(crate) fn peek(connection: &Connection, of: &ConnectionName) -> Result<Option<State>> {
    refuse_newer_format(connection)?;
    if !exists(connection, "state")? {
        return Ok(None);
    }
    Ok(read(connection, of)?.map(|stored| stored.state))
}

/// Whether a system table is there.
pub(crate) fn exists(connection: &Connection, table: &str) -> Result<bool> {
    connection
        .query_row(
            "SELECT count(*) > 0 FROM duckdb_tables() WHERE database_name = current_database() \
             AND schema_name = '_tributary' AND table_name = ?",
            [table],
            |row| row.get(0),
        )
        .explain("looking for the tables of `_tributary`")
}

/// Runs `work` in a transaction.
fn within<T>(connection: &Connection, work: impl FnOnce() -> Result<T>) -> Result<T> {
    connection
        .execute_batch("BEGIN")
        .explain("beginning a transaction")?;
    let done = work().and_then(|value| {
        connection
            .execute_batch("COMMIT")
            .explain("committing the new epoch")?;
        Ok(value)
    });
    if done.is_err() {
        // Where the commit itself failed there is nothing left to undo, which is no second failure.
        let _ = connection.execute_batch("ROLLBACK");
    }
    done
}

/// Fails where a newer version wrote the state.
pub(crate) fn refuse_newer_format(connection: &Connection) -> Result<()> {
    if !exists(connection, "state")? {
        return Ok(());
    }
    let newest: Option<i64> = connection
        .query_row("SELECT max(format) FROM _tributary.state", [], |row| {
            row.get(0)
        })
        .explain("reading the state's format")?;
    let Some(newest) = newest.filter(|format| *format > FORMAT) else {
        return Ok(());
    };
    let writer: Option<String> = connection
        .query_row(
            "SELECT max(written_by) FROM _tributary.state WHERE format = ?",
            [newest],
            |row| row.get(0),
        )
        .unwrap_or_default();
    let writer = writer.unwrap_or_else(|| "a newer version".to_owned());
    Err(Error::new(
        ErrorKind::Incompatible,
        format!(
            "the state in this file has format {newest}, written by Tributary {writer}; \
             this is version {} and knows format {FORMAT}",
            env!("CARGO_PKG_VERSION")
        ),
    )
    .fix(format!(
        "Use Tributary {writer} or newer; nothing was changed."
    )))
}

fn raise_epoch(connection: &Connection, of: &ConnectionName) -> Result<()> {
    let doing = "raising the connection's epoch";
    let raised = connection
        .execute(
            "UPDATE _tributary.state SET epoch = epoch + 1, \
             updated_at = CAST(? AS TIMESTAMP WITH TIME ZONE) WHERE connection = ? AND stream = ?",
            params![instant(now()), of.as_str(), ALL],
        )
        .explain(doing)?;
    match raised {
        0 => insert(connection, of, ALL, &Value::Null, (1, Some(0)))
            .explain(doing)
            .map(drop),
        1 => Ok(()),
        more => Err(Error::bug(format!("`{of}` has {more} fence rows"))),
    }
}

fn insert(
    connection: &Connection,
    of: &ConnectionName,
    stream: &str,
    cursor: &Value,
    (epoch, sequence): (u64, Option<u64>),
) -> duckdb::Result<usize> {
    connection.execute(
        "INSERT INTO _tributary.state VALUES \
         (?, ?, CAST(? AS JSON), ?, ?, NULL, ?, ?, CAST(? AS TIMESTAMP WITH TIME ZONE))",
        params![
            of.as_str(),
            stream,
            cursor.to_string(),
            epoch,
            sequence,
            FORMAT,
            env!("CARGO_PKG_VERSION"),
            instant(now())
        ],
    )
}

fn read(connection: &Connection, of: &ConnectionName) -> Result<Option<Stored>> {
    let doing = "reading the state";
    let mut statement = connection
        .prepare(
            "SELECT stream, CAST(\"cursor\" AS VARCHAR), epoch, sequence, load_id \
             FROM _tributary.state WHERE connection = ?",
        )
        .explain(doing)?;
    let mut rows = statement.query([of.as_str()]).explain(doing)?;
    let mut streams = BTreeMap::new();
    let mut fence = None;
    while let Some(row) = rows.next().explain(doing)? {
        let stream: String = row.get(0).explain(doing)?;
        let cursor = parse(row.get(1).explain(doing)?)?;
        if stream == ALL {
            let epoch: u64 = row.get(2).explain(doing)?;
            let sequence: u64 = row.get(3).explain(doing)?;
            fence = Some((cursor, epoch, sequence, row.get(4).explain(doing)?));
        } else if let Some(cursor) = cursor {
            streams.insert(StreamName::from(stream), cursor);
        }
    }
    let tables = remembered::read(connection, of)?;
    Ok(fence.map(|(shared, epoch, sequence, last_load)| Stored {
        state: State {
            epoch,
            shared,
            streams,
            tables,
        },
        sequence,
        last_load,
    }))
}

fn parse(cursor: Option<String>) -> Result<Option<Value>> {
    let Some(text) = cursor else { return Ok(None) };
    match serde_json::from_str(&text) {
        Ok(Value::Null) => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(cause) => Err(Error::new(
            ErrorKind::Incompatible,
            "a cursor in `_tributary.state` is not JSON",
        )
        .because(cause)
        .fix("Undo what was changed there by hand, or start again with `tributary state reset`.")),
    }
}

/// Claims the next load: the first statement of its transaction. // G1 G7
pub(crate) fn claim(connection: &Connection, fence: &Fence, load_id: &str) -> Result<()> {
    let doing = "claiming the next load";
    let claimed = connection
        .execute(
            "UPDATE _tributary.state SET sequence = sequence + 1, load_id = ? \
             WHERE connection = ? AND stream = ? AND epoch = ? AND sequence = ?",
            params![
                load_id,
                fence.connection.as_str(),
                ALL,
                fence.epoch,
                fence.sequence
            ],
        )
        .explain(doing)?;
    match claimed {
        1 => Ok(()),
        _ => Err(fenced(&fence.connection)),
    }
}

/// The error of a load whose connection someone else has taken over.
pub(crate) fn fenced(of: &ConnectionName) -> Error {
    Error::new(
        ErrorKind::Fenced,
        format!("another run of the connection `{of}` has taken over; this one wrote nothing"),
    )
    .fix("Let one process at a time run a connection.")
}

/// Writes the cursors that differ from what is stored; part of the load's transaction. // G1
pub(crate) fn advance(connection: &Connection, fence: &Fence, state: &State) -> Result<()> {
    let of = &fence.connection;
    let doing = "writing the state";
    let stored = read(connection, of)?.ok_or_else(|| fenced(of))?.state;
    if state.streams.keys().any(|stream| stream.to_string() == ALL) {
        return Err(Error::bug(
            "a stream is called `*`, which is the name of the fence row",
        ));
    }
    update(
        connection,
        of,
        ALL,
        state.shared.as_ref().unwrap_or(&Value::Null),
    )
    .explain(doing)?;
    for stream in stored
        .streams
        .keys()
        .filter(|stream| !state.streams.contains_key(stream))
    {
        connection
            .execute(
                "DELETE FROM _tributary.state WHERE connection = ? AND stream = ?",
                params![of.as_str(), stream.to_string()],
            )
            .explain(doing)?;
    }
    remembered::write(connection, of, &stored.tables, &state.tables)?;
    for (stream, cursor) in &state.streams {
        let name = stream.to_string();
        match stored.streams.get(stream) {
            Some(old) if old == cursor => Ok(0),
            Some(_) => update(connection, of, &name, cursor),
            None => insert(connection, of, &name, cursor, (fence.epoch, None)),
        }
        .explain(doing)?;
    }
    Ok(())
}

fn update(
    connection: &Connection,
    of: &ConnectionName,
    stream: &str,
    cursor: &Value,
) -> duckdb::Result<usize> {
    connection.execute(
        "UPDATE _tributary.state SET \"cursor\" = CAST(? AS JSON), format = ?, written_by = ?, \
         updated_at = CAST(? AS TIMESTAMP WITH TIME ZONE) WHERE connection = ? AND stream = ?",
        params![
            cursor.to_string(),
            FORMAT,
            env!("CARGO_PKG_VERSION"),
            instant(now()),
            of.as_str(),
            stream
        ],
    )
}

/// An instant as DuckDB reads it, with or without its time zone extension.
pub(crate) fn instant(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S%.6f+00").to_string()
}
