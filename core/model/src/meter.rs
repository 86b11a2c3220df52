//! Counts what sources ask of APIs, and notes where they stand in a log.
//!
//! Whoever makes a source says who counts ([`metered`]); a client takes the meter along when it is
//! made ([`meter`]). So no connector has to hand it on.
//!
//! Deliberately absent: addresses, paths, anything else of a request that might be secret. // G8

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// Whoever counts. Called often, from any task: be quick.
pub trait Meter: fmt::Debug + Send + Sync {
    /// A request was answered with this status, or with none where the network failed.
    fn request(&self, status: Option<u16>);
    /// So long was waited to keep a limit.
    fn waited(&self, time: Duration);
    /// This is where the reading stands in its source's log.
    fn standing(&self, _: LogStanding) {}
}

/// Where a reading stands between the oldest and the newest entry of its source's log.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LogStanding {
    /// What is still to be read, bytes.
    pub behind_bytes: u64,
    /// What the source would have to delete before it comes to where we are, bytes.
    pub headroom_bytes: u64,
    /// How long until it deletes that by its own settings, seconds; `None` where it never does, or
    /// does not say.
    pub headroom_seconds: Option<f64>,
}

#[derive(Debug)]
struct Nobody;

impl Meter for Nobody {
    fn request(&self, _: Option<u16>) {}
    fn waited(&self, _: Duration) {}
}

tokio::task_local! {
    static METER: Arc<dyn Meter>;
}

/// Lets what `make` makes be counted by `meter`.
pub async fn metered<F: Future>(meter: Arc<dyn Meter>, make: F) -> F::Output {
    METER.scope(meter, make).await
}

/// The meter of whatever is being made; one that counts nothing where nobody asked for one.
#[must_use]
pub fn meter() -> Arc<dyn Meter> {
    METER
        .try_with(Arc::clone)
        .unwrap_or_else(|_| Arc::new(Nobody))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[derive(Debug, Default)]
    struct Count(AtomicU64);

    impl Meter for Count {
        fn request(&self, _: Option<u16>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        fn waited(&self, _: Duration) {}
    }

    #[tokio::test]
    async fn what_is_made_under_a_meter_is_counted() {
        let count = Arc::new(Count::default());
        let taken = metered(count.clone(), async { meter() }).await;
        taken.request(Some(200));
        meter().request(Some(200));
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }
}
