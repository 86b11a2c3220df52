//! Tells whoever listens that something happened.
//!
//! Invariant: sending never waits. Who listens too slowly is told how many notices it missed and
//! looks at the [`crate::Board`], which said it all before.

use std::sync::Arc;

use tokio::sync::broadcast;

use crate::view::{Freshness, LoadView, RunRecord, RunStatus, SchemaChange};

/// Notices that may wait for one listener. // G6
const WAITING: usize = 1024;

/// Something that happened. The board says so already.
#[derive(Clone, Debug)]
pub enum Notice {
    /// Something of a connection's view is new; sent at most a few times a second for each.
    Changed {
        /// Which.
        connection: Arc<str>,
    },
    /// A run began.
    RunStarted {
        /// The run.
        run: Arc<RunRecord>,
    },
    /// A run ended.
    RunEnded {
        /// The run.
        run: Arc<RunRecord>,
        /// How the run before it ended, where that is known: to tell who recovered.
        before: Option<RunStatus>,
    },
    /// A load committed.
    Committed {
        /// Which connection.
        connection: Arc<str>,
        /// The load.
        load: Arc<LoadView>,
    },
    /// A table's layout changed, and was followed.
    SchemaChanged {
        /// Which connection.
        connection: Arc<str>,
        /// What changed.
        change: Arc<SchemaChange>,
    },
    /// Rows went to `_tributary.rejected`.
    Rejected {
        /// Which connection.
        connection: Arc<str>,
        /// Which stream.
        stream: Arc<str>,
        /// How many.
        rows: u64,
    },
    /// A freshness objective is no longer met, or is met again.
    Freshness {
        /// Which connection.
        connection: Arc<str>,
        /// How it stands.
        freshness: Freshness,
    },
    /// The configuration was read again and is in use.
    Reloaded,
    /// The configuration was read again and refused; the old one stays in use.
    ReloadRefused {
        /// Every mistake, for people.
        problems: Arc<str>,
    },
    /// A connection came with a new configuration.
    Added {
        /// Which.
        connection: Arc<str>,
    },
    /// A connection went with a new configuration.
    Removed {
        /// Which.
        connection: Arc<str>,
    },
}

/// The way from whoever knows to whoever listens.
#[derive(Clone, Debug)]
pub struct Bus(broadcast::Sender<Notice>);

impl Default for Bus {
    fn default() -> Self {
        Self(broadcast::Sender::new(WAITING))
    }
}

impl Bus {
    /// Everything from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Notice> {
        self.0.subscribe()
    }

    /// Tells whoever listens.
    pub fn tell(&self, notice: Notice) {
        // Nobody may be listening.
        let _ = self.0.send(notice);
    }
}
