//! DuckDB's rows in the texts of the SQL API.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Float32Type, Float64Type, Time64MicrosecondType, TimestampMicrosecondType,
};
use arrow_array::{Array, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{DataType, TimeUnit};
use serde::Serialize;

/// A column of an answer.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Column {
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    scale: Option<i8>,
    nullable: bool,
}

/// An answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Option<String>>>,
}

impl Rows {
    /// An answer of texts.
    pub(super) fn of_texts(names: &[&str], rows: Vec<Vec<Option<String>>>) -> Self {
        let column = |name: &&str| Column {
            name: (*name).to_owned(),
            kind: "text",
            scale: None,
            nullable: true,
        };
        Self {
            columns: names.iter().map(column).collect(),
            rows,
        }
    }

    /// The columns of a schema, without rows.
    pub(super) fn of_schema(schema: &arrow_schema::Schema) -> Self {
        let columns = schema.fields().iter().map(|field| {
            let (kind, scale) = kind(field.data_type());
            Column {
                name: field.name().clone(),
                kind,
                scale,
                nullable: true,
            }
        });
        Self {
            columns: columns.collect(),
            rows: Vec::new(),
        }
    }

    /// Adds rows.
    pub(super) fn add(&mut self, batch: &RecordBatch) {
        for row in 0..batch.num_rows() {
            let cells = batch
                .columns()
                .iter()
                .map(|array| cell(array.as_ref(), row));
            self.rows.push(cells.collect());
        }
    }
}

fn kind(data_type: &DataType) -> (&'static str, Option<i8>) {
    match data_type {
        DataType::Boolean => ("boolean", None),
        DataType::Decimal128(_, scale) => ("fixed", Some(*scale)),
        DataType::Float32 | DataType::Float64 => ("real", None),
        DataType::Date32 => ("date", None),
        DataType::Time64(_) => ("time", Some(9)),
        DataType::Timestamp(_, None) => ("timestamp_ntz", Some(9)),
        DataType::Timestamp(_, Some(_)) => ("timestamp_tz", Some(9)),
        DataType::Binary => ("binary", None),
        number if number.is_integer() => ("fixed", Some(0)),
        _ => ("text", None),
    }
}

fn cell(array: &dyn Array, row: usize) -> Option<String> {
    if array.is_null(row) {
        return None;
    }
    Some(match array.data_type() {
        DataType::Boolean => array.as_boolean().value(row).to_string(),
        DataType::Float32 => array.as_primitive::<Float32Type>().value(row).to_string(),
        DataType::Float64 => array.as_primitive::<Float64Type>().value(row).to_string(),
        DataType::Date32 => array.as_primitive::<Date32Type>().value(row).to_string(),
        DataType::Time64(TimeUnit::Microsecond) => {
            seconds(array.as_primitive::<Time64MicrosecondType>().value(row))
        }
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let at = seconds(array.as_primitive::<TimestampMicrosecondType>().value(row));
            match zone {
                None => at,
                Some(_) => format!("{at} 1440"),
            }
        }
        DataType::Binary => {
            let bytes = array.as_binary::<i32>().value(row);
            bytes.iter().map(|byte| format!("{byte:02X}")).collect()
        }
        DataType::Utf8 => array.as_string::<i32>().value(row).to_owned(),
        _ => other(array, row),
    })
}

/// Seconds with nine digits after the point.
fn seconds(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let micros = micros.unsigned_abs();
    format!("{sign}{}.{:06}000", micros / 1_000_000, micros % 1_000_000)
}

fn other(array: &dyn Array, row: usize) -> String {
    let options = FormatOptions::default().with_display_error(true);
    let formatter = ArrayFormatter::try_new(array, &options).expect("every type can be shown");
    formatter.value(row).to_string()
}
