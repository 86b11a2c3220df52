//! Whether windows are open, and when that changes.

use chrono::{DateTime, Datelike, Days, NaiveTime, Timelike, Utc};
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

/// Days ahead in which every window opens and closes.
const DAYS: u64 = 8;

/// How `windows` stand at `now`; without any everything is open.
pub(crate) fn gate(windows: &[Window], zone: Tz, now: DateTime<Utc>) -> Gate {
    if windows.is_empty() {
        return Gate::Open(None);
    }
    let open = is_open(windows, zone, now);
    let change = edges(windows, zone, now)
        .into_iter()
        .find(|at| is_open(windows, zone, *at) != open);
    if open {
        Gate::Open(change)
    } else {
        Gate::Shut(change)
    }
}

fn is_open(windows: &[Window], zone: Tz, at: DateTime<Utc>) -> bool {
    let local = at.with_timezone(&zone);
    let weekday = local.weekday().num_days_from_sunday();
    let minute = local.hour() * 60 + local.minute();
    windows
        .iter()
        .any(|window| window.contains(weekday, minute))
}

/// The moments after `now` at which something may change, in order.
fn edges(windows: &[Window], zone: Tz, now: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let today = now.with_timezone(&zone).date_naive();
    let dates = (0..=DAYS).filter_map(|ahead| today.checked_add_days(Days::new(ahead)));
    let mut edges: Vec<_> = dates
        .flat_map(|date| {
            let minutes = windows.iter().flat_map(Window::edges);
            minutes.filter_map(move |minute| {
                let time = NaiveTime::from_num_seconds_from_midnight_opt(minute * 60, 0)?;
                instant(zone, date.and_time(time))
            })
        })
        .filter(|at| *at > now)
        .collect();
    edges.sort_unstable();
    edges
}
