//! One table within a load: where its rows go, and in which order.
//!
//! Rows that can't meet another of their key go straight into the table; all others are staged and
//! folded. Once rows of a load are staged, later ones of that table are too, so that the order
//! holds. // G4
//!
//! Small batches are collected before the appender is started for them, since starting costs as
//! much as a thousand rows.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, TimestampMicrosecondArray};
use tributary_model::{Deletes, Error, Mode, Op, Presence, Result, TablePlan, TruncateKind};
use tributary_sql::{
    DELETED, Merge, STAGED_DELETE, STAGED_SEQ, SYNCED_AT, Staged, Staging, restage,
};

use crate::append::{Place, append, batch_of};
use crate::describe::Inventory;
use crate::dialect::DuckDialect;
use crate::layout::{Layout, Rows, Site, bring};
use crate::screen::Screened;

/// Collected rows that are worth starting the appender.
const PENDING_ROWS: usize = 8 * 1024;
/// Collected bytes that are. // G6
const PENDING_BYTES: usize = 4 << 20;
/// Staged rows that are folded before the load ends: folding more at once costs more for each. // G6
const STAGED_ROWS: i64 = 500_000;
/// Staged bytes that are. // G6
const STAGED_BYTES: usize = 256 << 20;

/// Which way rows go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Direct,
    Staged,
}

/// A table and what is on its way into it.
#[derive(Debug)]
pub(crate) struct Target {
    plan: Arc<TablePlan>,
    layout: Layout,
    staging: Staging,
    /// What the staging table holds, where there is one.
    staged: Option<Holding>,
    pending: Vec<RecordBatch>,
    pending_rows: usize,
    pending_bytes: usize,
    route: Route,
}

/// What was staged.
#[derive(Debug)]
struct Holding {
    /// The plan with the columns of earlier plans of this load.
    plan: Arc<TablePlan>,
    rows: i64,
    bytes: usize,
    kind: Staged,
}

impl Target {
    /// Brings the table to its plan; `number` is one that no other target of the load has.
    pub(crate) fn prepare(
        site: &Site,
        plan: Arc<TablePlan>,
        inventory: &mut Inventory,
        number: usize,
    ) -> Result<Self> {
        Ok(Self {
            layout: bring(site, &plan, inventory, Rows::Untouched)?,
            plan,
            staging: Staging {
                rows: format!("_tributary_staged_{number}"),
                fold: format!("_tributary_fold_{number}"),
            },
            staged: None,
            pending: Vec::new(),
            pending_rows: 0,
            pending_bytes: 0,
            route: Route::Direct,
        })
    }

    /// Goes on under a newer plan.
    pub(crate) fn follow(
        &mut self,
        site: &Site,
        plan: Arc<TablePlan>,
        inventory: &mut Inventory,
    ) -> Result<()> {
        self.flush(site)?;
        let restaged = match &self.staged {
            Some(held) => restage(&site.dialect, &self.staging, &held.plan, &plan)?,
            None => None,
        };
        match (restaged, &mut self.staged) {
            (Some(restaged), Some(held)) => {
                site.run(&restaged.statements, "changing the layout of staged rows")?;
                held.plan = Arc::new(restaged.plan);
            }
            _ => self.settle(site)?,
        }
        self.layout = bring(site, &plan, inventory, self.layout.rows)?;
        self.plan = plan;
        Ok(())
    }

    /// The plan that the table has been brought to.
    pub(crate) fn plan(&self) -> &Arc<TablePlan> {
        &self.plan
    }

    /// Bytes collected for the appender.
    pub(crate) fn pending_bytes(&self) -> usize {
        self.pending_bytes
    }

    /// Takes rows of the plan.
    pub(crate) fn take(&mut self, site: &Site, rows: Screened, presence: Presence) -> Result<()> {
        if rows.ops.is_empty() {
            return Ok(());
        }
        if self.plan.mode == Mode::Merge && rows.ops.contains(&Op::Truncate) {
            return Err(Error::bug("a truncate came as a row of a merged table"));
        }
        let route = self.route_of(&rows.ops, presence);
        if route != self.route {
            self.flush(site)?;
            self.route = route;
        }
        let system = match route {
            Route::Direct => self.system_columns(site, &rows.ops),
            Route::Staged => self.stage_columns(site, &rows)?.to_vec(),
        };
        let names = self.plan.columns.iter().map(|column| column.name.as_str());
        let own = names.zip(rows.rows.columns().iter().cloned());
        let batch = batch_of(own.chain(system))?;
        self.pending_rows += batch.num_rows();
        self.pending_bytes += batch.get_array_memory_size();
        self.pending.push(batch);
        if self.pending_rows >= PENDING_ROWS || self.pending_bytes >= PENDING_BYTES {
            self.flush(site)?;
        }
        match &self.staged {
            Some(held) if held.rows >= STAGED_ROWS || held.bytes >= STAGED_BYTES => {
                self.settle(site)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Gives what was collected to the appender.
    pub(crate) fn flush(&mut self, site: &Site) -> Result<()> {
        let table = &self.plan.table;
        let place = match self.route {
            Route::Direct => Place::Table {
                catalog: &site.dialect.catalog,
                schema: &table.schema,
                table: &table.table,
            },
            Route::Staged => Place::Temporary(&self.staging.rows),
        };
        append(&site.connection, place, &self.pending)?;
        self.forget_pending();
        Ok(())
    }

    /// Brings everything taken so far into the table.
    pub(crate) fn settle(&mut self, site: &Site) -> Result<()> {
        self.flush(site)?;
        let Some(held) = self.staged.take() else {
            return Ok(());
        };
        let merge = Merge {
            dialect: &site.dialect,
            plan: &held.plan,
            staging: &self.staging,
            synced_at: &site.synced_at(),
        };
        let statements = match held.plan.mode {
            Mode::Append => merge.append(),
            Mode::Merge | Mode::Replace | Mode::History => {
                self.layout.touch();
                merge.fold(held.kind)
            }
        };
        site.run(&statements, &format!("merging into {}", self.plan.table))
    }

    /// Empties the table at this point of the order.
    pub(crate) fn truncate(&mut self, site: &Site, kind: TruncateKind) -> Result<()> {
        match (kind, self.plan.mode, self.plan.deletes) {
            // A history of changes keeps what was there; the change itself came as a row.
            (TruncateKind::Change, Mode::Append, _)
            | (TruncateKind::Change, _, Deletes::Ignore) => {
                return Ok(());
            }
            (TruncateKind::Change, _, Deletes::Soft) => self.settle(site)?,
            (TruncateKind::Restart, ..) | (TruncateKind::Change, _, Deletes::Hard) => {
                self.forget_pending();
                if self.staged.take().is_some() {
                    let drop_staging = self.merge(site, |merge| merge.drop_staging());
                    site.run(&[drop_staging], "dropping staged rows")?;
                }
            }
        }
        self.layout.touch();
        let statements = self.merge(site, |merge| merge.truncate(kind));
        site.run(&statements, &format!("emptying {}", self.plan.table))
    }

    fn route_of(&self, ops: &[Op], presence: Presence) -> Route {
        let nothing_staged = self.staged.is_none();
        let direct = match self.plan.mode {
            Mode::Append => self.layout.exact,
            Mode::Merge | Mode::Replace | Mode::History => {
                self.layout.exact
                    && nothing_staged
                    && presence == Presence::Absent
                    && !ops.contains(&Op::Delete)
            }
        };
        if direct { Route::Direct } else { Route::Staged }
    }

    /// The columns that the table has besides the plan's.
    fn system_columns(&self, site: &Site, ops: &[Op]) -> Vec<(&'static str, ArrayRef)> {
        let at = vec![site.load.started_at.timestamp_micros(); ops.len()];
        let at = TimestampMicrosecondArray::from(at).with_timezone("UTC");
        let mut columns: Vec<(&str, ArrayRef)> = vec![(SYNCED_AT, Arc::new(at))];
        if self.plan.deletes == Deletes::Soft {
            columns.push((DELETED, Arc::new(are_deletes(ops))));
        }
        columns
    }

    /// The columns that the staging table has besides the plan's; makes the table where needed.
    fn stage_columns(
        &mut self,
        site: &Site,
        rows: &Screened,
    ) -> Result<[(&'static str, ArrayRef); 2]> {
        let deletes = are_deletes(&rows.ops);
        let mut held = match self.staged.take() {
            Some(held) => held,
            None => {
                let create = self.merge(site, |merge| merge.create_staging())?;
                site.run(&[create], "making room for staged rows")?;
                Holding {
                    plan: self.plan.clone(),
                    rows: 0,
                    bytes: 0,
                    kind: Staged::Upserts,
                }
            }
        };
        let count = i64::try_from(rows.ops.len()).unwrap_or(i64::MAX);
        let seq = Int64Array::from_iter_values(held.rows..held.rows + count);
        held.rows += count;
        held.bytes += rows.rows.get_array_memory_size();
        if deletes.true_count() > 0 {
            held.kind = Staged::Deletes;
        }
        self.staged = Some(held);
        Ok([
            (STAGED_SEQ, Arc::new(seq)),
            (STAGED_DELETE, Arc::new(deletes)),
        ])
    }

    fn merge<T>(&self, site: &Site, ask: impl FnOnce(Merge<'_, DuckDialect>) -> T) -> T {
        ask(Merge {
            dialect: &site.dialect,
            plan: &self.plan,
            staging: &self.staging,
            synced_at: &site.synced_at(),
        })
    }

    fn forget_pending(&mut self) {
        self.pending.clear();
        self.pending_rows = 0;
        self.pending_bytes = 0;
    }
}

fn are_deletes(ops: &[Op]) -> BooleanArray {
    let deletes = ops
        .iter()
        .map(|op| Some(matches!(op, Op::Delete | Op::Truncate)));
    deletes.collect()
}
