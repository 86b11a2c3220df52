//! What was asked, when, and how it was answered: what tests assert limits and headers on.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use glob::Pattern;
use tokio::sync::watch;

use super::exchange::{Manner, Reply, Request};

/// One request and its fate.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Its number, from 1.
    pub number: usize,
    /// When it arrived.
    pub at: Instant,
    /// What was asked.
    pub request: Request,
    /// Requests under way when it arrived, itself included.
    pub in_flight: usize,
    /// The status it was answered with; `None` while there is none, or never was.
    pub status: Option<u16>,
    /// Whether its answer arrived in full.
    pub whole: bool,
    /// Whether a limit refused it.
    pub refused: bool,
}

/// All requests since the start, or since it was cleared.
#[derive(Debug)]
pub struct Recorder {
    log: Mutex<Log>,
    count: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Log {
    requests: Vec<Recorded>,
    in_flight: usize,
    /// Requests forgotten by `clear`; they keep their numbers.
    before: usize,
}

impl Default for Recorder {
    fn default() -> Self {
        Self {
            log: Mutex::default(),
            count: watch::channel(0).0,
        }
    }
}

impl Recorder {
    /// The requests so far, in the order of their arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.log().requests.clone()
    }

    /// Those whose path matches a pattern such as `/v1/customers/*`.
    #[must_use]
    pub fn of(&self, path: &str) -> Vec<Recorded> {
        let pattern = Pattern::new(path).expect("a pattern of paths");
        let mut found = self.requests();
        found.retain(|recorded| pattern.matches(&recorded.request.path));
        found
    }

    /// How many there were.
    #[must_use]
    pub fn count(&self) -> usize {
        self.log().requests.len()
    }

    /// How many a limit refused.
    #[must_use]
    pub fn refused(&self) -> usize {
        let log = self.log();
        log.requests
            .iter()
            .filter(|request| request.refused)
            .count()
    }

    /// The most that were under way at once.
    #[must_use]
    pub fn peak(&self) -> usize {
        let log = self.log();
        let peak = log.requests.iter().map(|request| request.in_flight).max();
        peak.unwrap_or(0)
    }

    /// The most requests of a pattern that arrived within any stretch of `window`.
    #[must_use]
    pub fn most_within(&self, window: Duration, path: &str) -> usize {
        let times: Vec<_> = self.of(path).iter().map(|request| request.at).collect();
        let until = |start: &Instant| times.partition_point(|at| *at < *start + window);
        let stretches = times.iter().enumerate().map(|(i, start)| until(start) - i);
        stretches.max().unwrap_or(0)
    }

    /// Asserts that a limit was never exceeded.
    ///
    /// # Panics
    /// Panics where it was.
    #[track_caller]
    pub fn assert_never_above(&self, limit: usize, window: Duration, path: &str) {
        let most = self.most_within(window, path);
        assert!(
            most <= limit,
            "{most} requests of {path} within {window:?}, and {limit} are allowed"
        );
    }

    /// Waits until request `number` has arrived.
    ///
    /// # Panics
    /// Panics where it doesn't arrive within `limit`.
    pub async fn arrived(&self, number: usize, limit: Duration) {
        let mut count = self.count.subscribe();
        let wait = count.wait_for(|count| *count >= number);
        let arrived = tokio::time::timeout(limit, wait).await;
        assert!(arrived.is_ok(), "request {number} never came");
    }

    /// How many have arrived since the start, cleared or not.
    #[must_use]
    pub fn total(&self) -> usize {
        *self.count.borrow()
    }

    /// Forgets what was asked so far; numbers go on.
    pub fn clear(&self) {
        let mut log = self.log();
        log.before += log.requests.len();
        log.requests.clear();
    }

    /// Notes a request; returns its number.
    pub(super) fn begin(&self, request: &Request) -> usize {
        let mut log = self.log();
        log.in_flight += 1;
        let number = log.before + log.requests.len() + 1;
        let recorded = Recorded {
            number,
            at: Instant::now(),
            request: request.clone(),
            in_flight: log.in_flight,
            status: None,
            whole: false,
            refused: false,
        };
        log.requests.push(recorded);
        drop(log);
        self.count.send_replace(number);
        number
    }

    /// Notes how request `number` was answered.
    pub(super) fn answered(&self, number: usize, reply: &Reply) {
        self.change(number, |recorded| {
            let silent = reply.manner == Manner::Silent;
            recorded.status = (!silent).then_some(reply.status);
            recorded.whole = matches!(reply.manner, Manner::Whole | Manner::Slow(_));
        });
    }

    /// Notes that a limit refused request `number`.
    pub(super) fn refuse(&self, number: usize) {
        self.change(number, |recorded| recorded.refused = true);
    }

    /// Notes that a request is over, answered or given up by its client.
    pub(super) fn end(&self) {
        self.log().in_flight -= 1;
    }

    /// How many are under way.
    pub(super) fn in_flight(&self) -> usize {
        self.log().in_flight
    }

    fn change(&self, number: usize, change: impl FnOnce(&mut Recorded)) {
        let mut log = self.log();
        let index = number.checked_sub(log.before + 1);
        if let Some(recorded) = index.and_then(|index| log.requests.get_mut(index)) {
            change(recorded);
        }
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_and_peaks_are_counted() {
        let recorder = Recorder::default();
        let request = |path: &str| Request {
            path: path.to_owned(),
            ..Request::default()
        };
        for path in ["/a/1", "/a/2", "/b"] {
            recorder.begin(&request(path));
        }
        recorder.end();
        recorder.answered(2, &Reply::text(200, ""));
        assert_eq!((recorder.peak(), recorder.in_flight()), (3, 2));
        assert_eq!(recorder.most_within(Duration::from_secs(60), "/a/*"), 2);
        assert_eq!(recorder.of("/a/2")[0].status, Some(200));
        recorder.clear();
        assert_eq!(recorder.begin(&request("/c")), 4);
        assert_eq!((recorder.count(), recorder.total()), (1, 4));
    }

    #[test]
    #[should_panic(expected = "2 requests of * within 1s, and 1 are allowed")]
    fn a_limit_that_was_exceeded_is_told() {
        let recorder = Recorder::default();
        recorder.begin(&Request::default());
        recorder.begin(&Request::default());
        recorder.assert_never_above(1, Duration::from_secs(1), "*");
    }
}
