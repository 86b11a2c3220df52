//! How a test is decided: three values, as in SQL.

use std::cmp::Ordering;

use tributary_model::{Error, Result};

use super::Comparison;
use super::answers::Asked;
use super::number::Exact;
use crate::decode::{Probe, Seen};

/// What a condition is for one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Truth {
    True,
    False,
    /// A NULL decides.
    Unknown,
}

impl Truth {
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::False, _) | (_, Self::False) => Self::False,
            (Self::True, Self::True) => Self::True,
            _ => Self::Unknown,
        }
    }

    pub(super) fn or(self, other: Self) -> Self {
        self.not().and(other.not()).not()
    }

    pub(super) fn not(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
        }
    }
}

impl From<bool> for Truth {
    fn from(is: bool) -> Self {
        if is { Self::True } else { Self::False }
    }
}

/// How a test is decided.
#[derive(Debug)]
pub(super) enum Rule {
    IsNull,
    IsTrue,
    /// Digit by digit; the whole number once more, which is compared faster.
    Exact(Comparison, Exact, Option<i128>),
    Double(Comparison, f64),
    /// As the 26 characters of a moment.
    Moment(Comparison, String),
    /// By the server.
    Text(Asked),
}

impl Rule {
    pub(super) fn exact(comparison: Comparison, number: Exact) -> Self {
        let whole = number.integer();
        Self::Exact(comparison, number, whole)
    }

    /// Whether it needs more of a value than that it is there.
    pub(super) fn looks(&self) -> bool {
        !matches!(self, Self::IsNull)
    }

    /// What it says of a value; `None` is NULL.
    pub(super) fn decide(&self, probe: &mut Option<Probe>, raw: Option<&[u8]>) -> Result<Truth> {
        let raw = match (self, raw) {
            (Self::IsNull, raw) => return Ok(raw.is_none().into()),
            (_, None) => return Ok(Truth::Unknown),
            (_, Some(raw)) => raw,
        };
        if let Self::Text(asked) = self {
            return asked.answer(probe, raw);
        }
        let probe = probe
            .as_mut()
            .ok_or_else(|| Error::bug("a column is compared unseen"))?;
        let is = match (self, probe.look(raw)?) {
            (Self::IsTrue, Seen::Int(number)) => number != 0,
            (Self::IsTrue, Seen::Decimal(text)) => Exact::signed(&text) != Exact::signed("0"),
            (Self::IsTrue, Seen::Double(number)) => number != 0.0,
            (Self::Exact(comparison, _, Some(than)), Seen::Int(number)) => {
                comparison.holds(number.cmp(than))
            }
            (Self::Exact(comparison, than, None), Seen::Int(number)) => {
                comparison.holds(Exact::signed(&number.to_string()).cmp(than))
            }
            (Self::Exact(comparison, than, _), Seen::Decimal(text)) => {
                comparison.holds(Exact::signed(&text).cmp(than))
            }
            (Self::Double(comparison, than), seen) => double(&seen)?
                .partial_cmp(than)
                .is_some_and(|order| comparison.holds(order)),
            (Self::Moment(comparison, than), Seen::Text(text)) => {
                comparison.holds(whole(text).as_slice().cmp(than.as_bytes()))
            }
            _ => return Err(Error::bug("a column was compared as what it is not")),
        };
        Ok(is.into())
    }
}

/// A number as the server takes it to compare it with a DOUBLE.
fn double(seen: &Seen<'_>) -> Result<f64> {
    match seen {
        Seen::Int(number) => Ok(*number as f64),
        Seen::Decimal(text) => Ok(text.parse().unwrap_or(f64::NAN)),
        Seen::Double(number) => Ok(*number),
        Seen::Text(_) | Seen::Other => Err(Error::bug("a text was compared as a number")),
    }
}

/// A date or moment as the server prints it, filled up to microseconds.
fn whole(text: &[u8]) -> Vec<u8> {
    const MIDNIGHT: &[u8; 26] = b"0000-00-00 00:00:00.000000";
    let mut whole = text.to_vec();
    whole.extend_from_slice(MIDNIGHT.get(text.len()..).unwrap_or_default());
    whole
}

impl Comparison {
    pub(super) fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::Unequal => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::AtLeast => order.is_ge(),
        }
    }
}
