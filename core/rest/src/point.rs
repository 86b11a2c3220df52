//! Places on a cursor field's axis: milliseconds since 1970, or a plain number.
//!
//! Invariant: what is written in a format reads back as the same point, rounded down to the format's
//! grain.

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, Utc};
use serde_json::Value;

/// Milliseconds since 1970, or a number where the field is one.
pub(crate) type Point = i64;

/// Milliseconds of a second.
pub(crate) const SECOND: i64 = 1000;
/// Milliseconds of a day.
pub(crate) const DAY: i64 = 86_400_000;

/// How an API writes its points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// `2024-01-31T12:00:00Z`.
    Rfc3339,
    /// Seconds since 1970.
    Unix,
    /// Milliseconds since 1970.
    UnixMs,
    /// `2024-01-31`.
    Date,
    /// A number that only grows.
    Int,
    /// A pattern such as `%Y%m%dT%H`, in UTC.
    Pattern(String),
}

impl Format {
    /// Reads the word of a manifest.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "rfc3339" => Self::Rfc3339,
            "unix" => Self::Unix,
            "unix_ms" => Self::UnixMs,
            "date" => Self::Date,
            "int" => Self::Int,
            pattern if pattern.contains('%') => Self::Pattern(pattern.to_owned()),
            _ => return None,
        })
    }

    /// The least distance of two points that can be told apart.
    pub(crate) fn grain(&self) -> i64 {
        match self {
            Self::Rfc3339 | Self::Unix => SECOND,
            Self::UnixMs | Self::Int => 1,
            Self::Date => DAY,
            Self::Pattern(pattern) if pattern.contains("%S") => SECOND,
            Self::Pattern(pattern) if pattern.contains("%M") => 60 * SECOND,
            Self::Pattern(pattern) if pattern.contains("%H") => 3600 * SECOND,
            Self::Pattern(_) => DAY,
        }
    }

    /// Whether points are times.
    pub(crate) fn is_time(&self) -> bool {
        !matches!(self, Self::Int)
    }

    /// The text of a point.
    pub(crate) fn write(&self, point: Point) -> String {
        match self {
            Self::Rfc3339 => {
                let form = match point.rem_euclid(SECOND) {
                    0 => SecondsFormat::Secs,
                    _ => SecondsFormat::Millis,
                };
                time(point).to_rfc3339_opts(form, true)
            }
            Self::Unix => point.div_euclid(SECOND).to_string(),
            Self::UnixMs | Self::Int => point.to_string(),
            Self::Date => date(point),
            Self::Pattern(pattern) => time(point).format(pattern).to_string(),
        }
    }

    /// The point of a record's value.
    pub(crate) fn read(&self, value: &Value) -> Option<Point> {
        match (self, value) {
            (Self::Unix, Value::Number(number)) => match number.as_i64() {
                Some(seconds) => seconds.checked_mul(SECOND),
                None => number.as_f64().map(seconds_to_point),
            },
            (Self::UnixMs | Self::Int, Value::Number(number)) => number.as_i64(),
            // Some APIs filter by seconds what they show as a text.
            (Self::Unix, Value::String(text)) => match text.parse::<i64>() {
                Ok(seconds) => seconds.checked_mul(SECOND),
                Err(_) => read(text),
            },
            (Self::UnixMs | Self::Int, Value::String(text)) => text.parse().ok(),
            (Self::Pattern(pattern), Value::String(text)) => {
                let parsed = NaiveDateTime::parse_from_str(text, pattern).ok();
                parsed
                    .map(|time| time.and_utc().timestamp_millis())
                    .or_else(|| read(text))
            }
            (Self::Rfc3339 | Self::Date, Value::String(text)) => read(text),
            _ => None,
        }
    }
}

#[allow(clippy::cast_possible_truncation)] // a time beyond the range is no time
fn seconds_to_point(seconds: f64) -> Point {
    (seconds * 1000.0).floor() as Point
}

fn time(point: Point) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(point).unwrap_or_default()
}

/// `2024-01-31`.
pub(crate) fn date(point: Point) -> String {
    time(point).format("%Y-%m-%d").to_string()
}

/// Reads a time as people and APIs write it: RFC 3339, without a zone (then UTC), or a date alone.
pub(crate) fn read(text: &str) -> Option<Point> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.timestamp_millis());
    }
    for pattern in ["%Y-%m-%dT%H:%M:%S%.f%z", "%Y-%m-%d %H:%M:%S%.f %z"] {
        if let Ok(time) = DateTime::parse_from_str(text, pattern) {
            return Some(time.timestamp_millis());
        }
    }
    for pattern in ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"] {
        if let Ok(time) = NaiveDateTime::parse_from_str(text, pattern) {
            return Some(time.and_utc().timestamp_millis());
        }
    }
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    Some(day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis())
}

/// The greatest multiple of `grain` that is not above `point`.
pub(crate) fn floor(point: Point, grain: i64) -> Point {
    point - point.rem_euclid(grain.max(1))
}

/// The least multiple of `grain` above `point`.
pub(crate) fn above(point: Point, grain: i64) -> Point {
    floor(point, grain) + grain.max(1)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn points_survive_every_format() {
        let point = 1_706_704_245_000;
        for (format, text) in [
            ("rfc3339", "2024-01-31T12:30:45Z"),
            ("unix", "1706704245"),
            ("unix_ms", "1706704245000"),
            ("date", "2024-01-31"),
            ("int", "1706704245000"),
            ("%Y%m%dT%H", "20240131T12"),
        ] {
            let format = Format::parse(format).unwrap();
            assert_eq!(format.write(point), text);
            if !matches!(format, Format::Pattern(_)) {
                let back = format.read(&json!(text)).unwrap();
                assert_eq!(back, floor(point, format.grain()), "{text}");
            }
        }
        assert_eq!(Format::Unix.read(&json!(17)), Some(17_000));
        assert_eq!(
            Format::Rfc3339.read(&json!("2024-01-31T13:30:45+01:00")),
            Some(point)
        );
    }

    #[test]
    fn grains_round() {
        assert_eq!(
            (floor(1999, 1000), above(1999, 1000), above(2000, 1000)),
            (1000, 2000, 3000)
        );
        assert_eq!(floor(-1, 1000), -1000);
    }
}
