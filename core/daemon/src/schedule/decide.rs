//! The one page that decides whether a connection runs now.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use tributary_config::{Schedule, Window};

use super::backoff::{self, Heals};
use super::track::{Track, later};
use super::window::{Gate, gate};
use crate::drift::past;
use crate::view::Trigger;

/// The share of a freshness objective that is kept in reserve, and the shortest pause between runs.
const RESERVE: u32 = 10;

/// Everything that the decision depends on.
#[derive(Clone, Debug)]
pub(crate) struct Facts<'a> {
    /// The connection's name, by which connections are spread over time.
    pub(crate) name: &'a str,
    pub(crate) tracks: &'a [Track],
    pub(crate) zone: Tz,
    pub(crate) windows: &'a [Window],
    /// When this daemon came to know it.
    pub(crate) born: DateTime<Utc>,
    pub(crate) paused: bool,
    /// How the last run failed, if it did.
    pub(crate) failure: Option<&'a Failure>,
    /// The destination holds all that the source held then.
    pub(crate) complete_as_of: Option<DateTime<Utc>>,
    /// How long a run may take, from those before.
    pub(crate) expected: Duration,
}

/// A run that failed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Failure {
    /// When it ended.
    pub(crate) at: DateTime<Utc>,
    /// Runs in a row that failed.
    pub(crate) in_a_row: u32,
    pub(crate) heals: Heals,
    /// The tracks that it ran; those that are gone do not count.
    pub(crate) tracks: Vec<usize>,
}

/// How long a run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    /// Until everything that was there when it began has been read.
    Once,
    /// Until it is stopped.
    Following,
}

/// Why it does not run now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// It runs only when someone says so.
    Manual,
    /// Someone paused it.
    Paused,
    /// Its moment has not come.
    Schedule,
    /// Its windows are shut.
    Window,
    /// It failed and is left alone for a while.
    Backoff,
    /// It failed and needs somebody.
    Stuck,
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Decision {
    /// Run these tracks.
    Run {
        tracks: Vec<usize>,
        length: Length,
        trigger: Trigger,
        /// When it must be stopped at the latest.
        stop_at: Option<DateTime<Utc>>,
    },
    /// Wait: until then, or until something happens.
    Wait {
        until: Option<DateTime<Utc>>,
        why: Why,
    },
}

/// What to do now.
pub(crate) fn decide(facts: &Facts<'_>, now: DateTime<Utc>) -> Decision {
    if facts.paused {
        return wait(None, Why::Paused);
    }
    let shuts = match gate(facts.windows, facts.zone, now) {
        Gate::Open(shuts) => shuts,
        Gate::Shut(opens) if facts.has_schedule() => return wait(opens, Why::Window),
        Gate::Shut(_) => return wait(None, Why::Manual),
    };
    if let Some(failure) = facts.failure
        && past(failure.at, now).is_some()
    {
        let again = later(failure.at, facts.left_alone(failure));
        let why = facts.why_left_alone(failure);
        match facts.has_schedule() {
            true if now < again => return wait(Some(again), why),
            // Nobody tries it again by itself, however long it waits.
            false if why == Why::Stuck => return wait(None, why),
            true | false => {}
        }
    }
    let due = facts.due(now);
    let is_due = |at: &Option<DateTime<Utc>>| at.is_some_and(|at| at <= now);
    let mut chosen: Vec<usize> = (0..due.len())
        .filter(|index| is_due(&due[*index]))
        .collect();
    let missed = chosen
        .iter()
        .any(|index| facts.was_missed(*index, due[*index]));
    chosen.extend(facts.to_retry());
    chosen.sort_unstable();
    chosen.dedup();
    let next = due.iter().flatten().copied().filter(|at| *at > now).min();
    let trigger = match facts.failure {
        Some(_) => Trigger::Retry,
        None if missed => Trigger::CatchUp,
        None => Trigger::Schedule,
    };
    let follows = |index: &usize| facts.tracks[*index].schedule == Schedule::Continuous;
    let (following, once): (Vec<usize>, Vec<usize>) = chosen.into_iter().partition(follows);
    match (once.is_empty(), following.is_empty()) {
        (true, true) if facts.has_schedule() => wait(next, Why::Schedule),
        (true, true) => wait(None, Why::Manual),
        // What has an end comes first: what follows has all the time between.
        (false, _) => run(once, Length::Once, trigger, shuts),
        (true, false) => {
            let stop_at = [shuts, next].into_iter().flatten().min();
            run(following, Length::Following, trigger, stop_at)
        }
    }
}

fn wait(until: Option<DateTime<Utc>>, why: Why) -> Decision {
    Decision::Wait { until, why }
}

fn run(
    tracks: Vec<usize>,
    length: Length,
    trigger: Trigger,
    stop_at: Option<DateTime<Utc>>,
) -> Decision {
    Decision::Run {
        tracks,
        length,
        trigger,
        stop_at,
    }
}

impl Facts<'_> {
    fn has_schedule(&self) -> bool {
        let runs = |track: &Track| track.schedule != Schedule::Manual;
        self.tracks.iter().any(runs)
    }

    /// When each track is due.
    fn due(&self, now: DateTime<Utc>) -> Vec<Option<DateTime<Utc>>> {
        let due = |track: &Track| {
            let last_start = track.last_start.and_then(|last| past(last, now));
            match &track.schedule {
                Schedule::Fresh(objective) => {
                    let complete = self.complete_as_of.and_then(|at| past(at, now));
                    Some(self.due_for(*objective, complete, last_start))
                }
                Schedule::Manual
                | Schedule::Continuous
                | Schedule::Every(_)
                | Schedule::Cron(_) => track.due(self.name, self.zone, self.born, last_start),
            }
        };
        self.tracks.iter().map(due).collect()
    }

    /// When a run must begin so that it is complete before data is older than `objective`; but runs
    /// do not follow one another without a pause, where the objective can't be met.
    fn due_for(
        &self,
        objective: Duration,
        complete: Option<DateTime<Utc>>,
        last_start: Option<DateTime<Utc>>,
    ) -> DateTime<Utc> {
        let Some(complete) = complete else {
            return last_start.map_or(self.born, |last| later(last, objective / RESERVE));
        };
        let needed = self.expected.mul_f64(1.5) + objective / RESERVE;
        let in_time = later(complete, objective.saturating_sub(needed));
        match last_start {
            Some(last) => in_time.max(later(last, self.expected + objective / RESERVE)),
            None => in_time,
        }
    }

    /// Whether the moment had come before this daemon could see to it.
    fn was_missed(&self, index: usize, due: Option<DateTime<Utc>>) -> bool {
        self.tracks[index].last_start.is_some() && due.is_some_and(|due| due < self.born)
    }

    fn left_alone(&self, failure: &Failure) -> Duration {
        backoff::wait(self.name, failure.heals, failure.in_a_row)
    }

    fn why_left_alone(&self, failure: &Failure) -> Why {
        match failure.heals {
            Heals::ByItself(_) => Why::Backoff,
            Heals::ByPerson => Why::Stuck,
        }
    }

    /// The tracks of the run that failed; those that run only when asked are not run by themselves.
    fn to_retry(&self) -> Vec<usize> {
        let known = |index: &&usize| {
            let track = self.tracks.get(**index);
            track.is_some_and(|track| track.schedule != Schedule::Manual)
        };
        let failed = self.failure.iter().flat_map(|failure| &failure.tracks);
        failed.filter(known).copied().collect()
    }
}

/// How long a run may take, from the lengths of those before, the last one first.
pub(crate) fn expected(lengths: impl Iterator<Item = TimeDelta>) -> Duration {
    const RUNS: usize = 5;
    let longest = lengths.take(RUNS).max();
    longest
        .and_then(|length| length.to_std().ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
