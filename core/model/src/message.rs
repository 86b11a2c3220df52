//! What a source says: rows, truncate, checkpoint.

use std::sync::Arc;

use arrow_array::RecordBatch;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Error, StreamName, StreamSchema};

/// One record of an API, as its object.
pub type Row = serde_json::Map<String, Value>;

/// What happened to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Op {
    /// Seen in a snapshot.
    Read = b'r',
    /// Inserted.
    Create = b'c',
    /// Changed; the row is the whole row afterwards.
    Update = b'u',
    /// Deleted; the row is what is known of it, at least its key.
    Delete = b'd',
    /// The whole stream was emptied.
    Truncate = b't',
}

impl Op {
    /// The letter in `_tributary_op`.
    #[must_use]
    pub fn letter(self) -> &'static str {
        match self {
            Self::Read => "r",
            Self::Create => "c",
            Self::Update => "u",
            Self::Delete => "d",
            Self::Truncate => "t",
        }
    }
}

/// Whether the destination may already hold a row with the key of a row in this batch.
///
/// `Absent` is a promise of the source, and lets a load append without looking: rows of a snapshot
/// of a stream that was emptied when the snapshot began, each key read once, before any change of
/// that stream was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// No row with any of these keys is there.
    Absent,
    /// There may be one.
    Possible,
}

/// Where rows stand in the source's order: from `start` on, `ordinal` counts up within
/// (`major`, `minor`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PositionRun {
    /// The first row of the batch that this run covers.
    pub start: usize,
    /// For a log: epoch and file.
    pub major: u64,
    /// For a log: the offset in the file.
    pub minor: u64,
    /// The number of the first row within (`major`, `minor`).
    pub ordinal: u64,
    /// When the source committed these changes, microseconds since 1970, where it says so.
    pub committed_at: Option<i64>,
}

/// The positions of all rows of a batch, as runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Positions(pub Vec<PositionRun>);

impl Positions {
    /// All rows counted from zero at one place.
    #[must_use]
    pub fn at(major: u64, minor: u64) -> Self {
        Self(vec![PositionRun {
            start: 0,
            major,
            minor,
            ordinal: 0,
            committed_at: None,
        }])
    }

    /// When the source committed each row's change, where it says so.
    pub fn times(&self, rows: usize) -> impl Iterator<Item = Option<i64>> + '_ {
        self.0.iter().enumerate().flat_map(move |(index, run)| {
            let end = self.0.get(index + 1).map_or(rows, |next| next.start);
            std::iter::repeat_n(run.committed_at, end.saturating_sub(run.start))
        })
    }

    /// Calls `each` with the text of every row's position; texts sort in source order.
    pub fn texts(&self, rows: usize, mut each: impl FnMut(&str)) {
        use std::fmt::Write;
        let mut text = String::with_capacity(48);
        for (index, run) in self.0.iter().enumerate() {
            let end = self.0.get(index + 1).map_or(rows, |next| next.start);
            for row in run.start..end {
                text.clear();
                let ordinal = run.ordinal + (row - run.start) as u64;
                let _ = write!(text, "{:020}.{:020}.{ordinal:010}", run.major, run.minor);
                each(&text);
            }
        }
    }
}

/// Rows in columns, under the source's names and types.
#[derive(Clone, Debug)]
pub struct ChangeBatch {
    /// The stream's schema as of these rows.
    pub schema: Arc<StreamSchema>,
    /// What happened to each row; as long as `columns` has rows.
    pub ops: Vec<Op>,
    /// Where each row stands in the source's order.
    pub positions: Positions,
    /// Whether the destination may hold these keys already.
    pub presence: Presence,
    /// One array for each column of `schema`, in its order, of its Arrow type.
    pub columns: RecordBatch,
}

/// Two doors: API authors hand over objects, database authors columns.
#[derive(Clone, Debug)]
pub enum Rows {
    /// Objects; the engine infers the types.
    Json(Vec<Row>),
    /// Columns.
    Arrow(ChangeBatch),
}

/// Why a stream is emptied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TruncateKind {
    /// The source emptied it: a change like a delete of every row, subject to `deletes`.
    Change,
    /// A snapshot begins from nothing: what the destination holds is of an earlier generation.
    Restart,
    /// Everything is read again: a row that does not come again is gone, as by `Change`. A source
    /// says so; a destination is only ever told `Change` or `Restart`.
    Anew,
}

/// A row that can't be loaded.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rejection {
    /// Its stream.
    pub stream: StreamName,
    /// The column at fault, where one is.
    pub column: Option<String>,
    /// The value at fault, where a column is; as hidden as the column.
    pub value: Option<String>,
    /// Why, as a sentence.
    pub reason: String,
    /// The whole row as JSON, enough to load it later.
    pub row: Value,
    /// Columns of `row` that are hidden already.
    pub hidden: Vec<String>,
}

/// What a stream is going through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Not looked at yet.
    #[default]
    Pending,
    /// The first full copy.
    Snapshot,
    /// Following changes.
    Streaming,
}

/// Which cursor a checkpoint moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The one that covers all streams.
    Shared,
    /// That of one stream.
    Stream(StreamName),
}

/// "Everything of `scope` up to `cursor` has been sent before this message."
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint<C = Value> {
    /// Which cursor.
    pub scope: Scope,
    /// Where it is now.
    pub cursor: C,
}

/// What a source pushes.
#[derive(Debug)]
pub enum Message {
    /// Rows of one stream, in source order for each key.
    Rows {
        /// Their stream.
        stream: StreamName,
        /// The rows.
        rows: Rows,
    },
    /// The stream is emptied at this point of the order.
    Truncate {
        /// Which stream.
        stream: StreamName,
        /// Why.
        kind: TruncateKind,
        /// Where in the source's order.
        positions: Positions,
    },
    /// Rows that agree with one of these on all of its columns are gone, those that were sent before
    /// included; those that follow are what there is. For lists that belong to a record and are read
    /// with it: `deletes` says what becomes of each row. Of `of` only the columns and the positions
    /// count.
    Clear {
        /// Which stream.
        stream: StreamName,
        /// A row for each record whose list is read again, with the columns that name it.
        of: ChangeBatch,
    },
    /// What follows is the whole stream: rows of earlier generations are gone. For rows that have no
    /// identity from one generation to the next, such as those of a sheet, so that `deletes: soft`
    /// has nothing to hold on to. `append` and `history` keep earlier generations, and so does
    /// `deletes: ignore`.
    Generation {
        /// Which stream.
        stream: StreamName,
        /// Where in the source's order.
        positions: Positions,
    },
    /// Rows that the source itself could not bring into shape.
    Rejected(Vec<Rejection>),
    /// Records and the cursor that covers them may commit together here.
    Checkpoint(Checkpoint),
    /// Everything that the source had at this moment has been sent before this message; for people
    /// only. Sent now and then by a source that is followed, also while nothing changes.
    Complete {
        /// The moment.
        as_of: chrono::DateTime<chrono::Utc>,
    },
    /// A stream entered a phase; for people only.
    Phase {
        /// Which stream.
        stream: StreamName,
        /// The phase.
        phase: Phase,
    },
    /// One stream can't go on; the others do.
    Failed {
        /// Which stream.
        stream: StreamName,
        /// Why.
        error: Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn position_texts_sort_in_source_order() {
        let positions = Positions(vec![
            PositionRun {
                start: 0,
                major: 1,
                minor: 900,
                ordinal: 0,
                committed_at: None,
            },
            PositionRun {
                start: 11,
                major: 1,
                minor: 10_000,
                ordinal: 0,
                committed_at: None,
            },
            PositionRun {
                start: 12,
                major: 2,
                minor: 4,
                ordinal: 7,
                committed_at: None,
            },
        ]);
        let mut texts = Vec::new();
        positions.texts(14, |text| texts.push(text.to_owned()));
        assert_eq!(texts.len(), 14);
        assert!(texts.is_sorted() && texts.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
