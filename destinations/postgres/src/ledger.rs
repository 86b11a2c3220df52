//! `_tributary.loads` and `_tributary.schema_changes`: what happened, written with it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::Row;
use sqlx::postgres::PgRow;
use tributary_model::{
    Commit, ConnectionName, Error, ErrorKind, Fence, LoadPlan, LoadRecord, Old, Result, State,
    StreamCount, StreamName, TableName, TablePlan,
};
use tributary_sql::{Dialect, Step, corrected};

use crate::dialect::DIALECT;
use crate::error::Explain;
use crate::session::Session;
use crate::system::{big, exists, instant, number};

/// Writes the row of a load, its counts corrected by the rows that it rejected itself.
pub(crate) async fn record(
    session: &mut Session,
    plan: &LoadPlan,
    fence: &Fence,
    commit: &Commit,
    rejected: &BTreeMap<StreamName, u64>,
) -> Result<()> {
    let streams = corrected(&commit.streams, rejected);
    let sum = |of: fn(&StreamCount) -> u64| big(streams.values().map(of).sum());
    let duration = commit.committed_at - plan.started_at;
    let sql = "INSERT INTO _tributary.loads VALUES ($1, $2, $3, $4::timestamptz, $5::timestamptz, \
         $6, $7, $8, $9, $10, $11::json, $12::json, $13::json)";
    let query = sqlx::query(sql)
        .bind(&plan.load_id)
        .bind(plan.connection.as_str())
        .bind(big(fence.sequence))
        .bind(instant(plan.started_at))
        .bind(instant(commit.committed_at))
        .bind(duration.as_seconds_f64())
        .bind(sum(|count| count.rows_read))
        .bind(sum(|count| count.rows_written))
        .bind(sum(|count| count.rows_rejected))
        .bind(sum(|count| count.bytes_read))
        .bind(cursors(&commit.before).to_string())
        .bind(cursors(&commit.state).to_string())
        .bind(text(&streams)?);
    session.tell(query, "recording the load").await?;
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
pub(crate) async fn note_changes(
    session: &mut Session,
    load: &LoadPlan,
    plan: &TablePlan,
    steps: &[Step],
) -> Result<()> {
    for step in steps {
        let (change, column, from) = match step {
            Step::CreateSchema { .. } => continue,
            Step::CreateTable { .. } => ("create_table", None, None),
            Step::AddColumn { column, .. } => ("add_column", Some(column), None),
            Step::WidenType { column, from, .. } => {
                ("widen_type", Some(column), DIALECT.type_name(*from))
            }
        };
        let sql = "INSERT INTO _tributary.schema_changes VALUES \
             ($1, $2, $3, $4, $5, $6, $7, $8, $9::timestamptz)";
        let query = sqlx::query(sql)
            .bind(&load.load_id)
            .bind(load.connection.as_str())
            .bind(plan.stream.to_string())
            .bind(plan.table.to_string())
            .bind(column.map(|column| column.name.as_str()))
            .bind(change)
            .bind(from)
            .bind(column.map(|column| column.sql_type.as_str()))
            .bind(instant(load.started_at));
        session.tell(query, "recording a change of layout").await?;
    }
    Ok(())
}

/// Gives what was noted of a table beside the name that it has now; notes that a table was kept in
/// another mode until now, and what it is called.
pub(crate) async fn note_swap(
    session: &mut Session,
    load: &LoadPlan,
    plan: &TablePlan,
    beside: &TableName,
    old: &Old,
) -> Result<()> {
    let doing = "recording a change of layout";
    let (table, connection) = (plan.table.to_string(), load.connection.as_str());
    let moved = sqlx::query(
        "UPDATE _tributary.schema_changes SET \"table\" = $1 WHERE connection = $2 AND \"table\" = $3",
    );
    let moved = moved.bind(&table).bind(connection).bind(beside.to_string());
    session.tell(moved, doing).await?;
    let Old::Kept(name) = old else { return Ok(()) };
    let sql = "INSERT INTO _tributary.schema_changes VALUES \
         ($1, $2, $3, $4, NULL, 'change_mode', $5, $6, $7::timestamptz)";
    let query = sqlx::query(sql)
        .bind(&load.load_id)
        .bind(connection)
        .bind(plan.stream.to_string())
        .bind(&table)
        .bind(format!("kept as {name}"))
        .bind(format!("{:?}", plan.mode).to_lowercase())
        .bind(instant(load.started_at));
    session.tell(query, doing).await?;
    Ok(())
}

/// The last loads of a connection, the newest first.
pub(crate) async fn loads(
    session: &mut Session,
    of: &ConnectionName,
    limit: usize,
) -> Result<Vec<LoadRecord>> {
    if !exists(session, "loads").await? {
        return Ok(Vec::new());
    }
    let sql = "SELECT load_id, sequence, (extract(epoch FROM started_at) * 1000000)::bigint, \
         (extract(epoch FROM committed_at) * 1000000)::bigint, streams::text, from_cursor::text, \
         to_cursor::text FROM _tributary.loads WHERE connection = $1 ORDER BY sequence DESC LIMIT $2";
    let query = sqlx::query(sql)
        .bind(of.as_str())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX));
    let rows = session.ask(query, "reading the loads").await?;
    rows.iter().map(|row| read(row, of)).collect()
}

fn read(row: &PgRow, of: &ConnectionName) -> Result<LoadRecord> {
    let doing = "reading a load";
    let json = |index: usize| -> Result<Value> {
        let text: String = row.try_get(index).explain(doing)?;
        serde_json::from_str(&text).map_err(|cause| unreadable().because(cause))
    };
    let instant = |index: usize| -> Result<DateTime<Utc>> {
        let micros: i64 = row.try_get(index).explain(doing)?;
        DateTime::from_timestamp_micros(micros).ok_or_else(unreadable)
    };
    Ok(LoadRecord {
        load_id: row.try_get(0).explain(doing)?,
        connection: of.clone(),
        sequence: number(row, 1)?,
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
