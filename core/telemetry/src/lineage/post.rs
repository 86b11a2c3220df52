//! Delivers events, one after the other, as they come.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue};
use serde_json::Value;
use tokio::sync::mpsc;
use tributary_config::Lineage;
use tributary_model::{Error, ErrorKind, Result};

use crate::http::{self, Health};

const PATH: &str = "/api/v1/lineage";
/// Tries of one event before it is given up. // G6
const TRIES: u32 = 3;
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// Where events go.
#[derive(Debug)]
pub(crate) struct Post {
    http: reqwest::Client,
    address: String,
    authorization: Option<HeaderValue>,
    health: Health,
}

impl Post {
    pub(crate) fn new(settings: &Lineage) -> Result<Self> {
        let key = settings.api_key.as_ref();
        let authorization = key.map(|key| {
            let value = HeaderValue::from_str(&format!("Bearer {}", key.expose()));
            value.map(|mut value| {
                value.set_sensitive(true);
                value
            })
        });
        Ok(Self {
            http: http::client()?,
            address: address(&settings.url),
            // G8: the reason may repeat the key.
            authorization: authorization.transpose().map_err(|_| {
                Error::new(
                    ErrorKind::Config,
                    "`lineage.api_key` can't stand in a header",
                )
                .fix("It takes letters, digits and signs, without a line's end.")
            })?,
            health: Health::new("lineage events"),
        })
    }

    /// Sends events until there will be no more.
    pub(crate) async fn deliver(self, mut events: mpsc::Receiver<Value>) {
        while let Some(event) = events.recv().await {
            self.send(&event).await;
        }
    }

    async fn send(&self, event: &Value) {
        let body = event.to_string();
        // A service that was away a moment ago gets one chance, lest a run wait for it at its end.
        let tries = if self.health.is_failing() { 1 } else { TRIES };
        for failed in 1..=tries {
            match self.try_once(&body).await {
                Ok(()) => return self.health.works(),
                Err((why, Again::Useless)) => return self.health.fails(&why),
                Err((why, Again::Useful)) => self.health.fails(&why),
            }
            if failed < tries {
                tokio::time::sleep(FIRST_WAIT * failed).await;
            }
        }
    }

    async fn try_once(&self, body: &str) -> Result<(), (String, Again)> {
        let mut request = self
            .http
            .post(&self.address)
            .header("Content-Type", "application/json")
            .body(body.to_owned());
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let answer = request.send().await;
        let answer = answer.map_err(|why| (http::reason(why), Again::Useful))?;
        let status = answer.status();
        match (status.is_success(), status.is_server_error()) {
            (true, _) => Ok(()),
            (false, true) => Err((format!("the service answers {status}"), Again::Useful)),
            (false, false) => Err((format!("the service answers {status}"), Again::Useless)),
        }
    }
}

/// Whether the same may succeed later.
#[derive(Clone, Copy, Debug)]
enum Again {
    Useful,
    Useless,
}

/// Where events go at a service: the address may name the path already.
fn address(url: &str) -> String {
    let base = url.trim_end_matches('/');
    match base.ends_with(PATH) {
        true => base.to_owned(),
        false => format!("{base}{PATH}"),
    }
}
