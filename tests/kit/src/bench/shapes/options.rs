//! What can be typed after `bench shapes`.

use super::super::arguments::{Count, Grammar};
use super::shape::Shape;

pub(super) const GRAMMAR: Grammar<Shape> = Grammar {
    usage: "\
usage: bench shapes [--rows N] [--only NAME] [--json] [--binary PATH]
  --rows N       rows of the narrow table and of the one transaction (2000000); a twentieth as many
                 wide rows, a tenth as many that are updated five times each
  --only NAME    one of narrow, wide, many, updates, transaction
  --json         print one JSON document instead of a table
  --binary PATH  the program to measure; by default the `tributary` beside this one",
    count: Count {
        option: "--rows",
        usual: 2_000_000,
        least: 1_000,
    },
    pick: "--only",
    parts: &Shape::ALL,
    name: Shape::name,
    groups: &[],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_is_told_and_can_be_picked() {
        for shape in Shape::ALL {
            assert!(GRAMMAR.usage.contains(shape.name()), "{shape:?}");
            let picked = GRAMMAR.parse(&["--rows", "1_000", "--only", shape.name()]);
            let picked = picked.map(|options| options.map(|options| options.parts));
            assert_eq!(picked, Ok(Some(vec![shape])));
        }
    }
}
