//! `_tributary.loads` and `_tributary.schema_changes`: what happened, written with it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tributary_model::{
    Commit, ConnectionName, Error, ErrorKind, Fence, LoadPlan, LoadRecord, Old, Result, State,
    StreamCount, StreamName, TableName, TablePlan,
};
use tributary_sql::{Dialect, Step, corrected};

use crate::answer::Rows;
use crate::client::{Client, Scope};
use crate::dialect::Snow;
use crate::system::instant;
use crate::tables;

/// The statement that writes the row of a load, its counts corrected by the rows that it rejected
/// itself. `staged` is how many bytes went through the bucket.
pub(crate) fn record(
    dialect: Snow,
    plan: &LoadPlan,
    fence: &Fence,
    commit: &Commit,
    (rejected, staged): (&BTreeMap<StreamName, u64>, u64),
) -> Result<String> {
    let streams = corrected(&commit.streams, rejected);
    let sum = |of: fn(&StreamCount) -> u64| streams.values().map(of).sum::<u64>().to_string();
    let duration = commit.committed_at - plan.started_at;
    let counts = serde_json::to_string(&streams)
        .map_err(|cause| Error::bug("counts can't be written as JSON").because(cause))?;
    let values = [
        ("load_id", dialect.literal(&plan.load_id)),
        ("connection", dialect.literal(plan.connection.as_str())),
        ("sequence", fence.sequence.to_string()),
        ("started_at", instant(dialect, plan.started_at)),
        ("committed_at", instant(dialect, commit.committed_at)),
        ("duration_seconds", duration.as_seconds_f64().to_string()),
        ("rows_read", sum(|count| count.rows_read)),
        ("rows_written", sum(|count| count.rows_written)),
        ("rows_rejected", sum(|count| count.rows_rejected)),
        ("bytes_read", sum(|count| count.bytes_read)),
        ("bytes_staged", staged.to_string()),
        (
            "from_cursor",
            dialect.literal(&cursors(&commit.before).to_string()),
        ),
        (
            "to_cursor",
            dialect.literal(&cursors(&commit.state).to_string()),
        ),
        ("streams", dialect.literal(&counts)),
    ];
    Ok(insert(dialect, "loads", &values))
}

fn insert(dialect: Snow, table: &str, values: &[(&str, String)]) -> String {
    let names: Vec<String> = values.iter().map(|(name, _)| dialect.quote(name)).collect();
    let values: Vec<&str> = values.iter().map(|(_, value)| value.as_str()).collect();
    format!(
        "INSERT INTO {} ({}) SELECT {}",
        dialect.own(table),
        names.join(", "),
        values.join(", ")
    )
}

fn cursors(state: &State) -> Value {
    json!({"shared": state.shared, "streams": state.streams})
}

/// The statements that note a table's changes. A change of layout is not undone with its load: it is
/// noted when it is made.
pub(crate) fn note_changes(
    dialect: Snow,
    load: &LoadPlan,
    plan: &TablePlan,
    steps: &[Step],
) -> Vec<String> {
    let note = |step: &Step| {
        let (change, column, from) = match step {
            Step::CreateSchema { .. } => return None,
            Step::CreateTable { .. } => ("create_table", None, None),
            Step::AddColumn { column, .. } => ("add_column", Some(column), None),
            Step::WidenType { column, from, .. } => {
                ("widen_type", Some(column), dialect.type_name(*from))
            }
        };
        Some(change_row(
            dialect,
            load,
            plan,
            (
                column.map(|column| column.name.as_str()),
                change,
                from.as_deref(),
                column.map(|column| column.sql_type.as_str()),
            ),
        ))
    };
    steps.iter().filter_map(note).collect()
}

type ChangeOf<'a> = (Option<&'a str>, &'a str, Option<&'a str>, Option<&'a str>);

fn change_row(dialect: Snow, load: &LoadPlan, plan: &TablePlan, of: ChangeOf<'_>) -> String {
    let (column, change, from, to) = of;
    let values = [
        ("load_id", dialect.literal(&load.load_id)),
        ("connection", dialect.literal(load.connection.as_str())),
        ("stream", dialect.literal(&plan.stream.to_string())),
        ("table", dialect.literal(&plan.table.to_string())),
        ("column", dialect.text(column)),
        ("change", dialect.literal(change)),
        ("from_type", dialect.text(from)),
        ("to_type", dialect.text(to)),
        ("changed_at", instant(dialect, load.started_at)),
    ];
    insert(dialect, "schema_changes", &values)
}

/// The statements that give what was noted of a table beside the name that it has now; and note that a
/// table was kept in another mode until now, and what it is called.
pub(crate) fn note_swap(
    dialect: Snow,
    load: &LoadPlan,
    plan: &TablePlan,
    beside: &TableName,
    old: &Old,
) -> Vec<String> {
    let table = dialect.quote("table");
    let mut statements = vec![format!(
        "UPDATE {} SET {table} = {} WHERE {} = {} AND {table} = {}",
        dialect.own("schema_changes"),
        dialect.literal(&plan.table.to_string()),
        dialect.quote("connection"),
        dialect.literal(load.connection.as_str()),
        dialect.literal(&beside.to_string())
    )];
    if let Old::Kept(name) = old {
        let mode = format!("{:?}", plan.mode).to_lowercase();
        let kept = format!("kept as {name}");
        let of = (
            None,
            "change_mode",
            Some(kept.as_str()),
            Some(mode.as_str()),
        );
        statements.push(change_row(dialect, load, plan, of));
    }
    statements
}

/// The last loads of a connection, the newest first.
pub(crate) async fn loads(
    client: &Client,
    dialect: Snow,
    of: &ConnectionName,
    limit: usize,
) -> Result<Vec<LoadRecord>> {
    if !tables::has(dialect, &tables::tables(client, dialect).await?, "loads") {
        return Ok(Vec::new());
    }
    let column = |name: &str| dialect.quote(name);
    let micros = |name: &str| dialect.micros(&column(name));
    let sql = format!(
        "SELECT {}, {}, {}, {}, {}, {}, {} FROM {} WHERE {} = {} ORDER BY {} DESC LIMIT {limit}",
        column("load_id"),
        column("sequence"),
        micros("started_at"),
        micros("committed_at"),
        column("streams"),
        column("from_cursor"),
        column("to_cursor"),
        dialect.own("loads"),
        column("connection"),
        dialect.literal(of.as_str()),
        column("sequence"),
    );
    let rows = client
        .ask(Scope::Database, &sql, "reading the loads")
        .await?;
    rows.rows.iter().map(|row| read(row, of)).collect()
}

fn read(row: &[Option<String>], of: &ConnectionName) -> Result<LoadRecord> {
    let json = |place: usize| -> Result<Value> {
        serde_json::from_str(Rows::text(row, place)?).map_err(|cause| unreadable().because(cause))
    };
    let instant = |place: usize| -> Result<DateTime<Utc>> {
        let micros = Rows::text(row, place)?.parse().map_err(|_| unreadable())?;
        DateTime::from_timestamp_micros(micros).ok_or_else(unreadable)
    };
    Ok(LoadRecord {
        load_id: Rows::text(row, 0)?.to_owned(),
        connection: of.clone(),
        sequence: Rows::number(row, 1)?,
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
