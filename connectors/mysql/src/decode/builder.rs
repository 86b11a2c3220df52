//! Rows of one layout, growing into a batch.
//!
//! A row goes in whole or not at all: where a value is malformed the row is cut off again and the
//! error returned; where the policy for impossible dates refuses it, it waits among the rejections.
//! Deletes are never refused: what a destination holds of the row must go, whatever its dates.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema, SchemaRef};
use tributary_model::{Error, Op, Result};

use super::answer::{Answer, Values};
use super::cell::{Cell, InKey, Stored};
use super::compressed::plain;
use super::reader::{Reader, malformed};
use super::rejected::{Refusal, row_as_json};
use crate::column::{Format, ValueOptions, ZeroDates};
use crate::layout::Layout;

/// The rows so far.
#[derive(Debug)]
pub(crate) struct RowBuilder {
    layout: Arc<Layout>,
    options: ValueOptions,
    schema: SchemaRef,
    cells: Vec<Cell>,
    ops: Vec<Op>,
    /// Cells with a stand-in in the row that is being built.
    stand_ins: Vec<usize>,
    zero_dates: u64,
    invalid_text: u64,
    refusals: Vec<Refusal>,
}

impl RowBuilder {
    /// No rows yet.
    ///
    /// # Errors
    /// Fails where the layout's row image is not that of its columns: a mistake of ours.
    pub(crate) fn new(layout: Arc<Layout>, options: ValueOptions) -> Result<Self> {
        let kept = layout.image.iter().filter(|column| column.kept).count();
        if !layout.image.is_empty() && kept != layout.columns.len() {
            return Err(Error::bug(
                "a row image keeps other columns than its layout",
            ));
        }
        let fields = layout.columns.iter().map(|column| {
            Field::new(
                &column.name,
                column.kind.data_type(&options).to_arrow(),
                true,
            )
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let cells = (0..layout.columns.len())
            .map(|index| new_cell(&layout, index, options))
            .collect();
        Ok(Self {
            layout,
            options,
            schema,
            cells,
            ops: Vec::new(),
            stand_ins: Vec::new(),
            zero_dates: 0,
            invalid_text: 0,
            refusals: Vec::new(),
        })
    }

    /// The layout of the rows.
    #[must_use]
    pub(crate) fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// How many rows there are.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.ops.len()
    }

    /// What the rows take in memory, roughly.
    #[must_use]
    pub(crate) fn bytes(&mut self) -> usize {
        self.ops.len() + self.cells.iter_mut().map(Cell::bytes).sum::<usize>()
    }

    /// Impossible dates replaced since the builder was made.
    #[must_use]
    pub(crate) fn zero_dates(&self) -> u64 {
        self.zero_dates
    }

    /// Texts repaired since the builder was made: they held bytes that are no text.
    #[must_use]
    pub(crate) fn invalid_text(&self) -> u64 {
        self.invalid_text
    }

    /// Takes the rows out that were refused.
    pub(crate) fn drain_refusals(&mut self) -> Vec<Refusal> {
        std::mem::take(&mut self.refusals)
    }

    /// Adds the row that `image` begins with, a full row image of the log.
    ///
    /// # Errors
    /// Fails where the image is no row of the layout.
    pub(crate) fn push_image(&mut self, image: &mut Reader<'_>, op: Op) -> Result<()> {
        let filled = self.fill_from_image(image);
        self.settle(filled, op)
    }

    /// Adds a row of a snapshot: a packet of the binary protocol, its values in the layout's order.
    ///
    /// # Errors
    /// Fails where the packet is no row of the layout.
    pub(crate) fn push_packet(&mut self, packet: &[u8], columns: &[Answer]) -> Result<()> {
        let filled = self.fill_from_packet(packet, columns);
        self.settle(filled, Op::Read)
    }

    fn fill_from_image(&mut self, image: &mut Reader<'_>) -> Result<()> {
        let columns = &self.layout.image;
        let nulls = image.take(columns.len().div_ceil(8))?;
        let mut cells = self.cells.iter_mut().enumerate();
        for (index, column) in columns.iter().enumerate() {
            let null = nulls[index / 8] >> (index % 8) & 1 == 1;
            if !column.kept {
                if !null {
                    column.wire.take(image)?;
                }
                continue;
            }
            let Some((target, cell)) = cells.next() else {
                break; // `new` has seen that there are as many
            };
            if null {
                cell.push_null();
                continue;
            }
            let raw = column.wire.take(image)?;
            let stored = match column.compressed {
                false => cell.push_image(raw)?,
                true => cell.push_image(&plain(raw)?)?,
            };
            if stored == Stored::StandIn {
                self.stand_ins.push(target);
            }
        }
        Ok(())
    }

    fn fill_from_packet(&mut self, packet: &[u8], columns: &[Answer]) -> Result<()> {
        if columns.len() != self.cells.len() {
            return Err(malformed(format!(
                "the server answered with {} columns instead of {}",
                columns.len(),
                self.cells.len()
            )));
        }
        let mut values = Values::of(packet, columns.len())?;
        for (index, (cell, column)) in self.cells.iter_mut().zip(columns).enumerate() {
            if values.next_is_null() {
                cell.push_null();
            } else if cell.push_next(values.rest(), *column)? == Stored::StandIn {
                self.stand_ins.push(index);
            }
        }
        values.end()
    }

    /// Keeps, refuses or cuts off the row that has been filled in.
    #[inline]
    fn settle(&mut self, filled: Result<()>, op: Op) -> Result<()> {
        if filled.is_ok() && self.stand_ins.is_empty() {
            self.ops.push(op);
            return Ok(());
        }
        self.settle_odd(filled, op)
    }

    #[cold]
    fn settle_odd(&mut self, filled: Result<()>, op: Op) -> Result<()> {
        let impossible = std::mem::take(&mut self.stand_ins);
        if let Err(error) = filled {
            self.cut();
            return Err(error);
        }
        // In a key two such dates would become one key: different rows, one row.
        let ambiguous = self.options.zero_dates != ZeroDates::Epoch
            && impossible
                .iter()
                .any(|index| self.layout.key.contains(index));
        let is_refused = ambiguous || self.options.zero_dates == ZeroDates::Reject;
        if is_refused && op != Op::Delete {
            self.refuse(&impossible);
            self.cut();
        } else if ambiguous {
            self.cut(); // what was refused is not there to be deleted
        } else {
            self.zero_dates += impossible.len() as u64;
            self.ops.push(op);
        }
        Ok(())
    }

    fn refuse(&mut self, impossible: &[usize]) {
        let columns = &self.layout.columns;
        let names = columns.iter().map(|column| column.name.as_str());
        let row = row_as_json(&mut self.cells, names, self.ops.len(), impossible);
        let column = impossible.first().map_or("", |first| &columns[*first].name);
        let date = row.get(column).and_then(|date| date.as_str()).unwrap_or("");
        self.refusals.push(Refusal {
            column: column.to_owned(),
            reason: format!("{date} is no date"),
            row,
        });
    }

    fn cut(&mut self) {
        for cell in &mut self.cells {
            cell.truncate(self.ops.len());
        }
    }

    /// Takes the rows out: a batch in the layout's order, and what happened to each row.
    ///
    /// # Errors
    /// Fails where a column outgrew what a batch can hold.
    pub(crate) fn finish(&mut self) -> Result<(RecordBatch, Vec<Op>)> {
        let ops = std::mem::take(&mut self.ops);
        let mut arrays = Vec::with_capacity(self.cells.len());
        for cell in &mut self.cells {
            let finished = cell.finish()?;
            self.invalid_text += finished.repaired;
            arrays.push(finished.array);
        }
        let rows = RecordBatchOptions::new().with_row_count(Some(ops.len()));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), arrays, &rows)
            .map_err(|cause| Error::bug("decoded columns make no batch").because(cause))?;
        Ok((batch, ops))
    }
}

fn new_cell(layout: &Layout, index: usize, options: ValueOptions) -> Cell {
    let in_key = if layout.key.contains(&index) {
        InKey::Yes
    } else {
        InKey::No
    };
    let kept = layout.image.iter().filter(|column| column.kept);
    let format = kept.map(|column| column.format).nth(index);
    Cell::new(
        &layout.columns[index].kind,
        format.unwrap_or(Format::Packed),
        in_key,
        options,
    )
}
