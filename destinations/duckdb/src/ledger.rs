//! `_tributary.loads` and `_tributary.schema_changes`: what happened, written with it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use duckdb::{Connection, Row, params};
use serde_json::{Value, json};
use tributary_model::{
    Commit, ConnectionName, Error, Fence, LoadPlan, LoadRecord, Old, Result, State, StreamCount,
    StreamName, TableName, TablePlan,
};
use tributary_sql::{Dialect, Step, corrected};

use crate::error::Explain;
use crate::layout::Site;
use crate::system::{exists, instant};

/// Writes the row of a load, its counts corrected by the rows that it rejected itself.
pub(crate) fn record(
    connection: &Connection,
    plan: &LoadPlan,
    fence: &Fence,
    commit: &Commit,
    rejected: &BTreeMap<StreamName, u64>,
) -> Result<()> {
    let streams = corrected(&commit.streams, rejected);
    let sum = |of: fn(&StreamCount) -> u64| streams.values().map(of).sum::<u64>();
    let instants = (instant(plan.started_at), instant(commit.committed_at));
    let duration = commit.committed_at - plan.started_at;
    let values = params![
        plan.load_id,
        plan.connection.as_str(),
        fence.sequence,
        instants.0,
        instants.1,
        duration.as_seconds_f64(),
        sum(|count| count.rows_read),
        sum(|count| count.rows_written),
        sum(|count| count.rows_rejected),
        sum(|count| count.bytes_read),
        cursors(&commit.before).to_string(),
        cursors(&commit.state).to_string(),
        text(&streams)?
    ];
    connection
        .execute(
            "INSERT INTO _tributary.loads VALUES (?, ?, ?, CAST(? AS TIMESTAMP WITH TIME ZONE), \
             CAST(? AS TIMESTAMP WITH TIME ZONE), ?, ?, ?, ?, ?, CAST(? AS JSON), CAST(? AS JSON), \
             CAST(? AS JSON))",
            values,
        )
        .explain("recording the load")?;
    Ok(())
}

fn cursors(state: &State) -> Value {
    json!({"shared": state.shared, "streams": state.streams})
}

fn text(streams: &BTreeMap<StreamName, StreamCount>) -> Result<String> {
    serde_json::to_string(streams)
        .map_err(|cause| Error::bug("counts can't be written as JSON").because(cause))
}

/// Writes the rows of a table's changes.
pub(crate) fn note_changes(
    connection: &Connection,
    dialect: &impl Dialect,
    load: &LoadPlan,
    plan: &TablePlan,
    steps: &[Step],
) -> Result<()> {
    for step in steps {
        let (change, column, from, to) = match step {
            Step::CreateSchema { .. } => continue,
            Step::CreateTable { .. } => ("create_table", None, None, None),
            Step::AddColumn { column, .. } => ("add_column", Some(column), None, Some(column)),
            Step::WidenType { column, from, .. } => (
                "widen_type",
                Some(column),
                dialect.type_name(*from),
                Some(column),
            ),
        };
        connection
            .execute(
                "INSERT INTO _tributary.schema_changes VALUES \
                 (?, ?, ?, ?, ?, ?, ?, ?, CAST(? AS TIMESTAMP WITH TIME ZONE))",
                params![
                    load.load_id,
                    load.connection.as_str(),
                    plan.stream.to_string(),
                    plan.table.to_string(),
                    column.map(|column| column.name.as_str()),
                    change,
                    from,
                    to.map(|column| column.sql_type.as_str()),
                    instant(load.started_at)
                ],
            )
            .explain("recording a change of layout")?;
    }
    Ok(())
}

/// Gives what was noted of a table beside the name that it has now; notes that a table was kept in
/// another mode until now, and what it is called.
pub(crate) fn note_swap(
    site: &Site,
    plan: &TablePlan,
    beside: &TableName,
    old: &Old,
) -> Result<()> {
    let doing = "recording a change of layout";
    let (table, connection) = (plan.table.to_string(), site.load.connection.as_str());
    site.connection
        .execute(
            "UPDATE _tributary.schema_changes SET \"table\" = ? \
             WHERE connection = ? AND \"table\" = ?",
            params![table, connection, beside.to_string()],
        )
        .explain(doing)?;
    let Old::Kept(name) = old else { return Ok(()) };
    site.connection
        .execute(
            "INSERT INTO _tributary.schema_changes VALUES \
             (?, ?, ?, ?, NULL, 'change_mode', ?, ?, CAST(? AS TIMESTAMP WITH TIME ZONE))",
            params![
                site.load.load_id,
                connection,
                plan.stream.to_string(),
                table,
                format!("kept as {name}"),
                format!("{:?}", plan.mode).to_lowercase(),
                instant(site.load.started_at)
            ],
        )
        .explain(doing)?;
    Ok(())
}

/// The last loads of a connection, the newest first.
pub(crate) fn loads(
    connection: &Connection,
    of: &ConnectionName,
    limit: usize,
) -> Result<Vec<LoadRecord>> {
    let doing = "reading the loads";
    if !exists(connection, "loads")? {
        return Ok(Vec::new());
    }
    let mut statement = connection
        .prepare(
            "SELECT load_id, sequence, epoch_us(started_at), epoch_us(committed_at), \
             CAST(streams AS VARCHAR), CAST(from_cursor AS VARCHAR), CAST(to_cursor AS VARCHAR) \
             FROM _tributary.loads WHERE connection = ? ORDER BY sequence DESC LIMIT ?",
        )
        .explain(doing)?;
    let limit = u64::try_from(limit).unwrap_or(u64::MAX).min(1 << 62);
    let mut rows = statement
        .query(params![of.as_str(), limit])
        .explain(doing)?;
    let mut records = Vec::new();
    while let Some(row) = rows.next().explain(doing)? {
        records.push(read(row, of)?);
    }
    Ok(records)
}

fn read(row: &Row<'_>, of: &ConnectionName) -> Result<LoadRecord> {
    let doing = "reading a load";
    let json = |index: usize| -> Result<Value> {
        let text: String = row.get(index).explain(doing)?;
        serde_json::from_str(&text).map_err(|cause| unreadable().because(cause))
    };
    let instant = |index: usize| -> Result<DateTime<Utc>> {
        let micros: i64 = row.get(index).explain(doing)?;
        DateTime::from_timestamp_micros(micros).ok_or_else(unreadable)
    };
    Ok(LoadRecord {
        load_id: row.get(0).explain(doing)?,
        connection: of.clone(),
        sequence: row.get(1).explain(doing)?,
        started_at: instant(2)?,
        committed_at: instant(3)?,
        streams: serde_json::from_value(json(4)?).map_err(|cause| unreadable().because(cause))?,
        from_cursor: json(5)?,
        to_cursor: json(6)?,
    })
}

fn unreadable() -> Error {
    Error::new(
        tributary_model::ErrorKind::Incompatible,
        "a row of `_tributary.loads` can't be read",
    )
    .fix("Delete the row if it was changed by hand; it is a record only.")
}
