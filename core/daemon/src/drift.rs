//! Moments that were noted by a clock that was wrong.
//!
//! A machine that lost its battery may begin years ahead, and note runs, failures and alerts before its
//! clock is put right. Whatever counts from such a moment would never come.

use chrono::{DateTime, TimeDelta, Utc};

/// Clocks that are put right by less change nothing: nobody would notice.
const DRIFT: TimeDelta = TimeDelta::hours(1);

/// Whether `at`, which should be past, lies further ahead of `now` than clocks drift.
pub(crate) fn is_ahead(at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    at - now > DRIFT
}

/// `at`, unless it lies ahead: then it was never so.
pub(crate) fn past(at: DateTime<Utc>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    (!is_ahead(at, now)).then_some(at)
}
