//! The one place that reads the wall clock.

use chrono::{DateTime, Utc};

/// The time now, in UTC. Everything that needs the time takes it from here or as an argument.
#[must_use]
pub fn now() -> DateTime<Utc> {
    #[allow(clippy::disallowed_methods)] // this is the clock the rule points to
    Utc::now()
}
