//! How often the API is asked, and how many times at once: kept for each credential, by all that use
//! it in this process.
//!
//! Invariant: no window of time sees more requests than the rate and the burst allow together. A rate
//! is kept by the distance of requests, not by a budget that could be spent at once, unless a limit
//! names a burst: what an API that counts by the minute leaves unused for requests after a rest. What
//! the API itself says of a limit makes requests slower, and never faster.

mod room;
mod told;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::time::Instant;
use tributary_model::Result;

use crate::manifest::limit::{LimitSpec, Parallel};
use crate::manifest::request::Method;
use crate::template::Scope;

use super::call::{Call, missing};
use super::rate::Rate;

use room::{Place, Room};
use told::{Flight, Told};

/// Requests at once where nothing is said.
const PARALLEL: u32 = 8;
/// How long the time of a limit is that is kept by no rate.
const WINDOW: Duration = Duration::from_secs(60);

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
    room: Option<Arc<Room>>,
    told: Option<Arc<Told>>,
}

/// A place among the requests at once; given back when dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    places: Vec<Place>,
    _flights: Vec<Flight>,
}

/// What an answer says of limits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard<'a> {
    pub(crate) status: Option<u16>,
    /// By name in small letters.
    pub(crate) headers: &'a Map<String, Value>,
    pub(crate) retry_after: Option<Duration>,
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
            let rate = rate.map(|text| Rate::read(&text, spec.burst)).transpose()?;
            let window = rate.as_ref().map_or(WINDOW, Rate::window);
            buckets.push(Bucket {
                matches: spec.matches.clone(),
                rate,
                room: spec.parallel.map(Room::new),
                told: spec.follow.clone().map(|follow| Told::new(follow, window)),
            });
        }
        if !buckets.iter().any(|bucket| bucket.room.is_some()) {
            let (from, to) = (PARALLEL, PARALLEL);
            buckets.push(Bucket {
                matches: None,
                rate: None,
                room: Some(Room::new(Parallel { from, to })),
                told: None,
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
        let (mut places, mut flights) = (Vec::new(), Vec::new());
        for room in buckets.iter().filter_map(|bucket| bucket.room.as_ref()) {
            places.push(room.enter().await);
        }
        self.wait_out_pause().await;
        for bucket in &buckets {
            if let Some(rate) = &bucket.rate {
                rate.wait().await;
            }
            if let Some(told) = &bucket.told {
                flights.push(told.enter().await);
            }
        }
        self.wait_out_pause().await;
        Turn {
            places,
            _flights: flights,
        }
    }

    /// Takes in what the answer to `call` says, and gives its place back.
    pub(crate) fn leave(&self, call: &Call, turn: Turn, heard: Heard<'_>) {
        for place in &turn.places {
            match heard.status {
                Some(429) => place.refused(),
                Some(..500) => place.answered(),
                Some(_) | None => {}
            }
        }
        for bucket in self.buckets.iter().filter(|it| it.counts(call)) {
            if let Some(told) = &bucket.told {
                told.hear(heard.headers, heard.retry_after);
            }
        }
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
        let rooms = all.filter_map(|bucket| bucket.room.as_ref());
        let most = rooms.map(|room| room.most()).min();
        most.unwrap_or(PARALLEL as usize)
    }
}

impl Bucket {
    fn counts(&self, call: &Call) -> bool {
        self.matches.as_ref().is_none_or(|(method, path)| {
            *method == call.method && tributary_model::matches(path, &call.path)
        })
    }
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
            follow: None,
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
