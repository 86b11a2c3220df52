//! The tables of the schema `_tributary`: what they are, and that they are there.
//!
//! How names are written is decided when the schema is made, and stored as its own name.

use tributary_model::{Error, ErrorKind, Result};
use tributary_sql::Dialect;

use crate::answer::Rows;
use crate::client::{Client, Scope};
use crate::config::Identifiers;
use crate::dialect::{BINARY, SYSTEM, Snow};

type Columns = &'static [(&'static str, &'static str)];

/// Each table with its columns.
const TABLES: [(&str, Columns); 5] = [
    (
        "state",
        &[
            ("connection", "VARCHAR"),
            ("stream", "VARCHAR"),
            ("cursor", "VARCHAR"),
            ("epoch", "NUMBER(19,0)"),
            ("sequence", "NUMBER(19,0)"),
            ("load_id", "VARCHAR"),
            ("format", "NUMBER(10,0)"),
            ("written_by", "VARCHAR"),
            ("updated_at", "TIMESTAMP_TZ(6)"),
        ],
    ),
    (
        "loads",
        &[
            ("load_id", "VARCHAR"),
            ("connection", "VARCHAR"),
            ("sequence", "NUMBER(19,0)"),
            ("started_at", "TIMESTAMP_TZ(6)"),
            ("committed_at", "TIMESTAMP_TZ(6)"),
            ("duration_seconds", "FLOAT"),
            ("rows_read", "NUMBER(19,0)"),
            ("rows_written", "NUMBER(19,0)"),
            ("rows_rejected", "NUMBER(19,0)"),
            ("bytes_read", "NUMBER(19,0)"),
            ("bytes_staged", "NUMBER(19,0)"),
            ("from_cursor", "VARCHAR"),
            ("to_cursor", "VARCHAR"),
            ("streams", "VARCHAR"),
        ],
    ),
    (
        "rejected",
        &[
            ("load_id", "VARCHAR"),
            ("connection", "VARCHAR"),
            ("stream", "VARCHAR"),
            ("table", "VARCHAR"),
            ("column", "VARCHAR"),
            ("value", "VARCHAR"),
            ("reason", "VARCHAR"),
            ("row", "VARCHAR"),
            ("hidden", "VARCHAR"),
            ("rejected_at", "TIMESTAMP_TZ(6)"),
        ],
    ),
    (
        "tables",
        &[
            ("connection", "VARCHAR"),
            ("stream", "VARCHAR"),
            ("table", "VARCHAR"),
            ("names", "VARCHAR"),
            ("ways", "VARCHAR"),
        ],
    ),
    (
        "schema_changes",
        &[
            ("load_id", "VARCHAR"),
            ("connection", "VARCHAR"),
            ("stream", "VARCHAR"),
            ("table", "VARCHAR"),
            ("column", "VARCHAR"),
            ("change", "VARCHAR"),
            ("from_type", "VARCHAR"),
            ("to_type", "VARCHAR"),
            ("changed_at", "TIMESTAMP_TZ(6)"),
        ],
    ),
];

/// The statement that makes a table of ours.
fn create_table(dialect: Snow, name: &str, columns: Columns) -> String {
    let table = dialect.own(name);
    if name == "state" {
        // With its nameless row, in one statement.
        let born = columns.iter().map(|(column, sql_type)| {
            let value = match *column {
                "connection" | "stream" => "''",
                _ => "NULL",
            };
            format!("CAST({value} AS {sql_type}) AS {}", dialect.quote(column))
        });
        let born: Vec<String> = born.collect();
        return format!(
            "CREATE TABLE IF NOT EXISTS {table} AS SELECT {}",
            born.join(", ")
        );
    }
    let columns = columns
        .iter()
        .map(|(column, sql_type)| format!("{} {sql_type}", dialect.quote(column)));
    let columns: Vec<String> = columns.collect();
    format!(
        "CREATE TABLE IF NOT EXISTS {table} ({}) {BINARY}",
        columns.join(", ")
    )
}

/// Which of our tables are there.
pub(crate) async fn tables(client: &Client, dialect: Snow) -> Result<Vec<String>> {
    let other = Snow {
        identifiers: match dialect.identifiers {
            Identifiers::Upper => Identifiers::Exact,
            Identifiers::Exact => Identifiers::Upper,
        },
    };
    let (own, others) = (dialect.fold(SYSTEM), other.fold(SYSTEM));
    let sql = format!(
        "SELECT TABLE_SCHEMA, TABLE_NAME FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA IN ({}, {})",
        dialect.literal(&own),
        dialect.literal(&others)
    );
    let doing = "looking for the tables of `_tributary`";
    let mut tables = Vec::new();
    let mut elsewhere = false;
    for row in &client.ask(Scope::Database, &sql, doing).await?.rows {
        match Rows::text(row, 0)? == own {
            true => tables.push(Rows::text(row, 1)?.to_owned()),
            false => elsewhere = true,
        }
    }
    match elsewhere && tables.is_empty() {
        true => Err(written_otherwise(other)),
        false => Ok(tables),
    }
}

/// How names are written is stored as the name of the schema itself.
fn written_otherwise(other: Snow) -> Error {
    let word = match other.identifiers {
        Identifiers::Upper => "upper",
        Identifiers::Exact => "exact",
    };
    Error::new(
        ErrorKind::Config,
        format!("the state in this database is that of a destination with `identifiers: {word}`"),
    )
    .fix(format!(
        "Write `identifiers: {word}`. To have it otherwise, use another database."
    ))
}

/// Whether a table of ours is among those that are there.
pub(crate) fn has(dialect: Snow, tables: &[String], table: &str) -> bool {
    tables.contains(&dialect.fold(table))
}

/// Makes the schema and those of its tables that are not there. What is there needs no right to make it.
pub(crate) async fn create(client: &Client, dialect: Snow) -> Result<()> {
    let there = tables(client, dialect).await?;
    let missing = TABLES
        .iter()
        .filter(|(name, _)| !has(dialect, &there, name))
        .map(|(name, columns)| create_table(dialect, name, columns));
    let mut statements: Vec<String> = missing.collect();
    if statements.is_empty() {
        return Ok(());
    }
    if there.is_empty() {
        let create = format!(
            "CREATE SCHEMA IF NOT EXISTS {} {BINARY}",
            dialect.schema(SYSTEM)
        );
        statements.insert(0, create);
    }
    let doing = "making the tables of `_tributary`";
    client.run(Scope::Database, &statements, doing).await
}
