//! When a load is full enough to commit, and when it may.

use std::collections::BTreeSet;
use std::time::Instant;

use tributary_model::{FlushPolicy, Scope, StreamName};

/// What the load in progress holds.
#[derive(Debug)]
pub(crate) struct Fill {
    policy: FlushPolicy,
    rows: u64,
    bytes: u64,
    since: Option<Instant>,
    uncovered: BTreeSet<StreamName>,
}

impl Fill {
    /// An empty load under `policy`.
    pub(crate) fn new(policy: FlushPolicy) -> Self {
        Self {
            policy,
            rows: 0,
            bytes: 0,
            since: None,
            uncovered: BTreeSet::new(),
        }
    }

    /// Notes rows of `stream` that no checkpoint covers yet.
    pub(crate) fn add(&mut self, stream: &StreamName, rows: u64, bytes: u64, now: Instant) {
        self.rows += rows;
        self.bytes += bytes;
        self.since.get_or_insert(now);
        if !self.uncovered.contains(stream) {
            self.uncovered.insert(stream.clone());
        }
    }

    /// Notes a checkpoint: everything of its scope so far is covered by a cursor.
    pub(crate) fn cover(&mut self, scope: &Scope, now: Instant) {
        self.since.get_or_insert(now);
        match scope {
            Scope::Shared => self.uncovered.clear(),
            Scope::Stream(stream) => {
                self.uncovered.remove(stream);
            }
        }
    }

    /// Whether every row is covered by a cursor, so that rows and cursors may commit together.
    ///
    /// A commit with an uncovered row would put rows into the destination that the state does not
    /// know of: after a crash they would be read and loaded once more. // G2
    pub(crate) fn is_covered(&self) -> bool {
        self.uncovered.is_empty()
    }

    /// Whether rows of `stream` wait for a cursor.
    pub(crate) fn waits_for(&self, stream: &StreamName) -> bool {
        self.uncovered.contains(stream)
    }

    /// Whether the policy wants a commit.
    pub(crate) fn is_full(&self, now: Instant) -> bool {
        self.rows >= self.policy.rows
            || self.bytes >= self.policy.bytes
            || self
                .since
                .is_some_and(|since| now.duration_since(since) >= self.policy.age)
    }

    /// When the policy wants a commit because of age alone.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.since.map(|since| since + self.policy.age)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_load_commits_only_when_every_row_is_covered() {
        let now = Instant::now();
        let (a, b) = (StreamName::plain("a"), StreamName::plain("b"));
        let policy = FlushPolicy {
            rows: 10,
            bytes: 1000,
            age: Duration::from_secs(1),
        };
        let mut fill = Fill::new(policy);
        assert!(fill.is_covered() && !fill.is_full(now));
        fill.add(&a, 9, 9, now);
        fill.add(&b, 1, 1, now);
        assert!(fill.is_full(now) && !fill.is_covered());
        fill.cover(&Scope::Stream(a.clone()), now);
        assert!(!fill.is_covered());
        fill.cover(&Scope::Stream(b), now);
        assert!(fill.is_covered());
        let mut fill = Fill::new(policy);
        assert!(!fill.is_full(now + Duration::from_secs(9)));
        fill.add(&a, 1, 1, now);
        assert!(fill.is_full(now + Duration::from_secs(1)) && !fill.is_covered());
        fill.cover(&Scope::Shared, now);
        assert!(fill.is_covered());
    }
}
