//! What can be typed after `bench`.
//!
//! `floor ...` and `serve ...` are not for people: they are how the benchmark starts itself for the
//! parts that must be processes of their own.

use std::path::PathBuf;

use serde::Serialize;

use super::floor::Floor;

pub(super) const USAGE: &str = "\
usage: bench [--rows N] [--only NAME] [--json] [--binary PATH]
  --rows N       rows of the table (3000000); there are a third as many changes in bulk and a
                 fifteenth as many single-row transactions
  --only NAME    one of the workloads: snapshot, bulk, single, parquet, parquet-s3, iceberg, postgres;
                 or `lake` for the three before the last
  --json         print one JSON document instead of tables
  --binary PATH  the program to measure; by default the `tributary` beside this one";

const ROWS: u64 = 3_000_000;
/// Fewer leave some part of a backlog without a row.
const LEAST_ROWS: u64 = 1_500;

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

/// How figures are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Table,
    Json,
}

/// How to measure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) rows: u64,
    pub(super) workloads: Vec<Workload>,
    pub(super) format: Format,
    pub(super) binary: Option<PathBuf>,
}

impl Options {
    pub(super) fn changes(&self) -> u64 {
        self.rows / 3
    }

    pub(super) fn transactions(&self) -> u64 {
        self.rows / 15
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
pub(super) fn parse(arguments: &[String]) -> Result<Order, String> {
    let mut words = arguments.iter().map(String::as_str);
    if arguments.first().is_some_and(|word| word == "floor") {
        let rest: Vec<&str> = words.skip(1).collect();
        let floor = Floor::from_words(&rest);
        return floor
            .map(Order::Floor)
            .ok_or_else(|| format!("there is no such floor: {}\n{USAGE}", rest.join(" ")));
    }
    if let [word, port, folder] = arguments
        && word == "serve"
    {
        let port = port.parse().map_err(|_| format!("`{port}` is no port"))?;
        return Ok(Order::Serve(port, folder.into()));
    }
    let mut options = Options {
        rows: ROWS,
        workloads: Workload::ALL.to_vec(),
        format: Format::Table,
        binary: None,
    };
    while let Some(word) = words.next() {
        let mut value = || {
            words
                .next()
                .ok_or_else(|| format!("{word} takes a value\n{USAGE}"))
        };
        match word {
            "--rows" => options.rows = rows(value()?)?,
            "--only" => options.workloads = workloads(value()?)?,
            "--binary" => options.binary = Some(value()?.into()),
            "--json" => options.format = Format::Json,
            "--help" | "-h" => return Ok(Order::Help),
            other => return Err(format!("`{other}` is not an option\n{USAGE}")),
        }
    }
    Ok(Order::Measure(options))
}

fn rows(text: &str) -> Result<u64, String> {
    match text.replace('_', "").parse() {
        Ok(rows) if rows >= LEAST_ROWS => Ok(rows),
        Ok(_) | Err(_) => Err(format!(
            "--rows takes a number from {LEAST_ROWS}, not `{text}`"
        )),
    }
}

fn workloads(text: &str) -> Result<Vec<Workload>, String> {
    if text == "lake" {
        return Ok(Workload::LAKES.to_vec());
    }
    let mut all = Workload::ALL.into_iter();
    let found = all.find(|workload| workload.name() == text);
    let names = Workload::ALL.map(Workload::name).join(", ");
    found
        .map(|workload| vec![workload])
        .ok_or_else(|| format!("--only takes {names} or lake, not `{text}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &str) -> Result<Order, String> {
        let words: Vec<String> = words.split_whitespace().map(ToOwned::to_owned).collect();
        parse(&words)
    }

    #[test]
    fn options_say_how_much_and_which() {
        let Ok(Order::Measure(options)) = parsed("--rows 30_000 --json --only bulk") else {
            panic!("these are options");
        };
        assert_eq!(options.workloads, [Workload::Bulk]);
        let lakes = parsed("--only lake")
            .map(|order| matches!(order, Order::Measure(o) if o.workloads == Workload::LAKES));
        assert_eq!(lakes, Ok(true));
        let serve = Order::Serve(9000, "bucket".into());
        assert_eq!(parsed("serve 9000 bucket"), Ok(serve));
        assert_eq!(options.format, Format::Json);
        let sizes = (options.rows, options.changes(), options.transactions());
        assert_eq!(sizes, (30_000, 10_000, 2_000));
        let usual = parsed("").map(|order| matches!(order, Order::Measure(o) if o.rows == ROWS));
        assert_eq!(usual, Ok(true));
        assert_eq!(parsed("--rows 5000 --help"), Ok(Order::Help));
    }

    #[test]
    fn what_is_no_option_is_refused() {
        for words in [
            "--rows",
            "--rows many",
            "--rows 3",
            "--only all",
            "--fast",
            "floor",
            "floor x",
        ] {
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
            assert_eq!(parse(&floor.to_words()), Ok(Order::Floor(floor)));
        }
    }
}
