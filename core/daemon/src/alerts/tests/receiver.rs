//! A webhook of this machine that answers as it is told, badly if need be.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tokio::sync::watch;

/// What it does with the next alert.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    Status(u16),
    /// Takes it, and breaks the connection instead of answering.
    Lost,
    /// Takes it, and never answers.
    Silence,
    /// Asks for some patience.
    Wait(u32),
    /// Sends whoever asks elsewhere.
    Elsewhere,
}

/// What it got.
#[derive(Clone, Debug)]
pub(super) struct Got {
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Got {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

#[derive(Clone)]
struct Script {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    got: watch::Sender<Vec<Got>>,
}

pub(super) struct Receiver {
    pub(super) address: String,
    got: watch::Receiver<Vec<Got>>,
}

impl Receiver {
    /// Gives these answers one after the other, then takes everything.
    pub(super) async fn with(answers: &[Answer]) -> Self {
        let (sender, got) = watch::channel(Vec::new());
        let script = Script {
            answers: Arc::new(Mutex::new(answers.iter().copied().collect())),
            got: sender,
        };
        let router = Router::new()
            .route("/hook/secret-path", post(take))
            .route("/other", post(take))
            .with_state(script);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/hook/secret-path", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, got }
    }

    pub(super) fn got(&self) -> Vec<Got> {
        self.got.borrow().clone()
    }

    /// Waits until it got so many.
    pub(super) async fn wait(&self, number: usize) -> Vec<Got> {
        let patience = std::time::Duration::from_secs(60);
        let mut got = self.got.clone();
        let enough = got.wait_for(|got| got.len() >= number);
        let found = tokio::time::timeout(patience, enough).await;
        found.expect("it never got so many").unwrap().clone()
    }
}

async fn take(State(script): State<Script>, headers: HeaderMap, body: String) -> Response {
    let got = Got { headers, body };
    script.got.send_modify(|all| all.push(got));
    let answer = script.answers.lock().unwrap().pop_front();
    match answer {
        None => StatusCode::OK.into_response(),
        Some(Answer::Status(status)) => {
            let status = StatusCode::from_u16(status).unwrap();
            (status, "what is wrong with it").into_response()
        }
        Some(Answer::Wait(seconds)) => {
            let headers = [("retry-after", seconds.to_string())];
            (StatusCode::TOO_MANY_REQUESTS, headers).into_response()
        }
        Some(Answer::Elsewhere) => {
            (StatusCode::TEMPORARY_REDIRECT, [("location", "/other")]).into_response()
        }
        Some(Answer::Lost) => {
            // Promised and not kept: the client sees a broken answer.
            let broken = futures::stream::iter([Err::<String, _>(std::io::Error::other("cut"))]);
            let mut response = Response::new(axum::body::Body::from_stream(broken));
            *response.status_mut() = StatusCode::BAD_GATEWAY;
            response
        }
        Some(Answer::Silence) => std::future::pending().await,
    }
}
