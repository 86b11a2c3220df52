//! What can be typed after `bench`.
//!
//! `floor ...` and `serve ...` are not for people: they are how the benchmark starts itself for the
//! parts that must be processes of their own.

use std::path::PathBuf;

use serde::Serialize;

use super::arguments::{self, Count, Grammar};
use super::floor::Floor;

pub(super) const USAGE: &str = "\
usage: bench [--rows N] [--only NAME] [--json] [--binary PATH]
  --rows N       rows of the table (3000000); there are a third as many changes in bulk and a
                 fifteenth as many single-row transactions
  --only NAME    one of the workloads: snapshot, bulk, single, parquet, parquet-s3, iceberg, postgres;
                 or `lake` for the three before the last
  --json         print one JSON document instead of tables
  --binary PATH  the program to measure; by default the `tributary` beside this one";

const GRAMMAR: Grammar<Workload> = Grammar {
    usage: USAGE,
    count: Count {
        option: "--rows",
        usual: 3_000_000,
        least: 1_500,
    },
    pick: "--only",
    parts: &Workload::ALL,
    name: Workload::name,
    groups: &[("lake", &Workload::LAKES)],
};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Workload {
    /// The first copy of the table.
    Snapshot,
    /// A backlog of changes in large transactions.
    Bulk,
    /// A backlog of transactions of one row each.
    Single,
    /// The first copy, into a folder of Parquet files.
    Parquet,
    /// The first copy, into a bucket of Parquet files.
    ParquetS3,
    /// The first copy, into a table of Iceberg in a folder.
    Iceberg,
    /// The first copy, into a PostgreSQL.
    Postgres,
}

impl Workload {
    pub(super) const ALL: [Self; 7] = [
        Self::Snapshot,
        Self::Bulk,
        Self::Single,
        Self::Parquet,
        Self::ParquetS3,
        Self::Iceberg,
        Self::Postgres,
    ];
    pub(super) const LAKES: [Self; 3] = [Self::Parquet, Self::ParquetS3, Self::Iceberg];

    /// What takes the rows in the end, where it has nothing else to do.
    pub(super) fn writer(self) -> &'static str {
        match self {
            Self::Snapshot | Self::Bulk | Self::Single => "DuckDB append",
            Self::Parquet | Self::ParquetS3 | Self::Iceberg => "Arrow's writer",
            Self::Postgres => "a binary COPY",
        }
    }

    /// Whether rows are merged into those that are there.
    pub(super) fn merges(self) -> bool {
        match self {
            Self::Bulk | Self::Single => true,
            Self::Snapshot | Self::Parquet | Self::ParquetS3 | Self::Iceberg | Self::Postgres => {
                false
            }
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Bulk => "bulk",
            Self::Single => "single",
            Self::Parquet => "parquet",
            Self::ParquetS3 => "parquet-s3",
            Self::Iceberg => "iceberg",
            Self::Postgres => "postgres",
        }
    }
}

/// How to measure.
pub(super) type Options = arguments::Options<Workload>;

impl Options {
    pub(super) fn changes(&self) -> u64 {
        self.count / 3
    }

    pub(super) fn transactions(&self) -> u64 {
        self.count / 15
    }
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Measure(Options),
    Floor(Floor),
    /// Be the bucket, on a port, in a folder.
    Serve(u16, PathBuf),
    Help,
}

/// Fails with what to show to whoever typed it.
pub(super) fn parse(words: &[&str]) -> Result<Order, String> {
    match words {
        ["floor", floor @ ..] => {
            let read = Floor::from_words(floor).map(Order::Floor);
            read.ok_or_else(|| format!("there is no such floor: {}\n{USAGE}", floor.join(" ")))
        }
        ["serve", port, folder] => {
            let port = port.parse().map_err(|_| format!("`{port}` is no port"))?;
            Ok(Order::Serve(port, folder.into()))
        }
        _ => Ok(GRAMMAR.parse(words)?.map_or(Order::Help, Order::Measure)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &str) -> Result<Order, String> {
        parse(&words.split_whitespace().collect::<Vec<_>>())
    }

    #[test]
    fn options_say_how_much_and_which() {
        let Ok(Order::Measure(options)) = parsed("--rows 30_000 --only bulk") else {
            panic!("these are options");
        };
        assert_eq!(options.parts, [Workload::Bulk]);
        assert_eq!((options.changes(), options.transactions()), (10_000, 2_000));
        let lakes = parsed("--only lake")
            .map(|order| matches!(order, Order::Measure(o) if o.parts == Workload::LAKES));
        assert_eq!(lakes, Ok(true));
        let serve = Order::Serve(9000, "bucket".into());
        assert_eq!(parsed("serve 9000 bucket"), Ok(serve));
        assert_eq!(parsed("--help"), Ok(Order::Help));
        for words in ["--rows 3", "floor", "floor x", "serve x bucket"] {
            assert!(parsed(words).is_err(), "{words}");
        }
    }

    #[test]
    fn a_floor_is_read_as_it_is_written() {
        let log = Floor::Log {
            port: 3306,
            file: "binlog.000001".to_owned(),
            offset: 4,
        };
        for floor in [
            Floor::Select { port: 3306 },
            log,
            Floor::Append { rows: 5 },
            Floor::Parquet { rows: 5 },
            Floor::Merge {
                rows: 5,
                changes: 2,
            },
            Floor::Checksum {
                file: "a.duckdb".into(),
            },
        ] {
            let words = floor.to_words();
            let words: Vec<_> = words.iter().map(String::as_str).collect();
            assert_eq!(parse(&words), Ok(Order::Floor(floor)));
        }
    }
}
