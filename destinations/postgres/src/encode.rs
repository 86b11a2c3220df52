//! Arrow rows in PostgreSQL's binary format of `COPY`.
//!
//! Each row is the number of its fields, then for each its length and its bytes as the type's own
//! receiving function reads them; a length of -1 is NULL. Values are those of the column's type
//! exactly: the server converts nothing on this road, so nothing is rounded. // G5

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int16Type, Int32Type,
    Int64Type, Time64MicrosecondType, TimestampMicrosecondType, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Decimal128Array, Decimal256Array, StringArray,
};
use arrow_buffer::{NullBuffer, ScalarBuffer};
use tributary_model::{DataType, Error, Result};

use crate::numeric::Numeric;

/// What a stream of rows begins with: the signature, no flags, no extension.
pub(crate) const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What it ends with.
pub(crate) const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();
/// PostgreSQL counts from 2000 on: in days, and in microseconds.
const DAYS: i32 = 10_957;
const MICROS: i64 = 946_684_800_000_000;
/// The version of `jsonb` on the wire.
const JSONB: u8 = 1;

/// A column of rows.
#[derive(Debug)]
pub(crate) struct Column<'a> {
    nulls: Option<&'a NullBuffer>,
    values: Values<'a>,
}

#[derive(Debug)]
enum Values<'a> {
    Bool(&'a BooleanArray),
    Int16(&'a ScalarBuffer<i16>),
    Int32(&'a ScalarBuffer<i32>),
    Int64(&'a ScalarBuffer<i64>),
    UInt64(&'a ScalarBuffer<u64>, Numeric),
    Decimal128(&'a Decimal128Array, Numeric),
    Decimal256(&'a Decimal256Array, Numeric),
    Float32(&'a ScalarBuffer<f32>),
    Float64(&'a ScalarBuffer<f64>),
    Date(&'a ScalarBuffer<i32>),
    Instant(&'a ScalarBuffer<i64>),
    Text(&'a StringArray),
    Json(&'a StringArray),
    Bytes(&'a BinaryArray),
    /// The same bytes in every row, with their length before them.
    Same(Vec<u8>),
}

impl<'a> Column<'a> {
    /// The values of an array, which carries `data_type`.
    ///
    /// # Errors
    /// Fails where it carries another.
    pub(crate) fn new(data_type: DataType, array: &'a ArrayRef) -> Result<Self> {
        if *array.data_type() != data_type.to_arrow() {
            return Err(Error::bug(format!(
                "rows came as {}, not {data_type}",
                array.data_type()
            )));
        }
        let values = match data_type {
            DataType::Bool => Values::Bool(array.as_boolean()),
            DataType::Int16 => Values::Int16(array.as_primitive::<Int16Type>().values()),
            DataType::Int32 => Values::Int32(array.as_primitive::<Int32Type>().values()),
            DataType::Int64 => Values::Int64(array.as_primitive::<Int64Type>().values()),
            DataType::UInt64 => {
                Values::UInt64(array.as_primitive::<UInt64Type>().values(), Numeric::new(0))
            }
            DataType::Decimal(_, scale) => match array.as_primitive_opt::<Decimal128Type>() {
                Some(narrow) => Values::Decimal128(narrow, Numeric::new(scale)),
                None => {
                    let wide = array.as_primitive::<Decimal256Type>();
                    Values::Decimal256(wide, Numeric::new(scale))
                }
            },
            DataType::Float32 => Values::Float32(array.as_primitive::<Float32Type>().values()),
            DataType::Float64 => Values::Float64(array.as_primitive::<Float64Type>().values()),
            DataType::Date => Values::Date(array.as_primitive::<Date32Type>().values()),
            DataType::Time => Values::Int64(array.as_primitive::<Time64MicrosecondType>().values()),
            DataType::Timestamp | DataType::TimestampTz => {
                Values::Instant(array.as_primitive::<TimestampMicrosecondType>().values())
            }
            DataType::Text => Values::Text(array.as_string()),
            DataType::Json => Values::Json(array.as_string()),
            DataType::Bytes => Values::Bytes(array.as_binary()),
        };
        Ok(Self {
            nulls: array.nulls(),
            values,
        })
    }

    /// An instant, microseconds since 1970, in every row.
    pub(crate) fn instant(micros: i64) -> Column<'static> {
        let mut bytes = 8_i32.to_be_bytes().to_vec();
        bytes.extend_from_slice(&(micros - MICROS).to_be_bytes());
        Column::same(bytes)
    }

    /// True in every row.
    pub(crate) fn yes() -> Column<'static> {
        Column::same([&1_i32.to_be_bytes()[..], &[1]].concat())
    }

    /// NULL in every row.
    pub(crate) fn null() -> Column<'static> {
        Column::same((-1_i32).to_be_bytes().to_vec())
    }

    fn same(bytes: Vec<u8>) -> Column<'static> {
        Column {
            nulls: None,
            values: Values::Same(bytes),
        }
    }

    fn write(&self, row: usize, out: &mut Vec<u8>) {
        if self.nulls.is_some_and(|nulls| nulls.is_null(row)) {
            out.extend_from_slice(&(-1_i32).to_be_bytes());
            return;
        }
        match &self.values {
            Values::Bool(values) => fixed(out, [u8::from(values.value(row))]),
            Values::Int16(values) => fixed(out, values[row].to_be_bytes()),
            Values::Int32(values) => fixed(out, values[row].to_be_bytes()),
            Values::Int64(values) => fixed(out, values[row].to_be_bytes()),
            Values::UInt64(values, numeric) => numeric.write_u64(values[row], out),
            Values::Decimal128(values, numeric) => numeric.write_i128(values.value(row), out),
            Values::Decimal256(values, numeric) => numeric.write_i256(values.value(row), out),
            Values::Float32(values) => fixed(out, values[row].to_be_bytes()),
            Values::Float64(values) => fixed(out, values[row].to_be_bytes()),
            // What could overflow was screened out before.
            Values::Date(values) => fixed(out, values[row].wrapping_sub(DAYS).to_be_bytes()),
            Values::Instant(values) => fixed(out, values[row].wrapping_sub(MICROS).to_be_bytes()),
            Values::Text(values) => sized(out, &[], values.value(row).as_bytes()),
            Values::Json(values) => sized(out, &[JSONB], values.value(row).as_bytes()),
            Values::Bytes(values) => sized(out, &[], values.value(row)),
            Values::Same(bytes) => out.extend_from_slice(bytes),
        }
    }
}

/// At most 8 bytes behind their length, appended at once.
#[inline]
fn fixed<const N: usize>(out: &mut Vec<u8>, bytes: [u8; N]) {
    let mut field = [0; 12];
    let length = i32::try_from(N).unwrap_or_default();
    field[..4].copy_from_slice(&length.to_be_bytes());
    field[4..4 + N].copy_from_slice(&bytes);
    out.extend_from_slice(&field[..4 + N]);
}

/// Arrow's offsets are of 32 bits: so is every length, but for the byte before it.
fn sized(out: &mut Vec<u8>, before: &[u8], bytes: &[u8]) {
    let length = i32::try_from(before.len() + bytes.len()).unwrap_or(i32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(before);
    out.extend_from_slice(bytes);
}

/// Appends rows `from..to` of columns that are equally long.
///
/// # Errors
/// Fails where there are more columns than a row can have.
pub(crate) fn rows(
    columns: &[Column<'_>],
    range: std::ops::Range<usize>,
    out: &mut Vec<u8>,
) -> Result<()> {
    let fields = i16::try_from(columns.len())
        .map_err(|cause| Error::bug("a row has too many columns").because(cause))?;
    for row in range {
        out.extend_from_slice(&fields.to_be_bytes());
        for column in columns {
            column.write(row, out);
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Date32Array, Int32Array, TimestampMicrosecondArray};

    use super::*;

    #[test]
    fn rows_are_written_field_by_field() {
        let ids: ArrayRef = Arc::new(Int32Array::from(vec![Some(7), None]));
        let days: ArrayRef = Arc::new(Date32Array::from(vec![10_957, 10_958]));
        let at: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![MICROS, MICROS + 1]));
        let json: ArrayRef = Arc::new(StringArray::from(vec!["{}", "1"]));
        let columns = [
            Column::new(DataType::Int32, &ids).unwrap(),
            Column::new(DataType::Date, &days).unwrap(),
            Column::new(DataType::Timestamp, &at).unwrap(),
            Column::new(DataType::Json, &json).unwrap(),
        ];
        let mut out = Vec::new();
        rows(&columns, 1..2, &mut out).unwrap();
        let mut expected = vec![0, 4, 0xff, 0xff, 0xff, 0xff];
        expected.extend([0, 0, 0, 4, 0, 0, 0, 1]);
        expected.extend([0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1]);
        expected.extend([0, 0, 0, 2, 1, b'1']);
        assert_eq!(out, expected);
    }

    #[test]
    fn an_array_of_another_type_is_refused() {
        let ids: ArrayRef = Arc::new(Int32Array::from(vec![1]));
        assert!(Column::new(DataType::Int64, &ids).is_err());
    }
}
