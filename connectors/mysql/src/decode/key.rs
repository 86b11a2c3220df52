//! Keys as canonical bytes: equal exactly where the keys are, whichever road the rows came by.

use arrow_array::RecordBatch;
use arrow_row::{RowConverter, Rows, SortField};
use tributary_model::{Error, Result};

use crate::column::ValueOptions;
use crate::layout::Layout;

/// Makes the keys of a layout's batches; one serves any number of batches.
#[derive(Debug)]
pub(crate) struct KeyEncoder {
    converter: RowConverter,
    columns: Vec<usize>,
}

impl KeyEncoder {
    /// For the key of `layout`; its batches must have been built with `options`.
    ///
    /// # Errors
    /// Fails where a type can't be part of a key.
    pub(crate) fn new(layout: &Layout, options: ValueOptions) -> Result<Self> {
        let fields = layout.key.iter().map(|index| {
            let kind = &layout.columns[*index].kind;
            SortField::new(kind.data_type(&options).to_arrow())
        });
        let converter = RowConverter::new(fields.collect())
            .map_err(|cause| Error::bug("a key can't be encoded").because(cause))?;
        Ok(Self {
            converter,
            columns: layout.key.clone(),
        })
    }

    /// The key of every row: `rows.row(3).data()` are the bytes of the fourth.
    ///
    /// # Errors
    /// Fails where the batch is not of the layout.
    pub(crate) fn keys(&self, batch: &RecordBatch) -> Result<Rows> {
        let columns: Vec<_> = self
            .columns
            .iter()
            .map(|index| batch.column(*index).clone())
            .collect();
        self.converter
            .convert_columns(&columns)
            .map_err(|cause| Error::bug("a key can't be encoded").because(cause))
    }
}
