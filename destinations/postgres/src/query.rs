//! Questions that a user asks of the database.

use std::sync::Arc;

use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::{Column, Executor, Row, Statement, TypeInfo, ValueRef};
use tributary_model::{Answer, Error, ErrorKind, Result};

use crate::error::of;
use crate::session::{For, Session};
use crate::settings::Settings;

/// Answers `sql`, one statement that must not change anything.
pub(crate) async fn answer(settings: &Arc<Settings>, sql: &str) -> Result<Answer> {
    if sql.trim().is_empty() {
        return Err(Error::new(ErrorKind::Config, "the query is empty"));
    }
    let mut session = Session::connect(settings).await?;
    session.begin(For::Reading).await?;
    let own_names = "SET LOCAL search_path TO DEFAULT";
    session.run(own_names, "preparing to read").await?;
    // The session ends with the answer, and the transaction with it.
    ask(&mut session, sql)
        .await
        .map_err(|cause| refused(sql, &cause))
}

/// Preparing it first holds it to one statement, and names the columns even where no row comes.
async fn ask(session: &mut Session, sql: &str) -> sqlx::Result<Answer> {
    let connection = session.connection();
    let statement = connection.prepare(sql).await?;
    let columns = statement
        .columns()
        .iter()
        .map(|column| column.name().to_owned())
        .collect();
    // Unprepared statements are answered in text, whatever the types.
    let rows = connection.fetch_all(sqlx::raw_sql(sql)).await?;
    let rows = rows.iter().map(cells).collect::<sqlx::Result<_>>()?;
    Ok(Answer { columns, rows })
}

fn cells(row: &PgRow) -> sqlx::Result<Vec<Value>> {
    (0..row.len())
        .map(|index| {
            let value = row.try_get_raw(index)?;
            if value.is_null() {
                return Ok(Value::Null);
            }
            let text = value.as_str().map_err(sqlx::Error::Decode)?;
            Ok(cell(value.type_info().name(), text))
        })
        .collect()
}

/// Numbers that JSON readers keep exactly are numbers, bytes are hexadecimal, the rest is text.
fn cell(type_name: &str, text: &str) -> Value {
    match type_name {
        "BOOL" => Value::Bool(text == "t"),
        "INT2" | "INT4" | "INT8" | "NUMERIC" => whole(text),
        "FLOAT4" | "FLOAT8" => {
            let number = text.parse().ok().and_then(serde_json::Number::from_f64);
            number.map_or_else(|| text.into(), Value::Number)
        }
        "BYTEA" => text.trim_start_matches("\\x").into(),
        _ => text.into(),
    }
}

fn whole(text: &str) -> Value {
    match (text.parse::<i64>(), text.parse::<u64>()) {
        (Ok(number), _) => number.into(),
        (_, Ok(number)) => number.into(),
        _ => text.into(),
    }
}

fn refused(sql: &str, cause: &sqlx::Error) -> Error {
    let why = of(cause);
    if why.kind() == ErrorKind::Unavailable && crate::error::code(cause) != Some("25006") {
        return why.context("asking");
    }
    let error = Error::new(ErrorKind::Config, format!("the query failed: {sql}"));
    let error = match why.why() {
        Some(reason) => error.because(reason),
        None => error.because(why.what()),
    };
    match crate::error::code(cause) {
        Some("25006") => {
            error.fix("Queries only read; change the database with PostgreSQL's own tools.")
        }
        _ => error
            .fix("Correct the SQL; `SELECT * FROM information_schema.tables` lists what there is."),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn cells_are_what_json_can_keep() {
        for (type_name, text, value) in [
            ("BOOL", "f", json!(false)),
            ("INT8", "-9223372036854775808", json!(i64::MIN)),
            ("NUMERIC", "18446744073709551615", json!(u64::MAX)),
            ("NUMERIC", "1.50", json!("1.50")),
            (
                "NUMERIC",
                "99999999999999999999",
                json!("99999999999999999999"),
            ),
            ("FLOAT8", "0.1", json!(0.1)),
            ("FLOAT8", "NaN", json!("NaN")),
            ("BYTEA", "\\x00ff", json!("00ff")),
            ("JSONB", "{}", json!("{}")),
        ] {
            assert_eq!(cell(type_name, text), value, "{type_name}");
        }
    }
}
