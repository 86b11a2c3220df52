//! Where a reading of a MySQL server stands: one position in its log, one entry for each table.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tributary_model::{CursorSummary, DataType, Phase, StreamName, StreamSchema};

use crate::history::Declared;
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
    /// XA transactions that are prepared.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) prepared: BTreeSet<String>,
    /// Where those of them begin that have rows of selected tables: they are read should it commit.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) withheld: BTreeMap<String, LogPosition>,
    /// Tables that a statement before this place has changed, and whose own cursors do not say so
    /// yet: were they gone on from, its consequences would be forgotten.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) unsettled: BTreeSet<StreamName>,
    /// When the server began the file, seconds since 1970: another file of the same name has
    /// another birthday.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) born: Option<u32>,
    /// Whether the GTIDs alone say the place: the log of this server, another than before, has them in
    /// another order, so that no place in its files stands for them yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) by_gtid: bool,
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
    /// Its columns at the place that the log's cursor says, where the log does not name them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) declared: Option<Declared>,
    /// The `where` that they were read with, as SQL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) filter: Option<String>,
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
            declared: None,
            filter: None,
        }
    }
}

impl Cursor {
    /// What it says, for people.
    pub(crate) fn summary(&self) -> CursorSummary {
        match self {
            Self::Log(log) => log.summary(),
            Self::Table(table) => table.phase.summary(),
        }
    }
}

impl LogCursor {
    fn summary(&self) -> CursorSummary {
        let words = match &self.gtid {
            Some(gtid) => format!("{} (GTID {gtid})", self.position),
            None => self.position.to_string(),
        };
        CursorSummary {
            words,
            ..CursorSummary::default()
        }
    }
}

impl TablePhase {
    /// The phase as every source has it.
    pub(crate) fn phase(&self) -> Phase {
        match self {
            Self::Pending { .. } | Self::Stopped { .. } => Phase::Pending,
            Self::Snapshot { .. } => Phase::Snapshot,
            Self::Streaming => Phase::Streaming,
        }
    }

    fn summary(&self) -> CursorSummary {
        let words = match self {
            Self::Pending { .. } => "to be copied anew".to_owned(),
            Self::Snapshot {
                remaining, copied, ..
            } => {
                let pieces = remaining.len();
                let plural = if pieces == 1 { "" } else { "s" };
                format!("{copied} rows copied, {pieces} piece{plural} left")
            }
            Self::Streaming => "copied, follows the log".to_owned(),
            Self::Stopped { .. } => "stopped, to be copied anew".to_owned(),
        };
        CursorSummary {
            phase: Some(self.phase()),
            words,
            stopped: match self {
                Self::Stopped { reason } => Some(reason.clone()),
                Self::Pending { .. } | Self::Snapshot { .. } | Self::Streaming => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_told_in_words() {
        let told = |phase: TablePhase| {
            let summary =
                Cursor::Table(TableCursor::new(phase, &StreamSchema::default())).summary();
            (summary.phase, summary.words, summary.stopped)
        };
        let snapshot = TablePhase::Snapshot {
            remaining: vec![Segment::ALL],
            changed: false,
            copied: 1200,
        };
        let words = "1200 rows copied, 1 piece left".to_owned();
        assert_eq!(told(snapshot), (Some(Phase::Snapshot), words, None));
        let reason = "the table was dropped".to_owned();
        let stopped = told(TablePhase::Stopped {
            reason: reason.clone(),
        });
        assert_eq!((stopped.0, stopped.2), (Some(Phase::Pending), Some(reason)));
        let log = LogCursor {
            server: "1".to_owned(),
            position: LogPosition::new("binlog.000003", 77),
            gtid: Some("0-1-55".to_owned()),
            era: 0,
            prepared: BTreeSet::new(),
            withheld: BTreeMap::new(),
            unsettled: BTreeSet::new(),
            born: None,
            by_gtid: false,
        };
        let summary = Cursor::Log(log).summary();
        assert_eq!(summary.words, "binlog.000003:77 (GTID 0-1-55)");
        assert_eq!(summary.phase, None);
    }
}
