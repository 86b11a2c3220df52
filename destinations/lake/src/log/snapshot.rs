//! What the entries of a log come to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tributary_model::{Error, Result, State, TableName};

use super::entry::{Body, Entry};
use crate::table::{Table, TableChange};

/// A connection as of one entry.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    /// The entry.
    pub number: u64,
    /// The last opening.
    pub epoch: u64,
    /// The number of the last load.
    pub sequence: u64,
    /// The last load.
    pub last_load: Option<String>,
    /// The state.
    pub state: State,
    /// The tables.
    pub tables: BTreeMap<TableName, Arc<Table>>,
    /// The loads in whose objects rejected rows wait.
    pub rejected: BTreeSet<u64>,
    /// Entries that ask for something of which the log does not say that it was done.
    pub unapplied: Vec<Arc<Entry>>,
}

/// A snapshot as it is stored: only ever when nothing is left to be done.
#[derive(Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) format: u32,
    pub(super) written_by: String,
    number: u64,
    epoch: u64,
    sequence: u64,
    last_load: Option<String>,
    state: State,
    tables: Vec<Arc<Table>>,
    #[serde(default)]
    rejected: BTreeSet<u64>,
}

impl Snapshot {
    /// Goes on by one entry.
    ///
    /// # Errors
    /// Fails where it is not the next one.
    pub(crate) fn replay(&mut self, entry: &Arc<Entry>) -> Result<()> {
        if entry.number != self.number + 1 {
            return Err(Error::bug(format!(
                "entry {} of the log does not follow {}",
                entry.number, self.number
            )));
        }
        self.number = entry.number;
        self.epoch = entry.epoch;
        self.state.epoch = entry.epoch;
        self.unapplied.retain(|older| older.number > entry.applied);
        match &entry.body {
            Body::Epoch => {}
            Body::Rewrite(rewritten) => {
                rewritten
                    .tables
                    .iter()
                    .for_each(|change| self.change(change, entry.number));
                self.unapplied.push(entry.clone());
            }
            Body::Commit(committed) => {
                self.sequence = committed.sequence;
                self.last_load = Some(committed.load_id.clone());
                self.state = committed.state.clone();
                self.state.epoch = entry.epoch;
                self.rejected
                    .retain(|number| !committed.rejected_gone.contains(number));
                if committed.rejected {
                    self.rejected.insert(committed.sequence);
                }
                committed
                    .tables
                    .iter()
                    .for_each(|change| self.change(change, entry.number));
                self.unapplied.push(entry.clone());
            }
        }
        Ok(())
    }

    /// The last entry up to which everything is done.
    pub(crate) fn applied(&self) -> u64 {
        let first = self.unapplied.first();
        first.map_or(self.number, |entry| entry.number - 1)
    }

    fn change(&mut self, change: &TableChange, entry: u64) {
        if change.dropped {
            self.tables.remove(&change.definition.table);
            return;
        }
        match self.tables.get_mut(&change.definition.table) {
            Some(table) => Arc::make_mut(table).apply(change, entry),
            None => {
                let table = Arc::new(Table::from_change(change, entry));
                self.tables.insert(change.definition.table.clone(), table);
            }
        }
    }

    pub(super) fn store(&self, format: u32) -> Stored {
        Stored {
            format,
            written_by: env!("CARGO_PKG_VERSION").to_owned(),
            number: self.number,
            epoch: self.epoch,
            sequence: self.sequence,
            last_load: self.last_load.clone(),
            state: self.state.clone(),
            tables: self.tables.values().cloned().collect(),
            rejected: self.rejected.clone(),
        }
    }
}

impl From<Stored> for Snapshot {
    fn from(stored: Stored) -> Self {
        let tables = stored.tables.into_iter();
        Self {
            number: stored.number,
            epoch: stored.epoch,
            sequence: stored.sequence,
            last_load: stored.last_load,
            state: stored.state,
            tables: tables
                .map(|table| (table.definition.table.clone(), table))
                .collect(),
            rejected: stored.rejected,
            unapplied: Vec::new(),
        }
    }
}
