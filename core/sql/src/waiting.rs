//! Which rejected rows wait to be tried again, and which changes end their wait.
//!
//! Invariant: what is in `_tributary.rejected` is missing from its table. Once a later change of a
//! row's key is loaded, or rejected, in the same load or another, the row goes in the same
//! transaction; so it does once its table is emptied or copied anew. So a row that is tried again is
//! always the newest of its key, and never comes over a newer one. // G4
//!
//! Why no change is missed: the keys that wait are read when a load begins, within its transaction
//! ([`Waiting::note`]), and every change of a load passes here, in order. Each answer says what has to
//! leave the table of rejected rows before anything else is done.
//!
//! Where rows have no key, and the destination counts equal ones, each waits for itself; see
//! `copies`.
//!
//! Deliberately absent: the table itself. A destination reads and writes it in its own words.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use arrow_array::{ArrayRef, RecordBatch};
use serde_json::Value;
use tributary_model::{Mode, Op, Rejection, StreamName, TableName, TablePlan};

use crate::cell::cell;
use crate::copies::{self, Copies};

/// Keys that are known by heart; where more rows wait, each change is looked up. // G6
pub const MOST_WAITING: usize = 1_000_000;

/// The keys of the rows that wait, by stream and table, as hashes.
#[derive(Debug, Default)]
pub struct Waiting {
    tables: BTreeMap<(StreamName, String), Known>,
    count: usize,
    counts: Equal,
}

/// Whether a destination tells how many equal rows a table without a key has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Equal {
    #[default]
    One,
    Counted,
}

/// What waits of one table.
#[derive(Debug, Default)]
struct Known {
    keys: HashSet<u64>,
    copies: Copies,
}

/// A row for the table of rejected rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Line<'r> {
    /// What was rejected.
    pub rejection: &'r Rejection,
    /// The table that it is missing from.
    pub table: Option<String>,
    /// Its key, as a list of texts; `None` where rows are not told apart by one.
    pub key: Option<String>,
}

/// What becomes of the table of rejected rows when rows are rejected.
#[derive(Debug, Default)]
pub struct Rejected<'r> {
    /// Keys whose rows leave it first.
    pub gone: Vec<String>,
    /// The rows that come.
    pub lines: Vec<Line<'r>>,
}

impl Waiting {
    /// For a destination that counts equal rows of a table without a key.
    #[must_use]
    pub fn counting() -> Self {
        Self {
            counts: Equal::Counted,
            ..Self::default()
        }
    }

    /// Takes a row that waits when the load begins; whether more of them are to be told.
    pub fn note(&mut self, stream: &StreamName, table: &str, key: &str) -> bool {
        self.count += 1;
        let known = self.add(stream, table.to_owned(), key);
        if let Some(id) = copies::of_key(key) {
            known.copies.note(id);
        }
        self.count <= MOST_WAITING
    }

    /// Whether anything may wait of the plan's table.
    #[must_use]
    pub fn any(&self, plan: &TablePlan) -> bool {
        let known = self.tables.get(&place(plan));
        self.is_more() || known.is_some_and(|known| !known.keys.is_empty())
    }

    /// Rows are loaded: these keys' rows are older, and leave.
    pub fn loaded(&mut self, plan: &TablePlan, ops: &[Op], rows: &RecordBatch) -> Vec<String> {
        if plan.mode == Mode::Append || !self.any(plan) {
            return Vec::new(); // in `append` every change is a row of its own
        }
        if self.is_counted(plan) {
            return self.end_copies(plan, ops, rows);
        }
        let columns = key_columns(plan, rows);
        let keys = (0..rows.num_rows()).filter_map(|row| key_in(&columns, row));
        self.end_wait(plan, keys.collect())
    }

    /// Rows are rejected: by the engine, or by the destination, which tells `within` which batch. What
    /// waits of their keys is older, and so are earlier ones of these, and those behind which the batch
    /// has another change of the key. Without a plan nobody knows where they belong.
    pub fn reject<'r>(
        &mut self,
        plan: Option<&TablePlan>,
        rejections: &'r [Rejection],
        within: Option<&Within<'_>>,
    ) -> Rejected<'r> {
        if let Some(plan) = plan.filter(|plan| self.is_counted(plan)) {
            return self.reject_copies(plan, rejections, within);
        }
        let keys: Vec<Option<String>> = rejections.iter().map(|r| key_of(plan, &r.row)).collect();
        let places = |index: usize| within.and_then(|batch| batch.at.get(index).copied());
        let mut last: HashMap<String, usize> = HashMap::new();
        for (index, key) in keys.iter().enumerate() {
            let place = places(index).unwrap_or(index);
            if let Some(key) = key {
                let last = last.entry(key.clone()).or_insert(place);
                *last = place.max(*last);
            }
        }
        if let (Some(plan), Some(within)) = (plan, within) {
            within.last_of_each(plan, &mut last);
        }
        let gone = match plan.filter(|plan| self.any(plan)) {
            Some(plan) => self.end_wait(plan, keys.iter().flatten().cloned().collect()),
            None => Vec::new(),
        };
        let mut lines = Vec::with_capacity(rejections.len());
        for (index, (rejection, key)) in rejections.iter().zip(&keys).enumerate() {
            let place = places(index).unwrap_or(index);
            let is_newest = key
                .as_deref()
                .is_none_or(|key| last.get(key) == Some(&place));
            if !is_newest {
                continue;
            }
            if let (Some(plan), Some(key)) = (plan, key) {
                self.add(&plan.stream, plan.table.to_string(), key);
            }
            lines.push(Line {
                rejection,
                table: plan.map(|plan| plan.table.to_string()),
                key: key.clone(),
            });
        }
        Rejected { gone, lines }
    }

    /// The table is emptied or begins anew: nothing of it waits any more.
    pub fn void(&mut self, stream: &StreamName, table: &TableName) {
        self.tables.remove(&(stream.clone(), table.to_string()));
    }

    /// What waits for the table beside waits for the plan's, in whose place it is now, and nothing else.
    pub fn moved(&mut self, plan: &TablePlan, from: &TableName) {
        self.void(&plan.stream, &plan.table);
        let from = (plan.stream.clone(), from.to_string());
        if let Some(known) = self.tables.remove(&from) {
            self.tables.insert(place(plan), known);
        }
    }

    /// More rows wait than can be known.
    fn is_more(&self) -> bool {
        self.count > MOST_WAITING
    }

    fn is_counted(&self, plan: &TablePlan) -> bool {
        self.counts == Equal::Counted && copies::counts(plan)
    }

    fn add(&mut self, stream: &StreamName, table: String, key: &str) -> &mut Known {
        let known = self.tables.entry((stream.clone(), table)).or_default();
        known.keys.insert(hash(key));
        known
    }

    /// Each delete of a row that waits ends the wait of one; a row that comes ends none.
    fn end_copies(&mut self, plan: &TablePlan, ops: &[Op], rows: &RecordBatch) -> Vec<String> {
        let is_more = self.is_more();
        let known = self.tables.entry(place(plan)).or_default();
        let mut gone = Vec::new();
        for (id, op) in ids(plan, rows).into_iter().zip(ops) {
            let Some(id) = id else { continue };
            match op {
                Op::Read | Op::Create | Op::Update => known.copies.loaded(id),
                Op::Delete | Op::Truncate if known.copies.is_meant(id) => {
                    let first = || is_more.then_some((id.0, 1));
                    let key = known.copies.remove(id).or_else(first).map(copies::key);
                    if let Some(key) = key {
                        known.keys.remove(&hash(&key));
                        gone.push(key);
                    }
                }
                Op::Delete | Op::Truncate => {}
            }
        }
        gone
    }

    /// Each waits for itself. An update is a row that is written once more, as it is.
    fn reject_copies<'r>(
        &mut self,
        plan: &TablePlan,
        rejections: &'r [Rejection],
        within: Option<&Within<'_>>,
    ) -> Rejected<'r> {
        let deleted = within.map(|batch| batch.deleted(plan)).unwrap_or_default();
        let known = self.tables.entry(place(plan)).or_default();
        let mut lines = Vec::with_capacity(rejections.len());
        for (index, rejection) in rejections.iter().enumerate() {
            let id = plan.key.first().and_then(|id| rejection.row.get(id));
            let id = id.and_then(Value::as_str).and_then(copies::parse);
            if let (Some(id), Some(within)) = (id, within) {
                let place = within.at.get(index);
                if deleted.get(&id).zip(place).is_some_and(|(by, at)| by > at) {
                    continue;
                }
                let op = place.and_then(|place| within.ops.get(*place));
                if op == Some(&Op::Update) && id.1 <= known.copies.count(id) {
                    continue;
                }
                known.copies.rejected(id);
            }
            let key = id.map(|id| copies::key(known.copies.add(id)));
            known.keys.extend(key.as_deref().map(hash));
            lines.push(Line {
                rejection,
                table: Some(plan.table.to_string()),
                key,
            });
        }
        Rejected {
            gone: Vec::new(),
            lines,
        }
    }

    /// Those of `keys` that may wait; they do no more.
    fn end_wait(&mut self, plan: &TablePlan, keys: HashSet<String>) -> Vec<String> {
        let is_more = self.is_more();
        let known = self.tables.entry(place(plan)).or_default();
        let waits = |key: &String| known.keys.remove(&hash(key)) || is_more;
        keys.into_iter().filter(waits).collect()
    }
}

/// The batch that a destination found rejected rows in.
#[derive(Clone, Copy, Debug)]
pub struct Within<'b> {
    /// All its rows, as they came.
    pub rows: &'b RecordBatch,
    /// What happened to each.
    pub ops: &'b [Op],
    /// Which of them the rejected ones are, in the order of these.
    pub at: &'b [usize],
}

impl Within<'_> {
    /// Moves each key on to where the batch has it last: only its place tells a change from an equal
    /// one, as a row that comes and goes has the same values twice. // G4
    fn last_of_each(&self, plan: &TablePlan, last: &mut HashMap<String, usize>) {
        let columns = key_columns(plan, self.rows);
        for row in 0..self.rows.num_rows() {
            if let Some(last) = key_in(&columns, row).and_then(|key| last.get_mut(&key)) {
                *last = row.max(*last);
            }
        }
    }

    /// Where each row is deleted last.
    fn deleted(&self, plan: &TablePlan) -> HashMap<copies::Id, usize> {
        let rows = ids(plan, self.rows).into_iter().zip(self.ops).enumerate();
        rows.filter(|(_, (_, op))| **op == Op::Delete)
            .filter_map(|(row, (id, _))| Some((id?, row)))
            .collect()
    }
}

/// Rows that agree with one of some values are gone: so are those that wait.
#[derive(Debug)]
pub struct Cleared {
    names: Vec<String>,
    values: HashSet<Vec<Option<String>>>,
}

impl Cleared {
    /// The rows of `of`, columns under their names.
    #[must_use]
    pub fn new(of: &RecordBatch) -> Self {
        let texts = |row: usize| {
            of.columns()
                .iter()
                .map(move |array| text(&cell(array, row)))
        };
        Self {
            names: of
                .schema()
                .fields()
                .iter()
                .map(|field| field.name().clone())
                .collect(),
            values: (0..of.num_rows()).map(|row| texts(row).collect()).collect(),
        }
    }

    /// Whether a rejected row is gone.
    #[must_use]
    pub fn takes(&self, row: &Value) -> bool {
        let of = |name: &String| row.get(name).and_then(text);
        self.values
            .contains(&self.names.iter().map(of).collect::<Vec<_>>())
    }
}

fn place(plan: &TablePlan) -> (StreamName, String) {
    (plan.stream.clone(), plan.table.to_string())
}

/// The identities of rows without another key.
fn ids(plan: &TablePlan, rows: &RecordBatch) -> Vec<Option<copies::Id>> {
    let columns = key_columns(plan, rows);
    let id = |row| {
        let id = cell(columns.first()?, row);
        id.as_str().and_then(copies::parse)
    };
    (0..rows.num_rows()).map(id).collect()
}

/// The columns of the key in their order; none where rows are not told apart by one.
fn key_columns<'r>(plan: &TablePlan, rows: &'r RecordBatch) -> Vec<&'r ArrayRef> {
    if plan.mode == Mode::Append {
        return Vec::new();
    }
    let of = |key: &String| {
        let index = plan.columns.iter().position(|column| column.name == *key)?;
        rows.columns().get(index)
    };
    plan.key.iter().filter_map(of).collect()
}

fn key_in(columns: &[&ArrayRef], row: usize) -> Option<String> {
    key(columns.iter().map(|array| cell(array, row)))
}

fn key_of(plan: Option<&TablePlan>, row: &Value) -> Option<String> {
    let plan = plan.filter(|plan| plan.mode != Mode::Append)?;
    let value = |name: &String| row.get(name).cloned().unwrap_or_default();
    key(plan.key.iter().map(value))
}

/// A key as a list of texts; `None` where a part of it is missing.
fn key(values: impl Iterator<Item = Value>) -> Option<String> {
    let texts: Option<Vec<Value>> = values
        .map(|value| text(&value).map(Value::String))
        .collect();
    let texts = texts.filter(|texts| !texts.is_empty())?;
    Some(Value::Array(texts).to_string())
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn hash(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
#[path = "waiting_tests.rs"]
mod tests;
