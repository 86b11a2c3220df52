//! One column of a sheet.

use std::sync::Arc;

use arrow_array::ArrayRef;
use tributary_model::DataType;

use crate::json::{Kind, Raw};

use super::cells::Cells;
use super::value;

/// A column, its values so far, and how it treats the next.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: Arc<str>,
    pub(crate) null_empty: bool,
    /// What it was declared to be; a value that is not has to go elsewhere.
    declared: Option<DataType>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// No value yet.
    Unset,
    Holds(Cells),
    /// Not read.
    Dropped,
}

/// The type that a value would have to have a column of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fit(DataType);

impl Default for Column {
    fn default() -> Self {
        Self {
            name: Arc::from(""),
            null_empty: false,
            declared: None,
            state: State::Unset,
        }
    }
}

impl Column {
    pub(crate) fn declared(data_type: DataType) -> Self {
        Self {
            declared: Some(data_type),
            state: State::Holds(Cells::new(data_type)),
            ..Self::default()
        }
    }

    pub(crate) fn dropped() -> Self {
        Self {
            state: State::Dropped,
            ..Self::default()
        }
    }

    /// Puts the value of row `row`; a value that can't be here says what it is.
    pub(crate) fn put(&mut self, row: usize, value: Raw<'_>) -> Result<(), Fit> {
        if value.kind() == Kind::Null || (self.null_empty && value.as_str() == "\"\"") {
            // Filled up when a value or the end comes. A field that is there twice: the last counts.
            self.truncate(row);
            return Ok(());
        }
        if let State::Unset = self.state {
            self.state = State::Holds(Cells::new(value::type_of(value)));
        }
        let State::Holds(cells) = &mut self.state else {
            return Ok(());
        };
        cells.fill_to(row);
        match cells.put(value) {
            true => Ok(()),
            false => Err(Fit(value::type_of(value))),
        }
    }

    /// Begins the next batch with another type.
    pub(crate) fn begin_as(&mut self, fit: Fit) {
        self.state = State::Holds(Cells::new(fit.0));
    }

    /// Forgets everything after the first `rows` rows.
    pub(crate) fn truncate(&mut self, rows: usize) {
        if let State::Holds(cells) = &mut self.state {
            cells.truncate(rows);
        }
    }

    /// The column as an array of `rows` values, and an empty column of the same type left behind;
    /// `None` where there was never a value.
    pub(crate) fn finish(&mut self, rows: usize) -> Option<(DataType, ArrayRef)> {
        let State::Holds(cells) = &mut self.state else {
            return None;
        };
        cells.fill_to(rows);
        let data_type = cells.data_type();
        let next = cells.next(self.declared.unwrap_or(data_type));
        Some((data_type, std::mem::replace(cells, next).into_array()))
    }
}
