//! The tables of a DuckDB file as objects.

use std::path::Path;

use duckdb::{AccessMode, Config, Connection};
use serde_json::Value;
use tributary_model::Row;

use super::subject::Api;
use crate::api::simulator::Simulator;

/// What differs between the tables of a schema and the truth of their streams, a line each.
///
/// # Panics
/// Panics where the file can't be read.
#[must_use]
pub fn differences<A: Api>(
    simulator: &Simulator<A>,
    (file, schema): (&Path, &str),
    streams: &[&str],
) -> Vec<String> {
    let mut wrong = Vec::new();
    for stream in streams {
        let truth = simulator.with(|api, now| api.truth_of(stream, now));
        let found = truth.differences(&rows(file, schema, stream));
        wrong.extend(found.into_iter().map(|text| format!("{stream}: {text}")));
    }
    wrong
}

/// The rows that are there, those that were deleted left out; none where there is no table.
pub(super) fn rows(file: &Path, schema: &str, table: &str) -> Vec<Row> {
    read(file, schema, table)
        .unwrap_or_else(|error| panic!("reading {schema}.{table} from {}: {error}", file.display()))
}

fn read(file: &Path, schema: &str, table: &str) -> duckdb::Result<Vec<Row>> {
    let config = Config::default().access_mode(AccessMode::ReadOnly)?;
    let connection = Connection::open_with_flags(file, config)?;
    connection.execute_batch("SET TimeZone = 'UTC'")?;
    let mut columns = connection.prepare(
        "SELECT column_name FROM duckdb_columns() WHERE schema_name = ? AND table_name = ?",
    )?;
    let columns = columns.query_map([schema, table], |row| row.get::<_, String>(0))?;
    let columns: Vec<_> = columns.collect::<duckdb::Result<_>>()?;
    if columns.is_empty() {
        return Ok(Vec::new());
    }
    let live = match columns.iter().any(|name| name == "_tributary_deleted") {
        true => "WHERE NOT coalesce(_tributary_deleted, false)",
        false => "",
    };
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let sql = format!(
        "SELECT CAST(to_json(t) AS VARCHAR) FROM {}.{} t {live}",
        quoted(schema),
        quoted(table)
    );
    let mut statement = connection.prepare(&sql)?;
    let texts = statement.query_map([], |row| row.get::<_, String>(0))?;
    texts.map(|text| Ok(object(&text?))).collect()
}

fn object(text: &str) -> Row {
    match serde_json::from_str(text) {
        Ok(Value::Object(fields)) => fields,
        other => panic!("a row is {other:?}"),
    }
}
