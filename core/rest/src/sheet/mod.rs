//! Records become columns: one sheet for each stream that is being read.
//!
//! A column takes the type of its first value, or the declared one. Where a later value is of
//! another type the batch is cut before its record, and the column begins anew with the new type: so
//! every batch is what its values are, and whether two types can be one column is decided where the
//! table is known. // G5
//!
//! Deliberately absent: flattening. What is nested stays one JSON column.

mod back;
mod cells;
mod clearing;
mod column;
mod value;

pub(crate) use back::value_at;
pub(crate) use clearing::Clearing;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema};
use tributary_model::{
    ChangeBatch, Column as Described, DataType, Error, ErrorKind, Op, PositionRun, Positions,
    Presence, Result, StreamSchema,
};

use crate::json::{Broken, Raw, Scanner};

use column::Column;

/// Rows of a batch at most. // G6
const MAX_ROWS: usize = 8192;
/// Bytes of a batch at most, roughly. // G6
const MAX_BYTES: usize = 8 << 20;
/// Columns at most. // G6
const MAX_COLUMNS: usize = 1500;

/// What a sheet is told of its stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layout {
    pub(crate) key: Vec<String>,
    /// Types that were declared; in the order in which the columns shall stand.
    pub(crate) types: Vec<(String, DataType)>,
    /// Fields that are not read.
    pub(crate) dropped: Vec<String>,
    /// Fields in which the empty text means nothing.
    pub(crate) null_empty: Vec<String>,
}

/// The columns of a stream and the rows that are waiting in them.
#[derive(Debug)]
pub(crate) struct Sheet {
    key: Vec<String>,
    columns: Vec<Column>,
    places: HashMap<Arc<str>, usize>,
    null_empty: Vec<String>,
    ops: Vec<Op>,
    bytes: usize,
    presence: Presence,
    done: Vec<ChangeBatch>,
    schema: Arc<StreamSchema>,
    /// How many rows have left, for their positions.
    left: u64,
    era: u64,
    is_too_wide: bool,
    mark: Mark,
}

/// Whether a row found its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filled {
    Whole,
    /// A column has another type.
    Misfit,
}

/// A place to come back to.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    /// Batches that were done, and rows of the one after them.
    done: usize,
    rows: usize,
}

impl Sheet {
    /// An empty sheet. Rows of a higher `era` come after all of a lower one.
    pub(crate) fn new(layout: &Layout, era: u64) -> Self {
        let mut sheet = Self {
            key: layout.key.clone(),
            columns: Vec::new(),
            places: HashMap::new(),
            null_empty: layout.null_empty.clone(),
            ops: Vec::new(),
            bytes: 0,
            presence: Presence::Possible,
            done: Vec::new(),
            schema: Arc::default(),
            left: 0,
            era,
            is_too_wide: false,
            mark: Mark::default(),
        };
        for (name, data_type) in &layout.types {
            sheet.add(name, Column::declared(*data_type));
        }
        for name in &layout.dropped {
            sheet.add(name, Column::dropped());
        }
        sheet
    }

    /// What the next rows promise of the destination.
    pub(crate) fn promise(&mut self, presence: Presence) {
        if self.presence != presence {
            self.cut();
            self.presence = presence;
        }
    }

    /// Takes the record that begins at the scanner; `more` are columns from elsewhere.
    pub(crate) fn read(
        &mut self,
        scanner: &mut Scanner<'_>,
        op: Op,
        more: &[(String, String)],
    ) -> std::result::Result<(), Broken> {
        let start = *scanner;
        if self.fill(scanner, more)? == Filled::Misfit {
            // The row that does not fit begins the next batch.
            self.rewind();
            self.cut();
            *scanner = start;
            self.begin(scanner, more)?;
        }
        self.ops.push(op);
        if self.ops.len() >= MAX_ROWS || self.bytes >= MAX_BYTES {
            self.cut();
        }
        Ok(())
    }

    /// Takes a record that is a text of its own.
    pub(crate) fn take(&mut self, raw: Raw<'_>, op: Op, more: &[(String, String)]) -> Result<()> {
        let mut scanner = Scanner::new(raw.as_str());
        self.read(&mut scanner, op, more)
            .map_err(|why| Error::bug("a record that was read can't be read again").because(why))
    }

    /// Fills one row, unless a column can't take its value.
    fn fill(
        &mut self,
        scanner: &mut Scanner<'_>,
        more: &[(String, String)],
    ) -> std::result::Result<Filled, Broken> {
        let row = self.ops.len();
        let mut filled = Filled::Whole;
        let mut expected = 0;
        scanner.object(|scanner, name| {
            let place = self.place(&name, expected);
            expected = place + 1;
            let value = scanner.value()?;
            self.bytes += value.as_str().len();
            if filled == Filled::Whole && self.columns[place].put(row, value).is_err() {
                filled = Filled::Misfit;
            }
            Ok(())
        })?;
        for (name, text) in more {
            let place = self.place(name, usize::MAX);
            let value = Raw::parse(text)?;
            if filled == Filled::Whole && self.columns[place].put(row, value).is_err() {
                filled = Filled::Misfit;
            }
        }
        Ok(filled)
    }

    /// Fills the first row of a batch: columns take the types that its values need. Of two fields of
    /// one name the last counts, so that each column has one value to follow.
    fn begin(
        &mut self,
        scanner: &mut Scanner<'_>,
        more: &[(String, String)],
    ) -> std::result::Result<(), Broken> {
        let mut values = BTreeMap::new();
        scanner.object(|scanner, name| {
            let place = self.place(&name, usize::MAX);
            values.insert(place, scanner.value()?);
            Ok(())
        })?;
        for (name, text) in more {
            values.insert(self.place(name, usize::MAX), Raw::parse(text)?);
        }
        for (place, value) in values {
            let column = &mut self.columns[place];
            if let Err(fit) = column.put(0, value) {
                column.begin_as(fit);
                let fits = column.put(0, value);
                debug_assert!(fits.is_ok(), "a value has no type of its own");
            }
        }
        Ok(())
    }

    /// The column of a field; records mostly have their fields in the same order.
    fn place(&mut self, name: &str, expected: usize) -> usize {
        if let Some(column) = self.columns.get(expected)
            && *column.name == *name
            && expected < MAX_COLUMNS
        {
            return expected;
        }
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        self.add(name, Column::default())
    }

    fn add(&mut self, name: &str, mut column: Column) -> usize {
        if self.columns.len() >= MAX_COLUMNS {
            // However many names there are, what is kept of them is bounded.
            self.is_too_wide = true;
            return self.spare();
        }
        let name: Arc<str> = name.into();
        column.name = name.clone();
        column.null_empty = self.null_empty.iter().any(|known| **known == *name);
        self.columns.push(column);
        self.places.insert(name, self.columns.len() - 1);
        self.columns.len() - 1
    }

    /// The column of everything that has none: it is not read.
    fn spare(&mut self) -> usize {
        if self.columns.len() == MAX_COLUMNS {
            self.columns.push(Column::dropped());
        }
        MAX_COLUMNS
    }

    fn rewind(&mut self) {
        let rows = self.ops.len();
        self.columns
            .iter_mut()
            .for_each(|column| column.truncate(rows));
    }

    /// Ends the batch in progress.
    pub(crate) fn cut(&mut self) {
        let rows = self.ops.len();
        if rows == 0 {
            return;
        }
        let mut described = Vec::new();
        let mut arrays: Vec<ArrayRef> = Vec::new();
        for column in &mut self.columns {
            if let Some((data_type, array)) = column.finish(rows) {
                described.push(describe(&column.name, data_type));
                arrays.push(array);
            }
        }
        let schema = StreamSchema {
            columns: described,
            key: self.key.clone(),
        };
        if schema != *self.schema {
            self.schema = Arc::new(schema);
        }
        let run = PositionRun {
            start: 0,
            major: self.era,
            minor: 0,
            ordinal: self.left,
            committed_at: None,
        };
        self.left += rows as u64;
        self.bytes = 0;
        let columns = assemble(&self.schema, arrays, rows);
        self.done.push(ChangeBatch {
            schema: self.schema.clone(),
            ops: std::mem::take(&mut self.ops),
            positions: Positions(vec![run]),
            presence: self.presence,
            columns,
        });
    }

    /// Remembers which rows there are.
    pub(crate) fn mark(&mut self) {
        self.mark = Mark {
            done: self.done.len(),
            rows: self.ops.len(),
        };
    }

    /// Takes back the rows since the mark, as far as they have not left.
    pub(crate) fn back_to_mark(&mut self) {
        let Mark { done, rows } = self.mark;
        if self.done.len() > done {
            // The batch that was being filled has ended since: what was in it is at its beginning.
            self.ops.clear();
            self.rewind();
            let later = self.done.drain(done + 1..);
            self.left -= later.map(|batch| batch.ops.len() as u64).sum::<u64>();
            if let Some(mut cut) = self.done.pop() {
                self.left -= (cut.ops.len() - rows) as u64;
                cut.ops.truncate(rows);
                cut.columns = cut.columns.slice(0, rows);
                self.done.extend((rows > 0).then_some(cut));
            }
        } else {
            self.ops.truncate(rows);
            self.rewind();
        }
    }

    /// All rows so far, as batches.
    pub(crate) fn take_batches(&mut self) -> Result<Vec<ChangeBatch>> {
        if self.is_too_wide {
            return Err(Error::new(
                ErrorKind::Incompatible,
                format!("the records have more than {MAX_COLUMNS} different fields"),
            )
            .fix("Name what has too many fields under `drop`, or ask for one level above it."));
        }
        self.cut();
        self.mark = Mark::default();
        Ok(std::mem::take(&mut self.done))
    }

    /// Forgets the rows that have not been taken.
    pub(crate) fn clear(&mut self) {
        self.cut();
        self.done.clear();
        self.mark = Mark::default();
    }

    /// The bytes that are waiting.
    pub(crate) fn waiting(&self) -> usize {
        let done = self
            .done
            .iter()
            .map(|batch| batch.columns.get_array_memory_size());
        self.bytes + done.sum::<usize>()
    }
}

fn describe(name: &str, data_type: DataType) -> Described {
    Described {
        name: name.to_owned(),
        data_type,
        nullable: true,
        default: None,
    }
}

fn assemble(schema: &StreamSchema, arrays: Vec<ArrayRef>, rows: usize) -> RecordBatch {
    let field = |column: &Described| Field::new(&column.name, column.data_type.to_arrow(), true);
    let arrow = Schema::new(schema.columns.iter().map(field).collect::<Vec<_>>());
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(arrow), arrays, &options)
        .expect("each array was made for its column, and is as long as there are rows")
}

/// Columns that were declared, as a stream's schema before any record was seen.
pub(crate) fn declared(layout: &Layout) -> StreamSchema {
    let mut columns: Vec<Described> = layout
        .types
        .iter()
        .map(|(name, data_type)| describe(name, *data_type))
        .collect();
    let known: BTreeMap<&str, ()> = layout.types.iter().map(|(n, _)| (n.as_str(), ())).collect();
    let missing = layout
        .key
        .iter()
        .filter(|name| !known.contains_key(name.as_str()));
    let keys = missing.map(|name| describe(name, DataType::Text));
    columns.splice(0..0, keys.collect::<Vec<_>>());
    StreamSchema {
        columns,
        key: layout.key.clone(),
    }
}

#[cfg(test)]
mod tests;
