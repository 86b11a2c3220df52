//! How a comparison came out.

use serde::Serialize;
use serde_json::{Map, Value};
use tributary_model::{ConnectionName, StreamName};

use crate::report::ErrorReport;

/// How a stream, or all of a connection's, came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Agreement {
    /// Both sides hold the same rows.
    Equal,
    /// The table holds something else than the source's rows of today, and was not named.
    Skipped,
    /// They did not, and do now: compared again after the repair.
    Repaired,
    /// They do not.
    Different,
    /// It could not be compared.
    Failed,
}

/// How a key differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Difference {
    /// The source has it, the destination does not.
    Missing,
    /// The destination has it, the source does not.
    Extra,
    /// Both have it, with other values.
    Different,
    /// The destination has it more than once.
    Repeated,
}

/// A column of a key in which the sides differ.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ColumnReport {
    /// Its name in the table.
    pub column: String,
    /// Whether its values are hidden, hashed or masked: then neither is told.
    pub hidden: bool,
    /// The source's value, as a load would write it.
    pub source: Value,
    /// The destination's.
    pub destination: Value,
}

/// One key on which the sides do not agree.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KeyReport {
    /// The key's columns.
    pub key: Map<String, Value>,
    /// How it differs.
    pub difference: Difference,
    /// The columns that differ, where both sides have the key.
    pub columns: Vec<ColumnReport>,
}

/// Keys and rows of one comparison, counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Counts {
    /// Rows that the source has.
    pub rows_source: u64,
    /// Rows that readers of the table see.
    pub rows_destination: u64,
    /// Keys that only the source has.
    pub missing: u64,
    /// Keys that only the table has.
    pub extra: u64,
    /// Keys that both have, with other values or more than once in the table.
    pub different: u64,
    /// Keys that changed in the source since the last sync: the next one writes them whatever the
    /// table holds now, so they are not compared.
    pub changed_since_sync: u64,
    /// Keys that the source has deleted and the table keeps, as `deletes: ignore` asks.
    pub kept: u64,
    /// Rows that the source can't give, with a reason, as in a sync.
    pub rejected: u64,
    /// Rows in ranges that differ and were too many to be looked at key by key.
    pub unresolved: u64,
}

impl Counts {
    /// Whether any key differs for good.
    #[must_use]
    pub fn differs(&self) -> bool {
        self.missing + self.extra + self.different + self.unresolved > 0
    }
}

/// How one stream came out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StreamComparison {
    /// The stream.
    pub stream: StreamName,
    /// Its table, as `schema.table`.
    pub table: String,
    /// How it came out.
    pub status: Agreement,
    /// What was found, before any repair.
    #[serde(flatten)]
    pub counts: Counts,
    /// Keys that were written anew, by all repairs.
    pub repaired: u64,
    /// The first keys that differ.
    pub keys: Vec<KeyReport>,
    /// Columns that the table lacks.
    pub columns_missing: Vec<String>,
    /// Columns of the table that no column of the source feeds; they are not compared.
    pub columns_unknown: Vec<String>,
    /// Why it could not be compared, or not be repaired.
    pub error: Option<ErrorReport>,
}

/// How a connection's comparison came out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VerifyReport {
    /// The connection.
    pub connection: ConnectionName,
    /// The worst of its streams.
    pub status: Agreement,
    /// How long it took.
    pub duration_seconds: f64,
    /// Each stream that was asked for, by name.
    pub streams: Vec<StreamComparison>,
    /// Whether the log no longer reached back to the last sync, so that the comparison made up for
    /// what lay between.
    pub log_expired: bool,
    /// Why nothing could be compared.
    pub error: Option<ErrorReport>,
}
