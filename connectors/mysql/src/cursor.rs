//! Where a reading of a MySQL server stands: one position in its log, one entry for each table.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tributary_model::{DataType, StreamSchema};

use crate::position::LogPosition;
use crate::snapshot::Segment;

/// What a checkpoint carries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Cursor {
    /// The shared cursor.
    Log(LogCursor),
    /// A table's cursor.
    Table(TableCursor),
}

/// A transaction boundary in the change log of one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogCursor {
    /// Which server wrote the log: its UUID, on MariaDB its server id.
    pub(crate) server: String,
    /// The file and the offset behind the last transaction that was sent.
    #[serde(flatten)]
    pub(crate) position: LogPosition,
    /// The transactions sent so far, where the server names them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) gtid: Option<String>,
    /// Counts the servers that this connection has followed; file numbers of different eras do not
    /// compare.
    pub(crate) era: u32,
    /// XA transactions that are prepared and known to have no rows of selected tables.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) prepared: BTreeSet<String>,
}

/// How a table stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableCursor {
    /// Its phase.
    pub(crate) phase: TablePhase,
    /// The columns and types that the rows in the destination were read with; what a change of
    /// layout is measured against.
    pub(crate) columns: BTreeMap<String, DataType>,
    /// The key that they were read with.
    pub(crate) key: Vec<String>,
    /// Columns that the source has dropped: the destination's rows still have their values.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) dropped: BTreeSet<String>,
}

/// What becomes of the rows that the destination has when a copy begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Begin {
    /// They go: they are of an earlier generation, about which nothing is known.
    Restart,
    /// They count as deleted at this point; those that are still there come again.
    Deleted,
    /// They stay, and each is written again: the log has told of every row that came or went.
    Kept,
}

/// The phase of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
pub enum TablePhase {
    /// It is to be copied, though the destination has rows of it.
    Pending {
        /// What becomes of those.
        begin: Begin,
    },
    /// The first copy goes on.
    Snapshot {
        /// What is still to be read.
        remaining: Vec<Segment>,
        /// Whether a change of the table has been sent since the copy began: from then on the
        /// destination may hold a key before the copy reaches it.
        changed: bool,
        /// How many rows have been sent: each has a number of its own in `_tributary_position`.
        copied: u64,
    },
    /// The copy is complete; the log keeps it so.
    Streaming,
    /// The log could not be followed any further for this table.
    Stopped {
        /// Why, as told when it happened.
        reason: String,
    },
}

impl TableCursor {
    /// A cursor for rows read with this schema.
    pub(crate) fn new(phase: TablePhase, schema: &StreamSchema) -> Self {
        let columns = schema
            .columns
            .iter()
            .map(|column| (column.name.clone(), column.data_type));
        Self {
            phase,
            columns: columns.collect(),
            key: schema.key.clone(),
            dropped: BTreeSet::new(),
        }
    }
}
