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
mod column;
mod value;

pub(crate) use back::value_at;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema};
use tributary_model::{
    ChangeBatch, Column as Described, DataType, Error, ErrorKind, Op, PositionRun, Positions,
    Presence, Result, StreamSchema,
};

use crate::json::{Broken, Raw, Scanner};

use column::{Column, Fit};

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
        let mut misfit = self.fill(scanner, more)?;
        while let Some((place, fit)) = misfit {
            // The row that does not fit begins the next batch.
            self.rewind();
            self.cut();
            self.columns[place].begin_as(fit);
            *scanner = start;
            misfit = self.fill(scanner, more)?;
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

    /// Fills one row; tells which column can't take its value.
    fn fill(
        &mut self,
        scanner: &mut Scanner<'_>,
        more: &[(String, String)],
    ) -> std::result::Result<Option<(usize, Fit)>, Broken> {
        let row = self.ops.len();
        let mut misfit = None;
        let mut expected = 0;
        if scanner.peek() != Some(b'{') {
            return Err(Broken(scanner.place()));
        }
        scanner.object(|scanner, name| {
            let place = self.place(&name, expected);
            expected = place + 1;
            let value = scanner.value()?;
            self.bytes += value.as_str().len();
            if misfit.is_none()
                && let Err(fit) = self.columns[place].put(row, value)
            {
                misfit = Some((place, fit));
            }
            Ok(())
        })?;
        for (name, text) in more {
            let place = self.place(name, usize::MAX);
            let value = Raw::parse(text)?;
            if misfit.is_none()
                && let Err(fit) = self.columns[place].put(row, value)
            {
                misfit = Some((place, fit));
            }
        }
        Ok(misfit)
    }

    /// The column of a field; records mostly have their fields in the same order.
    fn place(&mut self, name: &str, expected: usize) -> usize {
        if let Some(column) = self.columns.get(expected)
            && *column.name == *name
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
            column = Column::dropped();
            self.is_too_wide = true;
        }
        let name: Arc<str> = name.into();
        column.name = name.clone();
        column.null_empty = self.null_empty.iter().any(|known| **known == *name);
        self.columns.push(column);
        self.places.insert(name, self.columns.len() - 1);
        self.columns.len() - 1
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
        Ok(std::mem::take(&mut self.done))
    }

    /// Forgets the rows that have not been taken.
    pub(crate) fn clear(&mut self) {
        self.cut();
        self.done.clear();
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
