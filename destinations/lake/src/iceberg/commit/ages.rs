//! The sequence numbers of files.
//!
//! A file that comes with an entry has the number of the entry's snapshot. Where one snapshot brings
//! what several entries have brought (a table that is made again) and some of it are equality
//! deletes, files must stay as old to one another as they were: deletes are about older files only.

use std::collections::BTreeSet;

use ::iceberg::spec::TableMetadata;

use crate::table::TableChange;

/// What stands for the number of the snapshot itself.
pub(super) const OF_SNAPSHOT: i64 = -1;

/// The entries whose files one snapshot brings, where it matters.
#[derive(Debug, Default)]
pub(super) struct Ages(BTreeSet<u64>);

impl Ages {
    /// Those of everything that a change brings.
    pub(super) fn of_all(change: &TableChange) -> Self {
        if change.equality_deletes.is_empty() {
            return Self::default();
        }
        let files = change.added.iter().map(|file| file.since);
        let deletes = change.equality_deletes.iter().map(|keys| keys.since);
        Self(files.chain(deletes).collect())
    }

    /// The number of a file that the entry `since` brought.
    pub(super) fn of(&self, since: u64, metadata: &TableMetadata) -> i64 {
        if !self.0.contains(&since) {
            return OF_SNAPSHOT;
        }
        let older = self.0.range(..since).count();
        metadata.next_sequence_number() + i64::try_from(older).unwrap_or(i64::MAX / 2)
    }

    /// The number of the snapshot, which is none of an older file.
    pub(super) fn newest(&self, metadata: &TableMetadata) -> i64 {
        let older = self.0.len().saturating_sub(1);
        metadata.next_sequence_number() + i64::try_from(older).unwrap_or(i64::MAX / 2)
    }
}
