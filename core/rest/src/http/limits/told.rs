//! What an API says is left of a limit, and the pace that keeps within it.
//!
//! As long as there is plenty nothing happens. Of the last quarter requests are spread over the time
//! until there is more; when nothing is left, they wait for it. So others who use up the same limit
//! slow us down, and no request is made that would be refused.
//!
//! Invariant: requests that are under way count as made, though the answer that told may know of
//! them already.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::time::Instant;
use tributary_model::now;

use crate::http::wait::retry_after;
use crate::manifest::limit::Follow;

/// No API is believed that wants to be left alone for longer. // G6
const LONGEST: Duration = Duration::from_secs(3600);
/// The distance of requests at most where the API does not say when there is more.
const UNTOLD: Duration = Duration::from_secs(1);
/// Numbers above this are times since 1970, and no lengths.
const EPOCH: f64 = 1e9;
/// What the parts of a header that says everything are called.
const LIMIT: [&str; 3] = ["total", "limit", "q"];
const LEFT: [&str; 2] = ["remaining", "r"];
const RESET: [&str; 3] = ["resets", "reset", "t"];

/// A limit that the API tells of.
#[derive(Debug)]
pub(super) struct Told {
    follow: Follow,
    /// How long the limit's time is, where the API does not say when it ends.
    window: Duration,
    said: Mutex<Said>,
    under_way: AtomicU64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Said {
    /// The most that there ever was, where the API does not say how many there are.
    limit: u64,
    left: Option<u64>,
    until: Option<Instant>,
    /// When the next request may be made.
    next: Option<Instant>,
}

/// A request that counts against the limit until it is dropped.
#[derive(Debug)]
pub(super) struct Flight(Arc<Told>);

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Told {
    pub(super) fn new(follow: Follow, window: Duration) -> Arc<Self> {
        Arc::new(Self {
            follow,
            window,
            said: Mutex::default(),
            under_way: AtomicU64::new(0),
        })
    }

    /// Waits until a request may be made.
    pub(super) async fn enter(self: &Arc<Self>) -> Flight {
        let others = self.under_way.fetch_add(1, Ordering::Relaxed);
        let flight = Flight(self.clone());
        if let Some(turn) = self.turn(others) {
            tokio::time::sleep_until(turn).await;
        }
        flight
    }

    /// When the next request may be made that `others` are under way beside.
    fn turn(&self, others: u64) -> Option<Instant> {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if said.until.is_some_and(|until| until <= now) {
            // There is more again; how much, the next answer says.
            (said.left, said.until, said.next) = (None, None, None);
        }
        let left = said.left?.saturating_sub(others);
        if left > said.limit / 4 {
            said.next = None;
            return None;
        }
        let distance = match (said.until, left) {
            (Some(until), 0) => return Some(until),
            (Some(until), left) => (until - now) / u32::try_from(left + 1).unwrap_or(u32::MAX),
            // Nobody knows for how long: as if the limit were used evenly. If that is not slow enough
            // a refusal will tell.
            (None, _) => {
                let even = self.window / u32::try_from(said.limit.max(1)).unwrap_or(u32::MAX);
                even.min(UNTOLD)
            }
        };
        let turn = said.next.map_or(now, |next| next.max(now));
        said.next = Some(turn + distance);
        Some(said.until.map_or(turn, |until| turn.min(until)))
    }

    /// Takes in what an answer says; `wait` is its `Retry-After`.
    pub(super) fn hear(&self, headers: &Map<String, Value>, wait: Option<Duration>) {
        let header = |name: &String| headers.get(name).and_then(Value::as_str);
        let Some(left) = header(&self.follow.left).and_then(|text| number(text, &LEFT)) else {
            return;
        };
        let limit = self.follow.limit.as_ref().and_then(header);
        let limit = limit.and_then(|text| number(text, &LIMIT));
        let reset = self.follow.reset.as_ref().and_then(header);
        let reset = wait.or_else(|| reset.and_then(time_left));
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.limit = limit.unwrap_or(said.limit.max(left));
        said.left = Some(left);
        said.until = reset.map(|reset| Instant::now() + reset.min(LONGEST));
    }
}

/// The number that a header says: all of it, or the part that has one of these names.
fn number(text: &str, names: &[&str]) -> Option<u64> {
    let number = |text: &str| text.trim().parse::<f64>().ok().map(|number| number as u64);
    number(text).or_else(|| number(part(text, names)?))
}

/// How long it takes until the time that a header says.
fn time_left(text: &str) -> Option<Duration> {
    let text = part(text, &RESET).unwrap_or(text);
    match text.trim().parse::<f64>() {
        Ok(seconds) if seconds > EPOCH => {
            let now = now().timestamp_millis() as f64 / 1000.0;
            Duration::try_from_secs_f64((seconds - now).max(0.0)).ok()
        }
        Ok(_) | Err(_) => retry_after(text, now()),
    }
}

fn part<'t>(text: &'t str, names: &[&str]) -> Option<&'t str> {
    let mut parts = text
        .split([';', ','])
        .filter_map(|part| part.split_once('='));
    let found = parts.find(|(name, _)| {
        names
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name.trim()))
    });
    found.map(|(_, value)| value)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told() -> Arc<Told> {
        let follow = Follow {
            limit: Some("x-limit".to_owned()),
            left: "x-left".to_owned(),
            reset: Some("x-reset".to_owned()),
        };
        Told::new(follow, Duration::from_secs(60))
    }

    fn hear(told: &Told, headers: &Value) {
        told.hear(headers.as_object().unwrap(), None);
    }

    /// How long `count` requests take, one after the other, of which nobody tells anything.
    async fn time(told: &Arc<Told>, count: usize) -> Duration {
        let begun = Instant::now();
        for _ in 0..count {
            drop(told.enter().await);
        }
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_quarter_is_spread_and_nothing_left_is_waited_for() {
        let told = told();
        assert_eq!(time(&told, 100).await, Duration::ZERO, "nothing was said");
        hear(
            &told,
            &json!({"x-limit": "100", "x-left": "26", "x-reset": "30"}),
        );
        assert_eq!(time(&told, 5).await, Duration::ZERO, "there is plenty");
        hear(
            &told,
            &json!({"x-limit": "100", "x-left": "5", "x-reset": "30"}),
        );
        let took = time(&told, 5).await;
        assert!((15..=20).contains(&took.as_secs()), "{took:?}");
        hear(
            &told,
            &json!({"x-limit": "100", "x-left": "0", "x-reset": "9"}),
        );
        assert_eq!(time(&told, 3).await, Duration::from_secs(9));
        assert_eq!(
            time(&told, 100).await,
            Duration::ZERO,
            "there is more again"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn requests_under_way_count_as_made() {
        let told = told();
        hear(
            &told,
            &json!({"x-limit": "8", "x-left": "2", "x-reset": "60"}),
        );
        let begun = Instant::now();
        let held = [told.enter().await, told.enter().await];
        let third = told.enter().await;
        assert_eq!(begun.elapsed(), Duration::from_secs(60));
        drop((held, third));
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_time_the_pace_is_that_of_the_limit() {
        let told = told();
        hear(&told, &json!({"x-limit": "600", "x-left": "0"}));
        assert_eq!(time(&told, 31).await, Duration::from_secs(3));
        hear(&told, &json!({"x-limit": "5", "x-left": "0"}));
        assert!(time(&told, 4).await <= Duration::from_secs(4));
    }

    #[test]
    fn one_header_may_say_everything() {
        let text = "total=10; remaining=9; resets=43";
        assert_eq!(number(text, &LIMIT), Some(10));
        assert_eq!(number(text, &LEFT), Some(9));
        assert_eq!(time_left(text), Some(Duration::from_secs(43)));
        let draft = "\"default\";r=50;t=30";
        assert_eq!(number(draft, &LEFT), Some(50));
        assert_eq!(time_left(draft), Some(Duration::from_secs(30)));
        assert_eq!(number("699", &LEFT), Some(699));
        assert_eq!(number("many", &LEFT), None);
        let at = tributary_model::now().timestamp() + 20;
        let left = time_left(&at.to_string()).unwrap();
        assert!(left <= Duration::from_secs(20), "{left:?}");
        assert_eq!(time_left("soon"), None);
    }
}
