//! The type of a column's numbers. A sheet knows only floats; a table is better with whole numbers
//! where there are no others, and must not lose a fraction that comes later.
//!
//! Whole numbers are `int64` as long as there are only such. Where a fraction comes among them later,
//! the column widens to a decimal, which holds both. A column that begins with fractions is `float64`
//! for good.

use serde::{Deserialize, Serialize};
use tributary_model::DataType;

use crate::cell::Cell;

/// Digits of the widest decimal that every destination has.
const DIGITS: u8 = 38;
/// Digits of an `int64`.
const WHOLE: u8 = 19;
/// Whole numbers up to here are floats without loss.
const EXACT: i64 = 1 << 53;

/// The type of a column's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Number {
    Whole,
    /// So many digits after the point.
    Decimal(u8),
    Float,
}

/// What numbers of a column have been seen.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    has_fractions: bool,
    /// Digits after the point, of numbers that a decimal can hold.
    scale: u8,
}

impl Seen {
    pub(crate) fn note(&mut self, cell: &Cell) {
        let Cell::Float(number) = cell else {
            return;
        };
        self.has_fractions = true;
        if let Some(decimal) = Decimal::of(*number) {
            self.scale = self.scale.max(decimal.scale);
        }
    }

    /// The type of the column from now on.
    pub(crate) fn decide(self, before: Option<Number>) -> Number {
        match (before, self.has_fractions) {
            (None, true) | (Some(Number::Float), _) => Number::Float,
            (None | Some(Number::Whole), false) => Number::Whole,
            (Some(Number::Whole), true) => Number::Decimal(self.scale),
            (Some(Number::Decimal(scale)), _) => Number::Decimal(scale.max(self.scale)),
        }
    }
}

impl Number {
    /// The type of a value in a column whose numbers have this type.
    pub(crate) fn type_of(self, cell: &Cell) -> Option<DataType> {
        Some(match cell {
            Cell::Empty | Cell::Failed => return None,
            Cell::Bool(_) => DataType::Bool,
            Cell::Date(_) => DataType::Date,
            Cell::Time(_) => DataType::Time,
            Cell::Timestamp(_) => DataType::Timestamp,
            Cell::Text(_) => DataType::Text,
            Cell::Int(number) => match self {
                Self::Whole => DataType::Int64,
                Self::Decimal(scale) => DataType::Decimal(WHOLE + scale, scale),
                Self::Float if number.unsigned_abs() <= EXACT.unsigned_abs() => DataType::Float64,
                #[allow(clippy::cast_precision_loss)] // that is what is asked
                Self::Float if (*number as f64) as i128 == i128::from(*number) => DataType::Float64,
                Self::Float => DataType::Int64,
            },
            Cell::Float(number) => match self {
                Self::Decimal(scale) if fits(*number, scale) => {
                    DataType::Decimal(WHOLE + scale, scale)
                }
                Self::Whole | Self::Decimal(_) | Self::Float => DataType::Float64,
            },
        })
    }
}

fn fits(number: f64, scale: u8) -> bool {
    Decimal::of(number).is_some_and(|decimal| decimal.at(scale).is_some())
}

/// A float, written as the shortest decimal that is read back as the same float.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decimal {
    unscaled: i128,
    scale: u8,
}

impl Decimal {
    /// `None` where an `int64` beside it would not fit into the widest decimal.
    pub(crate) fn of(number: f64) -> Option<Self> {
        let text = number.is_finite().then(|| number.to_string())?;
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let scale = u8::try_from(fraction.len()).ok()?;
        let digits = whole.trim_start_matches('-').len();
        if scale > DIGITS - WHOLE || digits > usize::from(WHOLE) {
            return None;
        }
        let unscaled = format!("{whole}{fraction}").parse().ok()?;
        Some(Self { unscaled, scale })
    }

    /// The digits with `scale` of them after the point.
    pub(crate) fn at(self, scale: u8) -> Option<i128> {
        let more = scale.checked_sub(self.scale)?;
        self.unscaled.checked_mul(10_i128.pow(u32::from(more)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(before: Option<Number>, cells: &[Cell]) -> Number {
        let mut seen = Seen::default();
        cells.iter().for_each(|cell| seen.note(cell));
        seen.decide(before)
    }

    #[test]
    fn numbers_are_whole_until_a_fraction_comes() {
        let (one, half) = (Cell::Int(1), Cell::Float(0.5));
        let both = [one.clone(), half];
        assert_eq!(decide(None, &[one]), Number::Whole);
        assert_eq!(decide(None, &both), Number::Float);
        assert_eq!(decide(Some(Number::Whole), &both), Number::Decimal(1));
        assert_eq!(
            decide(Some(Number::Decimal(1)), &[Cell::Float(0.125)]),
            Number::Decimal(3)
        );
        assert_eq!(decide(Some(Number::Decimal(3)), &both), Number::Decimal(3));
        assert_eq!(decide(Some(Number::Float), &[Cell::Int(1)]), Number::Float);
    }

    #[test]
    fn a_decimal_holds_what_it_can_and_nothing_is_rounded() {
        let scaled = |number, scale| Decimal::of(number).and_then(|decimal| decimal.at(scale));
        assert_eq!(scaled(19.99, 2), Some(1999));
        assert_eq!(scaled(-0.5, 3), Some(-500));
        assert_eq!(scaled(0.1 + 0.2, 17), Some(30_000_000_000_000_004));
        assert_eq!(scaled(0.125, 2), None);
        assert_eq!(scaled(1e-20, 19), None);
        assert_eq!(scaled(1e20, 0), None);
        let odd = Number::Decimal(2);
        assert_eq!(odd.type_of(&Cell::Float(1e-20)), Some(DataType::Float64));
        assert_eq!(odd.type_of(&Cell::Int(7)), Some(DataType::Decimal(21, 2)));
    }

    #[test]
    fn a_large_number_keeps_its_digits() {
        let large = Cell::Int(1_000_000_000_000_000_000);
        assert_eq!(Number::Float.type_of(&large), Some(DataType::Float64));
        let odd = Cell::Int((1 << 53) + 1);
        assert_eq!(Number::Float.type_of(&odd), Some(DataType::Int64));
        assert_eq!(Number::Whole.type_of(&odd), Some(DataType::Int64));
    }
}
