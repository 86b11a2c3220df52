//! What can be typed after `bench api`.
//!
//! `drain` and `serve` are not for people: they are how the benchmark starts itself for the parts that
//! must be processes of their own.

use std::path::PathBuf;

use super::drain::How;
use super::target::Kind;

pub(super) const USAGE: &str = "\
usage: bench api [--records N] [--into duckdb|parquet] [--json] [--binary PATH]
  --records N    records of the API (1000000), 100 a page
  --into NAME    one of the destinations
  --json         print one JSON document instead of a table
  --binary PATH  the program to measure; by default the `tributary` beside this one";

const RECORDS: u64 = 1_000_000;

/// How figures are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Table,
    Json,
}

/// How to measure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) records: u64,
    pub(super) kinds: Vec<Kind>,
    pub(super) format: Format,
    pub(super) binary: Option<PathBuf>,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Measure(Options),
    Drain { port: u16, how: How },
    Serve { records: u64 },
    Help,
}

/// Fails with what to show to whoever typed it.
pub(super) fn parse(words: &[&str]) -> Result<Order, String> {
    let number = |text: &str| {
        let read = text.replace('_', "").parse::<u64>().ok();
        let read = read.filter(|number| *number > 0);
        read.ok_or_else(|| format!("`{text}` is not a number of records\n{USAGE}"))
    };
    match words {
        ["serve", records] => {
            return Ok(Order::Serve {
                records: number(records)?,
            });
        }
        ["drain", how, port] => {
            let how = How::ALL.into_iter().find(|known| known.name() == *how);
            return match (how, port.parse()) {
                (Some(how), Ok(port)) => Ok(Order::Drain { port, how }),
                _ => Err(format!("there is no such floor\n{USAGE}")),
            };
        }
        _ => {}
    }
    let mut options = Options {
        records: RECORDS,
        kinds: Kind::ALL.to_vec(),
        format: Format::Table,
        binary: None,
    };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || {
            let next = words.next();
            next.ok_or_else(|| format!("{word} takes a value\n{USAGE}"))
        };
        match *word {
            "--records" => options.records = number(value()?)?,
            "--into" => options.kinds = vec![kind(value()?)?],
            "--binary" => options.binary = Some(value()?.into()),
            "--json" => options.format = Format::Json,
            "--help" | "-h" => return Ok(Order::Help),
            other => return Err(format!("`{other}` is not an option\n{USAGE}")),
        }
    }
    Ok(Order::Measure(options))
}

fn kind(text: &str) -> Result<Kind, String> {
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == text);
    kind.ok_or_else(|| format!("--into takes duckdb or parquet, not `{text}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_understood_or_explained() {
        let words = "--records 2_000 --into parquet --json --binary /x";
        let words: Vec<&str> = words.split(' ').collect();
        let expected = Options {
            records: 2000,
            kinds: vec![Kind::Parquet],
            format: Format::Json,
            binary: Some("/x".into()),
        };
        assert_eq!(parse(&words), Ok(Order::Measure(expected)));
        let drain = Order::Drain {
            port: 80,
            how: How::Parse,
        };
        assert_eq!(parse(&["drain", "parse", "80"]), Ok(drain));
        for words in [
            &["--records", "0"][..],
            &["--into", "x"],
            &["drain", "x", "1"],
            &["--no"],
            &["--records"],
        ] {
            assert!(parse(words).is_err(), "{words:?}");
        }
    }
}
