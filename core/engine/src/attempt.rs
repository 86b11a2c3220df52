//! One attempt: from the stored state to the end of what the source has, in loads.
//!
//! Here is what comes before the first row: the stored state, the streams, their tables. Reading and
//! [`Loading`] then go on side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::task::JoinHandle;
use tracing::Instrument;
use tributary_model::{
    AnyOutput, Error, Existing, Fence, LoadRecord, ReadRequest, Remembered, Result, State, Stream,
    StreamName, TableColumn, TableName, Until,
};

use crate::beside::{self, Beside, Way};
use crate::connection::{Connection, SyncRequest};
use crate::forget::{forget, forget_gone, forget_moved};
use crate::ledger::Ledger;
use crate::loading::Loading;
use crate::normalize::Table;
use crate::observer::{Event, Observer};
use crate::plan::{
    is_void, known, missing, not_there, selected, table_of, tables, was_of_another, ways,
};
use crate::spans;
use crate::stop::Stop;
use crate::unexpected::{self, Unexpected};

/// What one attempt hands to the next.
#[derive(Debug)]
pub(crate) struct Progress {
    /// Whether cursors are still to be forgotten, as `--full-refresh` asks: until the first commit.
    pub(crate) refresh: bool,
    /// Whether a load of this run has committed.
    pub(crate) has_committed: bool,
}

/// What an attempt begins with.
struct Begun {
    stored: State,
    state: State,
    fence: Fence,
    existing: Existing,
    ways: BTreeMap<StreamName, Way>,
    void: BTreeSet<StreamName>,
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
        let last = self.last_load(ledger, &fence).await?;
        if let Some(settled) = ledger.settle(fence.last_load.as_deref(), last.as_ref()) {
            progress.refresh = false;
            progress.has_committed = true;
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
        forget_moved(&mut state, &streams, self.connection);
        let known = known(self.connection, &streams).await?;
        let gone = forget_gone(&mut state, &streams, self.connection, &known);
        let ways = ways(
            self.connection,
            self.request,
            progress,
            &streams,
            &state,
            &known,
        );
        let void = self.void(&streams, &state, &known, progress);
        forget(&mut state, &streams, self.request, progress);
        beside::forget(&mut state, &ways);
        let begun = Begun {
            stored,
            state,
            fence,
            existing: known,
            ways,
            void,
        };
        let (mut loading, streams) = self.prepare(ledger, streams, begun);
        for (stream, table) in &gone {
            let what = format!("{table} is not there any more: it is made again, and read anew");
            unexpected::warn(self, ledger, stream, what);
        }
        let unexpected = Unexpected::new(&streams, &loading.state, loading.fence.epoch);
        if self.request.until == Until::Stopped {
            unexpected::tell_mixed(self, &loading, ledger);
        }
        let (output, inbox) = AnyOutput::new(self.connection.options.memory / PIPE_SHARE);
        let reading = self.read(streams, loading.state.clone(), output);
        let outcome = loading.drain(inbox, ledger, progress).await;
        match &outcome {
            Ok(End::Asked) => return outcome,
            Ok(End::Source) => {}
            Err(error) => loading.leave_out_misfits(error, ledger),
        }
        finish(reading, outcome.map(drop)).await?;
        unexpected::tell_mixed(self, &loading, ledger);
        loading.finish(ledger, progress).await?;
        unexpected.tell(self, ledger).await;
        Ok(End::Source)
    }

    /// Streams whose tables have nothing that a new copy would not bring: those that are not there,
    /// those whose copy is not complete, and those that the user wants to be copied anew.
    fn void(
        &self,
        streams: &[Stream],
        state: &State,
        existing: &Existing,
        progress: &Progress,
    ) -> BTreeSet<StreamName> {
        let names = || streams.iter().map(|stream| &stream.name);
        let capabilities = self.connection.destination.capabilities();
        let is_void = |stream: &&StreamName| {
            let table = table_of(self.connection, stream);
            let is_refreshed = progress.refresh && self.request.asks_for(stream);
            is_refreshed
                || !existing.contains_key(&table)
                || is_void(state, stream, &table)
                || was_of_another(state, names(), stream, (&table, &capabilities))
        };
        names().filter(is_void).cloned().collect()
    }

    /// The record of the load that was the last, where it may be the one in doubt.
    async fn last_load(&self, ledger: &Ledger, fence: &Fence) -> Result<Option<LoadRecord>> {
        let doubt = ledger.in_doubt.as_ref().map(|doubt| doubt.load_id.as_str());
        if doubt.is_none() || doubt != fence.last_load.as_deref() {
            return Ok(None);
        }
        let name = &self.connection.options.name;
        let loads = self.connection.destination.loads(name, 1).await?;
        Ok(loads.into_iter().next())
    }

    /// Decides about the tables; streams that can't be kept as asked fail here, alone.
    fn prepare(
        &self,
        ledger: &mut Ledger,
        streams: Vec<Stream>,
        begun: Begun,
    ) -> (Loading<'_>, Vec<Stream>) {
        let Begun {
            stored,
            mut state,
            fence,
            existing,
            ways,
            void,
        } = begun;
        self.note_missing(ledger, &streams);
        let mut kept = self.decide(ledger, &streams, &existing, &ways, &state.tables);
        let streams: Vec<_> = streams
            .into_iter()
            .filter(|stream| kept.contains_key(&stream.name))
            .collect();
        if state.shared.is_some() {
            // As for streams that were left out: the shared cursor moves on without them.
            state.streams.retain(|name, _| kept.contains_key(name));
        }
        let beside = self.begin_beside(&mut kept, ways);
        let is_direct = |stream: &StreamName| !beside.contains_key(stream);
        let has_work = kept
            .iter()
            .any(|(stream, table)| is_direct(stream) && is_missing(table, &existing));
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
            failed: BTreeSet::new(),
            moved: None,
            complete: None,
            layouts: layouts(existing),
            beside,
            void,
            misfits: Vec::new(),
            phases: BTreeMap::new(),
            stop: self.stop,
            until: self.request.until,
        };
        (loading, streams)
    }

    /// Leads the rows of streams that are built beside their tables there, and says so.
    fn begin_beside(
        &self,
        tables: &mut BTreeMap<StreamName, Table>,
        ways: BTreeMap<StreamName, Way>,
    ) -> BTreeMap<StreamName, Beside> {
        let capabilities = self.connection.destination.capabilities();
        let mut building = BTreeMap::new();
        for (stream, way) in ways {
            let (Way::GoOn(beside) | Way::Anew(beside)) = way else {
                continue;
            };
            let Some(table) = tables.get_mut(&stream) else {
                continue;
            };
            if let Some(said) = beside.says(table.plan().mode) {
                tracing::warn!(%stream, "{}: {said}", beside.live);
            }
            table.move_to(beside::next_to(&beside.live, &capabilities));
            building.insert(stream, beside);
        }
        building
    }

    /// The tables of the streams; one that can't be kept as asked fails alone.
    fn decide(
        &self,
        ledger: &mut Ledger,
        streams: &[Stream],
        existing: &Existing,
        ways: &BTreeMap<StreamName, Way>,
        remembered: &BTreeMap<StreamName, Remembered>,
    ) -> BTreeMap<StreamName, Table> {
        let mut decided = tables(self.connection, streams, existing, ways, remembered);
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

/// Says which columns of the source a table's columns come from.
pub(crate) fn tell_layout(observer: &dyn Observer, stream: &StreamName, table: &Table) {
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
    let existing = existing.get(&table.plan().table).map(Vec::as_slice);
    !table.is_provisional() && table.differs_from(existing)
}
