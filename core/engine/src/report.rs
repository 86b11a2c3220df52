//! How a run ended.

use serde::Serialize;
use tributary_model::{ConnectionName, Error, ErrorKind, Phase, StreamName, TableName};

/// How a connection or a stream came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Everything that was asked for is in the destination.
    Succeeded,
    /// Some streams failed, the others committed.
    Partial,
    /// It failed; what had committed stays.
    Failed,
    /// It was stopped from outside before its end; what had committed stays.
    Interrupted,
}

/// An error, taken apart for people and programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ErrorReport {
    /// Who must act.
    pub kind: ErrorKind,
    /// What happened.
    pub what: String,
    /// The error underneath.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What helps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// All of it as one line.
    pub message: String,
}

impl SyncReport {
    /// The report of a run that was stopped before it began.
    #[must_use]
    pub fn interrupted(connection: ConnectionName) -> Self {
        Self {
            connection,
            status: Status::Interrupted,
            duration_seconds: 0.0,
            loads: 0,
            streams: Vec::new(),
            error: None,
        }
    }

    /// The report of a run that could not begin.
    #[must_use]
    pub fn failed(connection: ConnectionName, error: &Error) -> Self {
        Self {
            status: Status::Failed,
            error: Some(error.into()),
            ..Self::interrupted(connection)
        }
    }
}

impl From<&Error> for ErrorReport {
    fn from(error: &Error) -> Self {
        Self {
            kind: error.kind(),
            what: error.what(),
            why: error.why(),
            fix: error.help().map(str::to_owned),
            message: error.to_string(),
        }
    }
}

/// How one stream came out. Rows count once their load has committed, so that
/// `records_read = records_written + records_rejected`.
#[derive(Clone, Debug, Serialize)]
pub struct StreamReport {
    /// The stream.
    pub stream: StreamName,
    /// Its table, as `schema.table`.
    #[serde(serialize_with = "as_text")]
    pub table: TableName,
    /// How it came out.
    pub status: Status,
    /// What it was going through at the end.
    pub phase: Phase,
    /// Rows that the source sent.
    pub records_read: u64,
    /// Rows that a load took.
    pub records_written: u64,
    /// Rows in `_tributary.rejected`.
    pub records_rejected: u64,
    /// Their size in memory.
    pub bytes_read: u64,
    /// Why it failed.
    pub error: Option<ErrorReport>,
    /// What is to be looked at although it did not fail, as sentences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// How a run of a connection came out.
#[derive(Clone, Debug, Serialize)]
pub struct SyncReport {
    /// The connection.
    pub connection: ConnectionName,
    /// How it came out.
    pub status: Status,
    /// How long it took.
    pub duration_seconds: f64,
    /// How many loads committed.
    pub loads: u64,
    /// Each selected stream, by name.
    pub streams: Vec<StreamReport>,
    /// Why the connection as a whole failed.
    pub error: Option<ErrorReport>,
}

fn as_text<S: serde::Serializer>(table: &TableName, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(table)
}
