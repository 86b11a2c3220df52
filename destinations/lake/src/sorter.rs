//! Rows in the order of their key, as far as memory reaches: whoever looks for some keys then reads
//! few row groups.

use arrow_array::RecordBatch;
use arrow_ord::sort::{SortColumn, lexsort_to_indices};
use arrow_select::concat::concat_batches;
use arrow_select::take::take_record_batch;
use tributary_model::Result;

use crate::error::arrow;
use crate::keys::Keys;

/// Bytes that are sorted at a time. // G6
const RUN: usize = 16 << 20;

/// Collects rows, and hands them out sorted.
#[derive(Debug)]
pub(crate) struct Sorter {
    places: Vec<usize>,
    held: Vec<RecordBatch>,
    bytes: usize,
}

impl Sorter {
    /// Nothing is held yet.
    pub(crate) fn new(keys: &Keys) -> Self {
        Self {
            places: keys.places().to_vec(),
            held: Vec::new(),
            bytes: 0,
        }
    }

    /// Takes rows, and hands a run out once it is large enough.
    pub(crate) fn push(&mut self, rows: RecordBatch) -> Result<Option<RecordBatch>> {
        if rows.num_rows() > 0 {
            self.bytes += rows.get_array_memory_size();
            self.held.push(rows);
        }
        if self.bytes < RUN {
            Ok(None)
        } else {
            self.finish()
        }
    }

    /// Hands out what is left.
    pub(crate) fn finish(&mut self) -> Result<Option<RecordBatch>> {
        self.bytes = 0;
        let held = std::mem::take(&mut self.held);
        let Some(first) = held.first() else {
            return Ok(None);
        };
        let doing = "sorting rows by their key";
        let rows = concat_batches(first.schema_ref(), &held).map_err(arrow(doing))?;
        let columns = self.places.iter().map(|&place| SortColumn {
            values: rows.column(place).clone(),
            options: None,
        });
        let columns: Vec<_> = columns.collect();
        let order = lexsort_to_indices(&columns, None).map_err(arrow(doing))?;
        take_record_batch(&rows, &order)
            .map(Some)
            .map_err(arrow(doing))
    }
}
