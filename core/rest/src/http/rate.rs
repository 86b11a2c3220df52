//! A rate: so many requests in so much time, and never more.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::time::Instant;
use tributary_model::{Error, ErrorKind, Result};

/// Requests of a second below which a rate is kept by nothing but their distance.
const SLOW: f64 = 30.0;
/// Of so many requests one may be late. A timer is late by about a millisecond, and a turn that is
/// missed is lost: a fast rate would never be reached.
const LATE: f64 = 50.0;

/// A rate that is kept.
///
/// The distance of requests is that of a rate lower by `late` requests of a second, and as many may
/// catch up. In any second there are then at most `1 + late` at once, and `rate - late - 1` after
/// them: never more than the rate says.
#[derive(Debug)]
pub(crate) struct Rate {
    limiter: RateLimiter<NotKeyed, InMemoryState, Watch, NoOpMiddleware<Nanos>>,
    watch: Watch,
    window: Duration,
}

/// The clock of the timers that are waited for.
#[derive(Clone, Copy, Debug)]
struct Watch(Instant);

impl Clock for Watch {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.0.elapsed().into()
    }
}

impl Rate {
    /// Reads `20/s`, `9/min` or `1000/h`; `burst` says how many may be made at once after a rest.
    pub(crate) fn read(text: &str, burst: Option<u32>) -> Result<Self> {
        let (quota, window) = quota(text, burst.and_then(NonZeroU32::new)).ok_or_else(|| {
            Error::new(ErrorKind::Config, format!("`{text}` is not a rate"))
                .fix("Write it like 20/s, 9/min or 1000/h.")
        })?;
        let watch = Watch(Instant::now());
        Ok(Self {
            limiter: RateLimiter::direct_with_clock(quota, watch),
            watch,
            window,
        })
    }

    /// The length of time that it counts by.
    pub(crate) fn window(&self) -> Duration {
        self.window
    }

    /// Waits for a turn.
    pub(crate) async fn wait(&self) {
        while let Err(not_yet) = self.limiter.check() {
            tokio::time::sleep(not_yet.wait_time_from(self.watch.now())).await;
        }
    }
}

fn quota(text: &str, burst: Option<NonZeroU32>) -> Option<(Quota, Duration)> {
    let (count, unit) = text.split_once('/')?;
    let count: f64 = count.trim().parse().ok().filter(|count| *count > 0.0)?;
    let window: u32 = match unit.trim() {
        "s" => 1,
        "min" => 60,
        "h" => 3600,
        _ => return None,
    };
    let rate = count / f64::from(window);
    let late = match burst {
        None if rate >= SLOW => (rate / LATE).floor().max(1.0),
        _ => 0.0,
    };
    let period = Duration::try_from_secs_f64(1.0 / (rate - late)).ok()?;
    let caught_up = NonZeroU32::MIN.saturating_add(late as u32);
    let quota = Quota::with_period(period.max(Duration::from_nanos(1)))?;
    let quota = quota.allow_burst(burst.unwrap_or(caught_up));
    Some((quota, Duration::from_secs(window.into())))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// When each of `count` requests of eight at once got its turn.
    async fn turns(rate: &str, count: usize) -> Vec<Duration> {
        let (rate, begun) = (Arc::new(Rate::read(rate, None).unwrap()), Instant::now());
        let turns = Arc::new(Mutex::new(Vec::new()));
        let asking = (0..8).map(|_| {
            let (rate, turns) = (rate.clone(), turns.clone());
            tokio::spawn(async move {
                while turns.lock().unwrap().len() < count {
                    rate.wait().await;
                    turns.lock().unwrap().push(begun.elapsed());
                }
            })
        });
        futures::future::join_all(asking.collect::<Vec<_>>()).await;
        Arc::into_inner(turns).unwrap().into_inner().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_is_reached_and_never_exceeded() {
        for (text, rate) in [
            ("0.5/s", 0.5_f64),
            ("120/min", 2.0),
            ("7/s", 7.0),
            ("25/s", 25.0),
            ("40/s", 40.0),
            ("100/s", 100.0),
            ("330/s", 330.0),
            ("36000/h", 10.0),
        ] {
            let turns = turns(text, (rate * 20.0) as usize + 10).await;
            for (place, first) in turns.iter().enumerate() {
                let second = first.saturating_add(Duration::from_secs(1));
                let within = turns[place..].iter().take_while(|turn| **turn < second);
                assert!(
                    within.count() as f64 <= rate.max(1.0),
                    "{text} at {first:?}"
                );
            }
            let took = *turns.last().unwrap() - turns[0];
            let reached = (turns.len() - 1) as f64 / took.as_secs_f64();
            assert!(reached >= rate * 0.95, "{text}: {reached}/s");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_what_was_left_unused() {
        let rate = Rate::read("60/min", Some(5)).unwrap();
        let begun = Instant::now();
        for _ in 0..8 {
            rate.wait().await;
        }
        assert!((3..4).contains(&begun.elapsed().as_secs()));
    }

    #[tokio::test]
    async fn rates_are_read() {
        for (text, good) in [
            ("20/s", true),
            ("0.5/s", true),
            ("9/min", true),
            ("x/s", false),
            ("0/s", false),
            ("5/d", false),
            ("5", false),
            ("1e300/s", true),
        ] {
            assert_eq!(Rate::read(text, None).is_ok(), good, "{text}");
        }
    }
}
