//! Rows over the last day, in buckets.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many buckets a sparkline has.
pub const BUCKETS: usize = 48;
/// How much time a bucket covers, seconds.
pub const BUCKET_SECONDS: i64 = 1800;

/// Rows written, by time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sparkline {
    /// The time that a bucket covers.
    pub bucket_seconds: i64,
    /// When the last bucket began.
    pub last_bucket_at: DateTime<Utc>,
    /// Rows, the oldest bucket first.
    pub buckets: Vec<u64>,
}

impl Sparkline {
    /// No rows yet, as of `now`.
    #[must_use]
    pub fn empty(now: DateTime<Utc>) -> Self {
        Self {
            bucket_seconds: BUCKET_SECONDS,
            last_bucket_at: bucket_of(now),
            buckets: vec![0; BUCKETS],
        }
    }

    /// Moves on to `now`: buckets that are too old fall out.
    pub fn advance(&mut self, now: DateTime<Utc>) {
        let ahead = (bucket_of(now) - self.last_bucket_at).num_seconds() / BUCKET_SECONDS;
        let steps = usize::try_from(ahead).unwrap_or(0);
        if steps == 0 {
            return;
        }
        self.buckets.drain(..steps.min(BUCKETS));
        self.buckets.resize(BUCKETS, 0);
        self.last_bucket_at = bucket_of(now);
    }

    /// Counts rows that committed at `at`; those before the oldest bucket are left out.
    pub fn add(&mut self, at: DateTime<Utc>, rows: u64) {
        self.advance(at);
        let back = (self.last_bucket_at - bucket_of(at)).num_seconds() / BUCKET_SECONDS;
        let place = usize::try_from(back)
            .ok()
            .and_then(|back| (BUCKETS - 1).checked_sub(back));
        if let Some(count) = place.and_then(|place| self.buckets.get_mut(place)) {
            *count += rows;
        }
    }
}

/// When the bucket of a moment began.
fn bucket_of(at: DateTime<Utc>) -> DateTime<Utc> {
    let seconds = at.timestamp().div_euclid(BUCKET_SECONDS) * BUCKET_SECONDS;
    DateTime::from_timestamp(seconds, 0).unwrap_or(at)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn buckets_move_with_time() {
        let mut rows = Sparkline::empty(at(0));
        rows.add(at(10), 5);
        rows.add(at(BUCKET_SECONDS + 1), 7);
        assert_eq!(rows.buckets[BUCKETS - 2..], [5, 7]);
        rows.add(at(20), 1);
        assert_eq!(rows.buckets[BUCKETS - 2..], [6, 7]);
        rows.advance(at(BUCKET_SECONDS * 3));
        assert_eq!(rows.buckets[BUCKETS - 4..], [6, 7, 0, 0]);
        rows.advance(at(BUCKET_SECONDS * 1000));
        assert_eq!(rows.buckets, vec![0; BUCKETS]);
        rows.add(at(0), 9);
        assert_eq!(rows.buckets, vec![0; BUCKETS]);
    }
}
