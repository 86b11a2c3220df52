//! The tables in the schema `_tributary`, and the state in them.
//!
//! `state` has a row for each stream with a cursor, and for each connection one row with the stream
//! `*`: the fence row, with the shared cursor, the epoch, and the number and identity of the last
//! load. And it has one row more, without names, which it is born with: whoever opens a connection
//! changes that one first.
//!
//! Why two openings are apart. An UPDATE locks what it changes until its transaction ends, and another
//! UPDATE of it waits. All openings change the nameless row first, which is there before any of them
//! (table and row are made by one statement). So they come one after the other; the second sees the
//! fence row that the first has made, and raises it. Why a load commits once is told in
//! [`crate::fence`]. // G7

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tributary_model::{ConnectionName, Error, ErrorKind, Fence, Result, State, StreamName, now};
use tributary_sql::Dialect;

use crate::answer::Rows;
use crate::client::{Client, Scope};
use crate::dialect::Snow;
use crate::error::DIVISION;
use crate::fence::guard;
use crate::remembered;
use crate::tables::{create, has, tables};

/// The version of the layout of these tables.
pub(crate) const FORMAT: u64 = 1;
/// The stream of the fence row.
pub(crate) const ALL: &str = "*";

/// Raises the connection's epoch, which fences everyone else off, and reads its state. // G7
pub(crate) async fn open(
    client: &Client,
    dialect: Snow,
    of: &ConnectionName,
) -> Result<(State, Fence)> {
    create(client, dialect).await?;
    refuse_newer_format(client, dialect).await?;
    let statements = opening(dialect, of);
    let place = statements.len() - 3;
    let done = client.submit(Scope::Database, &statements).await;
    let done = done.map_err(|failure| match failure.code.as_deref() {
        Some(DIVISION) => not_single(of),
        _ => failure.error.context("opening the connection"),
    })?;
    // Of this very transaction: what another opening does meanwhile is not taken for ours.
    let state = client.rows_of(&done, place).await?;
    let tables = client.rows_of(&done, place + 1).await?;
    let stored = read(&state.rows, &tables.rows)?;
    let stored =
        stored.ok_or_else(|| Error::bug(format!("the fence row of `{of}` is not there")))?;
    let fence = Fence {
        connection: of.clone(),
        epoch: stored.state.epoch,
        sequence: stored.sequence,
        last_load: stored.last_load,
    };
    Ok((stored.state, fence))
}

/// The transaction that opens a connection. Last come the two questions, and the commit.
fn opening(dialect: Snow, of: &ConnectionName) -> Vec<String> {
    let (state, name) = (dialect.own("state"), dialect.literal(of.as_str()));
    let column = |name: &str| dialect.quote(name);
    let (connection, stream) = (column("connection"), column("stream"));
    let (epoch, updated_at) = (column("epoch"), column("updated_at"));
    let at = instant(dialect, now());
    let fence = format!("{connection} = {name} AND {stream} = '{ALL}'");
    let new = [
        "connection",
        "stream",
        "epoch",
        "sequence",
        "format",
        "written_by",
        "updated_at",
    ];
    vec![
        "BEGIN TRANSACTION".to_owned(),
        format!("UPDATE {state} SET {updated_at} = {at} WHERE {connection} = '' AND {stream} = ''"),
        format!("UPDATE {state} SET {epoch} = {epoch} + 1, {updated_at} = {at} WHERE {fence}"),
        format!(
            "INSERT INTO {state} ({}) SELECT {name}, '{ALL}', 1, 0, {FORMAT}, {}, {at} \
             WHERE NOT EXISTS (SELECT 1 FROM {state} WHERE {fence})",
            new.map(column).join(", "),
            dialect.literal(env!("CARGO_PKG_VERSION"))
        ),
        guard(&state, &fence),
        question(dialect, of),
        remembered::question(dialect, of),
        "COMMIT".to_owned(),
    ]
}

fn not_single(of: &ConnectionName) -> Error {
    Error::new(
        ErrorKind::Incompatible,
        format!(
            "the connection `{of}` has more than one row with the stream `*` in `_tributary.state`"
        ),
    )
    .fix("Delete those that were put there by hand, and keep the one with the highest epoch.")
}

pub(crate) fn question(dialect: Snow, of: &ConnectionName) -> String {
    let columns =
        ["stream", "cursor", "epoch", "sequence", "load_id"].map(|name| dialect.quote(name));
    format!(
        "SELECT {} FROM {} WHERE {} = {}",
        columns.join(", "),
        dialect.own("state"),
        dialect.quote("connection"),
        dialect.literal(of.as_str())
    )
}

/// Reads the connection's state without changing anything, as of `at` where that is given; `None`
/// where it was never opened.
pub(crate) async fn peek(
    client: &Client,
    dialect: Snow,
    of: &ConnectionName,
    at: Option<&str>,
) -> Result<Option<State>> {
    if !has(dialect, &tables(client, dialect).await?, "state") {
        return Ok(None);
    }
    refuse_newer_format(client, dialect).await?;
    let doing = "reading the state";
    let as_of = |sql: String| match at {
        Some(at) => sql.replacen(" WHERE ", &format!(" {at} WHERE "), 1),
        None => sql,
    };
    let state = as_of(question(dialect, of));
    let state = client.ask(Scope::Database, &state, doing).await?;
    let tables = as_of(remembered::question(dialect, of));
    let tables = client.ask(Scope::Database, &tables, doing).await?;
    Ok(read(&state.rows, &tables.rows)?.map(|stored| stored.state))
}

/// Fails where a newer version wrote the state.
async fn refuse_newer_format(client: &Client, dialect: Snow) -> Result<()> {
    let (format, writer) = (dialect.quote("format"), dialect.quote("written_by"));
    let sql = format!(
        "SELECT {format}, COALESCE({writer}, 'a newer version') FROM {} WHERE {format} > {FORMAT} \
         ORDER BY {format} DESC, {writer} DESC LIMIT 1",
        dialect.own("state")
    );
    let rows = client
        .ask(Scope::Database, &sql, "reading the state's format")
        .await?;
    let Some(row) = rows.rows.first() else {
        return Ok(());
    };
    let (newest, writer) = (Rows::number(row, 0)?, Rows::text(row, 1)?);
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

/// What is stored of one connection.
#[derive(Debug)]
struct Stored {
    state: State,
    sequence: u64,
    last_load: Option<String>,
}

fn read(state: &[Vec<Option<String>>], tables: &[Vec<Option<String>>]) -> Result<Option<Stored>> {
    let tables = remembered::read(tables)?;
    let mut streams = BTreeMap::new();
    let mut fence = None;
    for row in state {
        let stream = Rows::text(row, 0)?;
        let cursor = parse(row.get(1).and_then(Option::as_deref))?;
        if stream == ALL {
            let last_load = row.get(4).cloned().flatten();
            fence = Some((
                cursor,
                Rows::number(row, 2)?,
                Rows::number(row, 3)?,
                last_load,
            ));
        } else if let Some(cursor) = cursor {
            streams.insert(StreamName::from(stream.to_owned()), cursor);
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

/// Writes the cursors that differ from what is stored; part of the load's transaction. // G1
pub(crate) fn advance(dialect: Snow, fence: &Fence, state: &State) -> Result<Vec<String>> {
    if state.streams.keys().any(|stream| stream.to_string() == ALL) {
        return Err(Error::bug(
            "a stream is called `*`, which is the name of the fence row",
        ));
    }
    let mut cursors: Vec<(String, String)> = state
        .streams
        .iter()
        .map(|(name, cursor)| (name.to_string(), cursor.to_string()))
        .collect();
    let shared = state.shared.as_ref().unwrap_or(&Value::Null);
    cursors.push((ALL.to_owned(), shared.to_string()));
    let own = [
        ("epoch", fence.epoch.to_string()),
        ("format", FORMAT.to_string()),
        ("written_by", dialect.literal(env!("CARGO_PKG_VERSION"))),
        ("updated_at", instant(dialect, now())),
    ];
    let rows = cursors
        .iter()
        .map(|(stream, cursor)| vec![stream.as_str(), cursor.as_str()]);
    let mut statements = replace_rows(dialect, "state", &fence.connection, &["cursor"], rows, &own);
    statements.extend(remembered::write(dialect, &fence.connection, &state.tables));
    Ok(statements)
}

/// The statements by which a table of ours has these rows of a connection, by their stream, and no
/// others. `own` are set with each row that is new or differs.
pub(crate) fn replace_rows<'v>(
    dialect: Snow,
    table: &str,
    of: &ConnectionName,
    columns: &[&str],
    rows: impl Iterator<Item = Vec<&'v str>>,
    own: &[(&str, String)],
) -> Vec<String> {
    let (table, name) = (dialect.own(table), dialect.literal(of.as_str()));
    let (connection, stream) = (dialect.quote("connection"), dialect.quote("stream"));
    let rows: Vec<Vec<String>> = rows
        .map(|row| {
            row.into_iter()
                .map(|value| dialect.literal(value))
                .collect()
        })
        .collect();
    // Of the fence row it is the transaction's own claim, which stays.
    let keys: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    let all = match keys.is_empty() {
        true => String::new(),
        false => format!(" AND {stream} NOT IN ({})", keys.join(", ")),
    };
    let mut statements = vec![format!(
        "DELETE FROM {table} WHERE {connection} = {name}{all}"
    )];
    if rows.is_empty() {
        return statements;
    }
    let values: Vec<String> = rows
        .iter()
        .map(|row| format!("({})", row.join(", ")))
        .collect();
    let quoted: Vec<String> = columns.iter().map(|column| dialect.quote(column)).collect();
    let differ: Vec<String> = quoted
        .iter()
        .map(|column| format!("t.{column} IS DISTINCT FROM s.{column}"))
        .collect();
    let sets = quoted.iter().map(|column| format!("{column} = s.{column}"));
    let own_sets = own
        .iter()
        .filter(|(column, _)| *column != "epoch")
        .map(|(column, value)| format!("{} = {value}", dialect.quote(column)));
    let sets: Vec<String> = sets.chain(own_sets).collect();
    let names = [connection.clone(), stream.clone()]
        .into_iter()
        .chain(quoted.clone());
    let names: Vec<String> = names
        .chain(own.iter().map(|(column, _)| dialect.quote(column)))
        .collect();
    let new = [name.clone(), format!("s.{stream}")].into_iter();
    let new = new.chain(quoted.iter().map(|column| format!("s.{column}")));
    let new: Vec<String> = new
        .chain(own.iter().map(|(_, value)| value.clone()))
        .collect();
    statements.push(format!(
        "MERGE INTO {table} AS t USING (SELECT * FROM (VALUES {}) AS v ({stream}, {})) AS s \
         ON t.{connection} = {name} AND t.{stream} = s.{stream} \
         WHEN MATCHED AND ({}) THEN UPDATE SET {} WHEN NOT MATCHED THEN INSERT ({}) VALUES ({})",
        values.join(", "),
        quoted.join(", "),
        differ.join(" OR "),
        sets.join(", "),
        names.join(", "),
        new.join(", ")
    ));
    statements
}

/// An instant, as SQL: a number, as texts are read in the formats of the account.
pub(crate) fn instant(dialect: Snow, at: DateTime<Utc>) -> String {
    dialect.instant(&at.timestamp_micros().to_string())
}
