//! Questions that a user asks of the warehouse.
//!
//! The simple protocol does not say of which types an answer is. So they are asked for afterwards, by
//! way of an empty temporary table of the same columns, which is undone. Where Redshift can't make one
//! (its own catalog is answered by another part of it), values stay the texts that they came as.

use serde_json::Value;
use tokio_postgres::SimpleQueryMessage;
use tributary_model::{Answer, Error, ErrorKind, Result};

use crate::error::{code, of};
use crate::session::{Failure, Session, each};
use crate::settings::Settings;

/// Answers `sql`, one statement that must not change anything.
pub(crate) async fn answer(settings: &Settings, sql: &str) -> Result<Answer> {
    let sql = one_statement(sql)?;
    let mut session = Session::connect(settings).await?;
    // The session ends with the answer, and whatever it was told with it.
    session.run("BEGIN READ ONLY", "preparing to read").await?;
    let (columns, texts) = ask(&mut session, sql).await?;
    session.run("ROLLBACK", "ending to read").await?;
    let types = types(&mut session, sql).await.unwrap_or_default();
    let is_told = types.len() == columns.len();
    let cells = |row: Vec<Option<String>>| -> Vec<Value> {
        let cells = row.into_iter().enumerate();
        let cell = |(place, text): (usize, Option<String>)| match (text, types.get(place)) {
            (None, _) => Value::Null,
            (Some(text), Some(sql_type)) if is_told => cell(sql_type, text),
            (Some(text), _) => text.into(),
        };
        cells.map(cell).collect()
    };
    Ok(Answer {
        columns,
        rows: texts.into_iter().map(cells).collect(),
    })
}

type Texts = (Vec<String>, Vec<Vec<Option<String>>>);

async fn ask(session: &mut Session, sql: &str) -> Result<Texts> {
    let (mut columns, mut rows) = (Vec::new(), Vec::new());
    let asked = match session.stream(sql).await {
        Ok(stream) => {
            each(stream, |message| {
                match message {
                    SimpleQueryMessage::RowDescription(names) => {
                        columns = names.iter().map(|name| name.name().to_owned()).collect();
                    }
                    SimpleQueryMessage::Row(row) => {
                        let cells = 0..row.len();
                        rows.push(cells.map(|at| row.get(at).map(str::to_owned)).collect());
                    }
                    _ => {}
                }
                Ok(())
            })
            .await
        }
        Err(cause) => Err(Failure::Server(cause)),
    };
    match asked {
        Ok(()) => Ok((columns, rows)),
        Err(Failure::Ours(error)) => Err(error),
        Err(Failure::Server(cause)) => Err(refused(sql, &cause)),
    }
}

/// The types of the answer's columns, in the catalog's words.
async fn types(session: &mut Session, sql: &str) -> Result<Vec<String>> {
    let doing = "asking for the types of an answer";
    session.run("BEGIN", doing).await?;
    let make = format!(
        "CREATE TEMPORARY TABLE _tributary_answer AS SELECT * FROM (\n{sql}\n) AS answer LIMIT 0"
    );
    session.run(&make, doing).await?;
    let ask = "SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute a JOIN pg_class c \
         ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relname = '_tributary_answer' AND n.nspname LIKE 'pg_temp%' AND a.attnum > 0 \
         ORDER BY a.attnum";
    let rows = session.ask(ask, doing).await?;
    session.run("ROLLBACK", doing).await?;
    rows.iter().map(|row| Ok(row.text(0)?.to_owned())).collect()
}

/// Numbers that JSON readers keep exactly are numbers, bytes are hexadecimal, the rest is text.
fn cell(sql_type: &str, text: String) -> Value {
    let name = sql_type.split('(').next().unwrap_or(sql_type);
    match name {
        "boolean" => Value::Bool(text == "t"),
        "smallint" | "integer" | "bigint" | "numeric" => whole(text),
        "real" | "double precision" => {
            let number = text.parse().ok().and_then(serde_json::Number::from_f64);
            number.map_or_else(|| text.into(), Value::Number)
        }
        "varbyte" | "binary varying" => text.trim_start_matches("\\x").into(),
        _ => text.into(),
    }
}

fn whole(text: String) -> Value {
    match (text.parse::<i64>(), text.parse::<u64>()) {
        (Ok(number), _) => number.into(),
        (_, Ok(number)) => number.into(),
        _ => text.into(),
    }
}

/// Holds a text to one statement: else one of them could end the transaction that only reads.
fn one_statement(sql: &str) -> Result<&str> {
    let sql = sql.trim().trim_end_matches(';').trim_end();
    if sql.is_empty() {
        return Err(Error::new(ErrorKind::Config, "the query is empty"));
    }
    if has_semicolon(sql) {
        let what = format!("the query is more than one statement: {sql}");
        return Err(Error::new(ErrorKind::Config, what).fix("Ask one question at a time."));
    }
    Ok(sql)
}

/// Whether there is a semicolon outside of quotes and comments. In doubt there is.
fn has_semicolon(sql: &str) -> bool {
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let skipped = match first {
            ';' => return true,
            '\'' => quoted(rest, '\''),
            '"' => quoted(rest, '"'),
            '-' if rest.starts_with("--") => rest.find('\n').or(Some(rest.len())),
            '/' if rest.starts_with("/*") => rest[2..].find("*/").map(|end| end + 4),
            other => Some(other.len_utf8()),
        };
        let Some(skipped) = skipped else {
            return rest.contains(';');
        };
        rest = &rest[skipped..];
    }
    false
}

/// The length of what is quoted at the beginning of a text; a text may hold escapes.
fn quoted(text: &str, quote: char) -> Option<usize> {
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if quote == '\'' => {
                chars.next();
            }
            c if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

fn refused(sql: &str, cause: &tokio_postgres::Error) -> Error {
    let why = of(cause);
    let only_reads = code(cause) == Some("25006");
    if why.kind() == ErrorKind::Unavailable && !only_reads {
        return why.context("asking");
    }
    let error = Error::new(ErrorKind::Config, format!("the query failed: {sql}"));
    let error = match why.why() {
        Some(reason) => error.because(reason),
        None => error.because(why.what()),
    };
    match only_reads {
        true => error.fix("Queries only read; change the warehouse with Redshift's own tools."),
        false => error.fix("Correct the SQL; `SELECT * FROM svv_tables` lists what there is."),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn cells_are_what_json_can_keep() {
        for (sql_type, text, value) in [
            ("boolean", "f", json!(false)),
            ("bigint", "-9223372036854775808", json!(i64::MIN)),
            ("numeric(20,0)", "18446744073709551615", json!(u64::MAX)),
            ("numeric(4,2)", "1.50", json!("1.50")),
            ("double precision", "0.1", json!(0.1)),
            ("double precision", "NaN", json!("NaN")),
            ("varbyte", "00ff", json!("00ff")),
            ("super", "{}", json!("{}")),
            ("character varying(9)", "t", json!("t")),
        ] {
            assert_eq!(cell(sql_type, text.to_owned()), value, "{sql_type}");
        }
    }

    #[test]
    fn a_query_is_one_statement() {
        for one in [
            "SELECT 1;",
            "SELECT ';', \";\" -- ;\n /* ; */",
            r"SELECT '\';' AS a",
        ] {
            assert!(one_statement(one).is_ok(), "{one}");
        }
        for more in [
            "SELECT 1; COMMIT; DROP TABLE t",
            r"SELECT '\\'; DROP TABLE t; --'",
            "SELECT ''''; DELETE FROM t",
            "SELECT 1 /* ; DROP",
            " ; ",
        ] {
            assert!(one_statement(more).is_err(), "{more}");
        }
    }
}
