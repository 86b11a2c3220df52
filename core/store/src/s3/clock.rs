//! The time by which requests are signed: this machine's, unless the store has said that it is wrong.
//!
//! S3 refuses what is signed more than 15 minutes off, and names its own time with each reply. The
//! refusal comes before the request is looked at, so that signing it anew and sending it again is
//! safe for every request.
//!
//! Deliberately absent: any other use of the store's time. What is written down (when a load
//! began) is by this machine's clock, right or wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::SystemTime;

use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime::client::retries::RetryPartition;
use chrono::{DateTime, TimeDelta};

use super::failure::Failure;

/// Less than this between the clocks is not why a request was refused. Seconds.
const AGREED: i64 = 60;

/// How far the store's clock is ahead of ours, in seconds; shared by all copies.
#[derive(Clone, Debug, Default)]
pub(super) struct Clock(Arc<AtomicI64>);

/// Whether what was in a request's way is out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mended {
    Yes,
    No,
}

impl Clock {
    /// Goes by the store's time from now on. `No` where its reply does not tell it, or where
    /// requests were signed by that time already.
    pub(super) fn follow(&self, failure: &Failure) -> Mended {
        let Some(ahead) = failure.ahead() else {
            return Mended::No;
        };
        let ahead = ahead.num_seconds();
        if (ahead - self.0.swap(ahead, Ordering::Relaxed)).abs() < AGREED {
            return Mended::No;
        }
        tracing::warn!(
            seconds = ahead,
            "this machine's clock and the store's differ; requests are signed by the store's. Set \
             the clock by a time server"
        );
        Mended::Yes
    }
}

impl Clock {
    /// The time that a client goes by for as long as it lives: a time that jumped back would keep
    /// the SDK's limits of retries waiting.
    pub(super) fn time(&self) -> Time {
        Time(TimeDelta::seconds(self.0.load(Ordering::Relaxed)))
    }
}

/// A time that goes on evenly.
#[derive(Clone, Copy, Debug)]
pub(super) struct Time(TimeDelta);

impl Time {
    /// The limits of retries that clients share who go by this time, and no others: they count by
    /// it.
    pub(super) fn limits(self) -> RetryPartition {
        RetryPartition::new(format!("tributary-{}", self.0.num_seconds()))
    }
}

impl TimeSource for Time {
    fn now(&self) -> SystemTime {
        (tributary_model::now() + self.0).into()
    }
}

impl Failure {
    /// How far the store's clock is ahead of this machine's, where its reply tells.
    pub(super) fn ahead(&self) -> Option<TimeDelta> {
        let theirs = DateTime::parse_from_rfc2822(self.date.as_deref()?).ok()?;
        Some(theirs.to_utc() - tributary_model::now())
    }
}
