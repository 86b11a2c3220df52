//! Takes the source's messages and turns them into loads.
//!
//! What a message of rows does is in `rows`, how a load begins and commits in `commit`. Here is when:
//! a load commits where every row in it is covered by a cursor, and someone wants it to, for its size,
//! its age, or the end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;
use tracing::Span;
use tributary_model::{
    AnyLoad, Checkpoint, Envelope, Error, ErrorKind, Fence, LoadPlan, Message, Phase, Result,
    Scope, State, StreamCount, StreamName, StreamSchema, TableColumn, TableName, Until,
};

use crate::attempt::{End, Progress};
use crate::beside::Beside;
use crate::connection::Connection;
use crate::flush::Fill;
use crate::ledger::Ledger;
use crate::normalize::Table;
use crate::observer::{Event, Observer};
use crate::stop::{Hold, Stop};

mod beside;
mod commit;
mod copies;
mod misfit;
mod rows;

pub(crate) use commit::new_load_id;
pub(crate) use copies::{Copies, copy_id};
use misfit::Misfit;

/// The loading of an attempt.
pub(crate) struct Loading<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) observer: &'a dyn Observer,
    pub(crate) declared: BTreeMap<StreamName, StreamSchema>,
    pub(crate) tables: BTreeMap<StreamName, Table>,
    pub(crate) fence: Fence,
    /// What is true once the load in progress has committed.
    pub(crate) state: State,
    /// What is true in the destination now.
    pub(crate) stored: State,
    pub(crate) load: Option<Open>,
    /// Whether a table lacks something even if no row comes.
    pub(crate) has_work: bool,
    /// Streams that were given up here; their sources still send.
    pub(crate) dropped: BTreeSet<StreamName>,
    /// Streams that have failed in this attempt, here or in the source: what came of them is not all.
    pub(crate) failed: BTreeSet<StreamName>,
    /// Since when the state is ahead of the stored one without a load to commit it.
    pub(crate) moved: Option<Instant>,
    /// With the load in progress, everything that the source had then is in the destination.
    pub(crate) complete: Option<DateTime<Utc>>,
    /// The columns that the tables have, those aside that are not there yet.
    pub(crate) layouts: BTreeMap<TableName, Vec<TableColumn>>,
    /// The tables that are built beside those of their streams.
    pub(crate) beside: BTreeMap<StreamName, Beside>,
    /// Streams whose tables have nothing that would be missed: see [`crate::beside`].
    pub(crate) void: BTreeSet<StreamName>,
    /// What has made the load in progress void, where it is a table.
    pub(crate) misfits: Vec<Misfit>,
    /// What the source has said last of each stream.
    pub(crate) phases: BTreeMap<StreamName, Phase>,
    pub(crate) stop: &'a Stop,
    pub(crate) until: Until,
}

/// A cursor that moves while no rows come is stored once in so many ages of a load: often enough
/// that a log is not purged behind it, seldom enough that nobody minds the loads. // G6
const IDLE_AGES: u32 = 6;

/// The load in progress.
pub(crate) struct Open {
    _hold: Hold,
    load: Box<dyn AnyLoad>,
    plan: LoadPlan,
    counts: BTreeMap<StreamName, StreamCount>,
    /// Equal rows of tables without a key.
    copies: copies::Copies,
    fill: Fill,
    span: Span,
}

impl Loading<'_> {
    /// Takes messages until there are no more, or someone asks to end.
    pub(crate) async fn drain(
        &mut self,
        mut inbox: mpsc::Receiver<Envelope>,
        ledger: &mut Ledger,
        progress: &mut Progress,
    ) -> Result<End> {
        let (mut stopping, stop) = (false, self.stop);
        loop {
            if stopping && (self.load.is_none() || self.may_commit()) {
                self.commit(ledger, progress).await?;
                return Ok(End::Asked);
            }
            let deadline = self.deadline();
            let wait = async {
                match deadline {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = stop.asked(), if !stopping => stopping = true,
                envelope = inbox.recv() => match envelope {
                    Some(envelope) => self.take(envelope, ledger, progress).await?,
                    None => return Ok(End::Source),
                },
                () = wait, if self.load.is_none() || self.may_commit() => {
                    self.open().await?;
                    self.commit(ledger, progress).await?;
                }
            }
        }
    }

    /// When there must be a commit because of age alone.
    fn deadline(&self) -> Option<Instant> {
        match &self.load {
            Some(open) => open.fill.deadline(),
            None => {
                let age = self.connection.options.flush.age;
                let ages = if self.has_complete() { 1 } else { IDLE_AGES };
                self.moved.map(|since| since + age * ages)
            }
        }
    }

    async fn take(
        &mut self,
        envelope: Envelope,
        ledger: &mut Ledger,
        progress: &mut Progress,
    ) -> Result<()> {
        let bytes = envelope.bytes as u64;
        match envelope.message {
            Message::Rows { stream, rows } => self.rows(&stream, rows, bytes, ledger).await,
            Message::Truncate {
                stream,
                kind,
                positions,
            } => self.truncate(&stream, kind, positions).await,
            Message::Clear { stream, of } => self.clear(&stream, &of).await,
            Message::Generation { stream, positions } => self.generation(&stream, positions).await,
            Message::Rejected(rejections) => self.rejected(rejections).await,
            Message::Checkpoint(checkpoint) => self.checkpoint(checkpoint, ledger, progress).await,
            Message::Phase { stream, phase } => {
                ledger.phase(&stream, phase);
                self.phases.insert(stream.clone(), phase);
                match phase {
                    Phase::Streaming => self.all_sent(&stream),
                    _ => self.begins_again(&stream),
                }
                self.observer.notice(&Event::Phase {
                    stream: &stream,
                    phase,
                });
                Ok(())
            }
            Message::Failed { stream, error } => {
                self.not_all_sent(&stream);
                self.fail(&stream, &error, ledger);
                self.do_without(&stream, ledger)
            }
            Message::Complete { as_of } => {
                self.complete = Some(as_of);
                if self.load.is_none() {
                    self.tell_complete();
                }
                Ok(())
            }
        }
    }

    async fn checkpoint(
        &mut self,
        checkpoint: Checkpoint,
        ledger: &mut Ledger,
        progress: &mut Progress,
    ) -> Result<()> {
        let scope = checkpoint.scope.clone();
        if let Scope::Stream(stream) = &scope
            && self.dropped.contains(stream)
        {
            return Ok(());
        }
        self.state.advance(checkpoint);
        let Some(open) = &mut self.load else {
            if self.state != self.stored {
                self.moved.get_or_insert_with(Instant::now);
            }
            return Ok(());
        };
        open.fill.cover(&scope, Instant::now());
        let is_full = open.fill.is_full(Instant::now());
        if (is_full || self.has_too_many()) && self.may_commit() {
            self.commit(ledger, progress).await?;
        }
        Ok(())
    }

    /// Gives up a stream whose rows can't be kept as asked. Rows of it are dropped from here on, so
    /// its own cursor stays, and beside a shared one, which moves on, it is forgotten.
    fn drop_stream(&mut self, stream: &StreamName, error: &Error, ledger: &mut Ledger) {
        if self.state.shared.is_some() {
            self.state.streams.remove(stream);
        }
        self.dropped.insert(stream.clone());
        self.not_all_sent(stream);
        self.fail(stream, error, ledger);
    }

    /// A stream that has failed sends no cursor any more. Where rows of it wait for one, the load
    /// could never commit, and must not with them in it: it is void, and reading begins again from
    /// the last one without the stream. // G2
    fn do_without(&self, stream: &StreamName, ledger: &mut Ledger) -> Result<()> {
        let waits = |open: &Open| open.fill.waits_for(stream);
        if self.state.shared.is_some() || !self.load.as_ref().is_some_and(waits) {
            return Ok(());
        }
        ledger.leave_out(stream);
        Err(Error::new(
            ErrorKind::Unavailable,
            format!("{stream} failed with rows that no cursor covers"),
        ))
    }

    fn fail(&self, stream: &StreamName, error: &Error, ledger: &mut Ledger) {
        self.observer.notice(&Event::StreamFailed { stream, error });
        ledger.fail(stream, error);
    }

    fn may_commit(&self) -> bool {
        self.load
            .as_ref()
            .is_some_and(|open| open.fill.is_covered())
    }
}
