//! Numbers and times as people say them.
//!
//! `page.js` says times the same way while a page stays open; a test in the browser compares them.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

/// `12,345`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `12.3k`: at most four characters and a letter, for places where rows are compared at a glance.
pub(super) fn short_count(number: u64) -> String {
    const STEPS: [(u64, &str); 4] = [
        (1_000_000_000_000, "T"),
        (1_000_000_000, "G"),
        (1_000_000, "M"),
        (1_000, "k"),
    ];
    for (step, letter) in STEPS {
        if number >= step {
            let tenths = number / (step / 10);
            return match tenths {
                ..100 => format!("{}.{}{letter}", tenths / 10, tenths % 10),
                _ => format!("{}{letter}", tenths / 10),
            };
        }
    }
    number.to_string()
}

/// A number with its noun: `1 row`, `2 rows`.
pub(super) fn counted(number: u64, one: &str, many: &str) -> String {
    let noun = if number == 1 { one } else { many };
    format!("{} {noun}", count(number))
}

/// A length of time by its two largest units: `850 ms`, `4.2 s`, `3 min 10 s`, `2 h 5 min`, `3 d 4 h`.
pub(super) fn length(seconds: f64) -> String {
    let millis = millis(seconds);
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..10_000 => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
        10_000..60_000 => format!("{} s", millis / 1_000),
        60_000..3_600_000 => pair(millis / 60_000, "min", millis / 1_000 % 60, "s"),
        3_600_000..86_400_000 => pair(millis / 3_600_000, "h", millis / 60_000 % 60, "min"),
        _ => pair(millis / 86_400_000, "d", millis / 3_600_000 % 24, "h"),
    }
}

/// Whole milliseconds; nothing for what is no length of time.
pub(super) fn millis(seconds: f64) -> u64 {
    const LONGEST: f64 = 1e12;
    let millis = (seconds * 1_000.0).round().clamp(0.0, LONGEST);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped above
    let whole = millis as u64; // NaN is 0
    whole
}

fn pair(large: u64, name: &str, small: u64, small_name: &str) -> String {
    match small {
        0 => format!("{large} {name}"),
        _ => format!("{large} {name} {small} {small_name}"),
    }
}

/// How far a moment is from now, by its largest unit: `now`, `12 s ago`, `in 4 min`, `3 h ago`.
pub(super) fn distance(moment: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let seconds = (moment - now).num_seconds();
    let (number, unit) = match seconds.unsigned_abs() {
        0..5 => return "now".to_owned(),
        size @ 5..60 => (size, "s"),
        size @ 60..3_600 => (size / 60, "min"),
        size @ 3_600..172_800 => (size / 3_600, "h"),
        size => (size / 86_400, "d"),
    };
    match seconds {
        ..0 => format!("{number} {unit} ago"),
        _ => format!("in {number} {unit}"),
    }
}

/// A length of time in whole seconds, as [`length`] says it.
pub(super) fn span(time: TimeDelta) -> String {
    length(time.as_seconds_f64())
}

/// The moment for programs, to the second.
pub(super) fn iso(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The moment for people who want it exactly.
pub(super) fn exact(moment: DateTime<Utc>) -> String {
    moment.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// What part of `whole` there is, in whole percent; all of it is said only when it is there.
pub(super) fn percent(part: u64, whole: u64) -> u64 {
    match whole {
        0 => 0,
        _ if part >= whole => 100,
        _ => {
            let percent = u128::from(part) * 100 / u128::from(whole);
            u64::try_from(percent).unwrap_or(99).min(99)
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_and_shortened() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(u64::MAX), "18,446,744,073,709,551,615");
        for (number, said) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1.0k"),
            (9_999, "9.9k"),
            (10_000, "10k"),
            (999_999, "999k"),
            (1_500_000, "1.5M"),
            (7_000_000_000, "7.0G"),
        ] {
            assert_eq!(short_count(number), said);
        }
        assert_eq!(counted(1, "row", "rows"), "1 row");
        assert_eq!(counted(1_000, "row", "rows"), "1,000 rows");
    }

    #[test]
    fn lengths_have_two_units_at_most() {
        for (seconds, said) in [
            (0.0, "0 ms"),
            (0.85, "850 ms"),
            (4.25, "4.2 s"),
            (59.9, "59 s"),
            (60.0, "1 min"),
            (190.0, "3 min 10 s"),
            (7_500.0, "2 h 5 min"),
            (273_600.0, "3 d 4 h"),
            (-1.0, "0 ms"),
            (f64::NAN, "0 ms"),
        ] {
            assert_eq!(length(seconds), said, "{seconds}");
        }
    }

    #[test]
    fn moments_are_said_from_now() {
        let now: DateTime<Utc> = "2026-03-01T12:00:00Z".parse().unwrap();
        for (seconds, said) in [
            (0, "now"),
            (-4, "now"),
            (-12, "12 s ago"),
            (250, "in 4 min"),
            (-3_600, "1 h ago"),
            (-172_799, "47 h ago"),
            (-172_800, "2 d ago"),
        ] {
            let moment = now + TimeDelta::seconds(seconds);
            assert_eq!(distance(moment, now), said);
        }
        assert_eq!(iso(now), "2026-03-01T12:00:00Z");
        assert_eq!(exact(now), "2026-03-01 12:00:00 UTC");
        assert_eq!(span(TimeDelta::seconds(90)), "1 min 30 s");
    }

    #[test]
    fn a_copy_is_not_done_before_it_is() {
        assert_eq!(percent(0, 0), 0);
        assert_eq!(percent(1, 3), 33);
        assert_eq!(percent(u64::MAX - 1, u64::MAX), 99);
        assert_eq!(percent(7, 5), 100);
    }
}
