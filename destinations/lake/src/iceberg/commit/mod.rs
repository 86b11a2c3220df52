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
//! Entries are applied in order, after the files that they name are complete.

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
use crate::log::Entry;
use crate::table::TableChange;
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

/// What an entry does to one table.
struct Step<'a> {
    of: &'a ConnectionName,
    entry: &'a Entry,
    change: &'a TableChange,
}

impl Iceberg {
    /// Makes every table what `entry` says.
    pub(crate) async fn apply(&self, of: &ConnectionName, entry: &Entry) -> Result<()> {
        for change in entry.tables() {
            let step = Step { of, entry, change };
            let table = &change.definition.table;
            self.follow(&step)
                .await
                .context(|| format!("bringing the Iceberg table {table} up to date"))?;
        }
        Ok(())
    }

    async fn follow(&self, step: &Step<'_>) -> Result<()> {
        let mut pause = PAUSE;
        let mut last: Option<Error> = None;
        for _ in 0..TRIES {
            let loaded = self.ensure(step.of, &step.change.definition).await?;
            if is_applied(step, &loaded.metadata)? {
                return Ok(());
            }
            match self.attempt(step, &loaded).await? {
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
        let mut draft = Draft::new(self.files(), &evolved);
        draft
            .add(&step.change.added, &step.change.definition)
            .await?;
        draft.remove(&step.change.removed).await?;
        let (mark, reason) = match step.entry.committed() {
            Some(committed) => (Mark::new(step.of, step.entry, committed)?, Reason::Load),
            None => (Mark::moved(base, step.of, step.entry)?, Reason::Upkeep),
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
        Some(mark) => Ok(mark.entry >= step.entry.number),
        None => Ok(false),
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
