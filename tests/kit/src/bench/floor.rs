//! What the parts can do at all: each floor is a process that prints what it took.

use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use duckdb::{Config, Connection, Result};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use serde::{Deserialize, Serialize};

use super::checksum;
use super::lineitem::{self, COLUMNS, Row, Rows};
use super::process::{Meter, Spent};
use super::wire::{self, Passed};

/// Rows of one transaction.
const TRANSACTION: usize = 1_000_000;
/// Rows of one Arrow batch.
const BATCH: usize = 65_536;
/// Added to the keys of rows that are new.
const NEW: i64 = 1_000_000_000;

/// A floor, and what it needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Floor {
    /// A plain SELECT, thrown away.
    Select { port: u16 },
    /// The log from a position to its end, thrown away.
    Log {
        port: u16,
        file: String,
        offset: u32,
    },
    /// DuckDB takes rows from Arrow.
    Append { rows: u64 },
    /// DuckDB takes changed rows from Arrow and merges them into a table.
    Merge { rows: u64, changes: u64 },
    /// Arrow's own writer makes a file of Parquet of rows in Arrow.
    Parquet { rows: u64 },
    /// No floor, but too heavy for a small process: what a DuckDB file holds.
    Checksum { file: PathBuf },
}

/// A drain's figures.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Drained {
    pub(super) spent: Spent,
    pub(super) passed: Passed,
}

/// Figures of DuckDB, or of Arrow's writer.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Loaded {
    pub(super) append: Spent,
    pub(super) merge: Spent,
}

/// What a floor prints.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Figures {
    Drained(Drained),
    Loaded(Loaded),
    Contents(Vec<String>),
}

impl Floor {
    pub(super) fn to_words(&self) -> Vec<String> {
        let words = match self {
            Self::Select { port } => vec!["select".to_owned(), port.to_string()],
            Self::Log { port, file, offset } => {
                vec![
                    "log".to_owned(),
                    port.to_string(),
                    file.clone(),
                    offset.to_string(),
                ]
            }
            Self::Append { rows } => vec!["append".to_owned(), rows.to_string()],
            Self::Parquet { rows } => vec!["parquet".to_owned(), rows.to_string()],
            Self::Merge { rows, changes } => {
                vec!["merge".to_owned(), rows.to_string(), changes.to_string()]
            }
            Self::Checksum { file } => vec!["checksum".to_owned(), file.display().to_string()],
        };
        [vec!["floor".to_owned()], words].concat()
    }

    pub(super) fn from_words(words: &[&str]) -> Option<Self> {
        let number = |text: &str| text.parse().ok();
        Some(match words {
            ["select", port] => Self::Select {
                port: port.parse().ok()?,
            },
            ["log", port, file, offset] => Self::Log {
                port: port.parse().ok()?,
                file: (*file).to_owned(),
                offset: offset.parse().ok()?,
            },
            ["append", rows] => Self::Append {
                rows: number(rows)?,
            },
            ["parquet", rows] => Self::Parquet {
                rows: number(rows)?,
            },
            ["merge", rows, changes] => Self::Merge {
                rows: number(rows)?,
                changes: number(changes)?,
            },
            ["checksum", file] => Self::Checksum { file: file.into() },
            _ => return None,
        })
    }

    /// Does it.
    pub(super) fn run(&self) -> Figures {
        match self {
            Self::Select { port } => {
                let sql = format!("SELECT * FROM {}", lineitem::TABLE);
                drained(|| wire::select(*port, &sql))
            }
            Self::Log { port, file, offset } => drained(|| wire::log(*port, file, *offset)),
            Self::Append { rows } => Figures::Loaded(in_duckdb(|db| append(db, *rows))),
            Self::Parquet { rows } => Figures::Loaded(parquet(*rows)),
            Self::Merge { rows, changes } => {
                Figures::Loaded(in_duckdb(|db| merge(db, *rows, *changes)))
            }
            Self::Checksum { file } => Figures::Contents(checksum::of_duckdb(file)),
        }
    }
}

fn drained(drain: impl FnOnce() -> std::io::Result<Passed>) -> Figures {
    let mut meter = Meter::default();
    let passed = meter.count(drain);
    Figures::Drained(Drained {
        passed: passed.unwrap_or_else(|error| panic!("draining the server: {error}")),
        spent: meter.spent(),
    })
}

/// A new DuckDB file in the folder where this runs, with one thread as in our destination.
fn in_duckdb(work: impl FnOnce(&Connection) -> Result<Loaded>) -> Loaded {
    let dir = tempfile::tempdir_in(".").expect("a temporary folder can be made");
    let open = |path: &Path| {
        let connection = Connection::open_with_flags(path, Config::default().threads(1)?)?;
        connection.execute_batch(&create("TABLE lineitem"))?;
        work(&connection)
    };
    open(&dir.path().join("floor.duckdb"))
        .unwrap_or_else(|error| panic!("measuring DuckDB: {error}"))
}

fn create(what: &str) -> String {
    let columns = COLUMNS.map(|(name, _, data_type)| format!("{name} {data_type}"));
    format!("CREATE {what} ({})", columns.join(", "))
}

fn append(db: &Connection, rows: u64) -> Result<Loaded> {
    let spent = fill(db, &mut Rows::new().take(count(rows)))?;
    Ok(Loaded {
        append: spent,
        merge: Spent::default(),
    })
}

/// Appends `rows` to the table, a million in a transaction. Making them is not counted.
fn fill(db: &Connection, rows: &mut impl Iterator<Item = Row>) -> Result<Spent> {
    let mut meter = Meter::default();
    loop {
        let batches = batches(rows);
        if batches.is_empty() {
            break;
        }
        meter.count(|| {
            db.execute_batch("BEGIN")?;
            append_to(db, "lineitem", batches)?;
            db.execute_batch("COMMIT")
        })?;
    }
    meter.count(|| db.execute_batch("CHECKPOINT"))?;
    Ok(meter.spent())
}

fn merge(db: &Connection, rows: u64, changes: u64) -> Result<Loaded> {
    fill(db, &mut Rows::new().take(count(rows)))?;
    let (mut append, mut merge) = (Meter::default(), Meter::default());
    let mut changed = changed(rows, changes);
    loop {
        let batches = batches(&mut changed);
        if batches.is_empty() {
            break;
        }
        append.count(|| {
            db.execute_batch(&format!(
                "BEGIN; {}",
                create("OR REPLACE TEMP TABLE staged")
            ))?;
            append_to(db, "staged", batches)
        })?;
        merge.count(|| db.execute_batch(&format!("{}; COMMIT", merge_sql())))?;
    }
    merge.count(|| db.execute_batch("CHECKPOINT"))?;
    Ok(Loaded {
        append: append.spent(),
        merge: merge.spent(),
    })
}

/// One file, zstd as in our destination; a million rows are made before they are written. Making
/// them is not counted.
fn parquet(rows: u64) -> Loaded {
    let dir = tempfile::tempdir_in(".").expect("a temporary folder can be made");
    let mut meter = Meter::default();
    let mut rows = Rows::new().take(count(rows));
    let file = std::fs::File::create(dir.path().join("floor.parquet")).expect("a file can be made");
    let level = ZstdLevel::try_new(1).expect("there is such a level");
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level));
    let mut first = batches(&mut rows);
    let schema = first.first().expect("there are rows").schema();
    let writer = ArrowWriter::try_new(file, schema, Some(properties.build()));
    let mut writer = writer.expect("a writer can be made");
    while !first.is_empty() {
        meter.count(|| {
            for batch in first.drain(..) {
                writer.write(&batch).expect("rows can be written");
            }
        });
        first = batches(&mut rows);
    }
    meter.count(|| writer.close().expect("a file can be ended"));
    Loaded {
        append: meter.spent(),
        merge: Spent::default(),
    }
}

/// Rows from all over the table, every fifth of them a new one.
fn changed(rows: u64, changes: u64) -> impl Iterator<Item = Row> {
    let stride = count((rows / changes.max(1)).max(1));
    let rows = Rows::new().take(count(rows)).step_by(stride);
    rows.take(count(changes))
        .enumerate()
        .map(|(index, mut row)| {
            if index % 5 == 4 {
                row.orderkey += NEW;
            }
            row
        })
}

fn merge_sql() -> String {
    let names = COLUMNS.map(|(name, ..)| name);
    let set = names.map(|name| format!("{name} = s.{name}")).join(", ");
    let values = names.map(|name| format!("s.{name}")).join(", ");
    format!(
        "MERGE INTO lineitem AS t USING staged AS s
         ON t.l_orderkey = s.l_orderkey AND t.l_linenumber = s.l_linenumber
         WHEN MATCHED THEN UPDATE SET {set}
         WHEN NOT MATCHED THEN INSERT ({}) VALUES ({values})",
        names.join(", ")
    )
}

/// The rows of one transaction, all of them made before any is loaded.
fn batches(rows: &mut impl Iterator<Item = Row>) -> Vec<RecordBatch> {
    let mut rows = rows.take(TRANSACTION);
    std::iter::from_fn(|| lineitem::batch(&mut rows, BATCH)).collect()
}

fn append_to(db: &Connection, table: &str, batches: Vec<RecordBatch>) -> Result<()> {
    let mut appender = db.appender(table)?;
    for batch in batches {
        appender.append_record_batch(batch)?;
    }
    appender.flush()
}

fn count(number: u64) -> usize {
    usize::try_from(number).expect("a count of rows fits")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(db: &Connection) -> (u64, u64) {
        let sql = format!("SELECT count(*), count(*) FILTER (l_orderkey > {NEW}) FROM lineitem");
        db.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
            .expect("counts")
    }

    #[test]
    fn floors_do_what_they_measure() {
        in_duckdb(|db| {
            let loaded = append(db, 10_000)?;
            assert_eq!(rows(db), (10_000, 0));
            assert!(loaded.append.seconds > 0.0);
            assert!(parquet(10_000).append.cpu_seconds > 0.0);
            db.execute_batch("DELETE FROM lineitem")?;
            let loaded = merge(db, 10_000, 1_000)?;
            assert_eq!(rows(db), (10_200, 200));
            assert!(loaded.merge.cpu_seconds > 0.0);
            Ok(loaded)
        });
    }
}
