//! The daemon as a test meets it: a process, and a client for its HTTP server.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tributary_testkit::program::{Finished, Running};

use super::{Setup, World};

/// What shows that a caller may change something.
pub(crate) const TOKEN: &str = "correct-horse-battery-staple";
/// Long enough for the slowest machine; nothing waits that long.
const LIMIT: Duration = Duration::from_secs(100);

/// A daemon that runs.
pub(crate) struct Daemon {
    pub(crate) running: Running,
    address: String,
}

impl World {
    /// Writes a configuration for the daemon.
    pub(crate) fn configure_daemon(&self, setup: Setup<'_>) {
        self.program
            .write("tributary.yaml", &self.daemon_yaml(setup));
    }

    /// A configuration for the daemon.
    pub(crate) fn daemon_yaml(&self, setup: Setup<'_>) -> String {
        let store = self.program.path("control.sqlite");
        self.daemon_yaml_with(setup, &store.display().to_string())
    }

    /// The same with another control store.
    pub(crate) fn daemon_yaml_with(&self, setup: Setup<'_>, store: &str) -> String {
        format!(
            "{}daemon: {{listen: \"127.0.0.1:{}\", token: {TOKEN}, store: \"{store}\"}}\n",
            self.yaml(setup),
            self.port.number,
        )
    }

    /// Starts the daemon and waits until it listens.
    pub(crate) async fn daemon(&self) -> Daemon {
        self.daemon_with(&[]).await
    }

    /// The same with variables in its environment.
    pub(crate) async fn daemon_with(&self, env: &[(&str, &str)]) -> Daemon {
        self.daemon_at(self.port.number, env).await
    }

    /// The same at another port.
    pub(crate) async fn daemon_at(&self, port: u16, env: &[(&str, &str)]) -> Daemon {
        let address = format!("127.0.0.1:{port}");
        let mut env = env.to_vec();
        env.push(("TRIBUTARY__DAEMON__LISTEN", address.as_str()));
        let mut running = self.program.start_with(&env, &["daemon"]);
        running.logged("listening").await;
        Daemon { running, address }
    }
}

impl Daemon {
    /// A status and a body.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let headers = format!("authorization: Bearer {TOKEN}\r\n");
        self.ask_with(method, path, &headers, body).await
    }

    /// The same with other headers.
    pub(crate) async fn ask_with(
        &self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{headers}\
             content-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split_whitespace().nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask("GET", path, "").await;
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Asks for something that must be taken on.
    pub(crate) async fn post(&self, path: &str, body: &str) {
        let (status, body) = self.ask("POST", path, body).await;
        assert_eq!(status, 202, "{path}: {body}");
    }

    /// What it says of a connection.
    pub(crate) async fn view(&self, name: &str) -> Value {
        self.get(&format!("/api/v1/connections/{name}")).await
    }

    /// Waits until it says of a connection what it should.
    pub(crate) async fn until(&self, name: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let view = self.view(name).await;
            if is_so(&view) {
                return view;
            }
            let log = self.running.stderr();
            assert!(began.elapsed() < LIMIT, "never so: {view:#}\n{log}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The value of a metric: the sum of all series whose labels hold `labels`.
    pub(crate) async fn metric(&self, name: &str, labels: &str) -> f64 {
        let (_, text) = self.ask("GET", "/metrics", "").await;
        let series = text.lines().filter(|line| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with('{') && rest.contains(labels))
        });
        let value = |line: &str| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap();
        series.map(value).sum()
    }

    /// Asks the warehouse through the daemon, which has it open.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let body = serde_json::json!({ "sql": sql }).to_string();
        let path = "/api/v1/destinations/warehouse/query";
        let (status, body) = self.ask("POST", path, &body).await;
        assert_eq!(status, 200, "{sql}: {body}");
        let answer: Value = serde_json::from_str(&body).unwrap();
        answer["rows"][0][0].as_i64().unwrap()
    }

    /// Waits until a question has this answer.
    pub(crate) async fn until_number(&self, sql: &str, number: i64) {
        let began = Instant::now();
        loop {
            let found = self.number(sql).await;
            if found == number {
                return;
            }
            let log = self.running.stderr();
            assert!(
                began.elapsed() < LIMIT,
                "{sql}: {found}, never {number}\n{log}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Stops it as a supervisor does; it must end well.
    pub(crate) async fn stop(self) -> Finished {
        self.running.terminate();
        self.running.wait().await.exits(0)
    }
}
