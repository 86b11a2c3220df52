//! When a cron expression is due next, in its time zone.
//!
//! An expression that names hours means times of the day: a time that a change of clocks leaves out
//! is made up for at once, and one that comes twice counts once. An expression for every hour means
//! steps of time, and steps go on over a change of clocks.

use chrono::{
    DateTime, Datelike, Days, MappedLocalTime, NaiveDate, NaiveDateTime, TimeDelta, TimeZone,
    Timelike, Utc,
};
use chrono_tz::Tz;
use tributary_config::Cron;

/// How far ahead is looked: the 29th of February comes at least every eight years.
const DAYS: u64 = 366 * 8 + 1;
/// No change of clocks leaves out more: a day, where a zone changed sides of the date line.
const LONGEST_GAP: i64 = 25 * 60;

/// The first moment that `cron` names after `after`; `None` where it names none.
pub(crate) fn next(cron: &Cron, zone: Tz, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let today = after.with_timezone(&zone).date_naive();
    // A gap may push yesterday's last time into today.
    let first = today.pred_opt().unwrap_or(today);
    (0..DAYS)
        .map_while(|ahead| first.checked_add_days(Days::new(ahead)))
        .filter(|date| names(cron, *date))
        .find_map(|date| match cron.is_hourly() {
            true => step_on(cron, zone, date, after),
            false => time_on(cron, zone, date, after),
        })
}

fn names(cron: &Cron, date: NaiveDate) -> bool {
    let weekday = date.weekday().num_days_from_sunday();
    cron.names_day(date.day(), date.month(), weekday)
}

/// The first time of this day that is after `after`.
fn time_on(cron: &Cron, zone: Tz, date: NaiveDate, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
    cron.times()
        .filter_map(|(hour, minute)| date.and_hms_opt(hour, minute, 0))
        .filter_map(|local| instant(zone, local))
        .filter(|at| *at > after)
        .min()
}

/// The first minute of this day that is after `after`, counted in time that passes.
fn step_on(cron: &Cron, zone: Tz, date: NaiveDate, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let midnight = instant(zone, date.and_hms_opt(0, 0, 0)?)?;
    let begin = midnight.max(minute_after(after)?);
    (0..)
        .map_while(|minutes| begin.checked_add_signed(TimeDelta::minutes(minutes)))
        .map(|at| (at, at.with_timezone(&zone)))
        .take_while(|(_, local)| local.date_naive() == date)
        .find(|(_, local)| {
            let weekday = date.weekday().num_days_from_sunday();
            let (day, month) = (date.day(), date.month());
            cron.contains(local.minute(), local.hour(), day, month, weekday)
        })
        .map(|(at, _)| at)
}

fn minute_after(at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let whole = at.with_second(0)?.with_nanosecond(0)?;
    whole.checked_add_signed(TimeDelta::minutes(1))
}

/// The instant of a local time: the first of two, and the end of the gap where there is none.
pub(crate) fn instant(zone: Tz, local: NaiveDateTime) -> Option<DateTime<Utc>> {
    (0..=LONGEST_GAP).find_map(|minutes| {
        let local = local.checked_add_signed(TimeDelta::minutes(minutes))?;
        match zone.from_local_datetime(&local) {
            MappedLocalTime::Single(at) | MappedLocalTime::Ambiguous(at, _) => Some(at.to_utc()),
            MappedLocalTime::None => None,
        }
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use chrono_tz::{Asia, Europe, Pacific};
    use proptest::prelude::*;

    use super::*;

    fn cron(text: &str) -> Cron {
        Cron::parse(text).unwrap()
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn the_next_moment_is_that_of_the_zone() {
        for (text, zone, after, expected) in [
            (
                "0 6 * * *",
                Tz::UTC,
                "2026-03-01T06:00:00Z",
                "2026-03-02T06:00:00Z",
            ),
            (
                "0 6 * * *",
                Europe::Berlin,
                "2026-01-10T04:59:00Z",
                "2026-01-10T05:00:00Z",
            ),
            (
                "0 6 * * *",
                Europe::Berlin,
                "2026-07-10T03:00:00Z",
                "2026-07-10T04:00:00Z",
            ),
            (
                "*/15 * * * *",
                Asia::Kathmandu,
                "2026-01-01T00:01:00Z",
                "2026-01-01T00:15:00Z",
            ),
            (
                "0 0 29 2 *",
                Tz::UTC,
                "2096-03-01T00:00:00Z",
                "2104-02-29T00:00:00Z",
            ),
            (
                "30 9 * * mon-fri",
                Tz::UTC,
                "2026-11-20T10:00:00Z",
                "2026-11-23T09:30:00Z",
            ),
            (
                "0 0 13 * 5",
                Tz::UTC,
                "2026-02-14T00:00:00Z",
                "2026-02-20T00:00:00Z",
            ),
        ] {
            let next = next(&cron(text), zone, at(after));
            assert_eq!(next, Some(at(expected)), "{text} {zone} after {after}");
        }
        assert_eq!(
            next(&cron("0 0 31 2 *"), Tz::UTC, at("2026-01-01T00:00:00Z")),
            None
        );
    }

    #[test]
    fn a_time_that_clocks_leave_out_is_made_up_for() {
        // Berlin, 2026-03-29: 02:00 becomes 03:00, which is 01:00 UTC.
        let daily = cron("30 2 * * *");
        let next_after = |after| next(&daily, Europe::Berlin, at(after));
        assert_eq!(
            next_after("2026-03-28T12:00:00Z"),
            Some(at("2026-03-29T01:00:00Z"))
        );
        assert_eq!(
            next_after("2026-03-29T01:00:00Z"),
            Some(at("2026-03-30T00:30:00Z"))
        );
        // Apia had no 30th of December 2011.
        let gone = next(
            &cron("0 12 30 12 *"),
            Pacific::Apia,
            at("2011-12-01T00:00:00Z"),
        );
        assert_eq!(gone, Some(at("2011-12-30T10:00:00Z")));
    }

    #[test]
    fn a_time_that_comes_twice_counts_once() {
        // Berlin, 2026-10-25: 03:00 becomes 02:00.
        let daily = cron("30 2 * * *");
        let first = next(&daily, Europe::Berlin, at("2026-10-24T12:00:00Z"));
        assert_eq!(first, Some(at("2026-10-25T00:30:00Z")));
        let second = next(&daily, Europe::Berlin, at("2026-10-25T00:30:00Z"));
        assert_eq!(second, Some(at("2026-10-26T01:30:00Z")));
    }

    #[test]
    fn steps_go_on_over_a_change_of_clocks() {
        for begin in ["2026-10-24T22:00:00Z", "2026-03-28T22:00:00Z"] {
            let half = cron("*/30 * * * *");
            let mut now = at(begin);
            for _ in 0..12 {
                let after = next(&half, Europe::Berlin, now).unwrap();
                assert_eq!(after - now, TimeDelta::minutes(30), "{now}");
                now = after;
            }
        }
    }

    proptest! {
        /// Outside changes of clocks it is the first minute that fits.
        #[test]
        fn nothing_is_left_out(
            minute in 0u32..60, hour in 0u32..24, step in 1u32..30, seconds in 0i64..31_536_000,
        ) {
            let after = DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap();
            for text in [format!("{minute} {hour} * * *"), format!("*/{step} * * * *"), format!("{minute} */{} * * *", step.min(23))] {
                let cron = cron(&text);
                let found = next(&cron, Tz::UTC, after).unwrap();
                prop_assert!(found > after);
                let mut at = minute_after(after).unwrap();
                while at < found {
                    let weekday = at.weekday().num_days_from_sunday();
                    prop_assert!(!cron.contains(at.minute(), at.hour(), at.day(), at.month(), weekday));
                    at += TimeDelta::minutes(1);
                }
                let weekday = found.weekday().num_days_from_sunday();
                prop_assert!(cron.contains(found.minute(), found.hour(), found.day(), found.month(), weekday));
            }
        }
    }
}
