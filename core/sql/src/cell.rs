//! One value of an Arrow array as JSON, for people and for rejected rows.
//!
//! Numbers that JSON readers keep exactly are numbers, bytes are hexadecimal, and everything else
//! is text: days and times in ISO form, instants in UTC.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time64MicrosecondType, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{Array, RecordBatch, StructArray};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{DataType, TimeUnit};
use chrono::{DateTime, NaiveDate, NaiveTime};
use serde_json::{Map, Value};

/// A row as an object.
#[must_use]
pub fn row(rows: &RecordBatch, index: usize) -> Value {
    let schema = rows.schema();
    let cells = schema.fields().iter().zip(rows.columns());
    Value::Object(
        cells
            .map(|(field, array)| (field.name().clone(), cell(array, index)))
            .collect(),
    )
}

/// A value.
#[must_use]
pub fn cell(array: &dyn Array, index: usize) -> Value {
    if array.is_null(index) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Boolean => array.as_boolean().value(index).into(),
        DataType::Int8 => array.as_primitive::<Int8Type>().value(index).into(),
        DataType::Int16 => array.as_primitive::<Int16Type>().value(index).into(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(index).into(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(index).into(),
        DataType::UInt8 => array.as_primitive::<UInt8Type>().value(index).into(),
        DataType::UInt16 => array.as_primitive::<UInt16Type>().value(index).into(),
        DataType::UInt32 => array.as_primitive::<UInt32Type>().value(index).into(),
        DataType::UInt64 => array.as_primitive::<UInt64Type>().value(index).into(),
        DataType::Float32 => float(array.as_primitive::<Float32Type>().value(index)),
        DataType::Float64 => float(array.as_primitive::<Float64Type>().value(index)),
        DataType::Decimal128(_, 0) => whole(array.as_primitive::<Decimal128Type>().value(index)),
        DataType::Utf8 => array.as_string::<i32>().value(index).into(),
        DataType::Binary => hexadecimal(array.as_binary::<i32>().value(index)).into(),
        DataType::Date32 => date(array.as_primitive::<Date32Type>().value(index)).into(),
        DataType::Time64(TimeUnit::Microsecond) => {
            time(array.as_primitive::<Time64MicrosecondType>().value(index)).into()
        }
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let micros = array
                .as_primitive::<TimestampMicrosecondType>()
                .value(index);
            timestamp(micros, if zone.is_some() { "Z" } else { "" }).into()
        }
        DataType::List(_) => list(array.as_list::<i32>().value(index).as_ref()),
        DataType::FixedSizeList(..) => list(array.as_fixed_size_list().value(index).as_ref()),
        DataType::Struct(_) => object(array.as_struct(), index),
        _ => other(array, index),
    }
}

/// A float; infinities and NaN, which JSON lacks, as text.
fn float<F: Into<f64> + std::fmt::Display + Copy>(value: F) -> Value {
    // By way of its own shortest text, so that 0.1 of 32 bits stays 0.1.
    let text = value.to_string();
    let number = text.parse().ok().and_then(serde_json::Number::from_f64);
    number.map_or(Value::String(text), Value::Number)
}

fn whole(value: i128) -> Value {
    match (i64::try_from(value), u64::try_from(value)) {
        (Ok(value), _) => value.into(),
        (_, Ok(value)) => value.into(),
        _ => value.to_string().into(),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

fn date(days: i32) -> String {
    match NaiveDate::from_epoch_days(days) {
        Some(date) => date.to_string(),
        None => format!("{days} days after 1970-01-01"),
    }
}

fn time(micros: i64) -> String {
    let of_day = u32::try_from(micros / 1_000_000).ok().and_then(|seconds| {
        let nanos = u32::try_from(micros % 1_000_000).ok()? * 1_000;
        NaiveTime::from_num_seconds_from_midnight_opt(seconds, nanos)
    });
    match of_day {
        Some(time) => time.format("%H:%M:%S%.f").to_string(),
        None => format!("{micros} microseconds after midnight"),
    }
}

fn timestamp(micros: i64, zone: &str) -> String {
    match DateTime::from_timestamp_micros(micros) {
        Some(at) => format!("{}{zone}", at.format("%Y-%m-%dT%H:%M:%S%.f")),
        None => format!("{micros} microseconds after 1970-01-01"),
    }
}

fn list(items: &dyn Array) -> Value {
    (0..items.len()).map(|index| cell(items, index)).collect()
}

fn object(fields: &StructArray, index: usize) -> Value {
    let cells = fields.column_names().into_iter().zip(fields.columns());
    let object: Map<String, Value> = cells
        .map(|(name, array)| (name.to_owned(), cell(array, index)))
        .collect();
    Value::Object(object)
}

fn other(array: &dyn Array, index: usize) -> Value {
    let options = FormatOptions::default().with_display_error(true);
    match ArrayFormatter::try_new(array, &options) {
        Ok(formatter) => formatter.value(index).to_string().into(),
        Err(cause) => format!("a value that can't be shown: {cause}").into(),
    }
}
