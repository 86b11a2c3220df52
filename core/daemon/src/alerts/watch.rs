//! Decides what is to be told: from a connection's view and what was told before, purely.
//!
//! The view is looked at, not the notices that led to it. So a notice that was missed, and a daemon
//! that was away, change when something is told and not whether. What [`Memory`] holds is stored
//! together with the alerts that follow from it: none is forgotten, none is told twice as another.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tributary_config::{AlertEvent, AlertPlan};

use super::alert::Alert;
use crate::drift::is_ahead;
use crate::view::{ConnectionState, ConnectionView, ErrorView, RunRecord, RunStatus};

/// Rows that are rejected again and again are told this often at most.
const BETWEEN_REJECTIONS: TimeDelta = TimeDelta::minutes(10);

/// What a webhook has been told about a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// Everything up to these moments has been looked at.
    runs_upto: DateTime<Utc>,
    changes_upto: DateTime<Utc>,
    loads_upto: DateTime<Utc>,
    /// Since when something is so that was told and is not over.
    failing_since: Option<DateTime<Utc>>,
    behind_since: Option<DateTime<Utc>>,
    late_since: Option<DateTime<Utc>>,
    /// When rejected rows were last told.
    rejected_told: Option<DateTime<Utc>>,
}

impl Memory {
    /// Of a webhook that is new: what was before is not told.
    pub(super) fn new(now: DateTime<Utc>) -> Self {
        Self {
            runs_upto: now,
            changes_upto: now,
            loads_upto: now,
            failing_since: None,
            behind_since: None,
            late_since: None,
            rejected_told: None,
        }
    }

    /// Forgets what a clock that was ahead made of it: else nothing would be told until that moment.
    fn put_right(&mut self, now: DateTime<Utc>) {
        let uptos = [
            &mut self.runs_upto,
            &mut self.changes_upto,
            &mut self.loads_upto,
        ];
        let sinces = [
            &mut self.failing_since,
            &mut self.behind_since,
            &mut self.late_since,
            &mut self.rejected_told,
        ];
        let sinces = sinces.into_iter().flatten();
        for at in uptos.into_iter().chain(sinces) {
            if is_ahead(*at, now) {
                *at = now;
            }
        }
    }
}

/// What is to be told to `target` about a connection as it is at `now`.
pub(super) fn look(
    target: &AlertPlan,
    view: &ConnectionView,
    memory: &mut Memory,
    now: DateTime<Utc>,
) -> Vec<Alert> {
    memory.put_right(now);
    let mut look = Look { view, now };
    let mut alerts = Vec::new();
    alerts.extend(look.runs(memory));
    alerts.extend(look.failing(memory));
    if view.state != ConnectionState::Paused {
        alerts.extend(look.lag(memory, target));
        alerts.extend(look.objective(memory));
    }
    alerts.extend(look.changes(memory));
    alerts.extend(look.rejected(memory));
    alerts.retain(|alert| target.events.contains(&alert.event));
    alerts
}

struct Look<'a> {
    view: &'a ConnectionView,
    now: DateTime<Utc>,
}

impl Look<'_> {
    fn alert(&self, event: AlertEvent, summary: String) -> Alert {
        Alert::new(event, self.view, self.now, summary)
    }

    /// Whether something happened after what has been looked at.
    fn is_new(&self, at: DateTime<Utc>, upto: DateTime<Utc>) -> bool {
        at > upto && !is_ahead(at, self.now)
    }

    /// Runs that ended since, in their order.
    fn runs(&mut self, memory: &mut Memory) -> Vec<Alert> {
        let mut ended: Vec<&RunRecord> = self.view.runs.iter().collect();
        ended.retain(|run| {
            run.ended_at
                .is_some_and(|at| self.is_new(at, memory.runs_upto))
        });
        ended.sort_by_key(|run| run.ended_at);
        let mut alerts = Vec::new();
        for run in ended {
            let at = run.ended_at.unwrap_or(self.now);
            memory.runs_upto = at;
            match run.status {
                Some(RunStatus::Failed | RunStatus::Partial) => {
                    alerts.extend(self.failed(memory, run.error.as_ref(), at));
                }
                Some(RunStatus::Succeeded) => alerts.extend(self.well(memory)),
                Some(RunStatus::Interrupted) | None => {}
            }
        }
        alerts
    }

    /// What no run says: a connection that can't begin, one that follows its source without end.
    fn failing(&mut self, memory: &mut Memory) -> Option<Alert> {
        match self.view.state {
            ConnectionState::Stuck | ConnectionState::BackingOff => {
                self.failed(memory, None, self.now)
            }
            ConnectionState::Following if self.stream_error().is_some() => {
                self.failed(memory, None, self.now)
            }
            // Following alone proves nothing: it may fail again in a moment.
            ConnectionState::Following => {
                let since = memory.failing_since?;
                let whole = self.view.complete_as_of.is_some_and(|at| at > since);
                whole.then(|| self.well(memory)).flatten()
            }
            ConnectionState::Idle
            | ConnectionState::Queued
            | ConnectionState::Running
            | ConnectionState::Paused
            | ConnectionState::Manual
            | ConnectionState::Draining => None,
        }
    }

    fn stream_error(&self) -> Option<&ErrorView> {
        let mut streams = self.view.streams.iter();
        streams.find_map(|stream| stream.error.as_ref())
    }

    /// Told once, until it is over.
    fn failed(
        &self,
        memory: &mut Memory,
        of_run: Option<&ErrorView>,
        at: DateTime<Utc>,
    ) -> Option<Alert> {
        if memory.failing_since.is_some() {
            return None;
        }
        memory.failing_since = Some(at);
        let whole = of_run.or(self.view.error.as_ref());
        let error = whole.or_else(|| self.stream_error()).cloned();
        let streams: Vec<String> = match whole {
            Some(_) => Vec::new(),
            None => self.failed_streams(),
        };
        let name = &self.view.connection;
        let what = error.as_ref().map_or("", |error| error.what.as_str());
        let summary = match (&streams[..], what) {
            ([], "") => format!("{name} failed"),
            ([], what) => format!("{name} failed: {what}"),
            ([stream], what) => format!("{name}: the stream {stream} failed: {what}"),
            (streams, what) => format!("{name}: {} streams failed: {what}", streams.len()),
        };
        Some(Alert {
            error,
            streams,
            since: Some(at),
            ..self.alert(AlertEvent::Failed, summary)
        })
    }

    fn failed_streams(&self) -> Vec<String> {
        let streams = self.view.streams.iter();
        streams
            .filter(|stream| stream.error.is_some())
            .map(|stream| stream.stream.clone())
            .collect()
    }

    fn well(&self, memory: &mut Memory) -> Option<Alert> {
        let since = memory.failing_since.take()?;
        let summary = format!("{} works again", self.view.connection);
        Some(self.over(AlertEvent::Failed, since, summary))
    }

    fn over(&self, what: AlertEvent, since: DateTime<Utc>, summary: String) -> Alert {
        Alert {
            after: Some(what),
            since: Some(since),
            ..self.alert(AlertEvent::Recovered, summary)
        }
    }

    fn lag(&self, memory: &mut Memory, target: &AlertPlan) -> Option<Alert> {
        let age = whole_seconds(self.view.lag_seconds?);
        let limit = target.lag?.as_secs();
        let age_is = Age { age, limit };
        self.aged(
            AlertEvent::LagExceeded,
            &mut memory.behind_since,
            age_is,
            age <= limit,
        )
    }

    fn objective(&self, memory: &mut Memory) -> Option<Alert> {
        let freshness = self.view.freshness?;
        let age_is = Age {
            age: whole_seconds(freshness.age_seconds?),
            limit: freshness.objective_seconds,
        };
        self.aged(
            AlertEvent::ObjectiveMissed,
            &mut memory.late_since,
            age_is,
            freshness.met,
        )
    }

    fn aged(
        &self,
        event: AlertEvent,
        since: &mut Option<DateTime<Utc>>,
        Age { age, limit }: Age,
        met: bool,
    ) -> Option<Alert> {
        let name = &self.view.connection;
        let alert = match (met, *since) {
            (true, None) | (false, Some(_)) => return None,
            (true, Some(begun)) => {
                *since = None;
                let summary = format!("{name} is fresh again: {age} s behind its source");
                self.over(event, begun, summary)
            }
            (false, None) => {
                *since = Some(self.now);
                let summary =
                    format!("{name} is {age} s behind its source, and may be {limit} s behind");
                self.alert(event, summary)
            }
        };
        Some(Alert {
            age_seconds: Some(age),
            limit_seconds: Some(limit),
            ..alert
        })
    }

    fn changes(&self, memory: &mut Memory) -> Option<Alert> {
        let fresh = self.view.schema_changes.iter();
        let mut fresh: Vec<_> = fresh
            .filter(|change| self.is_new(change.at, memory.changes_upto))
            .cloned()
            .collect();
        fresh.sort_by_key(|change| change.at);
        memory.changes_upto = fresh.last()?.at;
        let name = &self.view.connection;
        let summary = match &fresh[..] {
            [change] => format!("{name}: {}: {}", change.stream, change.what),
            changes => format!("{name}: {} changes of layout", changes.len()),
        };
        Some(Alert {
            changes: fresh,
            ..self.alert(AlertEvent::SchemaChanged, summary)
        })
    }

    fn rejected(&self, memory: &mut Memory) -> Option<Alert> {
        let recently = |told: DateTime<Utc>| self.now - told < BETWEEN_REJECTIONS;
        if memory.rejected_told.is_some_and(recently) {
            return None;
        }
        let loads = self.view.loads.iter();
        let fresh = loads.filter(|load| self.is_new(load.committed_at, memory.loads_upto));
        let (upto, rows) = fresh.fold((memory.loads_upto, 0u64), |(upto, rows), load| {
            let rows = rows.saturating_add(load.records_rejected);
            (upto.max(load.committed_at), rows)
        });
        memory.loads_upto = upto;
        if rows == 0 {
            return None;
        }
        memory.rejected_told = Some(self.now);
        let noun = if rows == 1 { "row was" } else { "rows were" };
        let summary = format!("{}: {rows} {noun} rejected", self.view.connection);
        let streams = self.view.streams.iter();
        Some(Alert {
            rows_rejected: Some(rows),
            streams: streams
                .filter(|stream| stream.records_rejected > 0)
                .map(|stream| stream.stream.clone())
                .collect(),
            ..self.alert(AlertEvent::RowsRejected, summary)
        })
    }
}

/// How old data is, and may be; seconds.
struct Age {
    age: u64,
    limit: u64,
}

/// Whole seconds; an age is never below nothing.
fn whole_seconds(seconds: f64) -> u64 {
    let seconds = seconds.clamp(0.0, 1e15);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped above
    let whole = seconds as u64;
    whole
}
