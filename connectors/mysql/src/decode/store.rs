//! The growing columns that cells write into: values and NULLs, cut back to a row at will.
//!
//! Arrow's own builders can't be cut back, which is what a row needs that turns out to be malformed
//! or rejected in its last column.

use arrow_buffer::{BooleanBufferBuilder, NullBufferBuilder};
use tributary_model::{Error, ErrorKind, Result};

/// The most values that room is made for in advance.
const HINT: usize = 65_536;

/// Gives back what a column did not need, where that is much: a batch is charged for its room.
fn trim<T>(values: &mut Vec<T>) {
    if values.capacity() / 2 > values.len() {
        values.shrink_to_fit();
    }
}

/// Values of one width.
#[derive(Debug)]
pub(super) struct Fixed<T> {
    pub(super) values: Vec<T>,
    pub(super) nulls: NullBufferBuilder,
}

impl<T: Copy + Default> Fixed<T> {
    pub(super) fn new() -> Self {
        Self {
            values: Vec::new(),
            nulls: NullBufferBuilder::new(0),
        }
    }

    /// Takes the column out, and leaves an empty one with room for as many values again.
    pub(super) fn take(&mut self) -> Self {
        let next = Self {
            values: Vec::with_capacity(self.values.len().min(HINT)),
            nulls: NullBufferBuilder::new(0),
        };
        let mut taken = std::mem::replace(self, next);
        trim(&mut taken.values);
        taken
    }

    #[inline(always)]
    pub(super) fn push(&mut self, value: T) {
        self.values.push(value);
        self.nulls.append_non_null();
    }

    #[inline]
    pub(super) fn push_null(&mut self) {
        self.values.push(T::default());
        self.nulls.append_null();
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
        self.nulls.truncate(rows);
    }

    pub(super) fn bytes(&self) -> usize {
        std::mem::size_of_val(self.values.as_slice()) + self.nulls.allocated_size()
    }

    /// The value of `row`, unless it is NULL.
    pub(super) fn get(&self, row: usize) -> Option<T> {
        (row < self.values.len() && self.nulls.is_valid(row)).then(|| self.values[row])
    }
}

/// True and false.
#[derive(Debug)]
pub(super) struct Flags {
    pub(super) values: BooleanBufferBuilder,
    pub(super) nulls: NullBufferBuilder,
}

impl Flags {
    pub(super) fn new() -> Self {
        Self {
            values: BooleanBufferBuilder::new(0),
            nulls: NullBufferBuilder::new(0),
        }
    }

    #[inline]
    pub(super) fn push(&mut self, value: bool) {
        self.values.append(value);
        self.nulls.append_non_null();
    }

    #[inline]
    pub(super) fn push_null(&mut self) {
        self.values.append(false);
        self.nulls.append_null();
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
        self.nulls.truncate(rows);
    }

    pub(super) fn bytes(&self) -> usize {
        self.values.len() / 8 + self.nulls.allocated_size()
    }

    pub(super) fn get(&self, row: usize) -> Option<bool> {
        (row < self.values.len() && self.nulls.is_valid(row)).then(|| self.values.get_bit(row))
    }
}

/// Values of any length, end to end: text and bytes.
///
/// A value is written to `data` and then closed with [`Varying::seal`].
#[derive(Debug)]
pub(super) struct Varying {
    pub(super) data: Vec<u8>,
    /// Where each value ends; one more than there are values, the first is 0.
    pub(super) ends: Vec<i32>,
    pub(super) nulls: NullBufferBuilder,
}

impl Varying {
    pub(super) fn new() -> Self {
        Self {
            data: Vec::new(),
            ends: vec![0],
            nulls: NullBufferBuilder::new(0),
        }
    }

    /// Takes the column out, and leaves an empty one with room for as much again.
    pub(super) fn take(&mut self) -> Self {
        let mut next = Self::new();
        next.data.reserve_exact(self.data.len().min(8 * HINT));
        next.ends.reserve_exact(self.ends.len().min(HINT));
        let mut taken = std::mem::replace(self, next);
        trim(&mut taken.data);
        trim(&mut taken.ends);
        taken
    }

    /// Closes the value that has been written to `data`.
    ///
    /// # Errors
    /// Fails where the column has outgrown what a batch can hold.
    #[inline(always)]
    pub(super) fn seal(&mut self) -> Result<()> {
        match i32::try_from(self.data.len()) {
            Ok(end) => {
                self.ends.push(end);
                self.nulls.append_non_null();
                Ok(())
            }
            Err(_) => Err(too_long()),
        }
    }

    #[inline(always)]
    pub(super) fn push(&mut self, value: &[u8]) -> Result<()> {
        self.data.extend_from_slice(value);
        self.seal()
    }

    #[inline]
    pub(super) fn push_null(&mut self) {
        self.ends.push(self.last_end());
        self.nulls.append_null();
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows + 1);
        self.data.truncate(self.last_end().cast_unsigned() as usize);
        self.nulls.truncate(rows);
    }

    pub(super) fn bytes(&self) -> usize {
        self.data.len() + std::mem::size_of_val(self.ends.as_slice()) + self.nulls.allocated_size()
    }

    pub(super) fn get(&self, row: usize) -> Option<&[u8]> {
        let ends = self.ends.get(row..row + 2)?;
        self.nulls
            .is_valid(row)
            .then(|| &self.data[ends[0].cast_unsigned() as usize..ends[1].cast_unsigned() as usize])
    }

    fn last_end(&self) -> i32 {
        self.ends.last().copied().unwrap_or_default()
    }
}

#[cold]
fn too_long() -> Error {
    Error::new(
        ErrorKind::Incompatible,
        "one column of one batch exceeds 2 GiB",
    )
    .fix("Exclude the column with `columns: {<name>: {exclude: true}}`.")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_forgets_values_and_nulls() {
        let mut column = Varying::new();
        column.push(b"one").unwrap();
        column.push_null();
        column.push(b"three").unwrap();
        column.truncate(1);
        column.data.extend_from_slice(b"unsealed");
        column.truncate(1);
        column.push(b"").unwrap();
        assert_eq!(column.get(0), Some(b"one".as_slice()));
        assert_eq!(column.get(1), Some(b"".as_slice()));
        assert_eq!(column.get(2), None);

        let mut numbers = Fixed::new();
        numbers.push_null();
        numbers.push(7);
        numbers.truncate(1);
        numbers.push(8);
        assert_eq!([numbers.get(0), numbers.get(1)], [None, Some(8)]);
    }
}
