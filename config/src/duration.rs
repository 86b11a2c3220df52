//! Lengths of time: `30s`, `5m`, `1h30m`, `1d`.

use std::time::Duration as Time;

use crate::written::written;

pub(crate) const FORMAT: &str = "duration";
const HELP: &str = "a length of time is written like 30s, 5m, 1h30m or 1d";
const UNITS: [(&str, u64); 6] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
    ("w", 604_800_000),
];

/// A length of time as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Duration(pub(crate) Time);

/// Reads a length of time.
///
/// # Errors
/// A sentence that does not repeat the text.
pub(crate) fn parse(text: &str) -> Result<Time, String> {
    sum(text, exact).map_err(|why| match (why, meant(text)) {
        (Misread::Form, Some(meant)) => format!("{HELP}; did you mean `{meant}`?"),
        (Misread::Form, None) => HELP.to_owned(),
        (Misread::TooLong, _) => "this is longer than can be counted".to_owned(),
        (Misread::Zero, _) => "a length of time must be more than zero".to_owned(),
    })
}

/// What was probably meant by `5 min`, `every 10 seconds` or `hourly`, as it is written.
pub(crate) fn meant(text: &str) -> Option<String> {
    let text = text.trim().to_lowercase();
    let text = text.strip_prefix("every").unwrap_or(&text).trim();
    let word = match text {
        "minute" | "minutely" => "1m",
        "hour" | "hourly" => "1h",
        "day" | "daily" => "1d",
        "week" | "weekly" => "1w",
        text => text,
    };
    let close: String = word.split_whitespace().collect();
    sum(&close, roughly).ok().map(|length| write(&length))
}

/// A length of time as it is written, in the largest units that leave no rest.
pub(crate) fn write(length: &Time) -> String {
    let mut rest = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    // Weeks are read and not written: 14d says more than 2w to most.
    for (unit, millis) in UNITS.iter().rev().skip(1) {
        if rest >= *millis {
            text += &format!("{}{unit}", rest / millis);
            rest %= millis;
        }
    }
    text
}

/// Why a text is no length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Misread {
    Form,
    TooLong,
    Zero,
}

/// Adds up amounts with the units that `unit` knows, in milliseconds.
fn sum(text: &str, unit: fn(&str) -> Option<u64>) -> Result<Time, Misread> {
    let mut rest = text.trim();
    let mut sum = 0u64;
    if rest.is_empty() {
        return Err(Misread::Form);
    }
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit())
            .ok_or(Misread::Form)?;
        let amount: u64 = rest[..digits].parse().map_err(|_| Misread::Form)?;
        rest = &rest[digits..];
        let letters = rest
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(rest.len());
        let millis = unit(&rest[..letters]).ok_or(Misread::Form)?;
        sum = amount
            .checked_mul(millis)
            .and_then(|part| sum.checked_add(part))
            .ok_or(Misread::TooLong)?;
        rest = &rest[letters..];
    }
    match sum {
        0 => Err(Misread::Zero),
        millis => Ok(Time::from_millis(millis)),
    }
}

fn exact(word: &str) -> Option<u64> {
    let known = UNITS.into_iter().find(|(unit, _)| *unit == word);
    known.map(|(_, millis)| millis)
}

/// The unit as people write it.
fn roughly(word: &str) -> Option<u64> {
    let unit = match word {
        "msec" | "msecs" | "millis" | "millisecond" | "milliseconds" => "ms",
        "sec" | "secs" | "second" | "seconds" => "s",
        "min" | "mins" | "minute" | "minutes" => "m",
        "hr" | "hrs" | "hour" | "hours" => "h",
        "day" | "days" => "d",
        "wk" | "week" | "weeks" => "w",
        word => word,
    };
    exact(unit)
}

written!(Duration, FORMAT, read);

fn read(text: &str) -> Result<Duration, String> {
    parse(text).map(Duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_add_up() {
        for (text, millis) in [
            ("500ms", 500),
            ("30s", 30_000),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("1d", 86_400_000),
        ] {
            assert_eq!(parse(text), Ok(Time::from_millis(millis)), "{text}");
        }
        for text in [
            "",
            "5",
            "m",
            "5 minutes",
            "5minutes",
            "0s",
            "-1s",
            "99999999999999999w",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_was_meant_is_said() {
        for (text, written) in [
            ("5 min", Some("5m")),
            ("5 minutes", Some("5m")),
            ("every 90 seconds", Some("1m30s")),
            ("Hourly", Some("1h")),
            ("1 h 30 min", Some("1h30m")),
            ("2 weeks", Some("14d")),
            ("1 month", None),
            ("often", None),
            ("5", None),
        ] {
            assert_eq!(meant(text).as_deref(), written, "{text}");
        }
        let why = parse("10 seconds").expect_err("units are short");
        assert!(why.ends_with("did you mean `10s`?"), "{why}");
    }
}
