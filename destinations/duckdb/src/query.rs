//! Questions that a user asks of the file.

use duckdb::Connection;
use tributary_model::{Answer, Error, ErrorKind, Result};
use tributary_sql::cell;

use crate::error::{Explain, brief};

/// Answers `sql`, which must not change anything.
pub(crate) fn answer(connection: &Connection, sql: &str) -> Result<Answer> {
    if sql.trim().is_empty() {
        return Err(Error::new(ErrorKind::Config, "the query is empty"));
    }
    connection
        .execute_batch("BEGIN TRANSACTION READ ONLY")
        .explain("preparing to read")?;
    let answer = ask(connection, sql).map_err(|cause| refused(sql, &cause));
    // Reading leaves nothing to keep, and after an error there is nothing to roll back.
    let _ = connection.execute_batch("ROLLBACK");
    answer
}

fn ask(connection: &Connection, sql: &str) -> duckdb::Result<Answer> {
    let mut statement = connection.prepare(sql)?;
    let batches = statement.query_arrow([])?;
    let columns = batches.get_schema();
    let columns = columns
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    let mut rows = Vec::new();
    for batch in batches {
        for index in 0..batch.num_rows() {
            rows.push(
                batch
                    .columns()
                    .iter()
                    .map(|array| cell(array, index))
                    .collect(),
            );
        }
    }
    Ok(Answer { columns, rows })
}

fn refused(sql: &str, cause: &duckdb::Error) -> Error {
    let text = cause.to_string();
    let error =
        Error::new(ErrorKind::Config, format!("the query failed: {sql}")).because(brief(&text));
    if text.contains("read-only") {
        error.fix("Queries only read; change the file with DuckDB's own tools while no sync runs.")
    } else if text.contains("Ambiguous reference to catalog or schema") {
        error.fix("DuckDB calls the file after its name, and a schema has the same one: write file.schema.table.")
    } else {
        error.fix("Correct the SQL; `SHOW ALL TABLES` lists what there is.")
    }
}
