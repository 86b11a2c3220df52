//! One attempt: from the stored state to the end of what the source has, in loads.
//!
//! The order is the guarantee, and stands in [`Loading::commit`]: rows and state commit in one
//! step in the destination (G1, G2); only what has committed is counted and told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::{Instrument, Span};
use tributary_model::{
    AnyLoad, AnyOutput, Change, ChangeBatch, Checkpoint, Commit, Deletes, Envelope, Error,
    ErrorKind, Existing, Fence, LoadPlan, Message, Mode, Positions, ReadRequest, Rejection, Result,
    Rows, Scope, State, Stream, StreamCount, StreamName, TableColumn, TableName, TruncateKind,
    Until, failpoint, now,
};

use crate::changes;
use crate::connection::{Connection, SyncRequest};
use crate::flush::Fill;
use crate::ledger::{InDoubt, Ledger, add};
use crate::normalize::{Table, json_columns};
use crate::observer::{Event, Observer};
use crate::plan::{missing, not_there, selected, table_of, tables};
use crate::spans;
use crate::stop::{Hold, Stop};

/// What one attempt hands to the next.
#[derive(Debug)]
pub(crate) struct Progress {
    /// Whether cursors are still to be forgotten, as `--full-refresh` asks: until the first commit.
    pub(crate) refresh: bool,
}

/// One attempt.
pub(crate) struct Attempt<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) request: &'a SyncRequest,
    pub(crate) observer: &'a dyn Observer,
    pub(crate) stop: &'a Stop,
}

/// Why an attempt ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The source has sent all there is.
    Source,
    /// It was asked to, and has committed what was complete.
    Asked,
}

impl Attempt<'_> {
    /// Reads and loads until the source has sent all there is, or someone asks it to end.
    pub(crate) async fn run(&self, ledger: &mut Ledger, progress: &mut Progress) -> Result<End> {
        ledger.try_all();
        let name = &self.connection.options.name;
        let (mut state, fence) = self.connection.destination.open(name).await?;
        spans::enter(&fence);
        if let Some(settled) = ledger.settle(fence.last_load.as_deref()) {
            progress.refresh = false;
            self.observer.notice(&Event::Committed {
                rows: settled.counts.values().map(|count| count.rows_read).sum(),
                load_id: &settled.load_id,
                took: Duration::ZERO,
                started_at: settled.started_at,
                streams: &settled.counts,
                state: &state,
            });
        }
        let stored = state.clone();
        let streams = selected(self.connection, self.request, &state).await?;
        forget(&mut state, &streams, self.request, progress);
        let (mut loading, streams) = self.prepare(ledger, streams, stored, state, fence).await?;
        let (output, inbox) = AnyOutput::new(self.connection.options.memory / PIPE_SHARE);
        let reading = self.read(streams, loading.state.clone(), output);
        let outcome = loading.drain(inbox, ledger, progress).await;
        if matches!(outcome, Ok(End::Asked)) {
            return outcome;
        }
        finish(reading, outcome.map(drop)).await?;
        loading.finish(ledger, progress).await?;
        Ok(End::Source)
    }

    /// Decides about the tables; streams that can't be kept as asked fail here, alone.
    async fn prepare(
        &self,
        ledger: &mut Ledger,
        streams: Vec<Stream>,
        stored: State,
        mut state: State,
        fence: Fence,
    ) -> Result<(Loading<'_>, Vec<Stream>)> {
        let tables: Vec<_> = streams
            .iter()
            .map(|stream| table_of(self.connection, &stream.name))
            .collect();
        let existing = self.connection.destination.describe(&tables).await?;
        self.note_missing(ledger, &streams);
        let kept = self.decide(ledger, &streams, &existing);
        let streams: Vec<_> = streams
            .into_iter()
            .filter(|stream| kept.contains_key(&stream.name))
            .collect();
        if state.shared.is_some() {
            // As for streams that were left out: the shared cursor moves on without them.
            state.streams.retain(|name, _| kept.contains_key(name));
        }
        let has_work = kept.values().any(|table| is_missing(table, &existing));
        let loading = Loading {
            connection: self.connection,
            observer: self.observer,
            declared: streams
                .iter()
                .map(|s| (s.name.clone(), s.schema.clone()))
                .collect(),
            tables: kept,
            fence,
            state,
            stored,
            load: None,
            has_work,
            dropped: BTreeSet::new(),
            moved: None,
            complete: None,
            layouts: layouts(existing),
            stop: self.stop,
            until: self.request.until,
        };
        Ok((loading, streams))
    }

    /// The tables of the streams; one that can't be kept as asked fails alone.
    fn decide(
        &self,
        ledger: &mut Ledger,
        streams: &[Stream],
        existing: &Existing,
    ) -> BTreeMap<StreamName, Table> {
        let mut decided = tables(self.connection, streams, existing);
        let mut kept = BTreeMap::new();
        for stream in streams {
            ledger.enter(&stream.name, &table_of(self.connection, &stream.name));
            if ledger.is_left_out(&stream.name) {
                continue;
            }
            match decided.remove(&stream.name) {
                Some(Ok(table)) => {
                    let estimated_rows = stream.estimated_rows;
                    self.observer.notice(&Event::Stream {
                        stream: &stream.name,
                        estimated_rows,
                    });
                    tell_layout(self.observer, &stream.name, &table);
                    kept.insert(stream.name.clone(), table);
                }
                Some(Err(error)) => self.fail(ledger, &stream.name, &error),
                None => {}
            }
        }
        kept
    }

    /// A stream that was asked for by name and is not there fails: zero rows are not what was meant.
    fn note_missing(&self, ledger: &mut Ledger, streams: &[Stream]) {
        for stream in missing(&self.connection.options, self.request, streams) {
            ledger.enter(&stream, &table_of(self.connection, &stream));
            self.fail(ledger, &stream, &not_there(&stream));
        }
    }

    fn fail(&self, ledger: &mut Ledger, stream: &StreamName, error: &Error) {
        self.observer.notice(&Event::StreamFailed { stream, error });
        ledger.fail(stream, error);
    }

    /// Starts the source in a task of its own, so that reading and loading go on side by side.
    fn read(&self, streams: Vec<Stream>, state: State, output: AnyOutput) -> Reading {
        let source = self.connection.source.clone();
        let until = self.request.until;
        let reading = async move {
            if streams.is_empty() {
                return Ok(());
            }
            source
                .read(
                    ReadRequest {
                        streams: &streams,
                        state: &state,
                        until,
                    },
                    output,
                )
                .await
        };
        Reading(tokio::spawn(reading.in_current_span()))
    }
}

/// The share of the memory limit that rows in flight may take.
const PIPE_SHARE: usize = 32;

/// The source's task; ends with its owner.
struct Reading(JoinHandle<Result<()>>);

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The error that counts: the loading's own, else the source's.
async fn finish(mut reading: Reading, outcome: Result<()>) -> Result<()> {
    outcome?;
    match (&mut reading.0).await {
        Ok(result) => result,
        Err(stopped) => Err(Error::bug("the source connector broke down").because(stopped)),
    }
}

fn tell_layout(observer: &dyn Observer, stream: &StreamName, table: &Table) {
    observer.notice(&Event::Layout {
        stream,
        table: &table.plan().table,
        columns: &table.origins(),
    });
}

fn layouts(existing: Existing) -> BTreeMap<TableName, Vec<TableColumn>> {
    existing.into_iter().collect()
}

fn is_missing(table: &Table, existing: &Existing) -> bool {
    table.differs_from(existing.get(&table.plan().table).map(Vec::as_slice))
}

/// Forgets cursors that must not be gone on from.
fn forget(state: &mut State, streams: &[Stream], request: &SyncRequest, progress: &Progress) {
    // A stream that was left out for a while has missed changes of the shared log: were its old
    // cursor kept, it would silently go on without them.
    if state.shared.is_some() {
        state
            .streams
            .retain(|name, _| streams.iter().any(|stream| stream.name == *name));
    }
    if progress.refresh {
        state.streams.retain(|name, _| !request.asks_for(name));
        // With no stream left that depends on it, a position that may be gone is not needed either.
        if state.streams.is_empty() {
            state.shared = None;
        }
    }
}

/// Takes the source's messages and turns them into loads.
struct Loading<'a> {
    connection: &'a Connection,
    observer: &'a dyn Observer,
    declared: BTreeMap<StreamName, tributary_model::StreamSchema>,
    tables: BTreeMap<StreamName, Table>,
    fence: Fence,
    /// What is true once the load in progress has committed.
    state: State,
    /// What is true in the destination now.
    stored: State,
    load: Option<Open>,
    /// Whether a table lacks something even if no row comes.
    has_work: bool,
    /// Streams that were given up here; their sources still send.
    dropped: BTreeSet<StreamName>,
    /// Since when the state is ahead of the stored one without a load to commit it.
    moved: Option<Instant>,
    /// With the load in progress, everything that the source had then is in the destination.
    complete: Option<DateTime<Utc>>,
    /// The columns that the tables have, those aside that are not there yet.
    layouts: BTreeMap<TableName, Vec<TableColumn>>,
    stop: &'a Stop,
    until: Until,
}

/// A cursor that moves while no rows come is stored once in so many ages of a load: often enough
/// that a log is not purged behind it, seldom enough that nobody minds the loads. // G6
const IDLE_AGES: u32 = 6;

/// The load in progress.
struct Open {
    _hold: Hold,
    load: Box<dyn AnyLoad>,
    plan: LoadPlan,
    counts: BTreeMap<StreamName, StreamCount>,
    fill: Fill,
    span: Span,
}

impl Loading<'_> {
    async fn drain(
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
                self.moved.map(|since| since + age * IDLE_AGES)
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
            Message::Generation { stream, positions } => {
                let kind = self.kind_of_generation(&stream)?;
                self.truncate(&stream, kind, positions).await
            }
            Message::Rejected(rejections) => self.rejected(rejections).await,
            Message::Checkpoint(checkpoint) => self.checkpoint(checkpoint, ledger, progress).await,
            Message::Phase { stream, phase } => {
                ledger.phase(&stream, phase);
                self.observer.notice(&Event::Phase {
                    stream: &stream,
                    phase,
                });
                Ok(())
            }
            Message::Failed { stream, error } => {
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

    async fn rows(
        &mut self,
        stream: &StreamName,
        rows: Rows,
        bytes: u64,
        ledger: &mut Ledger,
    ) -> Result<()> {
        if self.dropped.contains(stream) {
            return Ok(()); // its cursor does not move any more
        }
        let batch = self.columns(stream, rows)?;
        let table = self.tables.get_mut(stream).ok_or_else(|| unknown(stream))?;
        let shaped = match table.shape(&batch) {
            Ok(shaped) => shaped,
            Err(error) if concerns_one_stream(error.kind()) => {
                self.drop_stream(stream, &error, ledger);
                return self.do_without(stream, ledger);
            }
            Err(error) => return Err(error),
        };
        let count = shaped.rows.num_rows() as u64;
        self.observer.notice(&Event::Read {
            stream,
            rows: count,
            bytes,
        });
        let open = self.open().await?;
        open.load.write(Change::Rows(shaped)).await?;
        open.fill.add(stream, count, bytes, Instant::now());
        let more = StreamCount {
            rows_read: count,
            rows_written: count,
            rows_rejected: 0,
            bytes_read: bytes,
        };
        add(open.counts.entry(stream.clone()).or_default(), &more);
        Ok(())
    }

    fn columns(&self, stream: &StreamName, rows: Rows) -> Result<ChangeBatch> {
        match rows {
            Rows::Arrow(batch) => Ok(batch),
            Rows::Json(rows) => {
                let declared = self.declared.get(stream).ok_or_else(|| unknown(stream))?;
                json_columns(&rows, declared)
            }
        }
    }

    async fn truncate(
        &mut self,
        stream: &StreamName,
        kind: TruncateKind,
        positions: Positions,
    ) -> Result<()> {
        if self.dropped.contains(stream) {
            return Ok(()); // its rows would not come after it
        }
        let table = self.tables.get(stream).ok_or_else(|| unknown(stream))?;
        let plan = table.plan().clone();
        let marker = match kind {
            TruncateKind::Change => table.truncate_row(positions)?,
            TruncateKind::Restart => None,
        };
        let open = self.open().await?;
        open.fill.add(stream, 0, 0, Instant::now());
        match marker {
            Some(marker) => open.load.write(Change::Rows(marker)).await,
            None => open.load.write(Change::Truncate { plan, kind }).await,
        }
    }

    async fn clear(&mut self, stream: &StreamName, of: &ChangeBatch) -> Result<()> {
        if self.dropped.contains(stream) {
            return Ok(()); // the rows that are there instead would not come after it
        }
        let table = self.tables.get(stream).ok_or_else(|| unknown(stream))?;
        let Some(change) = table.clear(of)? else {
            return Ok(());
        };
        let open = self.open().await?;
        open.fill.add(stream, 0, 0, Instant::now());
        open.load.write(change).await
    }

    /// What a new generation does to the rows of earlier ones.
    fn kind_of_generation(&self, stream: &StreamName) -> Result<TruncateKind> {
        let plan = self
            .tables
            .get(stream)
            .ok_or_else(|| unknown(stream))?
            .plan();
        Ok(match (plan.mode, plan.deletes) {
            (Mode::Append | Mode::History, _) | (Mode::Merge, Deletes::Ignore) => {
                TruncateKind::Change
            }
            (Mode::Merge, Deletes::Soft | Deletes::Hard) | (Mode::Replace, _) => {
                TruncateKind::Restart
            }
        })
    }

    async fn rejected(&mut self, rejections: Vec<Rejection>) -> Result<()> {
        let open = self.open().await?;
        for rejection in &rejections {
            open.fill.add(&rejection.stream, 1, 0, Instant::now());
            let count = open.counts.entry(rejection.stream.clone()).or_default();
            count.rows_read += 1;
            count.rows_rejected += 1;
        }
        open.load.write(Change::Rejected(rejections)).await
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
        if open.fill.is_full(Instant::now()) && self.may_commit() {
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

    /// The load in progress; begins one where there is none.
    async fn open(&mut self) -> Result<&mut Open> {
        if self.load.is_none() {
            let plan = LoadPlan {
                connection: self.connection.options.name.clone(),
                load_id: new_load_id(&self.fence),
                started_at: now(),
                tables: self
                    .tables
                    .values()
                    .map(|table| Arc::clone(table.plan()))
                    .collect(),
            };
            failpoint::reach("engine.before_begin")?;
            let span = spans::load(&self.fence, &plan.load_id, self.until);
            let load = self
                .connection
                .destination
                .begin(&plan, &self.fence)
                .instrument(span.clone())
                .await?;
            let fill = Fill::new(self.connection.options.flush);
            self.load = Some(Open {
                _hold: self.stop.hold(),
                load,
                plan,
                counts: BTreeMap::new(),
                fill,
                span,
            });
        }
        self.load
            .as_mut()
            .ok_or_else(|| Error::bug("a load was begun and is not there"))
    }

    /// Commits what is left, where there is anything: rows, a moved cursor or a table to make.
    async fn finish(mut self, ledger: &mut Ledger, progress: &mut Progress) -> Result<()> {
        if self.load.is_none() && !self.has_work && self.state == self.stored {
            return Ok(());
        }
        let open = self.open().await?;
        if !open.fill.is_covered() {
            return Err(Error::bug(
                "the source ended without a checkpoint for its last rows",
            ));
        }
        self.commit(ledger, progress).await
    }

    /// The commit protocol: data, then state, then whoever is told.
    async fn commit(&mut self, ledger: &mut Ledger, progress: &mut Progress) -> Result<()> {
        let Some(Open {
            load,
            plan,
            mut counts,
            _hold,
            span,
            ..
        }) = self.load.take()
        else {
            return Ok(());
        };
        let begun = Instant::now();
        let commit = Commit {
            state: self.state.clone(),
            before: self.stored.clone(),
            streams: counts.clone(),
            committed_at: now(),
        };
        failpoint::reach("engine.before_commit")?;
        // Until the reply is here nobody knows how it ended; `open` will tell.
        let load_id = plan.load_id.clone();
        ledger.in_doubt = Some(InDoubt {
            load_id,
            started_at: plan.started_at,
            counts: counts.clone(),
        });
        let committing = load.commit(&commit).instrument(span.clone());
        let receipt = committing.await?; // 1. rows and state, in one step // G1 G2
        failpoint::reach("engine.after_commit")?;
        ledger.in_doubt = None;
        self.fence = receipt.fence;
        self.stored = commit.state; // 2. what the next load starts from // G3
        self.has_work = false;
        self.moved = None;
        progress.refresh = false;
        for (stream, rows) in receipt.rejected {
            let count = counts.entry(stream).or_default();
            count.rows_rejected += rows;
            count.rows_written = count.rows_written.saturating_sub(rows);
        }
        ledger.book(&counts); // 3. the counters
        let rows: u64 = counts.values().map(|count| count.rows_read).sum();
        let took = begun.elapsed();
        span.record("rows", rows);
        tracing::debug!(load_id = plan.load_id, rows, "committed");
        self.observer.notice(&Event::Committed {
            rows,
            load_id: &plan.load_id,
            took,
            started_at: plan.started_at,
            streams: &counts,
            state: &self.stored,
        });
        self.tell_layouts();
        self.tell_complete();
        Ok(())
    }

    /// Says up to when the destination is complete, where the source has said so.
    fn tell_complete(&mut self) {
        if let Some(as_of) = self.complete.take() {
            self.observer.notice(&Event::Complete { as_of });
        }
    }

    /// Says how the load that has committed changed tables that were there.
    fn tell_layouts(&mut self) {
        for (stream, table) in &self.tables {
            let plan = table.plan();
            let before = self.layouts.get(&plan.table);
            if before.is_some_and(|columns| *columns == plan.columns) {
                continue;
            }
            tell_layout(self.observer, stream, table);
            for what in before
                .into_iter()
                .flat_map(|old| changes::between(old, plan))
            {
                self.observer.notice(&Event::SchemaChanged {
                    stream,
                    what: &what,
                });
            }
            self.layouts
                .insert(plan.table.clone(), plan.columns.clone());
        }
    }
}

/// A name for a load that no other load has: time, epoch, and a counter of this process.
fn new_load_id(fence: &Fence) -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    format!(
        "{}-{}-{count}",
        now().format("%Y%m%dT%H%M%S%.6f"),
        fence.epoch
    )
}

fn concerns_one_stream(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Incompatible | ErrorKind::Config | ErrorKind::Rejected
    )
}

fn unknown(stream: &StreamName) -> Error {
    Error::bug(format!(
        "the source sent something of {stream}, which was not asked for"
    ))
}
