//! Amounts of memory: `512MiB`, `2GB`, or a number of bytes.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

pub(crate) const FORMAT: &str = "size";
const HELP: &str = "an amount of memory is written like 512MiB, 2GB or 1048576";
const UNITS: [(&str, u64); 10] = [
    ("", 1),
    ("b", 1),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
];

/// An amount of memory, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

/// Reads an amount of memory as bytes.
///
/// # Errors
/// A sentence that does not repeat the text.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let amount: u64 = text[..digits].parse().map_err(|_| HELP)?;
    let unit = text[digits..].trim().to_lowercase();
    let (_, bytes) = UNITS
        .into_iter()
        .find(|(known, _)| *known == unit)
        .ok_or(HELP)?;
    match amount.checked_mul(bytes) {
        None => Err("this is more than can be counted".to_owned()),
        Some(0) => Err("an amount of memory must be more than zero".to_owned()),
        Some(bytes) => Ok(bytes),
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Bytes(u64),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Bytes(bytes) => Ok(Self(bytes)),
            Written::Text(text) => parse(&text).map(Self).map_err(de::Error::custom),
        }
    }
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "integer"], "format": FORMAT, "minimum": 1})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_two_kinds_are_known() {
        for (text, bytes) in [
            ("512MiB", 512 << 20),
            ("2GB", 2_000_000_000),
            ("64 kib", 64 << 10),
            ("1024", 1024),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
        for text in [
            "",
            "MiB",
            "0",
            "1.5GB",
            "512M",
            "99999999999999999999",
            "99999999TiB",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
