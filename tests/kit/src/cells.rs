//! Arrow arrays from texts, and canonical texts from arrays: how tests write and read rows.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int16Type, Int32Type,
    Int64Type, Time64MicrosecondType, TimestampMicrosecondType, UInt64Type,
};
use arrow_array::{Array, ArrayRef, BinaryArray, RecordBatch, StringArray};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{Field, Schema};
use tributary_model::DataType;

use crate::text;

/// A row as tests write it: one text for each column, `None` for NULL. Bytes are hexadecimal.
pub type Cells<'a> = Vec<Option<&'a str>>;

/// An array of `data_type` from texts.
///
/// # Panics
/// Panics where a text is no value of the type.
#[must_use]
pub fn array(data_type: DataType, texts: &[Option<&str>]) -> ArrayRef {
    if data_type == DataType::Bytes {
        let bytes: Vec<_> = texts.iter().map(|cell| cell.map(from_hex)).collect();
        return Arc::new(bytes.iter().map(Option::as_deref).collect::<BinaryArray>());
    }
    if data_type == DataType::TimestampTz {
        // The cast itself knows no zone by its name.
        let local = array(DataType::Timestamp, texts);
        let instants = local.as_primitive::<TimestampMicrosecondType>().clone();
        return Arc::new(instants.with_timezone("UTC"));
    }
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    cast_with_options(
        &StringArray::from(texts.to_vec()),
        &data_type.to_arrow(),
        &options,
    )
    .unwrap_or_else(|error| panic!("{texts:?} as {data_type}: {error}"))
}

/// A record batch of rows written as texts.
///
/// # Panics
/// Panics where a text is no value of its column's type or a row has too few cells.
#[must_use]
pub fn batch(columns: &[(&str, DataType)], rows: &[Cells<'_>]) -> RecordBatch {
    let fields: Vec<_> = columns
        .iter()
        .map(|(name, data_type)| Field::new(*name, data_type.to_arrow(), true))
        .collect();
    let arrays = columns
        .iter()
        .enumerate()
        .map(|(index, (_, data_type))| {
            let texts: Vec<_> = rows.iter().map(|row| row[index]).collect();
            array(*data_type, &texts)
        })
        .collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("columns are equally long")
}

/// The canonical texts of an array that carries `data_type`.
///
/// # Panics
/// Panics where the array is not of that type.
#[must_use]
pub fn texts(data_type: DataType, array: &dyn Array) -> Vec<Option<String>> {
    assert_eq!(*array.data_type(), data_type.to_arrow(), "the array's type");
    (0..array.len())
        .map(|row| array.is_valid(row).then(|| cell(data_type, array, row)))
        .collect()
}

fn cell(data_type: DataType, array: &dyn Array, row: usize) -> String {
    match data_type {
        DataType::Bool => array.as_boolean().value(row).to_string(),
        DataType::Int16 => array.as_primitive::<Int16Type>().value(row).to_string(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::UInt64 => array.as_primitive::<UInt64Type>().value(row).to_string(),
        DataType::Decimal(digits, _) if digits <= 38 => {
            text::decimal(&array.as_primitive::<Decimal128Type>().value_as_string(row))
        }
        DataType::Decimal(..) => {
            text::decimal(&array.as_primitive::<Decimal256Type>().value_as_string(row))
        }
        DataType::Float32 => text::float(array.as_primitive::<Float32Type>().value(row).into()),
        DataType::Float64 => text::float(array.as_primitive::<Float64Type>().value(row)),
        DataType::Date => text::date(array.as_primitive::<Date32Type>().value(row)),
        DataType::Time => text::time(array.as_primitive::<Time64MicrosecondType>().value(row)),
        DataType::Timestamp | DataType::TimestampTz => {
            text::timestamp(array.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        DataType::Text => array.as_string::<i32>().value(row).to_owned(),
        DataType::Json => text::json(array.as_string::<i32>().value(row)),
        DataType::Bytes => text::hex(array.as_binary::<i32>().value(row)),
    }
}

/// The canonical form of a value written as text, also as another system printed it.
///
/// # Panics
/// Panics where the text is no value of the type.
#[must_use]
pub fn canonical(data_type: DataType, value: &str) -> String {
    let read = match data_type {
        DataType::Timestamp | DataType::TimestampTz => text::parse_timestamp(value),
        DataType::Bytes => return value.trim_start_matches("\\x").to_ascii_lowercase(),
        _ => None,
    };
    let read = read.unwrap_or_else(|| value.to_owned());
    cell(data_type, &*array(data_type, &[Some(&read)]), 0)
}

fn from_hex(text: &str) -> Vec<u8> {
    assert!(
        text.len().is_multiple_of(2),
        "`{text}` is not pairs of hexadecimal digits"
    );
    (0..text.len() / 2)
        .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16))
        .collect::<Result<_, _>>()
        .unwrap_or_else(|error| panic!("`{text}`: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_survives_its_text() {
        for (data_type, value) in [
            (DataType::Bool, "true"),
            (DataType::Int16, "-32768"),
            (DataType::Int32, "2147483647"),
            (DataType::Int64, "-9223372036854775808"),
            (DataType::UInt64, "18446744073709551615"),
            (DataType::Decimal(10, 2), "-12.3"),
            (
                DataType::Decimal(65, 30),
                "12345678901234567890123456789012345.000000000000000000000000000001",
            ),
            (DataType::Float32, "0.5"),
            (DataType::Float64, "-1.7976931348623157e308"),
            (DataType::Date, "1000-01-01"),
            (DataType::Time, "23:59:59.999999"),
            (DataType::Timestamp, "9999-12-31 23:59:59.999999"),
            (DataType::TimestampTz, "1970-01-01 00:00:01"),
            (DataType::Text, "naïve ☕ 𝒳"),
            (DataType::Bytes, "00ff10"),
            (DataType::Json, r#"{"a":1}"#),
        ] {
            let array = array(data_type, &[Some(value), None]);
            let read = texts(data_type, &array);
            assert_eq!(read[1], None);
            let expected = match data_type {
                DataType::Float64 => text::float(f64::MIN),
                _ => value.to_owned(),
            };
            assert_eq!(read[0].as_deref(), Some(&*expected), "{data_type}");
        }
    }
}
