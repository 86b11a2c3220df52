//! `/api/v1`: what is known of connections, and what can be asked of them.

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tributary_model::{Error, StreamName, now};

use super::{App, Refusal, guard};
use crate::keeper::{Command, Order};
use crate::look;
use crate::view::{ConnectionView, KEPT, LoadView};

/// The most loads that are given at once. // G6
const MOST_LOADS: usize = 1000;

/// All connections.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Connections {
    /// By name.
    connections: Vec<ConnectionView>,
    /// How the configuration stands.
    configuration: Configuration,
}

/// How the configuration stands.
#[derive(Debug, Serialize, JsonSchema)]
struct Configuration {
    /// When the one in use was read.
    loaded_at: Option<DateTime<Utc>>,
    /// When a newer one was refused, if the file has not been valid since.
    refused_at: Option<DateTime<Utc>>,
    /// Every mistake in that one: `line`, `column`, `message`, `help`.
    problems: Vec<Value>,
}

/// The last loads of a connection.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Loads {
    /// The connection.
    connection: String,
    /// The newest first.
    loads: Vec<LoadView>,
}

/// That something was taken on.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Taken {
    /// The connection.
    connection: String,
    /// What was asked.
    action: &'static str,
    /// Whether it will be done, or has been.
    accepted: bool,
}

/// A question to a destination.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    /// The SQL; it may only read.
    sql: String,
}

/// The answer.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Answered {
    /// The names of the columns.
    columns: Vec<String>,
    /// The rows.
    rows: Vec<Vec<Value>>,
}

/// What to run; nothing means everything that is new.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SyncBody {
    /// Only these streams, or patterns of them.
    streams: Vec<String>,
    /// Whether they are copied anew.
    full_refresh: bool,
}

/// What to forget; nothing means all cursors of the connection.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ResetBody {
    /// Only the cursor of this stream.
    stream: Option<String>,
}

/// How many loads.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limit {
    limit: Option<usize>,
}

pub(super) fn routes(app: &App) -> Router<App> {
    let looking = Router::new()
        .route("/api/v1/connections", get(connections))
        .route("/api/v1/connections/{name}", get(connection))
        .route("/api/v1/connections/{name}/loads", get(loads));
    let changing = Router::new()
        .route("/api/v1/connections/{name}/sync", post(sync))
        .route("/api/v1/connections/{name}/pause", post(pause))
        .route("/api/v1/connections/{name}/resume", post(resume))
        .route("/api/v1/connections/{name}/reset", post(reset))
        .route("/api/v1/destinations/{name}/query", post(query));
    looking.merge(guard::changing(changing, app))
}

async fn connections(State(app): State<App>) -> Json<Connections> {
    let configuration = app.board().configuration();
    Json(Connections {
        connections: app.board().connections(now()),
        configuration: Configuration {
            loaded_at: configuration.loaded_at,
            refused_at: configuration.refused_at,
            problems: configuration.problems,
        },
    })
}

fn unknown(name: &str) -> Refusal {
    Refusal::not_found(&format!("there is no connection `{name}`"))
        .fix("`/api/v1/connections` lists those there are.")
}

async fn connection(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Json<ConnectionView>, Refusal> {
    let view = app.board().connection(&name, now());
    view.map(Json).ok_or_else(|| unknown(&name))
}

/// Asks the destination; where it can't answer, what this daemon has seen must do.
async fn loads(
    State(app): State<App>,
    Path(name): Path<String>,
    limit: Result<Query<Limit>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Loads>, Refusal> {
    let limit = limit.map_err(|_| {
        Refusal::bad_request("there is one parameter, `limit`, and it is a whole number")
            .fix("Write `?limit=20`, or leave it out.")
    })?;
    let limit = limit.limit.unwrap_or(KEPT).min(MOST_LOADS);
    let seen = app.board().connection(&name, now());
    let seen = seen.ok_or_else(|| unknown(&name))?;
    let loads = match asked(&app, &name, limit).await {
        Ok(loads) => loads,
        Err(error) => {
            tracing::debug!(connection = name, %error, "the destination was not asked");
            seen.loads.into_iter().take(limit).collect()
        }
    };
    Ok(Json(Loads {
        connection: name,
        loads,
    }))
}

async fn asked(app: &App, name: &str, limit: usize) -> Result<Vec<LoadView>, Error> {
    let Some(job) = app.fleet().job(name) else {
        return Ok(Vec::new());
    };
    let destination = app.shared().destination(&job).await?;
    let loads = destination.loads(&job.plan.options.name, limit).await?;
    Ok(loads.iter().map(look::view_of).collect())
}

async fn sync(
    State(app): State<App>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Response, Refusal> {
    let SyncBody {
        streams,
        full_refresh,
    } = read(&body)?;
    let order = Order {
        streams,
        full_refresh,
    };
    ask(&app, name, "sync", |answer| Command::Sync(order, answer)).await
}

async fn pause(State(app): State<App>, Path(name): Path<String>) -> Result<Response, Refusal> {
    ask(&app, name, "pause", Command::Pause).await
}

async fn resume(State(app): State<App>, Path(name): Path<String>) -> Result<Response, Refusal> {
    ask(&app, name, "resume", Command::Resume).await
}

async fn reset(
    State(app): State<App>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Response, Refusal> {
    let ResetBody { stream } = read(&body)?;
    let stream = stream.map(StreamName::from);
    ask(&app, name, "reset", |answer| Command::Reset(stream, answer)).await
}

/// A file that this process holds open can be asked through it.
async fn query(
    State(app): State<App>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<Answered>, Refusal> {
    let Question { sql } = serde_json::from_slice(&body)
        .map_err(|_| Refusal::bad_request("the body is not `{\"sql\": \"…\"}`"))?;
    let jobs = app.fleet().jobs();
    let job = jobs.iter().find(|job| job.plan.destination == name);
    let job = job.ok_or_else(|| {
        Refusal::not_found(&format!("no connection leads to a destination `{name}`"))
    })?;
    let answer = app.shared().destination(job).await?.query(&sql).await?;
    Ok(Json(Answered {
        columns: answer.columns,
        rows: answer.rows,
    }))
}

fn read<B: DeserializeOwned + Default>(body: &Bytes) -> Result<B, Refusal> {
    if body.is_empty() {
        return Ok(B::default());
    }
    // Fields in order, without their names, would be taken as well, and none of them for all of it.
    let object: Result<Map<String, Value>, _> = serde_json::from_slice(body);
    let read = object.and_then(|object| serde_json::from_value(Value::Object(object)));
    read.map_err(|why| {
        Refusal::bad_request(&format!("the body can't be read: {why}"))
            .fix("`/openapi.json` says what it may hold; it may also be left out.")
    })
}

async fn ask(
    app: &App,
    name: String,
    action: &'static str,
    command: impl FnOnce(tokio::sync::oneshot::Sender<tributary_model::Result<()>>) -> Command,
) -> Result<Response, Refusal> {
    let asked = app.fleet().ask(&name, command).await;
    asked.ok_or_else(|| unknown(&name))??;
    let taken = Taken {
        connection: name,
        action,
        accepted: true,
    };
    Ok((StatusCode::ACCEPTED, Json(taken)).into_response())
}
