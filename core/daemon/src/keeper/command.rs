//! What can be asked of a connection, and what is done about it.

use std::sync::Arc;

use chrono::DateTime;
use tokio::sync::oneshot;
use tributary_model::{Error, ErrorKind, Result, StreamName, now};

use super::Keeper;
use crate::ends::Job;
use crate::schedule::tracks;

/// A run that somebody wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Order {
    /// Patterns; empty means all.
    pub(crate) streams: Vec<String>,
    pub(crate) full_refresh: bool,
}

/// What can be asked of a connection. The answer comes once it is certain, not once it is done.
#[derive(Debug)]
pub(crate) enum Command {
    Sync(Order, oneshot::Sender<Result<()>>),
    Pause(oneshot::Sender<Result<()>>),
    Resume(oneshot::Sender<Result<()>>),
    /// Forget a cursor, or all; answered once that is done.
    Reset(Option<StreamName>, oneshot::Sender<Result<()>>),
    /// Go on under another configuration.
    Configure(Arc<Job>),
    /// Finish what can be finished, and end.
    Leave,
}

impl Order {
    pub(super) fn of(streams: &[String], full_refresh: bool) -> Self {
        Self {
            streams: streams.to_vec(),
            full_refresh,
        }
    }

    /// One order for two: what either asks for.
    pub(super) fn and(self, other: Option<Self>) -> Self {
        let Some(other) = other else {
            return self;
        };
        let whole = self.streams.is_empty() || other.streams.is_empty();
        let streams = self.streams.into_iter().chain(other.streams);
        Self {
            streams: if whole { Vec::new() } else { streams.collect() },
            full_refresh: self.full_refresh || other.full_refresh,
        }
    }
}

impl Keeper {
    /// Notes what is asked; without anybody who could ask, it leaves.
    pub(super) async fn hear(&mut self, command: Option<Command>) {
        match command {
            None | Some(Command::Leave) => self.noted.leaving = true,
            Some(Command::Configure(job)) => self.noted.job = Some(job),
            Some(Command::Reset(stream, answer)) => self.noted.resets.push((stream, answer)),
            // Whoever asked may have gone.
            Some(Command::Sync(order, answer)) => drop(answer.send(self.take(order))),
            Some(Command::Pause(answer)) => drop(answer.send(self.pause().await)),
            Some(Command::Resume(answer)) => drop(answer.send(self.resume().await)),
        }
    }

    fn take(&mut self, order: Order) -> Result<()> {
        if self.paused {
            let what = format!("connection {} is paused", self.job.name());
            return Err(
                Error::new(ErrorKind::Config, what).fix("Resume it first: then it runs by itself.")
            );
        }
        self.noted.order = Some(order.and(self.noted.order.take()));
        Ok(())
    }

    async fn pause(&mut self) -> Result<()> {
        let (name, at) = (self.job.name(), now());
        self.shared.store.set_paused(name, Some(at)).await?;
        self.paused = true;
        self.noted.order = None;
        self.shared.board.update(name, |view| {
            view.paused_at.get_or_insert(at);
        });
        tracing::info!(connection = name, "paused");
        Ok(())
    }

    /// Lets it go on, and forgets that it failed: somebody has looked at it.
    async fn resume(&mut self) -> Result<()> {
        let name = self.job.name();
        self.shared.store.set_paused(name, None).await?;
        self.paused = false;
        if let Some(failure) = &mut self.failure {
            failure.at = DateTime::UNIX_EPOCH;
        }
        self.shared.board.update(name, |view| view.paused_at = None);
        tracing::info!(connection = name, "resumed");
        Ok(())
    }

    /// Does what was noted while a run went on.
    pub(super) async fn do_noted(&mut self) {
        for (stream, answer) in std::mem::take(&mut self.noted.resets) {
            let outcome = self.reset(stream).await;
            let _ = answer.send(outcome);
        }
        if let Some(job) = self.noted.job.take() {
            self.configure(job);
        }
    }

    async fn reset(&mut self, stream: Option<StreamName>) -> Result<()> {
        let destination = self.shared.destination(&self.job).await?;
        let name = &self.job.plan.options.name;
        let state = destination.peek(name).await?.unwrap_or_default();
        if let Some(stream) = &stream
            && !state.streams.contains_key(stream)
        {
            return Err(Error::new(
                ErrorKind::Expired,
                format!("the stream {stream} has no cursor"),
            )
            .fix("The connection's page lists those that have; a first sync makes one."));
        }
        let of = stream.clone();
        tributary_engine::rewrite_state(destination.as_ref(), name, move |state| match of {
            Some(stream) => drop(state.streams.remove(&stream)),
            None => {
                state.shared = None;
                state.streams.clear();
            }
        })
        .await?;
        self.failure = None;
        self.complete_as_of = None;
        self.shared.board.update(name.as_str(), |view| {
            view.complete_as_of = None;
            view.error = None;
            for view in &mut view.streams {
                if stream
                    .as_ref()
                    .is_none_or(|of| of.to_string() == view.stream)
                {
                    (view.position, view.phase, view.error) = (None, None, None);
                }
            }
        });
        tracing::info!(connection = %name, stream = stream.map(|it| it.to_string()), "reset");
        Ok(())
    }

    /// Goes on under another configuration; what went wrong under the old one is tried at once.
    fn configure(&mut self, job: Arc<Job>) {
        let before: Vec<_> = std::mem::take(&mut self.tracks);
        self.tracks = tracks(&job.plan);
        for track in &mut self.tracks {
            let known = before.iter().find(|old| old.key() == track.key());
            track.last_start = known.and_then(|old| old.last_start);
        }
        if let Some(failure) = &mut self.failure {
            failure.at = DateTime::UNIX_EPOCH;
            failure.tracks = (0..self.tracks.len()).collect();
        }
        self.born = now();
        self.job = job;
        self.show_configured();
        tracing::info!(connection = self.job.name(), "configured anew");
    }
}
