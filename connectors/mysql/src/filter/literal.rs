//! The constants of a filter.

use tributary_model::Result;

use super::number::Exact;
use super::refused;

/// A constant.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    /// Without an exponent: the server compares it digit by digit.
    Number(Exact),
    /// With an exponent: the server compares it as a DOUBLE.
    Double(f64),
    /// A text, or a date: the column decides.
    Text(String),
    /// Nothing.
    Null,
}

/// The server's own limit of a constant's digits.
const DIGITS: usize = 65;

impl Literal {
    /// Reads a number.
    ///
    /// # Errors
    /// Fails where it has more digits than the server takes, or is no number.
    pub(super) fn number(negative: bool, text: &str) -> Result<Self> {
        if text.contains(['e', 'E']) {
            let number: f64 = text.parse().unwrap_or(f64::INFINITY);
            if !number.is_finite() {
                return Err(refused(
                    format!("has {text}, which no DOUBLE can hold"),
                    "Write a smaller number.",
                ));
            }
            return Ok(Self::Double(if negative { -number } else { number }));
        }
        if text.len() > DIGITS {
            return Err(refused(
                format!("has a number of {} digits", text.len()),
                "65 are the most.",
            ));
        }
        Ok(Self::Number(Exact::read(negative, text)))
    }
}

/// A text as a date or a moment: 26 characters that sort as what they stand for.
///
/// # Errors
/// Fails on what no calendar has, on other formats and on zones, as the rest of a sentence.
pub(super) fn moment(text: &str, column: Moments) -> Result<String> {
    let wrong = || {
        let (example, kind) = match column {
            Moments::Date => ("'2024-01-31'", "a DATE"),
            Moments::Time => (
                "'2024-01-31' or '2024-01-31 12:30:00'",
                "a DATETIME or TIMESTAMP",
            ),
        };
        refused(
            format!("`where` compares {kind} with '{text}'"),
            format!(
                "Write a date of the calendar like {example}, without a zone; TIMESTAMP is in UTC."
            ),
        )
    };
    let (day, time) = match text.split_once([' ', 'T']) {
        Some((day, time)) => (day, Some(time)),
        None => (text, None),
    };
    let day = chrono::NaiveDate::parse_from_str(day, "%Y-%m-%d")
        .ok()
        .filter(|_| day.len() == 10);
    let day = day
        .filter(|day| chrono::Datelike::year(day) >= 1)
        .ok_or_else(wrong)?;
    let time = match (time, column) {
        (None, _) => chrono::NaiveTime::MIN,
        // How the server compares a DATE with a moment differs from version to version.
        (Some(_), Moments::Date) => return Err(wrong()),
        (Some(time), Moments::Time) => clock(time).ok_or_else(wrong)?,
    };
    Ok(day
        .and_time(time)
        .format("%Y-%m-%d %H:%M:%S%.6f")
        .to_string())
}

/// What a column of dates holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moments {
    /// Days.
    Date,
    /// Moments.
    Time,
}

fn clock(text: &str) -> Option<chrono::NaiveTime> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_plain = whole.len() == 8 && fraction.len() <= 6 && !text.ends_with('.');
    // A leap second, which the library takes, is none of the server's.
    let time = chrono::NaiveTime::parse_from_str(text, "%H:%M:%S%.f").ok()?;
    (is_plain && !whole.ends_with("60")).then_some(time)
}
