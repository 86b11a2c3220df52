//! Requests to a catalog, with a right to make them, and their replies whatever they say.

use std::error::Error as StdError;
use std::time::Duration;

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Client, Method, Request, StatusCode};
use serde_json::Value;
use tributary_model::{Error, ErrorKind, Result};

use super::auth::{Auth, Refresh};

const CONNECT: Duration = Duration::from_secs(10);
/// A commit of a table with a long history takes some time to be read and written.
const WHOLE: Duration = Duration::from_secs(120);
/// What stands for itself in a segment of a path.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A text as a segment of a path.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

/// Who is asked, and as whom.
#[derive(Debug)]
pub(super) struct Http {
    client: Client,
    uri: String,
    auth: Auth,
}

/// A reply.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

impl Reply {
    /// What a refusal says, for people.
    pub(super) fn message(&self) -> String {
        let json: Option<Value> = serde_json::from_slice(&self.body).ok();
        let message = json.as_ref().and_then(|json| {
            json.pointer("/error/message")
                .or(json.get("message"))
                .or(json.get("error_description"))
        });
        match message.and_then(Value::as_str) {
            Some(message) => message.to_owned(),
            None => String::from_utf8_lossy(&self.body)
                .chars()
                .take(200)
                .collect(),
        }
    }
}

impl Http {
    pub(super) fn new(uri: &str, auth: Auth) -> Result<Self> {
        let uri = uri.trim_end_matches('/');
        if !uri.starts_with("https://") && !uri.starts_with("http://") || uri.contains('@') {
            return Err(
                Error::new(ErrorKind::Config, "`uri` of the catalog is not an address")
                    .fix("Write `uri: https://host/path`, up to before `/v1`."),
            );
        }
        let client = Client::builder()
            .connect_timeout(CONNECT)
            .timeout(WHOLE)
            .user_agent(concat!("tributary/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|cause| Error::bug("no client for HTTP can be made").because(cause))?;
        Ok(Self {
            client,
            uri: uri.to_owned(),
            auth,
        })
    }

    pub(super) fn uri(&self) -> &str {
        &self.uri
    }

    /// Sends a request; once more with a new right where the old one has run out.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Reply> {
        let reply = self.once(&method, path, body, Refresh::No).await?;
        // 419 is Iceberg's own word for a token that has run out. Nothing was done.
        if matches!(reply.status.as_u16(), 401 | 419) && self.auth.can_refresh() {
            return self.once(&method, path, body, Refresh::Yes).await;
        }
        Ok(reply)
    }

    /// Sends a request to the service that the catalog is a part of.
    pub(super) async fn send_beside(
        &self,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Result<Reply> {
        let service = self.uri.strip_suffix("/iceberg").unwrap_or(&self.uri);
        let address = format!("{service}/{path}");
        self.ask(&method, address, Some(body), Refresh::No).await
    }

    async fn once(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
        refresh: Refresh,
    ) -> Result<Reply> {
        let address = format!("{}/{path}", self.uri);
        self.ask(method, address, body, refresh).await
    }

    async fn ask(
        &self,
        method: &Method,
        address: String,
        body: Option<&Value>,
        refresh: Refresh,
    ) -> Result<Reply> {
        let mut request = self.client.request(method.clone(), address);
        if let Some(body) = body {
            let text = serde_json::to_vec(body)
                .map_err(|cause| Error::bug("a request can't be written as JSON").because(cause))?;
            request = request
                .header("content-type", "application/json")
                .body(text);
        }
        let mut request = request
            .build()
            .map_err(|cause| Error::bug("a request to the catalog can't be made").because(cause))?;
        self.auth
            .authorize(&self.client, &self.uri, &mut request, refresh)
            .await?;
        run(&self.client, request).await
    }
}

/// Sends a request that is ready, and takes the whole reply.
pub(super) async fn run(client: &Client, request: Request) -> Result<Reply> {
    let host = request.url().host_str().unwrap_or_default().to_owned();
    let lost = |cause: reqwest::Error| {
        Error::new(
            ErrorKind::Unavailable,
            format!("the catalog at {host} gave no whole reply"),
        )
        .because(chain(&cause.without_url()))
        .fix(format!(
            "See that {host} is up and can be reached from here."
        ))
    };
    let reply = client.execute(request).await.map_err(lost)?;
    let status = reply.status();
    let body = reply.bytes().await.map_err(lost)?;
    Ok(Reply { status, body })
}

fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(there) = cause {
        text = format!("{text}: {there}");
        cause = there.source();
    }
    text
}
