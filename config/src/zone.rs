//! Time zones by their IANA names.

use chrono_tz::Tz;

use crate::written::written;

pub(crate) const FORMAT: &str = "time-zone";

/// A time zone as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeZone(pub(crate) Tz);

/// Reads a time zone.
///
/// # Errors
/// A sentence that does not repeat the text.
pub(crate) fn parse(text: &str) -> Result<Tz, String> {
    text.trim()
        .parse()
        .map_err(|_| "a time zone is a name such as Europe/Berlin or UTC".to_owned())
}

written!(TimeZone, FORMAT, read, ["UTC", "Europe/Berlin"]);

fn read(text: &str) -> Result<TimeZone, String> {
    parse(text).map(TimeZone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_have_names() {
        assert_eq!(parse("Europe/Berlin"), Ok(chrono_tz::Europe::Berlin));
        assert_eq!(parse("UTC"), Ok(chrono_tz::UTC));
        assert!(parse("Berlin").is_err() && parse("").is_err());
    }
}
