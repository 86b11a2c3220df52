//! The REST API as the tests see it: the emulator's, mended, and failing when it is told to.

use std::collections::HashSet;
use std::convert::Infallible;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::Emulator;

/// What goes wrong with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It never arrives, and there is no answer.
    LostBefore,
    /// It is done, and there is no answer.
    LostAfter,
    /// 503.
    Unavailable,
    /// 403 with the reason `rateLimitExceeded`.
    RateLimited,
    /// 403 with the reason `accessDenied`.
    Denied,
    /// 401: the token has expired.
    Expired,
    /// The job is refused because another one changed the same table.
    Conflict,
}

/// A fault, and which requests it is for.
#[derive(Clone, Debug)]
struct Planned {
    method: &'static str,
    part: String,
    fault: Fault,
    times: usize,
}

/// A proxy in front of an emulator.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    _stop: oneshot::Sender<Infallible>,
}

#[derive(Debug)]
struct Shared {
    emulator: Arc<Emulator>,
    http: reqwest::Client,
    planned: Mutex<Vec<Planned>>,
    /// Jobs by their ids; one is looked for and made at a time.
    jobs: tokio::sync::Mutex<HashSet<String>>,
    seen: Mutex<Vec<String>>,
    scripts: Mutex<Vec<Value>>,
    /// Where logins are answered: the number of the last token.
    tokens: Mutex<u64>,
}

impl Proxy {
    /// Stands in front of `emulator` until it is dropped.
    ///
    /// # Panics
    /// Panics where no port is free.
    #[must_use]
    pub fn start(emulator: Arc<Emulator>) -> Self {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .expect("a port is free");
        let port = listener
            .local_addr()
            .expect("a listener has an address")
            .port();
        let shared = Arc::new(Shared {
            emulator,
            http: reqwest::Client::builder()
                .no_proxy()
                .build()
                .expect("a client can be made"),
            planned: Mutex::default(),
            jobs: tokio::sync::Mutex::default(),
            seen: Mutex::default(),
            scripts: Mutex::default(),
            tokens: Mutex::default(),
        });
        let app = Router::new().fallback(answer).with_state(shared.clone());
        let (stop, stopped) = oneshot::channel();
        // A thread and a runtime of its own: it answers whatever the test's runtime is doing.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .expect("a runtime can be made");
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener);
                let listener = listener.expect("a listener can be watched");
                tokio::select! {
                    _ = axum::serve(listener, app) => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        });
        Self {
            port,
            shared,
            _stop: stop,
        }
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Lets the next requests fail that have this method and in whose path or body `part` stands.
    pub fn fail(&self, method: &'static str, part: &str, fault: Fault, times: usize) {
        let mut planned = lock(&self.shared.planned);
        planned.push(Planned {
            method,
            part: part.to_owned(),
            fault,
            times,
        });
    }

    /// Whether every planned fault has happened.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        lock(&self.shared.planned).is_empty()
    }

    /// The requests so far, as `POST /path`.
    #[must_use]
    pub fn seen(&self) -> Vec<String> {
        lock(&self.shared.seen).clone()
    }

    /// The jobs that were asked for so far, as BigQuery was asked.
    #[must_use]
    pub fn jobs(&self) -> Vec<Value> {
        lock(&self.shared.scripts).clone()
    }

    /// How many tokens were given.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        *lock(&self.shared.tokens)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, 64 << 20).await else {
        return refusal(400, "invalid", "the request broke off");
    };
    let path = head
        .uri
        .path_and_query()
        .map_or("", |path| path.as_str())
        .to_owned();
    let method = head.method.to_string();
    lock(&shared.seen).push(format!("{method} {path}"));
    if path == "/token" {
        return shared.token();
    }
    let fault = shared.fault(&method, &path, &body);
    match fault {
        None => shared.forward(&method, &path, body).await,
        Some(Fault::LostBefore) => broken(),
        Some(Fault::LostAfter) => {
            shared.forward(&method, &path, body).await;
            broken()
        }
        Some(Fault::Unavailable) => refusal(503, "backendError", "try again later"),
        Some(Fault::RateLimited) => refusal(403, "rateLimitExceeded", "Exceeded rate limits"),
        Some(Fault::Denied) => refusal(403, "accessDenied", "Access Denied: permission bigquery.x"),
        Some(Fault::Expired) => refusal(401, "authError", "Invalid Credentials"),
        Some(Fault::Conflict) => shared.conflict(body).await,
    }
}

impl Shared {
    fn fault(&self, method: &str, path: &str, body: &[u8]) -> Option<Fault> {
        let text = String::from_utf8_lossy(body);
        let mut planned = lock(&self.planned);
        let fits = |planned: &Planned| {
            planned.method == method
                && (path.contains(&planned.part) || text.contains(&planned.part))
        };
        let at = planned.iter().position(fits)?;
        planned[at].times -= 1;
        let fault = planned[at].fault;
        if planned[at].times == 0 {
            planned.remove(at);
        }
        Some(fault)
    }

    fn token(&self) -> Response {
        let mut tokens = lock(&self.tokens);
        *tokens += 1;
        json_response(
            200,
            &json!({"access_token": format!("token-{tokens}"), "expires_in": 3600}),
        )
    }

    async fn forward(self: &Arc<Self>, method: &str, path: &str, body: Bytes) -> Response {
        if method == "POST" && path.ends_with("/jobs") {
            return self.job(path, body).await;
        }
        match self.ask(method, path, body).await {
            Ok((status, body)) => response(status, body),
            Err(error) => refusal(502, "backendError", &error.to_string()),
        }
    }

    /// A job is made once, and to its end: also where nobody waits for the answer any more.
    async fn job(self: &Arc<Self>, path: &str, body: Bytes) -> Response {
        let (shared, path) = (self.clone(), path.to_owned());
        let made = tokio::spawn(async move { shared.make_job(&path, body).await });
        let failed =
            |error: tokio::task::JoinError| refusal(500, "backendError", &error.to_string());
        made.await.unwrap_or_else(failed)
    }

    async fn make_job(&self, path: &str, body: Bytes) -> Response {
        let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
        let is_dry = asked["configuration"]["dryRun"] == true;
        lock(&self.scripts).push(asked.clone());
        let id = asked["jobReference"]["jobId"].as_str().unwrap_or_default();
        let mut jobs = self.jobs.lock().await;
        if !is_dry && !jobs.insert(id.to_owned()) {
            return refusal(409, "duplicate", &format!("Already Exists: Job {id}"));
        }
        let answered = self.ask("POST", path, body).await;
        match answered {
            Ok((200, body)) if is_dry => dry(&body),
            Ok((status, body)) => {
                if status != 200 {
                    jobs.remove(id);
                }
                response(status, body)
            }
            Err(error) => refusal(502, "backendError", &error.to_string()),
        }
    }

    /// A job that another one has cancelled: it is there, and has failed.
    async fn conflict(self: &Arc<Self>, body: Bytes) -> Response {
        let mut asked: Value = serde_json::from_slice(&body).unwrap_or_default();
        let script = "RAISE USING MESSAGE = 'Transaction is aborted due to concurrent update'";
        asked["configuration"]["query"]["query"] = json!(script);
        let path = "/bigquery/v2/projects/p/jobs";
        self.job(path, Bytes::from(asked.to_string())).await
    }

    async fn ask(&self, method: &str, path: &str, body: Bytes) -> reqwest::Result<(u16, Bytes)> {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap_or_default();
        let request = self
            .http
            .request(method, format!("{}{path}", self.emulator.rest()))
            .header("content-type", "application/json")
            .body(body);
        let response = request.send().await?;
        let status = response.status().as_u16();
        Ok((status, response.bytes().await?))
    }
}

/// What a dry run says, where BigQuery says it.
fn dry(body: &[u8]) -> Response {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let kind = match &body["statementType"] {
        Value::Null => body["statistics"]["query"]["statementType"].clone(),
        kind => kind.clone(),
    };
    let job = json!({
        "kind": "bigquery#job", "status": {"state": "DONE"},
        "statistics": {"query": {"statementType": kind}},
    });
    json_response(200, &job)
}

fn refusal(status: u16, reason: &str, message: &str) -> Response {
    let error = json!({"error": {
        "code": status, "message": message, "errors": [{"reason": reason, "message": message}],
    }});
    json_response(status, &error)
}

fn json_response(status: u16, body: &Value) -> Response {
    response(status, Bytes::from(body.to_string()))
}

fn response(status: u16, body: Bytes) -> Response {
    let status = axum::http::StatusCode::from_u16(status).unwrap_or_default();
    (status, [("content-type", "application/json")], body).into_response()
}

/// An answer that breaks off.
fn broken() -> Response {
    let failed = io::Error::other("the connection is cut");
    let pieces = stream::iter([Ok(Bytes::from_static(b"{")), Err(failed)]);
    Body::from_stream(pieces).into_response()
}
