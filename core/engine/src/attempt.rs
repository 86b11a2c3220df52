//! One attempt: from the stored state to the end of what the source has, in loads.
//!
//! The order is the guarantee, and stands in [`Loading::commit`]: rows and state commit in one
//! step in the destination (G1, G2); only what has committed is counted and told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tributary_model::{
    AnyLoad, AnyOutput, Change, ChangeBatch, Checkpoint, Commit, Envelope, Error, ErrorKind,
    Existing, Fence, LoadPlan, Message, Positions, ReadRequest, Rejection, Result, Rows, Scope,
    State, Stream, StreamCount, StreamName, TruncateKind, failpoint, now,
};

use crate::connection::{Connection, SyncRequest};
use crate::flush::Fill;
use crate::ledger::{InDoubt, Ledger, add};
use crate::normalize::{Table, json_columns};
use crate::observer::{Event, Observer};
use crate::plan::{missing, not_there, selected, table_of, tables};

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
}

impl Attempt<'_> {
    /// Reads and loads until the source has sent all there is.
    pub(crate) async fn run(&self, ledger: &mut Ledger, progress: &mut Progress) -> Result<()> {
        ledger.try_all();
        let name = &self.connection.options.name;
        let (mut state, fence) = self.connection.destination.open(name).await?;
        if ledger.settle(fence.last_load.as_deref()) {
            progress.refresh = false;
        }
        let stored = state.clone();
        let streams = selected(self.connection, self.request, &state).await?;
        forget(&mut state, &streams, self.request, progress);
        let (mut loading, streams) = self.prepare(ledger, streams, stored, state, fence).await?;
        let (output, inbox) = AnyOutput::new(self.connection.options.memory / PIPE_SHARE);
        let reading = self.read(streams, loading.state.clone(), output);
        let outcome = loading.drain(inbox, ledger, progress).await;
        finish(reading, outcome).await?;
        loading.finish(ledger, progress).await
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
        Reading(tokio::spawn(async move {
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
        }))
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
}

/// The load in progress.
struct Open {
    load: Box<dyn AnyLoad>,
    plan: LoadPlan,
    counts: BTreeMap<StreamName, StreamCount>,
    fill: Fill,
}

impl Loading<'_> {
    async fn drain(
        &mut self,
        mut inbox: mpsc::Receiver<Envelope>,
        ledger: &mut Ledger,
        progress: &mut Progress,
    ) -> Result<()> {
        loop {
            let deadline = self.load.as_ref().and_then(|open| open.fill.deadline());
            let wait = async {
                match deadline {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                envelope = inbox.recv() => match envelope {
                    Some(envelope) => self.take(envelope, ledger, progress).await?,
                    None => return Ok(()),
                },
                () = wait, if self.may_commit() => self.commit(ledger, progress).await?,
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
            let load = self
                .connection
                .destination
                .begin(&plan, &self.fence)
                .await?;
            let fill = Fill::new(self.connection.options.flush);
            self.load = Some(Open {
                load,
                plan,
                counts: BTreeMap::new(),
                fill,
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
            counts: counts.clone(),
        });
        let receipt = load.commit(&commit).await?; // 1. rows and state, in one step // G1 G2
        failpoint::reach("engine.after_commit")?;
        ledger.in_doubt = None;
        self.fence = receipt.fence;
        self.stored = commit.state; // 2. what the next load starts from // G3
        self.has_work = false;
        progress.refresh = false;
        for (stream, rows) in receipt.rejected {
            let count = counts.entry(stream).or_default();
            count.rows_rejected += rows;
            count.rows_written = count.rows_written.saturating_sub(rows);
        }
        ledger.book(&counts); // 3. the counters
        let rows = counts.values().map(|count| count.rows_read).sum();
        let took = begun.elapsed();
        tracing::debug!(load_id = plan.load_id, rows, "committed");
        self.observer.notice(&Event::Committed {
            rows,
            load_id: &plan.load_id,
            took,
        });
        Ok(())
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
