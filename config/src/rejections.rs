//! How many rows may be rejected: `1000` in a run, `0.1%` of those read, or `unlimited`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};
use tributary_model::RejectLimit;

pub(crate) const FORMAT: &str = "max-rejected";
const HELP: &str =
    "`max_rejected` is a number of rows such as 1000, a share such as 0.1%, or unlimited";

/// A limit as a user writes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct MaxRejected(pub(crate) RejectLimit);

/// Reads a limit.
///
/// # Errors
/// A sentence that does not repeat the text.
pub(crate) fn parse(text: &str) -> Result<RejectLimit, String> {
    let text = text.trim();
    if text == "unlimited" {
        return Ok(RejectLimit::Unlimited);
    }
    match text.strip_suffix('%') {
        None => text
            .parse()
            .map(RejectLimit::Rows)
            .map_err(|_| HELP.to_owned()),
        Some(percent) => match percent.trim().parse::<f64>() {
            Ok(percent) if (0.0..=100.0).contains(&percent) => {
                Ok(RejectLimit::Share(percent / 100.0))
            }
            Ok(_) => Err("a share is between 0% and 100%".to_owned()),
            Err(_) => Err(HELP.to_owned()),
        },
    }
}

impl<'de> Deserialize<'de> for MaxRejected {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Rows(u64),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Rows(rows) => Ok(Self(RejectLimit::Rows(rows))),
            Written::Text(text) => parse(&text).map(Self).map_err(de::Error::custom),
        }
    }
}

impl JsonSchema for MaxRejected {
    fn schema_name() -> Cow<'static, str> {
        "MaxRejected".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "format": FORMAT,
            "minimum": 0,
            "examples": [1000, "0.1%", "unlimited"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_shares_and_no_limit_are_known() {
        for (text, limit) in [
            ("0", RejectLimit::Rows(0)),
            ("250", RejectLimit::Rows(250)),
            ("50%", RejectLimit::Share(0.5)),
            ("0.5 %", RejectLimit::Share(0.005)),
            ("unlimited", RejectLimit::Unlimited),
        ] {
            assert_eq!(parse(text), Ok(limit), "{text}");
        }
        for text in ["", "-1", "101%", "-1%", "%", "none", "NaN%", "1.5"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
