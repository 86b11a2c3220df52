//! What a run tells while it goes on.

use std::time::Duration;

use tributary_model::{Error, Phase, StreamName};

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
    /// A stream failed; the others go on.
    StreamFailed {
        /// Which.
        stream: &'a StreamName,
        /// Why.
        error: &'a Error,
    },
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
