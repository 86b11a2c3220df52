//! What came back of a request, whatever it is: a page, a refusal, or nothing.

use std::time::Duration;

use serde_json::{Map, Value};
use tributary_model::{Result, now};

use crate::manifest::rule::Answer;
use crate::replay::recorded::Told;

use super::body::{Body, Spool};
use super::limits::Heard;
use super::wait::retry_after;

/// Bytes of a refusal that are read. // G6
const REFUSAL: u64 = 1 << 20;

/// What came back, whatever it is.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: Option<u16>,
    pub(super) headers: Map<String, Value>,
    body: Body,
    pub(super) retry_after: Option<Duration>,
    /// Whether none came in time, though the API was there.
    is_late: bool,
    pub(super) why: Option<String>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// By name in small letters.
    pub(crate) headers: Map<String, Value>,
    pub(crate) body: Body,
}

/// A failing answer, as far as it can be understood.
#[derive(Debug)]
pub(super) struct Reading {
    text: String,
    json: Option<Value>,
}

impl Answered {
    /// Takes an answer in. Half of one is none.
    pub(super) async fn of(response: reqwest::Response) -> Result<Self> {
        let mut answered = Self {
            status: Some(response.status().as_u16()),
            retry_after: retry_after_of(&response),
            headers: headers_of(&response),
            body: Vec::new().into(),
            is_late: false,
            why: None,
        };
        let most = match response.status().is_success() {
            true => u64::MAX,
            false => REFUSAL,
        };
        Ok(match receive(response, most).await? {
            Ok(body) => {
                answered.body = body;
                answered
            }
            Err(why) => Self::none(&why),
        })
    }

    pub(super) fn told(told: Told) -> Self {
        let said = told.headers.get("retry-after").and_then(Value::as_str);
        Self {
            status: Some(told.status),
            retry_after: said.and_then(|text| retry_after(text, now())),
            headers: told.headers,
            body: told.body.into(),
            is_late: false,
            why: None,
        }
    }

    pub(super) fn none(why: &reqwest::Error) -> Self {
        // Its own text would repeat the address with all its parameters. // G8
        let mut causes = String::new();
        let mut cause = std::error::Error::source(why);
        while let Some(inner) = cause {
            causes = inner.to_string();
            cause = inner.source();
        }
        let what = match () {
            () if why.is_timeout() => "it took too long",
            () if why.is_connect() => "it could not be reached",
            () => "the connection broke",
        };
        let is_late = why.is_timeout() && !why.is_connect();
        let why = match causes.is_empty() {
            true => what.to_owned(),
            false => format!("{what}: {causes}"),
        };
        Self {
            status: None,
            headers: Map::new(),
            body: Vec::new().into(),
            retry_after: None,
            is_late,
            why: Some(why),
        }
    }

    pub(super) fn heard(&self) -> Heard<'_> {
        Heard {
            status: self.status,
            headers: &self.headers,
            retry_after: self.retry_after,
        }
    }

    /// Reads the body of a failure; of a page only where a rule might look at it.
    pub(super) fn look(&self) -> Reading {
        /// A page that is an error in disguise is small.
        const SMALL: usize = 64 << 10;
        let failed = self.status.is_none_or(|status| status >= 300);
        let body = self.body.held();
        let is_large = body.len() > SMALL || matches!(self.body, Body::Spilled(_));
        if !failed && is_large {
            return Reading {
                text: String::new(),
                json: None,
            };
        }
        Reading {
            text: String::from_utf8_lossy(body).into_owned(),
            json: serde_json::from_slice(body).ok(),
        }
    }

    pub(super) fn into_response(self) -> Result<Response> {
        Ok(Response {
            status: self.status.unwrap_or_default(),
            headers: self.headers,
            body: self.body,
        })
    }
}

impl Reading {
    pub(super) fn answer<'a>(&'a self, answered: &'a Answered) -> Answer<'a> {
        Answer {
            status: answered.status,
            is_late: answered.is_late,
            headers: &answered.headers,
            text: &self.text,
            json: self.json.as_ref(),
        }
    }

    /// What the API says to a person, where that can be found.
    pub(super) fn message(&self) -> Option<String> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let inside = self.json.as_ref().and_then(|json| {
            let paths = [
                "/error/message",
                "/message",
                "/detail",
                "/description",
                "/error_description",
                "/error/title",
                "/error",
                "/title",
            ];
            paths
                .iter()
                .find_map(|path| json.pointer(path).and_then(text))
        });
        let plain = self.text.split_whitespace().collect::<Vec<_>>().join(" ");
        inside.or_else(|| (!plain.is_empty()).then_some(plain))
    }
}

/// What `Retry-After` says.
pub(crate) fn retry_after_of(response: &reqwest::Response) -> Option<Duration> {
    let text = response.headers().get("retry-after")?.to_str().ok()?;
    retry_after(text, now())
}

fn headers_of(response: &reqwest::Response) -> Map<String, Value> {
    let headers = response.headers().iter();
    let text = headers.map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), Value::from(value))
    });
    text.collect()
}

/// Takes an answer's bytes in; of a refusal only what may explain it.
async fn receive(
    mut response: reqwest::Response,
    most: u64,
) -> Result<std::result::Result<Body, reqwest::Error>> {
    let mut spool = Spool::expecting(response.content_length());
    while spool.len() < most {
        match response.chunk().await {
            Ok(Some(chunk)) => spool.add(&chunk).await?,
            Ok(None) => break,
            Err(why) => return Ok(Err(why)),
        }
    }
    spool.finish().await.map(Ok)
}

/// The bytes of an answer that must be a small one; `None` where there are more than `most`. // G6
pub(super) async fn small(
    mut response: reqwest::Response,
    most: usize,
) -> std::result::Result<Option<Vec<u8>>, reqwest::Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if bytes.len() + chunk.len() > most {
            return Ok(None);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Some(bytes))
}
