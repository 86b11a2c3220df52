//! From the stores to Arrow arrays.

use std::mem::replace;
use std::sync::Arc;

use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type,
    Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, UInt64Type,
};
use arrow_array::{ArrayRef, BinaryArray, BooleanArray, PrimitiveArray, StringArray};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use tributary_model::{Error, Result};

use super::cell::{Cell, Store};
use super::store::{Fixed, Flags, Varying};

/// A finished column, and how many of its texts had to be repaired.
pub(super) struct Finished {
    pub(super) array: ArrayRef,
    pub(super) repaired: u64,
}

impl Cell {
    /// Takes the values out as an array of the column's Arrow type.
    ///
    /// # Errors
    /// Fails where repaired text outgrows a batch, or by a mistake of ours.
    pub(super) fn finish(&mut self) -> Result<Finished> {
        let array: ArrayRef = match self.store() {
            Store::Int16(out) => Arc::new(primitive::<Int16Type>(out)),
            Store::Int32(out) => Arc::new(primitive::<Int32Type>(out)),
            Store::Int64(out) => Arc::new(primitive::<Int64Type>(out)),
            Store::UInt64(out) => Arc::new(primitive::<UInt64Type>(out)),
            Store::Float32(out) => Arc::new(primitive::<Float32Type>(out)),
            Store::Float64(out) => Arc::new(primitive::<Float64Type>(out)),
            Store::Date(out) => Arc::new(primitive::<Date32Type>(out)),
            Store::Timestamp(out) => Arc::new(primitive::<TimestampMicrosecondType>(out)),
            Store::TimestampTz(out) => {
                Arc::new(primitive::<TimestampMicrosecondType>(out).with_timezone("UTC"))
            }
            Store::Decimal(packing, out) => Arc::new(
                primitive::<Decimal128Type>(out)
                    .with_precision_and_scale(packing.precision(), packing.scale().cast_signed())
                    .map_err(|cause| {
                        Error::bug("a decimal column is out of shape").because(cause)
                    })?,
            ),
            Store::WideDecimal(packing, out) => Arc::new(
                primitive::<Decimal256Type>(out)
                    .with_precision_and_scale(packing.precision(), packing.scale().cast_signed())
                    .map_err(|cause| {
                        Error::bug("a decimal column is out of shape").because(cause)
                    })?,
            ),
            Store::Bool(out) => {
                let Flags {
                    mut values,
                    mut nulls,
                } = replace(out, Flags::new());
                Arc::new(BooleanArray::new(values.finish(), nulls.finish()))
            }
            Store::Bytes(out) => {
                let (ends, data, nulls) = parts(out);
                let array = BinaryArray::try_new(ends, data, nulls).map_err(|cause| {
                    Error::bug("a column of bytes is out of shape").because(cause)
                })?;
                Arc::new(array)
            }
            Store::Text(out) => return text(out),
        };
        Ok(Finished { array, repaired: 0 })
    }
}

fn primitive<T: ArrowPrimitiveType>(out: &mut Fixed<T::Native>) -> PrimitiveArray<T> {
    let Fixed { values, mut nulls } = out.take();
    PrimitiveArray::new(ScalarBuffer::from(values), nulls.finish())
}

fn parts(out: &mut Varying) -> (OffsetBuffer<i32>, Buffer, Option<NullBuffer>) {
    let Varying {
        data,
        ends,
        mut nulls,
    } = out.take();
    (
        OffsetBuffer::new(ScalarBuffer::from(ends)),
        Buffer::from_vec(data),
        nulls.finish(),
    )
}

/// Text is checked here, once for the whole column, and repaired only where it must be.
fn text(out: &mut Varying) -> Result<Finished> {
    let (ends, data, nulls) = parts(out);
    if let Ok(array) = StringArray::try_new(ends.clone(), data.clone(), nulls.clone()) {
        return Ok(Finished {
            array: Arc::new(array),
            repaired: 0,
        });
    }
    let mut whole = Varying::new();
    let mut repaired = 0;
    for pair in ends.windows(2) {
        let raw = &data[pair[0].cast_unsigned() as usize..pair[1].cast_unsigned() as usize];
        match simdutf8::basic::from_utf8(raw) {
            Ok(text) => whole.push(text.as_bytes())?,
            Err(_) => {
                repaired += 1;
                whole.push(String::from_utf8_lossy(raw).as_bytes())?;
            }
        }
    }
    let (ends, data, _) = parts(&mut whole);
    let array = StringArray::try_new(ends, data, nulls)
        .map_err(|cause| Error::bug("repaired text is out of shape").because(cause))?;
    Ok(Finished {
        array: Arc::new(array),
        repaired,
    })
}
