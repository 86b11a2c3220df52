//! Sets of transactions compared and joined, without asking a server.

use super::interval::{Interval, Intervals};
use super::{GtidPosition, GtidSet, Gtids, Source};

impl Gtids {
    /// Whether everything in `other` is in here too; never across flavors.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Mysql(ours), Self::Mysql(theirs)) => ours.covers(theirs),
            (Self::Mariadb(ours), Self::Mariadb(theirs)) => ours.covers(theirs),
            (Self::Mysql(_), Self::Mariadb(_)) | (Self::Mariadb(_), Self::Mysql(_)) => false,
        }
    }
}

impl GtidSet {
    /// Whether a transaction is in the set.
    pub(crate) fn contains(&self, source: &Source, number: u64) -> bool {
        self.0
            .get(source)
            .is_some_and(|numbers| numbers.contains(number))
    }

    /// Whether all of `other` is in this set.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        other.0.iter().all(|(source, wanted)| {
            self.0
                .get(source)
                .is_some_and(|numbers| numbers.covers(wanted))
        })
    }

    /// Adds all of `other`.
    pub(crate) fn union(&mut self, other: &Self) {
        for (source, numbers) in &other.0 {
            for part in numbers.as_slice() {
                self.insert(source, part.start, part.end - 1);
            }
        }
    }
}

impl GtidPosition {
    /// Whether each domain of `other` stands here at the same number or further.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        other.0.values().all(|wanted| {
            self.last(wanted.domain)
                .is_some_and(|have| have.sequence >= wanted.sequence)
        })
    }

    /// Moves each domain of `other` that is further there.
    pub(crate) fn union(&mut self, other: &Self) {
        for &gtid in other.0.values() {
            self.raise(gtid);
        }
    }
}

impl Intervals {
    pub(super) fn contains(&self, number: u64) -> bool {
        self.covers_interval(Interval {
            start: number,
            end: number.saturating_add(1),
        })
    }

    /// Whether all numbers of `other` are in here.
    pub(super) fn covers(&self, other: &Self) -> bool {
        other.0.iter().all(|&wanted| self.covers_interval(wanted))
    }

    fn covers_interval(&self, wanted: Interval) -> bool {
        let at = self.0.partition_point(|have| have.end <= wanted.start);
        self.0
            .get(at)
            .is_some_and(|have| have.start <= wanted.start && wanted.end <= have.end)
    }
}
