//! Schedules in the least of cron's language, which every cron understands alike.

use std::time::Duration;

use tributary_config::Cron;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// An interval as cron says it, where cron can: at the same distance all day long.
pub(crate) fn of_interval(every: Duration) -> Option<String> {
    let seconds = every.as_secs();
    if every.subsec_nanos() != 0 {
        return None;
    }
    match seconds {
        MINUTE => Some("* * * * *".to_owned()),
        HOUR => Some("0 * * * *".to_owned()),
        DAY => Some("0 0 * * *".to_owned()),
        _ if seconds == 7 * DAY => Some("0 0 * * 0".to_owned()),
        _ if seconds < HOUR && seconds.is_multiple_of(MINUTE) && HOUR.is_multiple_of(seconds) => {
            Some(format!("*/{} * * * *", seconds / MINUTE))
        }
        _ if seconds < DAY && seconds.is_multiple_of(HOUR) && DAY.is_multiple_of(seconds) => {
            Some(format!("0 */{} * * *", seconds / HOUR))
        }
        _ => None,
    }
}

/// A cron expression without what some crons don't know: words, `a/n`, and 7 for Sunday.
pub(crate) fn plain(cron: &Cron) -> String {
    let mut fields = cron.as_str().split_whitespace().zip(cron.values());
    let fields: Vec<_> = fields
        .by_ref()
        .enumerate()
        .map(|(place, (text, values))| match is_plain(text, place) {
            true => text.to_owned(),
            false => list(&values, place),
        })
        .collect();
    fields.join(" ")
}

const WEEKDAYS: usize = 4;

fn is_plain(text: &str, place: usize) -> bool {
    let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty();
    let sunday = place == WEEKDAYS && text.contains('7');
    let plain = |part: &str| {
        let (range, step) = part.split_once('/').unwrap_or((part, "1"));
        let spans = range == "*" || range.contains('-') || !part.contains('/');
        spans && number(step) && (range == "*" || range.splitn(2, '-').all(number))
    };
    !sunday && text.split(',').all(plain)
}

/// Every value by itself, or `*` where it is all of them.
fn list(values: &[u32], place: usize) -> String {
    const ALL: [usize; 5] = [60, 24, 31, 12, 7];
    if values.len() == ALL[place] {
        return "*".to_owned();
    }
    let values: Vec<_> = values.iter().map(u32::to_string).collect();
    values.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_that_cron_can_say() {
        for (seconds, cron) in [
            (60, Some("* * * * *")),
            (300, Some("*/5 * * * *")),
            (3600, Some("0 * * * *")),
            (6 * 3600, Some("0 */6 * * *")),
            (86400, Some("0 0 * * *")),
            (7 * 86400, Some("0 0 * * 0")),
            (30, None),
            (90, None),
            (420, None),
            (90 * 60, None),
            (5 * 3600, None),
            (2 * 86400, None),
        ] {
            assert_eq!(of_interval(Duration::from_secs(seconds)).as_deref(), cron);
        }
        assert_eq!(of_interval(Duration::from_millis(60_500)), None);
    }
}
