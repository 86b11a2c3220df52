//! What is known of a connection, as values that serialize: for the API, the page and alerts.
//!
//! Times are in UTC, lengths in seconds. Invariant: nothing here holds a secret or a row's values.

mod error;
mod sparkline;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tributary_engine::Status;
use tributary_model::Phase;

use crate::drift::past;

pub use error::{Actor, ErrorView};
pub use sparkline::{BUCKET_SECONDS, BUCKETS, Sparkline};

/// How many of the last loads, runs and changes of layout are kept for each connection. // G6
pub const KEPT: usize = 20;
/// What a connection is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionState {
    /// It waits for its next moment.
    #[default]
    Idle,
    /// It should run and waits for a free worker.
    Queued,
    /// It runs.
    Running,
    /// It follows its source until told to stop.
    Following,
    /// It failed, and is tried again at `next_run_at`.
    BackingOff,
    /// It failed in a way that a person must help with, see `error`.
    Stuck,
    /// Someone paused it.
    Paused,
    /// It runs only when someone says so.
    Manual,
    /// It is being stopped.
    Draining,
}

/// Why a run began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// Its schedule said so.
    Schedule,
    /// A moment of its schedule had passed while nothing ran.
    CatchUp,
    /// The run before had failed.
    Retry,
    /// Someone asked for it.
    Asked,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Everything that was asked for is in the destination.
    Succeeded,
    /// Some streams failed, the others committed.
    Partial,
    /// It failed; what had committed stays.
    Failed,
    /// It was stopped from outside; what had committed stays.
    Interrupted,
}

/// What a stream is going through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StreamPhase {
    /// Not looked at yet.
    Pending,
    /// The first full copy.
    Snapshot,
    /// Following changes.
    Streaming,
}

/// One run of a connection, over or not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunRecord {
    /// Its identity.
    pub id: String,
    /// The connection.
    pub connection: String,
    /// Why it began.
    pub trigger: Trigger,
    /// The streams that were asked for, as patterns; empty means all.
    pub streams: Vec<String>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended; `null` while it goes on.
    pub ended_at: Option<DateTime<Utc>>,
    /// How it ended; `null` while it goes on.
    pub status: Option<RunStatus>,
    /// How many loads have committed.
    pub loads: u64,
    /// Rows that the source sent.
    pub records_read: u64,
    /// Rows that are in the destination.
    pub records_written: u64,
    /// Rows in `_tributary.rejected`.
    pub records_rejected: u64,
    /// The size of the rows in memory, bytes.
    pub bytes_read: u64,
    /// Why it failed.
    pub error: Option<ErrorView>,
}

/// One stream of a connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StreamView {
    /// Its name.
    pub stream: String,
    /// What it is going through, where that is known.
    pub phase: Option<StreamPhase>,
    /// A schedule of its own.
    pub schedule: Option<String>,
    /// Its cursor in words.
    pub position: Option<String>,
    /// Rows copied so far by the copy that goes on.
    pub snapshot_rows_done: Option<u64>,
    /// How many rows the source thinks there are to copy.
    pub snapshot_rows_estimate: Option<u64>,
    /// Rows written since the daemon began.
    pub records_written: u64,
    /// Rows rejected since the daemon began.
    pub records_rejected: u64,
    /// When rows of it were last committed.
    pub last_commit_at: Option<DateTime<Utc>>,
    /// Why it failed the last time, if it did.
    pub error: Option<ErrorView>,
    /// What is to be looked at in its last run although it did not fail.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// One load: a commit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadView {
    /// Its identity, as in `_tributary.loads`.
    pub load_id: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it committed.
    pub committed_at: DateTime<Utc>,
    /// Its rows, rejected ones included.
    pub records: u64,
    /// Rows that went to `_tributary.rejected`.
    pub records_rejected: u64,
    /// From its beginning to its commit, seconds.
    pub duration_seconds: f64,
}

/// A change of a table's layout that was followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SchemaChange {
    /// The stream.
    pub stream: String,
    /// What changed, in words: `column note added (text)`.
    pub what: String,
    /// When it was committed.
    pub at: DateTime<Utc>,
}

/// Whether data is as fresh as `freshness` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Freshness {
    /// The objective, seconds.
    pub objective_seconds: u64,
    /// How old the data is, seconds; `null` before the first complete run.
    pub age_seconds: Option<f64>,
    /// Whether the objective is met.
    pub met: bool,
}

/// Where a reading stands between the oldest and the newest entry of its source's log.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LogView {
    /// What is still to be read, bytes.
    pub behind_bytes: u64,
    /// What the source would have to delete before it comes to where we are, bytes.
    pub headroom_bytes: u64,
    /// How long until it deletes that, seconds; `null` where it never does.
    pub headroom_seconds: Option<f64>,
    /// When that was found out.
    pub at: DateTime<Utc>,
}

/// Everything that is known of a connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConnectionView {
    /// Its name.
    pub connection: String,
    /// The name of its source.
    pub source: String,
    /// The `type` of its source.
    pub source_type: String,
    /// The name of its destination.
    pub destination: String,
    /// The `type` of its destination.
    pub destination_type: String,
    /// Its schedule, as written.
    pub schedule: String,
    /// The zone in which cron expressions and windows are meant.
    pub time_zone: String,
    /// What it is doing.
    pub state: ConnectionState,
    /// Why, in a sentence.
    pub reason: String,
    /// Since when it is paused.
    pub paused_at: Option<DateTime<Utc>>,
    /// When it runs next, where that is known.
    pub next_run_at: Option<DateTime<Utc>>,
    /// The run that goes on.
    pub run: Option<RunRecord>,
    /// The run that ended last.
    pub last_run: Option<RunRecord>,
    /// When a run last succeeded.
    pub last_success_at: Option<DateTime<Utc>>,
    /// Runs in a row that failed.
    pub failures_in_a_row: u32,
    /// The destination holds all that the source held at this moment.
    pub complete_as_of: Option<DateTime<Utc>>,
    /// How long ago that is; filled in when the board is read.
    pub lag_seconds: Option<f64>,
    /// Against its objective, where it has one; filled in when the board is read.
    pub freshness: Option<Freshness>,
    /// When a load last committed.
    pub last_commit_at: Option<DateTime<Utc>>,
    /// The cursor of the whole source in words, where it has one.
    pub position: Option<String>,
    /// Where the reading that goes on stands in its source's log, where there is one.
    pub log: Option<LogView>,
    /// Its streams by name.
    pub streams: Vec<StreamView>,
    /// Its last loads, the newest first.
    pub loads: Vec<LoadView>,
    /// Its last runs, the newest first.
    pub runs: Vec<RunRecord>,
    /// The last changes of layout, the newest first.
    pub schema_changes: Vec<SchemaChange>,
    /// Why it does not work, where it does not.
    pub error: Option<ErrorView>,
    /// Rows written over the last day.
    pub rows: Sparkline,
}

impl From<Status> for RunStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Succeeded => Self::Succeeded,
            Status::Partial => Self::Partial,
            Status::Failed => Self::Failed,
            Status::Interrupted => Self::Interrupted,
        }
    }
}

impl From<Phase> for StreamPhase {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Pending => Self::Pending,
            Phase::Snapshot => Self::Snapshot,
            Phase::Streaming => Self::Streaming,
        }
    }
}

impl StreamView {
    /// A stream about which nothing is known yet.
    #[must_use]
    pub fn new(stream: impl Into<String>) -> Self {
        Self {
            stream: stream.into(),
            phase: None,
            schedule: None,
            position: None,
            snapshot_rows_done: None,
            snapshot_rows_estimate: None,
            records_written: 0,
            records_rejected: 0,
            last_commit_at: None,
            error: None,
            warnings: Vec::new(),
        }
    }
}

impl ConnectionView {
    /// Fills in what depends on the time of reading.
    #[must_use]
    pub fn as_of(&self, now: DateTime<Utc>) -> Self {
        let age = self
            .complete_as_of
            .map(|at| (now - at).as_seconds_f64().max(0.0));
        let mut view = self.clone();
        view.lag_seconds = age;
        view.freshness = self.freshness.map(|freshness| Freshness {
            age_seconds: age,
            met: age.is_some_and(|age| age <= freshness.objective_seconds as f64),
            ..freshness
        });
        view.rows.advance(now);
        view
    }

    /// The stream of this name; added where it is not known.
    pub fn stream_mut(&mut self, name: &str) -> &mut StreamView {
        let found = self
            .streams
            .binary_search_by(|stream| stream.stream.as_str().cmp(name));
        let place = found.unwrap_or_else(|place| {
            self.streams.insert(place, StreamView::new(name));
            place
        });
        &mut self.streams[place]
    }
}

/// Puts something in front and lets what is too old go.
pub fn remember<T>(kept: &mut Vec<T>, newest: T) {
    kept.insert(0, newest);
    kept.truncate(KEPT);
}

/// Up to when a destination is complete, from what was known at `now` and what is new. What lies
/// ahead was noted by a clock that was wrong, and would hide for as long that data grows old.
pub(crate) fn complete(
    known: Option<DateTime<Utc>>,
    new: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    known.and_then(|at| past(at, now)).max(new)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_a_clock_that_was_ahead_noted_hides_no_age() {
        let at = |hours: i64| DateTime::from_timestamp(hours * 3600, 0);
        let now = at(10).unwrap();
        assert_eq!(complete(at(9), at(8), now), at(9));
        assert_eq!(complete(at(8), at(10), now), at(10));
        assert_eq!(complete(at(9000), at(8), now), at(8));
        assert_eq!(complete(at(9000), None, now), None);
    }
}
