//! Numbers of any length, compared digit by digit.

use std::cmp::Ordering;

/// A number without an exponent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Exact {
    negative: bool,
    /// Before the point, without leading zeros.
    whole: String,
    /// Behind the point, without trailing zeros.
    part: String,
}

impl Exact {
    /// Reads digits with at most one point.
    pub(super) fn read(negative: bool, text: &str) -> Self {
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let whole = whole.trim_start_matches('0').to_owned();
        let part = part.trim_end_matches('0').to_owned();
        Self {
            negative: negative && !(whole.is_empty() && part.is_empty()),
            whole,
            part,
        }
    }

    /// Reads what a column prints.
    pub(super) fn signed(text: &str) -> Self {
        match text.strip_prefix('-') {
            Some(text) => Self::read(true, text),
            None => Self::read(false, text),
        }
    }

    /// The nearest floating point number.
    pub(super) fn double(&self) -> f64 {
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    /// The number itself, where it is whole and not too large.
    pub(super) fn integer(&self) -> Option<i128> {
        if !self.part.is_empty() {
            return None;
        }
        self.to_string().parse().ok()
    }

    fn magnitude(&self, other: &Self) -> Ordering {
        let length = self.whole.len().cmp(&other.whole.len());
        let digits = || self.whole.cmp(&other.whole);
        length
            .then_with(digits)
            .then_with(|| self.part.cmp(&other.part))
    }
}

impl std::fmt::Display for Exact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        let whole = if self.whole.is_empty() {
            "0"
        } else {
            &self.whole
        };
        match self.part.as_str() {
            "" => write!(f, "{sign}{whole}"),
            part => write!(f, "{sign}{whole}.{part}"),
        }
    }
}

impl Ord for Exact {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.magnitude(other),
            (true, true) => other.magnitude(self),
        }
    }
}

impl PartialOrd for Exact {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_by_their_values() {
        let ordered = [
            "-10", "-9.5", "-0.25", "0", "0.09", "0.1", "2", "10", "10.01", "100",
        ];
        for (at, left) in ordered.iter().enumerate() {
            for (other, right) in ordered.iter().enumerate() {
                let order = Exact::signed(left).cmp(&Exact::signed(right));
                assert_eq!(order, at.cmp(&other), "{left} and {right}");
            }
        }
        assert_eq!(Exact::signed("-0.00"), Exact::signed("000"));
        assert_eq!(Exact::signed("1.50"), Exact::signed("01.5"));
    }
}
