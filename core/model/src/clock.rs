//! The one place that reads the wall clock.

use chrono::{DateTime, TimeDelta, Utc};

/// The time now, in UTC. Everything that needs the time takes it from here or as an argument.
///
/// A test may shift it by seconds, with the failpoint `clock=return(86400)`.
#[must_use]
pub fn now() -> DateTime<Utc> {
    fail::fail_point!("clock", |shift| wall() + shift_by(shift.as_deref()));
    wall()
}

fn wall() -> DateTime<Utc> {
    #[allow(clippy::disallowed_methods)] // this is the clock the rule points to
    Utc::now()
}

fn shift_by(seconds: Option<&str>) -> TimeDelta {
    let seconds = seconds.and_then(|text| text.parse().ok());
    seconds.and_then(TimeDelta::try_seconds).unwrap_or_default()
}
