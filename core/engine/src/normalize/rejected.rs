//! Rows that do not fit their table: set apart, told without what is hidden, and tried again.
//!
//! A rejected row is kept under the names of the table's columns, and its values are as hidden as
//! those of the table. So nothing that is hidden or left out is in `_tributary.rejected`, whoever
//! rejected the row. // G8

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use arrow_array::{ArrayRef, BooleanArray, RecordBatch, StringArray};
use arrow_select::filter::filter_record_batch;
use serde_json::{Map, Value};
use tributary_model::{
    Batch, ChangeBatch, Error, Mode, Op, Presence, Rejection, Result, TableColumn,
};

use super::exact;
use super::shape::{Misfit, arrow_schema_of, assemble};
use super::table::{OP, Table};

/// What a table's own columns begin with.
const SYSTEM: &str = "_tributary_";
/// Stands for a reason that may quote a value which is hidden.
const HIDDEN_REASON: &str = "the value does not fit; it is hidden, as in the table";

/// Values as texts, by the table's columns.
type Texts = BTreeMap<String, String>;
/// A column, and why its value can't go on.
type Why = (String, String);

/// Rows that fit, and those that do not.
#[derive(Debug)]
pub(crate) struct Shaped {
    pub(crate) batch: Batch,
    /// Rows that do not fit, and that none of the rows that do have overtaken.
    pub(crate) rejected: Vec<Rejection>,
    /// Rows that do not fit, and behind which one of the same key does: to be written first.
    pub(crate) overtaken: Vec<Rejection>,
}

impl Shaped {
    /// How many rows do not fit.
    pub(crate) fn misfits(&self) -> u64 {
        (self.rejected.len() + self.overtaken.len()) as u64
    }
}

impl Table {
    /// Takes the rows out that do not fit. A delete goes on without the values at fault: its key says
    /// enough. // G5
    pub(super) fn set_apart(
        &self,
        of: &ChangeBatch,
        rows: RecordBatch,
        misfits: Vec<Misfit>,
    ) -> Result<Shaped> {
        let is_key = |misfit: &Misfit| {
            self.plan
                .key
                .contains(&self.plan.columns[misfit.column].name)
        };
        let mut fatal: BTreeMap<usize, Vec<Misfit>> = BTreeMap::new();
        for misfit in misfits {
            if of.ops[misfit.row] != Op::Delete || is_key(&misfit) {
                fatal.entry(misfit.row).or_default().push(misfit);
            }
        }
        let last = self.last_of_each_key(&rows, &fatal)?;
        let (mut rejected, mut overtaken) = (Vec::new(), Vec::new());
        for (row, misfits) in &fatal {
            let rejection = self.reject(&rows, *row, misfits)?;
            let key = self.key_texts(&rows, *row)?;
            match last.get(&key) {
                Some(last) if last > row => overtaken.push(rejection),
                Some(_) | None => rejected.push(rejection),
            }
        }
        let keep: Vec<bool> = (0..of.ops.len())
            .map(|row| !fatal.contains_key(&row))
            .collect();
        let ops = of.ops.iter().zip(&keep).filter(|(_, keep)| **keep);
        let batch = Batch {
            plan: self.plan.clone(),
            ops: ops.map(|(op, _)| *op).collect(),
            presence: of.presence,
            rows: filter_record_batch(&rows, &BooleanArray::from(keep))
                .map_err(|cause| Error::bug("rows could not be set apart").because(cause))?,
        };
        Ok(Shaped {
            batch,
            rejected,
            overtaken,
        })
    }

    /// Where each key of a rejected row stands last among the rows that fit.
    fn last_of_each_key(
        &self,
        rows: &RecordBatch,
        fatal: &BTreeMap<usize, Vec<Misfit>>,
    ) -> Result<HashMap<Vec<Option<String>>, usize>> {
        let mut last = HashMap::new();
        if self.options.mode == Mode::Append {
            return Ok(last); // each row stands for itself
        }
        let mut wanted = HashSet::new();
        for row in fatal.keys() {
            wanted.insert(self.key_texts(rows, *row)?);
        }
        for row in (0..rows.num_rows()).filter(|row| !fatal.contains_key(row)) {
            let key = self.key_texts(rows, row)?;
            if wanted.contains(&key) {
                last.insert(key, row);
            }
        }
        Ok(last)
    }

    fn key_texts(&self, rows: &RecordBatch, row: usize) -> Result<Vec<Option<String>>> {
        let columns = self.plan.columns.iter().zip(rows.columns());
        let of_key = columns.filter(|(column, _)| self.plan.key.contains(&column.name));
        of_key.map(|(_, array)| exact::text(array, row)).collect()
    }

    fn reject(&self, rows: &RecordBatch, row: usize, misfits: &[Misfit]) -> Result<Rejection> {
        let mut object = Map::new();
        for (column, array) in self.plan.columns.iter().zip(rows.columns()) {
            object.insert(column.name.clone(), exact::json(array, row)?);
        }
        for misfit in misfits {
            let name = self.plan.columns[misfit.column].name.clone();
            object.insert(name, Value::String(misfit.value.clone()));
        }
        let first = misfits.first();
        let at = first.map(|misfit| &self.plan.columns[misfit.column]);
        Ok(Rejection {
            stream: self.stream.clone(),
            column: at.map(|column| column.name.clone()),
            value: first.map(|misfit| misfit.value.clone()),
            reason: at.map_or_else(String::new, |column| {
                format!("the value does not fit the type {}", column.data_type)
            }),
            row: Value::Object(object),
            hidden: self.hidden_columns().into_iter().collect(),
        })
    }

    /// The table's columns that are hidden.
    pub(crate) fn hidden_columns(&self) -> BTreeSet<String> {
        let hides = |source: &str| {
            let rule = self.options.columns.get(source);
            rule.is_some_and(|rule| rule.hash || rule.mask.is_some())
        };
        let fed = self.targets.iter();
        let hidden = fed.filter(|target| target.source.as_deref().is_some_and(hides));
        hidden.map(|target| target.column.name.clone()).collect()
    }

    /// A row that the source rejected, under the source's names and in clear: as it may be kept.
    pub(crate) fn conceal(&self, rejection: Rejection) -> Result<Rejection> {
        let mut row = Map::new();
        let mut hidden = Vec::new();
        let given = match rejection.row {
            Value::Object(given) => given,
            _ => Map::new(), // nothing says which of it may be seen
        };
        for (source, value) in given {
            let rule = self
                .options
                .columns
                .get(&source)
                .cloned()
                .unwrap_or_default();
            if rule.exclude {
                continue;
            }
            let name = self.name_of(&source);
            let value = match (self.hide(&rule)?, text_of(&value)) {
                (None, _) => value,
                (Some(_), None) => Value::Null,
                (Some(how), Some(text)) => how.text(&text)?.map_or(Value::Null, Value::String),
            };
            if rule.hash || rule.mask.is_some() {
                hidden.push(name.clone());
            }
            row.insert(name, value);
        }
        self.settle_key(&mut row)?;
        let rule = rejection
            .column
            .as_ref()
            .and_then(|name| self.options.columns.get(name));
        let is_hidden = rule.is_some_and(|rule| rule.exclude || rule.hash || rule.mask.is_some());
        let column = rejection.column.as_deref().map(|name| self.name_of(name));
        Ok(Rejection {
            value: match (&column, is_hidden) {
                (Some(name), true) => row.get(name).and_then(text_of),
                (_, _) => rejection.value,
            },
            reason: match is_hidden {
                true => HIDDEN_REASON.to_owned(),
                false => rejection.reason,
            },
            stream: rejection.stream,
            column,
            row: Value::Object(row),
            hidden,
        })
    }

    /// Writes the key as loads write it: whoever rejected the row, changes of its key find it.
    fn settle_key(&self, row: &mut Map<String, Value>) -> Result<()> {
        let of_key = |column: &&TableColumn| self.plan.key.contains(&column.name);
        for column in self.plan.columns.iter().filter(of_key) {
            if let Some(array) = typed(row, column)? {
                row.insert(column.name.clone(), exact::json(&array, 0)?);
            }
        }
        Ok(())
    }

    /// Columns of rejected rows in the types of the table; of those rows whose values in them the
    /// table could hold, and none of which is NULL.
    pub(crate) fn values_of(
        &self,
        rejections: &[Rejection],
        columns: &[&TableColumn],
    ) -> Result<Vec<Vec<ArrayRef>>> {
        let mut rows = Vec::with_capacity(rejections.len());
        for rejection in rejections {
            let nothing = Map::new();
            let row = rejection.row.as_object().unwrap_or(&nothing);
            let arrays = columns.iter().map(|column| typed(row, column));
            let arrays: Option<Vec<ArrayRef>> = arrays.collect::<Result<_>>()?;
            rows.extend(arrays);
        }
        Ok(rows)
    }

    /// The name that the table has for a source's column.
    fn name_of(&self, source: &str) -> String {
        let of = |name: &Option<String>| name.as_deref() == Some(source);
        let mut targets = self.targets.iter();
        let target = targets.clone().find(|target| of(&target.source));
        if let Some(target) = target.or_else(|| targets.find(|target| of(&target.owner))) {
            return target.column.name.clone();
        }
        let rule = self.options.columns.get(source);
        let name = rule.and_then(|rule| rule.rename.as_deref());
        name.unwrap_or(source).to_owned()
    }

    /// Rejected rows once more, by what is decided about the table now.
    pub(crate) fn again(&self, rejections: Vec<Rejection>) -> Result<Shaped> {
        let mut placed = Vec::with_capacity(rejections.len());
        let mut rejected = Vec::new();
        for rejection in rejections {
            match self.place_row(&rejection)? {
                Ok(row) => placed.push((rejection, row)),
                Err((name, reason)) => rejected.push(Rejection {
                    reason,
                    column: Some(name),
                    ..rejection
                }),
            }
        }
        let mut arrays = Vec::with_capacity(self.plan.columns.len());
        let mut misfits: BTreeMap<usize, usize> = BTreeMap::new();
        for (index, column) in self.plan.columns.iter().enumerate() {
            let texts = placed.iter().map(|(_, row)| row.get(&column.name).cloned());
            let texts: StringArray = texts.collect();
            let cast = exact::parse(&texts, &column.data_type.to_arrow())?;
            arrays.push(cast.array);
            for row in cast.misfits {
                misfits.entry(row).or_insert(index);
            }
        }
        let rows = assemble(arrow_schema_of(&self.plan), arrays, placed.len())?;
        let keep: Vec<bool> = (0..placed.len())
            .map(|row| !misfits.contains_key(&row))
            .collect();
        let ops = placed.iter().zip(&keep).filter(|(_, keep)| **keep);
        let ops: Vec<Op> = ops
            .map(|((rejection, _), _)| op_of(&rejection.row))
            .collect();
        let rows = filter_record_batch(&rows, &BooleanArray::from(keep))
            .map_err(|cause| Error::bug("rows could not be set apart").because(cause))?;
        for (row, (rejection, _)) in placed.into_iter().enumerate() {
            if let Some(index) = misfits.get(&row) {
                rejected.push(still(rejection, &self.plan.columns[*index]));
            }
        }
        let batch = Batch {
            plan: self.plan.clone(),
            ops,
            presence: Presence::Possible,
            rows,
        };
        Ok(Shaped {
            batch,
            rejected,
            overtaken: Vec::new(),
        })
    }

    /// The texts of a rejected row by the plan's columns; or a column and why its value can't go on.
    fn place_row(&self, rejection: &Rejection) -> Result<std::result::Result<Texts, Why>> {
        let mut texts = Texts::new();
        for (name, value) in rejection.row.as_object().into_iter().flatten() {
            let Some(text) = text_of(value) else { continue };
            let source = self.source_of(name);
            let rule = source.and_then(|source| self.options.columns.get(source));
            if rule.is_some_and(|rule| rule.exclude) {
                continue;
            }
            if let (Some(rule), Some(source)) = (rule, source)
                && (rule.hash || rule.mask.is_some())
                && !rejection.hidden.contains(name)
                && !self.was_always_so(source)
            {
                let reason = format!(
                    "`{name}` was hidden otherwise, or not at all, when the row was rejected"
                );
                return Ok(Err((name.clone(), reason)));
            }
            match self.place_of_value(name, source) {
                Some(column) => texts.insert(column.name.clone(), text),
                None if name.starts_with(SYSTEM) => None,
                None => {
                    let reason = format!("the table has no column for `{name}` any more");
                    return Ok(Err((name.clone(), reason)));
                }
            };
        }
        for column in &self.plan.columns {
            if let (Some(default), None) = (&column.default, rejection.row.get(&column.name)) {
                texts.insert(column.name.clone(), default.clone());
            }
        }
        if self.plan.columns.iter().any(|column| column.name == OP) {
            texts
                .entry(OP.to_owned())
                .or_insert_with(|| Op::Read.letter().to_owned());
        }
        Ok(Ok(texts))
    }

    /// The source's column that a table's column belongs to.
    fn source_of(&self, name: &str) -> Option<&str> {
        let target = self
            .targets
            .iter()
            .find(|target| target.column.name == name)?;
        target.source.as_deref().or(target.owner.as_deref())
    }

    /// Where a value goes: the column of its name, else the one that its source's column feeds now.
    fn place_of_value(&self, name: &str, source: Option<&str>) -> Option<&TableColumn> {
        let mut columns = self.plan.columns.iter();
        if let Some(column) = columns.clone().find(|column| column.name == name) {
            return Some(column);
        }
        let feeds = |target: &&super::evolve::Target| target.source.as_deref() == source;
        let target = source.and_then(|_| self.targets.iter().find(feeds))?;
        columns.find(|column| column.name == target.column.name)
    }
}

/// A value of a row in the type of its column; `None` where it is NULL or does not fit.
fn typed(row: &Map<String, Value>, column: &TableColumn) -> Result<Option<ArrayRef>> {
    let Some(text) = row.get(&column.name).and_then(text_of) else {
        return Ok(None);
    };
    let cast = exact::parse(&StringArray::from(vec![text]), &column.data_type.to_arrow())?;
    Ok(cast.misfits.is_empty().then_some(cast.array))
}

/// A row that still does not fit.
fn still(rejection: Rejection, at: &TableColumn) -> Rejection {
    let value = rejection.row.get(&at.name).and_then(text_of);
    Rejection {
        column: Some(at.name.clone()),
        value: value.or(rejection.value),
        reason: format!("the value does not fit the type {}", at.data_type),
        ..rejection
    }
}

/// What had happened to a row, where that was noted.
fn op_of(row: &Value) -> Op {
    match row.get(OP).and_then(Value::as_str) {
        Some("d") => Op::Delete,
        _ => Op::Read,
    }
}

/// A value as text; `None` for NULL.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
