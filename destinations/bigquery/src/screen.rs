//! What BigQuery can't hold as what it is. // G5
//!
//! How rows are screened for that is in [`tributary_sql::screen`].

use serde_json::Value;
use tributary_model::{Batch, Result, TablePlan};
use tributary_sql::{Lengths, Limits, Screened, json_fault};

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;
/// From the year 1 to 9999.
const FIRST_DAY: i32 = -719_162;
const LAST_DAY: i32 = 2_932_896;
/// A request has at most ten million bytes, and a row fits into one.
const VALUE: usize = 9_000_000;
const COLUMN: usize = 400;

const LIMITS: Limits = Limits {
    warehouse: "BigQuery",
    times: 0..=DAY - 1,
    dates: FIRST_DAY..=LAST_DAY,
    instants: FIRST_DAY as i64 * DAY..=(LAST_DAY as i64 + 1) * DAY - 1,
    json: document_fault,
    lengths: Some(Lengths {
        value: VALUE,
        binary: None,
        key: VALUE,
        forbidden: None,
    }),
};

/// Takes the rows out that can't be held.
pub(crate) fn screen(plan: &TablePlan, batch: Batch) -> Result<Screened> {
    // What Arrow adds for each column: its ends, padded, and the layout.
    let most = VALUE.saturating_sub(plan.columns.len() * COLUMN);
    tributary_sql::screen_rows(&LIMITS, most, plan, batch)
}

/// Why `text` can't be a document, which keeps whole numbers of 64 bits and doubles, and rounds others.
fn document_fault(text: &str) -> Option<String> {
    if let Some(fault) = json_fault(text) {
        return Some(fault);
    }
    numbers(text)
        .find(|number| !is_exact(number))
        .map(|number| format!("BigQuery's JSON does not keep the number {number} exactly"))
}

/// Whether a number comes back as what it is.
fn is_exact(number: &str) -> bool {
    let is_whole = !number.contains(['.', 'e', 'E']);
    if is_whole {
        return number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok();
    }
    let Ok(Value::Number(read)) = serde_json::from_str(number) else {
        return false;
    };
    // Zeros and the way of writing mean nothing; digits do.
    let digits = |text: &str| {
        let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
        let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
        digits.trim_matches('0').to_owned()
    };
    digits(number) == digits(&read.to_string())
}

/// The numbers in a text that is JSON.
fn numbers(text: &str) -> impl Iterator<Item = &str> {
    let bytes = text.as_bytes();
    let (mut at, mut inside) = (0, false);
    std::iter::from_fn(move || {
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, RecordBatch, StringArray};
    use tributary_model::{
        DataType, Deletes, Mode, Op, Presence, StreamName, TableColumn, TableName,
    };

    use super::*;

    #[test]
    fn a_row_fits_into_one_request() {
        let text = |name: &str| TableColumn {
            name: name.to_owned(),
            data_type: DataType::Text,
            default: None,
        };
        let plan = TablePlan {
            stream: StreamName::within("shop", "notes"),
            table: TableName {
                schema: "shop".to_owned(),
                table: "notes".to_owned(),
            },
            mode: Mode::Append,
            deletes: Deletes::Hard,
            columns: vec![text("a"), text("b")],
            key: Vec::new(),
        };
        let half = "x".repeat(5_000_000);
        let column = || -> ArrayRef { Arc::new(StringArray::from(vec!["short", &half])) };
        let rows = RecordBatch::try_from_iter([("a", column()), ("b", column())]).unwrap();
        let batch = Batch {
            plan: Arc::new(plan.clone()),
            ops: vec![Op::Create; 2],
            presence: Presence::Possible,
            rows,
        };
        let screened = screen(&plan, batch).unwrap();
        assert_eq!(screened.rows.num_rows(), 1);
        assert_eq!(screened.rejected.len(), 1);
        assert!(screened.rejected[0].reason.contains("10000000 bytes"));
    }

    #[test]
    fn a_document_keeps_its_numbers_or_is_rejected() {
        for good in [
            "{}",
            r#"{"a":[1,null,-2.5e10,0.1,1.50,"1e999",18446744073709551615]}"#,
            "-9223372036854775808",
            "1.7976931348623157e308",
        ] {
            assert_eq!(document_fault(good), None, "{good}");
        }
        for bad in [
            "{",
            "18446744073709551616",
            "-9223372036854775809",
            "[\"x\", 123456789012345678901234567890]",
            "0.12345678901234567890123",
        ] {
            assert!(document_fault(bad).is_some(), "{bad}");
        }
    }
}
