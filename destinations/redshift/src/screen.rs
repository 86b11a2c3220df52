//! What Redshift can't hold as what it is. // G5
//!
//! How rows are screened for that is in [`tributary_sql::screen`]. Sent as they are, such values would
//! fail the whole `COPY`.

use tributary_model::{Batch, Result, TablePlan};
use tributary_sql::{Lengths, Limits, Screened, escaped_units, json_fault, json_numbers};

use crate::dialect::TEXT_BYTES;

/// Microseconds of a day; Redshift knows 24:00:00 too.
const DAY: i64 = 86_400_000_000;
/// From 0001-01-01 to 9999-12-31: what every reader of Parquet agrees about.
const FIRST_DAY: i32 = -719_162;
const LAST_DAY: i32 = 2_932_896;
const FIRST_INSTANT: i64 = FIRST_DAY as i64 * DAY;
const LAST_INSTANT: i64 = (LAST_DAY as i64 + 1) * DAY - 1;
/// Bytes are carried as digits in a text, two of them each.
const BINARY_BYTES: usize = TEXT_BYTES / 2;
/// Digits of a number that JSON keeps, and how far its point may be from them.
const DIGITS: usize = 38;
const EXPONENT: i32 = 300;

const LIMITS: Limits = Limits {
    warehouse: "Redshift",
    times: 0..=DAY,
    dates: FIRST_DAY..=LAST_DAY,
    instants: FIRST_INSTANT..=LAST_INSTANT,
    json: super_fault,
    lengths: Some(Lengths {
        value: TEXT_BYTES,
        binary: Some(BINARY_BYTES),
        key: usize::MAX,
        forbidden: Some(0),
    }),
};

/// Takes the rows out that can't be held.
pub(crate) fn screen(plan: &TablePlan, batch: Batch) -> Result<Screened> {
    tributary_sql::screen(&LIMITS, plan, batch)
}

/// Why `text` can't be a `SUPER`, which holds its texts and numbers as what they are.
fn super_fault(text: &str) -> Option<String> {
    if let Some(fault) = json_fault(text) {
        return Some(fault);
    }
    if escaped_units(text).any(|(_, unit)| unit == Some(0)) {
        return Some("Redshift can't hold the character U+0000 in a text".to_owned());
    }
    json_numbers(text)
        .any(is_vast)
        .then(|| "Redshift can't hold a number of so many digits".to_owned())
}

fn is_vast(number: &str) -> bool {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let digits = mantissa.trim_start_matches(['-', '0', '.']);
    let digits = digits.bytes().filter(u8::is_ascii_digit).count();
    let is_far = |exponent: i32| !(-EXPONENT..=EXPONENT).contains(&exponent);
    digits > DIGITS || exponent.parse().map_or(true, is_far)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn super_takes_what_is_left_alone() {
        for good in [
            r#"{"a\\u0000":[1,-2.5e10,"1e999999","\"-1e999999"]}"#,
            "12345678901234567890123456789012345678",
            "0.00000000000000000000000000000000000001",
            "1e300",
            "null",
        ] {
            assert_eq!(super_fault(good), None, "{good}");
        }
        for bad in [
            "{",
            r#""\u0000""#,
            "1e999",
            "1E-999",
            "123456789012345678901234567890123456789",
            r#""\ud800""#,
        ] {
            assert!(super_fault(bad).is_some(), "{bad}");
        }
    }
}
