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

    /// Rows are rejected. What waits of their keys is older, and so are earlier ones of these, and
    /// those whose keys are in `overtaken`. Without a plan nobody knows where they belong.
    pub fn reject<'r>(
        &mut self,
        plan: Option<&TablePlan>,
        rejections: &'r [Rejection],
        overtaken: &HashSet<String>,
    ) -> Rejected<'r> {
        let keys: Vec<Option<String>> = rejections.iter().map(|r| key_of(plan, &r.row)).collect();
        let mut last: HashMap<&str, usize> = HashMap::new();
        for (row, key) in keys.iter().enumerate() {
            last.extend(key.as_deref().map(|key| (key, row)));
        }
        let gone = match plan.filter(|plan| self.any(plan)) {
            Some(plan) => self.end_wait(plan, keys.iter().flatten().cloned().collect()),
            None => Vec::new(),
        };
        let mut lines = Vec::with_capacity(rejections.len());
        for (row, (rejection, key)) in rejections.iter().zip(&keys).enumerate() {
            let is_newest = key
                .as_deref()
                .is_none_or(|key| last.get(key) == Some(&row) && !overtaken.contains(key));
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

/// The keys of rejected rows of which a newer row of the same batch is loaded.
#[must_use]
pub fn overtaken(plan: &TablePlan, all: &RecordBatch, rejections: &[Rejection]) -> HashSet<String> {
    let mut newest: HashMap<String, &Value> = HashMap::new();
    for rejection in rejections {
        newest.extend(key_of(Some(plan), &rejection.row).map(|key| (key, &rejection.row)));
    }
    if newest.is_empty() {
        return HashSet::new();
    }
    let columns = key_columns(plan, all);
    let mut last: HashMap<String, usize> = HashMap::new();
    for row in 0..all.num_rows() {
        last.extend(
            key_in(&columns, row)
                .filter(|key| newest.contains_key(key))
                .map(|key| (key, row)),
        );
    }
    let is_loaded = |(key, row): (String, usize)| {
        let cells = plan.columns.iter().zip(all.columns());
        let whole = cells.map(|(column, array)| (column.name.clone(), cell(array, row)));
        let whole = Value::Object(whole.collect());
        (newest.get(&key) != Some(&&whole)).then_some(key)
    };
    last.into_iter().filter_map(is_loaded).collect()
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
