//! The SQL API: requests with an identity, handles, pieces of answers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use uuid::Uuid;

use super::auth;
use super::engine::{Engine, Refusal};
use super::fault::{Fault, Faults};
use super::results::Rows;

/// Rows of one piece of an answer: few, so that answers have several.
const PIECE: usize = 2_000;
/// Answers that are kept.
const KEPT: usize = 400;

/// What the server has.
#[derive(Debug)]
pub(super) struct Shared {
    engine: Mutex<Engine>,
    faults: Mutex<Faults>,
    kept: Mutex<Kept>,
    requests: AtomicUsize,
}

/// What was answered.
#[derive(Debug, Default)]
struct Kept {
    /// What a request of this identity came to.
    requests: HashMap<String, (StatusCode, Value)>,
    rows: HashMap<String, Rows>,
    /// The handles, oldest first.
    order: Vec<String>,
    /// How often a handle has to be asked before it answers.
    pending: HashMap<String, (u32, StatusCode, Value)>,
}

impl Kept {
    fn keep(&mut self, rows: Rows) -> String {
        let handle = Uuid::new_v4().to_string();
        self.rows.insert(handle.clone(), rows);
        self.order.push(handle.clone());
        if self.order.len() > KEPT {
            let oldest = self.order.remove(0);
            self.rows.remove(&oldest);
        }
        handle
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn new(engine: Engine) -> Self {
        Self {
            engine: Mutex::new(engine),
            faults: Mutex::default(),
            kept: Mutex::default(),
            requests: AtomicUsize::new(0),
        }
    }

    pub(super) fn engine(&self) -> MutexGuard<'_, Engine> {
        lock(&self.engine)
    }

    pub(super) fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.faults)
    }

    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/api/v2/statements", post(submit))
        .route("/api/v2/statements/{handle}", get(ask))
        .with_state(shared)
}

type Asked = Query<HashMap<String, String>>;

async fn submit(
    State(shared): State<Arc<Shared>>,
    Query(query): Asked,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    shared.requests.fetch_add(1, Ordering::SeqCst);
    if let Err((code, message)) = auth::admit(&headers) {
        return refusal(StatusCode::UNAUTHORIZED, code, message);
    }
    let Ok(body) = serde_json::from_slice::<Value>(&body) else {
        return refusal(
            StatusCode::BAD_REQUEST,
            "391920",
            "Unable to parse the request body.",
        );
    };
    let text = body["statement"].as_str().unwrap_or_default();
    let id = query.get("requestId").cloned().unwrap_or_default();
    let repeated = query.get("retry").is_some_and(|retry| retry == "true");
    // What was done for this identity before is not done again.
    let before = repeated
        .then(|| lock(&shared.kept).requests.get(&id).cloned())
        .flatten();
    if let Some((status, answer)) = before {
        return (status, axum::Json(answer)).into_response();
    }
    let fault = shared.faults().of(text);
    match fault {
        Some(Fault::LostBefore) => return broken(),
        Some(Fault::Throttled) => {
            return refusal(
                StatusCode::TOO_MANY_REQUESTS,
                "390429",
                "Too many requests.",
            );
        }
        Some(Fault::Unavailable) => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Some(Fault::Expired) => {
            return refusal(
                StatusCode::UNAUTHORIZED,
                "390318",
                "OAuth access token expired.",
            );
        }
        Some(
            Fault::LostAfter | Fault::Later(_) | Fault::Denied | Fault::Skipped | Fault::Refused(_),
        )
        | None => {}
    }
    let (status, answer) = carry_out(&shared, &body, text, fault);
    lock(&shared.kept)
        .requests
        .insert(id, (status, answer.clone()));
    match fault {
        Some(Fault::LostAfter) => broken(),
        Some(Fault::Later(times)) => {
            let handle = Uuid::new_v4().to_string();
            lock(&shared.kept)
                .pending
                .insert(handle.clone(), (times, status, answer));
            (StatusCode::ACCEPTED, axum::Json(under_way(&handle))).into_response()
        }
        _ => (status, axum::Json(answer)).into_response(),
    }
}

fn under_way(handle: &str) -> Value {
    json!({
        "code": "333334",
        "message": "Asynchronous execution in progress.",
        "statementHandle": handle,
        "statementStatusUrl": format!("/api/v2/statements/{handle}"),
    })
}

fn carry_out(
    shared: &Shared,
    body: &Value,
    text: &str,
    fault: Option<Fault>,
) -> (StatusCode, Value) {
    let failed = |code: &str, message: &str| {
        let body = json!({"code": code, "message": message, "sqlState": "42000",
            "statementHandle": Uuid::new_v4().to_string()});
        (StatusCode::UNPROCESSABLE_ENTITY, body)
    };
    match fault {
        Some(Fault::Denied) => {
            let message = "SQL access control error: Insufficient privileges to operate on schema";
            return failed("003001", message);
        }
        Some(Fault::Refused(code)) => return failed(code, "refused on purpose"),
        _ => {}
    }
    let count = body["parameters"]["MULTI_STATEMENT_COUNT"]
        .as_str()
        .unwrap_or("1");
    let count = count.parse().unwrap_or(1);
    let schema = body["schema"].as_str();
    let done = {
        let mut engine = shared.engine();
        engine.skip_files(fault);
        engine.run(text, Some(count), schema)
    };
    let answers = match done {
        Ok(answers) => answers,
        Err(Refusal { code, message }) => return failed(&code, &message),
    };
    let mut kept = lock(&shared.kept);
    let mut handles: Vec<String> = answers.into_iter().map(|rows| kept.keep(rows)).collect();
    match handles.as_slice() {
        [one] => {
            let answer = answer(&kept.rows[one], one);
            (StatusCode::OK, answer)
        }
        _ => {
            let handle = Uuid::new_v4().to_string();
            let handles = std::mem::take(&mut handles);
            let answer = json!({
                "code": "090001",
                "message": "Statement executed successfully.",
                "statementHandle": handle,
                "statementHandles": handles,
                "resultSetMetaData": {"numRows": 1, "format": "jsonv2",
                    "rowType": [{"name": "multiple statement execution", "type": "text"}],
                    "partitionInfo": [{"rowCount": 1}]},
                "data": [["Multiple statements executed successfully."]],
            });
            (StatusCode::OK, answer)
        }
    }
}

fn answer(rows: &Rows, handle: &str) -> Value {
    let pieces: Vec<Value> = rows
        .rows
        .chunks(PIECE)
        .map(|piece| json!({"rowCount": piece.len(), "uncompressedSize": 1}))
        .collect();
    let first = rows.rows.chunks(PIECE).next().unwrap_or_default();
    json!({
        "code": "090001",
        "message": "Statement executed successfully.",
        "sqlState": "00000",
        "statementHandle": handle,
        "resultSetMetaData": {
            "numRows": rows.rows.len(),
            "format": "jsonv2",
            "rowType": rows.columns,
            "partitionInfo": pieces,
        },
        "data": first,
    })
}

async fn ask(
    State(shared): State<Arc<Shared>>,
    Path(handle): Path<String>,
    Query(query): Asked,
    headers: HeaderMap,
) -> Response {
    if let Err((code, message)) = auth::admit(&headers) {
        return refusal(StatusCode::UNAUTHORIZED, code, message);
    }
    let mut kept = lock(&shared.kept);
    if let Some((left, status, answer)) = kept.pending.get_mut(&handle) {
        if *left > 0 {
            *left -= 1;
            return (StatusCode::ACCEPTED, axum::Json(under_way(&handle))).into_response();
        }
        return (*status, axum::Json(answer.clone())).into_response();
    }
    let Some(rows) = kept.rows.get(&handle) else {
        return refusal(StatusCode::NOT_FOUND, "391918", "Statement not found.");
    };
    let piece = query
        .get("partition")
        .and_then(|number| number.parse::<usize>().ok());
    let body = match piece {
        None | Some(0) => answer(rows, &handle),
        Some(number) => json!({"data": rows.rows.chunks(PIECE).nth(number).unwrap_or_default()}),
    };
    axum::Json(body).into_response()
}

fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
    (
        status,
        axum::Json(json!({"code": code, "message": message})),
    )
        .into_response()
}

/// A reply that begins, and then the connection breaks.
fn broken() -> Response {
    let pieces = futures::stream::iter([
        Ok::<_, std::io::Error>(Bytes::from_static(b"{")),
        Err(std::io::Error::other("broken on purpose")),
    ]);
    Body::from_stream(pieces).into_response()
}
