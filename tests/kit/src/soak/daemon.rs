//! The daemon under test, and what it says over HTTP.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::program::{Program, Running};
use crate::server::Port;

pub(super) const TOKEN: &str = "correct-horse-battery-staple";

/// A daemon that runs.
pub(super) struct Daemon {
    pub(super) running: Running,
    port: Port,
}

impl Daemon {
    pub(super) async fn start(program: &Program) -> Self {
        let port = Port::take();
        let listen = format!("127.0.0.1:{}", port.number);
        let env = [("TRIBUTARY__DAEMON__LISTEN", listen.as_str())];
        let mut running = program.start_with(&env, &["daemon"]);
        running.logged("listening").await;
        Self { running, port }
    }

    /// Stops it as a supervisor does.
    pub(super) async fn stop(self) {
        self.running.terminate();
        self.running.wait().await.exits(0);
    }

    /// What it says of every connection; nothing while it does not answer.
    pub(super) async fn connections(&self) -> Vec<Value> {
        let body = self.ask("GET", "/api/v1/connections").await;
        let document: Value = body
            .and_then(|body| serde_json::from_str(&body).ok())
            .unwrap_or_default();
        document["connections"]
            .as_array()
            .cloned()
            .unwrap_or_default()
    }

    /// Asks for something; `None` where nobody answers.
    pub(super) async fn ask(&self, method: &str, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port.number))
            .await
            .ok()?;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             authorization: Bearer {TOKEN}\r\ncontent-length: 0\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        Some(answer.split_once("\r\n\r\n")?.1.to_owned())
    }

    /// Runs every connection once more, and waits until all are complete as of now.
    pub(super) async fn wait_until_complete(&self, names: &[&str], limit: Duration) {
        let now = tributary_model::now();
        for name in names {
            for action in ["resume", "sync"] {
                let path = format!("/api/v1/connections/{name}/{action}");
                self.ask("POST", &path).await;
            }
        }
        let begun = Instant::now();
        let complete = |view: &Value| {
            let at = view["complete_as_of"]
                .as_str()
                .and_then(|text| text.parse().ok());
            at.is_some_and(|at: chrono::DateTime<chrono::Utc>| at > now)
        };
        loop {
            let views = self.connections().await;
            if !views.is_empty() && views.iter().all(complete) {
                return;
            }
            let log = self.running.stderr();
            assert!(begun.elapsed() < limit, "never complete: {views:#?}\n{log}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}
