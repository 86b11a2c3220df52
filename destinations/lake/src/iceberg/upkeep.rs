//! Snapshots that are old, and what the others are made of.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

use ::iceberg::spec::{MAIN_BRANCH, TableMetadata};
use ::iceberg::{TableRequirement, TableUpdate};
use tributary_model::{ConnectionName, Result, TableName, now};

use super::Iceberg;
use super::catalog::Outcome;
use super::commit::named;
use crate::table::Definition;

/// How often it is tried while loads go on. // G6
const TRIES: u32 = 5;

impl Iceberg {
    /// Forgets snapshots that are older than `keep`, save for those that a branch or tag names.
    /// Says how many.
    pub(crate) async fn expire(
        &self,
        of: &ConnectionName,
        definition: &Definition,
        keep: Duration,
    ) -> Result<usize> {
        for _ in 0..TRIES {
            let loaded = self.ensure(of, definition).await?;
            let old = old(&loaded.metadata, keep);
            if old.is_empty() {
                return Ok(0);
            }
            let main = loaded.metadata.snapshot_for_ref(MAIN_BRANCH);
            let requirements = vec![
                TableRequirement::UuidMatch {
                    uuid: loaded.metadata.uuid(),
                },
                TableRequirement::RefSnapshotIdMatch {
                    r#ref: MAIN_BRANCH.to_owned(),
                    snapshot_id: main.map(|snapshot| snapshot.snapshot_id()),
                },
            ];
            let count = old.len();
            let updates = vec![TableUpdate::RemoveSnapshots { snapshot_ids: old }];
            let table = &definition.table;
            match self
                .catalog()
                .commit(table, &loaded, requirements, updates)
                .await?
            {
                Outcome::Done => return Ok(count),
                Outcome::Conflict | Outcome::Unknown(_) => {}
            }
        }
        // Loads are at it all the time; the next upkeep finds the same snapshots.
        Ok(0)
    }

    /// The keys of everything that the table's snapshots are made of.
    pub(crate) async fn reachable(&self, table: &TableName) -> Result<BTreeSet<String>> {
        let mut addresses: BTreeSet<String> = BTreeSet::new();
        let Some(loaded) = self.catalog().load(table).await? else {
            return Ok(addresses);
        };
        let metadata = &loaded.metadata;
        addresses.insert(loaded.location.clone());
        addresses.extend(
            metadata
                .metadata_log()
                .iter()
                .map(|entry| entry.metadata_file.clone()),
        );
        addresses.extend(
            metadata
                .statistics_iter()
                .map(|file| file.statistics_path.clone()),
        );
        let partitions = metadata.partition_statistics_iter();
        addresses.extend(partitions.map(|file| file.statistics_path.clone()));
        let mut seen: BTreeSet<String> = BTreeSet::new();
        for snapshot in metadata.snapshots() {
            addresses.insert(snapshot.manifest_list().to_owned());
            for file in self.files().manifests(metadata, snapshot).await? {
                if !seen.insert(file.manifest_path.clone()) {
                    continue;
                }
                let manifest = self.files().manifest(&file).await?;
                let alive = manifest.entries().iter().filter(|entry| entry.is_alive());
                addresses.extend(alive.map(|entry| entry.file_path().to_owned()));
            }
        }
        addresses.extend(seen);
        // What lies elsewhere is not looked at, and therefore not deleted.
        let keys = addresses
            .iter()
            .filter_map(|address| self.files().key(address).ok());
        Ok(keys.map(Cow::into_owned).collect())
    }
}

fn old(metadata: &TableMetadata, keep: Duration) -> Vec<i64> {
    let named = named(metadata);
    let cutoff = (now() - keep).timestamp_millis();
    metadata
        .snapshots()
        .filter(|snapshot| snapshot.timestamp_ms() < cutoff)
        .map(|snapshot| snapshot.snapshot_id())
        .filter(|id| !named.contains(id) && metadata.current_snapshot_id() != Some(*id))
        .collect()
}
