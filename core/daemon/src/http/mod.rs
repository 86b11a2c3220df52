//! The HTTP server: composition, and what every answer has in common.
//!
//! Each part has a function `routes() -> Router<App>`; [`router`] puts them together. A part that
//! changes something wraps its routes in [`guard::changing`].
//!
//! Deliberately absent: TLS (a proxy's task), and anything secret in any answer. // G8

mod answer;
mod api;
mod app;
pub(crate) mod guard;
mod health;
mod openapi;
mod server;

use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

use crate::page;

pub(crate) use answer::Refusal;
pub use app::App;
pub(crate) use app::Standing;
pub(crate) use server::serve;

/// The largest body, bytes. // G6
const BODY: usize = 64 << 10;
/// The longest that an answer may take to begin. // G6
const ANSWER: Duration = Duration::from_secs(30);

/// All routes.
pub(crate) fn router(app: App) -> Router {
    Router::new()
        .merge(health::routes())
        .merge(api::routes(&app))
        .merge(openapi::routes())
        .merge(page::routes(app.shown()))
        .fallback(nothing_here)
        .method_not_allowed_fallback(not_so)
        .layer(DefaultBodyLimit::max(BODY))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::GATEWAY_TIMEOUT,
            ANSWER,
        ))
        .layer(middleware::from_fn(careful))
        .layer(CatchPanicLayer::new())
        .with_state(app)
}

async fn nothing_here() -> Response {
    Refusal::not_found("there is nothing here")
        .fix("`/openapi.json` lists what there is.")
        .into_response()
}

async fn not_so() -> Response {
    Refusal::method("this can't be done with this method")
        .fix("`/openapi.json` lists what can.")
        .into_response()
}

/// Headers of every answer: nothing is kept, guessed or told to others.
async fn careful(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests;
