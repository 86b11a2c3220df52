//! The vendor's limits: requests in any stretch of time and requests at once, for each credential.
//!
//! A sliding window, which is stricter than the fixed minutes that most vendors count: whoever keeps
//! within it keeps within those. A refused request does not count.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use glob::Pattern;

use super::exchange::Request;

/// One limit.
#[derive(Clone, Debug)]
pub struct Limit {
    /// Its name, as the vendor gives it.
    pub name: &'static str,
    paths: Vec<Pattern>,
    bound: Bound,
}

#[derive(Clone, Copy, Debug)]
enum Bound {
    Rate(usize, Duration),
    Concurrent(usize),
}

impl Limit {
    /// At most `count` requests in any stretch of `window`.
    #[must_use]
    pub fn rate(name: &'static str, count: usize, window: Duration) -> Self {
        let bound = Bound::Rate(count, window);
        let paths = Vec::new();
        Self { name, paths, bound }
    }

    /// At most `count` requests under way.
    #[must_use]
    pub fn concurrent(name: &'static str, count: usize) -> Self {
        let bound = Bound::Concurrent(count);
        let paths = Vec::new();
        Self { name, paths, bound }
    }

    /// Of requests whose path matches; may be said several times.
    ///
    /// # Panics
    /// Panics where that is no pattern.
    #[must_use]
    pub fn on(mut self, path: &str) -> Self {
        let pattern = Pattern::new(path).expect("a pattern of paths");
        self.paths.push(pattern);
        self
    }

    fn covers(&self, request: &Request) -> bool {
        self.paths.is_empty() || self.paths.iter().any(|path| path.matches(&request.path))
    }
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The limit.
    pub limit: &'static str,
    /// Seconds until a request would pass; `None` where the limit knows no time.
    pub wait: Option<u64>,
}

/// What is left of a rate, for the headers that say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The limit.
    pub name: &'static str,
    /// Requests in a window.
    pub limit: usize,
    /// Those left.
    pub remaining: usize,
    /// Seconds until all of them are there again.
    pub reset: u64,
}

/// All limits of a vendor.
#[derive(Debug, Default)]
pub struct Limits(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    limits: Vec<Limit>,
    /// When requests passed, for each limit and credential.
    passed: HashMap<(&'static str, String), VecDeque<Instant>>,
}

impl Limits {
    /// Replaces all limits.
    pub fn set(&self, limits: Vec<Limit>) {
        let passed = HashMap::new();
        *self.lock() = Inner { limits, passed };
    }

    /// Lets a request pass, or says which limit it would exceed. `in_flight` counts it as well.
    /// Returns what is left of each rate that it counts against.
    pub(super) fn pass(
        &self,
        request: &Request,
        credential: &str,
        in_flight: usize,
    ) -> Result<Vec<Allowance>, Refusal> {
        let mut inner = self.lock();
        let now = Instant::now();
        let limits = inner.limits.clone();
        let covering: Vec<_> = limits
            .iter()
            .filter(|limit| limit.covers(request))
            .collect();
        for limit in &covering {
            inner.refuse(limit, credential, in_flight, now)?;
        }
        let mut left = Vec::new();
        for limit in &covering {
            if let Bound::Rate(count, window) = limit.bound {
                let passed = inner.passed(limit, credential);
                passed.push_back(now);
                left.push(Allowance {
                    name: limit.name,
                    limit: count,
                    remaining: count - passed.len(),
                    reset: window.as_secs() + u64::from(window.subsec_nanos() > 0),
                });
            }
        }
        Ok(left)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn passed(&mut self, limit: &Limit, credential: &str) -> &mut VecDeque<Instant> {
        let key = (limit.name, credential.to_owned());
        self.passed.entry(key).or_default()
    }

    fn refuse(
        &mut self,
        limit: &Limit,
        credential: &str,
        in_flight: usize,
        now: Instant,
    ) -> Result<(), Refusal> {
        let (full, wait) = match limit.bound {
            Bound::Concurrent(count) => (in_flight > count, None),
            Bound::Rate(count, window) => {
                let passed = self.passed(limit, credential);
                while passed
                    .front()
                    .is_some_and(|at| now.duration_since(*at) >= window)
                {
                    passed.pop_front();
                }
                let oldest = passed.front().map(|at| window - now.duration_since(*at));
                let wait = oldest.map_or(0, |left| left.as_secs() + 1);
                (passed.len() >= count, Some(wait))
            }
        };
        let limit = limit.name;
        if full {
            Err(Refusal { limit, wait })
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(path: &str) -> Request {
        Request {
            path: path.to_owned(),
            ..Request::default()
        }
    }

    #[test]
    fn a_rate_is_kept_for_each_credential_and_path() {
        let limits = Limits::default();
        let rate = Limit::rate("exports", 2, Duration::from_secs(60)).on("/export/*");
        limits.set(vec![rate]);
        let pass = |path, who| limits.pass(&request(path), who, 1);
        let left = pass("/export/a", "me").unwrap();
        assert_eq!((left[0].limit, left[0].remaining), (2, 1));
        assert_eq!((left[0].name, left[0].reset), ("exports", 60));
        assert!(pass("/export/b", "me").is_ok());
        let refusal = pass("/export/a", "me").unwrap_err();
        assert_eq!(refusal.limit, "exports");
        assert!(refusal.wait.is_some_and(|wait| (1..=60).contains(&wait)));
        assert!(pass("/export/a", "you").is_ok());
        assert_eq!(pass("/other", "me"), Ok(Vec::new()));
    }

    #[test]
    fn requests_at_once_are_limited() {
        let limits = Limits::default();
        limits.set(vec![Limit::concurrent("connections", 3)]);
        assert!(limits.pass(&request("/"), "me", 3).is_ok());
        let refusal = limits.pass(&request("/"), "me", 4).unwrap_err();
        assert_eq!(refusal.wait, None);
    }
}
