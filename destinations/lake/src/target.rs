//! One table within a load: where its rows go, and in which order.
//!
//! Rows that can't meet another of their key go straight into files; all others are staged, and at
//! the end folded into the files that hold their keys ([`crate::merge`]). Once rows of a load are
//! staged, later ones of that table are too, so that the order holds. // G4
//!
//! Nothing here is visible to anyone: files are uploads that the log has yet to name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow_schema::{Field, SchemaRef};
use roaring::RoaringBitmap;
use tributary_model::{Deletes, Mode, Op, Presence, Result, TablePlan, TruncateKind};
use tributary_sql::{DELETED, SYNCED_AT, Step};

use crate::config::Format;
use crate::equality::Erasing;
use crate::iceberg::stay_readable;
use crate::kept::{divisions, merge_by, roller, schema_of, shape};
use crate::layout::conform;
use crate::log::SchemaChange;
use crate::positions::EndedDeletes;
use crate::roller::{Folders, Roller};
use crate::screen::Screened;
use crate::site::Site;
use crate::stage::Stage;
use crate::table::{DataFile, Definition, OP, ORDER, Table, TableChange};
use crate::upload::give_up;
use crate::writer::{Ended, Written};
use tributary_store::Pending;

/// Staged rows that are folded before the load ends: their keys are in memory. // G6
const STAGED_ROWS: u32 = 500_000;
/// Staged bytes that are; they are on disk. // G6
const STAGED_BYTES: usize = 512 << 20;

/// A table and what a load does to it.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) site: Arc<Site>,
    pub(crate) plan: Arc<TablePlan>,
    pub(crate) definition: Definition,
    pub(crate) schema: SchemaRef,
    /// The table as the log has it.
    pub(crate) base: Option<Arc<Table>>,
    /// Files of it that go.
    pub(crate) removed: BTreeSet<String>,
    /// Files of this load that are still on their way up.
    pub(crate) ended: Vec<Ended>,
    /// Files of this load.
    pub(crate) written: Vec<Written>,
    pub(crate) stage: Option<Stage>,
    /// Of files that stay: which of their rows are no more, where this load took some.
    pub(crate) gone: BTreeMap<String, RoaringBitmap>,
    /// Rows that are no more by their keys.
    pub(crate) erasing: Erasing,
    /// The files that say so, on their way up.
    deletes: Vec<EndedDeletes>,
    direct: Roller,
    /// Rows of this load that went into a change log.
    logged: i64,
    /// Whether files of older layouts have to be written anew, so that whoever reads all files
    /// together finds one layout, and every column's default.
    outdated: bool,
    changes: Vec<SchemaChange>,
}

/// What a load has done to a table.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// What the log is to say.
    pub(crate) change: Option<TableChange>,
    /// What is to be completed.
    pub(crate) uploads: Vec<Pending>,
    /// What changed in the layout.
    pub(crate) schema_changes: Vec<SchemaChange>,
}

impl Target {
    /// A table, brought to its plan.
    pub(crate) fn prepare(
        site: &Arc<Site>,
        plan: &Arc<TablePlan>,
        base: Option<Arc<Table>>,
    ) -> Result<Self> {
        let mut definition = match &base {
            Some(table) => table.definition.clone(),
            None => Definition::new(plan),
        };
        definition.merge = merge_by(site, plan, base.as_deref());
        let steps = definition.follow(plan, site.config.format)?;
        let mut target = Self::of(site, plan, base, definition)?;
        target.note(&steps);
        target.keep_readable()?;
        target.keep_comparable()?;
        Ok(target)
    }

    /// A table that is kept in this way.
    pub(crate) fn of(
        site: &Arc<Site>,
        plan: &Arc<TablePlan>,
        base: Option<Arc<Table>>,
        mut definition: Definition,
    ) -> Result<Self> {
        definition.partitions = divisions(site, &definition)?;
        let schema = schema_of(&definition, site.config.format);
        Ok(Self {
            direct: roller(site, plan, &definition, &schema)?,
            site: site.clone(),
            plan: plan.clone(),
            definition,
            schema,
            base,
            removed: BTreeSet::new(),
            ended: Vec::new(),
            written: Vec::new(),
            stage: None,
            gone: BTreeMap::new(),
            erasing: Erasing::default(),
            deletes: Vec::new(),
            logged: 0,
            outdated: false,
            changes: Vec::new(),
        })
    }

    /// Goes on under a newer plan: what came under the old one is settled first.
    pub(crate) fn follow(&mut self, plan: &Arc<TablePlan>) -> Result<()> {
        self.settle()?;
        self.end_direct()?;
        let steps = self.definition.follow(plan, self.site.config.format)?;
        self.definition.partitions = divisions(&self.site, &self.definition)?;
        self.note(&steps);
        self.schema = schema_of(&self.definition, self.site.config.format);
        self.direct = roller(&self.site, plan, &self.definition, &self.schema)?;
        self.plan = plan.clone();
        self.keep_readable()?;
        self.keep_comparable()
    }

    /// Iceberg's readers know one layout only; files that they can't read by the newest one are
    /// written anew.
    fn keep_readable(&mut self) -> Result<()> {
        if self.site.config.format != Format::Iceberg {
            return Ok(());
        }
        let layouts = self.definition.layouts.clone();
        let newest = self.definition.columns().to_vec();
        self.renew(|file| {
            layouts
                .get(file.layout)
                .is_none_or(|written| !stay_readable(written, &newest))
        })
    }

    /// Takes rows of the plan.
    pub(crate) fn take(&mut self, rows: &Screened, presence: Presence) -> Result<()> {
        if rows.ops.is_empty() {
            return Ok(());
        }
        let shaped = self.shape(rows)?;
        self.logged += i64::try_from(rows.ops.len()).unwrap_or(i64::MAX);
        if self.goes_straight(&rows.ops, presence) {
            return self.direct.write(&shaped);
        }
        let mut stage = match self.stage.take() {
            Some(stage) => stage,
            None => self.new_stage()?,
        };
        stage.push(shaped, &rows.ops)?;
        let is_full = stage.rows() >= STAGED_ROWS || stage.bytes() >= STAGED_BYTES;
        self.stage = Some(stage);
        if is_full { self.settle() } else { Ok(()) }
    }

    /// Empties the table at this point of the order.
    pub(crate) fn truncate(&mut self, kind: TruncateKind) -> Result<()> {
        match (kind, self.plan.mode, self.definition.deletes()) {
            // A history of changes keeps what was there; the change itself came as a row.
            (TruncateKind::Change | TruncateKind::Anew, Mode::Append, _)
            | (TruncateKind::Change | TruncateKind::Anew, _, Deletes::Ignore) => Ok(()),
            (TruncateKind::Change | TruncateKind::Anew, _, Deletes::Soft)
                if self.definition.is_change_log() =>
            {
                self.definition.marked_before = self.next_place();
                Ok(())
            }
            (TruncateKind::Change | TruncateKind::Anew, _, Deletes::Soft) => {
                self.settle()?;
                self.mark_all()
            }
            (TruncateKind::Restart, ..)
            | (TruncateKind::Change | TruncateKind::Anew, _, Deletes::Hard) => self.empty(),
        }
    }

    /// Brings everything into files, and does not wait for these.
    pub(crate) fn close(&mut self) -> Result<()> {
        self.settle()?;
        self.end_direct()?;
        if std::mem::take(&mut self.outdated) {
            let newest = self.definition.newest();
            self.renew(|file| file.layout != newest)?;
        }
        let deletes = self.end_deletes()?;
        self.deletes.extend(deletes);
        Ok(())
    }

    /// Ends the load of this table.
    pub(crate) fn finish(&mut self) -> Result<Outcome> {
        self.close()?;
        self.gather()?;
        let mut uploads = Vec::new();
        let mut changed: Vec<DataFile> = Vec::new();
        for ended in std::mem::take(&mut self.deletes) {
            let (file, before, pending) = ended.seal()?;
            changed.push(file);
            self.removed.extend(before);
            uploads.push(pending);
        }
        let mut equality_deletes = Vec::new();
        for (deletes, sealed) in self.erasing.take() {
            equality_deletes.push(deletes);
            uploads.push(sealed.pending);
        }
        let mut added: Vec<DataFile> = Vec::new();
        for Written { file, sealed } in self.written.drain(..) {
            added.push(file);
            uploads.push(sealed.pending);
        }
        let redefined = self
            .base
            .as_ref()
            .is_none_or(|base| base.definition != self.definition);
        self.drop_deletes();
        let removed = std::mem::take(&mut self.removed);
        let is_same = added.is_empty() && changed.is_empty() && equality_deletes.is_empty();
        let is_change = redefined || !is_same || !removed.is_empty();
        let change = is_change.then(|| TableChange {
            definition: self.definition.clone(),
            redefined,
            added,
            changed,
            equality_deletes,
            removed,
            dropped: false,
        });
        Ok(Outcome {
            change,
            uploads,
            schema_changes: std::mem::take(&mut self.changes),
        })
    }

    /// Bytes in memory.
    pub(crate) fn memory(&self) -> usize {
        self.direct.memory()
    }

    /// Gives some memory back.
    pub(crate) fn shed(&mut self) -> Result<()> {
        self.direct.shed()
    }

    /// Ends the files of rows that went straight.
    pub(crate) fn end_direct(&mut self) -> Result<()> {
        self.ended.extend(self.direct.finish()?);
        Ok(())
    }

    /// Waits for the files that are on their way.
    pub(crate) fn gather(&mut self) -> Result<()> {
        for ended in self.ended.drain(..) {
            self.written.push(ended.seal()?);
        }
        self.erasing.gather()
    }

    /// New files of the table: those of rows where they belong, or all in one folder.
    pub(crate) fn roller(&self, folders: Option<String>) -> Result<Roller> {
        match folders {
            None => roller(&self.site, &self.plan, &self.definition, &self.schema),
            Some(folder) => {
                let shape = shape(&self.plan, &self.definition, &self.schema)?;
                Ok(Roller::new(&self.site, Folders::Fixed(folder), shape))
            }
        }
    }

    /// When rows of this load are said to be loaded.
    pub(crate) fn synced_at(&self, rows: usize) -> ArrayRef {
        let at = self.site.load.started_at.timestamp_micros();
        Arc::new(TimestampMicrosecondArray::from(vec![at; rows]).with_timezone("UTC"))
    }

    /// The table has no row any more.
    fn empty(&mut self) -> Result<()> {
        self.stage = None;
        self.end_direct()?;
        self.ended.clear();
        for written in self.written.drain(..) {
            give_up(&self.site, &written.sealed.pending.upload);
        }
        if let Some(base) = &self.base {
            let keys = base.files.values().flat_map(DataFile::keys);
            self.removed.extend(keys.cloned());
        }
        self.gone.clear();
        self.forget_deletes();
        self.definition.generation += 1;
        self.definition.marked_before = 0;
        Ok(())
    }

    /// The place of the next row in a change log.
    fn next_place(&self) -> i64 {
        let sequence = i64::try_from(self.site.sequence).unwrap_or(i64::MAX);
        sequence.saturating_mul(1 << 32).saturating_add(self.logged)
    }

    fn goes_straight(&self, ops: &[Op], presence: Presence) -> bool {
        match self.plan.mode {
            Mode::Append => true,
            _ if self.definition.is_change_log() => true,
            Mode::Merge | Mode::Replace | Mode::History => {
                self.stage.is_none() && presence == Presence::Absent && !ops.contains(&Op::Delete)
            }
        }
    }

    /// Rows under the layout of the table's files.
    fn shape(&self, rows: &Screened) -> Result<RecordBatch> {
        let is_log = self.definition.is_change_log();
        conform(&rows.rows, &self.schema, |field: &Field| {
            Ok(match field.name().as_str() {
                SYNCED_AT => Some(self.synced_at(rows.ops.len())),
                DELETED => Some(are_deletes(&rows.ops)),
                OP if is_log => Some(letters(&rows.ops)),
                ORDER if is_log => Some(self.places(rows.ops.len())),
                _ => None,
            })
        })
    }

    fn places(&self, rows: usize) -> ArrayRef {
        let first = self.next_place();
        Arc::new(Int64Array::from_iter_values((first..).take(rows)))
    }

    fn note(&mut self, steps: &[Step]) {
        let has_files = self
            .base
            .as_ref()
            .is_some_and(|base| !base.files.is_empty());
        let is_rows = self.plan.mode != Mode::Append && !self.definition.is_change_log();
        let is_ours = self.site.config.format == Format::Parquet && is_rows && has_files;
        self.outdated |= is_ours && !steps.is_empty();
        // What nobody sees has no history.
        let seen = steps.iter().filter(|_| !self.definition.is_beside());
        let changes = seen.filter_map(|step| {
            let (change, column, from, to) = match step {
                Step::CreateSchema { .. } => return None,
                Step::CreateTable { .. } => ("create_table", None, None, None),
                Step::AddColumn { column, .. } => ("add_column", Some(column), None, Some(column)),
                Step::WidenType { column, from, .. } => {
                    ("widen_type", Some(column), Some(*from), Some(column))
                }
            };
            Some(SchemaChange {
                stream: self.plan.stream.clone(),
                table: self.plan.table.to_string(),
                column: column.map(|column| column.name.clone()),
                change: change.to_owned(),
                from_type: from.map(|from| from.to_string()),
                to_type: to.map(|to| to.data_type.to_string()),
            })
        });
        self.changes.extend(changes.collect::<Vec<_>>());
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        for written in self.written.drain(..) {
            give_up(&self.site, &written.sealed.pending.upload);
        }
        for (_, sealed) in self.erasing.take() {
            give_up(&self.site, &sealed.pending.upload);
        }
    }
}

fn letters(ops: &[Op]) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(
        ops.iter().map(|op| op.letter()),
    ))
}

fn are_deletes(ops: &[Op]) -> ArrayRef {
    let deletes = ops
        .iter()
        .map(|op| Some(matches!(op, Op::Delete | Op::Truncate)));
    Arc::new(deletes.collect::<BooleanArray>())
}
