//! The status for people: cursors in words, times as ages too.

use std::time::Duration;

use serde_json::Value;
use tributary_model::Phase;

use super::{ConnectionStatus, Document, Standing, StreamStatus};
use crate::progress;
use crate::table::{Table, cut, span, thousands};

/// A log's position with a long list of transactions is cut.
const LONGEST: usize = 120;

pub(super) fn all(document: &Document) -> String {
    let parts: Vec<String> = document.connections.iter().map(one).collect();
    parts.join("\n")
}

fn one(connection: &ConnectionStatus) -> String {
    let mut text = heading(connection);
    if connection.streams.is_empty() {
        return text;
    }
    let headings = [
        "stream", "state", "phase", "last run", "rows", "lag", "cursor",
    ];
    let mut table = Table::new(headings).numbers([4]);
    for stream in &connection.streams {
        table.row(cells(stream));
    }
    text += &table.render(2);
    for stream in &connection.streams {
        if let Some(why) = &stream.error {
            text += &format!("  {} stopped: {why}\n", stream.stream);
        }
    }
    text
}

fn heading(connection: &ConnectionStatus) -> String {
    let ConnectionStatus {
        connection: name,
        source,
        destination,
        schedule,
        ..
    } = connection;
    let state = word(connection.state);
    let mut text = format!("{name}: {state} ({source} to {destination}, {schedule})\n");
    if let Some(error) = &connection.error {
        text += &format!("  error: {}\n", error.message);
    }
    if let (Some(at), Some(rows)) = (&connection.last_run, connection.rows) {
        let age = ago(connection.lag_seconds);
        text += &format!("  last load {at} ({age} ago), {} rows\n", thousands(rows));
    }
    if let Some(log) = &connection.log {
        let left = ago(log.headroom_seconds);
        let left = if left.is_empty() { "never" } else { &left };
        text += &format!(
            "  {} bytes of the log to read, deleted in: {left} ({} bytes before that)\n",
            thousands(log.behind_bytes),
            thousands(log.headroom_bytes)
        );
    }
    let cursor = shown(connection.position.as_ref(), connection.cursor.as_ref());
    if !cursor.is_empty() {
        text += &format!("  read up to {}\n", cut(&cursor, LONGEST));
    }
    text
}

fn cells(stream: &StreamStatus) -> [String; 7] {
    [
        stream.stream.to_string(),
        word(stream.state).to_owned(),
        stream.phase.map_or("", phase).to_owned(),
        stream.last_run.clone().unwrap_or_default(),
        stream.rows.map(thousands).unwrap_or_default(),
        ago(stream.lag_seconds),
        shown(stream.position.as_ref(), stream.cursor.as_ref()),
    ]
}

/// The cursor in words where there are some.
fn shown(words: Option<&String>, cursor: Option<&Value>) -> String {
    words
        .cloned()
        .or_else(|| cursor.map(Value::to_string))
        .unwrap_or_default()
}

fn ago(seconds: Option<f64>) -> String {
    let length = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    length.map(span).unwrap_or_default()
}

fn phase(phase: Phase) -> &'static str {
    progress::word(phase)
}

fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::NeverSynced => "never synced",
        Standing::Synced => "synced",
        Standing::Stopped => "stopped",
        Standing::Reset => "to be read anew",
        Standing::Unknown => "unknown",
    }
}
