//! Watches a run and tells about it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::mpsc;
use tributary_engine::{Event, Observer, Status, SyncReport};
use tributary_model::StreamName;
use uuid::Uuid;

use super::Subject;
use super::event::{Kind, Pair, Processing, event};

/// How often a run that does not end tells how it goes.
const BETWEEN: Duration = Duration::from_secs(60);

/// A run that is told about.
#[derive(Debug)]
pub struct Tracked {
    id: String,
    subject: Subject,
    queue: mpsc::Sender<Value>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    pairs: BTreeMap<StreamName, Pair>,
    told: Option<Instant>,
}

impl Tracked {
    pub(crate) fn begin(subject: Subject, queue: mpsc::Sender<Value>) -> Self {
        let run = Self {
            id: Uuid::new_v4().to_string(),
            subject,
            queue,
            seen: Mutex::default(),
        };
        run.tell(Kind::Start, &[], None);
        run
    }

    /// Tells how the run ended. A run of which some streams failed has failed: whoever waits for its
    /// tables must not go on.
    pub fn end(self, report: &SyncReport) {
        let mut pairs = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut seen.pairs)
        };
        for stream in &report.streams {
            if let Some(pair) = pairs.get_mut(&stream.stream) {
                pair.count(stream);
            }
        }
        let kind = match report.status {
            Status::Succeeded => Kind::Complete,
            Status::Partial | Status::Failed => Kind::Fail,
            Status::Interrupted => Kind::Abort,
        };
        let pairs: Vec<_> = pairs.into_values().collect();
        self.tell(kind, &pairs, why(report).as_deref());
    }

    fn tell(&self, kind: Kind, pairs: &[Pair], error: Option<&str>) {
        let time = tributary_model::now()
            .format("%Y-%m-%dT%H:%M:%S%.3fZ")
            .to_string();
        let event = event(kind, &time, &self.id, &self.subject, pairs, error);
        // Whoever is told waits for nothing: the run goes on.
        if self.queue.try_send(event).is_err() {
            tracing::debug!("a lineage event is left out: too many wait to be sent");
        }
    }

    /// Tells in between, where the end may be far.
    fn tell_on(&self, seen: &mut Seen) {
        let due = seen.told.is_none_or(|told| told.elapsed() >= BETWEEN);
        if self.subject.processing == Processing::Streaming && due {
            seen.told = Some(Instant::now());
            let pairs: Vec<_> = seen.pairs.values().cloned().collect();
            self.tell(Kind::Running, &pairs, None);
        }
    }
}

impl Observer for Tracked {
    fn notice(&self, event: &Event<'_>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Layout {
                stream,
                table,
                columns,
            } => {
                let pair = seen.pairs.entry((*stream).clone());
                let pair = pair.or_insert_with(|| Pair {
                    stream: (*stream).clone(),
                    table: (*table).clone(),
                    columns: Vec::new(),
                    rows: 0,
                    bytes: 0,
                });
                pair.columns = columns.to_vec();
            }
            Event::Committed { streams, .. } => {
                for (stream, count) in *streams {
                    if let Some(pair) = seen.pairs.get_mut(stream) {
                        pair.rows += count.rows_written;
                        pair.bytes += count.bytes_read;
                    }
                }
                self.tell_on(&mut seen);
            }
            Event::Stream { .. }
            | Event::Phase { .. }
            | Event::Read { .. }
            | Event::SchemaChanged { .. }
            | Event::Complete { .. }
            | Event::Retrying { .. }
            | Event::Warning { .. }
            | Event::StreamFailed { .. } => {}
        }
    }
}

/// Why a run failed, in one text.
fn why(report: &SyncReport) -> Option<String> {
    let whole = report.error.iter().map(|error| error.message.clone());
    let streams = report.streams.iter().filter_map(|stream| {
        let error = stream.error.as_ref()?;
        Some(format!("{}: {}", stream.stream, error.message))
    });
    let all: Vec<_> = match report.error {
        Some(_) => whole.collect(),
        None => streams.collect(),
    };
    (!all.is_empty()).then(|| all.join("; "))
}
