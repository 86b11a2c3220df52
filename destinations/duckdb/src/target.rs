//! One table within a load: where its rows go, and in which order.
//!
//! Rows that can't meet another of their key go straight into the table. Others are folded first: in
//! memory, a window at a time, where the table has the plan's very columns, else in a staging table.
//! Once rows of a load are staged, later ones of that table are too, and none go straight into the
//! table while a window is open, so that the order holds. // G4
//!
//! Small batches are collected before the appender is started for them, since starting costs as
//! much as a thousand rows.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, TimestampMicrosecondArray};
use tributary_model::{Deletes, Error, Mode, Op, Presence, Result, TablePlan};
use tributary_sql::{
    DELETED, IS_CURRENT, Merge, STAGED_DELETE, STAGED_SEQ, SYNCED_AT, Staged, Staging, VALID_FROM,
    VALID_TO, restage,
};

use crate::append::{Place, append, batch_of};
use crate::describe::Inventory;
use crate::dialect::DuckDialect;
use crate::layout::{Layout, Rows, Site, bring};
use crate::screen::Screened;
use crate::window::Window;

mod count;
mod fold;
mod gone;

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
    Window,
    Staged,
}

/// A table and what is on its way into it.
#[derive(Debug)]
pub(crate) struct Target {
    plan: Arc<TablePlan>,
    layout: Layout,
    staging: Staging,
    /// Changes that are not folded yet.
    window: Window,
    /// What the staging table holds, where there is one; then the window is empty.
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
        rows: Rows,
    ) -> Result<Self> {
        Ok(Self {
            layout: bring(site, &plan, inventory, rows)?,
            plan,
            staging: Staging {
                rows: format!("_tributary_staged_{number}"),
                fold: format!("_tributary_fold_{number}"),
            },
            window: Window::default(),
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
        self.stage_window(site)?;
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

    /// Bytes of changes that are not folded yet.
    pub(crate) fn window_bytes(&self) -> usize {
        self.window.bytes()
    }

    /// Takes rows of the plan.
    pub(crate) fn take(&mut self, site: &Site, rows: Screened, presence: Presence) -> Result<()> {
        if rows.ops.is_empty() {
            return Ok(());
        }
        if self.plan.mode != Mode::Append && rows.ops.contains(&Op::Truncate) {
            return Err(Error::bug("a truncate came as a row of a merged table"));
        }
        let route = self.route_of(&rows.ops, presence);
        if route != self.route {
            self.flush(site)?;
            self.route = route;
        }
        match route {
            Route::Direct => {
                let deleted = are_deletes(&rows.ops);
                let (own, more) = match self.plan.mode {
                    Mode::History => versions(site, &self.plan, rows.rows)?,
                    Mode::Merge | Mode::Append | Mode::Replace => (rows.rows, Vec::new()),
                };
                let system = self.system_columns(site, deleted);
                self.collect(site, own, system.into_iter().chain(more).collect())?;
            }
            Route::Window => {
                self.window
                    .push(rows.rows, rows.ops.into_iter().map(is_delete))?;
                if self.window.is_full() {
                    self.settle(site)?;
                }
            }
            Route::Staged => self.stage(site, rows.rows, are_deletes(&rows.ops))?,
        }
        match &self.staged {
            Some(held) if held.rows >= STAGED_ROWS || held.bytes >= STAGED_BYTES => {
                self.settle(site)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Collects rows of the plan, with `more` columns, for the appender.
    fn collect(
        &mut self,
        site: &Site,
        rows: RecordBatch,
        more: Vec<(&'static str, ArrayRef)>,
    ) -> Result<()> {
        let names = self.plan.columns.iter().map(|column| column.name.as_str());
        let own = names.zip(rows.columns().iter().cloned());
        let batch = batch_of(own.chain(more))?;
        self.pending_rows += batch.num_rows();
        self.pending_bytes += batch.get_array_memory_size();
        self.pending.push(batch);
        if self.pending_rows >= PENDING_ROWS || self.pending_bytes >= PENDING_BYTES {
            self.flush(site)?;
        }
        Ok(())
    }

    fn stage(&mut self, site: &Site, rows: RecordBatch, deletes: BooleanArray) -> Result<()> {
        let more = self.stage_columns(site, &rows, deletes)?.to_vec();
        self.collect(site, rows, more)
    }

    /// Gives what was collected to the appender.
    pub(crate) fn flush(&mut self, site: &Site) -> Result<()> {
        let table = &self.plan.table;
        let place = match self.route {
            Route::Direct | Route::Window => Place::Table {
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

    /// Forgets what is on its way into the table.
    pub(crate) fn abandon(&mut self, site: &Site) -> Result<()> {
        self.forget_pending();
        self.window = Window::default();
        if self.staged.take().is_some() {
            let drop_staging = self.merge(site, |merge| merge.drop_staging());
            site.run(&[drop_staging], "dropping staged rows")?;
        }
        Ok(())
    }

    /// What the load has done to the table's rows.
    pub(crate) fn rows(&self) -> Rows {
        self.layout.rows
    }

    /// The number of the next staged row; makes the staging table where there is none.
    fn next_seq(&mut self, site: &Site) -> Result<i64> {
        let held = self.hold(site)?;
        let seq = held.rows;
        held.rows += 1;
        held.kind = Staged::Deletes;
        Ok(seq)
    }

    fn route_of(&self, ops: &[Op], presence: Presence) -> Route {
        let alone = presence == Presence::Absent && !ops.contains(&Op::Delete);
        match self.plan.mode {
            _ if !self.layout.exact || self.staged.is_some() => Route::Staged,
            Mode::Append => Route::Direct,
            Mode::Merge | Mode::Replace | Mode::History => {
                if self.window.is_empty() && alone {
                    Route::Direct
                } else if self.plan.mode != Mode::History && Window::suits(&self.plan) {
                    Route::Window
                } else {
                    Route::Staged
                }
            }
        }
    }

    /// The columns that the table has besides the plan's.
    fn system_columns(&self, site: &Site, deleted: BooleanArray) -> Vec<(&'static str, ArrayRef)> {
        let at = vec![site.load.started_at.timestamp_micros(); deleted.len()];
        let at = TimestampMicrosecondArray::from(at).with_timezone("UTC");
        let mut columns: Vec<(&str, ArrayRef)> = vec![(SYNCED_AT, Arc::new(at))];
        if self.plan.deletes == Deletes::Soft {
            columns.push((DELETED, Arc::new(deleted)));
        }
        columns
    }

    /// The columns that the staging table has besides the plan's; makes the table where needed.
    fn stage_columns(
        &mut self,
        site: &Site,
        rows: &RecordBatch,
        deletes: BooleanArray,
    ) -> Result<[(&'static str, ArrayRef); 2]> {
        let held = self.hold(site)?;
        let count = i64::try_from(deletes.len()).unwrap_or(i64::MAX);
        let seq = Int64Array::from_iter_values(held.rows..held.rows + count);
        held.rows += count;
        held.bytes += rows.get_array_memory_size();
        if deletes.true_count() > 0 {
            held.kind = Staged::Deletes;
        }
        Ok([
            (STAGED_SEQ, Arc::new(seq)),
            (STAGED_DELETE, Arc::new(deletes)),
        ])
    }

    /// What is staged; makes the staging table where there is none.
    fn hold(&mut self, site: &Site) -> Result<&mut Holding> {
        if self.staged.is_none() {
            let create = self.merge(site, |merge| merge.create_staging())?;
            site.run(&[create], "making room for staged rows")?;
        }
        Ok(self.staged.get_or_insert_with(|| Holding {
            plan: self.plan.clone(),
            rows: 0,
            bytes: 0,
            kind: Staged::Upserts,
        }))
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

/// Rows that begin the history of their keys, and the columns that a version has besides.
fn versions(
    site: &Site,
    plan: &TablePlan,
    rows: RecordBatch,
) -> Result<(RecordBatch, Vec<(&'static str, ArrayRef)>)> {
    let bug = |cause| Error::bug("versions could not be made").because(cause);
    let count = rows.num_rows();
    let mut columns = rows.columns().to_vec();
    let from = plan.columns.iter().position(|c| c.name == VALID_FROM);
    if let Some(place) = from {
        let told = columns[place].as_primitive::<TimestampMicrosecondType>();
        let begun = site.load.started_at.timestamp_micros();
        let from: TimestampMicrosecondArray =
            told.iter().map(|at| Some(at.unwrap_or(begun))).collect();
        columns[place] = Arc::new(from.with_timezone("UTC"));
    }
    let rows = RecordBatch::try_new(rows.schema(), columns).map_err(bug)?;
    let open = TimestampMicrosecondArray::new_null(count).with_timezone("UTC");
    let current = BooleanArray::from(vec![true; count]);
    Ok((
        rows,
        vec![(VALID_TO, Arc::new(open)), (IS_CURRENT, Arc::new(current))],
    ))
}

fn are_deletes(ops: &[Op]) -> BooleanArray {
    ops.iter().map(|op| Some(is_delete(*op))).collect()
}

fn is_delete(op: Op) -> bool {
    matches!(op, Op::Delete | Op::Truncate)
}
