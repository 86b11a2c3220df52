//! What Snowflake can't hold as what it is. // G5
//!
//! How rows are screened for that is in [`tributary_sql::screen`]. A file with such a value would fail
//! the whole `COPY`, or the value would be changed on its way.

use tributary_model::{Batch, DataType, Result, TablePlan};
use tributary_sql::{Lengths, Limits, Screened, json_fault};

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;
/// 1 January of the year 1, and 31 December of the year 9999.
const FIRST_DAY: i32 = -719_162;
const LAST_DAY: i32 = 2_932_896;
/// Bytes of a text.
const TEXT: usize = 16 << 20;
/// Bytes of a BINARY.
const BINARY: usize = 8 << 20;
/// Digits of a number in a VARIANT that is kept as a decimal, and as a floating-point one.
const DIGITS: usize = 38;
const FLOAT_DIGITS: usize = 15;

/// Takes the rows out that can't be held.
pub(crate) fn screen(plan: &TablePlan, batch: Batch) -> Result<Screened> {
    let has_bytes = plan
        .columns
        .iter()
        .any(|column| column.data_type == DataType::Bytes);
    let limits = Limits {
        warehouse: "Snowflake",
        times: 0..=DAY - 1,
        dates: FIRST_DAY..=LAST_DAY,
        instants: i64::from(FIRST_DAY) * DAY..=(i64::from(LAST_DAY) + 1) * DAY - 1,
        json: variant_fault,
        lengths: Some(Lengths {
            value: if has_bytes { BINARY } else { TEXT },
            binary: None,
            key: TEXT,
            forbidden: None,
        }),
    };
    tributary_sql::screen(&limits, plan, batch)
}

/// Why `text` can't be a VARIANT, which keeps its numbers as what they are.
fn variant_fault(text: &str) -> Option<String> {
    if let Some(fault) = json_fault(text) {
        return Some(fault);
    }
    numbers(text)
        .any(is_changed)
        .then(|| format!("Snowflake can't hold a number of more than {DIGITS} digits in a VARIANT, those behind the point included"))
}

/// The numbers in a text that is JSON.
fn numbers(text: &str) -> impl Iterator<Item = &str> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        let mut inside = false;
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'\\' => at += 1,
                b'"' => inside = !inside,
                b'-' | b'0'..=b'9' if !inside => {
                    let rest = &text[at..];
                    let part_of = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
                    let end = rest.find(|c| !part_of(c)).unwrap_or(rest.len());
                    at += end;
                    return Some(&rest[..end]);
                }
                _ => {}
            }
            at += 1;
        }
        None
    })
}

/// Whether a number would come out as another one.
fn is_changed(number: &str) -> bool {
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (number, None),
    };
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_start_matches('0').len();
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    // A decimal has room for all of them as they are written, a zero before the point included.
    let written = whole.trim_start_matches(['-', '0']).len().max(1) + fraction.len();
    match exponent {
        None => digits > DIGITS || (written > DIGITS && digits > FLOAT_DIGITS),
        Some(_) => {
            let is_zero = digits == 0;
            let value = number.parse::<f64>().unwrap_or(f64::INFINITY);
            digits > FLOAT_DIGITS || !value.is_finite() || (value == 0.0 && !is_zero)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variant_takes_what_is_left_alone() {
        for good in [
            "{}",
            "null",
            r#"{"a":[1,-2.5e10,"1e999"," \"-1e999"],"a":0.0}"#,
            "12345678901234567890123456789012345678",
            "0e0",
            "0.1234567890123456789012345678901234567",
            "-0.00000000000000000000000000000000000000123456789012345",
        ] {
            assert_eq!(variant_fault(good), None, "{good}");
        }
        for bad in [
            "{",
            "123456789012345678901234567890123456789",
            "1e999",
            "1e-999",
            "1.2345678901234567e3",
            "0.12345678901234567890123456789012345678",
            "-0.00000000000000000000000000000000000001234567890123456",
            "0.000000000000000000000000000000000000012345678901234567",
            r#""\ud800""#,
        ] {
            assert!(variant_fault(bad).is_some(), "{bad}");
        }
    }
}
