//! Questions to a DuckDB file, answered in texts.

use std::path::Path;

use duckdb::{AccessMode, Config, Connection};

/// A row of texts; NULL is `None`.
pub(crate) type Row = Vec<Option<String>>;

/// The rows of a question to a file that nobody holds open.
#[track_caller]
pub(crate) fn ask(file: &Path, sql: &str) -> Vec<Row> {
    query(file, sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
}

fn query(file: &Path, sql: &str) -> duckdb::Result<Vec<Row>> {
    let config = Config::default().access_mode(AccessMode::ReadOnly)?;
    let connection = Connection::open_with_flags(file, config)?;
    let texts = format!("SELECT CAST(COLUMNS(*) AS VARCHAR) FROM ({sql})");
    let mut statement = connection.prepare(&texts)?;
    let mut rows = statement.query([])?;
    let mut answer = Vec::new();
    while let Some(row) = rows.next()? {
        let width = row.as_ref().column_count();
        let cells = (0..width).map(|index| row.get(index));
        answer.push(cells.collect::<duckdb::Result<Row>>()?);
    }
    Ok(answer)
}

/// The one text that answers a question.
#[track_caller]
pub(crate) fn word(file: &Path, sql: &str) -> String {
    let rows = ask(file, sql);
    match &rows[..] {
        [row] if row.len() == 1 => row[0].clone().unwrap_or_else(|| "NULL".to_owned()),
        _ => panic!("{sql}: not one cell: {rows:?}"),
    }
}

/// The one number that answers a question.
#[track_caller]
pub(crate) fn number(file: &Path, sql: &str) -> i64 {
    let text = word(file, sql);
    text.parse()
        .unwrap_or_else(|_| panic!("{sql}: {text} is no number"))
}
