//! What can be typed after `bench`.
//!
//! `floor ...` is not for people: it is how the benchmark starts itself for the parts that must be
//! processes of their own.

use std::path::PathBuf;

use serde::Serialize;

use super::floor::Floor;

pub(super) const USAGE: &str = "\
usage: bench [--rows N] [--only snapshot|bulk|single] [--json] [--binary PATH]
  --rows N       rows of the table (3000000); there are a third as many changes in bulk and a
                 fifteenth as many single-row transactions
  --only NAME    one of the workloads
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
}

impl Workload {
    pub(super) const ALL: [Self; 3] = [Self::Snapshot, Self::Bulk, Self::Single];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Bulk => "bulk",
            Self::Single => "single",
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
            "--only" => options.workloads = vec![workload(value()?)?],
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

fn workload(text: &str) -> Result<Workload, String> {
    Workload::ALL
        .into_iter()
        .find(|workload| workload.name() == text)
        .ok_or_else(|| format!("--only takes snapshot, bulk or single, not `{text}`"))
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
