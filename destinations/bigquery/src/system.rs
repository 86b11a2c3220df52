//! The tables in the dataset `_tributary`, and the state in them.
//!
//! Each connection has a state table of its own, since two transactions that change one table can't
//! run side by side in BigQuery: unrelated connections must not wait for one another. It has a row for
//! each stream with a cursor, and one with the stream `*`: the fence row, with the shared cursor, the
//! epoch, and the number and identity of the last load. `_tributary.state` is a view of all of them. The
//! other tables only get rows inserted by loads, which disturbs nobody.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tributary_model::{
    ConnectionName, Error, ErrorKind, Fence, Remembered, Result, State, StreamName, TableName, now,
};
use tributary_sql::Dialect;

use crate::client::Client;
use crate::dialect::literal;
use crate::layout::create_schema;
use crate::names::dataset_id;
use crate::script::{FENCED, together};

/// The version of the layout of these tables.
pub(crate) const FORMAT: u64 = 1;
/// The stream of the fence row.
pub(crate) const ALL: &str = "*";
/// The dataset.
pub(crate) const SCHEMA: &str = "_tributary";

/// The tables that all connections share, with their columns.
pub(crate) const SHARED: [(&str, &str); 3] = [
    (
        "loads",
        "load_id STRING, connection STRING, sequence INT64, started_at TIMESTAMP, \
         committed_at TIMESTAMP, duration_seconds FLOAT64, rows_read INT64, rows_written INT64, \
         rows_rejected INT64, bytes_read INT64, from_cursor STRING, to_cursor STRING, streams STRING",
    ),
    (
        "rejected",
        "load_id STRING, connection STRING, stream STRING, `table` STRING, `column` STRING, \
         `value` STRING, reason STRING, `row` STRING, hidden STRING, rejected_at TIMESTAMP",
    ),
    (
        "schema_changes",
        "load_id STRING, connection STRING, stream STRING, `table` STRING, `column` STRING, \
         `change` STRING, from_type STRING, to_type STRING, changed_at TIMESTAMP",
    ),
];
const STATE: &str = "connection STRING, stream STRING, `cursor` STRING, epoch INT64, \
     sequence INT64, load_id STRING, format INT64, written_by STRING, updated_at TIMESTAMP, \
     opened_by STRING, `table` STRING, names STRING, ways STRING";
/// All of its columns but those that only the fence row needs.
const STATE_COLUMNS: &str =
    "connection, stream, `cursor`, epoch, format, written_by, updated_at, `table`, names, ways";

/// What is stored of one connection.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) state: State,
    pub(crate) sequence: u64,
    pub(crate) last_load: Option<String>,
    opened_by: Option<String>,
}

/// The table of a connection's state.
pub(crate) fn state_table(of: &ConnectionName) -> TableName {
    // Names of datasets are the strictest: so a wildcard finds it.
    own(&format!("state_{}", dataset_id(of.as_str())))
}

/// One of our own tables.
pub(crate) fn own(table: &str) -> TableName {
    TableName {
        schema: SCHEMA.to_owned(),
        table: table.to_owned(),
    }
}

/// Raises the connection's epoch, which fences everyone else off, and reads its state. // G7
pub(crate) async fn open(client: &Client, of: &ConnectionName) -> Result<(State, Fence)> {
    create(client, of).await?;
    refuse_newer_format(client, of).await?;
    let me = uuid::Uuid::new_v4().simple().to_string();
    client
        .change(&raise(client, of, &me), "raising the connection's epoch")
        .await?;
    let stored = read(client, of).await?.ok_or_else(|| no_fence_row(of))?;
    // Another opening may have come in between: its epoch is not ours.
    if stored.opened_by.as_deref() != Some(me.as_str()) {
        return Err(fenced(of));
    }
    let fence = Fence {
        connection: of.clone(),
        epoch: stored.state.epoch,
        sequence: stored.sequence,
        last_load: stored.last_load,
    };
    Ok((stored.state, fence))
}

/// One statement, so that two openings at once come one after the other.
fn raise(client: &Client, of: &ConnectionName, me: &str) -> String {
    format!(
        "MERGE INTO {} AS t USING (SELECT '{ALL}' AS stream) AS s ON t.stream = s.stream \
         WHEN MATCHED THEN UPDATE SET epoch = t.epoch + 1, opened_by = '{me}', updated_at = {at} \
         WHEN NOT MATCHED THEN INSERT (connection, stream, epoch, sequence, format, written_by, updated_at, opened_by) \
         VALUES ({}, '{ALL}', 1, 0, {FORMAT}, '{}', {at}, '{me}')",
        client.dialect.table(&state_table(of)),
        literal(of.as_str()),
        env!("CARGO_PKG_VERSION"),
        at = instant(now()),
    )
}

/// Makes what is missing of the dataset and its tables.
pub(crate) async fn create(client: &Client, of: &ConnectionName) -> Result<()> {
    let state = state_table(of);
    if client.tables.find(&state).await?.columns.is_some() {
        return Ok(());
    }
    let table = |name: &TableName, columns: &str| {
        let name = client.dialect.table(name);
        format!("CREATE TABLE IF NOT EXISTS {name} ({columns})")
    };
    let dataset = create_schema(&client.dialect, SCHEMA, &client.settings.location);
    let doing = "making the tables of `_tributary`";
    client.jobs.run(&together(&[dataset]), doing).await?;
    let mut statements: Vec<String> = SHARED
        .iter()
        .map(|(name, columns)| table(&own(name), columns))
        .collect();
    // Last: where it is there, everything is.
    statements.push(table(&state, STATE));
    client.jobs.run(&together(&statements), doing).await?;
    let view = format!(
        "CREATE VIEW IF NOT EXISTS {} AS SELECT connection, stream, `cursor`, epoch, sequence, load_id, updated_at FROM `{}.{SCHEMA}.state_*`",
        client.dialect.table(&own("state")),
        client.settings.project,
    );
    // For people only: nothing of ours reads it.
    if let Err(error) = client.jobs.run(&together(&[view]), doing).await {
        tracing::debug!(%error, "the view of the state could not be made");
    }
    Ok(())
}

/// Reads the connection's state without changing anything; `None` where it was never opened.
pub(crate) async fn peek(client: &Client, of: &ConnectionName) -> Result<Option<State>> {
    if client
        .tables
        .find(&state_table(of))
        .await?
        .columns
        .is_none()
    {
        return Ok(None);
    }
    refuse_newer_format(client, of).await?;
    Ok(read(client, of).await?.map(|stored| stored.state))
}

/// Fails where a newer version wrote the state.
async fn refuse_newer_format(client: &Client, of: &ConnectionName) -> Result<()> {
    let sql = format!(
        "SELECT CAST(format AS STRING), written_by FROM {} WHERE format > {FORMAT} \
         ORDER BY format DESC LIMIT 1",
        client.dialect.table(&state_table(of))
    );
    let rows = client.jobs.ask(&sql, "reading the state's format").await?;
    let Some(row) = rows.texts().next() else {
        return Ok(());
    };
    let text = |at: usize| row.get(at).copied().flatten().unwrap_or("?");
    let (newest, writer) = (text(0), text(1));
    Err(Error::new(
        ErrorKind::Incompatible,
        format!(
            "the state in this project has format {newest}, written by Tributary {writer}; \
             this is version {} and knows format {FORMAT}",
            env!("CARGO_PKG_VERSION")
        ),
    )
    .fix(format!(
        "Use Tributary {writer} or newer; nothing was changed."
    )))
}

/// What is stored of a connection that was opened before.
pub(crate) async fn read(client: &Client, of: &ConnectionName) -> Result<Option<Stored>> {
    let sql = format!(
        "SELECT stream, `cursor`, CAST(epoch AS STRING) AS epoch, CAST(sequence AS STRING) AS sequence, \
         load_id, opened_by, `table`, names, ways FROM {}",
        client.dialect.table(&state_table(of))
    );
    let rows = client.jobs.ask(&sql, "reading the state").await?;
    let (mut streams, mut tables) = (BTreeMap::new(), BTreeMap::new());
    let mut fence = None;
    for row in rows.texts() {
        let text = |at: usize| row.get(at).copied().flatten();
        let number = |at: usize| text(at).and_then(|text| text.parse::<u64>().ok());
        let stream = text(0).unwrap_or_default();
        let cursor = parse(text(1))?;
        if stream == ALL {
            let load = text(4).map(str::to_owned);
            let me = text(5).map(str::to_owned);
            fence = Some((cursor, number(2), number(3), load, me));
            continue;
        }
        let stream = StreamName::from(stream.to_owned());
        streams.extend(cursor.map(|cursor| (stream.clone(), cursor)));
        if let Some(table) = text(6) {
            let known = Remembered {
                table: table.to_owned(),
                names: known(text(7)),
                ways: known(text(8)),
            };
            tables.insert(stream, known);
        }
    }
    Ok(
        fence.map(|(shared, epoch, sequence, last_load, opened_by)| Stored {
            state: State {
                epoch: epoch.unwrap_or_default(),
                shared,
                streams,
                tables,
            },
            sequence: sequence.unwrap_or_default(),
            last_load,
            opened_by,
        }),
    )
}

/// What can't be read is not remembered: nothing depends on it but the names of later columns.
fn known<T: serde::de::DeserializeOwned + Default>(json: Option<&str>) -> T {
    json.and_then(|json| serde_json::from_str(json).ok())
        .unwrap_or_default()
}

fn parse(cursor: Option<&str>) -> Result<Option<Value>> {
    match cursor.map(serde_json::from_str) {
        None | Some(Ok(Value::Null)) => Ok(None),
        Some(Ok(value)) => Ok(Some(value)),
        Some(Err(cause)) => Err(Error::new(
            ErrorKind::Incompatible,
            "a cursor in `_tributary.state` is not JSON",
        )
        .because(cause)
        .fix("Undo what was changed there by hand, or start again with `tributary state reset`.")),
    }
}

/// Refuses a load that could not commit, before it has cost anything.
pub(crate) async fn stored_for(client: &Client, fence: &Fence) -> Result<Stored> {
    let of = &fence.connection;
    let stored = read(client, of).await?.ok_or_else(|| no_fence_row(of))?;
    match (stored.state.epoch, stored.sequence) == (fence.epoch, fence.sequence) {
        true => Ok(stored),
        false => Err(fenced(of)),
    }
}

/// Ends a script that a newer opening of the connection has overtaken. // G7
pub(crate) fn guard(client: &Client, fence: &Fence) -> String {
    format!(
        "IF IFNULL((SELECT MAX(epoch) FROM {} WHERE stream = '{ALL}'), -1) != {} \
         THEN RAISE USING MESSAGE = '{FENCED}'; END IF",
        client.dialect.table(&state_table(&fence.connection)),
        fence.epoch
    )
}

/// Claims the next load and moves the shared cursor: the first change of its transaction. // G1 G7
pub(crate) fn claim(client: &Client, fence: &Fence, load_id: &str, state: &State) -> String {
    let shared = state
        .shared
        .as_ref()
        .map_or("NULL".to_owned(), |value| literal(&value.to_string()));
    format!(
        "UPDATE {} SET sequence = {}, load_id = {}, `cursor` = {shared}, updated_at = {}, \
         written_by = '{}' WHERE stream = '{ALL}' AND epoch = {} AND sequence = {}",
        client.dialect.table(&state_table(&fence.connection)),
        fence.sequence + 1,
        literal(load_id),
        instant(now()),
        env!("CARGO_PKG_VERSION"),
        fence.epoch,
        fence.sequence
    )
}

/// Writes what differs from what is stored; part of the load's transaction. // G1
pub(crate) fn advance(
    client: &Client,
    fence: &Fence,
    stored: &State,
    state: &State,
) -> Result<Vec<String>> {
    let names = state.streams.keys().chain(state.tables.keys());
    let mut rows: BTreeMap<&StreamName, [Option<String>; 4]> = BTreeMap::new();
    for name in names {
        if name.to_string() == ALL {
            return Err(Error::bug(
                "a stream is called `*`, which is the name of the fence row",
            ));
        }
        let row = row(state, name);
        if row != self::row(stored, name) {
            rows.insert(name, row);
        }
    }
    let had = stored.streams.keys().chain(stored.tables.keys());
    let is_gone = |name: &&StreamName| {
        !state.streams.contains_key(*name) && !state.tables.contains_key(*name)
    };
    let gone = had.filter(is_gone).chain(rows.keys().copied());
    let gone: Vec<String> = gone.map(|name| literal(&name.to_string())).collect();
    if gone.is_empty() {
        return Ok(Vec::new());
    }
    let table = client.dialect.table(&state_table(&fence.connection));
    let mut statements = vec![format!(
        "DELETE FROM {table} WHERE stream IN ({})",
        gone.join(", ")
    )];
    let connection = literal(fence.connection.as_str());
    let value = |text: &Option<String>| match text {
        Some(text) => literal(text),
        None => "CAST(NULL AS STRING)".to_owned(),
    };
    let lines: Vec<String> = rows
        .iter()
        .map(|(name, [cursor, of, names, ways])| {
            format!(
                "({connection}, {}, {}, {}, {FORMAT}, '{}', {}, {}, {}, {})",
                literal(&name.to_string()),
                value(cursor),
                fence.epoch,
                env!("CARGO_PKG_VERSION"),
                instant(now()),
                value(of),
                value(names),
                value(ways)
            )
        })
        .collect();
    if !lines.is_empty() {
        let lines = lines.join(", ");
        statements.push(format!(
            "INSERT INTO {table} ({STATE_COLUMNS}) VALUES {lines}"
        ));
    }
    Ok(statements)
}

/// What is stored of a stream: its cursor, and what is remembered of its table.
fn row(state: &State, name: &StreamName) -> [Option<String>; 4] {
    let table = state.tables.get(name);
    [
        state.streams.get(name).map(Value::to_string),
        table.map(|known| known.table.clone()),
        table.map(|known| json!(known.names).to_string()),
        table.map(|known| json!(known.ways).to_string()),
    ]
}

/// The error of a load whose connection someone else has taken over.
pub(crate) fn fenced(of: &ConnectionName) -> Error {
    Error::new(
        ErrorKind::Fenced,
        format!("another run of the connection `{of}` has taken over; this one wrote nothing"),
    )
    .fix("Let one process at a time run a connection.")
}

fn no_fence_row(of: &ConnectionName) -> Error {
    Error::new(
        ErrorKind::Incompatible,
        format!("the state of `{of}` is gone from `_tributary`"),
    )
    .fix("Restore the table from its history, or start again with `tributary state reset`.")
}

/// An instant as SQL.
pub(crate) fn instant(at: DateTime<Utc>) -> String {
    format!("TIMESTAMP '{}+00:00'", at.format("%Y-%m-%d %H:%M:%S%.6f"))
}
