//! The status page: every connection at a glance, and one in full.
//!
//! Rendered here from the board, escaped by the templates, complete without scripts; a small script
//! keeps it live and sends what buttons ask for to the API, which asks for the token. Nothing is
//! loaded from elsewhere, and the policy that is sent along forbids it.
//!
//! Invariant: a page is a function of the board's views and the time. Deliberately absent: changing
//! anything; the page has no road around the API.

mod assets;
mod chart;
mod connection;
mod fragment;
mod frame;
mod icon;
mod live;
mod overview;
mod standing;
mod words;

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tributary_model::now;

use crate::{Board, Bus};
use overview::Overview;

/// What a page may do: show what comes from here.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What pages are made of. There is nothing in it that could change anything.
#[derive(Clone, Debug)]
pub struct Shown {
    /// What is known.
    pub board: Arc<Board>,
    /// What happens.
    pub bus: Bus,
    /// True once the daemon ends: events end with it.
    pub stopping: watch::Receiver<bool>,
}

/// The pages, their files and their events.
pub fn routes<S>(shown: Shown) -> Router<S> {
    Router::new()
        .route("/", get(overview))
        .route("/events", get(live::overview))
        .route("/connections/{name}", get(one))
        .route("/connections/{name}/events", get(live::connection))
        .route("/assets/{hash}/{name}", get(assets::send))
        .layer(Extension(live::Viewers::new(live::VIEWERS)))
        .layer(middleware::from_fn(guarded))
        .with_state(shown)
}

async fn overview(State(shown): State<Shown>) -> Html<String> {
    Html(overview::page(&overview_of(&shown, now())).into_string())
}

async fn one(State(shown): State<Shown>, Path(name): Path<String>) -> Response {
    let at = now();
    match shown.board.connection(&name, at) {
        Some(view) => Html(connection::page(&view, at).into_string()).into_response(),
        None => {
            let page = connection::missing(&name, at).into_string();
            (StatusCode::NOT_FOUND, Html(page)).into_response()
        }
    }
}

fn overview_of(shown: &Shown, now: DateTime<Utc>) -> Overview {
    Overview {
        connections: shown.board.connections(now),
        configuration: shown.board.configuration(),
        now,
    }
}

/// Adds to every answer what browsers must not do with it.
async fn guarded(request: Request, next: Next) -> Response {
    const COMMON: [(HeaderName, &str); 4] = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in COMMON {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}
