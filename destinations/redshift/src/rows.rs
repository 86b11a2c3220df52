//! Rows on their way into the warehouse: as what they go through Parquet, and what becomes of them.
//!
//! `COPY` reads few types of Parquet for certain, and gives its columns to those of the table by their
//! order. So rows are copied into a table of the file's very columns, under plain names, and taken from
//! there by an `INSERT` that makes of each value what the column holds. // G5

use std::fmt::Write;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Time64MicrosecondType, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, TimestampMicrosecondArray,
};
use arrow_cast::cast;
use arrow_schema::{DataType as Arrow, Field, Schema, SchemaRef};
use tributary_model::{DataType, Error, Mode, Op, Result, TablePlan};
use tributary_sql::{Dialect, VALID_FROM};

use crate::dialect::DIALECT;

/// A column of the file.
#[derive(Clone, Debug)]
struct Carried {
    arrow: Arrow,
    sql_type: String,
    /// The column that it is for, and the value of it.
    name: String,
    value: String,
}

/// The columns of a file, and the statements that take them further.
#[derive(Clone, Debug)]
pub(crate) struct Freight {
    columns: Vec<Carried>,
    schema: SchemaRef,
}

/// A column of ours beside those of the plan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Own {
    pub(crate) name: &'static str,
    pub(crate) data_type: DataType,
}

impl Freight {
    /// The columns of the plan, and these after them.
    pub(crate) fn new(plan: &TablePlan, own: &[Own]) -> Result<Self> {
        let planned = plan.columns.iter().map(|c| (c.name.as_str(), c.data_type));
        let own = own.iter().map(|own| (own.name, own.data_type));
        let columns = planned.chain(own).enumerate();
        let columns: Vec<Carried> = columns
            .map(|(place, (name, data_type))| carried(place, name, data_type))
            .collect::<Result<_>>()?;
        let fields = columns.iter().enumerate();
        let fields =
            fields.map(|(place, column)| Field::new(place_name(place), column.arrow.clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(Self { columns, schema })
    }

    /// As what rows are written.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Rows as they are written.
    pub(crate) fn load(&self, columns: &[ArrayRef]) -> Result<RecordBatch> {
        let arrays = columns.iter().zip(&self.columns);
        let arrays: Vec<ArrayRef> = arrays
            .map(|(array, column)| carry(array, &column.arrow))
            .collect::<Result<_>>()?;
        RecordBatch::try_new(self.schema.clone(), arrays)
            .map_err(|cause| Error::bug("rows can't be staged as what they are").because(cause))
    }

    /// Makes the table that files are copied into.
    pub(crate) fn create(&self, table: &str) -> String {
        let columns = self.columns.iter().enumerate();
        let columns: Vec<String> = columns
            .map(|(place, column)| format!("{} {}", place_name(place), column.sql_type))
            .collect();
        format!(
            "{} ({})",
            DIALECT.create_temporary(table),
            columns.join(", ")
        )
    }

    /// Takes the rows of `from` into `table`, a full name, with the same values in every row besides.
    pub(crate) fn insert(&self, table: &str, from: &str, same: &[(&str, String)]) -> String {
        let names = self.columns.iter().map(|column| column.name.as_str());
        let names = names.chain(same.iter().map(|(name, _)| *name));
        let names: Vec<String> = names.map(|name| DIALECT.quote(name)).collect();
        let values = self.columns.iter().map(|column| column.value.as_str());
        let values: Vec<&str> = values
            .chain(same.iter().map(|(_, value)| value.as_str()))
            .collect();
        format!(
            "INSERT INTO {table} ({}) SELECT {} FROM {}",
            names.join(", "),
            values.join(", "),
            DIALECT.quote(from)
        )
    }
}

fn place_name(place: usize) -> String {
    format!("c{place}")
}

fn carried(place: usize, name: &str, data_type: DataType) -> Result<Carried> {
    let here = place_name(place);
    let sql_type = DIALECT
        .type_name(data_type)
        .ok_or_else(|| Error::bug(format!("rows of type {data_type} were to be staged")))?;
    let text = "VARCHAR(65535)".to_owned();
    let (arrow, sql_type, value) = match data_type {
        DataType::UInt64 => (Arrow::Decimal128(20, 0), sql_type, here),
        DataType::TimestampTz => (
            DataType::Timestamp.to_arrow(),
            "TIMESTAMP".to_owned(),
            format!("{here} AT TIME ZONE 'UTC'"),
        ),
        DataType::Time => (Arrow::Utf8, text, format!("CAST({here} AS TIME)")),
        DataType::Bytes => (Arrow::Utf8, text, format!("FROM_HEX({here})")),
        DataType::Json => (Arrow::Utf8, text, format!("JSON_PARSE({here})")),
        other => (other.to_arrow(), sql_type, here),
    };
    Ok(Carried {
        arrow,
        sql_type,
        name: name.to_owned(),
        value,
    })
}

/// An array as the type that goes into the file.
fn carry(array: &ArrayRef, to: &Arrow) -> Result<ArrayRef> {
    match (array.data_type(), to) {
        (from, to) if from == to => Ok(array.clone()),
        (Arrow::Time64(_), Arrow::Utf8) => Ok(times(array)),
        (Arrow::Binary, Arrow::Utf8) => Ok(digits(array)),
        (Arrow::Timestamp(_, Some(_)), Arrow::Timestamp(_, None)) => {
            let instants = array.as_primitive::<TimestampMicrosecondType>().clone();
            Ok(Arc::new(instants.with_timezone_opt::<&str>(None)))
        }
        (_, to) => cast(array, to)
            .map_err(|cause| Error::bug("a column can't be staged as what it is").because(cause)),
    }
}

/// Times of day as text; Redshift's `COPY` has no way for them.
fn times(array: &ArrayRef) -> ArrayRef {
    let mut texts = StringBuilder::new();
    for micros in array.as_primitive::<Time64MicrosecondType>() {
        texts.append_option(micros.map(|micros| {
            let (seconds, rest) = (micros / 1_000_000, micros % 1_000_000);
            let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
            format!("{hours:02}:{minutes:02}:{:02}.{rest:06}", seconds % 60)
        }));
    }
    Arc::new(texts.finish())
}

/// Bytes as hexadecimal digits.
fn digits(array: &ArrayRef) -> ArrayRef {
    let mut texts = StringBuilder::new();
    let mut digits = String::new();
    for bytes in array.as_binary::<i32>() {
        let Some(bytes) = bytes else {
            texts.append_null();
            continue;
        };
        digits.clear();
        for byte in bytes {
            let _ = write!(digits, "{byte:02x}");
        }
        texts.append_value(&digits);
    }
    Arc::new(texts.finish())
}

/// Rows that begin the history of their keys: where the source does not say when, it is when the load
/// began.
pub(crate) fn begun(plan: &TablePlan, rows: &RecordBatch, began: i64) -> Result<RecordBatch> {
    let place = plan.columns.iter().position(|c| c.name == VALID_FROM);
    let Some(place) = place.filter(|_| plan.mode == Mode::History) else {
        return Ok(rows.clone());
    };
    let mut columns = rows.columns().to_vec();
    let told = columns[place].as_primitive::<TimestampMicrosecondType>();
    let from: TimestampMicrosecondArray = told.iter().map(|at| Some(at.unwrap_or(began))).collect();
    columns[place] = Arc::new(from.with_timezone("UTC"));
    RecordBatch::try_new(rows.schema(), columns)
        .map_err(|cause| Error::bug("versions could not be made").because(cause))
}

/// Whether a row is what was deleted.
pub(crate) fn is_delete(op: Op) -> bool {
    matches!(op, Op::Delete | Op::Truncate)
}

/// Which of the rows are deletes.
pub(crate) fn deletes(ops: &[Op]) -> BooleanArray {
    ops.iter().map(|op| Some(is_delete(*op))).collect()
}

/// The numbers of staged rows.
pub(crate) fn numbers(from: i64, count: usize) -> Int64Array {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    Int64Array::from_iter_values(from..from + count)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use arrow_array::{BinaryArray, StringArray, Time64MicrosecondArray, UInt64Array};

    use super::*;

    #[test]
    fn what_copy_does_not_read_goes_as_what_it_does() {
        let times: ArrayRef = Arc::new(Time64MicrosecondArray::from(vec![
            Some(86_399_999_999),
            Some(86_400_000_000),
            None,
        ]));
        let texts = carry(&times, &Arrow::Utf8).unwrap();
        let expected =
            StringArray::from(vec![Some("23:59:59.999999"), Some("24:00:00.000000"), None]);
        assert_eq!(texts.as_string::<i32>(), &expected);
        let bytes: ArrayRef = Arc::new(BinaryArray::from_opt_vec(vec![
            Some(b"\0\xff"),
            Some(b""),
            None,
        ]));
        let texts = carry(&bytes, &Arrow::Utf8).unwrap();
        let expected = StringArray::from(vec![Some("00ff"), Some(""), None]);
        assert_eq!(texts.as_string::<i32>(), &expected);
        let numbers: ArrayRef = Arc::new(UInt64Array::from(vec![u64::MAX]));
        let decimals = carry(&numbers, &Arrow::Decimal128(20, 0)).unwrap();
        let decimals = decimals.as_primitive::<arrow_array::types::Decimal128Type>();
        assert_eq!(decimals.value(0), i128::from(u64::MAX));
    }
}
