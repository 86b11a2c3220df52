//! What a run tells while it goes on, on stderr: bars on a terminal, else a line now and then.

mod bars;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use tributary_engine::{Event, Observer};
use tributary_model::{Phase, StreamName};

pub(crate) use bars::Bars;

/// How often a line is written where there are no bars.
const EVERY: Duration = Duration::from_secs(5);

/// Watches one run of a connection.
#[derive(Debug)]
pub(crate) struct Watch<'a> {
    connection: &'a str,
    bars: &'a Bars,
    seen: Mutex<Seen>,
}

#[derive(Debug)]
struct Seen {
    streams: BTreeMap<StreamName, Track>,
    committed: u64,
    loads: u64,
    said: Instant,
}

/// One stream of the run.
#[derive(Debug, Default)]
struct Track {
    estimated_rows: Option<u64>,
    phase: Phase,
    rows: u64,
    /// Rows when a line was last written, of the phase.
    said_rows: u64,
    bar: Option<ProgressBar>,
}

impl<'a> Watch<'a> {
    pub(crate) fn new(connection: &'a str, bars: &'a Bars) -> Self {
        let seen = Seen {
            streams: BTreeMap::new(),
            committed: 0,
            loads: 0,
            said: Instant::now(),
        };
        Self {
            connection,
            bars,
            seen: Mutex::new(seen),
        }
    }

    /// Takes the bars away.
    pub(crate) fn finish(&self) {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for bar in seen.streams.values().filter_map(|track| track.bar.as_ref()) {
            bar.finish_and_clear();
        }
    }

    fn phase(&self, seen: &mut Seen, stream: &StreamName, phase: Phase) {
        if phase != Phase::Pending {
            tracing::info!(connection = self.connection, %stream, phase = word(phase), "reading");
        }
        let track = seen.streams.entry(stream.clone()).or_default();
        track.phase = phase;
        track.rows = 0;
        track.said_rows = 0;
        if let Some(bar) = track.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn read(&self, seen: &mut Seen, stream: &StreamName, rows: u64) {
        let track = seen.streams.entry(stream.clone()).or_default();
        track.rows += rows;
        let bar = track.bar.get_or_insert_with(|| {
            // Only a snapshot reads the whole of a table.
            let total = match track.phase {
                Phase::Snapshot => track.estimated_rows,
                Phase::Pending | Phase::Streaming => None,
            };
            self.bars
                .add(&format!("{}:{stream}", self.connection), total)
        });
        if bar.length().is_some_and(|total| total < track.rows) {
            bar.set_length(track.rows);
        }
        bar.set_position(track.rows);
    }

    /// Writes a line for each stream that moved, if it is time to.
    fn say(&self, seen: &mut Seen) {
        let since = seen.said.elapsed();
        if self.bars.shown() || since < EVERY {
            return;
        }
        seen.said = Instant::now();
        for (stream, track) in &mut seen.streams {
            let new = track.rows - track.said_rows;
            if new == 0 {
                continue;
            }
            track.said_rows = track.rows;
            let rows_per_second = new as f64 / since.as_secs_f64();
            let of = track
                .estimated_rows
                .filter(|_| track.phase == Phase::Snapshot);
            let left = of.map(|of| of.saturating_sub(track.rows) as f64 / rows_per_second);
            tracing::info!(
                connection = self.connection,
                %stream,
                rows = track.rows,
                estimated_rows = of,
                rows_per_second = rows_per_second.round(),
                seconds_left = left.map(f64::round),
                "reading"
            );
        }
    }
}

/// A phase in a word.
pub(crate) fn word(phase: Phase) -> &'static str {
    match phase {
        Phase::Pending => "pending",
        Phase::Snapshot => "snapshot",
        Phase::Streaming => "streaming",
    }
}

impl Observer for Watch<'_> {
    fn notice(&self, event: &Event<'_>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Stream {
                stream,
                estimated_rows,
            } => {
                let track = seen.streams.entry((*stream).clone()).or_default();
                track.estimated_rows = *estimated_rows;
            }
            Event::Phase { stream, phase } => self.phase(&mut seen, stream, *phase),
            Event::Read { stream, rows, .. } => {
                self.read(&mut seen, stream, *rows);
                self.say(&mut seen);
            }
            Event::Committed { rows, took, .. } => {
                seen.committed += rows;
                seen.loads += 1;
                let (rows, loads) = (seen.committed, seen.loads);
                let took = (took.as_secs_f64() * 1e3).round() / 1e3;
                tracing::info!(
                    connection = self.connection,
                    rows,
                    loads,
                    seconds = took,
                    "committed"
                );
            }
            Event::Retrying { error, wait, .. } => {
                // What had been read and not committed is read again.
                for track in seen.streams.values_mut() {
                    track.rows = 0;
                    track.said_rows = 0;
                }
                let seconds = wait.as_secs_f64();
                tracing::debug!(connection = self.connection, %error, seconds, "will try again");
            }
            Event::SchemaChanged { stream, what } => {
                tracing::info!(connection = self.connection, %stream, "{what}");
            }
            Event::Layout { .. } | Event::Complete { .. } => {}
            Event::Warning { stream, what } => {
                tracing::warn!(connection = self.connection, %stream, "{what}");
            }
            Event::StreamFailed { stream, error } => {
                tracing::error!(connection = self.connection, %stream, %error, "stream failed");
            }
        }
    }
}
