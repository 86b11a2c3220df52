//! Cron's five fields: minute, hour, day of the month, month, day of the week.

/// The moments a schedule names, in the zone that the connection says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    text: String,
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
}

/// A field: its name, its least and greatest value, and the words for its values.
struct Field {
    name: &'static str,
    low: u32,
    high: u32,
    words: &'static [&'static str],
}

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const FIELDS: [Field; 5] = [
    Field {
        name: "minute",
        low: 0,
        high: 59,
        words: &[],
    },
    Field {
        name: "hour",
        low: 0,
        high: 23,
        words: &[],
    },
    Field {
        name: "day of the month",
        low: 1,
        high: 31,
        words: &[],
    },
    Field {
        name: "month",
        low: 1,
        high: 12,
        words: &MONTHS,
    },
    Field {
        name: "day of the week",
        low: 0,
        high: 7,
        words: &WEEKDAYS,
    },
];

impl Cron {
    /// Reads five fields.
    ///
    /// # Errors
    /// A sentence that names the field at fault and does not repeat the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split_whitespace().collect();
        let Ok(parts) = <[&str; 5]>::try_from(parts) else {
            return Err("a cron expression has five fields: minute, hour, day of the month, month, day of the week".to_owned());
        };
        let mut sets = [0; 5];
        for ((set, field), part) in sets.iter_mut().zip(&FIELDS).zip(parts) {
            *set = field.read(part)?;
        }
        let [minutes, hours, days, months, weekdays] = sets;
        Ok(Self {
            text: text.to_owned(),
            minutes,
            hours,
            days,
            months,
            // Sunday is 0 and 7.
            weekdays: weekdays & 0x7f | weekdays >> 7,
        })
    }

    /// As written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it names every hour, so that it means steps of time rather than times of the day.
    #[must_use]
    pub fn is_hourly(&self) -> bool {
        self.hours == FIELDS[1].all()
    }

    /// The times of a day that it names, as hour and minute, in order.
    pub fn times(&self) -> impl Iterator<Item = (u32, u32)> {
        let has = |set: u64, value: &u32| set >> value & 1 == 1;
        let (hours, minutes) = (self.hours, self.minutes);
        let hours = (0..24).filter(move |hour| has(hours, hour));
        hours.flat_map(move |hour| {
            let minutes = (0..60).filter(move |minute| has(minutes, minute));
            minutes.map(move |minute| (hour, minute))
        })
    }

    /// Whether it names moments of a day: `weekday` counts from Sunday, which is 0.
    #[must_use]
    pub fn names_day(&self, day: u32, month: u32, weekday: u32) -> bool {
        let minute = self.minutes.trailing_zeros();
        let hour = self.hours.trailing_zeros();
        self.contains(minute, hour, day, month, weekday)
    }

    /// The values of the five fields, each in order; Sunday is 0.
    #[must_use]
    pub fn values(&self) -> [Vec<u32>; 5] {
        let sets = [
            self.minutes,
            self.hours,
            self.days,
            self.months,
            self.weekdays,
        ];
        sets.map(|set| (0..64).filter(|value| set >> value & 1 == 1).collect())
    }

    /// Whether a moment is one of those named: `weekday` counts from Sunday, which is 0.
    ///
    /// Where both days are restricted, either suffices, as in every cron.
    #[must_use]
    pub fn contains(&self, minute: u32, hour: u32, day: u32, month: u32, weekday: u32) -> bool {
        let has = |set: u64, value: u32| value < 64 && set >> value & 1 == 1;
        let (by_day, by_weekday) = (has(self.days, day), has(self.weekdays, weekday));
        let day_fits = match (self.days == FIELDS[2].all(), self.weekdays == 0x7f) {
            (false, false) => by_day || by_weekday,
            _ => by_day && by_weekday,
        };
        has(self.minutes, minute) && has(self.hours, hour) && has(self.months, month) && day_fits
    }
}

impl Field {
    fn all(&self) -> u64 {
        (self.low..=self.high).fold(0, |set, value| set | 1 << value)
    }

    fn read(&self, text: &str) -> Result<u64, String> {
        let mut set = 0;
        for part in text.split(',') {
            set |= self.read_part(part).ok_or_else(|| self.complaint())?;
        }
        Ok(set)
    }

    fn complaint(&self) -> String {
        let Self {
            name, low, high, ..
        } = self;
        format!(
            "its field for the {name} takes {low} to {high}, ranges (a-b), lists (a,b), steps (*/n) or *"
        )
    }

    /// One of `*`, `a`, `a-b`, each with `/step` or without.
    fn read_part(&self, text: &str) -> Option<u64> {
        let (range, step) = match text.split_once('/') {
            Some((range, step)) => (range, step.parse().ok().filter(|step| *step > 0)?),
            None => (text, 1),
        };
        let (low, high) = match range.split_once('-') {
            _ if range == "*" => (self.low, self.high),
            Some((low, high)) => (self.value(low)?, self.value(high)?),
            None if text.contains('/') => (self.value(range)?, self.high),
            None => (self.value(range)?, self.value(range)?),
        };
        (low <= high).then(|| {
            (low..=high)
                .step_by(step)
                .fold(0, |set, value| set | 1 << value)
        })
    }

    fn value(&self, text: &str) -> Option<u32> {
        let word = text.to_lowercase();
        let by_word = self.words.iter().position(|known| *known == word);
        let value = match by_word {
            Some(place) => u32::try_from(place).ok()? + self.low,
            None => text.parse().ok()?,
        };
        (self.low..=self.high).contains(&value).then_some(value)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_that_cron_names() {
        let quarter = Cron::parse("*/15 * * * *").unwrap();
        assert!(quarter.contains(45, 3, 1, 1, 0) && !quarter.contains(46, 3, 1, 1, 0));
        let working = Cron::parse("30 9-17 * * mon-fri").unwrap();
        assert!(working.contains(30, 9, 2, 6, 1) && !working.contains(30, 9, 2, 6, 0));
        let sunday = Cron::parse("0 0 * jan 7").unwrap();
        assert!(sunday.contains(0, 0, 5, 1, 0) && !sunday.contains(0, 0, 5, 2, 0));
        let either = Cron::parse("0 0 13 * 5").unwrap();
        assert!(either.contains(0, 0, 13, 2, 1) && either.contains(0, 0, 1, 2, 5));
        assert!(!either.contains(0, 0, 1, 2, 1));
    }

    #[test]
    fn what_no_cron_takes_is_refused() {
        for text in [
            "* * * *",
            "60 * * * *",
            "*/0 * * * *",
            "5-1 * * * *",
            "a * * * *",
            "* * 0 * *",
        ] {
            assert!(Cron::parse(text).is_err(), "{text}");
        }
    }
}
