//! Questions that a user asks of the database.

use tributary_model::{Answer, Error, ErrorKind, Result};

use crate::answer::cell;
use crate::client::{Client, Scope};

/// What a statement begins with that only reads.
const READING: [&str; 6] = ["SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXPLAIN"];

/// Answers `sql`, one statement that must not change anything. Snowflake refuses a second one in the
/// same request, and has no statement that begins so and changes a table.
pub(crate) async fn answer(client: &Client, sql: &str) -> Result<Answer> {
    if sql.trim().is_empty() {
        return Err(Error::new(ErrorKind::Config, "the query is empty"));
    }
    let statement = sql.trim().trim_end_matches([';', ' ', '\n']);
    if !reads(statement) {
        return Err(refused(sql)
            .because("it does not begin with SELECT, WITH, SHOW, DESCRIBE or EXPLAIN")
            .fix("Queries only read; change the database with Snowflake's own tools."));
    }
    let done = client
        .submit(Scope::Database, &[statement.to_owned()])
        .await;
    let done = done.map_err(|failure| match failure.code {
        None => failure.error.context("asking"),
        Some(_) => {
            let why = failure.error.why().unwrap_or_else(|| failure.error.what());
            refused(sql).because(why).fix(
                "Correct the SQL; `SELECT * FROM INFORMATION_SCHEMA.TABLES` lists what there is.",
            )
        }
    })?;
    let rows = client.rows(done).await?;
    let columns = &rows.columns;
    let row = |cells: &Vec<Option<String>>| {
        let cells = columns.iter().zip(cells);
        cells
            .map(|(column, text)| {
                text.as_deref()
                    .map_or(serde_json::Value::Null, |text| cell(column, text))
            })
            .collect()
    };
    Ok(Answer {
        columns: columns.iter().map(|column| column.name.clone()).collect(),
        rows: rows.rows.iter().map(row).collect(),
    })
}

fn refused(sql: &str) -> Error {
    Error::new(ErrorKind::Config, format!("the query failed: {sql}"))
}

/// Whether a statement begins with a word that reads, after comments and parentheses.
fn reads(sql: &str) -> bool {
    let mut rest = sql.trim_start();
    loop {
        let after =
            if let Some(comment) = rest.strip_prefix("--").or_else(|| rest.strip_prefix("//")) {
                comment.split_once('\n').map_or("", |(_, after)| after)
            } else if let Some(comment) = rest.strip_prefix("/*") {
                comment.split_once("*/").map_or("", |(_, after)| after)
            } else if let Some(after) = rest.strip_prefix('(') {
                after
            } else {
                break;
            };
        rest = after.trim_start();
    }
    let word: String = rest.chars().take_while(char::is_ascii_alphabetic).collect();
    READING.contains(&word.to_ascii_uppercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_reading_is_asked() {
        for good in [
            "select 1",
            "-- a\n/* b */ ( SELECT 1)",
            "WITH a AS (SELECT 1) SELECT * FROM a",
            "show tables",
        ] {
            assert!(reads(good), "{good}");
        }
        for bad in [
            "DELETE FROM t",
            "/* SELECT */ DROP TABLE t",
            "call p()",
            "",
            "-- SELECT",
            "SELECTED",
        ] {
            assert!(!reads(bad), "{bad}");
        }
    }
}
