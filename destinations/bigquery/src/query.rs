//! Questions that a user asks.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::DateTime;
use serde_json::Value;
use tributary_model::{Answer, Error, ErrorKind, Result};

use crate::client::Client;
use crate::names::column_name;

const SELECT: &str = "SELECT";

/// Whether `sql` plainly reads one table and nothing else; then nobody needs to be asked what it is.
fn is_whole_table(sql: &str) -> bool {
    let name = sql.strip_prefix("SELECT * FROM `");
    let name = name.and_then(|rest| rest.strip_suffix('`'));
    name.is_some_and(|name| !name.contains(['`', '\\', '\n']))
}

/// Answers `sql`, one statement that must not change anything.
pub(crate) async fn answer(client: &Client, sql: &str) -> Result<Answer> {
    if sql.trim().is_empty() {
        return Err(Error::new(ErrorKind::Config, "the query is empty"));
    }
    let kind = match is_whole_table(sql) {
        true => SELECT.to_owned(),
        false => {
            let kind = client.jobs.kind(sql).await;
            kind.map_err(|cause| refused(sql, cause))?
        }
    };
    if kind != SELECT {
        let what = format!("the query is not a SELECT (BigQuery calls it {kind}): {sql}");
        return Err(Error::new(ErrorKind::Config, what)
            .fix("Queries only read; change tables with BigQuery's own tools."));
    }
    let rows = client
        .jobs
        .ask(sql, "asking")
        .await
        .map_err(|cause| refused(sql, cause))?;
    let types: Vec<String> = rows.columns.iter().map(|(_, kind)| kind.clone()).collect();
    let cells = |row: Vec<Value>| {
        row.into_iter()
            .zip(&types)
            .map(|(v, kind)| cell(kind, v))
            .collect()
    };
    Ok(Answer {
        columns: rows
            .columns
            .iter()
            .map(|(name, _)| column_name(name))
            .collect(),
        rows: rows.cells.into_iter().map(cells).collect(),
    })
}

/// Numbers that JSON readers keep exactly are numbers, bytes are hexadecimal, the rest is text.
fn cell(sql_type: &str, value: Value) -> Value {
    let Value::String(text) = &value else {
        return value;
    };
    match sql_type {
        "BOOLEAN" | "BOOL" => Value::Bool(text == "true"),
        "INTEGER" | "INT64" | "NUMERIC" | "BIGNUMERIC" => {
            text.parse::<i64>().map_or(value.clone(), Value::from)
        }
        "FLOAT" | "FLOAT64" => {
            let number = text.parse().ok().and_then(serde_json::Number::from_f64);
            number.map_or(value.clone(), Value::Number)
        }
        "BYTES" => STANDARD.decode(text).map_or(value.clone(), |bytes| {
            bytes
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
                .into()
        }),
        "TIMESTAMP" => text
            .parse()
            .ok()
            .and_then(DateTime::from_timestamp_micros)
            .map_or(value.clone(), |at| {
                at.format("%Y-%m-%dT%H:%M:%S%.fZ").to_string().into()
            }),
        _ => value,
    }
}

fn refused(sql: &str, cause: Error) -> Error {
    if !matches!(cause.kind(), ErrorKind::Bug | ErrorKind::Incompatible) {
        return cause;
    }
    Error::new(ErrorKind::Config, format!("the query failed: {sql}"))
        .because(cause.why().unwrap_or_else(|| cause.what()))
        .fix("Correct the SQL; names are written between backticks, as in `dataset.table`.")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_plainly_a_table_is_asked_about() {
        assert!(is_whole_table("SELECT * FROM `p.shop.orders`"));
        for other in [
            "SELECT * FROM `p.a`; DROP TABLE `p.b`",
            "SELECT * FROM `p.a",
            "DELETE FROM `p.a`",
            "SELECT * FROM `a\\`",
        ] {
            assert!(!is_whole_table(other), "{other}");
        }
    }

    #[test]
    fn cells_are_what_json_can_keep() {
        for (sql_type, text, value) in [
            ("BOOLEAN", "false", json!(false)),
            ("INTEGER", "-9223372036854775808", json!(i64::MIN)),
            ("NUMERIC", "1.50", json!("1.50")),
            ("FLOAT", "0.1", json!(0.1)),
            ("FLOAT", "NaN", json!("NaN")),
            ("BYTES", "AP8=", json!("00ff")),
            ("TIMESTAMP", "1500000", json!("1970-01-01T00:00:01.500Z")),
            ("JSON", "{}", json!("{}")),
        ] {
            assert_eq!(cell(sql_type, json!(text)), value, "{sql_type}");
        }
        assert_eq!(cell("INTEGER", Value::Null), Value::Null);
    }
}
