//! `_tributary.loads` and `_tributary.schema_changes`: what happened, written with it.

use std::collections::BTreeMap;

use chrono::DateTime;
use serde_json::{Value, json};
use tributary_model::{
    Commit, ConnectionName, Error, ErrorKind, Fence, LoadPlan, LoadRecord, Old, Result, State,
    StreamCount, StreamName, TablePlan,
};
use tributary_sql::{Dialect, Step, corrected};

use crate::client::Client;
use crate::dialect::literal;
use crate::system::{instant, own};

/// The row of a load, its counts corrected by the rows that it rejected itself.
pub(crate) fn record(
    client: &Client,
    plan: &LoadPlan,
    fence: &Fence,
    commit: &Commit,
    rejected: &BTreeMap<StreamName, u64>,
) -> Result<String> {
    let streams = corrected(&commit.streams, rejected);
    let sum = |of: fn(&StreamCount) -> u64| streams.values().map(of).sum::<u64>();
    let text = serde_json::to_string(&streams)
        .map_err(|cause| Error::bug("counts can't be written as JSON").because(cause))?;
    let duration = commit.committed_at - plan.started_at;
    Ok(format!(
        "INSERT INTO {} (load_id, connection, sequence, started_at, committed_at, duration_seconds, \
         rows_read, rows_written, rows_rejected, bytes_read, from_cursor, to_cursor, streams) \
         VALUES ({}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {})",
        client.dialect.table(&own("loads")),
        literal(&plan.load_id),
        literal(plan.connection.as_str()),
        fence.sequence,
        instant(plan.started_at),
        instant(commit.committed_at),
        duration.as_seconds_f64(),
        sum(|count| count.rows_read),
        sum(|count| count.rows_written),
        sum(|count| count.rows_rejected),
        sum(|count| count.bytes_read),
        literal(&cursors(&commit.before)),
        literal(&cursors(&commit.state)),
        literal(&text)
    ))
}

fn cursors(state: &State) -> String {
    json!({"shared": state.shared, "streams": state.streams}).to_string()
}

/// What rows of changes are written by.
pub(crate) fn changes(client: &Client) -> String {
    format!(
        "INSERT INTO {} (load_id, connection, stream, `table`, `column`, `change`, from_type, to_type, \
         changed_at)",
        client.dialect.table(&own("schema_changes"))
    )
}

/// The row of a table's change.
pub(crate) fn change(
    client: &Client,
    load: &LoadPlan,
    plan: &TablePlan,
    step: &Step,
) -> Option<String> {
    let (change, column, from) = match step {
        Step::CreateSchema { .. } => return None,
        Step::CreateTable { .. } => ("create_table", None, None),
        Step::AddColumn { column, .. } => ("add_column", Some(column), None),
        Step::WidenType { column, from, .. } => {
            ("widen_type", Some(column), client.dialect.type_name(*from))
        }
    };
    let name = column.map(|column| column.name.as_str());
    let to = column.map(|column| column.sql_type.as_str());
    Some(row(load, plan, (name, change, from.as_deref(), to)))
}

/// The row that says that a table was kept in another mode until now, and what it is called.
pub(crate) fn note_swap(
    client: &Client,
    load: &LoadPlan,
    plan: &TablePlan,
    old: &Old,
) -> Option<String> {
    let Old::Kept(name) = old else { return None };
    let (from, to) = (
        format!("kept as {name}"),
        format!("{:?}", plan.mode).to_lowercase(),
    );
    let row = row(load, plan, (None, "change_mode", Some(&from), Some(&to)));
    Some(format!("{} VALUES {row}", changes(client)))
}

fn row(
    load: &LoadPlan,
    plan: &TablePlan,
    (column, change, from, to): (Option<&str>, &str, Option<&str>, Option<&str>),
) -> String {
    let value = |text: Option<&str>| text.map_or_else(|| "NULL".to_owned(), literal);
    format!(
        "({}, {}, {}, {}, {}, {}, {}, {}, {})",
        literal(&load.load_id),
        literal(load.connection.as_str()),
        literal(&plan.stream.to_string()),
        literal(&plan.table.to_string()),
        value(column),
        literal(change),
        value(from),
        value(to),
        instant(load.started_at)
    )
}

/// The last loads of a connection, the newest first.
pub(crate) async fn loads(
    client: &Client,
    of: &ConnectionName,
    limit: usize,
) -> Result<Vec<LoadRecord>> {
    let table = own("loads");
    if client.tables.find(&table).await?.columns.is_none() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT load_id, CAST(sequence AS STRING) AS number, CAST(UNIX_MICROS(started_at) AS STRING) AS began, \
         CAST(UNIX_MICROS(committed_at) AS STRING) AS ended, streams, from_cursor, to_cursor FROM {} \
         WHERE connection = {} ORDER BY sequence DESC LIMIT {limit}",
        client.dialect.table(&table),
        literal(of.as_str())
    );
    let rows = client.jobs.ask(&sql, "reading the loads").await?;
    rows.texts().map(|row| read(&row, of)).collect()
}

fn read(row: &[Option<&str>], of: &ConnectionName) -> Result<LoadRecord> {
    let text = |at: usize| row.get(at).copied().flatten().ok_or_else(unreadable);
    let instant = |at: usize| {
        let micros = text(at)?
            .parse()
            .ok()
            .and_then(DateTime::from_timestamp_micros);
        micros.ok_or_else(unreadable)
    };
    let json = |at: usize| -> Result<Value> {
        serde_json::from_str(text(at)?).map_err(|cause| unreadable().because(cause))
    };
    Ok(LoadRecord {
        load_id: text(0)?.to_owned(),
        connection: of.clone(),
        sequence: text(1)?.parse().map_err(|_| unreadable())?,
        started_at: instant(2)?,
        committed_at: instant(3)?,
        streams: serde_json::from_value(json(4)?).map_err(|cause| unreadable().because(cause))?,
        from_cursor: json(5)?,
        to_cursor: json(6)?,
    })
}

fn unreadable() -> Error {
    Error::new(
        ErrorKind::Incompatible,
        "a row of `_tributary.loads` can't be read",
    )
    .fix("Delete the row if it was changed by hand; it is a record only.")
}
