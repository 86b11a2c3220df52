//! A load as DuckDB sees it: one transaction over all tables, from its claim to its commit.
//!
//! Invariant: the claim on the fence row is the first statement and the state row is written in the
//! same transaction, so rows and state become true together or not at all. // G1 G2
//! Dropping a transaction rolls it back, and then gives up its turn.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::DataType;
use tokio::sync::OwnedMutexGuard;
use tributary_model::failpoint::reach;
use tributary_model::{
    Batch, Change, Commit, Deletes, Error, Fence, LoadPlan, Mode, Old, Op, Receipt, Rejection,
    Result, StreamName, TableName, TablePlan, TruncateKind,
};
use tributary_sql::{Waiting, Within};

use crate::beside::{carry, drop_table, make_beside, swap_in};
use crate::describe::{Inventory, dialect};
use crate::error::Explain;
use crate::file::Database;
use crate::layout::{Rows, Site};
use crate::ledger::note_swap;
use crate::screen::{retain, screen};
use crate::target::Target;
use crate::{ledger, rejected, system};

/// Bytes collected for the appenders of all tables together. // G6
const PENDING_BYTES: usize = 16 << 20;

/// Bytes of changes that are not folded yet, of all tables together. // G6
const WINDOW_BYTES: usize = 32 << 20;

/// A load under way.
#[derive(Debug)]
pub(crate) struct Transaction {
    // Dropped first, which rolls back; then the file may close, and the next load begin.
    site: Site,
    fence: Fence,
    targets: BTreeMap<TableName, Target>,
    /// The tables that this load has begun beside others: their streams' rows go there.
    beside: BTreeMap<StreamName, TableName>,
    prepared: usize,
    rejected: BTreeMap<StreamName, u64>,
    waiting: Waiting,
    database: Arc<Database>,
    _turn: OwnedMutexGuard<()>,
}

impl Transaction {
    /// Begins: claims the load and brings the tables to their plans.
    pub(crate) fn begin(
        database: Arc<Database>,
        turn: OwnedMutexGuard<()>,
        plan: LoadPlan,
        fence: Fence,
    ) -> Result<Self> {
        let connection = database.connect()?;
        connection
            .execute_batch("BEGIN")
            .explain("beginning a load")?;
        system::claim(&connection, &fence, &plan.load_id)?;
        let dialect = dialect(&connection)?;
        let site = Site {
            connection,
            dialect,
            load: plan,
        };
        let mut transaction = Self {
            waiting: rejected::waiting(&site)?,
            site,
            fence,
            targets: BTreeMap::new(),
            beside: BTreeMap::new(),
            prepared: 0,
            rejected: BTreeMap::new(),
            database,
            _turn: turn,
        };
        transaction.prepare(transaction.site.load.tables.clone(), Rows::Untouched)?;
        reach("load.after_begin")?;
        Ok(transaction)
    }

    /// Whose load it is.
    pub(crate) fn fence(&self) -> &Fence {
        &self.fence
    }

    /// Takes one change.
    pub(crate) fn write(&mut self, change: Change) -> Result<()> {
        match change {
            Change::Rows(batch) => self.write_rows(batch)?,
            Change::Truncate { plan, kind } => {
                let (target, site) = self.target(&plan)?;
                target.truncate(site, kind)?;
                // What is kept whatever happens keeps what is missing of it.
                let keeps = plan.mode == Mode::Append || plan.deletes == Deletes::Ignore;
                if kind == TruncateKind::Restart || !keeps {
                    rejected::void(&self.site, &mut self.waiting, &plan.stream, &plan.table)?;
                }
            }
            Change::Clear { plan, of } => {
                rejected::cleared(&self.site, &self.waiting, &plan, &of)?;
                let (target, site) = self.target(&plan)?;
                target.clear(site, of)?;
            }
            Change::Close { plan, at } => {
                let (target, site) = self.target(&plan)?;
                target.close(site, at)?;
                rejected::void(&self.site, &mut self.waiting, &plan.stream, &plan.table)?;
            }
            Change::Renew { plan, like } => self.renew(&plan, like.as_ref())?,
            Change::Swap { plan, beside, old } => self.swap(&plan, &beside, &old)?,
            Change::Rejected(rejections) => self.write_rejected(rejections)?,
        }
        reach("load.after_stage")
    }

    /// Takes rejected rows of a stream out of where they wait.
    pub(crate) fn take_rejected(&mut self, of: &StreamName, most: usize) -> Result<Vec<Rejection>> {
        let plan = self.plan_of(of).ok_or_else(|| {
            Error::bug(format!(
                "rejected rows of {of} were to be taken into no table"
            ))
        })?;
        rejected::take(&self.site, &plan, most)
    }

    /// The plan of a stream's table.
    fn plan_of(&self, stream: &StreamName) -> Option<Arc<TablePlan>> {
        let beside = self.beside.get(stream);
        if let Some(target) = beside.and_then(|name| self.targets.get(name)) {
            return Some(target.plan().clone());
        }
        let mut plans = self.targets.values().map(Target::plan);
        plans.find(|plan| plan.stream == *stream).cloned()
    }

    /// How many rows of a table without a key have each of these hashes.
    pub(crate) fn copies(&mut self, plan: &Arc<TablePlan>, hashes: &[String]) -> Result<Vec<u64>> {
        let (target, site) = self.target(plan)?;
        target.copies(site, hashes)
    }

    /// Makes rows and state true.
    pub(crate) fn commit(mut self, commit: &Commit) -> Result<Receipt> {
        reach("load.before_merge")?;
        for target in self.targets.values_mut() {
            target.settle(&self.site)?;
        }
        let Site {
            connection, load, ..
        } = &self.site;
        let fence = Fence {
            sequence: self.fence.sequence + 1,
            last_load: Some(load.load_id.clone()),
            ..self.fence
        };
        system::advance(connection, &fence, &commit.state)?;
        ledger::record(connection, load, &fence, commit, &self.rejected)?;
        reach("load.before_commit")?;
        connection
            .execute_batch("COMMIT")
            .explain("committing the load")?;
        reach("load.after_commit")?;
        Ok(Receipt {
            fence,
            rejected: self.rejected,
        })
    }

    fn write_rows(&mut self, batch: Batch) -> Result<()> {
        let plan = batch.plan.clone();
        let presence = batch.presence;
        check_shape(&plan, &batch)?;
        self.target(&plan)?;
        let (all, ops) = (batch.rows.clone(), batch.ops.clone());
        let mut rows = screen(&plan, batch)?;
        rejected::loaded(&self.site, &mut self.waiting, &plan, &rows)?;
        if !rows.rejected.is_empty() {
            *self.rejected.entry(plan.stream.clone()).or_default() += rows.rejected.len() as u64;
            let within = Within {
                rows: &all,
                ops: &ops,
                at: &rows.at,
            };
            let (site, plan) = (&self.site, Some(plan.as_ref()));
            let waiting = &mut self.waiting;
            rejected::reject(site, waiting, plan, &rows.rejected, Some(&within))?;
        }
        if plan.deletes == Deletes::Ignore {
            retain(&mut rows, |op| !matches!(op, Op::Delete | Op::Truncate))?;
        }
        let (target, site) = self.target(&plan)?;
        target.take(site, rows, presence)?;
        self.bound_pending()
    }

    /// Rows that others have rejected, stream by stream.
    fn write_rejected(&mut self, rejections: Vec<Rejection>) -> Result<()> {
        let mut streams: BTreeMap<StreamName, Vec<Rejection>> = BTreeMap::new();
        for rejection in rejections {
            let of = streams.entry(rejection.stream.clone()).or_default();
            of.push(rejection);
        }
        for (stream, rejections) in streams {
            let plan = self.plan_of(&stream);
            let (site, waiting) = (&self.site, &mut self.waiting);
            rejected::reject(site, waiting, plan.as_deref(), &rejections, None)?;
        }
        Ok(())
    }

    /// The table of `plan`, brought to that plan.
    fn target(&mut self, plan: &Arc<TablePlan>) -> Result<(&mut Target, &Site)> {
        let follows = |target: &Target| {
            Arc::ptr_eq(target.plan(), plan) || target.plan().as_ref() == plan.as_ref()
        };
        if !self.targets.get(&plan.table).is_some_and(follows) {
            self.prepare(vec![plan.clone()], Rows::Untouched)?;
        }
        let target = self.targets.get_mut(&plan.table);
        let target = target.ok_or_else(|| Error::bug("a table was not prepared"))?;
        Ok((target, &self.site))
    }

    /// Makes a table anew that is built beside another.
    fn renew(&mut self, plan: &Arc<TablePlan>, like: Option<&TableName>) -> Result<()> {
        if let Some(mut target) = self.targets.remove(&plan.table) {
            target.abandon(&self.site)?;
        }
        rejected::void(&self.site, &mut self.waiting, &plan.stream, &plan.table)?;
        make_beside(&self.site, plan, like)?;
        self.prepare(vec![plan.clone()], Rows::New)?;
        let name = plan.table.clone();
        self.beside.insert(plan.stream.clone(), name);
        Ok(())
    }

    /// Puts a table that was built beside in its place.
    fn swap(&mut self, plan: &Arc<TablePlan>, beside: &TableName, old: &Old) -> Result<()> {
        self.beside.remove(&plan.stream);
        let mut new = match self.targets.remove(beside) {
            Some(target) => target,
            None => return Err(Error::bug(format!("{beside} is not being built"))),
        };
        new.settle(&self.site)?;
        match old {
            Old::Continued if plan.mode == Mode::History => {
                let (target, site) = self.target(plan)?;
                target.continue_with(site, beside)?;
                drop_table(site, beside)?;
            }
            Old::Gone | Old::Kept(_) | Old::Continued => {
                let mut live = Rows::Untouched;
                if let Some(mut target) = self.targets.remove(&plan.table) {
                    target.settle(&self.site)?;
                    live = target.rows();
                }
                if *old == Old::Continued {
                    carry(&self.site, plan, beside)?;
                }
                swap_in(&self.site, plan, (beside, new.rows()), (old, live))?;
            }
        }
        rejected::moved(&self.site, &mut self.waiting, plan, beside, old)?;
        note_swap(&self.site, plan, beside, old)
    }

    fn prepare(&mut self, plans: Vec<Arc<TablePlan>>, rows: Rows) -> Result<()> {
        let names: Vec<&TableName> = plans.iter().map(|plan| &plan.table).collect();
        let mut inventory = Inventory::of(&self.site.connection, &names)?;
        for plan in plans {
            self.database
                .make_room(plan.columns.len().max(inventory.columns(&plan.table)))?;
            if let Some(target) = self.targets.get_mut(&plan.table) {
                target.follow(&self.site, plan, &mut inventory)?;
                continue;
            }
            self.prepared += 1;
            let name = plan.table.clone();
            let target = Target::prepare(&self.site, plan, &mut inventory, self.prepared, rows)?;
            self.targets.insert(name, target);
        }
        Ok(())
    }

    fn bound_pending(&mut self) -> Result<()> {
        let windows: usize = self.targets.values().map(Target::window_bytes).sum();
        if windows >= WINDOW_BYTES
            && let Some(largest) = self.targets.values_mut().max_by_key(|t| t.window_bytes())
        {
            largest.settle(&self.site)?;
        }
        let bytes: usize = self.targets.values().map(Target::pending_bytes).sum();
        if bytes < PENDING_BYTES {
            return Ok(());
        }
        self.targets
            .values_mut()
            .try_for_each(|target| target.flush(&self.site))
    }
}

fn check_shape(plan: &TablePlan, batch: &Batch) -> Result<()> {
    let types = |data_type: &DataType| data_type.clone();
    let wanted: Vec<DataType> = plan
        .columns
        .iter()
        .map(|c| c.data_type.to_arrow())
        .collect();
    let given: Vec<DataType> = batch
        .rows
        .columns()
        .iter()
        .map(|c| types(c.data_type()))
        .collect();
    if wanted == given && batch.ops.len() == batch.rows.num_rows() {
        return Ok(());
    }
    Err(Error::bug(format!(
        "rows for {} do not have the shape of their plan",
        plan.table
    )))
}
