//! A load as PostgreSQL sees it: one transaction over all tables, from its claim to its commit.
//!
//! Invariant: the claim on the fence row is the first change and the state row is written in the
//! same transaction, so rows and state become true together or not at all. // G1 G2
//! Dropping a transaction closes its session, which undoes it.

use std::collections::BTreeMap;
use std::sync::Arc;

use tributary_model::failpoint::reach;
use tributary_model::{
    Batch, Change, Commit, Deletes, Error, Fence, LoadPlan, Old, Op, Receipt, Rejection, Result,
    StreamName, TableName, TablePlan,
};
use tributary_sql::Dialect;

use crate::describe::Inventory;
use crate::dialect::DIALECT;
use crate::screen::screen;
use crate::session::Session;
use crate::system::instant;
use crate::takeover;
use crate::target::Target;
use crate::{beside, ledger, rejected, system};

/// Bytes of all tables together that are collected before they are sent. // G6
const PENDING_BYTES: usize = 16 << 20;

/// The load that a table is written by.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) session: Session,
    pub(crate) load: LoadPlan,
}

impl Site {
    /// When the load began, as SQL.
    pub(crate) fn synced_at(&self) -> String {
        let at = DIALECT.literal(&instant(self.load.started_at));
        format!("CAST({at} AS timestamp with time zone)")
    }
}

/// A load under way.
#[derive(Debug)]
pub(crate) struct Transaction {
    site: Site,
    fence: Fence,
    targets: BTreeMap<TableName, Target>,
    prepared: usize,
    /// Tables whose places others take once the load commits.
    swaps: Vec<(Arc<TablePlan>, TableName, Old)>,
    rejected: BTreeMap<StreamName, u64>,
}

impl Transaction {
    /// Begins: claims the load and looks what the tables need.
    pub(crate) async fn begin(mut session: Session, plan: LoadPlan, fence: Fence) -> Result<Self> {
        session.run("BEGIN", "beginning a load").await?;
        takeover::hold(&mut session, &fence.connection).await?;
        system::claim(&mut session, &fence, &plan.load_id).await?;
        let plans = plan.tables.clone();
        let mut transaction = Self {
            site: Site {
                session,
                load: plan,
            },
            fence,
            targets: BTreeMap::new(),
            prepared: 0,
            swaps: Vec::new(),
            rejected: BTreeMap::new(),
        };
        transaction.prepare(plans).await?;
        reach("load.after_begin")?;
        Ok(transaction)
    }

    /// Whose load it is.
    pub(crate) fn fence(&self) -> &Fence {
        &self.fence
    }

    /// Takes one change.
    pub(crate) async fn write(&mut self, change: Change) -> Result<()> {
        match change {
            Change::Rows(batch) => self.write_rows(batch).await?,
            Change::Truncate { plan, kind } => {
                self.follow(&plan).await?;
                let (target, site) = self.target(&plan)?;
                target.truncate(site, kind).await?;
            }
            Change::Clear { plan, of } => {
                self.follow(&plan).await?;
                let (target, site) = self.target(&plan)?;
                target.clear(site, &of).await?;
            }
            Change::Rejected(rejections) => self.write_rejected(&rejections).await?,
            Change::Close { plan, at } => {
                self.follow(&plan).await?;
                let (target, site) = self.target(&plan)?;
                target.close(site, at).await?;
            }
            Change::Renew { plan, like } => self.renew(&plan, like.as_ref()).await?,
            // It takes the table away from its readers: that comes last.
            Change::Swap { plan, beside, old } => self.swaps.push((plan, beside, old)),
        }
        reach("load.after_stage")
    }

    /// How many rows of a table without a key have each of these hashes.
    pub(crate) async fn copies(
        &mut self,
        plan: &Arc<TablePlan>,
        hashes: &[String],
    ) -> Result<Vec<u64>> {
        self.follow(plan).await?;
        let (target, site) = self.target(plan)?;
        target.copies(site, hashes).await
    }

    /// Makes rows and state true; gives the session back.
    pub(crate) async fn commit(mut self, commit: &Commit) -> Result<(Receipt, Session)> {
        reach("load.before_merge")?;
        for (plan, beside, old) in std::mem::take(&mut self.swaps) {
            self.swap(&plan, &beside, &old).await?;
        }
        for target in self.targets.values_mut() {
            target.settle(&mut self.site).await?;
        }
        let Site { mut session, load } = self.site;
        let fence = Fence {
            sequence: self.fence.sequence + 1,
            last_load: Some(load.load_id.clone()),
            ..self.fence
        };
        system::advance(&mut session, &fence, &commit.state).await?;
        ledger::record(&mut session, &load, &fence, commit, &self.rejected).await?;
        reach("load.before_commit")?;
        session.run("COMMIT", "committing the load").await?;
        reach("load.after_commit")?;
        let receipt = Receipt {
            fence,
            rejected: self.rejected,
        };
        Ok((receipt, session))
    }

    async fn write_rows(&mut self, batch: Batch) -> Result<()> {
        let plan = batch.plan.clone();
        let presence = batch.presence;
        check_shape(&plan, &batch)?;
        self.follow(&plan).await?;
        let mut rows = screen(&plan, batch)?;
        if !rows.rejected.is_empty() {
            *self.rejected.entry(plan.stream.clone()).or_default() += rows.rejected.len() as u64;
            let rejected = std::mem::take(&mut rows.rejected);
            self.write_rejected(&rejected).await?;
        }
        if plan.deletes == Deletes::Ignore {
            rows.retain(|op| !matches!(op, Op::Delete | Op::Truncate))?;
        }
        let (target, site) = self.target(&plan)?;
        target.take(site, rows, presence).await?;
        self.bound_pending().await
    }

    async fn write_rejected(&mut self, rejections: &[Rejection]) -> Result<()> {
        let Site { session, load } = &mut self.site;
        let targets = &self.targets;
        let table = |rejection: &Rejection| {
            let mut plans = targets.values().map(Target::plan);
            let plan = plans.find(|plan| plan.stream == rejection.stream)?;
            Some(plan.table.to_string())
        };
        rejected::write(session, load, rejections, table).await
    }

    /// Makes a table anew that is built beside another.
    async fn renew(&mut self, plan: &Arc<TablePlan>, like: Option<&TableName>) -> Result<()> {
        if let Some(mut target) = self.targets.remove(&plan.table) {
            target.abandon(&mut self.site).await?;
        }
        beside::make(&mut self.site, plan, like).await?;
        self.prepare(vec![plan.clone()]).await?;
        let (target, site) = self.target(plan)?;
        target.is_unseen(site).await
    }

    /// Puts a table that was built beside in its place.
    async fn swap(&mut self, plan: &Arc<TablePlan>, from: &TableName, old: &Old) -> Result<()> {
        let new = self.targets.remove(from);
        let mut new = new.ok_or_else(|| Error::bug(format!("{from} is not being built")))?;
        new.settle(&mut self.site).await?;
        match old {
            Old::Continued => {
                self.follow(plan).await?;
                let (target, site) = self.target(plan)?;
                target.continue_with(site, from).await?;
                beside::drop_table(site, from).await?;
            }
            Old::Gone if beside::keeps_identity(&mut self.site, plan, from).await? => {
                self.follow(plan).await?;
                let (target, site) = self.target(plan)?;
                target.settle(site).await?;
                beside::pour(site, plan, from).await?;
            }
            Old::Gone | Old::Kept(_) => {
                if let Some(mut target) = self.targets.remove(&plan.table) {
                    target.settle(&mut self.site).await?;
                }
                beside::rename(&mut self.site, plan, from, old).await?;
            }
        }
        let Site { session, load } = &mut self.site;
        rejected::moved(session, load, plan, from).await?;
        ledger::note_swap(session, load, plan, from, old).await
    }

    /// Sees to it that the table follows `plan`.
    async fn follow(&mut self, plan: &Arc<TablePlan>) -> Result<()> {
        let follows = |target: &Target| {
            Arc::ptr_eq(target.plan(), plan) || target.plan().as_ref() == plan.as_ref()
        };
        if self.targets.get(&plan.table).is_some_and(follows) {
            return Ok(());
        }
        self.prepare(vec![plan.clone()]).await
    }

    fn target(&mut self, plan: &TablePlan) -> Result<(&mut Target, &mut Site)> {
        let target = self.targets.get_mut(&plan.table);
        let target = target.ok_or_else(|| Error::bug("a table was not prepared"))?;
        Ok((target, &mut self.site))
    }

    async fn prepare(&mut self, plans: Vec<Arc<TablePlan>>) -> Result<()> {
        let names: Vec<&TableName> = plans.iter().map(|plan| &plan.table).collect();
        // The older plan's changes first: what the newer one needs is measured against them.
        for name in &names {
            if let Some(target) = self.targets.get_mut(*name) {
                target.change_layout(&mut self.site).await?;
            }
        }
        let mut inventory = Inventory::of(&mut self.site.session, &names).await?;
        for plan in plans {
            if let Some(target) = self.targets.get_mut(&plan.table) {
                target.follow(&mut self.site, plan, &mut inventory).await?;
                continue;
            }
            self.prepared += 1;
            let name = plan.table.clone();
            let target = Target::prepare(&mut self.site, plan, &mut inventory, self.prepared);
            self.targets.insert(name, target.await?);
        }
        Ok(())
    }

    async fn bound_pending(&mut self) -> Result<()> {
        let bytes: usize = self.targets.values().map(Target::pending_bytes).sum();
        if bytes < PENDING_BYTES {
            return Ok(());
        }
        for target in self.targets.values_mut() {
            target.send(&mut self.site).await?;
        }
        Ok(())
    }
}

fn check_shape(plan: &TablePlan, batch: &Batch) -> Result<()> {
    if plan.columns.len() == batch.rows.num_columns() && batch.ops.len() == batch.rows.num_rows() {
        return Ok(());
    }
    Err(Error::bug(format!(
        "rows for {} do not have the shape of their plan",
        plan.table
    )))
}
