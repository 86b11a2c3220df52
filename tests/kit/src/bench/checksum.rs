//! Whether both sides hold the same rows: count, sums and a hash that no order of rows changes,
//! computed by each of them over the same texts.

use std::path::Path;

use duckdb::{AccessMode, Config, Connection};

use super::lineitem::{COLUMNS, TABLE};
use crate::server::MySqlServer;

/// What is summed up beside the hash, written alike on both sides.
const SUMS: [&str; 6] = [
    "l_orderkey",
    "l_linenumber",
    "l_quantity",
    "l_extendedprice",
    "l_discount",
    "length(l_comment)",
];
/// Hexadecimal digits of a row's MD5 that count: 60 bits, a positive number everywhere.
const DIGITS: usize = 15;

/// What MariaDB's table holds.
pub(super) async fn of_mariadb(server: &MySqlServer) -> Vec<String> {
    let hash = format!(
        "CAST(CONV(LEFT(MD5({}), {DIGITS}), 16, 10) AS UNSIGNED)",
        row("CHAR")
    );
    let rows = server
        .rows(&format!("SELECT {} FROM {TABLE}", sums(&hash, "CHAR")))
        .await;
    let cells = rows.into_iter().flatten();
    cells.map(|cell| cell.unwrap_or_default()).collect()
}

/// The question to DuckDB; rows marked as deleted are gone.
pub(super) fn sql() -> String {
    let hash = format!(
        "CAST('0x' || md5({})[1:{DIGITS}] AS BIGINT)",
        row("VARCHAR")
    );
    question(&hash)
}

/// The question to PostgreSQL.
pub(super) fn sql_of_postgres() -> String {
    let hash = format!(
        "CAST(CAST('x0' || left(md5({}), {DIGITS}) AS bit(64)) AS bigint)",
        row("VARCHAR")
    );
    question(&hash)
}

fn question(hash: &str) -> String {
    format!(
        "SELECT {} FROM {TABLE} WHERE NOT coalesce(_tributary_deleted, false)",
        sums(hash, "VARCHAR")
    )
}

/// What the table in a DuckDB file holds.
pub(super) fn of_duckdb(file: &Path) -> Vec<String> {
    let sql = sql();
    let read = || {
        let config = Config::default().access_mode(AccessMode::ReadOnly)?;
        let connection = Connection::open_with_flags(file, config)?;
        connection.query_row(&sql, [], |row| {
            (0..SUMS.len() + 2)
                .map(|index| Ok(row.get::<_, Option<String>>(index)?.unwrap_or_default()))
                .collect::<duckdb::Result<Vec<String>>>()
        })
    };
    read().unwrap_or_else(|error| panic!("reading {TABLE} from {}: {error}", file.display()))
}

/// One text for a row; the columns can't run into each other, as no text holds a bar.
fn row(text_type: &str) -> String {
    let cells = COLUMNS.map(|(name, ..)| format!("CAST({name} AS {text_type})"));
    format!("concat_ws('|', {})", cells.join(", "))
}

fn sums(hash: &str, text_type: &str) -> String {
    let sums = SUMS.iter().copied().chain([hash]);
    let sums: Vec<_> = sums
        .map(|sum| format!("CAST(sum({sum}) AS {text_type})"))
        .collect();
    format!("CAST(count(*) AS {text_type}), {}", sums.join(", "))
}

/// The names of what differs.
pub(super) fn differences(source: &[String], destination: &[String]) -> Vec<String> {
    let names = ["count"].into_iter().chain(SUMS).chain(["hash"]);
    let pairs = names.zip(source.iter().zip(destination));
    let differing = pairs.filter(|(_, (a, b))| a != b);
    differing
        .map(|(name, (a, b))| format!("{name}: {a} in MariaDB, {b} in the destination"))
        .collect()
}
