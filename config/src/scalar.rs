//! What an unquoted word means: the core schema of YAML 1.2, in which `yes` and `on` are text.

use saphyr_parser::{ScalarStyle, Tag};
use serde_json::{Number, Value};

/// The value of a scalar.
///
/// # Errors
/// A sentence, where its tag is not one of YAML's own.
pub(crate) fn read(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, String> {
    let Some(tag) = tag else {
        return Ok(match style {
            ScalarStyle::Plain => plain(text),
            _ => Value::from(text),
        });
    };
    let value = match tag.suffix.as_str() {
        "str" if tag.is_yaml_core_schema() => Some(Value::from(text)),
        "int" | "float" | "bool" | "null" if tag.is_yaml_core_schema() => Some(plain(text)),
        _ => None,
    };
    value.ok_or_else(|| format!("the tag `{tag}` means nothing here"))
}

fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => number(text).map_or_else(|| Value::from(text), Value::Number),
    }
}

/// Reads a number as YAML 1.2 writes them.
pub(crate) fn number(text: &str) -> Option<Number> {
    let radix = |prefix, radix| {
        let digits = text.strip_prefix(prefix)?;
        u64::from_str_radix(digits, radix).ok().map(Number::from)
    };
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let whole = || {
        text.trim_start_matches('+')
            .parse::<i64>()
            .ok()
            .map(Number::from)
    };
    let large = || text.parse::<u64>().ok().map(Number::from);
    let fraction = || text.parse::<f64>().ok().and_then(Number::from_f64);
    radix("0x", 16)
        .or_else(|| radix("0o", 8))
        .or_else(whole)
        .or_else(large)
        .or_else(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn words_are_read_as_yaml_1_2_says() {
        for (text, value) in [
            ("", Value::Null),
            ("~", Value::Null),
            ("yes", json!("yes")),
            ("true", json!(true)),
            ("3306", json!(3306)),
            ("-1", json!(-1)),
            ("0x10", json!(16)),
            ("1.5", json!(1.5)),
            ("18446744073709551615", json!(u64::MAX)),
            ("2024-01-01", json!("2024-01-01")),
            ("5m", json!("5m")),
            ("127.0.0.1:8642", json!("127.0.0.1:8642")),
        ] {
            assert_eq!(plain(text), value, "{text}");
        }
    }
}
