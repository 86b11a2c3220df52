//! What the SQL API answers: columns, and rows in texts of its own.
//!
//! Days come as a count, instants as seconds with nine digits after the point; they are turned into
//! ISO form here.

use chrono::{DateTime, NaiveDate};
use serde::Deserialize;
use serde_json::Value;
use tributary_model::{Error, ErrorKind, Result};

/// A column of an answer.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// In lower case: `fixed`, `text`, `timestamp_tz` and so on.
    #[serde(rename = "type")]
    pub(crate) kind: String,
}

/// One piece of an answer.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Partition {}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MetaData {
    #[serde(default)]
    pub(crate) row_type: Vec<Column>,
    #[serde(default)]
    pub(crate) partition_info: Vec<Partition>,
}

/// A reply of the service, whatever it is about.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reply {
    #[serde(default)]
    pub(crate) code: Option<String>,
    #[serde(default)]
    pub(crate) message: Option<String>,
    #[serde(default)]
    pub(crate) sql_state: Option<String>,
    #[serde(default)]
    pub(crate) statement_handle: Option<String>,
    #[serde(default)]
    pub(crate) statement_handles: Vec<String>,
    #[serde(default)]
    pub(crate) result_set_meta_data: Option<MetaData>,
    #[serde(default)]
    pub(crate) data: Vec<Vec<Option<String>>>,
}

/// Rows of an answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Vec<Option<String>>>,
}

impl Rows {
    /// A cell that must be there.
    pub(crate) fn text(row: &[Option<String>], place: usize) -> Result<&str> {
        let cell = row.get(place).and_then(Option::as_deref);
        cell.ok_or_else(|| malformed("a value is missing in an answer"))
    }

    /// A whole number that must be there.
    pub(crate) fn number(row: &[Option<String>], place: usize) -> Result<u64> {
        Self::text(row, place)?
            .parse()
            .map_err(|_| malformed("a number in an answer is none"))
    }
}

/// The error of an answer that is not what the service promises.
pub(crate) fn malformed(what: &str) -> Error {
    Error::new(
        ErrorKind::Malformed,
        format!("Snowflake's answer can't be read: {what}"),
    )
    .fix("Look whether a proxy changes answers on their way.")
}

/// A value as JSON: numbers that JSON readers keep exactly are numbers, bytes are hexadecimal, the
/// rest is text.
pub(crate) fn cell(column: &Column, text: &str) -> Value {
    match column.kind.as_str() {
        "fixed" => whole(text),
        "real" => {
            let number = text.parse().ok().and_then(serde_json::Number::from_f64);
            number.map_or_else(|| text.into(), Value::Number)
        }
        "boolean" => Value::Bool(matches!(text, "true" | "1" | "TRUE")),
        "binary" => text.to_ascii_lowercase().into(),
        kind => plain(kind, text).into(),
    }
}

/// A value as text in ISO form, instants in UTC.
pub(crate) fn plain(kind: &str, text: &str) -> String {
    let shown = match kind {
        "date" => text.parse().ok().and_then(date),
        "time" => moment(text).map(|at| at.format("%H:%M:%S%.f").to_string()),
        "timestamp_ntz" => moment(text).map(|at| at.format("%Y-%m-%dT%H:%M:%S%.f").to_string()),
        // What follows the space is where it was told, in minutes; the instant comes before it.
        "timestamp_tz" | "timestamp_ltz" => text
            .split(' ')
            .next()
            .and_then(moment)
            .map(|at| at.format("%Y-%m-%dT%H:%M:%S%.fZ").to_string()),
        _ => None,
    };
    shown.unwrap_or_else(|| text.to_owned())
}

fn date(days: i32) -> Option<String> {
    NaiveDate::from_epoch_days(days).map(|day| day.to_string())
}

/// Seconds with a fraction.
fn moment(text: &str) -> Option<DateTime<chrono::Utc>> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = whole.parse().ok()?;
    let nanos: u32 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    // -0.5 is half a second before, where the whole part alone says nothing of a sign.
    match whole.starts_with('-') && nanos > 0 {
        true => DateTime::from_timestamp(seconds - 1, 1_000_000_000 - nanos),
        false => DateTime::from_timestamp(seconds, nanos),
    }
}

fn whole(text: &str) -> Value {
    match (text.parse::<i64>(), text.parse::<u64>()) {
        (Ok(number), _) => number.into(),
        (_, Ok(number)) => number.into(),
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn cells_are_what_json_can_keep() {
        for (kind, text, value) in [
            ("fixed", "-9223372036854775808", json!(i64::MIN)),
            ("fixed", "18446744073709551615", json!(u64::MAX)),
            ("fixed", "1.50", json!("1.50")),
            (
                "fixed",
                "99999999999999999999",
                json!("99999999999999999999"),
            ),
            ("real", "0.1", json!(0.1)),
            ("real", "NaN", json!("NaN")),
            ("boolean", "false", json!(false)),
            ("binary", "00FF", json!("00ff")),
            ("date", "-354285", json!("1000-01-01")),
            ("time", "86399.999999000", json!("23:59:59.999999")),
            ("timestamp_ntz", "0.000000000", json!("1970-01-01T00:00:00")),
            (
                "timestamp_ntz",
                "-0.500000000",
                json!("1969-12-31T23:59:59.500"),
            ),
            (
                "timestamp_tz",
                "1.000001000 1440",
                json!("1970-01-01T00:00:01.000001Z"),
            ),
            ("variant", "{}", json!("{}")),
        ] {
            let column = Column {
                name: "c".to_owned(),
                kind: kind.to_owned(),
            };
            assert_eq!(cell(&column, text), value, "{kind} {text}");
        }
    }
}
