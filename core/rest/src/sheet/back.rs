//! From a column back to a JSON value, for whoever looks at single rows.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType, UInt64Type,
};
use chrono::{DateTime, NaiveDate, SecondsFormat, TimeDelta};
use serde_json::Value;
use tributary_model::DataType;

/// The value of a row; `None` where it is null.
pub(crate) fn value_at(array: &dyn Array, row: usize, data_type: DataType) -> Option<Value> {
    if array.is_null(row) {
        return None;
    }
    Some(match data_type {
        DataType::Bool => array.as_boolean().value(row).into(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).into(),
        DataType::UInt64 => array.as_primitive::<UInt64Type>().value(row).into(),
        DataType::Float64 => array.as_primitive::<Float64Type>().value(row).into(),
        DataType::Date => {
            let days = array.as_primitive::<Date32Type>().value(row);
            let date = NaiveDate::default() + TimeDelta::days(days.into());
            date.to_string().into()
        }
        DataType::Timestamp | DataType::TimestampTz => {
            let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
            let time = DateTime::from_timestamp_micros(micros)?;
            time.to_rfc3339_opts(SecondsFormat::AutoSi, true).into()
        }
        DataType::Decimal(..) => array
            .as_primitive::<Decimal128Type>()
            .value_as_string(row)
            .into(),
        DataType::Json => {
            let text = array.as_string::<i32>().value(row);
            serde_json::from_str(text).unwrap_or_else(|_| text.into())
        }
        DataType::Int16
        | DataType::Int32
        | DataType::Float32
        | DataType::Time
        | DataType::Text
        | DataType::Bytes => array.as_string_opt::<i32>()?.value(row).into(),
    })
}
