//! One canonical text for each value, whatever system printed it.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use serde_json::Value;

/// A decimal number without idle zeros: `12.30` and `+12.3` are `12.3`, `-0.00` is `0`.
pub(crate) fn decimal(text: &str) -> String {
    let text = text.trim().trim_start_matches('+');
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    match (whole, fraction.trim_end_matches('0')) {
        ("0", "") => "0".to_owned(),
        (whole, "") => format!("{sign}{whole}"),
        (whole, fraction) => format!("{sign}{whole}.{fraction}"),
    }
}

/// A binary floating point number: the shortest decimal that reads back as the same.
pub(crate) fn float(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    format!("{value}")
}

/// Microseconds since 1970 as `2024-01-02 03:04:05.6`.
pub(crate) fn timestamp(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros).map_or_else(
        || format!("{micros}us"),
        |instant| moment(&instant.naive_utc()),
    )
}

/// A date and time as `2024-01-02 03:04:05.6`.
pub(crate) fn moment(value: &NaiveDateTime) -> String {
    let text = value.format("%Y-%m-%d %H:%M:%S%.6f").to_string();
    trim_fraction(&text)
}

/// Days since 1970 as `2024-01-02`.
pub(crate) fn date(days: i32) -> String {
    NaiveDate::from_epoch_days(days).map_or_else(
        || format!("{days}d"),
        |date| date.format("%Y-%m-%d").to_string(),
    )
}

/// Microseconds since midnight as `03:04:05.6`.
pub(crate) fn time(micros: i64) -> String {
    let seconds = u32::try_from(micros.div_euclid(1_000_000)).unwrap_or(u32::MAX);
    let nanos = u32::try_from(micros.rem_euclid(1_000_000) * 1000).unwrap_or(0);
    NaiveTime::from_num_seconds_from_midnight_opt(seconds, nanos)
        .map_or_else(|| format!("{micros}us"), |time| clock(&time))
}

fn clock(time: &NaiveTime) -> String {
    let text = format!(
        "{:02}:{:02}:{:02}.{:06}",
        time.hour(),
        time.minute(),
        time.second(),
        time.nanosecond() / 1000
    );
    trim_fraction(&text)
}

/// Takes idle zeros off the fraction of a second.
pub(crate) fn trim_fraction(text: &str) -> String {
    match text.split_once('.') {
        Some((whole, fraction)) => match fraction.trim_end_matches('0') {
            "" => whole.to_owned(),
            fraction => format!("{whole}.{fraction}"),
        },
        None => text.to_owned(),
    }
}

/// Reads a timestamp as any system prints it, with or without UTC's many signs.
pub(crate) fn parse_timestamp(text: &str) -> Option<String> {
    let text = text.trim_end_matches('Z').trim_end_matches(" UTC");
    let text = text
        .trim_end_matches(":00")
        .strip_suffix("+00")
        .map_or(text, str::trim_end);
    ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .map(|value| moment(&value))
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// JSON with its keys sorted and no idle space; what is no JSON stays as it is.
pub(crate) fn json(text: &str) -> String {
    serde_json::from_str::<Value>(text)
        .map_or_else(|_| text.to_owned(), |value| sorted(value).to_string())
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.into_iter().collect();
            fields.sort_by(|a, b| a.0.cmp(&b.0));
            fields
                .into_iter()
                .map(|(name, value)| (name, sorted(value)))
                .collect()
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_one_text() {
        assert_eq!(decimal("012.30"), "12.3");
        assert_eq!(decimal("-0.00"), "0");
        assert_eq!(decimal("100"), "100");
        assert_eq!(float(f64::from(0.5f32)), "0.5");
        assert_eq!(timestamp(1_500_000), "1970-01-01 00:00:01.5");
        assert_eq!(timestamp(-1), "1969-12-31 23:59:59.999999");
        assert_eq!(date(-1), "1969-12-31");
        assert_eq!(time(86_399_000_000), "23:59:59");
        assert_eq!(json(r#"{"b": 1, "a": [2 ]}"#), r#"{"a":[2],"b":1}"#);
    }

    #[test]
    fn timestamps_are_read_in_all_their_spellings() {
        for text in [
            "2024-01-02 03:04:05.600000",
            "2024-01-02T03:04:05.6Z",
            "2024-01-02 03:04:05.6+00",
            "2024-01-02T03:04:05.6+00:00",
            "2024-01-02 03:04:05.6 UTC",
        ] {
            assert_eq!(
                parse_timestamp(text).as_deref(),
                Some("2024-01-02 03:04:05.6"),
                "{text}"
            );
        }
        assert_eq!(
            parse_timestamp("2024-01-02 03:04:00").as_deref(),
            Some("2024-01-02 03:04:00")
        );
    }
}
