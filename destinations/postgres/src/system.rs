//! The tables in the schema `_tributary`, and the state in them.
//!
//! `state` has a row for each stream with a cursor, and for each connection one row with the stream
//! `*`: the fence row, with the shared cursor, the epoch, and the number and identity of the last
//! load. It is there from the first opening on.
//!
//! What others wrote is kept as `json`, not as `jsonb`: that takes every text, and leaves it as it is.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::Row;
use sqlx::postgres::PgRow;
use tributary_model::{ConnectionName, Error, ErrorKind, Fence, Result, State, StreamName, now};

use crate::error::Explain;
use crate::session::{For, Session};
use crate::{remembered, takeover};

/// The version of the layout of these tables.
pub(crate) const FORMAT: i32 = 1;
/// The stream of the fence row.
pub(crate) const ALL: &str = "*";

/// Each table with the statement that makes it.
const TABLES: [(&str, &str); 5] = [
    (
        "state",
        "CREATE TABLE _tributary.state (connection text, stream text, \"cursor\" json, epoch bigint, \
         sequence bigint, load_id text, format integer, written_by text, \
         updated_at timestamp with time zone, PRIMARY KEY (connection, stream))",
    ),
    (
        "loads",
        "CREATE TABLE _tributary.loads (load_id text, connection text, sequence bigint, \
         started_at timestamp with time zone, committed_at timestamp with time zone, \
         duration_seconds double precision, rows_read bigint, rows_written bigint, \
         rows_rejected bigint, bytes_read bigint, from_cursor json, to_cursor json, streams json, \
         PRIMARY KEY (connection, sequence))",
    ),
    (
        "rejected",
        "CREATE TABLE _tributary.rejected (load_id text, connection text, stream text, \
         \"table\" text, \"column\" text, \"value\" text, reason text, \"row\" json, hidden json, \
         \"key\" text, rejected_at timestamp with time zone)",
    ),
    (
        "tables",
        "CREATE TABLE _tributary.tables (connection text, stream text, \"table\" text, names json, \
         ways json, PRIMARY KEY (connection, stream))",
    ),
    (
        "schema_changes",
        "CREATE TABLE _tributary.schema_changes (load_id text, connection text, stream text, \
         \"table\" text, \"column\" text, change text, from_type text, to_type text, \
         changed_at timestamp with time zone)",
    ),
];

/// What is stored of one connection.
#[derive(Debug)]
struct Stored {
    state: State,
    sequence: u64,
    last_load: Option<String>,
}

/// Raises the connection's epoch, which fences everyone else off, and reads its state. // G7
pub(crate) async fn open(session: &mut Session, of: &ConnectionName) -> Result<(State, Fence)> {
    session.begin(For::Writing).await?;
    takeover::queue(session).await?;
    refuse_newer_format(session).await?;
    create(session).await?;
    takeover::take_over(session, of).await?;
    raise_epoch(session, of).await?;
    let stored = read(session, of)
        .await?
        .ok_or_else(|| Error::bug(format!("the fence row of `{of}` is not there")))?;
    session.run("COMMIT", "committing the new epoch").await?;
    let fence = Fence {
        connection: of.clone(),
        epoch: stored.state.epoch,
        sequence: stored.sequence,
        last_load: stored.last_load,
    };
    Ok((stored.state, fence))
}

/// Makes the schema and those of its tables that are not there. What is there needs no right to make it.
pub(crate) async fn create(session: &mut Session) -> Result<()> {
    let doing = "making the tables of `_tributary`";
    if !has_schema(session).await? {
        session.run("CREATE SCHEMA _tributary", doing).await?;
    }
    let there = tables(session).await?;
    for (name, statement) in TABLES {
        if !there.iter().any(|table| table == name) {
            session.run(statement, doing).await?;
        }
    }
    add_key(session).await
}

/// Gives the table of rejected rows, where an earlier version made it, what it lacks.
async fn add_key(session: &mut Session) -> Result<()> {
    let doing = "completing the tables of `_tributary`";
    let sql = "SELECT 1 FROM pg_attribute WHERE attrelid = '_tributary.rejected'::regclass \
         AND attname = 'key' AND NOT attisdropped";
    if session.ask(sqlx::query(sql), doing).await?.is_empty() {
        let add = "ALTER TABLE _tributary.rejected ADD COLUMN \"key\" text";
        session.run(add, doing).await?;
    }
    Ok(())
}

async fn has_schema(session: &mut Session) -> Result<bool> {
    let sql = "SELECT 1 FROM pg_namespace WHERE nspname = '_tributary'";
    let rows = session
        .ask(sqlx::query(sql), "looking for `_tributary`")
        .await?;
    Ok(!rows.is_empty())
}

async fn tables(session: &mut Session) -> Result<Vec<String>> {
    let doing = "looking for the tables of `_tributary`";
    let sql = "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = '_tributary' AND c.relkind IN ('r', 'p')";
    let rows = session.ask(sqlx::query(sql), doing).await?;
    rows.iter()
        .map(|row| row.try_get(0).explain(doing))
        .collect()
}

/// Whether a system table is there.
pub(crate) async fn exists(session: &mut Session, table: &str) -> Result<bool> {
    Ok(tables(session).await?.iter().any(|name| name == table))
}

/// Reads the connection's state without changing anything; `None` where it was never opened.
pub(crate) async fn peek(session: &mut Session, of: &ConnectionName) -> Result<Option<State>> {
    if !exists(session, "state").await? {
        return Ok(None);
    }
    refuse_newer_format(session).await?;
    Ok(read(session, of).await?.map(|stored| stored.state))
}

/// Fails where a newer version wrote the state.
async fn refuse_newer_format(session: &mut Session) -> Result<()> {
    if !exists(session, "state").await? {
        return Ok(());
    }
    let doing = "reading the state's format";
    let sql = "SELECT format, coalesce(written_by, 'a newer version') FROM _tributary.state \
         WHERE format > $1 ORDER BY format DESC, written_by DESC LIMIT 1";
    let rows = session.ask(sqlx::query(sql).bind(FORMAT), doing).await?;
    let Some(row) = rows.first() else {
        return Ok(());
    };
    let newest: i32 = row.try_get(0).explain(doing)?;
    let writer: String = row.try_get(1).explain(doing)?;
    Err(Error::new(
        ErrorKind::Incompatible,
        format!(
            "the state in this database has format {newest}, written by Tributary {writer}; \
             this is version {} and knows format {FORMAT}",
            env!("CARGO_PKG_VERSION")
        ),
    )
    .fix(format!(
        "Use Tributary {writer} or newer; nothing was changed."
    )))
}

async fn raise_epoch(session: &mut Session, of: &ConnectionName) -> Result<()> {
    let sql = "INSERT INTO _tributary.state AS s (connection, stream, epoch, sequence, format, \
         written_by, updated_at) VALUES ($1, $2, 1, 0, $3, $4, $5::timestamptz) \
         ON CONFLICT (connection, stream) DO UPDATE SET epoch = s.epoch + 1, \
         updated_at = EXCLUDED.updated_at";
    let query = sqlx::query(sql)
        .bind(of.as_str())
        .bind(ALL)
        .bind(FORMAT)
        .bind(env!("CARGO_PKG_VERSION"))
        .bind(instant(now()));
    session
        .tell(query, "raising the connection's epoch")
        .await?;
    Ok(())
}

async fn read(session: &mut Session, of: &ConnectionName) -> Result<Option<Stored>> {
    let doing = "reading the state";
    let sql = "SELECT stream, \"cursor\"::text, epoch, sequence, load_id FROM _tributary.state \
         WHERE connection = $1";
    let rows = session
        .ask(sqlx::query(sql).bind(of.as_str()), doing)
        .await?;
    let tables = remembered::read(session, of).await?;
    let mut streams = BTreeMap::new();
    let mut fence = None;
    for row in &rows {
        let stream: String = row.try_get(0).explain(doing)?;
        let cursor = parse(row.try_get(1).explain(doing)?)?;
        if stream == ALL {
            let last_load = row.try_get(4).explain(doing)?;
            fence = Some((cursor, number(row, 2)?, number(row, 3)?, last_load));
        } else if let Some(cursor) = cursor {
            streams.insert(StreamName::from(stream), cursor);
        }
    }
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

/// A number that we wrote.
pub(crate) fn number(row: &PgRow, index: usize) -> Result<u64> {
    let number: i64 = row.try_get(index).explain("reading `_tributary`")?;
    Ok(number.unsigned_abs())
}

/// A number as the tables hold it.
pub(crate) fn big(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
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

/// Claims the next load: the first change of its transaction. // G1 G7
pub(crate) async fn claim(session: &mut Session, fence: &Fence, load_id: &str) -> Result<()> {
    let sql = "UPDATE _tributary.state SET sequence = sequence + 1, load_id = $1 \
         WHERE connection = $2 AND stream = $3 AND epoch = $4 AND sequence = $5";
    let query = sqlx::query(sql)
        .bind(load_id)
        .bind(fence.connection.as_str())
        .bind(ALL)
        .bind(big(fence.epoch))
        .bind(big(fence.sequence));
    match session.tell(query, "claiming the next load").await? {
        1 => Ok(()),
        _ => Err(fenced(&fence.connection)),
    }
}

/// Whether someone else has opened the connection since.
pub(crate) async fn is_taken(session: &mut Session, fence: &Fence) -> Result<bool> {
    let sql = "SELECT 1 FROM _tributary.state WHERE connection = $1 AND stream = $2 AND epoch > $3";
    let query = sqlx::query(sql)
        .bind(fence.connection.as_str())
        .bind(ALL)
        .bind(big(fence.epoch));
    Ok(!session.ask(query, "looking who writes").await?.is_empty())
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
pub(crate) async fn advance(session: &mut Session, fence: &Fence, state: &State) -> Result<()> {
    let doing = "writing the state";
    if state.streams.keys().any(|stream| stream.to_string() == ALL) {
        return Err(Error::bug(
            "a stream is called `*`, which is the name of the fence row",
        ));
    }
    let of = fence.connection.as_str();
    let streams = state.streams.iter();
    let mut names: Vec<String> = streams.clone().map(|(name, _)| name.to_string()).collect();
    let mut cursors: Vec<String> = streams.map(|(_, cursor)| cursor.to_string()).collect();
    names.push(ALL.to_owned());
    cursors.push(state.shared.as_ref().unwrap_or(&Value::Null).to_string());
    let gone = sqlx::query(
        "DELETE FROM _tributary.state WHERE connection = $1 AND stream <> ALL ($2::text[])",
    )
    .bind(of)
    .bind(&names);
    session.tell(gone, doing).await?;
    let sql = "INSERT INTO _tributary.state AS s (connection, stream, \"cursor\", epoch, format, \
         written_by, updated_at) SELECT $1, n.stream, n.place::json, $4, $5, $6, $7::timestamptz \
         FROM unnest($2::text[], $3::text[]) AS n (stream, place) \
         ON CONFLICT (connection, stream) DO UPDATE SET \"cursor\" = EXCLUDED.\"cursor\", \
         format = EXCLUDED.format, written_by = EXCLUDED.written_by, updated_at = EXCLUDED.updated_at \
         WHERE s.\"cursor\"::text IS DISTINCT FROM EXCLUDED.\"cursor\"::text";
    let new = sqlx::query(sql)
        .bind(of)
        .bind(&names)
        .bind(&cursors)
        .bind(big(fence.epoch))
        .bind(FORMAT)
        .bind(env!("CARGO_PKG_VERSION"))
        .bind(instant(now()));
    session.tell(new, doing).await?;
    remembered::write(session, &fence.connection, &state.tables).await
}

/// An instant as PostgreSQL reads it.
pub(crate) fn instant(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S%.6f+00").to_string()
}
