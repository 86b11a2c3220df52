//! What PostgreSQL can't hold as what it is. // G5
//!
//! How rows are screened for that is in [`tributary_sql::screen`]. Sent as they are, such values would
//! fail the whole `COPY`, or come to mean infinity.

use tributary_model::{Batch, Result, TablePlan};
use tributary_sql::{Lengths, Limits, Screened, escaped_units, json_fault, json_numbers};

/// Microseconds of a day; PostgreSQL knows 24:00:00 too.
const DAY: i64 = 86_400_000_000;
/// From 24 November 4714 BC on, which is day 0 of the Julian count.
const FIRST_DAY: i32 = -2_440_588;
/// 31 December of the year 5874897.
const LAST_DAY: i32 = 2_145_042_905;
const FIRST_INSTANT: i64 = FIRST_DAY as i64 * DAY;
/// Bytes of one value: a little less than a gigabyte, of `jsonb` a quarter of that.
const VALUE: usize = 0x0fff_ff00;
/// Bytes of a key's texts: an entry of an index fits a third of a page, its other columns included.
const KEY: usize = 2500;
/// Digits of a number in `jsonb` before and after the point.
const BEFORE_POINT: i64 = 131_072;
const AFTER_POINT: i64 = 16_383;

const LIMITS: Limits = Limits {
    warehouse: "PostgreSQL",
    times: 0..=DAY,
    dates: FIRST_DAY..=LAST_DAY,
    instants: FIRST_INSTANT..=i64::MAX,
    json: jsonb_fault,
    lengths: Some(Lengths {
        value: VALUE,
        binary: None,
        key: KEY,
        forbidden: Some(0),
    }),
};

/// Takes the rows out that can't be held.
pub(crate) fn screen(plan: &TablePlan, batch: Batch) -> Result<Screened> {
    tributary_sql::screen(&LIMITS, plan, batch)
}

/// Why `text` can't be `jsonb`, which holds its texts and numbers as what they are.
fn jsonb_fault(text: &str) -> Option<String> {
    if let Some(fault) = json_fault(text) {
        return Some(fault);
    }
    if escaped_units(text).any(|(_, unit)| unit == Some(0)) {
        return Some("PostgreSQL can't hold the character U+0000 in a text".to_owned());
    }
    json_numbers(text)
        .any(is_vast)
        .then(|| "PostgreSQL can't hold a number of so many digits".to_owned())
}

fn is_vast(number: &str) -> bool {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| i64::try_from(text.len()).unwrap_or(i64::MAX / 4);
    match exponent.parse::<i32>().map(i64::from) {
        Ok(exponent) => {
            digits(whole) + exponent > BEFORE_POINT || digits(fraction) - exponent > AFTER_POINT
        }
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jsonb_takes_what_is_left_alone() {
        for good in [
            "{}",
            r#"{"a\\u0000":[1,-2.5e10,"1e999999","\"-1e999999"]}"#,
            "1e999",
            "1e-999",
            "123456789012345678901234567890",
            "null",
        ] {
            assert_eq!(jsonb_fault(good), None, "{good}");
        }
        for bad in [
            "{",
            r#""\u0000""#,
            r#"{"a":"\\\u0000"}"#,
            "1e999999",
            r#"["\"", 1e-99999]"#,
            "-1E99999999999999999999",
            r#""\ud800""#,
        ] {
            assert!(jsonb_fault(bad).is_some(), "{bad}");
        }
    }
}
