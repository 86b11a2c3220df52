//! How often the API is asked, and how many times at once: kept for each credential, by all that use
//! it in this process.
//!
//! Invariant: no window of time sees more requests than the rate and the burst allow together. A rate
//! is kept by the distance of requests, not by a budget that could be spent at once, unless a limit
//! names a burst: what an API that counts by the minute leaves unused for requests after a rest.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tributary_model::Result;

use crate::manifest::LimitSpec;
use crate::manifest::request::Method;
use crate::template::Scope;

use super::call::{Call, missing};
use super::rate::Rate;

/// Requests at once where nothing is said.
const PARALLEL: u32 = 8;

/// The limits of one credential.
#[derive(Debug)]
pub(crate) struct Limits {
    buckets: Vec<Bucket>,
    /// Until when nobody asks: what the API said last.
    paused: Mutex<Option<Instant>>,
}

#[derive(Debug)]
struct Bucket {
    matches: Option<(Method, String)>,
    rate: Option<Rate>,
    permits: Option<(u32, Arc<Semaphore>)>,
}

/// A place among the requests at once; given back when dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _permits: Vec<OwnedSemaphorePermit>,
}

type Known = Mutex<HashMap<String, Weak<Limits>>>;

static KNOWN: LazyLock<Known> = LazyLock::new(Known::default);

impl Limits {
    /// The limits of a credential: the same for all that use it.
    pub(crate) fn of(
        credential: &str,
        specs: &[LimitSpec],
        scope: &Scope<'_>,
    ) -> Result<Arc<Self>> {
        let made = Self::new(specs, scope)?;
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, limits| limits.strong_count() > 0);
        if let Some(limits) = known.get(credential).and_then(Weak::upgrade) {
            return Ok(limits);
        }
        let limits = Arc::new(made);
        known.insert(credential.to_owned(), Arc::downgrade(&limits));
        Ok(limits)
    }

    fn new(specs: &[LimitSpec], scope: &Scope<'_>) -> Result<Self> {
        let mut buckets = Vec::new();
        for spec in specs {
            let rate = match &spec.rate {
                None => None,
                Some(template) => template.render(scope).map_err(missing)?,
            };
            buckets.push(Bucket {
                matches: spec.matches.clone(),
                rate: rate.map(|text| Rate::read(&text, spec.burst)).transpose()?,
                permits: spec.parallel.map(permits),
            });
        }
        if !buckets.iter().any(|bucket| bucket.permits.is_some()) {
            buckets.push(Bucket {
                matches: None,
                rate: None,
                permits: Some(permits(PARALLEL)),
            });
        }
        Ok(Self {
            buckets,
            paused: Mutex::default(),
        })
    }

    /// Waits until `call` may be made.
    pub(crate) async fn enter(&self, call: &Call) -> Turn {
        let buckets: Vec<&Bucket> = self.buckets.iter().filter(|it| it.counts(call)).collect();
        let mut held = Vec::new();
        for bucket in &buckets {
            if let Some((_, semaphore)) = &bucket.permits {
                held.extend(semaphore.clone().acquire_owned().await);
            }
        }
        self.wait_out_pause().await;
        for bucket in &buckets {
            if let Some(rate) = &bucket.rate {
                rate.wait().await;
            }
        }
        self.wait_out_pause().await;
        Turn { _permits: held }
    }

    async fn wait_out_pause(&self) {
        loop {
            let paused = *self.paused.lock().unwrap_or_else(PoisonError::into_inner);
            match paused.filter(|until| *until > Instant::now()) {
                Some(until) => tokio::time::sleep_until(until).await,
                None => return,
            }
        }
    }

    /// Keeps everyone from asking for a while.
    pub(crate) fn pause(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        if paused.is_none_or(|before| before < until) {
            *paused = Some(until);
        }
    }

    /// How many requests at once there may be.
    pub(crate) fn parallel(&self) -> usize {
        let all = self
            .buckets
            .iter()
            .filter(|bucket| bucket.matches.is_none());
        let permits = all.filter_map(|bucket| bucket.permits.as_ref());
        permits
            .map(|(count, _)| *count as usize)
            .min()
            .unwrap_or(PARALLEL as usize)
    }
}

impl Bucket {
    fn counts(&self, call: &Call) -> bool {
        self.matches.as_ref().is_none_or(|(method, path)| {
            *method == call.method && tributary_model::matches(path, &call.path)
        })
    }
}

fn permits(parallel: u32) -> (u32, Arc<Semaphore>) {
    (parallel, Arc::new(Semaphore::new(parallel as usize)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::http::Origin;
    use crate::problem::{At, Log};
    use crate::template::Template;

    fn limits(rate: &str) -> Limits {
        let template = Template::parse(rate, At::default(), &mut Log::default());
        let spec = LimitSpec {
            matches: Some((Method::Get, "/slow*".to_owned())),
            rate: template,
            burst: None,
            parallel: None,
        };
        Limits::new(&[spec], &Scope::default()).unwrap()
    }

    fn call(path: &str) -> Call {
        let origin = Origin::new("https://api.example.com", None, &[]).unwrap();
        Call::to(&origin, Method::Get, path).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_is_a_distance_and_counts_what_it_names() {
        let limits = limits("20/s");
        let begun = Instant::now();
        for _ in 0..6 {
            limits.enter(&call("/slow/1")).await;
        }
        assert!(begun.elapsed() >= Duration::from_millis(250));
        let begun = Instant::now();
        for _ in 0..100 {
            limits.enter(&call("/fast")).await;
        }
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn everyone_waits_out_a_pause() {
        let limits = limits("1000/s");
        limits.pause(Duration::from_millis(60));
        limits.pause(Duration::from_millis(10));
        let begun = Instant::now();
        limits.enter(&call("/fast")).await;
        assert!(begun.elapsed() >= Duration::from_millis(60));
    }
}
