//! `/healthz`, `/readyz` and `/metrics`: for whoever watches over the daemon.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use schemars::JsonSchema;
use serde::Serialize;
use tributary_model::now;

use super::{App, Standing};
use crate::view::{ConnectionState, ConnectionView};

/// The version of Prometheus's text format.
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Whether the daemon is alive.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Health {
    /// `ok`.
    status: &'static str,
}

/// Whether it is able to work.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Readiness {
    /// Whether it is able to work.
    ready: bool,
    /// What keeps it from working, or some of its connections.
    reasons: Vec<String>,
}

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/healthz", get(health))
        .route("/readyz", get(readiness))
        .route("/metrics", get(metrics))
}

async fn health() -> Json<Health> {
    Json(Health { status: "ok" })
}

async fn metrics(State(app): State<App>) -> Response {
    let now = now();
    let text = app.metrics().render(&app.board().connections(now), now);
    ([(header::CONTENT_TYPE, FORMAT)], text).into_response()
}

async fn readiness(State(app): State<App>) -> Response {
    let mut reasons: Vec<String> = Vec::new();
    match app.standing() {
        Standing::Leading => {}
        Standing::Starting => reasons.push("it is starting".to_owned()),
        Standing::By => reasons.push("it stands by: another daemon leads".to_owned()),
        Standing::Draining => reasons.push("it is stopping".to_owned()),
    }
    if let Err(error) = app.store().ping().await {
        reasons.push(error.to_string());
    }
    let views = app.board().connections(now());
    let working = reasons.is_empty() && !all_fail(&views);
    reasons.extend(views.iter().filter_map(failing));
    let status = match working {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    let document = Readiness {
        ready: working,
        reasons,
    };
    (status, Json(document)).into_response()
}

/// Whether none of those that should run can.
fn all_fail(views: &[ConnectionView]) -> bool {
    let mut wanted = views.iter().filter(|view| {
        !matches!(
            view.state,
            ConnectionState::Paused | ConnectionState::Manual
        )
    });
    let any = wanted.clone().next().is_some();
    any && wanted.all(|view| failing(view).is_some())
}

/// Why a connection does not work, where its last run failed.
fn failing(view: &ConnectionView) -> Option<String> {
    let failed = view.failures_in_a_row > 0;
    let error = view.error.as_ref().filter(|_| failed)?;
    Some(format!("{}: {}", view.connection, error.message))
}
