//! Values of one type as a column.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{
    BooleanBuilder, Date32Builder, Decimal128Builder, Float64Builder, Int64Builder, StringBuilder,
    Time64MicrosecondBuilder, TimestampMicrosecondBuilder,
};
use tributary_model::{DataType, Error, Result};

use super::number::Decimal;
use crate::cell::Cell;

const DAY_MICROS: i64 = 86_400_000_000;

/// The values as a column of this type; what is empty is NULL.
pub(super) fn array<'a>(
    data_type: DataType,
    cells: impl Iterator<Item = Option<&'a Cell>>,
) -> Result<ArrayRef> {
    macro_rules! build {
        ($builder:expr, $read:expr) => {{
            let mut builder = $builder;
            for cell in cells {
                builder.append_option(cell.and_then($read));
            }
            Arc::new(builder.finish())
        }};
    }
    Ok(match data_type {
        DataType::Bool => build!(BooleanBuilder::new(), truth),
        DataType::Int64 => build!(Int64Builder::new(), whole),
        DataType::Float64 => build!(Float64Builder::new(), float),
        DataType::Decimal(digits, scale) => {
            let builder = Decimal128Builder::new()
                .with_precision_and_scale(digits, scale.cast_signed())
                .map_err(|why| Error::bug("a decimal is too wide").because(why))?;
            build!(builder, |cell| decimal(cell, scale))
        }
        DataType::Date => build!(Date32Builder::new(), day),
        DataType::Time => build!(Time64MicrosecondBuilder::new(), time),
        DataType::Timestamp => build!(TimestampMicrosecondBuilder::new(), timestamp),
        DataType::Text => build!(StringBuilder::new(), Cell::as_text),
        DataType::Int16
        | DataType::Int32
        | DataType::UInt64
        | DataType::Float32
        | DataType::TimestampTz
        | DataType::Bytes
        | DataType::Json => {
            return Err(Error::bug(format!(
                "no cell of a sheet is of type {data_type}"
            )));
        }
    })
}

fn truth(cell: &Cell) -> Option<bool> {
    match cell {
        Cell::Bool(truth) => Some(*truth),
        _ => None,
    }
}

fn whole(cell: &Cell) -> Option<i64> {
    match cell {
        Cell::Int(number) => Some(*number),
        _ => None,
    }
}

#[allow(clippy::cast_precision_loss)] // only numbers come here that lose nothing
fn float(cell: &Cell) -> Option<f64> {
    match cell {
        Cell::Int(number) => Some(*number as f64),
        Cell::Float(number) => Some(*number),
        _ => None,
    }
}

fn decimal(cell: &Cell, scale: u8) -> Option<i128> {
    match cell {
        Cell::Int(number) => i128::from(*number).checked_mul(10_i128.pow(u32::from(scale))),
        Cell::Float(number) => Decimal::of(*number)?.at(scale),
        _ => None,
    }
}

fn day(cell: &Cell) -> Option<i32> {
    match cell {
        Cell::Date(day) => Some(*day),
        _ => None,
    }
}

fn time(cell: &Cell) -> Option<i64> {
    match cell {
        Cell::Time(micros) => Some(*micros),
        _ => None,
    }
}

fn timestamp(cell: &Cell) -> Option<i64> {
    match cell {
        Cell::Date(day) => Some(i64::from(*day) * DAY_MICROS),
        Cell::Timestamp(micros) => Some(*micros),
        _ => None,
    }
}
