//! A manifest tried out on recorded exchanges: no network, no account, the same engine.

pub(crate) mod recorded;

use std::collections::BTreeMap;

use futures::future;
use serde_json::{Map, Value};
use tributary_model::{
    AnyOutput, ChangeBatch, Error, Message, Op, Output, ReadRequest, Result, Rows, State, Until,
};

use crate::api::Api;
use crate::cursor::Cursor;
use crate::manifest::Manifest;
use crate::manifest::settings::Kind;
use crate::problem::{Log, Problems};

use recorded::Recorded;

/// Bytes in flight.
const BUDGET: usize = 64 << 20;

/// What came of a trial.
#[derive(Clone, Debug, Default)]
pub struct Trial {
    /// Each stream that was asked for by an exchange or is expected, by name.
    pub streams: Vec<Tried>,
    /// What is wrong, a sentence each; empty where all is well.
    pub mistakes: Vec<String>,
}

/// How a stream came out.
#[derive(Clone, Debug, Default)]
pub struct Tried {
    /// Its name.
    pub stream: String,
    /// Rows that came.
    pub rows: usize,
    /// Rows that were said to be gone.
    pub deletes: usize,
    /// Its columns and their types.
    pub columns: BTreeMap<String, String>,
}

/// Reads a manifest's streams from recorded exchanges. `fixtures` are files by name.
///
/// # Errors
/// The mistakes of a fixture, or settings that are missing.
pub async fn trial(manifest: Manifest, fixtures: &[(String, String)]) -> Result<Trial> {
    let mut script = recorded::Script::default();
    for (name, text) in fixtures {
        let mut log = Log::default();
        let read = recorded::read(text, &mut log);
        match read {
            Some(more) if log.is_empty() => script.extend(more),
            _ => return Err(unreadable(log.close(name))),
        }
    }
    let settings = settings(&manifest, &script.settings);
    let api = Api::replaying(
        manifest,
        &settings,
        Recorded::new(script.exchanges, script.at),
    )?;
    let (messages, failed) = run(&api).await;
    let mut trial = tell(&messages, &script.expected);
    trial.mistakes.extend(failed.map(|error| error.to_string()));
    if let Some(recorded) = api.recorded() {
        trial.mistakes.extend(recorded.complaints());
    }
    trial.mistakes.sort();
    trial.mistakes.dedup();
    Ok(trial)
}

fn unreadable(problems: Problems) -> Error {
    Error::new(
        tributary_model::ErrorKind::Config,
        "the fixtures have mistakes",
    )
    .because(problems)
}

/// Settings that the fixtures do not give get values that mean nothing.
fn settings(manifest: &Manifest, given: &Map<String, Value>) -> Map<String, Value> {
    let mut settings = given.clone();
    for (name, setting) in &manifest.settings {
        if settings.contains_key(name) || setting.optional || setting.default.is_some() {
            continue;
        }
        let value = match setting.kind {
            Kind::Text | Kind::Secret => Value::from(format!("some-{name}")),
            Kind::Number => Value::from(1000),
            Kind::Date => Value::from("2024-01-01"),
            Kind::List => Value::Array(Vec::new()),
        };
        settings.insert(name.clone(), value);
    }
    settings
}

async fn run(api: &Api) -> (Vec<Message>, Option<Error>) {
    let catalog = api.discover();
    let recorded = api.recorded();
    let streams: Vec<_> = catalog
        .streams
        .into_iter()
        .filter(|stream| recorded.is_none_or(|it| api.is_told_of(&stream.name.name, it)))
        .collect();
    let (pipe, mut receiver) = AnyOutput::new(BUDGET);
    let reading = async {
        let out: Output<Cursor> = Output::new(pipe);
        let state = State::default();
        let request = ReadRequest {
            streams: &streams,
            state: &state,
            until: Until::Now,
        };
        api.read(request, &out).await
    };
    let taking = async {
        let mut messages = Vec::new();
        while let Some(envelope) = receiver.recv().await {
            messages.push(envelope.message);
        }
        messages
    };
    let (read, messages) = future::join(reading, taking).await;
    (messages, read.err())
}

fn tell(messages: &[Message], expected: &BTreeMap<String, Value>) -> Trial {
    let mut found: BTreeMap<String, (Tried, Vec<Map<String, Value>>)> = BTreeMap::new();
    let mut trial = Trial::default();
    for message in messages {
        match message {
            Message::Rows {
                stream,
                rows: Rows::Arrow(batch),
            } => {
                let (tried, rows) = found.entry(stream.to_string()).or_default();
                let deletes = batch.ops.iter().filter(|op| **op == Op::Delete).count();
                tried.deletes += deletes;
                tried.rows += batch.ops.len() - deletes;
                for column in &batch.schema.columns {
                    tried
                        .columns
                        .insert(column.name.clone(), column.data_type.to_string());
                }
                rows.extend(objects(batch));
            }
            Message::Failed { stream, error } => {
                trial.mistakes.push(format!("{stream} failed: {error}"));
            }
            Message::Rows {
                rows: Rows::Json(_),
                ..
            }
            | Message::Truncate { .. }
            | Message::Clear { .. }
            | Message::Generation { .. }
            | Message::Rejected(_)
            | Message::Checkpoint(_)
            | Message::Complete { .. }
            | Message::Phase { .. } => {}
        }
    }
    for (stream, wanted) in expected {
        let none = Vec::new();
        let rows = found.get(stream).map_or(&none, |(_, rows)| rows);
        trial.mistakes.extend(differences(stream, wanted, rows));
    }
    trial.streams = found
        .into_iter()
        .map(|(stream, (tried, _))| Tried { stream, ..tried })
        .collect();
    trial
}

/// What is not as expected: a number of rows, or rows of which some fields are named.
fn differences(stream: &str, wanted: &Value, rows: &[Map<String, Value>]) -> Vec<String> {
    let Value::Array(wanted) = wanted else {
        let count = wanted
            .as_u64()
            .and_then(|count| usize::try_from(count).ok());
        return match count == Some(rows.len()) {
            true => Vec::new(),
            false => vec![format!(
                "{stream} has {} rows, and {wanted} are expected",
                rows.len()
            )],
        };
    };
    let mut wrong = Vec::new();
    if wanted.len() != rows.len() {
        let (found, expected) = (rows.len(), wanted.len());
        wrong.push(format!(
            "{stream} has {found} rows, and {expected} are expected"
        ));
    }
    let fits = |row: &Map<String, Value>, fields: &Map<String, Value>| {
        let same =
            |(name, value): (&String, &Value)| row.get(name).unwrap_or(&Value::Null) == value;
        fields.iter().all(same)
    };
    for fields in wanted.iter().filter_map(Value::as_object) {
        if !rows.iter().any(|row| fits(row, fields)) {
            let text = Value::Object(fields.clone());
            wrong.push(format!("{stream} has no row with {text}"));
        }
    }
    wrong
}

/// The rows of a batch as objects; a tombstone has `_deleted`.
fn objects(batch: &ChangeBatch) -> Vec<Map<String, Value>> {
    let mut rows: Vec<Map<String, Value>> = vec![Map::new(); batch.ops.len()];
    for (row, op) in rows.iter_mut().zip(&batch.ops) {
        if *op == Op::Delete {
            row.insert("_deleted".to_owned(), Value::Bool(true));
        }
    }
    for (column, array) in batch.schema.columns.iter().zip(batch.columns.columns()) {
        for (place, row) in rows.iter_mut().enumerate() {
            if let Some(value) = crate::sheet::value_at(array.as_ref(), place, column.data_type) {
                row.insert(column.name.clone(), value);
            }
        }
    }
    rows
}
