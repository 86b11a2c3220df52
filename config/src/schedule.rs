//! When a connection runs.

use std::fmt;
use std::time::Duration;

use crate::cron::Cron;
use crate::duration;
use crate::written::written;

pub(crate) const FORMAT: &str = "schedule";

/// When a connection, or a stream of it, runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Schedule {
    /// When someone says so.
    #[default]
    Manual,
    /// All the time: follows the log.
    Continuous,
    /// Again and again, this long after the last start.
    Every(Duration),
    /// At these moments.
    Cron(Cron),
    /// So that data is never older than this: what `freshness` without a schedule means.
    Fresh(Duration),
}

/// Reads a schedule.
///
/// # Errors
/// A sentence that does not repeat the text.
pub(crate) fn parse(text: &str) -> Result<Schedule, String> {
    let text = text.trim();
    match text {
        "manual" => return Ok(Schedule::Manual),
        "continuous" => return Ok(Schedule::Continuous),
        _ => {}
    }
    if let Ok(every) = duration::parse(text) {
        return Ok(Schedule::Every(every));
    }
    match duration::meant(text) {
        Some(meant) => Err(format!("{HELP}; did you mean `{meant}`?")),
        None if looks_like_cron(text) => Cron::parse(text).map(Schedule::Cron),
        None => Err(HELP.to_owned()),
    }
}

const HELP: &str = "a schedule is 5m, 1h, \"*/15 * * * *\", continuous or manual";

fn looks_like_cron(text: &str) -> bool {
    text.contains(' ') && !text.starts_with(|c: char| c.is_ascii_alphabetic())
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manual => f.write_str("manual"),
            Self::Continuous => f.write_str("continuous"),
            Self::Every(every) => f.write_str(&duration::write(every)),
            Self::Cron(cron) => f.write_str(cron.as_str()),
            Self::Fresh(objective) => write!(f, "freshness {}", duration::write(objective)),
        }
    }
}

written!(
    Schedule,
    FORMAT,
    parse,
    ["5m", "1h", "*/15 * * * *", "continuous", "manual"]
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        assert_eq!(parse("manual"), Ok(Schedule::Manual));
        assert_eq!(parse("continuous"), Ok(Schedule::Continuous));
        assert_eq!(parse("5m"), Ok(Schedule::Every(Duration::from_secs(300))));
        assert!(matches!(parse("*/15 * * * *"), Ok(Schedule::Cron(_))));
        for text in ["", "hourly", "every 5 minutes", "5 minutes", "* * *"] {
            assert!(parse(text).is_err(), "{text}");
        }
        let why = parse("5 min").expect_err("units are short");
        assert!(why.ends_with("did you mean `5m`?"), "{why}");
    }

    #[test]
    fn a_schedule_is_shown_as_it_is_written() {
        for text in ["manual", "continuous", "5m", "1h30m", "*/15 * * * *"] {
            assert_eq!(
                parse(text).map(|schedule| schedule.to_string()),
                Ok(text.to_owned())
            );
        }
    }
}
