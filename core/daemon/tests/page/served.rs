//! The page on a port of this machine, with an API that asks for a token.

use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::watch;
use tributary_daemon::page::{self, Shown};
use tributary_daemon::{Board, Bus, ConnectionView, Notice};

/// The only token that is right.
pub const TOKEN: &str = "correct horse";

type Asked = Arc<Mutex<Vec<(String, Value)>>>;

/// A page that is served.
pub struct Served {
    pub address: String,
    pub board: Arc<Board>,
    pub bus: Bus,
    /// What was asked of the API with the right token: the path and the body.
    pub asked: Asked,
    /// Dropping it would end all events.
    pub stop: watch::Sender<bool>,
}

/// A board with these connections.
pub fn shown(connections: Vec<ConnectionView>) -> (Shown, watch::Sender<bool>) {
    let board = Arc::new(Board::default());
    for view in connections {
        board.put(view);
    }
    let (stop, stopping) = watch::channel(false);
    let shown = Shown {
        board,
        bus: Bus::default(),
        stopping,
    };
    (shown, stop)
}

impl Served {
    pub async fn of(connections: Vec<ConnectionView>) -> Self {
        let (shown, stop) = shown(connections);
        let asked = Asked::default();
        let router = page::routes(shown.clone()).merge(
            Router::new()
                .route("/api/v1/connections/{name}/{verb}", post(change))
                .with_state(asked.clone()),
        );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            board: shown.board,
            bus: shown.bus,
            asked,
            stop,
        }
    }

    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }

    /// Changes a connection, as its keeper would.
    pub fn change(&self, name: &str, change: impl FnOnce(&mut ConnectionView)) {
        self.board.update(name, change);
        self.bus.tell(Notice::Changed {
            connection: name.into(),
        });
    }
}

async fn change(
    State(asked): State<Asked>,
    Path((name, verb)): Path<(String, String)>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> (StatusCode, Json<Value>) {
    let shown = headers.get("authorization").map(|value| value.as_bytes());
    if shown != Some(format!("Bearer {TOKEN}").as_bytes()) {
        return (StatusCode::UNAUTHORIZED, Json(json!({})));
    }
    asked.lock().unwrap().push((format!("{name}/{verb}"), body));
    (StatusCode::ACCEPTED, Json(json!({})))
}
