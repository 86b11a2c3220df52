//! `tributary status`: how far every connection and stream has come, as the destination tells.
//!
//! Nothing but the destination is asked. What a cursor means is its connector's to say, which takes
//! no contact with the source.

mod beside;
mod text;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use tributary_config::{ConnectionPlan, Plan};
use tributary_engine::ErrorReport;
use tributary_model::{
    CursorSummary, ErrorKind, LoadRecord, Phase, Result, State, StreamName, now,
};

use crate::args::StatusArgs;
use crate::exit::{Exit, Failure};
use crate::neighbour;
use crate::session::{self, Session};
use crate::{output, registry};

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
    /// Reading stopped there: the next run begins it anew.
    Stopped,
    /// There was one, and it is forgotten: the next run begins it anew.
    Reset,
    /// It could not be found out.
    Unknown,
}

#[derive(Debug, Serialize)]
struct StreamStatus {
    stream: StreamName,
    state: Standing,
    phase: Option<Phase>,
    /// When the last load with rows of it committed.
    last_run: Option<String>,
    /// Its rows in that load.
    rows: Option<u64>,
    /// As for the connection, while the stream follows its source.
    lag_seconds: Option<f64>,
    cursor: Option<Value>,
    /// The cursor in words.
    position: Option<String>,
    /// Why it stopped.
    error: Option<String>,
}

/// Where a reading stands between the oldest and the newest entry of its source's log.
#[derive(Debug, Serialize)]
struct LogStatus {
    /// What is still to be read, bytes.
    behind_bytes: u64,
    /// What the source would have to delete before it comes to where we are, bytes.
    headroom_bytes: u64,
    /// How long until it deletes that, seconds.
    headroom_seconds: Option<f64>,
}

#[derive(Debug, Serialize)]
struct ConnectionStatus {
    connection: String,
    source: String,
    destination: String,
    schedule: String,
    state: Standing,
    /// When the last load committed.
    last_run: Option<String>,
    /// The rows of that load.
    rows: Option<u64>,
    /// How long ago that was: the destination is no further behind than what changed since.
    lag_seconds: Option<f64>,
    cursor: Option<Value>,
    /// The cursor in words.
    position: Option<String>,
    /// Where the reading that goes on stands in its source's log.
    log: Option<LogStatus>,
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
    output::present(args.output.output, &document, || text::all(&document));
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

/// What a destination knows of a connection.
struct Told<'a> {
    plan: &'a ConnectionPlan,
    /// The kind of the source.
    kind: &'a str,
    state: State,
    /// The newest first.
    loads: Vec<LoadRecord>,
    now: DateTime<Utc>,
}

async fn status(plan: &Plan, connection: &ConnectionPlan) -> ConnectionStatus {
    let asked = ask(plan, connection).await;
    let name = connection.options.name.as_str();
    if let Err(held) = &asked
        && held.kind() == ErrorKind::Unavailable
        && let Some(view) = neighbour::connection(plan, name).await
    {
        return beside::status(connection, &view);
    }
    let (state, loads, error) = match asked {
        Ok((state, loads)) => (state, loads, None),
        Err(error) => (None, Vec::new(), Some(ErrorReport::from(&error))),
    };
    let source = plan.sources.get(&connection.source);
    let told = Told {
        plan: connection,
        kind: source.map_or("", |source| source.kind.as_str()),
        state: state.unwrap_or_default(),
        loads,
        now: now(),
    };
    told.connection(error)
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

impl Told<'_> {
    fn connection(self, error: Option<ErrorReport>) -> ConnectionStatus {
        let last = self.loads.first();
        let has_cursor = self.state.shared.is_some() || !self.state.streams.is_empty();
        let summary = self.summary(self.state.shared.as_ref());
        ConnectionStatus {
            connection: self.plan.options.name.to_string(),
            source: self.plan.source.clone(),
            destination: self.plan.destination.clone(),
            schedule: self.plan.schedule.to_string(),
            state: match (&error, has_cursor, last) {
                (Some(_), _, _) => Standing::Unknown,
                (None, true, _) => Standing::Synced,
                (None, false, Some(_)) => Standing::Reset,
                (None, false, None) => Standing::NeverSynced,
            },
            last_run: last.map(moment),
            rows: last.map(rows_of),
            lag_seconds: last.map(|load| self.age(load)),
            position: summary.map(|summary| summary.words),
            log: None,
            streams: self
                .names()
                .into_iter()
                .map(|stream| self.stream(stream))
                .collect(),
            cursor: self.state.shared,
            error,
        }
    }

    /// The streams that are known without asking the source, as far as they are selected.
    fn names(&self) -> BTreeSet<StreamName> {
        let options = &self.plan.options;
        let exact = options.select.0.iter();
        let exact = exact.filter(|name| !name.contains(['*', '?', '!']));
        let mut names: BTreeSet<StreamName> =
            exact.map(|name| StreamName::from(name.clone())).collect();
        names.extend(self.state.streams.keys().cloned());
        names.extend(options.streams.keys().cloned());
        names.extend(
            self.loads
                .iter()
                .flat_map(|load| load.streams.keys().cloned()),
        );
        names.retain(|name| options.select.contains(name));
        names
    }

    fn stream(&self, stream: StreamName) -> StreamStatus {
        let cursor = self.state.streams.get(&stream);
        let summary = self.summary(cursor);
        let stopped = summary.as_ref().and_then(|summary| summary.stopped.clone());
        let phase = summary.as_ref().and_then(|summary| summary.phase);
        let last = self
            .loads
            .iter()
            .find(|load| load.streams.contains_key(&stream));
        // What a shared cursor has brought up to date, every load brings up to date.
        let newest = match self.state.shared {
            Some(_) => self.loads.first(),
            None => last,
        };
        let follows = cursor.is_some() && matches!(phase, None | Some(Phase::Streaming));
        StreamStatus {
            state: match (cursor, &stopped, last) {
                (Some(_), Some(_), _) => Standing::Stopped,
                (Some(_), None, _) => Standing::Synced,
                (None, _, Some(_)) => Standing::Reset,
                (None, _, None) => Standing::NeverSynced,
            },
            phase,
            last_run: last.map(moment),
            rows: last
                .and_then(|load| load.streams.get(&stream))
                .map(|count| count.rows_written),
            lag_seconds: newest.filter(|_| follows).map(|load| self.age(load)),
            cursor: cursor.cloned(),
            position: summary.map(|summary| summary.words),
            error: stopped,
            stream,
        }
    }

    fn summary(&self, cursor: Option<&Value>) -> Option<CursorSummary> {
        registry::summarize(self.kind, cursor?)
    }

    /// Seconds since a load committed; none where clocks disagree.
    fn age(&self, load: &LoadRecord) -> f64 {
        let age = self.now - load.committed_at;
        age.as_seconds_f64().max(0.0)
    }
}

fn rows_of(load: &LoadRecord) -> u64 {
    load.streams.values().map(|count| count.rows_written).sum()
}

fn moment(load: &LoadRecord) -> String {
    load.committed_at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}
