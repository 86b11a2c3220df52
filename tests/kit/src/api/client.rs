//! A client as plain as can be, for the simulators' own tests: one connection for each request,
//! nothing followed, nothing tried again.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// Asks one server.
#[derive(Clone, Debug)]
pub(super) struct Client {
    authority: String,
    headers: Vec<(String, String)>,
}

/// A whole answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// An answer that broke off.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) received: Vec<u8>,
}

impl Client {
    pub(super) fn new(url: &str) -> Self {
        let authority = url.trim_start_matches("http://").to_owned();
        let headers = Vec::new();
        Self { authority, headers }
    }

    /// The same with a header on each request.
    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(super) async fn get(&self, path: &str) -> Result<Answer, Broken> {
        self.send("GET", path, Vec::new()).await
    }

    pub(super) async fn post(
        &self,
        path: &str,
        body: impl Into<Vec<u8>>,
    ) -> Result<Answer, Broken> {
        self.send("POST", path, body.into()).await
    }

    /// The document at a path, which must be there.
    #[track_caller]
    pub(super) fn read(&self, path: &str) -> impl Future<Output = Value> {
        let asked = format!("GET {path}");
        async move {
            let answer = self.get(path).await.expect("an answer");
            assert_eq!(answer.status, 200, "{asked}: {}", answer.text());
            answer.json()
        }
    }

    async fn send(&self, method: &str, path: &str, body: Vec<u8>) -> Result<Answer, Broken> {
        let nothing = |_| Broken {
            received: Vec::new(),
        };
        let stream = TcpStream::connect(&self.authority)
            .await
            .expect("it listens");
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(nothing)?;
        let connection = tokio::spawn(connection);
        let mut request = hyper::Request::builder()
            .method(method)
            .uri(path)
            .header("host", &self.authority);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request
            .body(Full::new(Bytes::from(body)))
            .expect("a request");
        let (head, mut body) = sender
            .send_request(request)
            .await
            .map_err(nothing)?
            .into_parts();
        let mut received = Vec::new();
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => received.extend(frame.into_data().unwrap_or_default()),
                Err(_) => return Err(Broken { received }),
            }
        }
        connection.abort();
        let headers = head.headers.iter().map(|(name, value)| {
            let value = value.to_str().unwrap_or_default().to_owned();
            (name.as_str().to_owned(), value)
        });
        Ok(Answer {
            status: head.status.as_u16(),
            headers: headers.collect(),
            body: received,
        })
    }
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    #[track_caller]
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a document")
    }
}
