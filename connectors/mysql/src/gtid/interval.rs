//! A set of numbers as sorted, disjoint, non-adjacent, half-open intervals.

/// Transaction numbers; from `start` up to, not including, `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Interval {
    pub(super) start: u64,
    pub(super) end: u64,
}

/// The canonical form: equal sets are equal values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Intervals(pub(super) Vec<Interval>);

impl Intervals {
    pub(super) fn as_slice(&self) -> &[Interval] {
        &self.0
    }

    /// Adds all numbers of `new`, which is not empty.
    pub(super) fn add(&mut self, new: Interval) {
        debug_assert!(new.start < new.end);
        // The common case: the next number of a growing server.
        if let Some(last) = self.0.last_mut()
            && last.start <= new.start
            && new.start <= last.end
        {
            last.end = last.end.max(new.end);
            return;
        }
        // Everything that touches `new` becomes one with it.
        let from = self.0.partition_point(|have| have.end < new.start);
        let to = self.0.partition_point(|have| have.start <= new.end);
        let touched = &self.0[from..to];
        let merged = Interval {
            start: touched
                .first()
                .map_or(new.start, |have| have.start.min(new.start)),
            end: touched.last().map_or(new.end, |have| have.end.max(new.end)),
        };
        self.0.splice(from..to, [merged]);
    }
}
