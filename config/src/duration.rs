//! Lengths of time: `30s`, `5m`, `1h30m`, `1d`.

use std::borrow::Cow;
use std::time::Duration as Time;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

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
    let mut rest = text.trim();
    let mut sum = 0u64;
    if rest.is_empty() {
        return Err(HELP.to_owned());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or(HELP)?;
        let amount: u64 = rest[..digits].parse().map_err(|_| HELP)?;
        rest = &rest[digits..];
        let letters = rest
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(rest.len());
        let (_, millis) = UNITS
            .into_iter()
            .find(|(unit, _)| *unit == &rest[..letters])
            .ok_or(HELP)?;
        sum = amount
            .checked_mul(millis)
            .and_then(|part| sum.checked_add(part))
            .ok_or("this is longer than can be counted")?;
        rest = &rest[letters..];
    }
    match sum {
        0 => Err("a length of time must be more than zero".to_owned()),
        millis => Ok(Time::from_millis(millis)),
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).map(Self).map_err(de::Error::custom)
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": FORMAT})
    }
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
}
