//! `tributary status`: how far every connection and stream has come, as the destination tells.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;
use tributary_config::{ConnectionPlan, Plan};
use tributary_engine::ErrorReport;
use tributary_model::{LoadRecord, Result, State, StreamName};

use crate::args::StatusArgs;
use crate::exit::{Exit, Failure};
use crate::output;
use crate::session::{self, Session};
use crate::table::{Table, thousands};

/// How many loads back the last one of a stream is looked for.
const LOADS: usize = 100;

/// Where something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Standing {
    /// There is no cursor yet.
    NeverSynced,
    /// There is one: the next run goes on from it.
    Synced,
    /// It could not be found out.
    Unknown,
}

#[derive(Debug, Serialize)]
struct StreamStatus {
    stream: StreamName,
    state: Standing,
    last_load: Option<String>,
    rows: Option<u64>,
    cursor: Option<Value>,
}

#[derive(Debug, Serialize)]
struct ConnectionStatus {
    connection: String,
    schedule: String,
    state: Standing,
    last_run: Option<String>,
    rows: Option<u64>,
    lag_seconds: Option<f64>,
    cursor: Option<Value>,
    streams: Vec<StreamStatus>,
    error: Option<ErrorReport>,
}

#[derive(Debug, Serialize)]
struct Document {
    connections: Vec<ConnectionStatus>,
}

pub(crate) async fn run(args: &StatusArgs, session: &Session) -> Result<Exit, Failure> {
    let plan = session.plan()?;
    let mut connections = Vec::new();
    for connection in session::connections(&plan, &args.connections)? {
        connections.push(status(&plan, connection).await);
    }
    let failed = connections
        .iter()
        .any(|connection| connection.error.is_some());
    let document = Document { connections };
    output::present(args.output.output, &document, || text(&document));
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

async fn status(plan: &Plan, connection: &ConnectionPlan) -> ConnectionStatus {
    let told = ask(plan, connection).await;
    let (state, loads, error) = match told {
        Ok((state, loads)) => (state, loads, None),
        Err(error) => (None, Vec::new(), Some(ErrorReport::from(&error))),
    };
    let last = loads.first();
    let standing = match (&error, &state) {
        (Some(_), _) => Standing::Unknown,
        (None, Some(state)) if state.shared.is_some() || !state.streams.is_empty() => {
            Standing::Synced
        }
        (None, _) => Standing::NeverSynced,
    };
    let state = state.unwrap_or_default();
    ConnectionStatus {
        connection: connection.options.name.to_string(),
        schedule: connection.schedule.to_string(),
        state: standing,
        last_run: last.map(moment),
        rows: last.map(rows_of),
        lag_seconds: None,
        streams: streams(connection, &state, &loads),
        cursor: state.shared,
        error,
    }
}

async fn ask(plan: &Plan, of: &ConnectionPlan) -> Result<(Option<State>, Vec<LoadRecord>)> {
    let destination = session::destination(plan, &of.destination).await?;
    let state = destination.peek(&of.options.name).await?;
    let loads = match state {
        Some(_) => destination.loads(&of.options.name, LOADS).await?,
        None => Vec::new(),
    };
    Ok((state, loads))
}

/// The streams that are known without asking the source.
fn streams(connection: &ConnectionPlan, state: &State, loads: &[LoadRecord]) -> Vec<StreamStatus> {
    let mut names: BTreeSet<&StreamName> = state.streams.keys().collect();
    names.extend(connection.options.streams.keys());
    names.extend(loads.iter().flat_map(|load| load.streams.keys()));
    let latest: BTreeMap<&StreamName, &LoadRecord> = loads
        .iter()
        .rev()
        .flat_map(|load| load.streams.keys().map(move |stream| (stream, load)))
        .collect();
    names
        .into_iter()
        .map(|stream| StreamStatus {
            stream: stream.clone(),
            state: match state.streams.contains_key(stream) || latest.contains_key(stream) {
                true => Standing::Synced,
                false => Standing::NeverSynced,
            },
            last_load: latest.get(stream).map(|load| moment(load)),
            rows: latest
                .get(stream)
                .and_then(|load| load.streams.get(stream))
                .map(|count| count.rows_written),
            cursor: state.streams.get(stream).cloned(),
        })
        .collect()
}

fn rows_of(load: &LoadRecord) -> u64 {
    load.streams.values().map(|count| count.rows_written).sum()
}

fn moment(load: &LoadRecord) -> String {
    load.committed_at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn text(document: &Document) -> String {
    let mut text = String::new();
    for connection in &document.connections {
        text += &heading(connection);
        if connection.streams.is_empty() {
            continue;
        }
        let mut table = Table::new(["stream", "state", "last load", "rows", "cursor"]).numbers([3]);
        for stream in &connection.streams {
            table.row([
                stream.stream.to_string(),
                word(stream.state).to_owned(),
                stream.last_load.clone().unwrap_or_default(),
                stream.rows.map(thousands).unwrap_or_default(),
                stream
                    .cursor
                    .as_ref()
                    .map(Value::to_string)
                    .unwrap_or_default(),
            ]);
        }
        text += &table.render(2);
        text.push('\n');
    }
    text
}

fn heading(connection: &ConnectionStatus) -> String {
    let name = &connection.connection;
    let schedule = &connection.schedule;
    let mut text = format!("{name}: {} ({schedule})\n", word(connection.state));
    if let Some(error) = &connection.error {
        text += &format!("  error: {}\n", error.message);
    }
    if let (Some(at), Some(rows)) = (&connection.last_run, connection.rows) {
        text += &format!("  last load {at}, {} rows\n", thousands(rows));
    }
    if let Some(cursor) = &connection.cursor {
        text += &format!("  cursor {cursor}\n");
    }
    text
}

fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::NeverSynced => "never synced",
        Standing::Synced => "synced",
        Standing::Unknown => "unknown",
    }
}
