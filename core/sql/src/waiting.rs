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
//! Deliberately absent: the table itself. A destination reads and writes it in its own words.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use arrow_array::{ArrayRef, RecordBatch};
use serde_json::Value;
use tributary_model::{Mode, Rejection, StreamName, TableName, TablePlan};

use crate::cell::cell;

/// Keys that are known by heart; where more rows wait, each change is looked up. // G6
pub const MOST_WAITING: usize = 1_000_000;

/// The keys of the rows that wait, by stream and table, as hashes.
#[derive(Debug, Default)]
pub struct Waiting {
    keys: BTreeMap<(StreamName, String), HashSet<u64>>,
    count: usize,
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
    /// Takes a row that waits when the load begins; whether more of them are to be told.
    pub fn note(&mut self, stream: &StreamName, table: &str, key: &str) -> bool {
        self.count += 1;
        self.add(stream, table.to_owned(), key);
        self.count <= MOST_WAITING
    }

    /// Whether anything may wait of the plan's table.
    #[must_use]
    pub fn any(&self, plan: &TablePlan) -> bool {
        self.is_more() || self.keys.get(&place(plan)).is_some_and(|k| !k.is_empty())
    }

    /// Rows are loaded: these keys' rows are older, and leave.
    pub fn loaded(&mut self, plan: &TablePlan, rows: &RecordBatch) -> Vec<String> {
        if plan.mode == Mode::Append || !self.any(plan) {
            return Vec::new(); // in `append` every change is a row of its own
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
        self.keys.remove(&(stream.clone(), table.to_string()));
    }

    /// What waits for the table beside waits for the plan's, in whose place it is now, and nothing else.
    pub fn moved(&mut self, plan: &TablePlan, from: &TableName) {
        self.void(&plan.stream, &plan.table);
        if let Some(keys) = self.keys.remove(&(plan.stream.clone(), from.to_string())) {
            self.keys.insert(place(plan), keys);
        }
    }

    /// More rows wait than can be known.
    fn is_more(&self) -> bool {
        self.count > MOST_WAITING
    }

    fn add(&mut self, stream: &StreamName, table: String, key: &str) {
        let keys = self.keys.entry((stream.clone(), table)).or_default();
        keys.insert(hash(key));
    }

    /// Those of `keys` that may wait; they do no more.
    fn end_wait(&mut self, plan: &TablePlan, keys: HashSet<String>) -> Vec<String> {
        let is_more = self.is_more();
        let known = self.keys.entry(place(plan)).or_default();
        let waits = |key: &String| known.remove(&hash(key)) || is_more;
        keys.into_iter().filter(waits).collect()
    }
}

/// The batch that a destination found rejected rows in.
#[derive(Clone, Copy, Debug)]
pub struct Within<'b> {
    /// All its rows, as they came.
    pub rows: &'b RecordBatch,
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
