//! The task of one connection: asks what to do, does it, and listens meanwhile.
//!
//! Invariant: a connection has one keeper, and a keeper one run at a time; so a connection never
//! overlaps with itself, whatever is asked of it.
//!
//! What is asked while a run goes on is noted, the run is asked to end if it stands in the way, and
//! what was noted is done once it has.

mod command;
mod life;
mod show;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{mpsc, oneshot, watch};
use tributary_engine::{SyncReport, SyncRequest};
use tributary_model::{ErrorKind, Result, Selection, StreamName, Until, now};

use crate::bus::Notice;
use crate::ends::Job;
use crate::metrics::Counter;
use crate::recorder::Recorder;
use crate::run;
use crate::schedule::{
    Decision, Facts, Failure, Heals, Length, Track, decide, expected, heals, selection, tracks,
};
use crate::shared::Shared;
use crate::store::History;
use crate::view::{ConnectionState, ErrorView, RunRecord, RunStatus, Trigger, complete, remember};

pub(crate) use command::{Command, Order};

/// The wall clock may jump: nobody sleeps longer than this without looking at it.
const LOOK: Duration = Duration::from_secs(60);
/// The longest that the control store is waited for. // G6
const NOTING: Duration = Duration::from_secs(10);
/// Runs whose lengths are remembered.
const LENGTHS: usize = 5;

/// The task of one connection.
pub(crate) struct Keeper {
    shared: Arc<Shared>,
    job: Arc<Job>,
    mailbox: mpsc::Receiver<Command>,
    tracks: Vec<Track>,
    born: DateTime<Utc>,
    paused: bool,
    failure: Option<Failure>,
    complete_as_of: Option<DateTime<Utc>>,
    lengths: VecDeque<TimeDelta>,
    last: Option<RunStatus>,
    noted: Noted,
}

/// What was asked and is to be done as soon as nothing runs.
#[derive(Default)]
struct Noted {
    order: Option<Order>,
    resets: Vec<(Option<StreamName>, oneshot::Sender<Result<()>>)>,
    job: Option<Arc<Job>>,
    leaving: bool,
}

/// A run about to begin.
struct Plan {
    tracks: Vec<usize>,
    only: Vec<String>,
    full_refresh: bool,
    length: Length,
    trigger: Trigger,
    stop_at: Option<DateTime<Utc>>,
}

impl Keeper {
    pub(crate) fn new(
        shared: Arc<Shared>,
        job: Arc<Job>,
        mailbox: mpsc::Receiver<Command>,
        history: History,
    ) -> Self {
        let mut tracks = tracks(&job.plan);
        for track in &mut tracks {
            track.last_start = history.last_starts.get(&track.key()).copied();
        }
        let keeper = Self {
            born: now(),
            paused: history.paused_at.is_some(),
            failure: life::failure(&history.runs, tracks.len()),
            complete_as_of: life::complete_as_of(&history.runs),
            lengths: life::lengths(&history.runs, LENGTHS),
            last: history.runs.first().and_then(|run| run.status),
            noted: Noted::default(),
            shared,
            job,
            mailbox,
            tracks,
        };
        keeper.shared.metrics.know(keeper.job.name());
        keeper.shared.board.put(keeper.first_view(history));
        keeper
    }

    /// Keeps the connection until it is told to leave.
    pub(crate) async fn keep(mut self) {
        loop {
            self.do_noted().await;
            if self.noted.leaving {
                return;
            }
            if let Some(order) = self.noted.order.take() {
                let plan = self.ordered(order);
                self.run(plan).await;
                continue;
            }
            let now = now();
            // A clock that is put back must not leave the beginning ahead: no moment would come.
            self.born = self.born.min(now);
            match decide(&self.facts(), now) {
                Decision::Wait { until, why } => {
                    self.show_waiting(until, why);
                    self.rest(until).await;
                }
                Decision::Run {
                    tracks,
                    length,
                    trigger,
                    stop_at,
                } => {
                    let plan = Plan {
                        only: selection(&self.tracks, &tracks),
                        tracks,
                        full_refresh: false,
                        length,
                        trigger,
                        stop_at,
                    };
                    self.run(plan).await;
                }
            }
        }
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            name: self.job.name(),
            tracks: &self.tracks,
            zone: self.job.plan.time_zone,
            windows: &self.job.plan.windows,
            born: self.born,
            paused: self.paused,
            failure: self.failure.as_ref(),
            complete_as_of: self.complete_as_of,
            expected: expected(self.lengths.iter().copied()),
        }
    }

    fn ordered(&self, order: Order) -> Plan {
        let whole = order.streams.is_empty();
        Plan {
            tracks: if whole {
                (0..self.tracks.len()).collect()
            } else {
                Vec::new()
            },
            only: order.streams,
            full_refresh: order.full_refresh,
            length: Length::Once,
            trigger: Trigger::Asked,
            stop_at: None,
        }
    }

    /// Waits for a moment or a command.
    async fn rest(&mut self, until: Option<DateTime<Utc>>) {
        let ahead = until.and_then(|until| (until - now()).to_std().ok());
        let ahead = match until {
            Some(_) => ahead.unwrap_or_default().min(LOOK),
            None => LOOK * 60,
        };
        tokio::select! {
            command = self.mailbox.recv() => self.hear(command).await,
            () = tokio::time::sleep(ahead) => {}
        }
    }

    /// Runs, unless something comes in between before a worker is free.
    async fn run(&mut self, plan: Plan) {
        let _worker = match plan.length {
            // Whoever follows is idle most of the time; it would keep the worker for ever.
            Length::Following => None,
            Length::Once => {
                let workers = self.shared.workers.clone();
                let mut turn = std::pin::pin!(workers.acquire_owned());
                let free = futures::FutureExt::now_or_never(turn.as_mut());
                if free.is_none() {
                    self.show(ConnectionState::Queued, "waits for a free worker", None);
                }
                match free {
                    Some(worker) => worker.ok(),
                    None => tokio::select! {
                        worker = turn => worker.ok(),
                        command = self.mailbox.recv() => {
                            self.hear(command).await;
                            // What was to run is run when the decision falls again.
                            if plan.trigger == Trigger::Asked && !self.paused {
                                let order = Order::of(&plan.only, plan.full_refresh);
                                self.noted.order = Some(order.and(self.noted.order.take()));
                            }
                            return;
                        }
                    },
                }
            }
        };
        let began = self.begin(&plan).await;
        let report = self.attend(&plan, began.clone()).await;
        self.end(&plan, &began, report).await;
    }

    /// Notes that a run begins.
    async fn begin(&mut self, plan: &Plan) -> Arc<Recorder> {
        let run = RunRecord {
            id: uuid::Uuid::new_v4().to_string(),
            connection: self.job.name().to_owned(),
            trigger: plan.trigger,
            streams: plan.only.clone(),
            started_at: now(),
            ended_at: None,
            status: None,
            loads: 0,
            records_read: 0,
            records_written: 0,
            records_rejected: 0,
            bytes_read: 0,
            error: None,
        };
        for track in &plan.tracks {
            self.tracks[*track].last_start = Some(run.started_at);
        }
        let keys: Vec<String> = plan
            .tracks
            .iter()
            .map(|at| self.tracks[*at].key())
            .collect();
        self.note(self.shared.store.run_started(&run, &keys)).await;
        self.show_running(plan, &run);
        tracing::info!(connection = self.job.name(), trigger = ?plan.trigger, "run begins");
        let told = Arc::new(run.clone());
        self.shared.bus.tell(Notice::RunStarted { run: told });
        Arc::new(Recorder::new(self.shared.clone(), &self.job, run))
    }

    /// Lets the run go on, and listens.
    async fn attend(&mut self, plan: &Plan, recorder: Arc<Recorder>) -> SyncReport {
        let request = SyncRequest {
            only: Selection(plan.only.clone()),
            full_refresh: plan.full_refresh,
            until: match plan.length {
                Length::Once => Until::Now,
                Length::Following => Until::Stopped,
            },
        };
        let (stop, mut stopped) = watch::channel(false);
        let stopping = async move {
            // Whoever could say so being gone says so, too.
            let _ = stopped.wait_for(|stopped| *stopped).await;
        };
        let running = run::execute(
            self.shared.clone(),
            self.job.clone(),
            request,
            recorder,
            stopping,
        );
        let mut running = std::pin::pin!(running);
        loop {
            let limit = until(plan.stop_at);
            tokio::select! {
                report = &mut running => return report,
                command = self.mailbox.recv() => {
                    self.hear(command).await;
                    if self.must_stop(plan) && !*stop.borrow() {
                        self.show(ConnectionState::Draining, "finishes what it can", None);
                        stop.send_replace(true);
                    }
                }
                () = limit, if !*stop.borrow() => drop(stop.send_replace(true)),
            }
        }
    }

    /// Whether what was heard stands against the run that goes on.
    fn must_stop(&self, plan: &Plan) -> bool {
        let Noted {
            order,
            resets,
            job,
            leaving,
        } = &self.noted;
        let follows = plan.length == Length::Following;
        self.paused || *leaving || job.is_some() || !resets.is_empty() || follows && order.is_some()
    }

    /// Notes how a run ended.
    async fn end(&mut self, plan: &Plan, recorder: &Recorder, report: SyncReport) {
        let ended_at = now();
        let mut run = recorder.run();
        let status = RunStatus::from(report.status);
        run.ended_at = Some(ended_at);
        run.status = Some(status);
        run.error = life::error_of(&report).map(|error| ErrorView::of_report(error, ended_at));
        let kind = life::error_of(&report).map(|error| error.kind);
        self.judge(plan, status, kind, &run);
        let name = self.job.name();
        self.shared.metrics.length(
            name,
            (ended_at - run.started_at).to_std().unwrap_or_default(),
        );
        if matches!(status, RunStatus::Failed | RunStatus::Partial) {
            let labels = [("connection", name)];
            self.shared.metrics.add(Counter::SyncFailures, &labels, 1.0);
        }
        life::say(name, &run);
        self.show_ended(&run, &report);
        self.note(self.shared.store.run_ended(&run)).await;
        let before = self.last.replace(status);
        let run = Arc::new(run);
        self.shared.bus.tell(Notice::RunEnded { run, before });
    }

    /// Draws the conclusions from how a run ended.
    fn judge(&mut self, plan: &Plan, status: RunStatus, kind: Option<ErrorKind>, run: &RunRecord) {
        match status {
            RunStatus::Interrupted => {}
            RunStatus::Succeeded | RunStatus::Partial => {
                self.failure = None;
                // Streams with schedules of their own are behind by their own choice.
                if status == RunStatus::Succeeded && plan.tracks.contains(&0) {
                    let (known, new) = (self.complete_as_of, Some(run.started_at));
                    self.complete_as_of = complete(known, new, run.ended_at.unwrap_or_else(now));
                }
                if let Some(ended) = run.ended_at {
                    self.lengths.push_front(ended - run.started_at);
                    self.lengths.truncate(LENGTHS);
                }
            }
            RunStatus::Failed => {
                let in_a_row = self.failure.as_ref().map_or(0, |failure| failure.in_a_row);
                // Whoever follows may have worked for days before.
                let in_a_row = if run.loads > 0 { 0 } else { in_a_row };
                self.failure = Some(Failure {
                    at: run.ended_at.unwrap_or_else(now),
                    in_a_row: in_a_row + 1,
                    heals: kind.map_or(Heals::ByItself(None), heals),
                    tracks: plan.tracks.clone(),
                });
            }
        }
    }

    /// Lets the store note something, for a while: data never waits for it.
    async fn note(&self, noting: impl Future<Output = Result<()>>) {
        let connection = self.job.name();
        match tokio::time::timeout(NOTING, noting).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(connection, %error, "not noted"),
            Err(_) => tracing::warn!(connection, "not noted: the control store does not answer"),
        }
    }
}

async fn until(at: Option<DateTime<Utc>>) {
    let Some(at) = at else {
        return std::future::pending().await;
    };
    while let Ok(ahead) = (at - now()).to_std() {
        if ahead.is_zero() {
            return;
        }
        tokio::time::sleep(ahead.min(LOOK)).await;
    }
}
