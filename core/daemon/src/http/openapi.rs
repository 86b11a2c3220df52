//! `/openapi.json`: what the API is, from the same types that it answers with.
//!
//! Invariant: [`ROUTES`] lists every route that is not a page; a test calls each and holds what it
//! answers against what is said here.

use axum::routing::get;
use axum::{Json, Router};
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::{App, answer, api, health};
use crate::view::ConnectionView;

/// A route.
pub(super) struct Route {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    summary: &'static str,
    /// What its body may hold.
    body: Option<fn(&mut SchemaGenerator) -> Value>,
    /// The status of success, and the schema of that answer; text where there is none.
    pub(super) success: u16,
    answer: Option<fn(&mut SchemaGenerator) -> Value>,
    /// Statuses of refusals.
    pub(super) refusals: &'static [u16],
}

fn of<T: schemars::JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().to_value()
}

const CHANGES: &[u16] = &[400, 401, 403, 404, 409, 413, 503];

/// Every route that is not a page.
pub(super) const ROUTES: &[Route] = &[
    Route {
        method: "get",
        path: "/healthz",
        summary: "Whether the daemon is alive",
        body: None,
        success: 200,
        answer: Some(of::<health::Health>),
        refusals: &[],
    },
    Route {
        method: "get",
        path: "/readyz",
        summary: "Whether it is able to work, and if not, why (then with status 503)",
        body: None,
        success: 200,
        answer: Some(of::<health::Readiness>),
        refusals: &[],
    },
    Route {
        method: "get",
        path: "/metrics",
        summary: "Metrics in Prometheus's text format",
        body: None,
        success: 200,
        answer: None,
        refusals: &[],
    },
    Route {
        method: "get",
        path: "/openapi.json",
        summary: "This document",
        body: None,
        success: 200,
        answer: Some(|_| json!({ "type": "object" })),
        refusals: &[],
    },
    Route {
        method: "get",
        path: "/api/v1/connections",
        summary: "Every connection, and how the configuration stands",
        body: None,
        success: 200,
        answer: Some(of::<api::Connections>),
        refusals: &[],
    },
    Route {
        method: "get",
        path: "/api/v1/connections/{name}",
        summary: "One connection",
        body: None,
        success: 200,
        answer: Some(of::<ConnectionView>),
        refusals: &[404],
    },
    Route {
        method: "get",
        path: "/api/v1/connections/{name}/loads",
        summary: "The last loads of a connection, the newest first; `?limit=` says how many",
        body: None,
        success: 200,
        answer: Some(of::<api::Loads>),
        refusals: &[400, 404],
    },
    Route {
        method: "post",
        path: "/api/v1/connections/{name}/sync",
        summary: "Run it now, whatever its schedule says",
        body: Some(of::<api::SyncBody>),
        success: 202,
        answer: Some(of::<api::Taken>),
        refusals: CHANGES,
    },
    Route {
        method: "post",
        path: "/api/v1/connections/{name}/pause",
        summary: "Stop its run where nothing that is complete is lost, and run it no more",
        body: None,
        success: 202,
        answer: Some(of::<api::Taken>),
        refusals: CHANGES,
    },
    Route {
        method: "post",
        path: "/api/v1/connections/{name}/resume",
        summary: "Let it run again; what had failed is tried at once",
        body: None,
        success: 202,
        answer: Some(of::<api::Taken>),
        refusals: CHANGES,
    },
    Route {
        method: "post",
        path: "/api/v1/connections/{name}/reset",
        summary: "Forget its cursors, or that of one stream: the next run reads it anew",
        body: Some(of::<api::ResetBody>),
        success: 202,
        answer: Some(of::<api::Taken>),
        refusals: CHANGES,
    },
    Route {
        method: "post",
        path: "/api/v1/destinations/{name}/query",
        summary: "Ask a destination a question in SQL that only reads",
        body: Some(of::<api::Question>),
        success: 200,
        answer: Some(of::<api::Answered>),
        refusals: CHANGES,
    },
];

pub(super) fn routes() -> Router<App> {
    Router::new().route("/openapi.json", get(|| async { Json(document()) }))
}

/// The document.
pub(super) fn document() -> Value {
    let mut generator = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into())
        .into_generator();
    let refusal = of::<answer::Document>(&mut generator);
    let mut paths = Map::new();
    for route in ROUTES {
        let operation = operation(route, &refusal, &mut generator);
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method] = operation;
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tributary",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What the daemon knows of its connections, and what can be asked of it.",
        },
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
    })
}

fn operation(route: &Route, refusal: &Value, generator: &mut SchemaGenerator) -> Value {
    let as_json = |schema: &Value| json!({ "application/json": { "schema": schema } });
    let success = match route.answer {
        Some(schema) => as_json(&schema(generator)),
        None => json!({ "text/plain": { "schema": { "type": "string" } } }),
    };
    let mut responses = Map::new();
    let mut respond = |status: u16, what: &str, content: &Value| {
        let response = json!({ "description": what, "content": content });
        responses.insert(status.to_string(), response);
    };
    respond(route.success, "done, or taken on", &success);
    if route.path == "/readyz" {
        respond(503, "not able to work", &success);
    }
    for status in route.refusals {
        respond(*status, "not done", &as_json(refusal));
    }
    let mut operation = json!({ "summary": route.summary, "responses": responses });
    if route.path.contains("{name}") {
        operation["parameters"] = json!([{
            "name": "name", "in": "path", "required": true, "schema": { "type": "string" },
        }]);
    }
    if let Some(schema) = route.body {
        operation["requestBody"] = json!({ "content": as_json(&schema(generator)) });
    }
    if route.method == "post" {
        operation["security"] = json!([{ "token": [] }]);
    }
    operation
}
