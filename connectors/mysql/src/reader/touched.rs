//! Keys that the log has touched while a copy goes on.
//!
//! Deliberately absent: any order. Which keys belong to a copy's range only the server can say.

use std::collections::HashSet;

/// What a key takes besides its bytes: its place in the set, and what an allocation is rounded up by.
const EACH: usize = 48;

/// Some keys, and how much memory they take.
#[derive(Debug, Default)]
pub(super) struct Touched {
    keys: HashSet<Box<[u8]>>,
    bytes: usize,
}

impl Touched {
    pub(super) fn insert(&mut self, key: &[u8]) {
        if !self.keys.contains(key) {
            self.bytes += key.len() + EACH;
            self.keys.insert(key.into());
        }
    }

    pub(super) fn contains(&self, key: &[u8]) -> bool {
        self.keys.contains(key)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// About how much memory they take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_counts_once() {
        let mut touched = Touched::default();
        assert!(touched.is_empty() && touched.bytes() == 0);
        for key in [&b"one"[..], b"two", b"one"] {
            touched.insert(key);
        }
        assert_eq!(touched.bytes(), 2 * (3 + EACH));
        assert!(touched.contains(b"one") && !touched.contains(b"three"));
    }
}
