//! Whether windows are open, and when that changes.
//!
//! A window opens and shuts at moments, each once a day: an hour that comes twice when clocks go back
//! opens none anew, and one that clocks leave out is as long as nothing.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;
use tributary_config::Window;

use super::cron::instant;

/// How windows stand at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    /// A run may go on until then; for ever where there is no end.
    Open(Option<DateTime<Utc>>),
    /// No run may begin before then; never where there is no beginning.
    Shut(Option<DateTime<Utc>>),
}

/// Days ahead in which every window opens and shuts.
const DAYS: u64 = 8;
/// What is open for a week is open for ever: windows are those of a week.
const WEEK: TimeDelta = TimeDelta::days(7);

/// How `windows` stand at `now`; without any everything is open.
pub(crate) fn gate(windows: &[Window], zone: Tz, now: DateTime<Utc>) -> Gate {
    if windows.is_empty() {
        return Gate::Open(None);
    }
    let spans = spans(windows, zone, now);
    let mut shuts = now;
    for (from, until) in &spans {
        // In order of their beginnings, so that whatever goes on from here is seen in turn.
        if *from <= shuts {
            shuts = shuts.max(*until);
        }
    }
    if shuts > now {
        return Gate::Open((shuts - now < WEEK).then_some(shuts));
    }
    Gate::Shut(spans.first().map(|(from, _)| *from))
}

/// When windows are open from `now` on, in the order in which they open.
fn spans(windows: &[Window], zone: Tz, now: DateTime<Utc>) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
    let today = now.with_timezone(&zone).date_naive();
    // A window of yesterday may be open, and a gap may push it into today.
    let first = today.checked_sub_days(Days::new(2)).unwrap_or(today);
    let dates = (0..=DAYS + 2).filter_map(|ahead| first.checked_add_days(Days::new(ahead)));
    let mut spans: Vec<_> = dates
        .flat_map(|date| {
            let of_date = move |window: &Window| span(window, zone, date);
            windows.iter().filter_map(of_date)
        })
        .filter(|(from, until)| from < until && *until > now)
        .collect();
    spans.sort_unstable();
    spans
}

/// When a window is open that opens on this day.
fn span(window: &Window, zone: Tz, date: NaiveDate) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let (from, until) = window.on(date.weekday().num_days_from_sunday())?;
    let moment = |minute: u32| {
        let midnight = date.and_time(NaiveTime::MIN);
        instant(
            zone,
            midnight.checked_add_signed(TimeDelta::minutes(minute.into()))?,
        )
    };
    Some((moment(from)?, moment(until)?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use chrono_tz::Europe::Berlin;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn stand(written: &[&str], now: &str) -> Gate {
        let windows: Vec<Window> = serde_json::from_value(serde_json::json!(written)).unwrap();
        gate(&windows, Berlin, at(now))
    }

    fn open_until(end: &str) -> Gate {
        Gate::Open(Some(at(end)))
    }

    fn shut_until(begin: &str) -> Gate {
        Gate::Shut(Some(at(begin)))
    }

    #[test]
    fn windows_open_and_shut_by_the_clock_of_their_zone() {
        let night = ["22:00-06:00"];
        let open = open_until("2026-01-11T05:00:00Z");
        assert_eq!(stand(&night, "2026-01-10T21:00:00Z"), open);
        assert_eq!(stand(&night, "2026-01-11T04:59:59Z"), open);
        let shut = shut_until("2026-01-11T21:00:00Z");
        assert_eq!(stand(&night, "2026-01-11T05:00:00Z"), shut);
        // Two that overlap are one, and so is what goes on without a break.
        let both = ["22:00-02:00", "01:00-06:00"];
        assert_eq!(stand(&both, "2026-01-10T21:00:00Z"), open);
        assert_eq!(
            stand(&["00:00-24:00"], "2026-01-10T21:00:00Z"),
            Gate::Open(None)
        );
        let sunday = ["sun 10:00-11:00"];
        let shut = shut_until("2026-01-18T09:00:00Z");
        assert_eq!(stand(&sunday, "2026-01-11T10:00:00Z"), shut);
    }

    #[test]
    fn an_hour_that_comes_twice_opens_nothing_anew() {
        // Berlin, 2026-10-25: at 01:00 UTC 03:00 becomes 02:00.
        let evening = ["22:00-02:30"];
        let open = open_until("2026-10-25T00:30:00Z");
        assert_eq!(stand(&evening, "2026-10-25T00:10:00Z"), open);
        let shut = shut_until("2026-10-25T21:00:00Z");
        assert_eq!(stand(&evening, "2026-10-25T01:10:00Z"), shut);
        let short = ["02:30-02:45"];
        let shut = shut_until("2026-10-26T01:30:00Z");
        assert_eq!(stand(&short, "2026-10-25T01:35:00Z"), shut);
        // What goes on through both lasts an hour longer.
        let long = open_until("2026-10-25T03:00:00Z");
        assert_eq!(stand(&["02:00-04:00"], "2026-10-25T00:00:00Z"), long);
    }

    #[test]
    fn an_hour_that_is_left_out_opens_nothing() {
        // Berlin, 2026-03-29: at 01:00 UTC 02:00 becomes 03:00.
        let shut = shut_until("2026-03-30T00:30:00Z");
        assert_eq!(stand(&["02:30-02:45"], "2026-03-29T00:59:00Z"), shut);
        let open = open_until("2026-03-29T04:00:00Z");
        assert_eq!(stand(&["22:00-06:00"], "2026-03-29T01:30:00Z"), open);
        let late = open_until("2026-03-29T02:00:00Z");
        assert_eq!(stand(&["02:30-04:00"], "2026-03-29T01:00:00Z"), late);
    }
}
