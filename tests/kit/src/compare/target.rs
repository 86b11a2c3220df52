//! The destination's side: a DuckDB file, opened to read only.

use std::collections::BTreeMap;
use std::path::Path;

use duckdb::{AccessMode, Config, Connection};

use super::mysql::key_of;
use super::{Cell, Table};
use crate::text;

/// Whether a column's texts are JSON, in which space and order of keys mean nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Json {
    Yes,
    No,
}

/// The table, and what must be known of its columns.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) table: Table,
    /// The source's columns that are not there.
    pub(super) missing: Vec<String>,
    /// For each of the source's columns.
    pub(super) json: Vec<Json>,
}

/// Reads the `wanted` columns of `schema.table`.
pub(super) fn read(file: &Path, name: &str, wanted: &[String], key: &[String]) -> Found {
    read_table(file, name, wanted, key)
        .unwrap_or_else(|error| panic!("reading {name} from {}: {error}", file.display()))
}

fn read_table(file: &Path, name: &str, wanted: &[String], key: &[String]) -> duckdb::Result<Found> {
    let (schema, table) = name.split_once('.').expect("a table is named schema.table");
    let config = Config::default().access_mode(AccessMode::ReadOnly)?;
    let connection = Connection::open_with_flags(file, config)?;
    let there = columns(&connection, schema, table)?;
    assert!(!there.is_empty(), "{} has no table {name}", file.display());
    let types: Vec<Option<&(String, String)>> = wanted
        .iter()
        .map(|name| {
            there
                .iter()
                .find(|(other, _)| other.eq_ignore_ascii_case(name))
        })
        .collect();
    let live = there.iter().any(|(name, _)| name == "_tributary_deleted");
    let sql = format!(
        "SELECT {} FROM {}.{}{}",
        types
            .iter()
            .map(|column| expression(*column))
            .collect::<Vec<_>>()
            .join(", "),
        quoted(schema),
        quoted(table),
        if live {
            " WHERE NOT coalesce(_tributary_deleted, false)"
        } else {
            ""
        }
    );
    let places: Vec<_> = key
        .iter()
        .filter_map(|k| wanted.iter().position(|n| n == k))
        .collect();
    let mut rows: BTreeMap<Vec<Cell>, Vec<Vec<Cell>>> = BTreeMap::new();
    let mut statement = connection.prepare(&sql)?;
    let mut cursor = statement.query([])?;
    while let Some(row) = cursor.next()? {
        let cells = types
            .iter()
            .enumerate()
            .map(|(index, column)| {
                Ok(row
                    .get::<_, Cell>(index)?
                    .map(|text| canonical(*column, text)))
            })
            .collect::<duckdb::Result<Vec<Cell>>>()?;
        rows.entry(key_of(&places, &cells)).or_default().push(cells);
    }
    let json = |column: &Option<&(String, String)>| match column {
        Some((_, data_type)) if data_type == "JSON" => Json::Yes,
        _ => Json::No,
    };
    let missing = wanted
        .iter()
        .zip(&types)
        .filter(|(_, column)| column.is_none());
    Ok(Found {
        missing: missing.map(|(name, _)| name.clone()).collect(),
        json: types.iter().map(json).collect(),
        table: Table {
            columns: wanted.to_vec(),
            rows,
        },
    })
}

fn columns(
    connection: &Connection,
    schema: &str,
    table: &str,
) -> duckdb::Result<Vec<(String, String)>> {
    let mut statement = connection.prepare(
        "SELECT column_name, data_type FROM duckdb_columns()
         WHERE schema_name = ? AND table_name = ? ORDER BY column_index",
    )?;
    let rows = statement.query_map([schema, table], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The column as text that does not depend on settings of the session.
fn expression(column: Option<&(String, String)>) -> String {
    let Some((name, data_type)) = column else {
        return "NULL::VARCHAR".to_owned();
    };
    let name = quoted(name);
    match data_type.as_str() {
        "BLOB" => format!("hex({name})"),
        "BOOLEAN" => format!("CAST(CAST({name} AS TINYINT) AS VARCHAR)"),
        "FLOAT" | "DOUBLE" => format!("CAST(CAST({name} AS DOUBLE) AS VARCHAR)"),
        kind if kind.starts_with("TIMESTAMP") => format!("CAST(epoch_us({name}) AS VARCHAR)"),
        _ => format!("CAST({name} AS VARCHAR)"),
    }
}

fn canonical(column: Option<&(String, String)>, value: String) -> String {
    let data_type = column.map_or("", |(_, data_type)| data_type.as_str());
    match data_type {
        "BLOB" => value.to_ascii_lowercase(),
        "FLOAT" | "DOUBLE" => value.parse().map_or(value, text::float),
        "TIME" | "INTERVAL" => text::trim_fraction(&value),
        kind if kind.starts_with("TIMESTAMP") => value.parse().map_or(value, text::timestamp),
        kind if kind.starts_with("DECIMAL") => text::decimal(&value),
        _ => value,
    }
}
