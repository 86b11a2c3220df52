//! A table in memory: rows of canonical texts, found by key.

use std::collections::{BTreeMap, HashMap, HashSet};

use arrow_array::RecordBatch;
use chrono::{DateTime, Utc};
use tributary_model::{
    Batch, DataType, Deletes, Error, ErrorKind, Mode, Op, Presence, Result, TableColumn, TablePlan,
    TruncateKind,
};

use crate::cells;

const SYNCED_AT: &str = "_tributary_synced_at";
const DELETED: &str = "_tributary_deleted";

type Cell = Option<String>;

/// A table in memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub(super) columns: Vec<TableColumn>,
    /// By a number that counts up, so that rows stay in the order in which they came.
    rows: BTreeMap<u64, Vec<Cell>>,
    by_key: HashMap<Vec<Cell>, u64>,
    next: u64,
}

impl Table {
    pub(super) fn rows(&self) -> impl Iterator<Item = Vec<Cell>> {
        self.rows.values().map(|row| {
            let mut row = row.clone();
            row.resize(self.columns.len(), None);
            row
        })
    }

    pub(super) fn named_rows(&self) -> Vec<BTreeMap<String, Cell>> {
        let names = || self.columns.iter().map(|column| column.name.clone());
        self.rows().map(|row| names().zip(row).collect()).collect()
    }

    /// How many rows there are of this hash that are not marked as deleted.
    pub(super) fn copies(&self, hash: &str) -> u64 {
        let (id, deleted) = (self.place("_tributary_id"), self.place(DELETED));
        let is_one = |row: &&Vec<Cell>| {
            let cell = |place: Option<usize>| row.get(place?)?.as_deref();
            let of_hash = |id: &str| {
                id == hash
                    || id
                        .strip_prefix(hash)
                        .is_some_and(|rest| rest.starts_with('-'))
            };
            cell(id).is_some_and(of_hash) && cell(deleted) != Some("true")
        };
        self.rows.values().filter(is_one).count() as u64
    }

    /// An empty table for a plan, with the columns of another one before its own.
    pub(super) fn beside(plan: &TablePlan, like: Option<&Self>) -> Result<Self> {
        let mut table = Self::default();
        let is_wanted = |column: &&TableColumn| {
            !column.name.starts_with("_tributary_")
                || plan.columns.iter().any(|wanted| wanted.name == column.name)
        };
        let columns = like.iter().flat_map(|like| &like.columns);
        table.columns.extend(columns.filter(is_wanted).cloned());
        table.follow(plan)?;
        Ok(table)
    }

    /// Adds and widens columns until the table holds what the plan brings.
    pub(super) fn follow(&mut self, plan: &TablePlan) -> Result<()> {
        for column in &plan.columns {
            self.column(column)?;
        }
        self.column(&system(SYNCED_AT, DataType::TimestampTz, None))?;
        if plan.deletes == Deletes::Soft && plan.mode == Mode::Merge {
            self.column(&system(DELETED, DataType::Bool, Some("false")))?;
        }
        Ok(())
    }

    fn column(&mut self, wanted: &TableColumn) -> Result<()> {
        let Some(at) = self.place(&wanted.name) else {
            let default = wanted
                .default
                .as_deref()
                .map(|text| cells::canonical(wanted.data_type, text));
            let at = self.columns.len();
            self.columns.push(wanted.clone());
            for row in self.rows.values_mut() {
                row.resize(at, None);
                row.push(default.clone());
            }
            return Ok(());
        };
        let is = self.columns[at].data_type;
        let Some(joined) = is.join(wanted.data_type) else {
            return Err(Error::new(
                ErrorKind::Incompatible,
                format!(
                    "column {} is {is} and can't become {}",
                    wanted.name, wanted.data_type
                ),
            ));
        };
        if joined != is {
            self.columns[at].data_type = joined;
            for cell in self
                .rows
                .values_mut()
                .filter_map(|row| row.get_mut(at)?.as_mut())
            {
                *cell = cells::canonical(joined, cell);
            }
        }
        Ok(())
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// Applies one batch.
    pub(super) fn apply(&mut self, batch: &Batch, at: DateTime<Utc>) -> Result<()> {
        self.follow(&batch.plan)?;
        let places = self.places(&batch.plan)?;
        let key = self.key(&batch.plan)?;
        let columns: Vec<_> = batch
            .plan
            .columns
            .iter()
            .zip(batch.rows.columns())
            .map(|(column, array)| cells::texts(column.data_type, array))
            .collect();
        let synced = cells::canonical(
            DataType::TimestampTz,
            &at.format("%Y-%m-%d %H:%M:%S%.6f").to_string(),
        );
        for (index, op) in batch.ops.iter().enumerate() {
            let mut row = vec![None; self.columns.len()];
            for (values, (place, data_type)) in columns.iter().zip(&places) {
                row[*place] = values[index]
                    .as_deref()
                    .map(|cell| cells::canonical(*data_type, cell));
            }
            self.set(&mut row, SYNCED_AT, &synced);
            match batch.plan.mode {
                Mode::Append => {
                    self.push(row);
                }
                Mode::Merge | Mode::Replace => {
                    self.merge(&batch.plan, batch.presence, &key, *op, row)?;
                }
                Mode::History => return Err(Error::bug("memory keeps no history")),
            }
        }
        Ok(())
    }

    /// Where each column of the plan stands, and the table's type of it.
    fn places(&self, plan: &TablePlan) -> Result<Vec<(usize, DataType)>> {
        let find = |column: &TableColumn| {
            let place = self.place(&column.name);
            place.map(|place| (place, self.columns[place].data_type))
        };
        let places: Option<_> = plan.columns.iter().map(find).collect();
        places.ok_or_else(|| Error::bug("a planned column is missing"))
    }

    fn key(&self, plan: &TablePlan) -> Result<Vec<usize>> {
        let places: Option<_> = plan.key.iter().map(|name| self.place(name)).collect();
        places
            .ok_or_else(|| Error::bug(format!("the key {:?} is no column of the table", plan.key)))
    }

    fn push(&mut self, row: Vec<Cell>) -> u64 {
        let number = self.next;
        self.next += 1;
        self.rows.insert(number, row);
        number
    }

    fn merge(
        &mut self,
        plan: &TablePlan,
        presence: Presence,
        key: &[usize],
        op: Op,
        mut row: Vec<Cell>,
    ) -> Result<()> {
        if key.is_empty() {
            return Err(Error::bug(format!(
                "{} is merged and has no key",
                plan.table
            )));
        }
        let at: Vec<Cell> = key.iter().map(|&place| row[place].clone()).collect();
        let there = self.by_key.get(&at).copied();
        if presence == Presence::Absent && there.is_some() {
            return Err(Error::bug(format!(
                "{at:?} of {} was promised to be absent",
                plan.table
            )));
        }
        match (op, plan.deletes, there) {
            (Op::Read | Op::Create | Op::Update, ..) => {
                if plan.deletes == Deletes::Soft {
                    self.set(&mut row, DELETED, "false");
                }
                self.put(at, there, row);
            }
            (Op::Delete, Deletes::Soft, Some(number)) => self.mark(number, &row),
            (Op::Delete, Deletes::Soft, None) => {
                self.set(&mut row, DELETED, "true");
                self.put(at, None, row);
            }
            (Op::Delete, Deletes::Hard, _) => {
                if let Some(number) = self.by_key.remove(&at) {
                    self.rows.remove(&number);
                }
            }
            (Op::Delete, Deletes::Ignore, _) => {}
            (Op::Truncate, ..) => return Err(Error::bug("a truncate came as a row")),
        }
        Ok(())
    }

    fn put(&mut self, key: Vec<Cell>, there: Option<u64>, row: Vec<Cell>) {
        let number = match there {
            Some(number) => {
                self.rows.insert(number, row);
                number
            }
            None => self.push(row),
        };
        self.by_key.insert(key, number);
    }

    /// Marks a row as deleted and keeps its last values; `from` brings only the time.
    fn mark(&mut self, number: u64, from: &[Cell]) {
        let (synced, deleted) = (self.place(SYNCED_AT), self.place(DELETED));
        let Some(row) = self.rows.get_mut(&number) else {
            return;
        };
        if let Some(at) = synced {
            row[at].clone_from(&from[at]);
        }
        if let Some(at) = deleted {
            row[at] = Some("true".to_owned());
        }
    }

    fn set(&self, row: &mut [Cell], name: &str, value: &str) {
        if let Some(at) = self.place(name) {
            row[at] = Some(value.to_owned());
        }
    }

    /// Takes the rows out that agree with one of `of`, as the plan says.
    pub(super) fn clear(&mut self, plan: &TablePlan, of: &RecordBatch) {
        let schema = of.schema();
        let named = schema.fields().iter().zip(of.columns());
        let columns: Vec<_> = named
            .filter_map(|(field, array)| {
                let place = self.place(field.name())?;
                let data_type = self.columns[place].data_type;
                Some((place, cells::texts(data_type, array)))
            })
            .collect();
        let gone: HashSet<Vec<Cell>> = (0..of.num_rows())
            .map(|row| {
                columns
                    .iter()
                    .map(|(_, texts)| texts[row].clone())
                    .collect()
            })
            .collect();
        let deleted = self.place(DELETED);
        let mut numbers = Vec::new();
        for (number, row) in &mut self.rows {
            let of_row: Vec<Cell> = columns
                .iter()
                .map(|(place, _)| row[*place].clone())
                .collect();
            match (gone.contains(&of_row), plan.mode, plan.deletes, deleted) {
                (true, Mode::Merge, Deletes::Soft, Some(at)) => row[at] = Some("true".to_owned()),
                (true, Mode::Merge | Mode::Replace, Deletes::Hard, _) => numbers.push(*number),
                _ => {}
            }
        }
        self.rows.retain(|number, _| !numbers.contains(number));
        self.by_key.retain(|_, number| !numbers.contains(number));
    }

    /// Empties the table as the plan and the kind say.
    pub(super) fn truncate(&mut self, plan: &TablePlan, kind: TruncateKind) {
        match (kind, plan.mode, plan.deletes) {
            (TruncateKind::Restart, ..) | (_, Mode::Merge | Mode::Replace, Deletes::Hard) => {
                self.rows.clear();
                self.by_key.clear();
            }
            (_, Mode::Merge, Deletes::Soft) => {
                if let Some(at) = self.place(DELETED) {
                    for row in self.rows.values_mut() {
                        row[at] = Some("true".to_owned());
                    }
                }
            }
            // What was appended is history; the engine appends the truncate as a row of its own.
            (TruncateKind::Change | TruncateKind::Anew, ..) => {}
        }
    }
}

fn system(name: &str, data_type: DataType, default: Option<&str>) -> TableColumn {
    TableColumn {
        name: name.to_owned(),
        data_type,
        default: default.map(ToOwned::to_owned),
    }
}
