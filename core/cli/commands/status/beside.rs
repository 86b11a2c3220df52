//! The status of a connection whose destination the daemon holds: what the daemon says of it.

use serde_json::Value;
use tributary_config::ConnectionPlan;
use tributary_model::{Phase, StreamName};

use super::{ConnectionStatus, LogStatus, Standing, StreamStatus};

/// The status that a view of the daemon amounts to.
pub(super) fn status(plan: &ConnectionPlan, view: &Value) -> ConnectionStatus {
    let lag = view["lag_seconds"].as_f64();
    let streams = view["streams"].as_array();
    ConnectionStatus {
        connection: plan.options.name.to_string(),
        source: plan.source.clone(),
        destination: plan.destination.clone(),
        schedule: plan.schedule.to_string(),
        state: standing(&view["last_commit_at"]),
        last_run: text(&view["last_commit_at"]),
        rows: view["loads"][0]["records"].as_u64(),
        lag_seconds: lag,
        cursor: None,
        position: text(&view["position"]),
        log: log(&view["log"]),
        streams: streams
            .into_iter()
            .flatten()
            .map(|view| stream(view, lag))
            .collect(),
        error: None,
    }
}

fn stream(view: &Value, lag: Option<f64>) -> StreamStatus {
    let phase = match view["phase"].as_str() {
        Some("pending") => Some(Phase::Pending),
        Some("snapshot") => Some(Phase::Snapshot),
        Some("streaming") => Some(Phase::Streaming),
        _ => None,
    };
    StreamStatus {
        stream: StreamName::from(text(&view["stream"]).unwrap_or_default()),
        state: standing(&view["position"]),
        phase,
        last_run: text(&view["last_commit_at"]),
        rows: None,
        lag_seconds: lag.filter(|_| phase == Some(Phase::Streaming)),
        cursor: None,
        position: text(&view["position"]),
        error: text(&view["error"]["message"]),
    }
}

fn log(view: &Value) -> Option<LogStatus> {
    Some(LogStatus {
        behind_bytes: view["behind_bytes"].as_u64()?,
        headroom_bytes: view["headroom_bytes"].as_u64()?,
        headroom_seconds: view["headroom_seconds"].as_f64(),
    })
}

/// Whether there is something to go on from.
fn standing(known: &Value) -> Standing {
    match known {
        Value::Null => Standing::NeverSynced,
        _ => Standing::Synced,
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(ToOwned::to_owned)
}
