//! The spans of a run: whatever is logged within them carries the connection and its epoch.
//!
//! A run that follows a log may last for months, and a span is told when it ends: its loads are
//! spans of their own there, below no other.

use tracing::field::Empty;
use tracing::{Span, error_span, info_span};
use tributary_model::{ConnectionName, Fence, Until};

use crate::report::{Status, SyncReport};

/// The span of a run. Of the severest level, so that a line of any level has its connection.
pub(crate) fn sync(of: &ConnectionName) -> Span {
    error_span!(
        "sync",
        connection = of.as_str(),
        epoch = Empty,
        status = Empty,
        loads = Empty,
        otel.status_code = Empty,
        otel.status_description = Empty,
    )
}

/// Notes in the span of the run that the destination has let it in.
pub(crate) fn enter(fence: &Fence) {
    Span::current().record("epoch", fence.epoch);
}

/// Notes how a run ended.
pub(crate) fn end(span: &Span, report: &SyncReport) {
    let status = match report.status {
        Status::Succeeded => "succeeded",
        Status::Partial => "partial",
        Status::Failed => "failed",
        Status::Interrupted => "interrupted",
    };
    span.record("status", status);
    span.record("loads", report.loads);
    if matches!(report.status, Status::Partial | Status::Failed) {
        span.record("otel.status_code", "ERROR");
    }
    if let Some(error) = &report.error {
        span.record("otel.status_description", error.message.as_str());
    }
}

/// The span of a load, from its first row to its commit.
pub(crate) fn load(fence: &Fence, load_id: &str, until: Until) -> Span {
    let connection = fence.connection.as_str();
    let epoch = fence.epoch;
    match until {
        Until::Now => info_span!("load", connection, epoch, load_id, rows = Empty),
        Until::Stopped => {
            info_span!(parent: None, "load", connection, epoch, load_id, rows = Empty)
        }
    }
}
