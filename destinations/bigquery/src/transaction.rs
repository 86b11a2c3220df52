//! A load as BigQuery sees it: rows staged while it goes on, then layouts, then one script.
//!
//! Invariant: tables and state change in the script's transaction and nowhere else, and it begins with
//! the claim on the fence row. So rows and state become true together or not at all. // G1 G2
//! What a load that is dropped has staged expires, and nobody ever reads it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tributary_model::failpoint::reach;
use tributary_model::{
    Batch, Change, Commit, Deletes, Error, ErrorKind, Fence, LoadPlan, Old, Op, Receipt, Rejection,
    Result, State, StreamName, TableName, TablePlan,
};
use tributary_sql::{Dialect, Found, Step, carry_over};

use crate::client::Client;
use crate::job::Ended;
use crate::ledger;
use crate::merge::Text;
use crate::rejected::Rejects;
use crate::screen::screen;
use crate::script::{self, FENCED};
use crate::stage::Sender;
use crate::system::{self, fenced, instant, own};
use crate::target::Target;
use crate::{beside, layout};

/// Bytes of all tables together that are collected before they are sent. // G6
const PENDING_BYTES: usize = 16 << 20;
/// How often the script is run that others may undo. // G6
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_millis(250);
/// Hours after which what was staged goes by itself.
const STAGING_HOURS: i64 = 24;

/// A load under way.
#[derive(Debug)]
pub(crate) struct Transaction {
    client: Client,
    sender: Sender,
    load: LoadPlan,
    fence: Fence,
    stored: State,
    targets: BTreeMap<TableName, Target>,
    /// Tables that are built beside others, by this load or before it.
    swaps: Vec<(Arc<TablePlan>, TableName, Old)>,
    rejects: Rejects,
    rejected: BTreeMap<StreamName, u64>,
    prefix: String,
}

impl Transaction {
    /// Begins: looks whether the load may commit, and what the tables need.
    pub(crate) async fn begin(client: Client, load: LoadPlan, fence: Fence) -> Result<Self> {
        let stored = system::stored_for(&client, &fence).await?;
        let prefix = format!("stage_{}", uuid::Uuid::new_v4().simple());
        let sender = Sender {
            tables: client.tables.clone(),
            writer: client.writer.clone(),
            expires: tributary_model::now() + TimeDelta::hours(STAGING_HOURS),
        };
        let plans = load.tables.clone();
        let mut transaction = Self {
            client,
            sender,
            load,
            fence,
            stored: stored.state,
            targets: BTreeMap::new(),
            swaps: Vec::new(),
            rejects: Rejects::new(own(&format!("{prefix}_rejected"))),
            rejected: BTreeMap::new(),
            prefix,
        };
        for plan in plans {
            transaction.follow(&plan).await?;
        }
        reach("load.after_begin")?;
        Ok(transaction)
    }

    /// Takes one change.
    pub(crate) async fn write(&mut self, change: Change) -> Result<()> {
        match change {
            Change::Rows(batch) => self.write_rows(batch).await?,
            Change::Truncate { plan, kind } => self.follow(&plan).await?.truncate(kind),
            Change::Clear { plan, of } => {
                self.follow(&plan).await?.clear(&of)?;
                self.bound_pending().await?;
            }
            Change::Rejected(rejections) => self.reject(&rejections)?,
            Change::Close { plan, at } => self.follow(&plan).await?.close(at),
            Change::Renew { plan, .. } => self.renew(&plan).await?,
            Change::Swap { plan, beside, old } => self.swaps.push((plan, beside, old)),
        }
        reach("load.after_stage")
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
            self.reject(&rejected)?;
        }
        if plan.deletes == Deletes::Ignore {
            rows.retain(|op| !matches!(op, Op::Delete | Op::Truncate))?;
        }
        let began = self.load.started_at.timestamp_micros();
        self.follow(&plan).await?.take(&rows, presence, began)?;
        self.bound_pending().await
    }

    fn reject(&mut self, rejections: &[Rejection]) -> Result<()> {
        let targets = &self.targets;
        let table = |rejection: &Rejection| {
            let mut plans = targets.values().map(Target::plan);
            let plan = plans.find(|plan| plan.stream == rejection.stream)?;
            Some(plan.table.to_string())
        };
        self.rejects.take(rejections, table)
    }

    /// The table of `plan`, which follows it.
    async fn follow(&mut self, plan: &Arc<TablePlan>) -> Result<&mut Target> {
        if !self.targets.contains_key(&plan.table) {
            let found = self.look(plan).await?;
            let prefix = format!("{}_{}", self.prefix, self.targets.len() + 1);
            let target = Target::prepare(&self.client.dialect, plan.clone(), found, prefix)?;
            self.targets.insert(plan.table.clone(), target);
        }
        let target = self.targets.get_mut(&plan.table);
        let target = target.ok_or_else(|| Error::bug("a table was not prepared"))?;
        let follows = Arc::ptr_eq(target.plan(), plan) || target.plan().as_ref() == plan.as_ref();
        if !follows {
            target.follow(&self.client.dialect, plan.clone())?;
        }
        Ok(target)
    }

    /// What is there, whole numbers as floats can hold them where they do.
    async fn look(&self, plan: &TablePlan) -> Result<Found> {
        let found = self.client.tables.find(&plan.table).await?;
        let doubtful = layout::doubtful(plan, &found);
        if doubtful.is_empty() {
            return Ok(found);
        }
        let sql = layout::are_exact(&self.client.dialect, &plan.table, &doubtful);
        let far = self
            .client
            .jobs
            .ask(&sql, "looking for large numbers")
            .await?;
        Ok(match far.cells.is_empty() {
            true => layout::narrowed(found, &doubtful),
            false => found,
        })
    }

    /// Begins a table anew that is built beside another.
    async fn renew(&mut self, plan: &Arc<TablePlan>) -> Result<()> {
        let found = self.client.tables.find(&plan.table).await?;
        if layout::steps(&self.client.dialect, plan, &found).is_err() {
            // What an earlier copy has left, of other columns: it goes, but not behind a newer one's back.
            system::stored_for(&self.client, &self.fence).await?;
            self.client.tables.drop(&plan.table).await?;
            self.targets.remove(&plan.table);
        }
        self.follow(plan).await?.renew();
        Ok(())
    }

    async fn bound_pending(&mut self) -> Result<()> {
        let bytes: usize = self.targets.values().map(Target::pending_bytes).sum();
        if bytes + self.rejects.pending_bytes() < PENDING_BYTES {
            return Ok(());
        }
        for target in self.targets.values_mut() {
            target.send(&self.sender).await?;
        }
        self.rejects.send(&self.sender).await
    }

    /// Makes rows and state true.
    pub(crate) async fn commit(mut self, commit: &Commit) -> Result<Receipt> {
        reach("load.before_merge")?;
        let swaps = std::mem::take(&mut self.swaps);
        let places = self.prepare_swaps(&swaps).await?;
        for target in self.targets.values_mut() {
            target.settle();
            target.finish(&self.sender).await?;
        }
        self.rejects.finish(&self.sender).await?;
        self.change_layouts(&places).await?;
        let fence = Fence {
            sequence: self.fence.sequence + 1,
            last_load: Some(self.load.load_id.clone()),
            ..self.fence.clone()
        };
        let script = self.script(&swaps, &places, commit, &fence)?;
        reach("load.before_commit")?;
        self.run(&script).await?;
        reach("load.after_commit")?;
        self.tidy(&swaps).await;
        Ok(Receipt {
            fence,
            rejected: self.rejected,
        })
    }

    /// Looks what the tables need whose places others take.
    async fn prepare_swaps(
        &mut self,
        swaps: &[(Arc<TablePlan>, TableName, Old)],
    ) -> Result<HashMap<TableName, beside::Place>> {
        let mut places = HashMap::new();
        for (plan, from, old) in swaps {
            if !self.targets.contains_key(from) {
                return Err(Error::bug(format!("{from} is not being built")));
            }
            let had = self.client.tables.find(&plan.table).await?;
            let target = self.follow(plan).await?;
            if *old == Old::Continued && plan.mode == tributary_model::Mode::History {
                target.continue_with(from);
            }
            let place = beside::Place::look(&self.client, had, old).await?;
            places.insert(plan.table.clone(), place);
        }
        Ok(places)
    }

    /// Tables as their plans need them, before the transaction: every step can be made twice.
    async fn change_layouts(&self, places: &HashMap<TableName, beside::Place>) -> Result<()> {
        let Client {
            dialect, settings, ..
        } = &self.client;
        let guard = system::guard(&self.client, &self.fence);
        let mut scripts = script::Scripts::default();
        let mut schemas = Vec::new();
        for (plan, step) in self.due().await? {
            let rendered = layout::render(dialect, settings, plan, step, &guard)?;
            match step {
                // Known to what follows only once its job is done.
                Step::CreateSchema { .. } => schemas.extend(rendered),
                _ => scripts.push(
                    rendered,
                    ledger::change(&self.client, &self.load, plan, step),
                ),
            }
        }
        for place in places.values() {
            scripts.push(place.make(dialect).into_iter().collect(), None);
        }
        schemas.sort();
        schemas.dedup();
        let schemas = (!schemas.is_empty()).then(|| script::together(&schemas));
        let scripts = scripts.texts(&ledger::changes(&self.client));
        for script in schemas.into_iter().chain(scripts) {
            let ran = self
                .client
                .jobs
                .run(&script, "changing the layout of tables");
            ran.await.map_err(|error| self.fenced_by(error))?;
        }
        Ok(())
    }

    /// The steps that are still to be done. They were planned when the load began: where one moves
    /// values, what is there is looked at once more. // G7
    async fn due(&self) -> Result<Vec<&(Arc<TablePlan>, Step)>> {
        let mut due = Vec::new();
        let mut is_ours = false;
        for (table, target) in &self.targets {
            if !target.steps.iter().any(|(_, step)| layout::rewrites(step)) {
                due.extend(&target.steps);
                continue;
            }
            if !is_ours {
                system::stored_for(&self.client, &self.fence).await?;
                is_ours = true;
            }
            let found = self.client.tables.find(table).await?;
            let fixed = self.client.tables.fixed(table).await?;
            for planned in &target.steps {
                if !layout::is_done(&self.client.dialect, &planned.1, &found) {
                    layout::refuse_fixed(&planned.1, &fixed)?;
                    due.push(planned);
                }
            }
        }
        Ok(due)
    }

    /// What a script that has seen a newer opening fails with.
    fn fenced_by(&self, error: Error) -> Error {
        match error.why().is_some_and(|why| why.contains(FENCED)) {
            true => fenced(&self.fence.connection).because(error.to_string()),
            false => error,
        }
    }

    fn script(
        &self,
        swaps: &[(Arc<TablePlan>, TableName, Old)],
        places: &HashMap<TableName, beside::Place>,
        commit: &Commit,
        fence: &Fence,
    ) -> Result<String> {
        let synced_at = instant(self.load.started_at);
        let mut statements = Vec::new();
        // A history goes on with what is beside: that is complete first.
        let is_beside = |table: &TableName| swaps.iter().any(|(_, from, _)| from == table);
        let (first, then): (Vec<_>, Vec<_>) =
            self.targets.iter().partition(|(table, _)| is_beside(table));
        for (number, (_, target)) in first.into_iter().chain(then).enumerate() {
            statements.extend(script::acts(
                &self.client.dialect,
                target,
                &synced_at,
                number,
            )?);
        }
        for (plan, from, old) in swaps {
            statements.extend(self.swap(plan, from, old, &places[&plan.table], &synced_at)?);
            statements.extend(ledger::note_swap(&self.client, &self.load, plan, old));
        }
        statements.extend(self.rejects.insert(&self.client, &self.load));
        let stored = &self.stored;
        statements.extend(system::advance(&self.client, fence, stored, &commit.state)?);
        statements.push(ledger::record(
            &self.client,
            &self.load,
            fence,
            commit,
            &self.rejected,
        )?);
        let claim = system::claim(&self.client, &self.fence, &self.load.load_id, &commit.state);
        Ok(script::transaction(&claim, &statements))
    }

    /// The statements that put the rows of a table beside in place of those of the plan's.
    fn swap(
        &self,
        plan: &TablePlan,
        from: &TableName,
        old: &Old,
        place: &beside::Place,
        synced_at: &str,
    ) -> Result<Vec<String>> {
        if *old == Old::Continued && plan.mode == tributary_model::Mode::History {
            return Ok(Vec::new());
        }
        let dialect = &self.client.dialect;
        let columns = |table: &TableName| {
            let target = self.targets.get(table);
            let target = target.ok_or_else(|| Error::bug("a table was not prepared"))?;
            Ok::<_, Error>(target.found().columns.clone().unwrap_or_default())
        };
        let (has, into) = (columns(from)?, columns(&plan.table)?);
        let mut statements: Vec<String> = place.keep(dialect, &plan.table).into_iter().collect();
        if *old == Old::Continued && place.is_there() {
            let had = (into.as_slice(), has.as_slice());
            statements.extend(carry_over(dialect, plan, from, had, synced_at));
        }
        let shared = has.iter().filter(|column| {
            into.iter()
                .any(|other| dialect.same_name(&other.name, &column.name))
        });
        let shared: Vec<String> = shared.map(|column| column.name.clone()).collect();
        let types = layout::types(&Found {
            schema: true,
            columns: Some(into),
        });
        let text = Text {
            dialect,
            plan,
            types: &types,
            synced_at,
        };
        statements.extend(text.pour(from, &shared));
        Ok(statements)
    }

    /// Runs the script, and finds out whether it committed where that is not said.
    async fn run(&self, script: &str) -> Result<()> {
        let (mut attempt, mut tried) = (0, 0);
        loop {
            let id = self.job_id(attempt);
            let doing = "committing the load";
            let (error, again) = match self.client.jobs.run_as(&id, script, doing).await {
                Ok(Ended::Done) => return Ok(()),
                // This job did nothing and never will: only now another may have its place.
                Ok(Ended::Failed(error)) => {
                    attempt += 1;
                    let again = error.kind() == ErrorKind::Unavailable;
                    (error, again)
                }
                Ok(Ended::Late(error)) => (error, false),
                // Nobody knows what it does: it is asked for again under the id that it has.
                Err(error) => {
                    let again = error.kind() == ErrorKind::Unavailable;
                    (error, again)
                }
            };
            tried += 1;
            // Whatever happened, the fence row tells: it moves with the rows, and only once. A job that is
            // still under way can't commit after a newer one has: both claim the same number.
            let Ok(Some(stored)) = system::read(&self.client, &self.fence.connection).await else {
                return Err(error);
            };
            let is_ours = stored.last_load.as_deref() == Some(&self.load.load_id);
            let place = (stored.state.epoch, stored.sequence);
            if is_ours && place == (self.fence.epoch, self.fence.sequence + 1) {
                return Ok(());
            }
            if place != (self.fence.epoch, self.fence.sequence) {
                return Err(fenced(&self.fence.connection).because(error.to_string()));
            }
            let lost = error.why().is_some_and(|why| why.contains(FENCED));
            if lost || !again || tried >= TRIES {
                return Err(error);
            }
            tracing::debug!(%error, attempt, "the load is committed again");
            tokio::time::sleep(PAUSE * tried).await;
        }
    }

    /// The id of the job that commits this load: another load of the same number has another one.
    fn job_id(&self, attempt: u32) -> String {
        let Fence {
            connection,
            epoch,
            sequence,
            ..
        } = &self.fence;
        let load = crate::names::hash(&self.load.load_id);
        let connection = crate::names::dataset_id(connection.as_str());
        let connection: String = connection.chars().take(200).collect();
        let number = sequence + 1;
        format!("tributary_{connection}_{epoch}_{number}_{load:016x}_{attempt}")
    }

    /// Drops what is not needed any more; what is left over expires, or is emptied before it is used.
    async fn tidy(&self, swaps: &[(Arc<TablePlan>, TableName, Old)]) {
        let staged = self.targets.values().flat_map(Target::staging);
        let beside = swaps.iter().map(|(_, from, _)| from.clone());
        let all = staged.chain(self.rejects.staging()).chain(beside);
        for table in all.collect::<Vec<_>>() {
            if let Err(error) = self.client.tables.drop(&table).await {
                tracing::debug!(%error, %table, "a table that is not needed any more is left over");
            }
        }
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
