//! A source paired with a destination, and what is asked of the pair.

use std::fmt;
use std::sync::Arc;

use tributary_model::{AnyDestination, AnySource, ConnectionOptions, Selection, StreamName, Until};

/// One source paired with one destination.
pub struct Connection {
    /// What the user chose.
    pub options: ConnectionOptions,
    /// Where records come from.
    pub source: Arc<dyn AnySource>,
    /// Where they go.
    pub destination: Arc<dyn AnyDestination>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("name", &self.options.name)
            .finish_non_exhaustive()
    }
}

/// What one run is asked to do.
#[derive(Clone, Debug)]
pub struct SyncRequest {
    /// Only these of the connection's streams; empty means all. Where streams share one change log,
    /// those that have been copied are followed all the same: the log's cursor can't move for some
    /// of them alone.
    pub only: Selection,
    /// Whether the streams asked for are read anew from the beginning.
    pub full_refresh: bool,
    /// How long to go on.
    pub until: Until,
}

impl Default for SyncRequest {
    fn default() -> Self {
        Self {
            only: Selection::default(),
            full_refresh: false,
            until: Until::Now,
        }
    }
}

impl SyncRequest {
    /// Whether `stream` was asked for.
    pub(crate) fn asks_for(&self, stream: &StreamName) -> bool {
        self.only.contains(stream)
    }
}
