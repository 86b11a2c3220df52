//! What the past of a connection says about its present.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};
use tributary_engine::{ErrorReport, SyncReport};

use crate::schedule::{Failure, Heals};
use crate::view::{RunRecord, RunStatus};

/// The failure that a daemon which starts goes on from. Whoever started it may have helped, so it
/// is tried again soon, whatever it was.
pub(super) fn failure(runs: &[RunRecord], tracks: usize) -> Option<Failure> {
    let failed = |run: &&RunRecord| run.status == Some(RunStatus::Failed);
    let in_a_row = runs.iter().take_while(failed).count();
    Some(Failure {
        at: runs.first().filter(failed)?.ended_at?,
        in_a_row: u32::try_from(in_a_row).unwrap_or(u32::MAX).min(1),
        heals: Heals::ByItself(None),
        tracks: (0..tracks).collect(),
    })
}

/// Up to when the destination is complete, as far as runs tell of all streams without schedules of
/// their own.
pub(super) fn complete_as_of(runs: &[RunRecord]) -> Option<DateTime<Utc>> {
    let whole = |run: &&RunRecord| {
        let all_but = run.streams.iter().all(|pattern| pattern.starts_with('!'));
        run.status == Some(RunStatus::Succeeded) && all_but
    };
    runs.iter().find(whole).map(|run| run.started_at)
}

/// The lengths of the last runs, the last one first.
pub(super) fn lengths(runs: &[RunRecord], limit: usize) -> VecDeque<TimeDelta> {
    let length = |run: &RunRecord| {
        let succeeded = run.status == Some(RunStatus::Succeeded);
        run.ended_at
            .filter(|_| succeeded)
            .map(|ended| ended - run.started_at)
    };
    runs.iter().filter_map(length).take(limit).collect()
}

/// What a run failed of: the connection's error, or else that of a stream.
pub(super) fn error_of(report: &SyncReport) -> Option<&ErrorReport> {
    let mut streams = report.streams.iter();
    let of_stream = || streams.find_map(|stream| stream.error.as_ref());
    report.error.as_ref().or_else(of_stream)
}

/// Says in the log how a run ended.
pub(super) fn say(connection: &str, run: &RunRecord) {
    let seconds = run
        .ended_at
        .map(|ended| (ended - run.started_at).as_seconds_f64());
    let (rows, loads) = (run.records_written, run.loads);
    let error = run.error.as_ref().map(|error| error.message.as_str());
    match run.status {
        Some(RunStatus::Failed) => {
            tracing::error!(connection, rows, loads, seconds, error, "run failed");
        }
        Some(RunStatus::Partial) => {
            tracing::warn!(
                connection,
                rows,
                loads,
                seconds,
                error,
                "some streams failed"
            );
        }
        Some(RunStatus::Interrupted) => {
            tracing::info!(connection, rows, loads, seconds, "run stopped");
        }
        Some(RunStatus::Succeeded) | None => {
            tracing::info!(connection, rows, loads, seconds, "run succeeded");
        }
    }
}
