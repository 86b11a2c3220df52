//! Watches a run and writes down what happens: on the board, in the metrics, on the bus.
//!
//! Invariant: `tributary_records_written_total` moves only when the engine says that a load is
//! durable.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tributary_engine::{Event, Observer};
use tributary_model::{Error, Phase, State, StreamCount, StreamName, now};

use crate::bus::Notice;
use crate::ends::Job;
use crate::metrics::Counter;
use crate::shared::Shared;
use crate::view::{
    ConnectionView, ErrorView, LoadView, RunRecord, SchemaChange, StreamPhase, complete, remember,
};

/// The shortest time between two notices that say nothing but "changed".
const PAUSE: Duration = Duration::from_millis(500);

/// Watches one run of a connection.
pub(crate) struct Recorder {
    shared: Arc<Shared>,
    connection: Arc<str>,
    /// The kind of its source.
    kind: String,
    live: Mutex<Live>,
}

/// What has happened so far.
struct Live {
    run: RunRecord,
    /// Rows that each copy has read.
    copied: BTreeMap<StreamName, u64>,
    copying: BTreeMap<StreamName, Phase>,
    told: Instant,
}

impl Recorder {
    pub(crate) fn new(shared: Arc<Shared>, job: &Job, run: RunRecord) -> Self {
        Self {
            shared,
            connection: job.name().into(),
            kind: job.source.kind.clone(),
            live: Mutex::new(Live {
                run,
                copied: BTreeMap::new(),
                copying: BTreeMap::new(),
                told: Instant::now(),
            }),
        }
    }

    /// The run as it is now.
    pub(crate) fn run(&self) -> RunRecord {
        self.with(|live| live.run.clone())
    }

    fn with<T>(&self, see: impl FnOnce(&mut Live) -> T) -> T {
        see(&mut self.live.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn update(&self, change: impl FnOnce(&mut ConnectionView)) {
        self.shared.board.update(&self.connection, change);
    }

    fn tell_changed(&self) {
        let connection = self.connection.clone();
        self.shared.bus.tell(Notice::Changed { connection });
    }

    fn count(&self, counter: Counter, stream: &StreamName, by: u64) {
        let stream = stream.to_string();
        let labels = [("connection", &*self.connection), ("stream", &stream)];
        self.shared.metrics.add(counter, &labels, by as f64);
    }

    fn stream(&self, stream: &StreamName, estimated_rows: Option<u64>) {
        let name = stream.to_string();
        self.shared.metrics.know_stream(&self.connection, &name);
        self.update(|view| {
            let stream = view.stream_mut(&name);
            stream.snapshot_rows_estimate = estimated_rows;
            stream.error = None;
            stream.warnings.clear();
        });
    }

    fn warned(&self, stream: &StreamName, what: &str) {
        self.update(|view| {
            let warnings = &mut view.stream_mut(&stream.to_string()).warnings;
            if !warnings.iter().any(|known| known == what) {
                warnings.push(what.to_owned());
            }
        });
        self.tell_changed();
    }

    fn phase(&self, stream: &StreamName, phase: Phase) {
        let before = self.with(|live| live.copying.insert(stream.clone(), phase));
        let begins = phase == Phase::Snapshot && before != Some(Phase::Snapshot);
        self.update(|view| {
            let view = view.stream_mut(&stream.to_string());
            view.phase = Some(StreamPhase::from(phase));
            if begins {
                view.snapshot_rows_done = Some(0);
            }
        });
        self.tell_changed();
    }

    fn read(&self, stream: &StreamName, rows: u64, bytes: u64) {
        self.count(Counter::RecordsRead, stream, rows);
        self.count(Counter::BytesRead, stream, bytes);
        let copied = self.with(|live| {
            live.run.records_read += rows;
            live.run.bytes_read += bytes;
            let copies = live.copying.get(stream) == Some(&Phase::Snapshot);
            if copies {
                *live.copied.entry(stream.clone()).or_default() += rows;
            }
            let is_time = live.told.elapsed() >= PAUSE;
            if is_time {
                live.told = Instant::now();
            }
            is_time.then(|| (live.copied.clone(), live.run.clone()))
        });
        if let Some((copied, run)) = copied {
            self.show(&copied, &run);
        }
    }

    fn show(&self, copied: &BTreeMap<StreamName, u64>, run: &RunRecord) {
        self.update(|view| {
            for (stream, rows) in copied {
                view.stream_mut(&stream.to_string()).snapshot_rows_done = Some(*rows);
            }
            view.run = Some(run.clone());
        });
        self.tell_changed();
    }

    fn committed(
        &self,
        load: LoadView,
        streams: &BTreeMap<StreamName, StreamCount>,
        state: &State,
    ) {
        for (stream, count) in streams {
            self.count(Counter::RecordsWritten, stream, count.rows_written);
            self.count(Counter::RecordsRejected, stream, count.rows_rejected);
        }
        let written: u64 = streams.values().map(|count| count.rows_written).sum();
        let (copied, run) = self.with(|live| {
            live.run.loads += 1;
            live.run.records_written += written;
            live.run.records_rejected += load.records_rejected;
            (live.copied.clone(), live.run.clone())
        });
        let words = positions(&self.shared, &self.kind, state);
        self.update(|view| {
            view.last_commit_at = Some(load.committed_at);
            view.rows.add(load.committed_at, written);
            if load.records > 0 {
                remember(&mut view.loads, load.clone());
            }
            for (stream, count) in streams {
                let stream = view.stream_mut(&stream.to_string());
                stream.records_written += count.rows_written;
                stream.records_rejected += count.rows_rejected;
                stream.last_commit_at = Some(load.committed_at);
            }
            words.write(view);
        });
        self.show(&copied, &run);
        for (stream, count) in streams.iter().filter(|(_, count)| count.rows_rejected > 0) {
            self.shared.bus.tell(Notice::Rejected {
                connection: self.connection.clone(),
                stream: stream.to_string().into(),
                rows: count.rows_rejected,
            });
        }
        self.shared.bus.tell(Notice::Committed {
            connection: self.connection.clone(),
            load: Arc::new(load),
        });
    }

    fn schema_changed(&self, stream: &StreamName, what: &str) {
        tracing::info!(connection = &*self.connection, %stream, "{what}");
        let change = SchemaChange {
            stream: stream.to_string(),
            what: what.to_owned(),
            at: now(),
        };
        self.update(|view| remember(&mut view.schema_changes, change.clone()));
        self.shared.bus.tell(Notice::SchemaChanged {
            connection: self.connection.clone(),
            change: Arc::new(change),
        });
    }

    fn stream_failed(&self, stream: &StreamName, error: &Error) {
        tracing::error!(connection = &*self.connection, %stream, %error, "stream failed");
        self.update(|view| {
            view.stream_mut(&stream.to_string()).error = Some(ErrorView::new(error, now()));
        });
        self.tell_changed();
    }

    fn retrying(&self, error: &Error, wait: Duration) {
        // What had been read and not committed is read again.
        self.with(|live| live.copied.clear());
        let (what, seconds) = (error.what(), wait.as_secs_f64().ceil());
        self.update(|view| view.reason = format!("{what}; tries again within {seconds} s"));
        self.tell_changed();
    }
}

impl Observer for Recorder {
    fn notice(&self, event: &Event<'_>) {
        match event {
            Event::Stream {
                stream,
                estimated_rows,
            } => self.stream(stream, *estimated_rows),
            Event::Phase { stream, phase } => self.phase(stream, *phase),
            Event::Read {
                stream,
                rows,
                bytes,
            } => self.read(stream, *rows, *bytes),
            Event::Committed {
                rows,
                load_id,
                started_at,
                streams,
                state,
                ..
            } => {
                let committed_at = now();
                let length = (committed_at - *started_at).as_seconds_f64();
                let load = LoadView {
                    load_id: (*load_id).to_owned(),
                    started_at: *started_at,
                    committed_at,
                    records: *rows,
                    records_rejected: streams.values().map(|count| count.rows_rejected).sum(),
                    duration_seconds: length.max(0.0),
                };
                self.committed(load, streams, state);
            }
            Event::SchemaChanged { stream, what } => self.schema_changed(stream, what),
            Event::Complete { as_of } => {
                self.update(|view| {
                    view.complete_as_of = complete(view.complete_as_of, Some(*as_of), now());
                });
                self.tell_changed();
            }
            Event::Retrying { error, wait, .. } => self.retrying(error, *wait),
            Event::Layout { .. } => {}
            Event::Warning { stream, what } => self.warned(stream, what),
            Event::StreamFailed { stream, error } => self.stream_failed(stream, error),
        }
    }
}

/// Cursors in words.
pub(crate) struct Words {
    shared: Option<String>,
    streams: Vec<(String, Option<StreamPhase>, String)>,
}

/// What a state says, in words.
pub(crate) fn positions(shared: &Shared, kind: &str, state: &State) -> Words {
    let say = |cursor| shared.ends.summarize(kind, cursor);
    let streams = state.streams.iter().filter_map(|(stream, cursor)| {
        let summary = say(cursor)?;
        let phase = summary.phase.map(StreamPhase::from);
        Some((stream.to_string(), phase, summary.words))
    });
    Words {
        shared: state.shared.as_ref().and_then(say).map(|it| it.words),
        streams: streams.collect(),
    }
}

impl Words {
    pub(crate) fn write(self, view: &mut ConnectionView) {
        view.position = self.shared;
        for (stream, phase, words) in self.streams {
            let stream = view.stream_mut(&stream);
            stream.phase = phase.or(stream.phase);
            stream.position = Some(words);
        }
    }
}
