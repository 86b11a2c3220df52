//! One entry of a connection's log. Of commits, the entry *is* the commit.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tributary_model::{ConnectionName, LoadRecord, State, StreamCount, StreamName};

use crate::table::TableChange;
use tributary_store::Pending;

/// The version of what is written; a program refuses a newer one.
pub(crate) const FORMAT: u32 = 1;

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// The version of the format.
    pub format: u32,
    /// Who wrote it.
    pub written_by: String,
    /// Its number in the log, from 1 on.
    pub number: u64,
    /// Which opening of the connection wrote it.
    pub epoch: u64,
    /// Told apart from every other attempt to write an entry of this number.
    pub nonce: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Everything that entries up to this one ask for has been done.
    pub applied: u64,
    /// What it says.
    pub body: Body,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Body {
    /// A process has opened the connection: who did before may not write any more.
    Epoch,
    /// A load.
    Commit(Box<Committed>),
    /// Upkeep: the same rows in other files.
    Rewrite(Box<Rewritten>),
}

/// Upkeep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rewritten {
    /// What it does to tables.
    pub tables: Vec<TableChange>,
    /// Uploads to complete.
    pub uploads: Vec<Pending>,
}

/// A load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Committed {
    /// Its identity.
    pub load_id: String,
    /// Its number among the connection's loads.
    pub sequence: u64,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it committed.
    pub committed_at: DateTime<Utc>,
    /// The state before.
    pub before: State,
    /// The state after.
    pub state: State,
    /// Counts for each stream.
    pub streams: BTreeMap<StreamName, StreamCount>,
    /// What it does to tables.
    pub tables: Vec<TableChange>,
    /// What it changed in layouts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schema_changes: Vec<SchemaChange>,
    /// Uploads to complete: files of tables, and rejected rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uploads: Vec<Pending>,
    /// Whether rejected rows wait in an object of this load.
    #[serde(default)]
    pub rejected: bool,
    /// Loads in whose objects none waits any more: what still does is in this load's.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub rejected_gone: BTreeSet<u64>,
}

/// A row of `_tributary.schema_changes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SchemaChange {
    /// The stream.
    pub stream: StreamName,
    /// Its table.
    pub table: String,
    /// The column; `None` for a new table.
    pub column: Option<String>,
    /// `create_table`, `add_column`, `widen_type`.
    pub change: String,
    /// The type before.
    pub from_type: Option<String>,
    /// The type after.
    pub to_type: Option<String>,
}

impl Entry {
    /// The load, where it is one.
    pub(crate) fn committed(&self) -> Option<&Committed> {
        match &self.body {
            Body::Commit(committed) => Some(committed),
            Body::Epoch | Body::Rewrite(_) => None,
        }
    }

    /// What it does to tables.
    pub(crate) fn tables(&self) -> &[TableChange] {
        match &self.body {
            Body::Epoch => &[],
            Body::Commit(committed) => &committed.tables,
            Body::Rewrite(rewritten) => &rewritten.tables,
        }
    }

    /// The uploads that are to be completed.
    pub(crate) fn uploads(&self) -> &[Pending] {
        match &self.body {
            Body::Epoch => &[],
            Body::Commit(committed) => &committed.uploads,
            Body::Rewrite(rewritten) => &rewritten.uploads,
        }
    }
}

impl Committed {
    /// The load as the engine lists it.
    pub(crate) fn record(&self, of: &ConnectionName) -> LoadRecord {
        LoadRecord {
            load_id: self.load_id.clone(),
            connection: of.clone(),
            sequence: self.sequence,
            started_at: self.started_at,
            committed_at: self.committed_at,
            streams: self.streams.clone(),
            from_cursor: cursors(&self.before),
            to_cursor: cursors(&self.state),
        }
    }
}

/// The cursors of a state, without its epoch.
pub(crate) fn cursors(state: &State) -> Value {
    json!({"shared": state.shared, "streams": state.streams})
}
