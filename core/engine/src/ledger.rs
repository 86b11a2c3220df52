//! What a run has done so far, over all its attempts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use chrono::{DateTime, Utc};
use tributary_model::{
    ConnectionName, Error, LoadRecord, Phase, StreamCount, StreamName, TableName,
};

use crate::report::{ErrorReport, Status, StreamReport, SyncReport};

/// The entry of one stream.
#[derive(Debug)]
struct Entry {
    table: TableName,
    phase: Phase,
    count: StreamCount,
    error: Option<ErrorReport>,
    warnings: Vec<String>,
}

/// A commit whose reply never came: the next `open` tells how it ended.
#[derive(Debug)]
pub(crate) struct InDoubt {
    /// The load's identity.
    pub(crate) load_id: String,
    /// When it began.
    pub(crate) started_at: DateTime<Utc>,
    /// What it held.
    pub(crate) counts: BTreeMap<StreamName, StreamCount>,
}

/// Counts that move only when a load has committed, and streams that failed.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    streams: BTreeMap<StreamName, Entry>,
    pub(crate) loads: u64,
    pub(crate) in_doubt: Option<InDoubt>,
    /// Streams that later attempts of this run do without.
    left_out: BTreeSet<StreamName>,
    /// Whether an attempt ended only to begin again without a stream.
    begins_again: bool,
}

impl Ledger {
    pub(crate) fn enter(&mut self, stream: &StreamName, table: &TableName) {
        self.streams.entry(stream.clone()).or_insert_with(|| Entry {
            table: table.clone(),
            phase: Phase::default(),
            count: StreamCount::default(),
            error: None,
            warnings: Vec::new(),
        });
    }

    /// What has committed of a stream in this run.
    pub(crate) fn count(&self, stream: &StreamName) -> StreamCount {
        let entry = self.streams.get(stream);
        entry.map_or_else(StreamCount::default, |entry| entry.count.clone())
    }

    /// Streams that have not failed, and of which no row came.
    pub(crate) fn without_rows(&self) -> Vec<StreamName> {
        let is_empty = |entry: &Entry| entry.error.is_none() && entry.count.rows_read == 0;
        let streams = self.streams.iter().filter(|(_, entry)| is_empty(entry));
        streams.map(|(stream, _)| stream.clone()).collect()
    }

    /// Notes what is to be said of a stream although it did not fail.
    pub(crate) fn warn(&mut self, stream: &StreamName, warning: String) {
        if let Some(entry) = self.streams.get_mut(stream)
            && !entry.warnings.contains(&warning)
        {
            entry.warnings.push(warning);
        }
    }

    /// Forgets which streams failed: an attempt tries all of them, except those left out.
    pub(crate) fn try_all(&mut self) {
        for (stream, entry) in &mut self.streams {
            if !self.left_out.contains(stream) {
                entry.error = None;
            }
        }
    }

    /// Notes that this attempt must end and the run go on without `stream`.
    pub(crate) fn leave_out(&mut self, stream: &StreamName) {
        self.left_out.insert(stream.clone());
        self.begins_again = true;
    }

    pub(crate) fn is_left_out(&self, stream: &StreamName) -> bool {
        self.left_out.contains(stream)
    }

    /// Whether the attempt that ended is to be made again without a stream; says so once.
    pub(crate) fn begins_again(&mut self) -> bool {
        std::mem::take(&mut self.begins_again)
    }

    pub(crate) fn phase(&mut self, stream: &StreamName, phase: Phase) {
        if let Some(entry) = self.streams.get_mut(stream) {
            entry.phase = phase;
        }
    }

    pub(crate) fn fail(&mut self, stream: &StreamName, error: &Error) {
        if let Some(entry) = self.streams.get_mut(stream) {
            entry.error = Some(error.into());
        }
    }

    /// Books a load that is durable.
    pub(crate) fn book(&mut self, counts: &BTreeMap<StreamName, StreamCount>) {
        self.loads += 1;
        for (stream, count) in counts {
            if let Some(entry) = self.streams.get_mut(stream) {
                add(&mut entry.count, count);
            }
        }
    }

    /// Settles a commit in doubt by what the destination says its last load was; returns it where
    /// it turned out to have committed. // G2
    pub(crate) fn settle(
        &mut self,
        last_load: Option<&str>,
        record: Option<&LoadRecord>,
    ) -> Option<InDoubt> {
        let mut doubt = self.in_doubt.take()?;
        if Some(doubt.load_id.as_str()) != last_load {
            return None;
        }
        // The load may have rejected rows itself, which only its record says.
        if let Some(record) = record.filter(|record| record.load_id == doubt.load_id) {
            doubt.counts.clone_from(&record.streams);
        }
        self.book(&doubt.counts);
        Some(doubt)
    }

    /// The report, given how the run as a whole ended.
    pub(crate) fn close(
        self,
        connection: &ConnectionName,
        begun: Instant,
        ending: &Ending,
    ) -> SyncReport {
        let loads = self.loads;
        let streams: Vec<_> = self
            .streams
            .into_iter()
            .map(|(stream, entry)| entry.report(stream, ending))
            .collect();
        let failed = streams
            .iter()
            .filter(|stream| stream.status == Status::Failed)
            .count();
        let status = match ending {
            Ending::Failed(_) => Status::Failed,
            Ending::Interrupted => Status::Interrupted,
            Ending::Complete if failed == 0 => Status::Succeeded,
            Ending::Complete if failed == streams.len() => Status::Failed,
            Ending::Complete => Status::Partial,
        };
        SyncReport {
            connection: connection.clone(),
            status,
            duration_seconds: begun.elapsed().as_secs_f64(),
            loads,
            streams,
            error: ending.error().map(Into::into),
        }
    }
}

/// How a run as a whole ended.
#[derive(Debug)]
pub(crate) enum Ending {
    /// All that there was has been read; streams may have failed alone.
    Complete,
    /// It failed as a whole.
    Failed(Error),
    /// It was stopped from outside.
    Interrupted,
}

impl Ending {
    /// Why it failed as a whole.
    pub(crate) fn error(&self) -> Option<&Error> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Complete | Self::Interrupted => None,
        }
    }
}

impl Entry {
    fn report(self, stream: StreamName, ending: &Ending) -> StreamReport {
        let error = self.error.or_else(|| ending.error().map(ErrorReport::from));
        StreamReport {
            stream,
            table: self.table,
            status: match (&error, ending) {
                (Some(_), _) => Status::Failed,
                (None, Ending::Interrupted) => Status::Interrupted,
                (None, Ending::Complete | Ending::Failed(_)) => Status::Succeeded,
            },
            phase: self.phase,
            records_read: self.count.rows_read,
            records_written: self.count.rows_written,
            records_rejected: self.count.rows_rejected,
            bytes_read: self.count.bytes_read,
            error,
            warnings: self.warnings,
        }
    }
}

/// Adds one count to another.
pub(crate) fn add(to: &mut StreamCount, more: &StreamCount) {
    to.rows_read += more.rows_read;
    to.rows_written += more.rows_written;
    to.rows_rejected += more.rows_rejected;
    to.bytes_read += more.bytes_read;
}
