//! Source and destination, row by row: every cell as one canonical text, found by key.
//!
//! Both sides are read whole, so this is for tables of up to some hundred thousand rows. Columns
//! that only the destination has (the system's own, or dropped from the source) are left out;
//! rows marked `_tributary_deleted` do not count.

mod mysql;
mod target;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use crate::server::MySqlServer;
use crate::text;

/// Differing keys that are shown.
const SHOWN: usize = 10;

type Cell = Option<String>;

/// A table as it was read: its rows by key, a row's cells in the order of `columns`.
#[derive(Debug, Default)]
struct Table {
    columns: Vec<String>,
    /// A key that is there more than once has more than one row.
    rows: BTreeMap<Vec<Cell>, Vec<Vec<Cell>>>,
}

/// How two tables differ.
#[derive(Debug)]
pub struct Differences {
    table: String,
    source_rows: usize,
    destination_rows: usize,
    count: usize,
    lines: Vec<String>,
}

impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            table,
            source_rows,
            destination_rows,
            count,
            lines,
        } = self;
        writeln!(
            f,
            "{table}: {count} differences; the source has {source_rows} rows, the destination {destination_rows}"
        )?;
        lines.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

/// Compares `database.table` of the server with `schema.table` of a DuckDB file that nobody
/// holds open, and returns how many rows they have.
///
/// # Errors
/// The differences, the first ten of them in detail.
///
/// # Panics
/// Panics where one side can't be read.
pub async fn table(
    server: &MySqlServer,
    source: &str,
    file: &Path,
    target: &str,
) -> Result<usize, Differences> {
    let (key, expected) = mysql::read(server, source).await;
    let found = target::read(file, target, &expected.columns, &key);
    compare(source, &key, &expected, &found)
}

/// Asserts that each of `tables` (as `database.table`, the default names) is equal in a DuckDB
/// file that nobody holds open, and returns how many rows they have together.
///
/// # Panics
/// Panics with all the differences.
pub async fn assert_equal(server: &MySqlServer, file: &Path, tables: &[&str]) -> usize {
    let mut rows = 0;
    let mut failures = String::new();
    for name in tables {
        match table(server, name, file, name).await {
            Ok(count) => rows += count,
            Err(differences) => failures.push_str(&differences.to_string()),
        }
    }
    assert!(
        failures.is_empty(),
        "source and destination differ\n{failures}"
    );
    rows
}

fn compare(
    name: &str,
    key: &[String],
    expected: &Table,
    found: &target::Found,
) -> Result<usize, Differences> {
    let count = |table: &Table| table.rows.values().map(Vec::len).sum();
    let mut differences = Differences {
        table: name.to_owned(),
        source_rows: count(expected),
        destination_rows: count(&found.table),
        count: 0,
        lines: Vec::new(),
    };
    for column in &found.missing {
        differences.add(format!("the destination has no column `{column}`"));
    }
    for (at, rows) in &expected.rows {
        let there = found.table.rows.get(at).map_or(&[][..], Vec::as_slice);
        if rows.len() != there.len() {
            let (here, there) = (rows.len(), there.len());
            differences.add(format!(
                "{}: {here} in the source, {there} in the destination",
                show(key, at)
            ));
        } else if let Some(cells) = differing_cells(expected, found, rows, there) {
            differences.add(format!("{}: {cells}", show(key, at)));
        }
    }
    for (at, rows) in &found.table.rows {
        if !expected.rows.contains_key(at) {
            differences.add(format!(
                "{}: 0 in the source, {} in the destination",
                show(key, at),
                rows.len()
            ));
        }
    }
    if differences.count == 0 {
        Ok(differences.source_rows)
    } else {
        Err(differences)
    }
}

impl Differences {
    fn add(&mut self, line: String) {
        self.count += 1;
        if self.lines.len() < SHOWN {
            self.lines.push(line);
        }
    }
}

fn show(key: &[String], at: &[Cell]) -> String {
    let cell = |cell: &Cell| cell.clone().unwrap_or_else(|| "NULL".to_owned());
    let parts: Vec<_> = key
        .iter()
        .zip(at)
        .map(|(name, value)| format!("{name}={}", cell(value)))
        .collect();
    if parts.is_empty() {
        format!("{at:?}")
    } else {
        parts.join(", ")
    }
}

fn differing_cells(
    expected: &Table,
    found: &target::Found,
    rows: &[Vec<Cell>],
    there: &[Vec<Cell>],
) -> Option<String> {
    let pairs = rows.iter().zip(there).flat_map(|(row, other)| {
        let names = expected.columns.iter().zip(&found.json);
        names.zip(row.iter().zip(other))
    });
    let lines: Vec<_> = pairs
        .filter(|((_, json), (a, b))| !same(**json, a, b))
        .filter(|((name, _), _)| !found.missing.contains(name))
        .map(|((name, _), (a, b))| {
            format!("{name} is {a:?} in the source, {b:?} in the destination")
        })
        .collect();
    (!lines.is_empty()).then(|| lines.join("; "))
}

fn same(json: target::Json, a: &Cell, b: &Cell) -> bool {
    match (a, b) {
        (Some(a), Some(b)) if json == target::Json::Yes => text::json(a) == text::json(b),
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use duckdb::Connection;

    use super::*;
    use crate::server::{Flavor, Options};

    const SOURCE: &str = "CREATE DATABASE d;
        CREATE TABLE d.t (id INT, part VARCHAR(9), flag TINYINT(1), big BIGINT UNSIGNED, amount DECIMAL(20,4),
          r FLOAT, f DOUBLE, day DATE, moment DATETIME(6), seen TIMESTAMP NULL, t TIME(3), words TEXT CHARACTER SET utf8mb4,
          raw VARBINARY(9), bits BIT(10), kind ENUM('a','b'), doc JSON, PRIMARY KEY (part, id));
        SET time_zone = '+00:00';
        INSERT INTO d.t VALUES
          (1, 'x', 1, 18446744073709551615, -12.5000, 0.1, 0.1, '2024-02-29', '2024-02-29 01:02:03.400000',
           '2024-02-29 01:02:03', '-01:02:03.5', 'naïve ☕', x'00ff', b'1000000001', 'b', '{\"a\": 1, \"b\": [2]}'),
          (2, 'x', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);";
    const TARGET: &str = "CREATE SCHEMA d;
        CREATE TABLE d.t (_tributary_deleted BOOLEAN, _tributary_synced_at TIMESTAMPTZ, part VARCHAR, id INTEGER, flag BOOLEAN,
          big UBIGINT, amount DECIMAL(22,6), r FLOAT, f DOUBLE, day DATE, moment TIMESTAMP, seen TIMESTAMPTZ, t VARCHAR,
          words VARCHAR, raw BLOB, bits BIGINT, kind VARCHAR, doc JSON, gone INTEGER);
        INSERT INTO d.t VALUES
          (false, now(), 'x', 1, true, 18446744073709551615, -12.5, 0.1, 0.1, '2024-02-29', '2024-02-29 01:02:03.4',
           '2024-02-29 01:02:03+00', '-01:02:03.5', 'naïve ☕', '\\x00\\xFF'::BLOB, 513, 'b', '{\"b\":[2],\"a\":1}', 7),
          (false, now(), 'x', 2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
          (true, now(), 'x', 3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);";

    fn run(file: &Path, sql: &str) {
        let connection = Connection::open(file).expect("a DuckDB file");
        connection.execute_batch(sql).expect("the statements run");
    }

    #[tokio::test]
    async fn equal_tables_are_equal_and_each_difference_is_found() {
        let server = MySqlServer::start(Flavor::MariaDb, Options::default()).await;
        server.execute(SOURCE).await;
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("t.duckdb");
        run(&file, TARGET);
        assert_eq!(assert_equal(&server, &file, &["d.t"]).await, 2);

        for (change, undo, expected) in [
            (
                "UPDATE d.t SET amount = -12.5001 WHERE id = 1",
                "UPDATE d.t SET amount = -12.5 WHERE id = 1",
                "part=x, id=1: amount is",
            ),
            (
                "UPDATE d.t SET words = '' WHERE id = 2",
                "UPDATE d.t SET words = NULL WHERE id = 2",
                "words is None",
            ),
            (
                "UPDATE d.t SET r = 0.10000002 WHERE id = 1",
                "UPDATE d.t SET r = 0.1 WHERE id = 1",
                "r is",
            ),
            (
                "UPDATE d.t SET _tributary_deleted = true WHERE id = 2",
                "UPDATE d.t SET _tributary_deleted = false WHERE id = 2",
                "id=2: 1 in the source, 0",
            ),
            (
                "UPDATE d.t SET _tributary_deleted = false WHERE id = 3",
                "UPDATE d.t SET _tributary_deleted = true WHERE id = 3",
                "id=3: 0 in the source, 1",
            ),
            (
                "INSERT INTO d.t SELECT * FROM d.t WHERE id = 1",
                "SELECT 1",
                "id=1: 1 in the source, 2",
            ),
        ] {
            run(&file, change);
            let found = table(&server, "d.t", &file, "d.t")
                .await
                .expect_err(change)
                .to_string();
            assert!(found.contains(expected), "{change}: {found}");
            run(&file, undo);
        }
        run(
            &file,
            "DELETE FROM d.t WHERE id = 1; ALTER TABLE d.t DROP COLUMN doc",
        );
        let found = table(&server, "d.t", &file, "d.t")
            .await
            .expect_err("differences")
            .to_string();
        assert!(
            found.contains("no column `doc`") && found.contains("2 differences"),
            "{found}"
        );
    }
}
