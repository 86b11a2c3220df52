//! What the board says of a connection, in words.

use chrono::{DateTime, Utc};
use tributary_engine::SyncReport;
use tributary_model::now;

use super::{Keeper, Plan, remember};
use crate::bus::Notice;
use crate::schedule::{Length, Why};
use crate::store::History;
use crate::view::{
    Actor, ConnectionState, ConnectionView, ErrorView, Freshness, RunRecord, RunStatus, Sparkline,
    StreamPhase, Trigger,
};

impl Keeper {
    /// The view of a connection that has just come to be known.
    pub(super) fn first_view(&self, history: History) -> ConnectionView {
        let at = now();
        let runs = history.runs;
        let succeeded = |run: &&RunRecord| run.status == Some(RunStatus::Succeeded);
        let mut rows = Sparkline::empty(at);
        for run in &runs {
            rows.add(run.ended_at.unwrap_or(run.started_at), run.records_written);
        }
        let mut view = ConnectionView {
            connection: self.job.name().to_owned(),
            source: String::new(),
            source_type: String::new(),
            destination: String::new(),
            destination_type: String::new(),
            schedule: String::new(),
            time_zone: String::new(),
            state: ConnectionState::Idle,
            reason: "starts".to_owned(),
            paused_at: history.paused_at,
            next_run_at: None,
            run: None,
            last_success_at: runs.iter().find(succeeded).and_then(|run| run.ended_at),
            last_run: runs.first().cloned(),
            failures_in_a_row: 0,
            complete_as_of: self.complete_as_of,
            lag_seconds: None,
            freshness: None,
            last_commit_at: None,
            position: None,
            log: None,
            streams: Vec::new(),
            loads: Vec::new(),
            error: runs.first().and_then(|run| run.error.clone()),
            runs,
            schema_changes: Vec::new(),
            rows,
        };
        self.describe(&mut view);
        view
    }

    /// What the configuration says.
    fn describe(&self, view: &mut ConnectionView) {
        let plan = &self.job.plan;
        view.source.clone_from(&plan.source);
        view.source_type.clone_from(&self.job.source.kind);
        view.destination.clone_from(&plan.destination);
        view.destination_type.clone_from(&self.job.destination.kind);
        view.schedule = plan.schedule.to_string();
        view.time_zone = plan.time_zone.to_string();
        view.freshness = plan.freshness.map(|objective| Freshness {
            objective_seconds: objective.as_secs(),
            age_seconds: None,
            met: false,
        });
        for (stream, schedule) in &plan.stream_schedules {
            view.stream_mut(&stream.to_string()).schedule = Some(schedule.to_string());
        }
    }

    pub(super) fn show_configured(&self) {
        self.shared.board.update(self.job.name(), |view| {
            for stream in &mut view.streams {
                stream.schedule = None;
            }
            self.describe(view);
            view.error = None;
        });
    }

    /// Says what it is doing, and why.
    pub(super) fn show(&self, state: ConnectionState, reason: &str, next: Option<DateTime<Utc>>) {
        let failures = self.failure.as_ref().map_or(0, |failure| failure.in_a_row);
        self.shared.board.update(self.job.name(), |view| {
            view.state = state;
            reason.clone_into(&mut view.reason);
            view.next_run_at = next;
            view.failures_in_a_row = failures;
        });
        self.shared.bus.tell(Notice::Changed {
            connection: self.job.name().into(),
        });
    }

    pub(super) fn show_waiting(&self, until: Option<DateTime<Utc>>, why: Why) {
        let count = self.failure.as_ref().map_or(0, |failure| failure.in_a_row);
        let times = if count == 1 {
            "once".to_owned()
        } else {
            format!("{count} times in a row")
        };
        let (state, reason) = match why {
            Why::Manual => (
                ConnectionState::Manual,
                "runs when somebody asks for it".to_owned(),
            ),
            Why::Paused => (
                ConnectionState::Paused,
                "paused until somebody resumes it".to_owned(),
            ),
            Why::Schedule => (ConnectionState::Idle, "waits for its schedule".to_owned()),
            Why::Window => (
                ConnectionState::Idle,
                "waits for its window to open".to_owned(),
            ),
            Why::Backoff => (
                ConnectionState::BackingOff,
                format!("failed {times} and is left alone for a while"),
            ),
            Why::Stuck => (ConnectionState::Stuck, self.who_must_act(until)),
        };
        self.show(state, &reason, until);
    }

    fn who_must_act(&self, until: Option<DateTime<Utc>>) -> String {
        let view = self.shared.board.connection(self.job.name(), now());
        let who = view.and_then(|view| view.error).map(|error| error.who);
        let who = match who.unwrap_or(Actor::Configuration) {
            Actor::Configuration => "whoever writes the configuration",
            Actor::Credentials => "whoever gives out credentials and rights",
            Actor::Source => "whoever looks after the source",
            Actor::Tributary => "the authors of Tributary",
            Actor::Nobody => "somebody",
        };
        let by_itself = until.map_or("", |_| "; else it looks once an hour");
        format!("stuck: needs {who}, and runs again at once when asked to{by_itself}")
    }

    pub(super) fn show_running(&self, plan: &Plan, run: &RunRecord) {
        let why = match plan.trigger {
            Trigger::Schedule => "its schedule says so",
            Trigger::CatchUp => "it makes up for what was missed",
            Trigger::Retry => "it tries again",
            Trigger::Asked => "somebody asked for it",
        };
        let (state, reason) = match plan.length {
            Length::Once => (ConnectionState::Running, format!("runs because {why}")),
            Length::Following => (ConnectionState::Following, "follows its source".to_owned()),
        };
        self.shared.board.update(self.job.name(), |view| {
            view.run = Some(run.clone());
        });
        self.show(state, &reason, plan.stop_at);
    }

    pub(super) fn show_ended(&mut self, run: &RunRecord, report: &SyncReport) {
        let (complete, at) = (self.complete_as_of, run.ended_at.unwrap_or_else(now));
        let failures = self.failure.as_ref().map_or(0, |failure| failure.in_a_row);
        let mut known = complete;
        self.shared.board.update(self.job.name(), |view| {
            view.run = None;
            view.last_run = Some(run.clone());
            remember(&mut view.runs, run.clone());
            view.failures_in_a_row = failures;
            view.complete_as_of = crate::view::complete(view.complete_as_of, complete, at);
            known = view.complete_as_of;
            if run.status == Some(RunStatus::Succeeded) {
                view.last_success_at = run.ended_at;
            }
            if run.status != Some(RunStatus::Interrupted) {
                view.error.clone_from(&run.error);
            }
            for stream in &report.streams {
                let view = view.stream_mut(&stream.stream.to_string());
                view.phase = Some(StreamPhase::from(stream.phase))
                    .filter(|phase| {
                        // A run that found nothing to do names no phase.
                        *phase != StreamPhase::Pending || view.phase.is_none()
                    })
                    .or(view.phase);
                view.error = stream
                    .error
                    .as_ref()
                    .map(|error| ErrorView::of_report(error, at));
            }
        });
        self.complete_as_of = known;
    }
}
