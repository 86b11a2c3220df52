//! One table within a load: its rows on their way, and what the script will do to it, in order.
//!
//! Nothing is done to the table before the load commits: rows wait in staging tables, and everything
//! else is noted as an act of the script. Rows that can't meet another of their key are inserted, the
//! others folded. Once rows of a load are to be folded, later ones of that table are too, so that the
//! order holds. // G4

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch};
use tributary_model::{
    DataType, Deletes, Error, Mode, Op, Presence, Result, TableColumn, TableName, TablePlan,
    TruncateKind,
};
use tributary_sql::{Found, STAGED_DELETE, STAGED_SEQ, Screened, Step};

use crate::dialect::BigQueryDialect;
use crate::layout;
use crate::merge::{Staged, is_begin};
use crate::stage::{Sender, Stage, known_instants, numbers};

/// What the script does to a table, in the order of the source.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Rows whose keys are not there.
    Insert(Arc<TablePlan>, Staged),
    /// Rows that meet others; before them, of a history, what is gone unless it comes.
    Fold(Arc<TablePlan>, Option<Staged>, Vec<Cleared>),
    /// Rows that agree with one of some values are gone.
    Clear(Arc<TablePlan>, Cleared),
    /// All rows are gone.
    Truncate(Arc<TablePlan>, TruncateKind),
    /// Every current version ends.
    Close(Arc<TablePlan>, Option<i64>),
    /// A column that the rows so far came without.
    Fill(Arc<TablePlan>, TableColumn),
    /// A history goes on with what was built beside.
    Continue(Arc<TablePlan>, TableName),
}

/// Staged values by which rows are gone.
#[derive(Clone, Debug)]
pub(crate) struct Cleared {
    pub(crate) columns: Vec<TableColumn>,
    pub(crate) values: Staged,
    /// The number among the staged rows at which it happens.
    pub(crate) seq: i64,
}

/// Rows that are taken one after the other.
#[derive(Debug)]
struct Segment {
    way: Way,
    from: i64,
    cleared: Vec<Cleared>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Insert,
    Fold,
}

/// A table and what is on its way into it.
#[derive(Debug)]
pub(crate) struct Target {
    plan: Arc<TablePlan>,
    found: Found,
    /// What has to be done to the table first.
    pub(crate) steps: Vec<(Arc<TablePlan>, Step)>,
    pub(crate) acts: Vec<Act>,
    /// The names of staging tables begin so.
    prefix: String,
    rows: Option<Stage>,
    values: Option<Stage>,
    /// Staging tables of earlier plans of this load.
    done: Vec<Stage>,
    segment: Option<Segment>,
    stages: usize,
}

impl Target {
    /// Looks what the table needs.
    pub(crate) fn prepare(
        dialect: &BigQueryDialect,
        plan: Arc<TablePlan>,
        found: Found,
        prefix: String,
    ) -> Result<Self> {
        let mut target = Self {
            plan: plan.clone(),
            found,
            steps: Vec::new(),
            acts: Vec::new(),
            prefix,
            rows: None,
            values: None,
            done: Vec::new(),
            segment: None,
            stages: 0,
        };
        target.bring(dialect, plan)?;
        Ok(target)
    }

    /// Goes on under a newer plan.
    pub(crate) fn follow(&mut self, dialect: &BigQueryDialect, plan: Arc<TablePlan>) -> Result<()> {
        self.settle();
        self.done.extend(self.rows.take());
        self.done.extend(self.values.take());
        let had = self.plan.clone();
        self.bring(dialect, plan.clone())?;
        let is_new = |column: &&TableColumn| {
            let same = |other: &TableColumn| other.name.eq_ignore_ascii_case(&column.name);
            column.default.is_some() && !had.columns.iter().any(same)
        };
        let new = plan.columns.iter().filter(is_new);
        let fills = new.map(|column| Act::Fill(plan.clone(), column.clone()));
        self.acts.extend(fills);
        Ok(())
    }

    fn bring(&mut self, dialect: &BigQueryDialect, plan: Arc<TablePlan>) -> Result<()> {
        let steps = layout::steps(dialect, &plan, &self.found)?;
        self.found = layout::after(&self.found, &steps);
        self.steps
            .extend(steps.into_iter().map(|step| (plan.clone(), step)));
        self.plan = plan;
        Ok(())
    }

    /// The plan that the table follows.
    pub(crate) fn plan(&self) -> &Arc<TablePlan> {
        &self.plan
    }

    /// What the table is like once its steps are done.
    pub(crate) fn found(&self) -> &Found {
        &self.found
    }

    /// Bytes that are not sent yet.
    pub(crate) fn pending_bytes(&self) -> usize {
        self.open().map(Stage::pending_bytes).sum()
    }

    fn open(&self) -> impl Iterator<Item = &Stage> {
        self.rows.iter().chain(&self.values).chain(&self.done)
    }

    fn open_mut(&mut self) -> impl Iterator<Item = &mut Stage> {
        self.rows
            .iter_mut()
            .chain(&mut self.values)
            .chain(&mut self.done)
    }

    /// Sends what was collected.
    pub(crate) async fn send(&mut self, sender: &Sender) -> Result<()> {
        for stage in self.open_mut() {
            stage.send(sender).await?;
        }
        Ok(())
    }

    /// Sends the rest, and makes the rows readable for the script.
    pub(crate) async fn finish(&mut self, sender: &Sender) -> Result<()> {
        for stage in self.open_mut() {
            stage.finish(sender).await?;
        }
        Ok(())
    }

    /// The staging tables that were made.
    pub(crate) fn staging(&self) -> Vec<TableName> {
        let used = self.open().filter(|stage| stage.is_used());
        used.map(|stage| stage.table.clone()).collect()
    }

    /// Takes rows of the plan; `began` is when the load did.
    pub(crate) fn take(&mut self, rows: &Screened, presence: Presence, began: i64) -> Result<()> {
        if rows.ops.is_empty() {
            return Ok(());
        }
        if self.plan.mode != Mode::Append && rows.ops.contains(&Op::Truncate) {
            return Err(Error::bug("a truncate came as a row of a merged table"));
        }
        let way = match self.goes_straight(&rows.ops, presence) {
            true => Way::Insert,
            false => Way::Fold,
        };
        let count = rows.ops.len();
        let mut arrays = rows.rows.columns().to_vec();
        if way == Way::Insert && self.plan.mode == Mode::History {
            let place = self.plan.columns.iter().position(is_begin);
            if let Some(place) = place {
                arrays[place] = known_instants(&arrays[place], began);
            }
        }
        let deletes: BooleanArray = rows
            .ops
            .iter()
            .map(|op| Some(matches!(op, Op::Delete | Op::Truncate)))
            .collect();
        self.begin(way);
        let stage = self.stage();
        arrays.push(numbers(stage.numbers(count)));
        arrays.push(Arc::new(deletes));
        stage.take(&arrays)
    }

    fn goes_straight(&self, ops: &[Op], presence: Presence) -> bool {
        match self.plan.mode {
            Mode::Append => true,
            Mode::Merge | Mode::Replace | Mode::History => {
                let folds = |segment: &Segment| segment.way == Way::Fold;
                presence == Presence::Absent
                    && !ops.contains(&Op::Delete)
                    && !self.segment.as_ref().is_some_and(folds)
                    && !self.acts.iter().any(|act| matches!(act, Act::Fold(..)))
            }
        }
    }

    /// Sees to it that the next rows go that way.
    fn begin(&mut self, way: Way) {
        if self
            .segment
            .as_ref()
            .is_some_and(|segment| segment.way != way)
        {
            self.settle();
        }
        if self.segment.is_none() {
            let from = self.stage().next();
            self.segment = Some(Segment {
                way,
                from,
                cleared: Vec::new(),
            });
        }
    }

    fn stage(&mut self) -> &mut Stage {
        if self.rows.is_none() {
            let mut columns = self.plan.columns.clone();
            columns.push(own_column(STAGED_SEQ, DataType::Int64));
            columns.push(own_column(STAGED_DELETE, DataType::Bool));
            self.rows = Some(self.new_stage(columns));
        }
        let plan = &self.plan;
        self.rows
            .get_or_insert_with(|| Stage::new(plan.table.clone(), Vec::new()))
    }

    fn new_stage(&mut self, columns: Vec<TableColumn>) -> Stage {
        self.stages += 1;
        let table = TableName {
            schema: "_tributary".to_owned(),
            table: format!("{}_{}", self.prefix, self.stages),
        };
        Stage::new(table, columns)
    }

    /// Notes what becomes of the rows taken so far.
    pub(crate) fn settle(&mut self) {
        let (Some(segment), Some(stage)) = (self.segment.take(), &self.rows) else {
            return;
        };
        let staged = Staged {
            table: stage.table.clone(),
            rows: segment.from..stage.next(),
        };
        let plan = self.plan.clone();
        // Where nothing was staged but what is gone, there may be no such table.
        let staged = stage.is_used().then_some(staged);
        self.acts.push(match (segment.way, staged) {
            (Way::Insert, Some(staged)) => Act::Insert(plan, staged),
            (Way::Insert, None) => return,
            (Way::Fold, staged) => Act::Fold(plan, staged, segment.cleared),
        });
    }

    /// Rows that agree with one of `of` are gone at this point of the order.
    pub(crate) fn clear(&mut self, of: &RecordBatch) -> Result<()> {
        if self.plan.mode == Mode::Append
            || self.plan.deletes == Deletes::Ignore
            || of.num_rows() == 0
        {
            return Ok(());
        }
        self.settle();
        let schema = of.schema();
        let mut columns = Vec::new();
        for field in schema.fields() {
            let column = self
                .plan
                .columns
                .iter()
                .find(|column| column.name == *field.name());
            let column =
                column.ok_or_else(|| Error::bug(format!("nothing is called {}", field.name())))?;
            columns.push(column.clone());
        }
        let values = self.stage_values(&columns, of.columns())?;
        let is_history = self.plan.mode == Mode::History;
        let mut cleared = Cleared {
            columns,
            values,
            seq: 0,
        };
        if !is_history {
            self.acts.push(Act::Clear(self.plan.clone(), cleared));
            return Ok(());
        }
        self.begin(Way::Fold);
        let stage = self.stage();
        cleared.seq = stage.next();
        stage.skip(1);
        if let Some(segment) = &mut self.segment {
            segment.cleared.push(cleared);
        }
        Ok(())
    }

    fn stage_values(&mut self, columns: &[TableColumn], arrays: &[ArrayRef]) -> Result<Staged> {
        let names = |columns: &[TableColumn]| {
            let names = columns.iter().map(|column| column.name.clone());
            names.chain([STAGED_SEQ.to_owned()]).collect::<Vec<_>>()
        };
        let mut all = columns.to_vec();
        all.push(own_column(STAGED_SEQ, DataType::Int64));
        let fits = |stage: &Stage| stage.names() == names(columns);
        let mut stage = match self.values.take() {
            Some(stage) if fits(&stage) => stage,
            other => {
                self.done.extend(other);
                self.new_stage(all)
            }
        };
        let count = arrays.first().map_or(0, |array| array.len());
        let rows = stage.numbers(count);
        let mut arrays = arrays.to_vec();
        arrays.push(numbers(rows.clone()));
        stage.take(&arrays)?;
        let table = stage.table.clone();
        self.values = Some(stage);
        Ok(Staged { table, rows })
    }

    /// Empties the table at this point of the order.
    pub(crate) fn truncate(&mut self, kind: TruncateKind) {
        match (kind, self.plan.mode, self.plan.deletes) {
            // A history of changes keeps what was there; the change itself came as a row.
            (TruncateKind::Change | TruncateKind::Anew, Mode::Append, _)
            | (TruncateKind::Change | TruncateKind::Anew, _, Deletes::Ignore) => return,
            (TruncateKind::Change | TruncateKind::Anew, Mode::History, _) => {
                return self.close(None);
            }
            (TruncateKind::Change | TruncateKind::Anew, _, Deletes::Soft) => self.settle(),
            (TruncateKind::Restart, ..)
            | (TruncateKind::Change | TruncateKind::Anew, _, Deletes::Hard) => self.forget(),
        }
        self.acts.push(Act::Truncate(self.plan.clone(), kind));
    }

    /// Leaves out what was to be done to the rows so far: they are gone anyway.
    fn forget(&mut self) {
        self.segment = None;
        self.acts.clear();
    }

    /// Begins with an empty table, whatever there is.
    pub(crate) fn renew(&mut self) {
        self.forget();
        self.acts
            .push(Act::Truncate(self.plan.clone(), TruncateKind::Restart));
    }

    /// Ends every current version of a history at this point of the order.
    pub(crate) fn close(&mut self, at: Option<i64>) {
        self.settle();
        self.acts.push(Act::Close(self.plan.clone(), at));
    }

    /// Goes on with what was built beside, another history.
    pub(crate) fn continue_with(&mut self, beside: &TableName) {
        self.settle();
        self.acts
            .push(Act::Continue(self.plan.clone(), beside.clone()));
    }
}

fn own_column(name: &str, data_type: DataType) -> TableColumn {
    TableColumn {
        name: name.to_owned(),
        data_type,
        default: None,
    }
}
