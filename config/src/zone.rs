//! Time zones by their IANA names.

use std::borrow::Cow;

use chrono_tz::Tz;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

pub(crate) const FORMAT: &str = "time-zone";

/// A time zone as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeZone(pub(crate) Tz);

/// Reads a time zone.
///
/// # Errors
/// A sentence that does not repeat the text.
pub(crate) fn parse(text: &str) -> Result<Tz, String> {
    text.trim()
        .parse()
        .map_err(|_| "a time zone is a name such as Europe/Berlin or UTC".to_owned())
}

impl<'de> Deserialize<'de> for TimeZone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).map(Self).map_err(de::Error::custom)
    }
}

impl JsonSchema for TimeZone {
    fn schema_name() -> Cow<'static, str> {
        "TimeZone".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": FORMAT,
            "examples": ["UTC", "Europe/Berlin"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_have_names() {
        assert_eq!(parse("Europe/Berlin"), Ok(chrono_tz::Europe::Berlin));
        assert_eq!(parse("UTC"), Ok(chrono_tz::UTC));
        assert!(parse("Berlin").is_err() && parse("").is_err());
    }
}
