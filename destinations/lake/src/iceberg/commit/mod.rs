//! Following the log: what an entry does to a table becomes one snapshot of it, once.
//!
//! **Exactly once.** Each snapshot carries a mark (connection, epoch, entry, sequence, load) in its
//! summary, and the same commit writes the mark into the table's properties. An entry is applied
//! only to a table whose mark is an earlier one, and the commit requires that `main` is still at
//! the snapshot that was read together with that mark. So of all processes that apply an entry, at
//! whatever times, one moves the table on: the others find another snapshot (conflict), load again,
//! and see the mark. // G2 G7 Because every entry that changes a table makes a snapshot, even an
//! empty one, a process that lags behind conflicts as well: marks only grow.
//!
//! A lost reply needs no rule of its own: load again, look at the mark. The library's own
//! transactions are not used, because they apply themselves to whatever they find after a conflict.
//!
//! Entries are applied in order, after the files that they name are complete. A table that the
//! catalog has lost comes back with one snapshot of all its files, marked with the newest entry that
//! they come from.

mod ages;
mod describe;
mod draft;
mod evolve;
mod mark;

use std::collections::BTreeSet;
use std::time::Duration;

use ::iceberg::spec::{MAIN_BRANCH, SnapshotReference, SnapshotRetention, TableMetadata};
use ::iceberg::{TableRequirement, TableUpdate};
use tributary_model::{ConnectionName, Context, Error, ErrorKind, Result};

use super::Iceberg;
use super::catalog::{Loaded, Outcome};
use super::error::iceberg;
use crate::log::{Entry, Snapshot};
use crate::table::{EqualityDeletes, Table, TableChange};
use ages::Ages;
use draft::{Draft, Reason};
pub(crate) use mark::Mark;

/// How often a commit is tried that conflicts or whose fate is unknown. // G6
const TRIES: u32 = 12;
/// The first pause between; each further one is twice as long, up to the last.
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Snapshots that a table's metadata holds at most, and what is left then. // G6
const MOST_SNAPSHOTS: usize = 500;
const LEFT_SNAPSHOTS: usize = 300;

/// What is to become of one table.
struct Step<'a> {
    of: &'a ConnectionName,
    /// The entry that says so; none where the table is to be made again.
    entry: Option<&'a Entry>,
    change: &'a TableChange,
    /// The connection as of that entry or a later one.
    after: &'a Snapshot,
}

impl Iceberg {
    /// Makes every table what `entry` says; `after` is the connection as of that entry or a later
    /// one, whose files are all complete.
    pub(crate) async fn apply(
        &self,
        of: &ConnectionName,
        entry: &Entry,
        after: &Snapshot,
    ) -> Result<()> {
        let seen = |change: &&TableChange| !change.definition.is_beside();
        for change in entry.tables().iter().filter(seen) {
            let step = Step {
                of,
                entry: Some(entry),
                change,
                after,
            };
            let table = &change.definition.table;
            self.follow(&step)
                .await
                .context(|| format!("bringing the Iceberg table {table} up to date"))?;
        }
        Ok(())
    }

    /// Makes a table again that the catalog has lost. Says whether it had.
    pub(crate) async fn restore(
        &self,
        of: &ConnectionName,
        table: &Table,
        after: &Snapshot,
    ) -> Result<bool> {
        let loaded = self.ensure(of, &table.definition).await?;
        if !is_new(&loaded.metadata)? || table.files.is_empty() {
            return Ok(false);
        }
        let change = whole(table);
        let (entry, change) = (None, &change);
        self.follow(&Step {
            of,
            entry,
            change,
            after,
        })
        .await?;
        Ok(true)
    }

    async fn follow(&self, step: &Step<'_>) -> Result<()> {
        let mut pause = PAUSE;
        let mut last: Option<Error> = None;
        for _ in 0..TRIES {
            let loaded = self.ensure(step.of, &step.change.definition).await?;
            if is_applied(step, &loaded.metadata)? {
                return Ok(());
            }
            // Somebody has dropped a table of which the log knows more than this entry brings.
            let lost = match is_new(&loaded.metadata)? {
                true => lost(step),
                false => None,
            };
            let outcome = match &lost {
                None => self.attempt(step, &loaded).await?,
                Some(change) => {
                    let table = change.definition.table.to_string();
                    tracing::warn!(table, "the catalog has lost the table; it is made again");
                    let (of, entry, after) = (step.of, None, step.after);
                    let again = Step {
                        of,
                        entry,
                        change,
                        after,
                    };
                    self.attempt(&again, &loaded).await?
                }
            };
            match outcome {
                Outcome::Done => return Ok(()),
                Outcome::Conflict => last = None,
                Outcome::Unknown(error) => {
                    tracing::warn!(%error, "reading how a commit to the catalog ended");
                    last = Some(error);
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Err(last.unwrap_or_else(|| {
            Error::new(
                ErrorKind::Unavailable,
                "another program changes the table all the time",
            )
            .fix("Let its maintenance run at another time.")
        }))
    }

    /// Tries once, on the table as it was loaded.
    async fn attempt(&self, step: &Step<'_>, loaded: &Loaded) -> Result<Outcome> {
        let base = &loaded.metadata;
        let mut updates = evolve::updates(&step.change.definition, &step.change.added, loaded)?;
        let evolved = tentative(loaded, &updates)?;
        let ages = match step.entry {
            Some(_) => Ages::default(),
            None => Ages::of_all(step.change),
        };
        let mut draft = Draft::new(self.files(), &evolved, ages);
        draft
            .add(&step.change.added, &step.change.definition)
            .await?;
        let files = step.change.added.iter().chain(&step.change.changed);
        draft.add_deletes(files, &step.change.definition).await?;
        let keys = &step.change.equality_deletes;
        draft.add_keys(keys, &step.change.definition).await?;
        draft.remove(&step.change.removed).await?;
        let committed = step
            .entry
            .and_then(|entry| Some((entry, entry.committed()?)));
        let (mark, reason) = match (step.entry, committed) {
            (_, Some((entry, committed))) => (Mark::new(step.of, entry, committed)?, Reason::Load),
            (Some(entry), None) => (Mark::moved(base, step.of, entry)?, Reason::Upkeep),
            (None, None) => (Mark::as_of(step.of, step.after)?, Reason::Load),
        };
        let snapshot = draft.snapshot(&mark, reason).await?;
        let snapshot_id = snapshot.snapshot_id();
        updates.push(TableUpdate::AddSnapshot { snapshot });
        updates.push(TableUpdate::SetSnapshotRef {
            ref_name: MAIN_BRANCH.to_owned(),
            reference: SnapshotReference::new(
                snapshot_id,
                SnapshotRetention::branch(None, None, None),
            ),
        });
        updates.push(TableUpdate::SetProperties {
            updates: mark.properties(),
        });
        updates.extend(expire(base));
        let outcome = self
            .catalog()
            .commit(
                &step.change.definition.table,
                loaded,
                required(base),
                updates,
            )
            .await;
        if !matches!(outcome, Ok(Outcome::Done | Outcome::Unknown(_))) {
            draft.discard().await;
        }
        outcome
    }
}

/// Whether the table has what the entry says already.
fn is_applied(step: &Step<'_>, metadata: &TableMetadata) -> Result<bool> {
    match Mark::of(metadata)? {
        Some(mark) if mark.connection != step.of.as_str() => Err(not_ours(&mark.connection)),
        Some(mark) => {
            let number = step.entry.map_or(step.after.number, |entry| entry.number);
            Ok(mark.entry >= number)
        }
        None => Ok(false),
    }
}

/// Whether no entry has been applied to the table yet.
fn is_new(metadata: &TableMetadata) -> Result<bool> {
    Ok(Mark::of(metadata)?.is_none_or(|mark| mark.entry == 0))
}

/// What brings a new table to where the log is, where the entry alone does not.
fn lost(step: &Step<'_>) -> Option<TableChange> {
    let table = step.after.tables.get(&step.change.definition.table)?;
    let brings = |key: &String| step.change.added.iter().any(|file| file.key == *key);
    let erases = |deletes: &EqualityDeletes| {
        let mut ours = step.change.equality_deletes.iter();
        ours.any(|own| own.key == deletes.key)
    };
    let is_whole = table.files.keys().all(brings) && table.equality_deletes.iter().all(erases);
    let takes = !step.change.removed.is_empty() || !step.change.changed.is_empty();
    (!is_whole || takes).then(|| whole(table))
}

/// All of a table, as if an entry brought it.
fn whole(table: &Table) -> TableChange {
    TableChange {
        definition: table.definition.clone(),
        redefined: true,
        added: table.files.values().cloned().collect(),
        changed: Vec::new(),
        equality_deletes: table.equality_deletes.clone(),
        removed: BTreeSet::new(),
        dropped: false,
    }
}

/// The error of a table that another connection writes.
pub(crate) fn not_ours(owner: &str) -> Error {
    Error::new(
        ErrorKind::Incompatible,
        format!("the table in the catalog belongs to the connection `{owner}`"),
    )
    .fix("Give the stream another table, or the lake another catalog.")
}

/// The table as it will be, so that ids are known that updates only ask for.
fn tentative(loaded: &Loaded, updates: &[TableUpdate]) -> Result<TableMetadata> {
    if updates.is_empty() {
        return Ok(TableMetadata::clone(&loaded.metadata));
    }
    let builder =
        TableMetadata::clone(&loaded.metadata).into_builder(Some(loaded.location.clone()));
    let built = updates
        .iter()
        .cloned()
        .try_fold(builder, |builder, update| update.apply(builder));
    let built = built.and_then(|builder| builder.build());
    Ok(built.map_err(iceberg("changing a table"))?.metadata)
}

/// What must still be so when the commit is made: see the module's proof.
fn required(base: &TableMetadata) -> Vec<TableRequirement> {
    vec![
        TableRequirement::UuidMatch { uuid: base.uuid() },
        TableRequirement::RefSnapshotIdMatch {
            r#ref: MAIN_BRANCH.to_owned(),
            snapshot_id: base
                .snapshot_for_ref(MAIN_BRANCH)
                .map(|snapshot| snapshot.snapshot_id()),
        },
        TableRequirement::CurrentSchemaIdMatch {
            current_schema_id: base.current_schema_id(),
        },
        TableRequirement::LastAssignedFieldIdMatch {
            last_assigned_field_id: base.last_column_id(),
        },
        TableRequirement::DefaultSpecIdMatch {
            default_spec_id: base.default_partition_spec_id(),
        },
        TableRequirement::LastAssignedPartitionIdMatch {
            last_assigned_partition_id: base.last_partition_id(),
        },
    ]
}

/// Forgets the oldest snapshots where there are too many. Their files go with `maintain`.
fn expire(base: &TableMetadata) -> Option<TableUpdate> {
    if base.snapshots().len() < MOST_SNAPSHOTS {
        return None;
    }
    let mut all: Vec<(i64, i64)> = base
        .snapshots()
        .map(|snapshot| (snapshot.sequence_number(), snapshot.snapshot_id()))
        .collect();
    all.sort_unstable();
    let kept: BTreeSet<i64> = named(base);
    let snapshot_ids: Vec<i64> = all[..all.len() - LEFT_SNAPSHOTS]
        .iter()
        .map(|(_, id)| *id)
        .filter(|id| !kept.contains(id))
        .collect();
    Some(TableUpdate::RemoveSnapshots { snapshot_ids })
}

/// Snapshots that a branch or tag names.
pub(crate) fn named(metadata: &TableMetadata) -> BTreeSet<i64> {
    // The library shows references one by one only, to those who know their names.
    let json = serde_json::to_value(metadata).unwrap_or_default();
    let refs = json.get("refs").and_then(|refs| refs.as_object());
    refs.into_iter()
        .flat_map(|refs| refs.values())
        .filter_map(|reference| reference.get("snapshot-id")?.as_i64())
        .collect()
}
