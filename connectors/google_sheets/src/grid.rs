//! Rows of a sheet, and the batches that they become.
//!
//! A column of a sheet may hold values of several types, a batch's column one: rows are put together
//! whose values have the same types, and the engine decides whether the types can be one column. // G5
//! Deliberately absent: turning everything into text.

mod array;
mod number;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, new_empty_array};
use arrow_schema::{Field, Schema};
use tributary_model::{
    ChangeBatch, Column, DataType, Error, Op, PositionRun, Positions, Presence, Result,
    StreamSchema,
};

use crate::cell::Cell;
use crate::header::Header;
use crate::row::{ROW, Row, described};

pub(crate) use number::{Number, Seen};

/// Rows of a batch at most. // G6
const ROWS: usize = 8192;

/// What is known of the columns of a stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct Columns {
    /// The type of the numbers of each column, by its name.
    pub(crate) numbers: BTreeMap<String, Number>,
    /// The key that was configured; without one rows are told apart by their numbers.
    pub(crate) key: Vec<String>,
}

/// What tells rows apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// Each row is its own: they may leave in any order.
    Free,
    /// Two rows may have one key, and the last one counts. // G4
    Kept,
}

impl Columns {
    /// The key of the stream.
    pub(crate) fn key(&self) -> Vec<String> {
        match self.key.is_empty() {
            true => vec![ROW.to_owned()],
            false => self.key.clone(),
        }
    }

    /// Makes batches of rows; `generation` stands before their numbers in their positions.
    pub(crate) fn batches(
        &mut self,
        rows: &[Row],
        header: &mut Header,
        offset: usize,
        generation: u64,
    ) -> Result<Vec<ChangeBatch>> {
        self.look(rows, header, offset);
        let order = match self.key.is_empty() {
            true => Order::Free,
            false => Order::Kept,
        };
        let mut batches = Vec::new();
        for rows in rows.chunks(ROWS) {
            let shapes = self.shapes(rows, header, offset);
            for group in groups(rows, &shapes, order) {
                let rows: Vec<&Row> = group.iter().map(|index| &rows[*index]).collect();
                batches.push(self.batch(&rows, &shapes, header, offset, generation)?);
            }
        }
        Ok(batches)
    }

    /// A batch without rows: a tab that holds none has a table all the same.
    pub(crate) fn nothing(&self) -> Result<ChangeBatch> {
        let data_type = match self.key.is_empty() {
            true => DataType::Int64,
            false => DataType::Text,
        };
        let key = self.key();
        let columns: Vec<_> = key.iter().map(|name| described(name, data_type)).collect();
        let array = |_: &Column| new_empty_array(&data_type.to_arrow());
        let arrays = columns.iter().map(array).collect();
        let schema = StreamSchema { columns, key };
        Ok(ChangeBatch {
            columns: assemble(&schema, arrays, 0)?,
            schema: Arc::new(schema),
            ops: Vec::new(),
            positions: Positions::default(),
            presence: Presence::Possible,
        })
    }

    /// Decides about the numbers of each column.
    fn look(&mut self, rows: &[Row], header: &mut Header, offset: usize) {
        let mut seen: BTreeMap<usize, Seen> = BTreeMap::new();
        for row in rows {
            for (column, cell) in row.cells.iter().enumerate() {
                if let Cell::Int(_) | Cell::Float(_) = cell {
                    seen.entry(column).or_default().note(cell);
                }
            }
        }
        for (column, seen) in seen {
            let name = header.name(column, offset);
            let before = self.numbers.get(&*name).copied();
            self.numbers.insert(name.to_string(), seen.decide(before));
        }
    }

    /// The types that the values of each column have in these rows; the most frequent first.
    fn shapes(&self, rows: &[Row], header: &mut Header, offset: usize) -> Vec<Shape> {
        let width = rows.iter().map(|row| row.cells.len()).max().unwrap_or(0);
        let mut shapes = Vec::with_capacity(width);
        for column in 0..width {
            let cells = rows.iter().filter_map(|row| row.cells.get(column));
            let filled = cells.filter(|cell| !matches!(cell, Cell::Empty | Cell::Failed));
            let mut filled = filled.peekable();
            if filled.peek().is_none() {
                shapes.push(Shape::default());
                continue;
            }
            let name = header.name(column, offset);
            let is_key = self.key.iter().any(|key| **key == *name);
            let number = self.numbers.get(&*name).copied().unwrap_or(Number::Float);
            shapes.push(match is_key {
                true => Shape::key(),
                false => Shape::of(number, filled),
            });
        }
        shapes
    }

    fn batch(
        &self,
        rows: &[&Row],
        shapes: &[Shape],
        header: &mut Header,
        offset: usize,
        generation: u64,
    ) -> Result<ChangeBatch> {
        let mut columns = Vec::new();
        let mut arrays: Vec<ArrayRef> = Vec::new();
        if self.key.is_empty() {
            let numbers = rows.iter().map(|row| as_i64(row.number));
            columns.push(described(ROW, DataType::Int64));
            arrays.push(Arc::new(numbers.collect::<Int64Array>()));
        }
        for (place, shape) in shapes.iter().enumerate() {
            let types = rows
                .iter()
                .filter_map(|row| shape.type_of(row.cells.get(place)));
            let Some(data_type) = types.into_iter().next() else {
                continue;
            };
            let cells = rows.iter().map(|row| row.cells.get(place));
            columns.push(described(&header.name(place, offset), data_type));
            arrays.push(array::array(data_type, cells)?);
        }
        let schema = StreamSchema {
            columns,
            key: self.key(),
        };
        Ok(ChangeBatch {
            columns: assemble(&schema, arrays, rows.len())?,
            schema: Arc::new(schema),
            ops: vec![Op::Read; rows.len()],
            positions: positions(rows, generation),
            presence: Presence::Possible,
        })
    }
}

/// A column in some rows.
#[derive(Debug, Default)]
struct Shape {
    /// The type of its numbers; none where all of it is text.
    number: Option<Number>,
    /// The types of its values, the most frequent first.
    types: Vec<DataType>,
}

impl Shape {
    /// A column of the key. A key must not change its type with what is written into a cell, so it is
    /// text.
    fn key() -> Self {
        Self {
            number: None,
            types: vec![DataType::Text],
        }
    }

    fn of<'a>(number: Number, cells: impl Iterator<Item = &'a Cell>) -> Self {
        let mut counts: Vec<(DataType, usize)> = Vec::new();
        for cell in cells {
            let Some(data_type) = number.type_of(cell) else {
                continue;
            };
            match counts.iter_mut().find(|(known, _)| *known == data_type) {
                Some((_, count)) => *count += 1,
                None => counts.push((data_type, 1)),
            }
        }
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let mut types: Vec<_> = counts.into_iter().map(|(data_type, _)| data_type).collect();
        // A day is a time, too: one column holds both.
        if types.contains(&DataType::Timestamp) {
            types.retain(|data_type| *data_type != DataType::Date);
        }
        Self {
            number: Some(number),
            types,
        }
    }

    /// The type of a value in this column.
    fn type_of(&self, cell: Option<&Cell>) -> Option<DataType> {
        let cell = cell?;
        let Some(number) = self.number else {
            let is_filled = !matches!(cell, Cell::Empty | Cell::Failed);
            return self.types.first().copied().filter(|_| is_filled);
        };
        match number.type_of(cell)? {
            DataType::Date if self.types.contains(&DataType::Timestamp) => {
                Some(DataType::Timestamp)
            }
            other => Some(other),
        }
    }
}

/// Rows that can share a batch, as places among `rows`: those whose values have the same types. What
/// is empty fits everywhere.
fn groups(rows: &[Row], shapes: &[Shape], order: Order) -> Vec<Vec<usize>> {
    let mixed: Vec<usize> = (0..shapes.len())
        .filter(|place| shapes[*place].types.len() > 1)
        .collect();
    if mixed.is_empty() {
        return vec![(0..rows.len()).collect()];
    }
    let signature = |row: &Row| -> Vec<usize> {
        let type_at = |place: &usize| {
            let shape = &shapes[*place];
            let data_type = shape.type_of(row.cells.get(*place));
            let known = shape.types.iter();
            data_type
                .and_then(|data_type| known.clone().position(|known| *known == data_type))
                .unwrap_or(0)
        };
        mixed.iter().map(type_at).collect()
    };
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut places: HashMap<Vec<usize>, usize> = HashMap::new();
    let mut last = None;
    for (index, row) in rows.iter().enumerate() {
        let signature = signature(row);
        let known = match order {
            Order::Free => places.get(&signature).copied(),
            Order::Kept => places
                .get(&signature)
                .copied()
                .filter(|place| last == Some(*place)),
        };
        let place = known.unwrap_or(groups.len());
        if known.is_none() {
            groups.push(Vec::new());
            places.insert(signature, place);
        }
        groups[place].push(index);
        last = Some(place);
    }
    if order == Order::Free {
        // The first batch of all gives the columns of the table their types: let it be the largest.
        groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
    }
    groups
}

fn positions(rows: &[&Row], generation: u64) -> Positions {
    let mut runs: Vec<PositionRun> = Vec::new();
    for (start, row) in rows.iter().enumerate() {
        let ordinal = row.number as u64;
        let goes_on = runs
            .last()
            .is_some_and(|run| run.ordinal + (start - run.start) as u64 == ordinal);
        if !goes_on {
            runs.push(PositionRun {
                start,
                major: generation,
                minor: 0,
                ordinal,
                committed_at: None,
            });
        }
    }
    Positions(runs)
}

fn assemble(schema: &StreamSchema, arrays: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let field = |column: &Column| Field::new(&column.name, column.data_type.to_arrow(), true);
    let arrow = Schema::new(schema.columns.iter().map(field).collect::<Vec<_>>());
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(arrow), arrays, &options)
        .map_err(|why| Error::bug("rows of a sheet do not fit their columns").because(why))
}

fn as_i64(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
