//! `_tributary.loads` and `_tributary.schema_changes`: what happened, written with it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tributary_model::{
    Commit, ConnectionName, Error, ErrorKind, Fence, LoadPlan, LoadRecord, Old, Result, State,
    StreamCount, StreamName, TableName, TablePlan,
};
use tributary_sql::{Dialect, Step, corrected};

use crate::dialect::{DIALECT, TEXT_BYTES};
use crate::session::{Row, Session};
use crate::state::insert;
use crate::system::has_shared;
use crate::text::{instant, literal, optional, pieces, values};

const LOADS: &str = "_tributary.loads";
const LONG_TEXTS: &str = "_tributary.long_texts";
const CHANGES: &str = "_tributary.schema_changes";
/// Changes of one statement.
const NOTES: usize = 500;

/// Writes the row of a load, its counts corrected by the rows that it rejected itself.
pub(crate) async fn record(
    session: &mut Session,
    plan: &LoadPlan,
    fence: &Fence,
    commit: &Commit,
    rejected: &BTreeMap<StreamName, u64>,
) -> Result<()> {
    let doing = "recording the load";
    let streams = corrected(&commit.streams, rejected);
    let sum = |of: fn(&StreamCount) -> u64| streams.values().map(of).sum::<u64>().to_string();
    let counts = serde_json::to_string(&streams)
        .map_err(|cause| Error::bug("counts can't be written as JSON").because(cause))?;
    let texts = [
        ("from_cursor", cursors(&commit.before)),
        ("to_cursor", cursors(&commit.state)),
        ("streams", counts),
    ];
    let mut row = vec![
        literal(&plan.load_id),
        literal(plan.connection.as_str()),
        fence.sequence.to_string(),
        instant(plan.started_at),
        instant(commit.committed_at),
        format!(
            "{:?}",
            (commit.committed_at - plan.started_at).as_seconds_f64()
        ),
        sum(|count| count.rows_read),
        sum(|count| count.rows_written),
        sum(|count| count.rows_rejected),
        sum(|count| count.bytes_read),
    ];
    let mut parts = Vec::new();
    for (name, text) in &texts {
        let fits = text.len() <= TEXT_BYTES;
        row.push(optional(fits.then_some(text.as_str())));
        if !fits {
            parts.extend(long(plan, fence, name, text));
        }
    }
    insert(session, LOADS, &[values(&row)], doing).await?;
    insert(session, LONG_TEXTS, &parts, doing).await
}

fn cursors(state: &State) -> String {
    json!({"shared": state.shared, "streams": state.streams}).to_string()
}

/// A text that is longer than a column takes, in rows.
fn long(plan: &LoadPlan, fence: &Fence, name: &str, text: &str) -> Vec<String> {
    let pieces = pieces(text, TEXT_BYTES).into_iter().enumerate();
    let row = |(part, piece): (usize, &str)| {
        values(&[
            literal(plan.connection.as_str()),
            fence.sequence.to_string(),
            literal(name),
            part.to_string(),
            literal(piece),
        ])
    };
    pieces.map(row).collect()
}

/// What is to be written of tables' changes. All connections write there, and whoever has written
/// keeps the others waiting until the commit: so it is written right before that, after everything
/// that takes time.
#[derive(Debug, Default)]
pub(crate) struct Notes(Vec<String>);

impl Notes {
    /// Writes them.
    pub(crate) async fn write(&mut self, session: &mut Session) -> Result<()> {
        let statements = std::mem::take(&mut self.0);
        let doing = "recording changes of layout";
        session.run_all(&statements, doing).await
    }

    fn insert(&mut self, rows: &[String]) {
        let chunks = rows.chunks(NOTES);
        let insert = |rows: &[String]| format!("INSERT INTO {CHANGES} VALUES {}", rows.join(", "));
        self.0.extend(chunks.map(insert));
    }
}

/// Notes a table's changes.
pub(crate) fn note_changes(notes: &mut Notes, load: &LoadPlan, plan: &TablePlan, steps: &[Step]) {
    let mut rows = Vec::new();
    for step in steps {
        let (change, column, from) = match step {
            Step::CreateSchema { .. } => continue,
            Step::CreateTable { .. } => ("create_table", None, None),
            Step::AddColumn { column, .. } => ("add_column", Some(column), None),
            Step::WidenType { column, from, .. } => {
                ("widen_type", Some(column), DIALECT.type_name(*from))
            }
        };
        rows.push(values(&[
            literal(&load.load_id),
            literal(load.connection.as_str()),
            literal(&plan.stream.to_string()),
            literal(&plan.table.to_string()),
            optional(column.map(|column| column.name.as_str())),
            literal(change),
            optional(from.as_deref()),
            optional(column.map(|column| column.sql_type.as_str())),
            instant(load.started_at),
        ]));
    }
    notes.insert(&rows);
}

/// Gives what was noted of a table beside the name that it has now; notes that a table was kept in
/// another mode until now, and what it is called.
pub(crate) fn note_swap(
    notes: &mut Notes,
    load: &LoadPlan,
    plan: &TablePlan,
    beside: &TableName,
    old: &Old,
) {
    let (table, connection) = (
        literal(&plan.table.to_string()),
        literal(load.connection.as_str()),
    );
    let moved = format!(
        "UPDATE {CHANGES} SET \"table\" = {table} WHERE connection = {connection} AND \"table\" = {}",
        literal(&beside.to_string())
    );
    notes.0.push(moved);
    let Old::Kept(name) = old else { return };
    let row = values(&[
        literal(&load.load_id),
        connection,
        literal(&plan.stream.to_string()),
        table,
        "NULL".to_owned(),
        literal("change_mode"),
        literal(&format!("kept as {name}")),
        literal(&format!("{:?}", plan.mode).to_lowercase()),
        instant(load.started_at),
    ]);
    notes.insert(&[row]);
}

/// The last loads of a connection, the newest first.
pub(crate) async fn loads(
    session: &mut Session,
    of: &ConnectionName,
    limit: usize,
) -> Result<Vec<LoadRecord>> {
    if !has_shared(session, "loads").await? {
        return Ok(Vec::new());
    }
    let micros = |column: &str| DIALECT.micros(column);
    let sql = format!(
        "SELECT load_id, sequence, {}, {}, streams, from_cursor, to_cursor FROM {LOADS} \
         WHERE connection = {} ORDER BY sequence DESC LIMIT {limit}",
        micros("started_at"),
        micros("committed_at"),
        literal(of.as_str())
    );
    let rows = session.ask(&sql, "reading the loads").await?;
    let mut loads = Vec::with_capacity(rows.len());
    for row in &rows {
        loads.push(read(session, row, of).await?);
    }
    Ok(loads)
}

async fn read(session: &mut Session, row: &Row, of: &ConnectionName) -> Result<LoadRecord> {
    let sequence = row.number(1)?;
    let instant = |index: usize| -> Result<DateTime<Utc>> {
        let micros = row.text(index)?.parse().unwrap_or(i64::MAX);
        DateTime::from_timestamp_micros(micros).ok_or_else(unreadable)
    };
    let (started_at, committed_at) = (instant(2)?, instant(3)?);
    let mut texts = Vec::new();
    for (index, name) in [(4, "streams"), (5, "from_cursor"), (6, "to_cursor")] {
        let text = match row.optional(index)? {
            Some(text) => text.to_owned(),
            None => join(session, of, sequence, name).await?,
        };
        let json: Value =
            serde_json::from_str(&text).map_err(|cause| unreadable().because(cause))?;
        texts.push(json);
    }
    let mut texts = texts.into_iter();
    let mut next = || texts.next().unwrap_or_default();
    Ok(LoadRecord {
        load_id: row.text(0)?.to_owned(),
        connection: of.clone(),
        sequence,
        started_at,
        committed_at,
        streams: serde_json::from_value(next()).map_err(|cause| unreadable().because(cause))?,
        from_cursor: next(),
        to_cursor: next(),
    })
}

/// A text that was longer than a column takes.
async fn join(
    session: &mut Session,
    of: &ConnectionName,
    sequence: u64,
    name: &str,
) -> Result<String> {
    let sql = format!(
        "SELECT content FROM {LONG_TEXTS} WHERE connection = {} AND sequence = {sequence} \
         AND name = {} ORDER BY part",
        literal(of.as_str()),
        literal(name)
    );
    let rows = session.ask(&sql, "reading a load").await?;
    rows.iter().map(|row| row.text(0)).collect()
}

fn unreadable() -> Error {
    Error::new(
        ErrorKind::Incompatible,
        "a row of `_tributary.loads` can't be read",
    )
    .fix("Delete the row if it was changed by hand; it is a record only.")
}
