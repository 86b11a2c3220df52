//! Which rows were sent already, by their digests.
//!
//! What is read again (because rows may appear late, or change, or because a list can only be read
//! whole) is compared with what was sent, so that reading again sends nothing twice. Up to a few
//! thousand rows are known one by one; of more only their number and the sum of their digests is,
//! which tells whether all of them are the same.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Serialize};

/// Rows that are known one by one. // G6
const MAX: usize = 5000;

/// Rows that were sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Text", try_from = "Text")]
pub(crate) struct Seen {
    count: u64,
    sum: u64,
    /// `None` once there are too many.
    each: Each,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Each {
    Known(HashSet<u64>),
    TooMany,
}

impl Default for Each {
    fn default() -> Self {
        Self::Known(HashSet::new())
    }
}

/// How it is kept.
#[derive(Serialize, Deserialize)]
struct Text {
    count: u64,
    sum: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rows: Option<String>,
}

impl Seen {
    /// Adds a row; `false` where it was there.
    pub(crate) fn add(&mut self, digest: u64) -> bool {
        if let Each::Known(known) = &mut self.each
            && !known.insert(digest)
        {
            return false;
        }
        self.count += 1;
        self.sum = self.sum.wrapping_add(digest);
        if self.count > MAX as u64 {
            self.each = Each::TooMany;
        }
        true
    }

    /// Adds all rows of another.
    pub(crate) fn add_all(&mut self, other: &Self) {
        match &other.each {
            Each::Known(known) => {
                for row in known {
                    self.add(*row);
                }
            }
            Each::TooMany => {
                self.count += other.count;
                self.sum = self.sum.wrapping_add(other.sum);
                self.each = Each::TooMany;
            }
        }
    }

    /// Whether a row is known to have been sent.
    pub(crate) fn contains(&self, digest: u64) -> bool {
        match &self.each {
            Each::Known(known) => known.contains(&digest),
            Each::TooMany => false,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether another holds all of these rows, as far as they are known one by one; else whether
    /// these are the same.
    pub(crate) fn is_within(&self, other: &Self) -> bool {
        match (&self.each, &other.each) {
            (Each::Known(own), Each::Known(others)) => own.is_subset(others),
            _ => self.is_same(other),
        }
    }

    /// Whether these are the same rows.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (self.count, self.sum) == (other.count, other.sum)
    }
}

impl From<Seen> for Text {
    fn from(seen: Seen) -> Self {
        let rows = match seen.each {
            Each::TooMany => None,
            Each::Known(known) => {
                let mut sorted: Vec<u64> = known.into_iter().collect();
                sorted.sort_unstable();
                let bytes: Vec<u8> = sorted.iter().flat_map(|row| row.to_le_bytes()).collect();
                Some(STANDARD_NO_PAD.encode(bytes))
            }
        };
        Self {
            count: seen.count,
            sum: format!("{:016x}", seen.sum),
            rows,
        }
    }
}

impl TryFrom<Text> for Seen {
    type Error = String;

    fn try_from(text: Text) -> Result<Self, String> {
        let broken = || "digests of rows can't be read".to_owned();
        let each = match text.rows {
            None => Each::TooMany,
            Some(rows) => {
                let bytes = STANDARD_NO_PAD.decode(rows).map_err(|_| broken())?;
                let (rows, rest) = bytes.as_chunks::<8>();
                if !rest.is_empty() {
                    return Err(broken());
                }
                Each::Known(rows.iter().map(|row| u64::from_le_bytes(*row)).collect())
            }
        };
        Ok(Self {
            count: text.count,
            sum: u64::from_str_radix(&text.sum, 16).map_err(|_| broken())?,
            each,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_known_one_by_one_until_they_are_many() {
        let mut seen = Seen::default();
        assert!(seen.add(1) && !seen.add(1) && seen.contains(1));
        let back: Seen = serde_json::from_str(&serde_json::to_string(&seen).unwrap()).unwrap();
        assert_eq!(back, seen);
        let mut other = Seen::default();
        for row in 0..MAX as u64 + 10 {
            seen.add(row + 100);
            other.add(MAX as u64 + 109 - row);
        }
        other.add(1);
        assert!(seen.is_same(&other) && !seen.contains(1));
        let back: Seen = serde_json::from_str(&serde_json::to_string(&seen).unwrap()).unwrap();
        assert!(back.is_same(&seen));
        other.add(2);
        assert!(!seen.is_same(&other));
    }
}
