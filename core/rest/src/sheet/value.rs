//! What one JSON value is as a value of a type; `None` where it is not one without loss. // G5

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use tributary_model::DataType;

use crate::json::{Kind, Raw};

/// The least type that holds a value as it is.
pub(super) fn type_of(raw: Raw<'_>) -> DataType {
    match raw.kind() {
        Kind::Bool => DataType::Bool,
        Kind::Text => DataType::Text,
        Kind::Null | Kind::List | Kind::Object => DataType::Json,
        Kind::Number if int(raw).is_some() => DataType::Int64,
        Kind::Number if uint(raw).is_some() => DataType::UInt64,
        Kind::Number if float(raw).is_some() => DataType::Float64,
        // More digits than any number of ours: as JSON it stays what it is.
        Kind::Number => DataType::Json,
    }
}

pub(super) fn truth(raw: Raw<'_>) -> Option<bool> {
    match raw.as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

pub(super) fn int(raw: Raw<'_>) -> Option<i64> {
    (raw.kind() == Kind::Number).then(|| raw.as_str().parse().ok())?
}

pub(super) fn uint(raw: Raw<'_>) -> Option<u64> {
    (raw.kind() == Kind::Number).then(|| raw.as_str().parse().ok())?
}

/// A number as a float, where the float has all its digits.
pub(super) fn float(raw: Raw<'_>) -> Option<f64> {
    /// Digits that every float holds.
    const EXACT: usize = 15;
    if raw.kind() != Kind::Number {
        return None;
    }
    let text = raw.as_str();
    let number: f64 = text
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite())?;
    let mantissa = text.split(['e', 'E']).next().unwrap_or(text);
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    // Below the normal ones a float has fewer digits, and in the end none.
    let is_normal = number.is_normal() || !mantissa.bytes().any(|byte| matches!(byte, b'1'..=b'9'));
    if (is_normal && digits <= EXACT) || same_digits(text, number) {
        return Some(number);
    }
    None
}

/// Whether the shortest text of a float has the digits of `text`.
fn same_digits(text: &str, number: f64) -> bool {
    let digits = |text: &str| {
        let mantissa = text.split(['e', 'E']).next().unwrap_or(text);
        let kept: String = mantissa.chars().filter(char::is_ascii_digit).collect();
        kept.trim_matches('0').to_owned()
    };
    digits(text) == digits(&format!("{number:e}"))
}

/// A text; a number or truth value where the column is known to hold texts.
pub(super) fn text(raw: Raw<'_>) -> Option<Cow<'_, str>> {
    match raw.kind() {
        Kind::Text => Some(raw.text()),
        Kind::Null | Kind::Bool | Kind::Number | Kind::List | Kind::Object => None,
    }
}

pub(super) fn days(raw: Raw<'_>) -> Option<i32> {
    let text = text(raw)?;
    let date = NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok()?;
    i32::try_from(date.signed_duration_since(NaiveDate::default()).num_days()).ok()
}

/// A time in microseconds; a zone must be there for an instant, and must not be for the other.
pub(super) fn micros(raw: Raw<'_>, data_type: DataType) -> Option<i64> {
    let text = text(raw)?;
    if data_type == DataType::TimestampTz {
        let time = DateTime::parse_from_rfc3339(&text)
            .or_else(|_| DateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f%z"))
            .ok()?;
        return exact(time.timestamp_micros(), time.timestamp_subsec_nanos());
    }
    let patterns = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"];
    let time = patterns
        .iter()
        .find_map(|pattern| NaiveDateTime::parse_from_str(&text, pattern).ok())?
        .and_utc();
    exact(time.timestamp_micros(), time.timestamp_subsec_nanos())
}

fn exact(micros: i64, nanos: u32) -> Option<i64> {
    nanos.is_multiple_of(1000).then_some(micros)
}

/// A decimal number, written as a number or as a text, scaled up to a whole one.
pub(super) fn decimal(raw: Raw<'_>, data_type: DataType) -> Option<i128> {
    let DataType::Decimal(digits, scale) = data_type else {
        return None;
    };
    let text = match raw.kind() {
        Kind::Number => Cow::Borrowed(raw.as_str()),
        Kind::Text => raw.text(),
        Kind::Null | Kind::Bool | Kind::List | Kind::Object => return None,
    };
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((&text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = whole.strip_prefix('-').unwrap_or(whole);
    if unsigned.is_empty() || !plain(unsigned) || !plain(fraction) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let shift =
        i64::from(scale) + exponent.parse::<i64>().ok()? - i64::try_from(fraction.len()).ok()?;
    let number: i128 = format!("{whole}{fraction}").parse().ok()?;
    let scaled = shifted(number, shift)?;
    let limit = 10_i128.checked_pow(u32::from(digits))?;
    (scaled.unsigned_abs() < limit.unsigned_abs()).then_some(scaled)
}

/// `number` times ten to the `shift`, where that is a whole number.
fn shifted(number: i128, shift: i64) -> Option<i128> {
    if number == 0 {
        return Some(0);
    }
    let power = 10_i128.checked_pow(u32::try_from(shift.unsigned_abs()).ok()?)?;
    match shift {
        0.. => number.checked_mul(power),
        _ => (number % power == 0).then(|| number / power),
    }
}

/// The text of a JSON value without the white space between its parts.
pub(super) fn compact(raw: Raw<'_>, bytes: &mut Vec<u8>) {
    let text = raw.as_str().as_bytes();
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
    if !matches!(raw.kind(), Kind::List | Kind::Object) || !text.iter().any(is_space) {
        bytes.extend_from_slice(text);
        return;
    }
    let (mut from, mut at) = (0, 0);
    while at < text.len() {
        match text[at] {
            b'"' => at = string_end(text, at),
            byte if is_space(&byte) => {
                bytes.extend_from_slice(&text[from..at]);
                at += text[at..].iter().take_while(|byte| is_space(byte)).count();
                from = at;
            }
            _ => at += 1,
        }
    }
    bytes.extend_from_slice(&text[from..]);
}

/// The place after the string that begins at `start`.
fn string_end(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(step) = memchr::memchr2(b'"', b'\\', &text[at..]) {
        at += step;
        if text[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    text.len()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Raw<'_> {
        Raw::parse(text).unwrap()
    }

    #[test]
    fn numbers_keep_all_their_digits_or_stay_text() {
        for (text, expected) in [
            ("1", DataType::Int64),
            ("-9223372036854775808", DataType::Int64),
            ("18446744073709551615", DataType::UInt64),
            ("18446744073709551616", DataType::Json),
            ("0.1", DataType::Float64),
            ("1.0", DataType::Float64),
            ("0.1000000000000000055511151231257827", DataType::Json),
            ("3.141592653589793", DataType::Float64),
            ("1e999", DataType::Json),
            ("1e3", DataType::Float64),
            ("1e400", DataType::Json),
            ("1e-400", DataType::Json),
            ("1.2345678e-320", DataType::Json),
            ("0.0e-400", DataType::Float64),
            ("5e-324", DataType::Float64),
        ] {
            assert_eq!(type_of(raw(text)), expected, "{text}");
        }
    }

    #[test]
    fn times_and_decimals_are_exact() {
        let instant = |text| micros(raw(text), DataType::TimestampTz);
        assert_eq!(
            instant("\"2024-01-31T13:30:45.5+01:00\""),
            Some(1_706_704_245_500_000)
        );
        assert_eq!(instant("\"2024-01-31T13:30:45\""), None);
        assert_eq!(instant("\"2024-01-31T13:30:45.0000001Z\""), None);
        assert_eq!(days(raw("\"1970-01-02\"")), Some(1));
        let money = |text| decimal(raw(text), DataType::Decimal(6, 2));
        assert_eq!((money("12.5"), money("\"-0.05\"")), (Some(1250), Some(-5)));
        assert_eq!(
            (money("1.005"), money("12345"), money("\"x\"")),
            (None, None, None)
        );
        assert_eq!(
            (money("1.5E+2"), money("1200e-3")),
            (Some(15000), Some(120))
        );
        assert_eq!((money("1.5e-2"), money("1e99999999999")), (None, None));
        assert_eq!((money("0e999"), money("-0.10")), (Some(0), Some(-10)));
    }

    #[test]
    fn compact_json_has_no_white_space_outside_of_texts() {
        let mut bytes = Vec::new();
        compact(
            raw("{ \"a b\" : [ 1,\n 2 ], \"c\\\" d\": \"e  f\" }"),
            &mut bytes,
        );
        assert_eq!(bytes, br#"{"a b":[1,2],"c\" d":"e  f"}"#);
    }
}
