//! When a connection may run: `22:00-06:00`, `mon-fri 18:00-24:00`.

use std::fmt;

use crate::written::written;

pub(crate) const FORMAT: &str = "window";
const HELP: &str = "a window is written like 22:00-06:00 or mon-fri 18:00-24:00";
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const DAY: u32 = 24 * 60;

/// A part of some days of the week. One that ends before it begins ends on the next day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    text: String,
    /// A bit for each day on which it begins, from Sunday on.
    days: u8,
    /// Minutes since midnight.
    from: u32,
    /// Minutes since midnight, `from` excluded: above a day's where it ends on the next.
    until: u32,
}

impl Window {
    /// Whether it is open at a minute of a day of the week, counted from Sunday.
    #[must_use]
    pub fn contains(&self, weekday: u32, minute: u32) -> bool {
        let open = |day: u32, minute: u32| {
            let hours = self.on(day);
            hours.is_some_and(|(from, until)| (from..until).contains(&minute))
        };
        open(weekday, minute) || open(weekday + 6, minute + DAY)
    }

    /// When it opens and shuts if it opens on this day of the week, counted from Sunday: minutes
    /// since that day's midnight, more than a day's where it shuts on the next.
    #[must_use]
    pub fn on(&self, weekday: u32) -> Option<(u32, u32)> {
        let begins = self.days >> (weekday % 7) & 1 == 1;
        begins.then_some((self.from, self.until))
    }
}

/// Reads a window.
///
/// # Errors
/// A sentence that does not repeat the text.
pub(crate) fn parse(text: &str) -> Result<Window, String> {
    read(text).ok_or_else(|| HELP.to_owned())
}

fn read(text: &str) -> Option<Window> {
    let (days, times) = match text.trim().rsplit_once(' ') {
        Some((days, times)) => (read_days(days)?, times),
        None => (0x7f, text.trim()),
    };
    let (from, until) = times.split_once('-')?;
    let (from, until) = (minutes(from)?, minutes(until)?);
    let until = if until <= from { until + DAY } else { until };
    (from < DAY && until - from <= DAY).then(|| Window {
        text: text.trim().to_owned(),
        days,
        from,
        until,
    })
}

fn read_days(text: &str) -> Option<u8> {
    let place = |word: &str| {
        let word = word.trim().to_lowercase();
        DAYS.iter().position(|day| *day == word)
    };
    let mut days = 0;
    for part in text.split(',') {
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (place(first)?, place(last)?),
            None => (place(part)?, place(part)?),
        };
        let length = (last + 7 - first) % 7;
        days |= (0..=length).fold(0, |set, step| set | 1 << ((first + step) % 7));
    }
    Some(days)
}

fn minutes(text: &str) -> Option<u32> {
    let (hour, minute) = text.trim().split_once(':')?;
    let digits = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(hour) || !digits(minute) {
        return None;
    }
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
    let total = hour * 60 + minute;
    (minute < 60 && total <= DAY).then_some(total)
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

written!(
    Window,
    FORMAT,
    parse,
    ["22:00-06:00", "mon-fri 18:00-24:00"]
);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_open_on_its_days() {
        let night = parse("22:00-06:00").unwrap();
        assert!(night.contains(3, 22 * 60) && night.contains(3, 5 * 60 + 59));
        assert!(!night.contains(3, 6 * 60) && !night.contains(3, 21 * 60 + 59));
        let working = parse("mon-fri 18:00-24:00").unwrap();
        assert!(working.contains(1, 18 * 60) && working.contains(5, 23 * 60 + 59));
        assert!(!working.contains(6, 18 * 60) && !working.contains(6, 0));
        // It begins on Friday and is open on Saturday's morning, not on Monday's.
        let weekend = parse("fri,sat 22:00-06:00").unwrap();
        assert!(weekend.contains(6, 60) && weekend.contains(0, 60) && !weekend.contains(1, 60));
        assert!(parse("sat-mon 00:00-24:00").unwrap().contains(0, 700));
    }

    #[test]
    fn a_window_says_when_it_shuts() {
        let night = parse("fri 22:00-06:00").unwrap();
        assert_eq!(night.on(5), Some((22 * 60, 30 * 60)));
        assert_eq!(night.on(6), None);
    }

    #[test]
    fn what_is_no_window_is_refused() {
        for text in [
            "",
            "22-06",
            "22:00",
            "25:00-26:00",
            "x 22:00-23:00",
            "22:60-23:00",
            "24:00-25:00",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
