//! Tells somebody something: one request to an address that a person wrote down, and no more.
//!
//! It is here because HTTP clients are made in this package only. Redirects are not followed: an
//! address that moves may lead anywhere. Deliberately absent: trying again, which is for whoever
//! keeps what is to be told.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use tributary_model::{Error, ErrorKind, Result, Secret};

use super::answered::retry_after_of;

const CONNECT: Duration = Duration::from_secs(10);
/// From the beginning to the end of the answer.
const WHOLE: Duration = Duration::from_secs(30);
/// Bytes of a refusal that are read, and shown. // G6
const SHOWN: usize = 300;

/// What posts.
#[derive(Clone, Debug)]
pub struct Hook {
    http: reqwest::Client,
}

impl Hook {
    /// Makes one; it can be kept and shared.
    ///
    /// # Errors
    /// [`ErrorKind::Bug`] if the machine has no room for it.
    pub fn new() -> Result<Self> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("tributary/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .timeout(WHOLE)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|why| Error::bug("no HTTP client could be made").because(why))?;
        Ok(Self { http })
    }

    /// Posts JSON; what comes back is nobody's concern but for its status.
    ///
    /// # Errors
    /// `Unavailable` and `Throttled` where another try may help, `Access`, `Rejected` and `Config`
    /// where somebody has to act first. None of them holds the address, which may be a secret.
    pub async fn post(&self, to: &Secret, headers: &[(&str, &str)], json: String) -> Result<()> {
        let url = url::Url::parse(to.expose()).map_err(|_| {
            Error::new(ErrorKind::Config, "the address of the webhook is not a URL")
        })?;
        let request = self.http.post(url).headers(fields(headers)?).body(json);
        let answer = request.send().await.map_err(lost)?;
        if answer.status().is_success() {
            return Ok(());
        }
        let kind = kind_of(&answer);
        let status = answer.status();
        let refused = Error::new(kind, format!("the webhook answered {status}"));
        Err(match beginning(answer, to).await {
            Some(said) => refused.because(said),
            None => refused,
        })
    }
}

fn fields(headers: &[(&str, &str)]) -> Result<HeaderMap> {
    let mut fields = HeaderMap::new();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in headers {
        let unfit = |_| Error::bug(format!("the header {name} can't be sent"));
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unfit(()))?;
        let value = HeaderValue::from_str(value).map_err(|_| unfit(()))?;
        fields.insert(name, value);
    }
    Ok(fields)
}

/// No answer came.
fn lost(why: reqwest::Error) -> Error {
    let what = match (why.is_timeout(), why.is_connect()) {
        (true, _) => "the webhook did not answer in time",
        (false, true) => "the webhook could not be reached",
        (false, false) => "the webhook broke the connection",
    };
    // G8: the address stays out of it.
    Error::new(ErrorKind::Unavailable, what).because(why.without_url())
}

fn kind_of(answer: &reqwest::Response) -> ErrorKind {
    match answer.status().as_u16() {
        429 => ErrorKind::Throttled(retry_after_of(answer)),
        401 | 403 => ErrorKind::Access,
        300..=399 | 404 | 410 => ErrorKind::Config,
        408 | 425 | 500.. => ErrorKind::Unavailable,
        _ => ErrorKind::Rejected,
    }
}

/// How the answer begins, if it is a text; without the address.
async fn beginning(mut answer: reqwest::Response, to: &Secret) -> Option<String> {
    let mut read = Vec::new();
    while read.len() < SHOWN {
        match answer.chunk().await {
            Ok(Some(chunk)) => read.extend_from_slice(&chunk),
            Ok(None) | Err(_) => break,
        }
    }
    read.truncate(SHOWN);
    let text = String::from_utf8_lossy(&read).replace(to.expose(), "***");
    let shown: String = text.chars().filter(|c| !c.is_control()).collect();
    (!shown.trim().is_empty()).then(|| shown.trim().to_owned())
}
