//! What can be typed after `bench shapes`.

use std::path::PathBuf;

use super::shape::Shape;

pub(super) const USAGE: &str = "\
usage: bench shapes [--rows N] [--only NAME] [--json] [--binary PATH]
  --rows N       rows of the narrow table and of the one transaction (2000000); a twentieth as many
                 wide rows, a tenth as many that are updated five times each
  --only NAME    one of narrow, wide, many, updates, transaction
  --json         print one JSON document instead of a table
  --binary PATH  the program to measure; by default the `tributary` beside this one";

const ROWS: u64 = 2_000_000;

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
    pub(super) shapes: Vec<Shape>,
    pub(super) format: Format,
    pub(super) binary: Option<PathBuf>,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Measure(Options),
    Help,
}

/// Fails with what to show to whoever typed it.
pub(super) fn parse(words: &[&str]) -> Result<Order, String> {
    let mut options = Options {
        rows: ROWS,
        shapes: Shape::ALL.to_vec(),
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
            "--rows" => options.rows = rows(value()?)?,
            "--only" => options.shapes = vec![shape(value()?)?],
            "--binary" => options.binary = Some(value()?.into()),
            "--json" => options.format = Format::Json,
            "--help" | "-h" => return Ok(Order::Help),
            other => return Err(format!("`{other}` is not an option\n{USAGE}")),
        }
    }
    Ok(Order::Measure(options))
}

fn rows(text: &str) -> Result<u64, String> {
    let read = text.replace('_', "").parse::<u64>().ok();
    let read = read.filter(|rows| *rows >= 1_000);
    read.ok_or_else(|| format!("--rows takes a number from 1000, not `{text}`"))
}

fn shape(text: &str) -> Result<Shape, String> {
    let names = Shape::ALL.map(Shape::name).join(", ");
    let found = Shape::ALL.into_iter().find(|shape| shape.name() == text);
    found.ok_or_else(|| format!("--only takes one of {names}, not `{text}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_understood_or_explained() {
        let words = [
            "--rows", "2_000", "--only", "many", "--json", "--binary", "/x",
        ];
        let expected = Options {
            rows: 2_000,
            shapes: vec![Shape::Many],
            format: Format::Json,
            binary: Some("/x".into()),
        };
        assert_eq!(parse(&words), Ok(Order::Measure(expected)));
        assert_eq!(parse(&["--help"]), Ok(Order::Help));
        for words in [
            &["--rows", "3"][..],
            &["--only", "x"],
            &["--no"],
            &["--rows"],
        ] {
            assert!(parse(words).is_err(), "{words:?}");
        }
    }
}
