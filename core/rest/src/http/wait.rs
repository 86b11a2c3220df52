//! How long to wait before a request is made again.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::manifest::rule::Wait;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(60);

/// The wait before try number `tried` + 1; `said` is what `Retry-After` holds. `spread`, from 0 to 1,
/// keeps many from coming back at once.
pub(crate) fn before_next(wait: Wait, tried: u32, said: Option<Duration>, spread: f64) -> Duration {
    let growing = || {
        let full = FIRST
            .saturating_mul(1 << tried.saturating_sub(1).min(16))
            .min(LONGEST);
        full.mul_f64(0.75 + 0.25 * spread.clamp(0.0, 1.0))
    };
    match wait {
        // What the API says is obeyed, however long it is.
        Wait::Header => said.unwrap_or_else(growing),
        Wait::Growing => said.map_or_else(growing, |said| said.max(growing())),
        Wait::Fixed(milliseconds) => {
            let fixed = Duration::from_millis(milliseconds.unsigned_abs());
            said.map_or(fixed, |said| said.max(fixed))
        }
    }
}

/// Reads `Retry-After`: seconds, or a date.
pub(crate) fn retry_after(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let until = DateTime::parse_from_rfc2822(text.trim()).ok()?;
    Some(
        (until.with_timezone(&Utc) - now)
            .to_std()
            .unwrap_or_default(),
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_the_api_says_is_obeyed_and_else_waits_grow() {
        let seconds = Duration::from_secs;
        let wait = |wait, tried, said| before_next(wait, tried, said, 1.0);
        assert_eq!(wait(Wait::Header, 1, Some(seconds(90))), seconds(90));
        assert_eq!(wait(Wait::Header, 1, None), FIRST);
        assert_eq!(wait(Wait::Header, 4, None), seconds(4));
        assert_eq!(wait(Wait::Growing, 40, None), LONGEST);
        assert_eq!(wait(Wait::Growing, 1, Some(seconds(3))), seconds(3));
        assert_eq!(wait(Wait::Fixed(10_000), 9, None), seconds(10));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = DateTime::parse_from_rfc3339("2015-10-21T07:27:00Z").unwrap();
        let now = now.with_timezone(&Utc);
        let read = |text| retry_after(text, now);
        assert_eq!(read("120"), Some(Duration::from_secs(120)));
        assert_eq!(read("0.25"), Some(Duration::from_millis(250)));
        assert_eq!(
            read("Wed, 21 Oct 2015 07:28:00 GMT"),
            Some(Duration::from_secs(60))
        );
        assert_eq!(read("Wed, 21 Oct 2015 07:20:00 GMT"), Some(Duration::ZERO));
        assert_eq!(read("soon"), None);
    }
}
