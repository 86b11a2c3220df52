//! Streams of a connection that run at the same times.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use tributary_config::{ConnectionPlan, Schedule};

use super::{cron, spread};

/// The most by which a moment of a cron expression, or the end of an interval, is put off.
const LONGEST_JITTER: Duration = Duration::from_secs(30);
/// The share of an interval by which it is put off at most.
const JITTER: f64 = 0.05;

/// Streams with one schedule.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Track {
    /// When they run.
    pub(crate) schedule: Schedule,
    /// The streams by name; empty for all that are in no other track.
    pub(crate) streams: Vec<String>,
    /// When a run of them last began.
    pub(crate) last_start: Option<DateTime<Utc>>,
}

/// The tracks of a connection: all its streams first, then those with schedules of their own.
pub(crate) fn tracks(plan: &ConnectionPlan) -> Vec<Track> {
    let mut own: BTreeMap<String, Track> = BTreeMap::new();
    for (stream, schedule) in &plan.stream_schedules {
        if *schedule == plan.schedule {
            continue;
        }
        let track = own.entry(schedule.to_string()).or_insert_with(|| Track {
            schedule: schedule.clone(),
            streams: Vec::new(),
            last_start: None,
        });
        track.streams.push(stream.to_string());
    }
    let all = Track {
        schedule: plan.schedule.clone(),
        streams: Vec::new(),
        last_start: None,
    };
    std::iter::once(all).chain(own.into_values()).collect()
}

/// The patterns that select the streams of some tracks; empty means all.
pub(crate) fn selection(tracks: &[Track], chosen: &[usize]) -> Vec<String> {
    let is_chosen = |index: &usize| chosen.contains(index);
    let streams_of = |index: usize| tracks[index].streams.iter();
    if is_chosen(&0) {
        let others = (1..tracks.len()).filter(|index| !is_chosen(index));
        return others
            .flat_map(streams_of)
            .map(|stream| format!("!{stream}"))
            .collect();
    }
    chosen
        .iter()
        .flat_map(|index| streams_of(*index).cloned())
        .collect()
}

impl Track {
    /// What the control store calls it.
    pub(crate) fn key(&self) -> String {
        match self.streams.is_empty() {
            true => String::new(),
            false => self.schedule.to_string(),
        }
    }

    /// When it is due, where its schedule is one of times; `born` is when it came to be known, and
    /// `last_start` when a run of it last began, as far as that can be believed.
    pub(crate) fn due(
        &self,
        of: &str,
        zone: Tz,
        born: DateTime<Utc>,
        last_start: Option<DateTime<Utc>>,
    ) -> Option<DateTime<Utc>> {
        match &self.schedule {
            Schedule::Manual | Schedule::Fresh(_) => None,
            Schedule::Continuous => Some(born),
            Schedule::Every(every) => Some(match last_start {
                None => born,
                Some(last) => later(last, *every + jitter(of, last, *every)),
            }),
            Schedule::Cron(cron) => {
                let after = last_start.unwrap_or(born);
                let moment = cron::next(cron, zone, after)?;
                let gap = cron::next(cron, zone, moment)
                    .and_then(|next| (next - moment).to_std().ok())
                    .unwrap_or(LONGEST_JITTER);
                Some(later(moment, jitter(of, moment, gap)))
            }
        }
    }
}

/// How long a connection's moment is put off, so that those of all do not fall together.
fn jitter(of: &str, moment: DateTime<Utc>, every: Duration) -> Duration {
    let most = every.mul_f64(JITTER).min(LONGEST_JITTER);
    most.mul_f64(spread(of, moment.timestamp()))
}

/// `at` and then `length`; at the end of time where that is no time.
pub(super) fn later(at: DateTime<Utc>, length: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(length)
        .ok()
        .and_then(|length| at.checked_add_signed(length))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(streams: &[&str]) -> Track {
        Track {
            schedule: Schedule::Manual,
            streams: streams.iter().map(|&name| name.to_owned()).collect(),
            last_start: None,
        }
    }

    #[test]
    fn a_run_of_some_tracks_selects_their_streams() {
        let tracks = [track(&[]), track(&["a", "b"]), track(&["c"])];
        for (chosen, expected) in [
            (&[0, 1, 2][..], &[][..]),
            (&[0], &["!a", "!b", "!c"]),
            (&[0, 2], &["!a", "!b"]),
            (&[1], &["a", "b"]),
            (&[1, 2], &["a", "b", "c"]),
        ] {
            assert_eq!(selection(&tracks, chosen), expected, "{chosen:?}");
        }
    }
}
