//! The simulators' time: the wall clock, moved by a test.
//!
//! A test moves time forward between two runs of the program instead of waiting; the program is
//! told the same shift (see [`Clock::failpoint`]). A connector in the test's own process sees time
//! move with [`jump`], as do all simulators. Invariant: it never goes back.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Seconds since 1970 on a clock that a test can move. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Clock(Arc<AtomicI64>);

/// Seconds of a minute.
pub const MINUTE: i64 = 60;
/// Seconds of an hour.
pub const HOUR: i64 = 60 * MINUTE;
/// Seconds of a day.
pub const DAY: i64 = 24 * HOUR;

impl Clock {
    /// The time now, unix seconds.
    #[must_use]
    pub fn now(&self) -> i64 {
        tributary_model::now().timestamp() + self.shift()
    }

    /// How far it is ahead of the wall clock, seconds.
    #[must_use]
    pub fn shift(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    /// Moves it forward.
    ///
    /// # Panics
    /// Panics where it would go back.
    pub fn advance(&self, seconds: i64) {
        assert!(seconds >= 0, "time does not go back");
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    /// What the `FAILPOINTS` of a program say so that it sees the same time.
    #[must_use]
    pub fn failpoint(&self) -> String {
        let jumped = *JUMPED.lock().unwrap_or_else(PoisonError::into_inner);
        format!("clock=return({})", jumped + self.shift())
    }
}

/// How far this process is ahead of the wall clock, seconds.
static JUMPED: Mutex<i64> = Mutex::new(0);

/// Moves time forward for everything in this process.
///
/// # Panics
/// Panics where it would go back.
pub fn jump(seconds: i64) {
    assert!(seconds >= 0, "time does not go back");
    let mut jumped = JUMPED.lock().unwrap_or_else(PoisonError::into_inner);
    *jumped += seconds;
    fail::cfg("clock", &format!("return({jumped})")).expect("a failpoint can be armed");
}

/// `seconds` as RFC 3339 in UTC, as most APIs write it: `2026-01-02T03:04:05Z`.
///
/// # Panics
/// Panics where the time is out of any calendar.
#[must_use]
pub fn rfc3339(seconds: i64) -> String {
    format(seconds, "%Y-%m-%dT%H:%M:%SZ")
}

/// `seconds` in UTC by a pattern of `strftime`.
///
/// # Panics
/// Panics where the time is out of any calendar.
#[must_use]
pub fn format(seconds: i64, pattern: &str) -> String {
    let time = chrono::DateTime::from_timestamp(seconds, 0).expect("a time of this age");
    time.format(pattern).to_string()
}

/// The unix seconds of an RFC 3339 text, of a date, or of a number.
#[must_use]
pub fn parse(text: &str) -> Option<i64> {
    let date = |text: &str| {
        let date = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
        Some(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp())
    };
    let instant = |text: &str| {
        chrono::DateTime::parse_from_rfc3339(text)
            .map(|time| time.timestamp())
            .ok()
    };
    text.parse()
        .ok()
        .or_else(|| instant(text))
        .or_else(|| date(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_moves_forward_for_all_who_share_it() {
        let clock = Clock::default();
        let (shared, before) = (clock.clone(), clock.now());
        clock.advance(DAY);
        assert!(shared.now() >= before + DAY);
        let told = shared.failpoint();
        jump(HOUR);
        assert!(clock.now() >= before + DAY + HOUR);
        assert_ne!(told, shared.failpoint(), "the program is told of both");
    }

    #[test]
    fn texts_and_seconds_agree() {
        assert_eq!(rfc3339(1_767_323_045), "2026-01-02T03:04:05Z");
        assert_eq!(parse("2026-01-02T03:04:05+00:00"), Some(1_767_323_045));
        assert_eq!(parse("2026-01-02"), Some(1_767_312_000));
        assert_eq!(parse("1767312000"), Some(1_767_312_000));
        assert_eq!(parse("yesterday"), None);
    }
}
