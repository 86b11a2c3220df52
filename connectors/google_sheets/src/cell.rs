//! What a cell holds: from a value and the format of its number to a value with a type.
//!
//! Google keeps a date as a number, the days since 1899-12-30 by the spreadsheet's own clock, and only
//! the format tells that it is one. Dates stay what that clock showed, without a zone.

use serde_json::Value;

/// A cell's value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Empty,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds of a day.
    Time(i64),
    /// Microseconds since 1970-01-01, by the spreadsheet's clock.
    Timestamp(i64),
    Text(String),
    /// A formula failed.
    Failed,
}

/// How the number in a cell is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    #[default]
    Plain,
    /// Money, shares and whatever else has digits after the point.
    Fraction,
    Date,
    DateTime,
    Time,
    /// Hours beyond a day.
    Duration,
    /// The cell holds what a formula failed with.
    Failed,
}

/// The day of the serial number 0, in days since 1970.
const EPOCH: i64 = -25_569;
const DAY_MS: i64 = 86_400_000;
/// 9999-12-31, the last day that Google shows.
const LAST: f64 = 2_958_466.0;
/// 0001-01-01.
const FIRST: f64 = -693_593.0;
/// Beyond this a float no longer tells whole numbers apart; what is larger stays one all the same.
const WHOLE: f64 = 9.2e18;

/// What a formula can fail with.
const FAILURES: [&str; 9] = [
    "#N/A", "#REF!", "#DIV/0!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!", "#ERROR!", "#SPILL!",
];

impl Format {
    /// Reads a cell of a grid.
    pub(crate) fn read(cell: &Value) -> Self {
        if cell.pointer("/effectiveValue/errorValue").is_some() {
            return Self::Failed;
        }
        let Some(number) = cell.pointer("/effectiveFormat/numberFormat") else {
            return Self::Plain;
        };
        let text = |name: &str| number.get(name).and_then(Value::as_str).unwrap_or_default();
        let pattern = text("pattern");
        match text("type") {
            "DATE" => Self::Date,
            "DATE_TIME" => Self::DateTime,
            // `[h]` counts on beyond a day, `h` begins again.
            "TIME" if pattern.contains('[') => Self::Duration,
            "TIME" => Self::Time,
            "CURRENCY" | "PERCENT" | "SCIENTIFIC" => Self::Fraction,
            _ if [".0", ".#", ".?", "%"]
                .iter()
                .any(|part| pattern.contains(part)) =>
            {
                Self::Fraction
            }
            _ => Self::Plain,
        }
    }
}

impl Cell {
    /// Whether only the format tells what a value is.
    pub(crate) fn needs_format(value: &Value) -> bool {
        match value {
            Value::Number(_) => true,
            // A text may read like a failure, and is none.
            Value::String(text) => FAILURES.contains(&text.as_str()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
        }
    }

    /// Takes a value, unformatted, and how it is shown.
    pub(crate) fn new(value: &Value, format: Format) -> Self {
        match value {
            _ if format == Format::Failed => Self::Failed,
            Value::Null => Self::Empty,
            Value::Bool(truth) => Self::Bool(*truth),
            Value::String(text) if text.is_empty() => Self::Empty,
            Value::String(text) => Self::Text(text.clone()),
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) if format == Format::Plain => Self::Int(whole),
                (_, Some(float)) => Self::number(float, format),
                (whole, None) => whole.map_or(Self::Empty, Self::Int),
            },
            // The API has no such values.
            other @ (Value::Array(_) | Value::Object(_)) => Self::Text(other.to_string()),
        }
    }

    fn number(number: f64, format: Format) -> Self {
        let is_day = (FIRST..LAST).contains(&number);
        match format {
            Format::Date if is_day && is_whole_day(number) => Self::Date(day(number)),
            Format::Date | Format::DateTime if is_day => {
                Self::Timestamp((milliseconds(number) + EPOCH * DAY_MS) * 1000)
            }
            Format::Time if (0..DAY_MS).contains(&milliseconds(number)) => {
                Self::Time(milliseconds(number) * 1000)
            }
            Format::Time | Format::Duration if number.abs() < LAST => {
                Self::Text(hours(milliseconds(number)))
            }
            Format::Plain => whole(number).map_or(Self::Float(number), Self::Int),
            // A date that no calendar has is shown as a number, too.
            Format::Fraction
            | Format::Date
            | Format::DateTime
            | Format::Time
            | Format::Duration
            | Format::Failed => Self::Float(number),
        }
    }

    /// What it says as a text, where it says something.
    pub(crate) fn as_text(&self) -> Option<String> {
        Some(match self {
            Self::Empty | Self::Failed => return None,
            Self::Bool(truth) => truth.to_string(),
            Self::Int(number) => number.to_string(),
            Self::Float(number) => number.to_string(),
            Self::Date(day) => date(*day).to_string(),
            Self::Time(micros) => hours(micros / 1000),
            Self::Timestamp(micros) => chrono::DateTime::from_timestamp_micros(*micros)
                .map(|at| at.format("%Y-%m-%d %H:%M:%S").to_string())
                .unwrap_or_default(),
            Self::Text(text) => text.clone(),
        })
    }

    /// What it says as the name of a column: on one line.
    pub(crate) fn as_name(&self) -> String {
        let text = self.as_text().unwrap_or_default();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// A fingerprint's share of it.
    pub(crate) fn hash_into(&self, hasher: &mut blake3::Hasher) {
        let mut put = |tag: u8, bytes: &[u8]| {
            hasher.update(&[tag]);
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        };
        match self {
            Self::Empty => put(0, &[]),
            Self::Bool(truth) => put(1, &[u8::from(*truth)]),
            Self::Int(number) => put(2, &number.to_le_bytes()),
            Self::Float(number) => put(3, &number.to_le_bytes()),
            Self::Date(day) => put(4, &day.to_le_bytes()),
            Self::Time(micros) => put(5, &micros.to_le_bytes()),
            Self::Timestamp(micros) => put(6, &micros.to_le_bytes()),
            Self::Text(text) => put(7, text.as_bytes()),
            Self::Failed => put(8, &[]),
        }
    }

    /// Bytes in memory, roughly.
    pub(crate) fn size(&self) -> usize {
        let text = match self {
            Self::Text(text) => text.len(),
            _ => 0,
        };
        size_of::<Self>() + text
    }
}

/// The whole number that a float is, where it is one.
fn whole(number: f64) -> Option<i64> {
    #[allow(clippy::cast_possible_truncation)] // it was looked at
    (number.fract() == 0.0 && number.abs() < WHOLE).then_some(number as i64)
}

#[allow(clippy::cast_possible_truncation)] // within the calendar
fn milliseconds(days: f64) -> i64 {
    (days * 86_400_000.0).round() as i64
}

fn is_whole_day(number: f64) -> bool {
    milliseconds(number) % DAY_MS == 0
}

fn day(number: f64) -> i32 {
    let days = milliseconds(number).div_euclid(DAY_MS) + EPOCH;
    i32::try_from(days).unwrap_or_default()
}

fn date(day: i32) -> chrono::NaiveDate {
    chrono::NaiveDate::default() + chrono::TimeDelta::days(i64::from(day))
}

/// `36:00:00`, with as many hours as there are.
fn hours(milliseconds: i64) -> String {
    let sign = if milliseconds < 0 { "-" } else { "" };
    let all = milliseconds.abs();
    let (seconds, rest) = (all / 1000, all % 1000);
    let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match rest {
        0 => format!("{sign}{h:02}:{m:02}:{s:02}"),
        rest => format!("{sign}{h:02}:{m:02}:{s:02}.{rest:03}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_is_what_its_format_says() {
        let micros = 1_000_000;
        for (value, format, expected) in [
            (json!(46_024), Format::Plain, Cell::Int(46_024)),
            (json!(46_024), Format::Date, Cell::Date(20_455)),
            (json!(0), Format::Date, Cell::Date(-25_569)),
            (json!(25_569), Format::Date, Cell::Date(0)),
            (
                json!(46_024.5),
                Format::DateTime,
                Cell::Timestamp((20_455 * 86_400 + 43_200) * micros),
            ),
            (
                json!(46_024.25),
                Format::Date,
                Cell::Timestamp((20_455 * 86_400 + 21_600) * micros),
            ),
            (json!(0.5), Format::Time, Cell::Time(43_200 * micros)),
            (json!(1.5), Format::Time, Cell::Text("36:00:00".to_owned())),
            (
                json!(0.25),
                Format::Duration,
                Cell::Text("06:00:00".to_owned()),
            ),
            (
                json!(-0.5),
                Format::Duration,
                Cell::Text("-12:00:00".to_owned()),
            ),
            (json!(10), Format::Fraction, Cell::Float(10.0)),
            (json!(0.125), Format::Fraction, Cell::Float(0.125)),
            (json!(7.0), Format::Plain, Cell::Int(7)),
            (
                json!(1e18),
                Format::Plain,
                Cell::Int(1_000_000_000_000_000_000),
            ),
            (json!(1e20), Format::Plain, Cell::Float(1e20)),
            (json!(9e9), Format::Date, Cell::Float(9e9)),
            (json!("#N/A"), Format::Failed, Cell::Failed),
            (json!("#N/A"), Format::Plain, Cell::Text("#N/A".to_owned())),
            (json!(""), Format::Plain, Cell::Empty),
            (json!(true), Format::Plain, Cell::Bool(true)),
        ] {
            assert_eq!(Cell::new(&value, format), expected, "{value} {format:?}");
        }
    }

    /// A float is never exactly a second: 0.1 of a day is 8640.000000000002 seconds.
    #[test]
    fn a_time_is_rounded_to_milliseconds() {
        let at = |serial: f64| Cell::new(&json!(serial), Format::DateTime);
        assert_eq!(at(25_569.1), Cell::Timestamp(8_640_000_000));
        assert_eq!(at(25_568.999_999_999_99), Cell::Timestamp(0));
    }

    #[test]
    fn formats_are_read() {
        let read = |kind: &str, pattern: &str| {
            Format::read(
                &json!({"effectiveFormat": {"numberFormat": {"type": kind, "pattern": pattern}}}),
            )
        };
        assert_eq!(read("DATE", "m/d/yyyy"), Format::Date);
        assert_eq!(read("DATE_TIME", "m/d/yyyy h:mm"), Format::DateTime);
        assert_eq!(read("TIME", "h:mm:ss am/pm"), Format::Time);
        assert_eq!(read("TIME", "[h]:mm:ss"), Format::Duration);
        assert_eq!(read("NUMBER", "0"), Format::Plain);
        assert_eq!(read("NUMBER", "#,##0.00"), Format::Fraction);
        assert_eq!(read("CURRENCY", "$0"), Format::Fraction);
        assert_eq!(read("TEXT", "@"), Format::Plain);
        assert_eq!(Format::read(&json!({})), Format::Plain);
        let failed = json!({"effectiveValue": {"errorValue": {"type": "N_A"}}});
        assert_eq!(Format::read(&failed), Format::Failed);
    }

    #[test]
    fn a_header_may_be_anything() {
        for (cell, name) in [
            (Cell::Text(" two\nlines ".to_owned()), "two lines"),
            (Cell::Int(0), "0"),
            (Cell::Int(2023), "2023"),
            (Cell::Bool(true), "true"),
            (Cell::Date(20_455), "2026-01-02"),
            (Cell::Failed, ""),
        ] {
            assert_eq!(cell.as_name(), name);
        }
    }
}
