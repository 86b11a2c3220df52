//! A row of a sheet, and the column that holds its number.

use tributary_model::{Column, DataType};

use crate::cell::Cell;

/// The column that tells rows apart where no key is configured: the row's number in the sheet.
pub(crate) const ROW: &str = "_row";

/// A row of a sheet.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// From 1, as people see it.
    pub(crate) number: usize,
    pub(crate) cells: Vec<Cell>,
}

/// The column that rows are told apart by without a key.
pub(crate) fn row_column() -> Column {
    described(ROW, DataType::Int64)
}

pub(crate) fn described(name: &str, data_type: DataType) -> Column {
    Column {
        name: name.to_owned(),
        data_type,
        nullable: true,
        default: None,
    }
}
