//! Changes of one table kept in memory until what becomes of each key is known.
//!
//! The rules are those of [`tributary_sql::Merge`]: the *live* row of a key is its newest that is
//! not a delete. Finding it here saves the database from storing, grouping and reading again what
//! will be replaced a moment later; it gets the rows that stay, and the keys.
//!
//! Equality of keys must be the database's. It is for every type whose equal values have equal
//! bytes; floating point numbers are not among them, so they are not for here ([`Window::suits`]).

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, Int64Array, RecordBatch};
use arrow_row::{Row, RowConverter, SortField};
use arrow_schema::ArrowError;
use arrow_select::concat::{concat, concat_batches};
use arrow_select::filter::filter_record_batch;
use arrow_select::take::take;
use tributary_model::{DataType, Error, Result, TablePlan};

/// Rows that are worth folding; few in this crate's tests, so that windows follow one another. // G6
const ROWS: usize = if cfg!(test) { 6 } else { 100_000 };
/// Bytes that are. // G6
const BYTES: usize = 16 << 20;
/// Batches that are kept apart; more become one, since each has a price of its own.
const BATCHES: usize = 64;

/// Changes in the order of the source.
#[derive(Debug, Default)]
pub(crate) struct Window {
    batches: Vec<RecordBatch>,
    /// Whether each row is a delete.
    deletes: Vec<bool>,
    bytes: usize,
}

/// What becomes of the keys of a window.
#[derive(Debug)]
pub(crate) struct Folded {
    /// The columns of the key, a row for each key.
    pub(crate) keys: Vec<ArrayRef>,
    /// The number of its live row; NULL where all its rows are deletes.
    pub(crate) live: Int64Array,
    /// The number of its first row.
    pub(crate) first: Int64Array,
    /// The live rows.
    pub(crate) rows: Vec<Survivors>,
    /// The first row of each key without a live one, with its number.
    pub(crate) tombstones: Option<(RecordBatch, Int64Array)>,
    /// Whether there was a delete.
    pub(crate) has_deletes: bool,
}

/// Live rows.
#[derive(Debug)]
pub(crate) struct Survivors {
    pub(crate) rows: RecordBatch,
    /// Whether a delete of its key followed.
    pub(crate) deleted: BooleanArray,
}

/// What is known of one key.
#[derive(Clone, Copy)]
struct Fate {
    first: usize,
    live: Option<usize>,
    last: usize,
}

impl Window {
    /// Whether the keys of `plan` can be told apart here as the database would.
    pub(crate) fn suits(plan: &TablePlan) -> bool {
        plan.columns
            .iter()
            .filter(|column| plan.key.contains(&column.name))
            .all(|column| !matches!(column.data_type, DataType::Float32 | DataType::Float64))
    }

    /// Takes rows with the plan's columns.
    pub(crate) fn push(
        &mut self,
        rows: RecordBatch,
        deletes: impl Iterator<Item = bool>,
    ) -> Result<()> {
        self.bytes += rows.get_array_memory_size();
        self.batches.push(rows);
        self.deletes.extend(deletes);
        if self.batches.len() > BATCHES {
            let schema = self.batches[0].schema();
            let one = concat_batches(&schema, &self.batches).map_err(arrow)?;
            self.bytes = one.get_array_memory_size();
            self.batches = vec![one];
        }
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Whether it should be folded now.
    pub(crate) fn is_full(&self) -> bool {
        self.deletes.len() >= ROWS || self.bytes >= BYTES
    }

    /// Its size.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Its rows as they came, with whether each is a delete.
    pub(crate) fn into_rows(self) -> impl Iterator<Item = (RecordBatch, Vec<bool>)> {
        let mut deletes = self.deletes.into_iter();
        self.batches.into_iter().map(move |rows| {
            let deletes = deletes.by_ref().take(rows.num_rows()).collect();
            (rows, deletes)
        })
    }

    /// What becomes of each key.
    pub(crate) fn fold(self, plan: &TablePlan) -> Result<Folded> {
        let keys = self.keys(plan)?;
        let converter = RowConverter::new(
            keys.iter()
                .map(|key| SortField::new(key.data_type().clone()))
                .collect(),
        );
        let encoded = converter
            .and_then(|converter| converter.convert_columns(&keys))
            .map_err(arrow)?;
        let fates = fates(encoded.iter(), &self.deletes);
        let firsts = numbers(fates.iter().map(|fate| Some(fate.first)));
        let own_keys = keys.iter().map(|key| take(key, &firsts, None));
        Ok(Folded {
            keys: own_keys.collect::<Result<_, _>>().map_err(arrow)?,
            live: numbers(fates.iter().map(|fate| fate.live)),
            tombstones: self.tombstones(&fates)?,
            has_deletes: self.deletes.contains(&true),
            rows: self.survivors(&fates)?,
            first: firsts,
        })
    }

    /// The columns of the key over all batches.
    fn keys(&self, plan: &TablePlan) -> Result<Vec<ArrayRef>> {
        let is_key = |name: &String| plan.key.contains(name);
        let columns = plan.columns.iter().enumerate();
        columns
            .filter(|(_, column)| is_key(&column.name))
            .map(|(index, _)| {
                let parts: Vec<&dyn Array> = self
                    .batches
                    .iter()
                    .map(|batch| batch.column(index).as_ref())
                    .collect();
                concat(&parts).map_err(arrow)
            })
            .collect()
    }

    fn survivors(self, fates: &[Fate]) -> Result<Vec<Survivors>> {
        let mut keep = vec![false; self.deletes.len()];
        let mut deleted = vec![false; self.deletes.len()];
        for fate in fates {
            if let Some(live) = fate.live {
                keep[live] = true;
                deleted[live] = live != fate.last;
            }
        }
        let mut from = 0;
        let mut survivors = Vec::with_capacity(self.batches.len());
        for batch in self.batches {
            let range = from..from + batch.num_rows();
            from = range.end;
            survivors.push(survive(batch, &keep[range.clone()], &deleted[range])?);
        }
        Ok(survivors)
    }

    fn tombstones(&self, fates: &[Fate]) -> Result<Option<(RecordBatch, Int64Array)>> {
        let mut lone: Vec<usize> = fates
            .iter()
            .filter(|fate| fate.live.is_none())
            .map(|fate| fate.first)
            .collect();
        if lone.is_empty() {
            return Ok(None);
        }
        lone.sort_unstable();
        let mut keep = vec![false; self.deletes.len()];
        lone.iter().for_each(|row| keep[*row] = true);
        let mut from = 0;
        let mut kept = Vec::new();
        for batch in &self.batches {
            let mask = BooleanArray::from(keep[from..from + batch.num_rows()].to_vec());
            from += batch.num_rows();
            kept.push(filter_record_batch(batch, &mask).map_err(arrow)?);
        }
        let rows = concat_batches(&self.batches[0].schema(), &kept).map_err(arrow)?;
        Ok(Some((rows, numbers(lone.into_iter().map(Some)))))
    }
}

fn survive(rows: RecordBatch, keep: &[bool], deleted: &[bool]) -> Result<Survivors> {
    let kept = keep.iter().zip(deleted).filter(|(keep, _)| **keep);
    let deleted = BooleanArray::from(kept.map(|(_, deleted)| *deleted).collect::<Vec<_>>());
    if deleted.len() == rows.num_rows() {
        return Ok(Survivors { rows, deleted });
    }
    let mask = BooleanArray::from(keep.to_vec());
    let rows = filter_record_batch(&rows, &mask).map_err(arrow)?;
    Ok(Survivors { rows, deleted })
}

/// The keys in the order they came first.
fn fates<'k>(keys: impl Iterator<Item = Row<'k>>, deletes: &[bool]) -> Vec<Fate> {
    let mut index: HashMap<Row<'k>, usize> = HashMap::with_capacity(deletes.len());
    let mut fates: Vec<Fate> = Vec::with_capacity(deletes.len());
    for (number, (key, delete)) in keys.zip(deletes).enumerate() {
        let live = (!delete).then_some(number);
        match index.entry(key) {
            Entry::Occupied(known) => {
                let fate = &mut fates[*known.get()];
                fate.live = live.or(fate.live);
                fate.last = number;
            }
            Entry::Vacant(new) => {
                new.insert(fates.len());
                fates.push(Fate {
                    first: number,
                    live,
                    last: number,
                });
            }
        }
    }
    fates
}

fn numbers(numbers: impl Iterator<Item = Option<usize>>) -> Int64Array {
    numbers
        .map(|number| number.and_then(|number| i64::try_from(number).ok()))
        .collect()
}

fn arrow(cause: ArrowError) -> Error {
    Error::bug("changes could not be folded").because(Arc::new(cause))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use arrow_array::StringArray;
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    use proptest::prelude::*;
    use tributary_model::{Deletes, Mode, StreamName, TableColumn, TableName};

    use super::*;
    use crate::append::batch_of;

    fn plan(key: DataType) -> TablePlan {
        let column = |name: &str, data_type| TableColumn {
            name: name.to_owned(),
            data_type,
            default: None,
        };
        TablePlan {
            stream: StreamName::plain("t"),
            table: TableName {
                schema: "s".to_owned(),
                table: "t".to_owned(),
            },
            mode: Mode::Merge,
            deletes: Deletes::Soft,
            columns: vec![column("note", DataType::Text), column("id", key)],
            key: vec!["id".to_owned()],
        }
    }

    fn window(batches: &[Vec<(i64, bool)>]) -> Window {
        let mut window = Window::default();
        let mut number = 0;
        for batch in batches {
            let notes: Vec<String> = (number..number + batch.len())
                .map(|n| n.to_string())
                .collect();
            number += batch.len();
            let ids = Int64Array::from_iter_values(batch.iter().map(|(id, _)| *id));
            let notes: ArrayRef = Arc::new(StringArray::from(notes));
            let rows = batch_of([("note", notes), ("id", Arc::new(ids) as ArrayRef)]).unwrap();
            window
                .push(rows, batch.iter().map(|(_, delete)| *delete))
                .unwrap();
        }
        window
    }

    #[test]
    fn floating_point_keys_are_left_to_the_database() {
        assert!(Window::suits(&plan(DataType::Text)));
        assert!(!Window::suits(&plan(DataType::Float64)));
    }

    proptest! {
        #[test]
        fn each_key_keeps_its_newest_row(
            batches in prop::collection::vec(
                prop::collection::vec((0..6_i64, prop::bool::weighted(0.3)), 1..9), 1..80)
        ) {
            let folded = window(&batches).fold(&plan(DataType::Int64)).unwrap();
            let all: Vec<(i64, bool)> = batches.into_iter().flatten().collect();
            let numbers = |id: i64| {
                let rows = all.iter().enumerate();
                rows.filter(move |(_, row)| row.0 == id).map(|(number, row)| (number, row.1))
            };
            let live_of = |id| numbers(id).rfind(|(_, delete)| !delete).map(|(n, _)| n);
            let keys = folded.keys[0].as_primitive::<Int64Type>();
            let distinct: std::collections::BTreeSet<i64> = all.iter().map(|row| row.0).collect();
            prop_assert_eq!(keys.values().iter().copied().collect::<std::collections::BTreeSet<_>>(), distinct.clone());
            prop_assert_eq!(keys.len(), distinct.len());
            for (at, id) in keys.values().iter().enumerate() {
                let live = folded.live.is_valid(at).then(|| folded.live.value(at));
                prop_assert_eq!(live, live_of(*id).map(|n| n as i64));
                prop_assert_eq!(folded.first.value(at), numbers(*id).next().unwrap().0 as i64);
            }
            let mut rows: Vec<(String, i64, bool)> = Vec::new();
            for part in &folded.rows {
                let notes = part.rows.column(0).as_string::<i32>();
                let ids = part.rows.column(1).as_primitive::<Int64Type>();
                rows.extend((0..part.rows.num_rows()).map(|row| {
                    (notes.value(row).to_owned(), ids.value(row), part.deleted.value(row))
                }));
            }
            rows.sort_by_key(|row| row.1);
            let wanted: Vec<_> = distinct.iter().filter_map(|id| {
                let live = live_of(*id)?;
                Some((live.to_string(), *id, numbers(*id).next_back()?.0 != live))
            }).collect();
            prop_assert_eq!(rows, wanted);
            let lone: Vec<i64> = distinct.iter().copied().filter(|id| live_of(*id).is_none()).collect();
            let mut tombstones: Vec<i64> = folded.tombstones.iter().flat_map(|(rows, _)| {
                rows.column(1).as_primitive::<Int64Type>().values().to_vec()
            }).collect();
            tombstones.sort_unstable();
            prop_assert_eq!(tombstones, lone);
            prop_assert_eq!(folded.has_deletes, all.iter().any(|row| row.1));
        }
    }
}
