//! Keys that the log has touched while a copy goes on.
//!
//! Deliberately absent: any order. Which keys belong to a copy's range only the server can say.

use std::cmp::Reverse;
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

/// Who has to go so that those that stay take no more than `limit` bytes together: the largest first,
/// and nobody from the one on that is spared.
pub(super) fn overfull<T: Copy + PartialEq>(
    mut sizes: Vec<(T, usize)>,
    limit: usize,
    spared: Option<T>,
) -> Vec<T> {
    sizes.sort_by_key(|(_, bytes)| Reverse(*bytes));
    let mut total: usize = sizes.iter().map(|(_, bytes)| bytes).sum();
    let mut gone = Vec::new();
    for (who, bytes) in sizes {
        if total <= limit || spared == Some(who) {
            break;
        }
        total -= bytes;
        gone.push(who);
    }
    gone
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_go_until_the_rest_fits() {
        let sizes = vec![(1, 30), (2, 60), (3, 20), (4, 40)];
        assert!(overfull(sizes.clone(), 150, None).is_empty());
        assert_eq!(overfull(sizes.clone(), 100, None), [2]);
        assert_eq!(overfull(sizes.clone(), 80, None), [2, 4]);
        // One alone may have all of it, however many there could be.
        assert!(overfull(vec![(7, 100)], 100, None).is_empty());
    }

    #[test]
    fn nobody_goes_for_the_one_that_is_spared() {
        let sizes = vec![(1, 30), (2, 60), (3, 20)];
        assert!(overfull(sizes.clone(), 50, Some(2)).is_empty());
        assert_eq!(overfull(sizes, 40, Some(1)), [2]);
        assert!(overfull(vec![(7, 100)], 10, Some(7)).is_empty());
    }

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
