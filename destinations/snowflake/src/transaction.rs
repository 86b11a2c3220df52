//! A load: rows go to the bucket as they come, and one request makes them true.
//!
//! Snowflake's SQL API keeps a session for one request only, so the transaction is one request: the
//! claim on the fence row, what happens to each table, the cursors, the commit. What can't be part of
//! a transaction (layouts, staging tables) comes before it; nobody reads what that makes.
//!
//! Invariant: the claim is the first change, and rows and state become true together or not at all.
//! See [`crate::fence`] for why no statement after a failed claim counts. // G1 G2

use std::collections::BTreeMap;
use std::sync::Arc;

use tributary_model::failpoint::reach;
use tributary_model::{
    Batch, Change, Commit, Deletes, Error, ErrorKind, Fence, LoadPlan, Mode, Old, Op, Receipt,
    Rejection, Result, StreamName, TableName, TablePlan,
};
use tributary_store::staging::Stage;

use crate::client::Scope;
use crate::describe::Inventory;
use crate::dialect::SYSTEM;
use crate::error::DIVISION;
use crate::fence::{Standing, claim, fenced, standing};
use crate::screen::screen;
use crate::script::Script;
use crate::site::{Place, Site};
use crate::target::Target;
use crate::{beside, ledger, rejected, system};

/// Bytes of all open files together, as they are in memory. // G6
const OPEN_BYTES: usize = 128 << 20;

/// A load under way.
#[derive(Debug)]
pub(crate) struct Transaction {
    site: Site,
    targets: BTreeMap<TableName, Target>,
    /// Tables whose places others take once the load commits.
    swaps: Vec<(Arc<TablePlan>, TableName, Old)>,
    rejected: BTreeMap<StreamName, u64>,
    rejections: Option<Stage>,
    script: Script,
}

impl Transaction {
    /// Begins: looks whether the load may, and what the tables need.
    pub(crate) async fn begin(place: Place, plan: LoadPlan, fence: Fence) -> Result<Self> {
        let stands = standing(&place.client, place.dialect, &fence, &plan.load_id).await?;
        if stands != Standing::Open {
            return Err(fenced(&fence.connection));
        }
        let plans = plan.tables.clone();
        let mut transaction = Self {
            site: Site::new(place, plan, fence),
            targets: BTreeMap::new(),
            swaps: Vec::new(),
            rejected: BTreeMap::new(),
            rejections: None,
            script: Script::default(),
        };
        transaction.prepare(plans).await?;
        reach("load.after_begin")?;
        Ok(transaction)
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
            Change::Renew { plan, like } => {
                beside::make(&self.site, &plan, like.as_ref()).await?;
                self.follow(&plan).await?;
                let (target, site) = self.target(&plan)?;
                target.begin_empty(site);
            }
            Change::Swap { plan, beside, old } => self.swaps.push((plan, beside, old)),
        }
        reach("load.after_stage")
    }

    /// How many rows of a table without a key have each of these hashes.
    pub(crate) async fn copies(
        &mut self,
        plan: &Arc<TablePlan>,
        hashes: &[String],
    ) -> Result<Option<Vec<u64>>> {
        self.follow(plan).await?;
        let (target, site) = self.target(plan)?;
        target.copies(site, hashes).await
    }

    /// Makes rows and state true.
    pub(crate) async fn commit(mut self, commit: &Commit) -> Result<Receipt> {
        reach("load.before_merge")?;
        // First: a swap gives what was rejected of the table beside the name that it has from now on.
        self.copy_rejected().await?;
        for (plan, beside, old) in std::mem::take(&mut self.swaps) {
            self.swap(&plan, &beside, &old).await?;
        }
        let mut targets = std::mem::take(&mut self.targets);
        for target in targets.values_mut() {
            target.settle().await?;
            target.write(&mut self.site, &mut self.script)?;
        }
        let Self {
            site,
            mut script,
            rejected,
            ..
        } = self;
        let fence = Fence {
            sequence: site.fence.sequence + 1,
            last_load: Some(site.load.load_id.clone()),
            ..site.fence.clone()
        };
        if script.bytes > 0 {
            script.before.splice(..0, site.place.create_stage());
        }
        site.run(&script.before, "staging the rows").await?;
        let statements = transaction(&site, &script, &fence, commit, &rejected)?;
        reach("load.before_commit")?;
        send(&site, &statements).await?;
        reach("load.after_commit")?;
        tidy(&site, &script).await;
        Ok(Receipt { fence, rejected })
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
        self.bound_memory().await
    }

    async fn write_rejected(&mut self, rejections: &[Rejection]) -> Result<()> {
        let targets = &self.targets;
        let table = |rejection: &Rejection| {
            let mut plans = targets.values().map(Target::plan);
            let plan = plans.find(|plan| plan.stream == rejection.stream)?;
            Some(plan.table.to_string())
        };
        let dialect = self.site.dialect();
        let rows = rejected::carry(dialect, &self.site.load, rejections, table)?;
        let room = &self.site.room;
        let stage = self
            .rejections
            .get_or_insert_with(|| room.stage(&rejected::schema(dialect)));
        stage.write(&rows).await
    }

    async fn copy_rejected(&mut self) -> Result<()> {
        let Some(mut stage) = self.rejections.take() else {
            return Ok(());
        };
        let files = stage.finish().await?;
        let table = self.site.dialect().own("rejected");
        self.script.copy(&self.site, &table, &files);
        Ok(())
    }

    /// Puts a table that was built beside in its place.
    async fn swap(&mut self, plan: &Arc<TablePlan>, from: &TableName, old: &Old) -> Result<()> {
        let new = self.targets.remove(from);
        let mut new = new.ok_or_else(|| Error::bug(format!("{from} is not being built")))?;
        new.settle().await?;
        new.write(&mut self.site, &mut self.script)?;
        let kept = match old {
            Old::Kept(name) => beside::keep(&self.site, &plan.table, name).await?,
            Old::Gone | Old::Continued => Vec::new(),
        };
        if let Some(target) = self.targets.get_mut(&plan.table) {
            target.then(kept).await?;
            self.follow(plan).await?;
        } else {
            self.follow(plan).await?;
            self.target(plan)?.0.then(kept).await?;
        }
        let Self {
            site,
            script,
            targets,
            ..
        } = self;
        let target = targets.get_mut(&plan.table);
        let target = target.ok_or_else(|| Error::bug("a table was not prepared"))?;
        match (old, plan.mode) {
            (Old::Continued, Mode::History) => target.continue_with(site, from).await?,
            (Old::Gone | Old::Kept(_) | Old::Continued, _) => {
                let poured = beside::pour(site, plan, from, old, script).await?;
                target.then(poured).await?;
            }
        }
        let mut last = vec![beside::remove(site, from, script)];
        last.extend(rejected::moved(site.dialect(), &site.load, plan, from));
        last.extend(ledger::note_swap(
            site.dialect(),
            &site.load,
            plan,
            from,
            old,
        ));
        target.then(last).await
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
        let dialect = self.site.dialect();
        let mut inventory = Inventory::of(&self.site.place.client, dialect, &names).await?;
        for plan in plans {
            if let Some(target) = self.targets.get_mut(&plan.table) {
                target.follow(&mut self.site, plan, &mut inventory).await?;
                continue;
            }
            let name = plan.table.clone();
            let target = Target::prepare(&mut self.site, plan, &mut inventory).await?;
            self.targets.insert(name, target);
        }
        Ok(())
    }

    async fn bound_memory(&mut self) -> Result<()> {
        let bytes: usize = self.targets.values().map(Target::memory).sum();
        if bytes < OPEN_BYTES {
            return Ok(());
        }
        for target in self.targets.values_mut() {
            target.shed().await?;
        }
        Ok(())
    }
}

/// The load's transaction.
fn transaction(
    site: &Site,
    script: &Script,
    fence: &Fence,
    commit: &Commit,
    rejected: &BTreeMap<StreamName, u64>,
) -> Result<Vec<String>> {
    let dialect = site.dialect();
    let mut statements = vec!["BEGIN TRANSACTION".to_owned()];
    statements.extend(claim(dialect, &site.fence, &site.load.load_id));
    statements.extend(script.counted.iter().cloned());
    statements.extend(script.inside.iter().cloned());
    statements.extend(system::advance(dialect, fence, &commit.state)?);
    let sums = (rejected, script.bytes);
    statements.push(ledger::record(dialect, &site.load, fence, commit, sums)?);
    statements.push("COMMIT".to_owned());
    Ok(statements)
}

/// Sends the transaction. Where it is not known what became of it, the fence row says it: it holds this
/// load's identity, or the load has not committed. // G1
async fn send(site: &Site, statements: &[String]) -> Result<()> {
    let place = &site.place;
    let schema = place.dialect.fold(SYSTEM);
    let Err(failure) = place
        .client
        .submit(Scope::Schema(&schema), statements)
        .await
    else {
        return Ok(());
    };
    let is_division = failure.code.as_deref() == Some(DIVISION);
    let error = failure.error.context("committing the load");
    match standing(
        &place.client,
        place.dialect,
        &site.fence,
        &site.load.load_id,
    )
    .await
    {
        Ok(Standing::Committed) => Ok(()),
        Ok(Standing::Fenced) => Err(fenced(&site.fence.connection).because(error.to_string())),
        // The claim held, so it was a table of staged rows.
        Ok(Standing::Open) if is_division => Err(incomplete()),
        Ok(Standing::Open) => Err(error),
        // Nobody knows: the next opening does.
        Err(unknown) => Err(Error::new(ErrorKind::Unavailable, unknown.what())
            .because(error.to_string())
            .fix(
                "Nothing needs to be done: the next load finds out whether this one has committed.",
            )),
    }
}

fn incomplete() -> Error {
    Error::new(
        ErrorKind::Incompatible,
        "Snowflake did not copy all rows of the load; nothing was changed",
    )
    .because("a table of staged rows does not have as many as its files")
    .fix("Take the COPY_OPTIONS off the stage (`DESC STAGE` shows them), and sync again.")
}

/// Removes what nobody needs any more; what stays is of no harm, and goes by age.
async fn tidy(site: &Site, script: &Script) {
    if let Err(error) = site.run(&script.after, "dropping staged rows").await {
        tracing::warn!(%error, "tables of staged rows were not dropped; they go later, by age");
    }
    site.room.clear().await;
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
