//! Alerts, from what the board says to what a webhook gets.

#![allow(clippy::unwrap_used)]

mod kept;
mod posted;
mod receiver;
mod told;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tributary_config::{AlertEvent, AlertFormat, AlertPlan};
use tributary_model::{Secret, Selection};

use crate::view::ConnectionView;

/// A moment, in seconds from noon.
fn noon(seconds: i64) -> DateTime<Utc> {
    let noon: DateTime<Utc> = "2026-03-01T12:00:00Z".parse().unwrap();
    noon + TimeDelta::seconds(seconds)
}

/// A webhook that hears of everything.
fn target(name: &str, url: &str) -> AlertPlan {
    AlertPlan {
        name: name.to_owned(),
        url: Secret::new(url),
        format: AlertFormat::Json,
        secret: None,
        events: AlertEvent::ALL.into_iter().collect(),
        connections: Selection::default(),
        lag: None,
    }
}

/// A connection that is as the board has it, with `changes` over what is usual.
fn view(changes: &Value) -> ConnectionView {
    let mut view = json!({
        "connection": "shop",
        "source": "shop",
        "source_type": "mysql",
        "destination": "warehouse",
        "destination_type": "duckdb",
        "schedule": "every 5m",
        "time_zone": "UTC",
        "state": "idle",
        "reason": "",
        "failures_in_a_row": 0,
        "streams": [],
        "loads": [],
        "runs": [],
        "schema_changes": [],
        "rows": {"bucket_seconds": 1800, "last_bucket_at": noon(0), "buckets": vec![0; 48]},
    });
    for (key, value) in changes.as_object().unwrap() {
        view[key] = value.clone();
    }
    serde_json::from_value(view).unwrap()
}

/// A run that ended at a moment.
fn run(ended: i64, status: &str) -> Value {
    json!({
        "id": format!("run-{ended}"), "connection": "shop", "trigger": "schedule", "streams": [],
        "started_at": noon(ended - 3), "ended_at": noon(ended), "status": status,
        "loads": 1, "records_read": 0, "records_written": 0, "records_rejected": 0, "bytes_read": 0,
        "error": (status == "failed").then(|| error("the server refused the password", ended)),
    })
}

fn error(what: &str, at: i64) -> Value {
    json!({
        "kind": "access", "what": what, "why": "ERROR 1045", "fix": "Set SHOP_PASSWORD",
        "message": what, "who": "credentials", "at": noon(at),
    })
}

fn load(committed: i64, rejected: u64) -> Value {
    json!({
        "load_id": format!("load-{committed}"), "started_at": noon(committed - 1),
        "committed_at": noon(committed), "records": 100, "records_rejected": rejected,
        "duration_seconds": 1.0,
    })
}
