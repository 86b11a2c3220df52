//! One table within a load: where its rows go, and in which order.
//!
//! Rows that can't meet another of their key go straight into the table; the others are staged on
//! the server and folded at the end. Once rows of a load are staged, later ones of that table are
//! too, so that the order holds. // G4
//!
//! A table that was there before the load is changed only when its rows are folded: until then people
//! read it undisturbed. One that the load made itself changes at once.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Int64Array, RecordBatch};
use tributary_model::{
    DataType, Deletes, Error, Mode, Op, Presence, Result, TableName, TablePlan, TruncateKind,
};
use tributary_sql::{
    DELETED, Dialect, IS_CURRENT, Merge, STAGED_DELETE, STAGED_SEQ, SYNCED_AT, Screened, Staged,
    Staging, Step, Upsert, VALID_TO, evolve, restage,
};

use crate::copy::Outbox;
use crate::describe::Inventory;
use crate::dialect::{DIALECT, PgDialect};
use crate::encode::Column;
use crate::index;
use crate::layout::{is_exact, refuse_impossible, refuse_too_many};
use crate::ledger::note_changes;
use crate::rows::{begun, copy_statement, is_delete, own_columns};
use crate::system::number;
use crate::transaction::Site;

/// A table and what is on its way into it.
#[derive(Debug)]
pub(crate) struct Target {
    plan: Arc<TablePlan>,
    /// What has still to be done to the table before rows of the plan fit into it.
    steps: Vec<Step>,
    /// Whether the columns will have exactly the plan's types, as a copy needs them.
    exact: bool,
    /// Whether this load made the table: nobody else sees it yet.
    is_new: bool,
    /// How rows come whose keys are there, once that has been looked at.
    upsert: Option<Upsert>,
    staging: Staging,
    staged: Option<Holding>,
    outbox: Outbox,
}

/// What was staged.
#[derive(Debug)]
struct Holding {
    /// The plan with the columns of earlier plans of this load.
    plan: Arc<TablePlan>,
    rows: i64,
    kind: Staged,
}

impl Target {
    /// Looks what the table needs; makes it where there is none. `number` is one that no other
    /// target of the load has.
    pub(crate) async fn prepare(
        site: &mut Site,
        plan: Arc<TablePlan>,
        inventory: &mut Inventory,
        number: usize,
    ) -> Result<Self> {
        let mut target = Self {
            plan: plan.clone(),
            steps: Vec::new(),
            exact: false,
            is_new: false,
            upsert: None,
            staging: Staging {
                rows: format!("_tributary_staged_{number}"),
                fold: format!("_tributary_fold_{number}"),
            },
            staged: None,
            outbox: Outbox::default(),
        };
        target.bring(site, plan, inventory).await?;
        Ok(target)
    }

    /// Goes on under a newer plan; what the plan before needed has been done.
    pub(crate) async fn follow(
        &mut self,
        site: &mut Site,
        plan: Arc<TablePlan>,
        inventory: &mut Inventory,
    ) -> Result<()> {
        self.outbox.send(&mut site.session).await?;
        let restaged = match &self.staged {
            Some(held) => restage(&DIALECT, &self.staging, &held.plan, &plan)?,
            None => None,
        };
        match (restaged, &mut self.staged) {
            (Some(restaged), Some(held)) => {
                let doing = "changing the layout of staged rows";
                site.session.run_all(&restaged.statements, doing).await?;
                held.plan = Arc::new(restaged.plan);
            }
            _ => self.settle(site).await?,
        }
        self.bring(site, plan, inventory).await
    }

    async fn bring(
        &mut self,
        site: &mut Site,
        plan: Arc<TablePlan>,
        inventory: &mut Inventory,
    ) -> Result<()> {
        refuse_impossible(&plan)?;
        let found = inventory.found(&plan.table)?;
        self.steps = evolve(&DIALECT, &plan, &found)?;
        refuse_too_many(&plan, &self.steps, inventory)?;
        self.exact = is_exact(&plan, &found);
        self.plan = plan;
        self.upsert = None;
        self.is_new |= found.columns.is_none();
        if self.is_new {
            self.change_layout(site).await?;
            inventory.add_schema(&self.plan.table.schema);
        }
        Ok(())
    }

    /// Does what the table needs. From here to the commit nobody else reads it, where it changes.
    pub(crate) async fn change_layout(&mut self, site: &mut Site) -> Result<()> {
        let steps = std::mem::take(&mut self.steps);
        for step in &steps {
            let doing = format!("changing the table {}", self.plan.table);
            site.session.run_all(&DIALECT.render(step), &doing).await?;
        }
        note_changes(&mut site.session, &site.load, &self.plan, &steps).await
    }

    /// The plan that the table follows.
    pub(crate) fn plan(&self) -> &Arc<TablePlan> {
        &self.plan
    }

    /// Bytes that are not sent yet.
    pub(crate) fn pending_bytes(&self) -> usize {
        self.outbox.len()
    }

    /// Sends what was collected.
    pub(crate) async fn send(&mut self, site: &mut Site) -> Result<()> {
        self.outbox.send(&mut site.session).await
    }

    /// Takes rows of the plan.
    pub(crate) async fn take(
        &mut self,
        site: &mut Site,
        rows: Screened,
        presence: Presence,
    ) -> Result<()> {
        if rows.ops.is_empty() {
            return Ok(());
        }
        if self.plan.mode != Mode::Append && rows.ops.contains(&Op::Truncate) {
            return Err(Error::bug("a truncate came as a row of a merged table"));
        }
        let deletes: BooleanArray = rows.ops.iter().map(|op| Some(is_delete(*op))).collect();
        if self.goes_straight(&rows.ops, presence) {
            self.change_layout(site).await?;
            self.insert(site, &rows.rows, deletes).await
        } else {
            self.stage(site, &rows.rows, deletes).await
        }
    }

    fn goes_straight(&self, ops: &[Op], presence: Presence) -> bool {
        if !self.exact || self.staged.is_some() {
            return false;
        }
        match self.plan.mode {
            Mode::Append => self.steps.is_empty(),
            Mode::Merge | Mode::Replace | Mode::History => {
                presence == Presence::Absent && !ops.contains(&Op::Delete)
            }
        }
    }

    async fn insert(
        &mut self,
        site: &mut Site,
        rows: &RecordBatch,
        deletes: BooleanArray,
    ) -> Result<()> {
        let deletes: ArrayRef = Arc::new(deletes);
        let mut names = vec![SYNCED_AT];
        let rows = &begun(&self.plan, rows, site.load.started_at.timestamp_micros())?;
        let mut columns = own_columns(&self.plan, rows)?;
        columns.push(Column::instant(site.load.started_at.timestamp_micros()));
        if self.plan.deletes == Deletes::Soft {
            names.push(DELETED);
            columns.push(Column::new(DataType::Bool, &deletes)?);
        }
        if self.plan.mode == Mode::History {
            names.extend([VALID_TO, IS_CURRENT]);
            columns.extend([Column::null(), Column::yes()]);
        }
        let statement = copy_statement(&DIALECT.table(&self.plan.table), &self.plan, &names);
        self.outbox
            .push(&mut site.session, &statement, &columns, rows.num_rows())
            .await
    }

    async fn stage(
        &mut self,
        site: &mut Site,
        rows: &RecordBatch,
        deletes: BooleanArray,
    ) -> Result<()> {
        let mut held = match self.staged.take() {
            Some(held) => held,
            None => self.begin_staging(site).await?,
        };
        let count = i64::try_from(deletes.len()).unwrap_or(i64::MAX);
        let seq = Int64Array::from_iter_values(held.rows..held.rows + count);
        held.rows += count;
        if deletes.true_count() > 0 {
            held.kind = Staged::Deletes;
        }
        self.staged = Some(held);
        let (seq, deletes): (ArrayRef, ArrayRef) = (Arc::new(seq), Arc::new(deletes));
        let mut columns = own_columns(&self.plan, rows)?;
        columns.push(Column::new(DataType::Int64, &seq)?);
        columns.push(Column::new(DataType::Bool, &deletes)?);
        let table = DIALECT.quote(&self.staging.rows);
        let statement = copy_statement(&table, &self.plan, &[STAGED_SEQ, STAGED_DELETE]);
        self.outbox
            .push(&mut site.session, &statement, &columns, rows.num_rows())
            .await
    }

    async fn begin_staging(&mut self, site: &mut Site) -> Result<Holding> {
        self.outbox.send(&mut site.session).await?;
        let create = self.merge(site, &self.plan, |merge| merge.create_staging())?;
        site.session
            .run(&create, "making room for staged rows")
            .await?;
        Ok(Holding {
            plan: self.plan.clone(),
            rows: 0,
            kind: Staged::Upserts,
        })
    }

    /// Brings everything taken so far into the table.
    pub(crate) async fn settle(&mut self, site: &mut Site) -> Result<()> {
        self.outbox.send(&mut site.session).await?;
        self.change_layout(site).await?;
        let Some(held) = self.staged.take() else {
            return Ok(());
        };
        let statements = match held.plan.mode {
            Mode::Append => self.merge(site, &held.plan, |merge| merge.append()),
            Mode::Merge | Mode::Replace => {
                self.look_for_index(site).await?;
                self.merge(site, &held.plan, |merge| merge.fold(held.kind))
            }
            Mode::History => {
                self.look_for_index(site).await?;
                let mut statements: Vec<String> =
                    DIALECT.analyze(&self.staging.rows).into_iter().collect();
                statements.extend(self.merge(site, &held.plan, |merge| merge.fold_history()));
                statements
            }
        };
        let doing = format!("merging into {}", self.plan.table);
        site.session.run_all(&statements, &doing).await
    }

    async fn look_for_index(&mut self, site: &mut Site) -> Result<()> {
        if self.upsert.is_none() {
            let table = &self.plan.table;
            let inventory = Inventory::of(&mut site.session, &[table]).await?;
            let relation = inventory.get(table);
            let (session, load_id) = (&mut site.session, &site.load.load_id);
            self.upsert = Some(match self.plan.mode {
                Mode::History => {
                    index::ensure_plain(session, &self.plan, relation, load_id).await?;
                    DIALECT.upsert
                }
                Mode::Merge | Mode::Replace | Mode::Append => {
                    index::ensure(session, &self.plan, relation, load_id).await?
                }
            });
        }
        Ok(())
    }

    /// Rows that agree with one of `of` are gone at this point of the order.
    pub(crate) async fn clear(&mut self, site: &mut Site, of: &RecordBatch) -> Result<()> {
        if self.plan.mode == Mode::Append || self.plan.deletes == Deletes::Ignore {
            return Ok(());
        }
        self.settle(site).await?;
        let schema = of.schema();
        let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        let plan = self.plan.clone();
        let create = self.merge(site, &plan, |merge| merge.create_clear(&names))?;
        site.session
            .run(&create, "making room for what is gone")
            .await?;
        let mut columns = Vec::new();
        let mut quoted = Vec::new();
        for (name, array) in names.iter().zip(of.columns()) {
            let column = plan.columns.iter().find(|column| column.name == *name);
            let column = column.ok_or_else(|| Error::bug(format!("nothing is called {name}")))?;
            columns.push(Column::new(column.data_type, array)?);
            quoted.push(DIALECT.quote(name));
        }
        let fold = DIALECT.quote(&self.staging.fold);
        let statement = format!(
            "COPY {fold} ({}) FROM STDIN (FORMAT binary)",
            quoted.join(", ")
        );
        self.outbox
            .push(&mut site.session, &statement, &columns, of.num_rows())
            .await?;
        self.outbox.send(&mut site.session).await?;
        let mut statements: Vec<String> = DIALECT.analyze(&self.staging.fold).into_iter().collect();
        if plan.mode == Mode::History {
            let seq = self.next_seq(site).await?;
            statements.extend(self.merge(site, &plan, |merge| merge.clear_history(&names, seq)));
        } else {
            statements.extend(self.merge(site, &plan, |merge| merge.clear(&names)));
        }
        let doing = format!("clearing rows of {}", plan.table);
        site.session.run_all(&statements, &doing).await
    }

    /// How many rows of the table, which has no key, there are of each hash that are not marked as
    /// deleted: those whose id begins with it.
    pub(crate) async fn copies(&mut self, site: &mut Site, hashes: &[String]) -> Result<Vec<u64>> {
        self.settle(site).await?;
        let doing = "counting equal rows";
        let inventory = Inventory::of(&mut site.session, &[&self.plan.table]).await?;
        let relation = inventory.get(&self.plan.table);
        let mut columns = relation.iter().flat_map(|relation| &relation.columns);
        let live = match columns.any(|column| column.name == DELETED) {
            true => " AND t._tributary_deleted IS DISTINCT FROM TRUE",
            false => "",
        };
        let sql = format!(
            "SELECT n.place, count(*) FROM {} AS t JOIN unnest($1::text[]) WITH ORDINALITY \
             AS n (hash, place) ON left(t._tributary_id, 32) = n.hash{live} GROUP BY 1",
            DIALECT.table(&self.plan.table)
        );
        let query = sqlx::query(&sql).bind(hashes);
        let mut counts = vec![0; hashes.len()];
        for row in site.session.ask(query, doing).await? {
            let place = usize::try_from(number(&row, 0)?).unwrap_or_default();
            if let Some(count) = place.checked_sub(1).and_then(|place| counts.get_mut(place)) {
                *count = number(&row, 1)?;
            }
        }
        Ok(counts)
    }

    /// Empties the table at this point of the order.
    pub(crate) async fn truncate(&mut self, site: &mut Site, kind: TruncateKind) -> Result<()> {
        match (kind, self.plan.mode, self.plan.deletes) {
            // A history of changes keeps what was there; the change itself came as a row.
            (TruncateKind::Change | TruncateKind::Anew, Mode::Append, _)
            | (TruncateKind::Change | TruncateKind::Anew, _, Deletes::Ignore) => {
                return Ok(());
            }
            (TruncateKind::Change | TruncateKind::Anew, Mode::History, _) => {
                return self.close(site, None).await;
            }
            (TruncateKind::Change | TruncateKind::Anew, _, Deletes::Soft) => {
                self.settle(site).await?;
            }
            (TruncateKind::Restart, ..)
            | (TruncateKind::Change | TruncateKind::Anew, _, Deletes::Hard) => {
                self.abandon(site).await?;
            }
        }
        let plan = self.plan.clone();
        let statements = self.merge(site, &plan, |merge| merge.truncate(kind));
        let doing = format!("emptying {}", self.plan.table);
        site.session.run_all(&statements, &doing).await
    }

    /// Ends every current version of a history at this point of the order.
    pub(crate) async fn close(&mut self, site: &mut Site, at: Option<i64>) -> Result<()> {
        self.settle(site).await?;
        let plan = self.plan.clone();
        let statements = self.merge(site, &plan, |merge| merge.close(at));
        let doing = format!("ending versions in {}", plan.table);
        site.session.run_all(&statements, &doing).await
    }

    /// Goes on with what was built beside, another history, so that it can be dropped.
    pub(crate) async fn continue_with(
        &mut self,
        site: &mut Site,
        beside: &TableName,
    ) -> Result<()> {
        self.settle(site).await?;
        self.next_seq(site).await?;
        let plan = self.plan.clone();
        let stage = self.merge(site, &plan, |merge| merge.stage_continuation(beside))?;
        let doing = format!("comparing {} with {beside}", plan.table);
        site.session.run(&stage, &doing).await?;
        self.settle(site).await
    }

    /// Forgets what is on its way into the table.
    pub(crate) async fn abandon(&mut self, site: &mut Site) -> Result<()> {
        self.outbox.clear();
        if self.staged.take().is_some() {
            let plan = self.plan.clone();
            let drop = self.merge(site, &plan, |merge| merge.drop_staging());
            site.session.run(&drop, "dropping staged rows").await?;
        }
        Ok(())
    }

    /// Notes that nobody else sees the table: it is changed as soon as it has to be.
    pub(crate) async fn is_unseen(&mut self, site: &mut Site) -> Result<()> {
        self.is_new = true;
        self.change_layout(site).await
    }

    /// The number of the next staged row; makes the staging table where there is none.
    async fn next_seq(&mut self, site: &mut Site) -> Result<i64> {
        let mut held = match self.staged.take() {
            Some(held) => held,
            None => self.begin_staging(site).await?,
        };
        let seq = held.rows;
        held.rows += 1;
        held.kind = Staged::Deletes;
        self.staged = Some(held);
        Ok(seq)
    }

    fn merge<T>(
        &self,
        site: &Site,
        plan: &TablePlan,
        ask: impl FnOnce(Merge<'_, PgDialect>) -> T,
    ) -> T {
        ask(Merge {
            dialect: &PgDialect {
                upsert: self.upsert.unwrap_or(DIALECT.upsert),
            },
            plan,
            staging: &self.staging,
            synced_at: &site.synced_at(),
        })
    }
}
