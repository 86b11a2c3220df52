//! What a run tells while it goes on.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tributary_model::{DataType, Error, Phase, State, StreamCount, StreamName, TableName};

/// Something that happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// A stream takes part.
    Stream {
        /// Which.
        stream: &'a StreamName,
        /// How many rows the source thinks it has.
        estimated_rows: Option<u64>,
    },
    /// How a stream is kept was decided, or changed with a load that has committed.
    Layout {
        /// Which stream.
        stream: &'a StreamName,
        /// Its table.
        table: &'a TableName,
        /// The columns that its rows have there.
        columns: &'a [ColumnOrigin],
    },
    /// A stream entered a phase.
    Phase {
        /// Which.
        stream: &'a StreamName,
        /// The phase.
        phase: Phase,
    },
    /// Rows arrived from the source; not yet committed.
    Read {
        /// Which stream.
        stream: &'a StreamName,
        /// How many rows.
        rows: u64,
        /// Their size in memory.
        bytes: u64,
    },
    /// A load became durable.
    Committed {
        /// Its rows, rejected ones included.
        rows: u64,
        /// Its identity.
        load_id: &'a str,
        /// How long the commit itself took.
        took: Duration,
        /// When the load began.
        started_at: DateTime<Utc>,
        /// What each stream had in it.
        streams: &'a BTreeMap<StreamName, StreamCount>,
        /// The state that is stored now.
        state: &'a State,
    },
    /// A load that has committed changed a table that was there before.
    SchemaChanged {
        /// Of which stream.
        stream: &'a StreamName,
        /// What changed, in words: `column note added (text)`.
        what: &'a str,
    },
    /// The destination holds everything that the source had at a moment.
    Complete {
        /// The moment.
        as_of: DateTime<Utc>,
    },
    /// An attempt failed and is tried again.
    Retrying {
        /// Why.
        error: &'a Error,
        /// After this long.
        wait: Duration,
        /// The number of the attempt that failed.
        attempt: u32,
    },
    /// Something about a stream is to be looked at although it did not fail.
    Warning {
        /// Which.
        stream: &'a StreamName,
        /// What, as a sentence.
        what: &'a str,
    },
    /// A stream failed; the others go on.
    StreamFailed {
        /// Which.
        stream: &'a StreamName,
        /// Why.
        error: &'a Error,
    },
}

/// A column of a table, and what feeds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnOrigin {
    /// Its name.
    pub name: String,
    /// Its type.
    pub data_type: DataType,
    /// The source's column; `None` for those of the system.
    pub source: Option<String>,
    /// Whether the values are hidden on their way, hashed or masked.
    pub hidden: bool,
}

/// Whoever watches a run.
pub trait Observer: Send + Sync {
    /// Called in order, from the run's own task: be quick.
    fn notice(&self, event: &Event<'_>);
}

/// Watches nothing.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Observer for Silent {
    fn notice(&self, _: &Event<'_>) {}
}

impl<O: Observer + ?Sized> Observer for &O {
    fn notice(&self, event: &Event<'_>) {
        (**self).notice(event);
    }
}

/// Watches where someone wants to know.
impl<O: Observer> Observer for Option<O> {
    fn notice(&self, event: &Event<'_>) {
        self.iter().for_each(|observer| observer.notice(event));
    }
}

/// Two watch, one after the other.
impl<A: Observer, B: Observer> Observer for (A, B) {
    fn notice(&self, event: &Event<'_>) {
        self.0.notice(event);
        self.1.notice(event);
    }
}
