//! What a Parquet file's footer tells about its columns, in Iceberg's terms: by these readers leave
//! files out.

use std::collections::HashMap;

use ::iceberg::arrow::type_to_arrow_type;
use ::iceberg::spec::{Datum, PrimitiveType, Schema, Type};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type,
    Time64MicrosecondType, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef};
use arrow_cast::cast;
use arrow_schema::DataType as Arrow;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::parquet_to_arrow_schema;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use tributary_model::{Error, Result};

use crate::error::{arrow, parquet};
use tributary_store::Store;

/// Characters or bytes of a bound that are kept, as Iceberg does by default.
const LONGEST: usize = 16;
/// Bytes of a file's end that are fetched first.
const FOOTER: u64 = 64 << 10;

/// What is known of a file's columns, by field id.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    pub(crate) sizes: HashMap<i32, u64>,
    pub(crate) values: HashMap<i32, u64>,
    pub(crate) nulls: HashMap<i32, u64>,
    pub(crate) lower: HashMap<i32, Datum>,
    pub(crate) upper: HashMap<i32, Datum>,
    /// Where row groups begin.
    pub(crate) splits: Vec<i64>,
}

/// The footer of a file of `size` bytes.
pub(crate) async fn footer(store: &dyn Store, key: &str, size: u64) -> Result<ParquetMetaData> {
    let mut wanted = FOOTER.min(size);
    loop {
        let bytes = store.get_range(key, size - wanted..size).await?;
        let mut reader = ParquetMetaDataReader::new();
        match reader.try_parse_sized(&bytes, size) {
            Ok(()) => return reader.finish().map_err(parquet("reading a file's footer")),
            Err(ParquetError::NeedMoreData(more))
                if more as u64 > wanted && more as u64 <= size =>
            {
                wanted = more as u64;
            }
            Err(cause) => return Err(parquet("reading a file's footer")(cause)),
        }
    }
}

/// Reads a footer. Columns are found by their field ids.
pub(crate) fn metrics(footer: &ParquetMetaData, schema: &Schema) -> Result<Metrics> {
    let file = footer.file_metadata();
    let parquet_schema = file.schema_descr();
    let arrow_schema = parquet_to_arrow_schema(parquet_schema, file.key_value_metadata())
        .map_err(parquet("reading a file's schema"))?;
    let groups = footer.row_groups();
    let mut metrics = Metrics {
        splits: groups
            .iter()
            .filter_map(|group| group.file_offset())
            .collect(),
        ..Metrics::default()
    };
    for (at, leaf) in parquet_schema.columns().iter().enumerate() {
        let info = leaf.self_type().get_basic_info();
        let field = info
            .has_id()
            .then(|| schema.field_by_id(info.id()))
            .flatten();
        let Some(field) = field else { continue };
        for group in groups {
            let column = group.column(at);
            *metrics.sizes.entry(field.id).or_default() += column.compressed_size().unsigned_abs();
            *metrics.values.entry(field.id).or_default() += column.num_values().unsigned_abs();
            let nulls = column
                .statistics()
                .and_then(|statistics| statistics.null_count_opt());
            *metrics.nulls.entry(field.id).or_default() += nulls.unwrap_or_default();
        }
        let Some(primitive) = field.field_type.as_primitive_type() else {
            continue;
        };
        let converter = StatisticsConverter::try_new(leaf.name(), &arrow_schema, parquet_schema)
            .map_err(parquet("reading a file's statistics"))?;
        let mins = converter
            .row_group_mins(groups)
            .map_err(parquet("reading a file's statistics"))?;
        let maxes = converter
            .row_group_maxes(groups)
            .map_err(parquet("reading a file's statistics"))?;
        let least = data(&mins, primitive)?
            .into_iter()
            .reduce(|a, b| if b < a { b } else { a });
        let most = data(&maxes, primitive)?
            .into_iter()
            .reduce(|a, b| if b > a { b } else { a });
        metrics
            .lower
            .extend(least.and_then(shorter_lower).map(|datum| (field.id, datum)));
        metrics
            .upper
            .extend(most.and_then(shorter_upper).map(|datum| (field.id, datum)));
    }
    Ok(metrics)
}

/// The values of an array that has one for each row group. Other programs may have widened the
/// field since.
fn data(array: &ArrayRef, primitive: &PrimitiveType) -> Result<Vec<Datum>> {
    let wide = type_to_arrow_type(&Type::Primitive(primitive.clone()));
    let wide = wide.map_err(super::error::iceberg("reading a bound"))?;
    // The names of zones and the widths of offsets are not what this is about.
    let array = match (array.data_type(), &wide) {
        (Arrow::Int32, Arrow::Int64)
        | (Arrow::Float32, Arrow::Float64)
        | (Arrow::Decimal128(..), Arrow::Decimal128(..)) => {
            &cast(array, &wide).map_err(arrow("reading a bound"))?
        }
        _ => array,
    };
    let rows = (0..array.len()).filter(|&row| array.is_valid(row));
    let datum = |row: usize| -> Result<Datum> {
        Ok(match primitive {
            PrimitiveType::Boolean => Datum::bool(array.as_boolean().value(row)),
            PrimitiveType::Int => Datum::int(array.as_primitive::<Int32Type>().value(row)),
            PrimitiveType::Long => Datum::long(array.as_primitive::<Int64Type>().value(row)),
            PrimitiveType::Float => Datum::float(array.as_primitive::<Float32Type>().value(row)),
            PrimitiveType::Double => Datum::double(array.as_primitive::<Float64Type>().value(row)),
            PrimitiveType::Date => Datum::date(array.as_primitive::<Date32Type>().value(row)),
            PrimitiveType::Time => {
                let micros = array.as_primitive::<Time64MicrosecondType>().value(row);
                Datum::time_micros(micros).map_err(super::error::iceberg("reading a bound"))?
            }
            PrimitiveType::Timestamp => {
                Datum::timestamp_micros(array.as_primitive::<TimestampMicrosecondType>().value(row))
            }
            PrimitiveType::Timestamptz => Datum::timestamptz_micros(
                array.as_primitive::<TimestampMicrosecondType>().value(row),
            ),
            PrimitiveType::Decimal { .. } => {
                let value = array.as_primitive::<Decimal128Type>().value(row);
                let datum = Datum::try_from_bytes(&value.to_be_bytes(), primitive.clone());
                datum.map_err(super::error::iceberg("reading a bound"))?
            }
            PrimitiveType::String => Datum::string(array.as_string::<i32>().value(row)),
            PrimitiveType::Binary => Datum::binary(array.as_binary::<i32>().value(row).to_vec()),
            other => return Err(Error::bug(format!("files have no columns of type {other}"))),
        })
    };
    rows.map(datum).collect()
}

/// A bound that is at most as great.
fn shorter_lower(bound: Datum) -> Option<Datum> {
    match bytes_of(&bound) {
        Text::String(text) => Some(Datum::string(
            text.chars().take(LONGEST).collect::<String>(),
        )),
        Text::Bytes(bytes) => Some(Datum::binary(bytes.into_iter().take(LONGEST))),
        Text::Neither => Some(bound),
    }
}

/// A bound that is at least as great; none where there is no such short one.
fn shorter_upper(bound: Datum) -> Option<Datum> {
    match bytes_of(&bound) {
        Text::String(text) => {
            let mut short: Vec<char> = text.chars().take(LONGEST).collect();
            if short.len() == text.chars().count() {
                return Some(bound);
            }
            loop {
                let last = short.pop()?;
                if let Some(next) = after(last) {
                    short.push(next);
                    return Some(Datum::string(short.into_iter().collect::<String>()));
                }
            }
        }
        Text::Bytes(mut bytes) => {
            if bytes.len() <= LONGEST {
                return Some(bound);
            }
            bytes.truncate(LONGEST);
            loop {
                let last = bytes.pop()?;
                if let Some(next) = last.checked_add(1) {
                    bytes.push(next);
                    return Some(Datum::binary(bytes));
                }
            }
        }
        Text::Neither => Some(bound),
    }
}

/// The character after `c` in the order of UTF-8.
fn after(c: char) -> Option<char> {
    // Behind the last character before the surrogates comes the first behind them.
    if c == '\u{d7ff}' {
        return Some('\u{e000}');
    }
    char::from_u32(u32::from(c) + 1)
}

enum Text {
    String(String),
    Bytes(Vec<u8>),
    Neither,
}

fn bytes_of(bound: &Datum) -> Text {
    use ::iceberg::spec::PrimitiveLiteral;
    match (bound.data_type(), bound.literal()) {
        (PrimitiveType::String, PrimitiveLiteral::String(text)) => Text::String(text.clone()),
        (PrimitiveType::Binary, PrimitiveLiteral::Binary(bytes)) => Text::Bytes(bytes.clone()),
        _ => Text::Neither,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_long_bound_becomes_a_shorter_one_on_its_own_side() {
        let long = "abcdefghijklmnopqrstuvwxyz";
        assert_eq!(
            shorter_lower(Datum::string(long)),
            Some(Datum::string("abcdefghijklmnop"))
        );
        assert_eq!(
            shorter_upper(Datum::string(long)),
            Some(Datum::string("abcdefghijklmnoq"))
        );
        assert_eq!(
            shorter_upper(Datum::string("abc")),
            Some(Datum::string("abc"))
        );
        let last = format!("a{}", "\u{10ffff}".repeat(20));
        assert_eq!(
            shorter_upper(Datum::string(&last)),
            Some(Datum::string("b"))
        );
        assert_eq!(shorter_upper(Datum::string("\u{10ffff}".repeat(20))), None);
        assert_eq!(shorter_upper(Datum::binary(vec![255; 20])), None);
        let surrogate = format!("{}\u{d7ff}x", "a".repeat(15));
        let next = format!("{}\u{e000}", "a".repeat(15));
        assert_eq!(
            shorter_upper(Datum::string(surrogate)),
            Some(Datum::string(next))
        );
    }
}
