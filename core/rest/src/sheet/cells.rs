//! The values of a column under way, and their array in the end.

use std::sync::Arc;

use arrow_array::types::{
    Date32Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType, UInt64Type,
};
use arrow_array::{ArrayRef, ArrowPrimitiveType, BooleanArray, PrimitiveArray, StringArray};
use arrow_buffer::{BooleanBufferBuilder, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use tributary_model::DataType;

use crate::json::Raw;

use super::value;

/// Values of one type, and which of them are there.
#[derive(Debug)]
pub(super) struct Cells {
    data_type: DataType,
    values: Values,
    valid: BooleanBufferBuilder,
    nulls: usize,
    expected: Expected,
}

/// How much the batch before it had: to grow step by step would copy everything once more.
#[derive(Clone, Copy, Debug, Default)]
struct Expected {
    rows: usize,
    bytes: usize,
}

#[derive(Debug)]
enum Values {
    Bool(BooleanBufferBuilder),
    Int(Vec<i64>),
    UInt(Vec<u64>),
    Float(Vec<f64>),
    Days(Vec<i32>),
    Micros(Vec<i64>),
    Decimal(Vec<i128>),
    Text { ends: Vec<i32>, bytes: Vec<u8> },
}

impl Cells {
    pub(super) fn new(data_type: DataType) -> Self {
        let values = match data_type {
            DataType::Bool => Values::Bool(BooleanBufferBuilder::new(0)),
            DataType::Int16 | DataType::Int32 | DataType::Int64 => Values::Int(Vec::new()),
            DataType::UInt64 => Values::UInt(Vec::new()),
            DataType::Float32 | DataType::Float64 => Values::Float(Vec::new()),
            DataType::Date => Values::Days(Vec::new()),
            DataType::Timestamp | DataType::TimestampTz => Values::Micros(Vec::new()),
            DataType::Decimal(digits, _) if digits <= 38 => Values::Decimal(Vec::new()),
            DataType::Decimal(..)
            | DataType::Time
            | DataType::Text
            | DataType::Bytes
            | DataType::Json => Values::Text {
                ends: vec![0],
                bytes: Vec::new(),
            },
        };
        Self {
            data_type: carried(data_type),
            values,
            valid: BooleanBufferBuilder::new(0),
            nulls: 0,
            expected: Expected::default(),
        }
    }

    /// Room for the next batch of a column like this one; taken when its first value comes.
    pub(super) fn next(&self, data_type: DataType) -> Self {
        let bytes = match &self.values {
            Values::Text { bytes, .. } => bytes.len(),
            _ => 0,
        };
        Self {
            expected: Expected {
                rows: self.len(),
                bytes,
            },
            ..Self::new(data_type)
        }
    }

    fn make_room(&mut self) {
        let Expected { rows, bytes: more } = std::mem::take(&mut self.expected);
        match &mut self.values {
            Values::Bool(values) => values.reserve(rows),
            Values::Int(values) | Values::Micros(values) => values.reserve(rows),
            Values::UInt(values) => values.reserve(rows),
            Values::Float(values) => values.reserve(rows),
            Values::Days(values) => values.reserve(rows),
            Values::Decimal(values) => values.reserve(rows),
            Values::Text { ends, bytes } => {
                ends.reserve(rows);
                bytes.reserve(more);
            }
        }
        self.valid.reserve(rows);
    }

    pub(super) fn data_type(&self) -> DataType {
        self.data_type
    }

    fn len(&self) -> usize {
        self.valid.len()
    }

    /// Adds nulls up to row `row`.
    pub(super) fn fill_to(&mut self, row: usize) {
        if self.expected.rows > 0 {
            self.make_room();
        }
        let missing = row.saturating_sub(self.len());
        if missing == 0 {
            // A field that is there twice: the last one counts, as for most readers of JSON.
            self.truncate(row);
            return;
        }
        match &mut self.values {
            Values::Bool(values) => values.append_n(missing, false),
            Values::Int(values) | Values::Micros(values) => values.resize(row, 0),
            Values::UInt(values) => values.resize(row, 0),
            Values::Float(values) => values.resize(row, 0.0),
            Values::Days(values) => values.resize(row, 0),
            Values::Decimal(values) => values.resize(row, 0),
            Values::Text { ends, .. } => {
                let last = ends.last().copied().unwrap_or(0);
                ends.resize(row + 1, last);
            }
        }
        self.valid.append_n(missing, false);
        self.nulls += missing;
    }

    /// Adds a value; `false` where it is of another type, or beyond this one.
    pub(super) fn put(&mut self, raw: Raw<'_>) -> bool {
        let put = match &mut self.values {
            Values::Bool(values) => value::truth(raw).map(|value| values.append(value)),
            Values::Int(values) => value::int(raw).map(|value| values.push(value)),
            Values::UInt(values) => value::uint(raw).map(|value| values.push(value)),
            Values::Float(values) => value::float(raw).map(|value| values.push(value)),
            Values::Days(values) => value::days(raw).map(|value| values.push(value)),
            Values::Micros(values) => {
                value::micros(raw, self.data_type).map(|value| values.push(value))
            }
            Values::Decimal(values) => {
                value::decimal(raw, self.data_type).map(|value| values.push(value))
            }
            Values::Text { ends, bytes } => text(raw, self.data_type, ends, bytes),
        };
        if put.is_some() {
            self.valid.append(true);
        }
        put.is_some()
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        if self.len() <= rows {
            return;
        }
        match &mut self.values {
            Values::Bool(values) => values.truncate(rows),
            Values::Int(values) | Values::Micros(values) => values.truncate(rows),
            Values::UInt(values) => values.truncate(rows),
            Values::Float(values) => values.truncate(rows),
            Values::Days(values) => values.truncate(rows),
            Values::Decimal(values) => values.truncate(rows),
            Values::Text { ends, bytes } => {
                ends.truncate(rows + 1);
                let end = ends.last().copied().unwrap_or(0);
                bytes.truncate(usize::try_from(end).unwrap_or(0));
            }
        }
        let dropped = (rows..self.valid.len()).filter(|row| !self.valid.get_bit(*row));
        self.nulls -= dropped.count();
        self.valid.truncate(rows);
    }

    pub(super) fn into_array(mut self) -> ArrayRef {
        let valid = (self.nulls > 0).then(|| NullBuffer::new(self.valid.finish()));
        match self.values {
            Values::Bool(mut values) => Arc::new(BooleanArray::new(values.finish(), valid)),
            Values::Int(values) => primitive::<Int64Type>(values, valid),
            Values::UInt(values) => primitive::<UInt64Type>(values, valid),
            Values::Float(values) => primitive::<Float64Type>(values, valid),
            Values::Days(values) => primitive::<Date32Type>(values, valid),
            Values::Micros(values) => {
                let array = PrimitiveArray::<TimestampMicrosecondType>::new(values.into(), valid);
                Arc::new(array.with_data_type(self.data_type.to_arrow()))
            }
            Values::Decimal(values) => {
                let array = PrimitiveArray::<Decimal128Type>::new(values.into(), valid);
                Arc::new(array.with_data_type(self.data_type.to_arrow()))
            }
            Values::Text { ends, bytes } => {
                let offsets = OffsetBuffer::new(ScalarBuffer::from(ends));
                let bytes = Buffer::from_vec(bytes);
                let array = StringArray::try_new(offsets, bytes, valid);
                Arc::new(array.expect("every value was a text, and ends where the next begins"))
            }
        }
    }
}

fn primitive<T: ArrowPrimitiveType>(values: Vec<T::Native>, valid: Option<NullBuffer>) -> ArrayRef {
    Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::from(values), valid))
}

/// The type whose array is really built.
fn carried(data_type: DataType) -> DataType {
    match data_type {
        DataType::Int16 | DataType::Int32 => DataType::Int64,
        DataType::Float32 => DataType::Float64,
        DataType::Decimal(digits, _) if digits > 38 => DataType::Text,
        DataType::Time | DataType::Bytes => DataType::Text,
        other => other,
    }
}

fn text(raw: Raw<'_>, data_type: DataType, ends: &mut Vec<i32>, bytes: &mut Vec<u8>) -> Option<()> {
    match data_type {
        DataType::Json => value::compact(raw, bytes),
        _ => bytes.extend_from_slice(value::text(raw)?.as_bytes()),
    }
    // A batch ends long before it could have two gigabytes.
    ends.push(i32::try_from(bytes.len()).ok()?);
    Some(())
}
