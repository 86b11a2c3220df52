//! What can be typed after `bench api`.
//!
//! `drain` and `serve` are not for people: they are how the benchmark starts itself for the parts that
//! must be processes of their own.

use super::super::arguments::{Count, Grammar, Options};
use super::drain::How;
use super::target::Kind;

pub(super) const USAGE: &str = "\
usage: bench api [--records N] [--into duckdb|parquet] [--json] [--binary PATH]
  --records N    records of the API (1000000), 100 a page
  --into NAME    one of the destinations
  --json         print one JSON document instead of a table
  --binary PATH  the program to measure; by default the `tributary` beside this one";

const GRAMMAR: Grammar<Kind> = Grammar {
    usage: USAGE,
    count: Count {
        option: "--records",
        usual: 1_000_000,
        least: 1,
    },
    pick: "--into",
    parts: &Kind::ALL,
    name: Kind::name,
    groups: &[],
};

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Measure(Options<Kind>),
    Drain { port: u16, how: How },
    Serve { records: u64 },
    Help,
}

/// Fails with what to show to whoever typed it.
pub(super) fn parse(words: &[&str]) -> Result<Order, String> {
    match words {
        ["serve", records] => Ok(Order::Serve {
            records: GRAMMAR.count.read(records)?,
        }),
        ["drain", how, port] => {
            let how = How::ALL.into_iter().find(|known| known.name() == *how);
            match (how, port.parse()) {
                (Some(how), Ok(port)) => Ok(Order::Drain { port, how }),
                _ => Err(format!("there is no such floor\n{USAGE}")),
            }
        }
        _ => Ok(GRAMMAR.parse(words)?.map_or(Order::Help, Order::Measure)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_understood_or_explained() {
        let measured = parse(&["--records", "2_000", "--into", "parquet"]);
        let expected = |order: Order| matches!(order, Order::Measure(o) if o.count == 2_000 && o.parts == [Kind::Parquet]);
        assert_eq!(measured.map(expected), Ok(true));
        let drain = Order::Drain {
            port: 80,
            how: How::Parse,
        };
        assert_eq!(parse(&["drain", "parse", "80"]), Ok(drain));
        let serve = Order::Serve { records: 5 };
        assert_eq!(parse(&["serve", "5"]), Ok(serve));
        for words in [
            &["--records", "0"][..],
            &["--into", "x"],
            &["drain", "x", "1"],
            &["serve", "0"],
        ] {
            assert!(parse(words).is_err(), "{words:?}");
        }
    }
}
