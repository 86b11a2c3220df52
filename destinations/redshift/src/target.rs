//! One table within a load: where its rows go, and in which order.
//!
//! Rows are written to files of the bucket as they come. When they are needed in the warehouse they are
//! copied there at once: those that can't meet another of their key go straight into the table, the
//! others are staged and folded at the end. Once rows of a load are staged, later ones of that table
//! are too, so that the order holds. // G4
//!
//! A table that was there before the load is changed only when its rows are folded: until then people
//! read it undisturbed. One that the load made itself changes at once.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use tributary_model::{
    DataType, Deletes, Error, Mode, Op, Presence, Result, TableColumn, TableName, TablePlan,
    TruncateKind,
};
use tributary_sql::{
    DELETED, Definition, Dialect, IS_CURRENT, Merge, STAGED_DELETE, STAGED_SEQ, SYNCED_AT,
    Screened, Staged, Staging, Step, VALID_TO, evolve, restage,
};

use crate::describe::Inventory;
use crate::dialect::{DIALECT, RedshiftDialect};
use crate::layout::{refuse_impossible, refuse_too_many, short_texts};
use crate::ledger::note_changes;
use crate::outbox::{Outbox, Way};
use crate::rows::{Freight, Own, begun, deletes, numbers};
use crate::text::literals;
use crate::transaction::Site;

const DELETE_MARK: Own = Own {
    name: DELETED,
    data_type: DataType::Bool,
};
const STAGED_MARKS: [Own; 2] = [
    Own {
        name: STAGED_SEQ,
        data_type: DataType::Int64,
    },
    Own {
        name: STAGED_DELETE,
        data_type: DataType::Bool,
    },
];
/// Hashes of one question.
const HASHES: usize = 1000;

/// A table and what is on its way into it.
#[derive(Debug)]
pub(crate) struct Target {
    plan: Arc<TablePlan>,
    /// What has still to be done to the table before rows of the plan fit into it.
    steps: Vec<Step>,
    /// Whether this load made the table: nobody else sees it yet.
    is_new: bool,
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
            is_new: false,
            staging: Staging {
                rows: format!("_tributary_staged_{number}"),
                fold: format!("_tributary_fold_{number}"),
            },
            staged: None,
            outbox: Outbox::new(format!("_tributary_copied_{number}")),
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
        self.send(site).await?;
        let restaged = match &self.staged {
            Some(held) if only_adds(&held.plan, &plan) => {
                restage(&DIALECT, &self.staging, &held.plan, &plan)?
            }
            _ => None,
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
        let short = short_texts(&plan, &found);
        self.steps
            .extend(short.into_iter().map(|name| lengthen(&plan, name)));
        refuse_too_many(&plan, &self.steps, &found)?;
        self.plan = plan;
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
        note_changes(&mut site.notes, &site.load, &self.plan, &steps);
        Ok(())
    }

    /// The plan that the table follows.
    pub(crate) fn plan(&self) -> &Arc<TablePlan> {
        &self.plan
    }

    /// Bytes in memory.
    pub(crate) fn memory(&self) -> usize {
        self.outbox.memory()
    }

    /// Gives memory back.
    pub(crate) async fn shed(&mut self) -> Result<()> {
        self.outbox.shed().await
    }

    /// Copies what was collected into the warehouse.
    async fn send(&mut self, site: &mut Site) -> Result<()> {
        if self.outbox.goes_straight() {
            self.change_layout(site).await?;
        }
        self.outbox.send(site).await
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
        match self.goes_straight(&rows.ops, presence) {
            true => self.insert(site, &rows).await,
            false => self.stage(site, &rows).await,
        }
    }

    fn goes_straight(&self, ops: &[Op], presence: Presence) -> bool {
        match self.plan.mode {
            _ if self.staged.is_some() => false,
            Mode::Append => true,
            Mode::Merge | Mode::Replace | Mode::History => {
                presence == Presence::Absent && !ops.contains(&Op::Delete)
            }
        }
    }

    async fn insert(&mut self, site: &mut Site, rows: &Screened) -> Result<()> {
        let began = site.load.started_at.timestamp_micros();
        let marks = match self.plan.deletes {
            Deletes::Soft => &[DELETE_MARK][..],
            Deletes::Hard | Deletes::Ignore => &[],
        };
        let mut columns = begun(&self.plan, &rows.rows, began)?.columns().to_vec();
        if self.plan.deletes == Deletes::Soft {
            columns.push(Arc::new(deletes(&rows.ops)));
        }
        let mut same = vec![(SYNCED_AT, site.synced_at())];
        if self.plan.mode == Mode::History {
            same.push((VALID_TO, "CAST(NULL AS TIMESTAMPTZ)".to_owned()));
            same.push((IS_CURRENT, "TRUE".to_owned()));
        }
        let way = Way {
            table: DIALECT.table(&self.plan.table),
            is_straight: true,
            freight: Freight::new(&self.plan, marks)?,
            same,
        };
        self.push(site, way, &columns).await
    }

    async fn stage(&mut self, site: &mut Site, rows: &Screened) -> Result<()> {
        let mut held = match self.staged.take() {
            Some(held) => held,
            None => self.begin_staging(site).await?,
        };
        let gone = deletes(&rows.ops);
        if gone.true_count() > 0 {
            held.kind = Staged::Deletes;
        }
        let mut columns = rows.rows.columns().to_vec();
        columns.push(Arc::new(numbers(held.rows, rows.ops.len())));
        columns.push(Arc::new(gone));
        held.rows += i64::try_from(rows.ops.len()).unwrap_or(i64::MAX);
        self.staged = Some(held);
        let way = Way {
            table: DIALECT.quote(&self.staging.rows),
            is_straight: false,
            freight: Freight::new(&self.plan, &STAGED_MARKS)?,
            same: Vec::new(),
        };
        self.push(site, way, &columns).await
    }

    /// Puts rows into a file; first those that go another way, into the warehouse.
    async fn push(&mut self, site: &mut Site, way: Way, columns: &[ArrayRef]) -> Result<()> {
        if self.outbox.goes_another_way(&way) {
            self.send(site).await?;
        }
        self.outbox.push(&site.room, way, columns).await
    }

    async fn begin_staging(&mut self, site: &mut Site) -> Result<Holding> {
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
        self.send(site).await?;
        self.change_layout(site).await?;
        let Some(held) = self.staged.take() else {
            return Ok(());
        };
        let statements = match held.plan.mode {
            Mode::Append => self.merge(site, &held.plan, |merge| merge.append()),
            Mode::Merge | Mode::Replace => {
                self.merge(site, &held.plan, |merge| merge.fold(held.kind))
            }
            Mode::History => self.merge(site, &held.plan, |merge| merge.fold_history()),
        };
        let doing = format!("merging into {}", self.plan.table);
        site.session.run_all(&statements, &doing).await
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
        let way = Way {
            table: DIALECT.quote(&self.staging.fold),
            is_straight: false,
            freight: Freight::new(&some_columns(&plan, &names)?, &[])?,
            same: Vec::new(),
        };
        self.push(site, way, of.columns()).await?;
        self.outbox.send(site).await?;
        let statements = match plan.mode {
            Mode::History => {
                let seq = self.next_seq(site).await?;
                self.merge(site, &plan, |merge| merge.clear_history(&names, seq))
            }
            Mode::Merge | Mode::Replace | Mode::Append => {
                self.merge(site, &plan, |merge| merge.clear(&names))
            }
        };
        let doing = format!("clearing rows of {}", plan.table);
        site.session.run_all(&statements, &doing).await
    }

    /// How many rows of the table, which has no key, there are of each hash that are not marked as
    /// deleted: those whose id begins with it.
    pub(crate) async fn copies(&mut self, site: &mut Site, hashes: &[String]) -> Result<Vec<u64>> {
        self.settle(site).await?;
        let inventory = Inventory::of(&mut site.session, &[&self.plan.table]).await?;
        let relation = inventory.get(&self.plan.table);
        let mut columns = relation.iter().flat_map(|relation| &relation.columns);
        let live = match columns.any(|column| column.name == DELETED) {
            true => " AND NOT COALESCE(_tributary_deleted, FALSE)",
            false => "",
        };
        let mut counts = std::collections::HashMap::new();
        for hashes in hashes.chunks(HASHES) {
            let sql = format!(
                "SELECT LEFT(_tributary_id, 32), COUNT(*) FROM {} \
                 WHERE LEFT(_tributary_id, 32) IN ({}){live} GROUP BY 1",
                DIALECT.table(&self.plan.table),
                literals(hashes)
            );
            for row in site.session.ask(&sql, "counting equal rows").await? {
                counts.insert(row.text(0)?.to_owned(), row.number(1)?);
            }
        }
        let count = |hash: &String| counts.get(hash).copied().unwrap_or_default();
        Ok(hashes.iter().map(count).collect())
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
        ask: impl FnOnce(Merge<'_, RedshiftDialect>) -> T,
    ) -> T {
        ask(Merge {
            dialect: &DIALECT,
            plan,
            staging: &self.staging,
            synced_at: &site.synced_at(),
        })
    }
}

/// Whether all columns that both plans have are of the same types.
fn only_adds(old: &TablePlan, new: &TablePlan) -> bool {
    let mut shared = old.columns.iter().filter_map(|before| {
        let is_same = |c: &&TableColumn| DIALECT.same_name(&c.name, &before.name);
        Some((before, new.columns.iter().find(is_same)?))
    });
    shared.all(|(before, after)| before.data_type == after.data_type)
}

/// The step that gives a text room for the longest.
fn lengthen(plan: &TablePlan, name: String) -> Step {
    let sql_type = DIALECT.type_name(DataType::Text).unwrap_or_default();
    Step::WidenType {
        table: plan.table.clone(),
        column: Definition {
            name,
            data_type: DataType::Text,
            sql_type,
            default: None,
        },
        from: DataType::Text,
    }
}

/// The plan with these columns alone, in this order.
fn some_columns(plan: &TablePlan, names: &[&str]) -> Result<TablePlan> {
    let find = |name: &&str| {
        let column = plan.columns.iter().find(|column| column.name == **name);
        column
            .cloned()
            .ok_or_else(|| Error::bug(format!("nothing is called {name}")))
    };
    Ok(TablePlan {
        columns: names.iter().map(find).collect::<Result<_>>()?,
        ..plan.clone()
    })
}
