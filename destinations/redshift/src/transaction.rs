//! A load as Redshift sees it: one transaction over all tables, from its claim to its commit.
//!
//! Invariant: the claim on the fence row is the first change and the state row is written in the
//! same transaction, so rows and state become true together or not at all. // G1 G2
//! Dropping a transaction closes its session, which undoes it.

use std::collections::BTreeMap;
use std::sync::Arc;

use tributary_model::failpoint::reach;
use tributary_model::{
    Batch, Change, Commit, Deletes, Error, Fence, LoadPlan, Mode, Old, Op, Receipt, Rejection,
    Result, StreamName, TableName, TablePlan, TruncateKind,
};
use tributary_sql::{Waiting, Within};
use tributary_store::staging::Room;

use crate::describe::Inventory;
use crate::layout::lengthen_texts;
use crate::ledger::Notes;
use crate::screen::screen;
use crate::session::Session;
use crate::settings::Reader;
use crate::system::Own;
use crate::target::Target;
use crate::text::{instant, literal};
use crate::{beside, ledger, rejected, state, takeover};

/// Memory of the files of all tables that are being written. // G6
const MEMORY: usize = 40 << 20;
/// Characters of a connection's name that are kept in a query group.
const GROUP: usize = 100;

/// The load that a table is written by.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) session: Session,
    pub(crate) load: LoadPlan,
    /// Where rows are put for the warehouse to read, and as whom it reads them.
    pub(crate) room: Room,
    pub(crate) reader: Reader,
    /// What is to be written of changes of tables.
    pub(crate) notes: Notes,
    /// How many rows the load has rejected.
    pub(crate) rejected: u64,
}

impl Site {
    /// When the load began, as SQL.
    pub(crate) fn synced_at(&self) -> String {
        instant(self.load.started_at)
    }
}

/// A load under way.
#[derive(Debug)]
pub(crate) struct Transaction {
    site: Site,
    own: Own,
    fence: Fence,
    targets: BTreeMap<TableName, Target>,
    /// The tables that this load has begun beside others: their streams' rows go there.
    beside: BTreeMap<StreamName, TableName>,
    prepared: usize,
    /// Tables whose places others take once the load commits.
    swaps: Vec<(Arc<TablePlan>, TableName, Old)>,
    rejected: BTreeMap<StreamName, u64>,
    waiting: Waiting,
}

impl Transaction {
    /// Begins: does what can't be a part of a transaction, claims the load, and looks what the tables
    /// need.
    pub(crate) async fn begin(
        mut session: Session,
        plan: LoadPlan,
        fence: Fence,
        (room, reader): (Room, Reader),
    ) -> Result<Self> {
        let own = Own::new(&fence.connection);
        label(&mut session, &plan).await?;
        let plans: Vec<&TablePlan> = plan.tables.iter().map(Arc::as_ref).collect();
        lengthen_texts(&mut session, &plans).await?;
        takeover::begin_load(&mut session, &own, &fence, &plan.load_id).await?;
        let waiting = rejected::waiting(&mut session, &fence.connection).await?;
        let plans = plan.tables.clone();
        let mut transaction = Self {
            site: Site {
                session,
                load: plan,
                room,
                reader,
                notes: Notes::default(),
                rejected: 0,
            },
            own,
            fence,
            targets: BTreeMap::new(),
            beside: BTreeMap::new(),
            prepared: 0,
            swaps: Vec::new(),
            rejected: BTreeMap::new(),
            waiting,
        };
        transaction.prepare(plans).await?;
        reach("load.after_begin")?;
        Ok(transaction)
    }

    /// Where the load's files are.
    pub(crate) fn room(&self) -> String {
        self.site.room.address()
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
                // What is kept whatever happens keeps what is missing of it.
                let keeps = plan.mode == Mode::Append || plan.deletes == Deletes::Ignore;
                if kind == TruncateKind::Restart || !keeps {
                    self.void(&plan).await?;
                }
            }
            Change::Clear { plan, of } => {
                self.follow(&plan).await?;
                rejected::cleared(&mut self.site, &self.waiting, &plan, &of).await?;
                let (target, site) = self.target(&plan)?;
                target.clear(site, &of).await?;
            }
            Change::Rejected(rejections) => self.write_rejected(rejections).await?,
            Change::Close { plan, at } => {
                self.follow(&plan).await?;
                let (target, site) = self.target(&plan)?;
                target.close(site, at).await?;
                self.void(&plan).await?;
            }
            Change::Renew { plan, like } => self.renew(&plan, like.as_ref()).await?,
            // It takes the table away from its readers: that comes last.
            Change::Swap { plan, beside, old } => self.swaps.push((plan, beside, old)),
        }
        reach("load.after_stage")
    }

    /// Takes rejected rows of a stream out of where they wait.
    pub(crate) async fn take_rejected(
        &mut self,
        of: &StreamName,
        most: usize,
    ) -> Result<Vec<Rejection>> {
        let plan = self.plan_of(of).ok_or_else(|| {
            Error::bug(format!(
                "rejected rows of {of} were to be taken into no table"
            ))
        })?;
        rejected::take(&mut self.site, &plan, most).await
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
        let Site {
            mut session,
            load,
            room,
            mut notes,
            ..
        } = self.site;
        let fence = Fence {
            sequence: self.fence.sequence + 1,
            last_load: Some(load.load_id.clone()),
            ..self.fence
        };
        state::advance(&mut session, &self.own, &commit.state).await?;
        notes.write(&mut session).await?;
        ledger::record(&mut session, &load, &fence, commit, &self.rejected).await?;
        reach("load.before_commit")?;
        session.run("COMMIT", "committing the load").await?;
        reach("load.after_commit")?;
        room.clear().await;
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
        let (all, ops) = (batch.rows.clone(), batch.ops.clone());
        let mut rows = screen(&plan, batch)?;
        let (site, waiting) = (&mut self.site, &mut self.waiting);
        rejected::loaded(site, waiting, &plan, &rows).await?;
        if !rows.rejected.is_empty() {
            *self.rejected.entry(plan.stream.clone()).or_default() += rows.rejected.len() as u64;
            let within = Within {
                rows: &all,
                ops: &ops,
                at: &rows.at,
            };
            rejected::reject(site, waiting, Some(&plan), &rows.rejected, Some(&within)).await?;
        }
        if plan.deletes == Deletes::Ignore {
            rows.retain(|op| !matches!(op, Op::Delete | Op::Truncate))?;
        }
        let (target, site) = self.target(&plan)?;
        target.take(site, rows, presence).await?;
        self.bound_memory().await
    }

    /// Rows that others have rejected, stream by stream.
    async fn write_rejected(&mut self, rejections: Vec<Rejection>) -> Result<()> {
        for (stream, rejections) in rejected::by_stream(rejections) {
            let plan = self.plan_of(&stream);
            let (site, waiting) = (&mut self.site, &mut self.waiting);
            rejected::reject(site, waiting, plan.as_deref(), &rejections, None).await?;
        }
        Ok(())
    }

    /// Forgets what was rejected of a table.
    async fn void(&mut self, plan: &TablePlan) -> Result<()> {
        let (site, waiting) = (&mut self.site, &mut self.waiting);
        rejected::void(site, waiting, &plan.stream, &plan.table).await
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

    /// Makes a table anew that is built beside another.
    async fn renew(&mut self, plan: &Arc<TablePlan>, like: Option<&TableName>) -> Result<()> {
        if let Some(mut target) = self.targets.remove(&plan.table) {
            target.abandon(&mut self.site).await?;
        }
        self.void(plan).await?;
        beside::make(&mut self.site, plan, like).await?;
        self.prepare(vec![plan.clone()]).await?;
        self.beside.insert(plan.stream.clone(), plan.table.clone());
        let (target, site) = self.target(plan)?;
        target.is_unseen(site).await
    }

    /// Puts a table that was built beside in its place.
    async fn swap(&mut self, plan: &Arc<TablePlan>, from: &TableName, old: &Old) -> Result<()> {
        let new = self.targets.remove(from);
        let mut new = new.ok_or_else(|| Error::bug(format!("{from} is not being built")))?;
        new.settle(&mut self.site).await?;
        if *old == Old::Continued && plan.mode != Mode::History {
            if let Some(target) = self.targets.get_mut(&plan.table) {
                target.settle(&mut self.site).await?;
            }
            beside::carry(&mut self.site, plan, from).await?;
        }
        match old {
            Old::Continued if plan.mode == Mode::History => {
                self.follow(plan).await?;
                let (target, site) = self.target(plan)?;
                target.continue_with(site, from).await?;
                beside::drop_table(site, from).await?;
            }
            Old::Gone | Old::Continued
                if beside::keeps_identity(&mut self.site, plan, from).await? =>
            {
                self.follow(plan).await?;
                let (target, site) = self.target(plan)?;
                target.settle(site).await?;
                beside::pour(site, plan, from).await?;
            }
            Old::Gone | Old::Kept(_) | Old::Continued => {
                if let Some(mut target) = self.targets.remove(&plan.table) {
                    target.settle(&mut self.site).await?;
                }
                beside::rename(&mut self.site, plan, from, old).await?;
            }
        }
        self.beside.remove(&plan.stream);
        rejected::moved(&mut self.site, &mut self.waiting, plan, from).await?;
        let Site { notes, load, .. } = &mut self.site;
        ledger::note_swap(notes, load, plan, from, old);
        Ok(())
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

    async fn bound_memory(&mut self) -> Result<()> {
        loop {
            let memory: usize = self.targets.values().map(Target::memory).sum();
            let largest = self
                .targets
                .values_mut()
                .max_by_key(|target| target.memory());
            match largest {
                Some(target) if memory > MEMORY => target.shed().await?,
                _ => return Ok(()),
            }
        }
    }
}

/// Lets the cost of a connection be told from that of others.
async fn label(session: &mut Session, plan: &LoadPlan) -> Result<()> {
    let connection: String = plan.connection.as_str().chars().take(GROUP).collect();
    let group = literal(&format!("tributary {connection}"));
    session
        .run(&format!("SET query_group TO {group}"), "labelling the load")
        .await?;
    Ok(())
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
