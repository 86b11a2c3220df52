#![allow(clippy::unwrap_used)]

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::testing::{Fake, until};
use crate::view::ConnectionState;

const CONFIGURATION: &str =
    "connections: {a: {source: s, destination: d}}\ndaemon: {token: hunter2}\n";

struct Reply {
    status: u16,
    kind: String,
    body: String,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|why| panic!("{why}: {}", self.body))
    }
}

async fn app(yaml: &str) -> App {
    let fake = Fake::new(yaml);
    let (shared, fleet) = fake.fleet().await;
    let app = App::new(shared.clone(), fleet, &fake.plan());
    app.set_standing(Standing::Leading);
    until(&shared, "a", |view| view.state == ConnectionState::Manual).await;
    app
}

async fn ask(app: &App, method: &str, path: &str, token: Option<&str>, body: &str) -> Reply {
    let mut request = Request::builder()
        .method(method.to_uppercase().as_str())
        .uri(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let request = request.body(Body::from(body.to_owned())).unwrap();
    let response = router(app.clone()).oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let kind = response.headers().get("content-type");
    let kind = kind.map_or("", |kind| kind.to_str().unwrap()).to_owned();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    Reply {
        status,
        kind,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

/// Holds an answer against what the document says of it.
#[track_caller]
fn assert_promised(document: &Value, method: &str, path: &str, reply: &Reply) {
    let responses = &document["paths"][path][method]["responses"];
    let response = &responses[reply.status.to_string()];
    assert!(
        response.is_object(),
        "{method} {path}: {} is not promised",
        reply.status
    );
    let content = response["content"].as_object().unwrap();
    let (kind, promised) = content.iter().next().unwrap();
    assert!(
        reply.kind.starts_with(kind.as_str()),
        "{method} {path}: {}",
        reply.kind
    );
    if kind != "application/json" {
        return;
    }
    let mut schema = promised["schema"].clone();
    schema["components"] = document["components"].clone();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mistakes: Vec<String> = validator
        .iter_errors(&reply.json())
        .map(|mistake| format!("{}: {mistake}", mistake.instance_path))
        .collect();
    assert!(
        mistakes.is_empty(),
        "{method} {path}: {mistakes:#?}\n{}",
        reply.body
    );
}

#[tokio::test]
async fn every_route_keeps_what_the_document_promises() {
    let app = app(CONFIGURATION).await;
    let document = ask(&app, "get", "/openapi.json", None, "").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    for route in openapi::ROUTES {
        let call = |name: &str| route.path.replace("{name}", name);
        let is_query = route.path.ends_with("/query");
        let name = if is_query { "d" } else { "a" };
        let body = if is_query {
            r#"{"sql": "SELECT * FROM \"x\".\"y\""}"#
        } else {
            ""
        };
        let reply = ask(&app, route.method, &call(name), Some("hunter2"), body).await;
        let good = reply.status == route.success || (is_query && reply.status == 409);
        assert!(good, "{}: {} {}", route.path, reply.status, reply.body);
        assert_promised(&document, route.method, route.path, &reply);
        if route.path.contains("{name}") {
            let reply = ask(&app, route.method, &call("nobody"), Some("hunter2"), body).await;
            assert_eq!(reply.status, 404, "{}", route.path);
            assert_promised(&document, route.method, route.path, &reply);
        }
        if route.refusals.contains(&401) {
            for (token, body) in [(None, body), (Some("hunter3"), body)] {
                let reply = ask(&app, route.method, &call(name), token, body).await;
                assert_eq!(reply.status, 401, "{}", route.path);
                assert_promised(&document, route.method, route.path, &reply);
            }
        }
        if document["paths"][route.path][route.method]["requestBody"].is_object() {
            let reply = ask(
                &app,
                route.method,
                &call(name),
                Some("hunter2"),
                "{\"x\": 1}",
            )
            .await;
            assert_eq!(reply.status, 400, "{}", route.path);
            assert_promised(&document, route.method, route.path, &reply);
        }
    }
}

#[tokio::test]
async fn nothing_can_be_changed_without_a_token() {
    for yaml in [
        "connections: {a: {source: s, destination: d}}\n",
        "connections: {a: {source: s, destination: d}}\ndaemon: {token: \"\"}\n",
    ] {
        let app = app(yaml).await;
        for token in [None, Some(""), Some("x")] {
            let reply = ask(&app, "post", "/api/v1/connections/a/sync", token, "").await;
            assert_eq!(reply.status, 403, "{token:?}");
            assert!(reply.body.contains("daemon.token"), "{}", reply.body);
        }
        let reply = ask(&app, "get", "/api/v1/connections", None, "").await;
        assert_eq!(reply.json()["connections"][0]["connection"], "a");
    }
}

#[tokio::test]
async fn what_is_asked_is_done() {
    let app = app(CONFIGURATION).await;
    let post = async |action: &str, body: &str| {
        let path = format!("/api/v1/connections/a/{action}");
        ask(&app, "post", &path, Some("hunter2"), body).await.status
    };
    assert_eq!(post("sync", r#"{"streams": ["shop.orders"]}"#).await, 202);
    let view = until(app.shared(), "a", |view| view.last_success_at.is_some()).await;
    assert_eq!(view.last_run.unwrap().streams, ["shop.orders"]);
    let loads = ask(&app, "get", "/api/v1/connections/a/loads?limit=1", None, "").await;
    assert_eq!(loads.json()["loads"][0]["records"], 2);
    assert_eq!(post("pause", "").await, 202);
    assert_eq!(post("sync", "").await, 409);
    assert_eq!(post("resume", "").await, 202);
    assert_eq!(post("reset", r#"{"stream": "shop.nothing"}"#).await, 404);
    assert_eq!(post("reset", "").await, 202);
}

#[tokio::test]
async fn limits_hold_and_nothing_secret_is_told() {
    let app = app(CONFIGURATION).await;
    let large = format!("{{\"streams\": [\"{}\"]}}", "x".repeat(70_000));
    let reply = ask(
        &app,
        "post",
        "/api/v1/connections/a/sync",
        Some("hunter2"),
        &large,
    )
    .await;
    assert_eq!(reply.status, 413);
    for (method, path, status) in [
        ("get", "/nothing", 404),
        ("get", "/api/v1/connections/a/sync", 405),
        ("get", "/api/v1/connections/a/loads?limit=many", 400),
        ("get", "/api/v1/connections/a/loads?limits=1", 400),
    ] {
        let reply = ask(&app, method, path, None, "").await;
        assert_eq!(reply.status, status, "{path}");
        assert!(reply.json()["error"]["what"].is_string(), "{path}");
    }
    for route in openapi::ROUTES.iter().filter(|route| route.method == "get") {
        let reply = ask(&app, "get", &route.path.replace("{name}", "a"), None, "").await;
        assert!(!reply.body.contains("hunter2"), "{}", route.path);
    }
}

#[tokio::test]
async fn only_an_object_says_what_to_do() {
    let app = app(CONFIGURATION).await;
    for action in ["sync", "reset"] {
        let path = format!("/api/v1/connections/a/{action}");
        for body in ["[]", "null", "7", "\"shop\""] {
            let reply = ask(&app, "post", &path, Some("hunter2"), body).await;
            assert_eq!(reply.status, 400, "{action} {body}: {}", reply.body);
        }
    }
}

#[tokio::test]
async fn readiness_has_reasons() {
    let app = app(CONFIGURATION).await;
    let ready = ask(&app, "get", "/readyz", None, "").await;
    assert_eq!(
        (ready.status, ready.json()),
        (200, json!({"ready": true, "reasons": []}))
    );
    for (standing, why) in [
        (Standing::Starting, "starting"),
        (Standing::By, "stands by"),
        (Standing::Draining, "stopping"),
    ] {
        app.set_standing(standing);
        let reply = ask(&app, "get", "/readyz", None, "").await;
        assert_eq!(reply.status, 503);
        assert!(reply.body.contains(why), "{}", reply.body);
        assert_eq!(ask(&app, "get", "/healthz", None, "").await.status, 200);
    }
}
