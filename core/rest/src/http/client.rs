//! Sends requests, and makes them again as long as that may help.
//!
//! Trying again stays within one request here: a few times, with growing waits, as long as the API
//! says. What fails after that is an error whose kind tells the engine whether to begin anew.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;
use tributary_model::{Error, ErrorKind, Meter, Result, Secret, failpoint, meter};

use crate::manifest::rule::{Outcome, Rule};
use crate::replay::recorded::Recorded;

use super::answered::{Answered, Reading, Response};
use super::auth::Auth;
use super::call::{Call, Refusals, Sent};
use super::decide::{Decision, Failure, decide, kind_of, remedy};
use super::limits::Limits;
use super::origin::Origin;
use super::token::Token;
use super::wait::before_next;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an answer may pause.
const SILENCE: Duration = Duration::from_secs(60);
/// How long one request may be tried. // G6
const LONGEST: Duration = Duration::from_secs(600);
/// Tries of the first request of all: whether the API is there is the engine's to wait for.
const FIRST_TRIES: u32 = 2;
/// Tokens that one request may use up: others may make a new one worthless meanwhile. // G6
const RENEWALS: u32 = 4;
/// Characters of an answer that are shown to a person.
const SHOWN: usize = 500;

/// What sends requests for one source.
#[derive(Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    pub(crate) origin: Origin,
    pub(crate) auth: Auth,
    pub(crate) limits: Arc<Limits>,
    headers: Vec<(String, String)>,
    rules: Vec<Rule>,
    secrets: Vec<Secret>,
    /// When a request last brought a page.
    succeeded: Mutex<Option<Instant>>,
    meter: Arc<dyn Meter>,
    /// What is told instead of asking the API.
    recorded: Option<Recorded>,
}

/// What a client is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) origin: Origin,
    pub(crate) auth: Auth,
    pub(crate) limits: Arc<Limits>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) secrets: Vec<Secret>,
    pub(crate) recorded: Option<Recorded>,
}

/// What came of a request.
#[derive(Debug)]
pub(crate) enum Fetched {
    Page(Response),
    /// There are no records.
    Empty,
    /// Everything there is has been read.
    End,
    /// Ask for less at once.
    Shrink(Error),
    /// Ask for a shorter window.
    Narrow(Error),
}

impl Client {
    pub(crate) fn new(parts: Parts) -> Result<Self> {
        let pinned = reqwest::redirect::Policy::custom(|attempt| {
            let from = attempt.previous().last();
            let stays = from.is_some_and(|from| Origin::allows_redirect(from, attempt.url()));
            match stays && attempt.previous().len() <= 5 {
                true => attempt.follow(),
                false => attempt.stop(),
            }
        });
        let http = reqwest::Client::builder()
            .user_agent(concat!("tributary/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .redirect(pinned)
            .build()
            .map_err(|why| Error::bug("no HTTP client could be made").because(why))?;
        Ok(Self {
            http,
            origin: parts.origin,
            auth: parts.auth,
            limits: parts.limits,
            headers: parts.headers,
            rules: parts.rules,
            secrets: parts.secrets,
            succeeded: Mutex::default(),
            meter: meter(),
            recorded: parts.recorded,
        })
    }

    /// What is told instead of asking the API, where something is.
    pub(crate) fn recorded(&self) -> Option<&Recorded> {
        self.recorded.as_ref()
    }

    /// The token in use, for `{token.x}`.
    pub(crate) async fn token(&self) -> Result<Option<Arc<Token>>> {
        self.auth.token(&self.http).await
    }

    /// Sends a request until it brings a page or can't; `rules` come before the API's own.
    pub(crate) async fn send(&self, call: &Call, rules: &[Rule]) -> Result<Fetched, Failure> {
        let mut attempt = Attempt {
            begun: Instant::now(),
            tried: 0,
            renewed: 0,
        };
        loop {
            attempt.tried += 1;
            failpoint::reach("rest.before_request")?;
            let token = self.auth.token(&self.http).await?;
            let waiting = Instant::now();
            let turn = self.limits.enter(call).await;
            self.meter.waited(waiting.elapsed());
            let answered = self.exchange(call, token.as_deref()).await;
            if let Ok(answered) = &answered {
                self.limits.leave(call, turn, answered.heard());
            }
            failpoint::reach("rest.after_response")?;
            let answered = answered?;
            self.meter.request(answered.status);
            let reading = answered.look();
            let sets = [rules, &self.rules];
            let Some(decision) = decide(&sets, &reading.answer(&answered), self.auth.renewable())
            else {
                self.note_success();
                return Ok(Fetched::Page(answered.into_response()?));
            };
            if decision.outcome == Outcome::Fail
                && call.refusals == Refusals::Told
                && answered.status != Some(401)
            {
                self.note_success();
                return Ok(Fetched::Page(answered.into_response()?));
            }
            let said = self.said(&decision, &reading, &answered);
            if let Some(done) = self
                .act(call, &mut attempt, &decision, &answered, said, token)
                .await?
            {
                return Ok(done);
            }
        }
    }

    /// Does what was decided; `None` means that the request is to be made again.
    async fn act(
        &self,
        call: &Call,
        attempt: &mut Attempt,
        decision: &Decision,
        answered: &Answered,
        said: String,
        token: Option<Arc<Token>>,
    ) -> Result<Option<Fetched>, Failure> {
        let error = || self.error(call, answered, &said);
        match decision.outcome {
            Outcome::Retry => {
                let spread = f64::from(attempt.begun.elapsed().subsec_nanos() % 1000) / 1000.0;
                let wait = before_next(decision.wait, attempt.tried, answered.retry_after, spread);
                if attempt.tried >= self.tries(decision, answered)
                    || attempt.begun.elapsed() + wait > LONGEST
                {
                    return Err(self.given_up(attempt, error()));
                }
                tracing::debug!(
                    request = call.label(),
                    wait_seconds = wait.as_secs_f64(),
                    said,
                    "asking again"
                );
                match answered.status {
                    Some(429) => self.limits.pause(wait),
                    _ => tokio::time::sleep(wait).await,
                }
                Ok(None)
            }
            Outcome::Reauth => match token {
                Some(stale) if attempt.renewed < RENEWALS => {
                    attempt.renewed += 1;
                    self.auth.renew(&self.http, &stale).await?;
                    Ok(None)
                }
                _ => Err(Failure::Source(error())),
            },
            Outcome::Fail if answered.status == Some(401) => Err(Failure::Source(error())),
            Outcome::Fail => Err(Failure::Stream(error())),
            Outcome::Skip => Err(Failure::Skip(said)),
            Outcome::SkipSlice => Err(Failure::Slice(said)),
            Outcome::Empty => Ok(Some(Fetched::Empty)),
            Outcome::End => Ok(Some(Fetched::End)),
            Outcome::Shrink => Ok(Some(Fetched::Shrink(error()))),
            Outcome::Narrow => Ok(Some(Fetched::Narrow(error()))),
        }
    }

    fn tries(&self, decision: &Decision, answered: &Answered) -> u32 {
        match answered.status {
            None if self.last_success().is_none() => decision.tries.min(FIRST_TRIES),
            _ => decision.tries,
        }
    }

    /// A request that failed for good is the stream's failure where others got through meanwhile,
    /// and the API's where none did: then the engine begins anew later.
    fn given_up(&self, attempt: &Attempt, error: Error) -> Failure {
        match self.last_success() {
            Some(success) if success > attempt.begun => Failure::Stream(error),
            _ => Failure::Source(error),
        }
    }

    fn note_success(&self) {
        *self
            .succeeded
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn last_success(&self) -> Option<Instant> {
        *self
            .succeeded
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    async fn exchange(&self, call: &Call, token: Option<&Token>) -> Result<Answered> {
        let request = self.request(call, token)?;
        if let Some(recorded) = &self.recorded {
            return Ok(Answered::told(recorded.tell(call)));
        }
        match self.http.execute(request).await {
            Ok(response) => Answered::of(response).await,
            Err(why) => Ok(Answered::none(&why)),
        }
    }

    fn request(&self, call: &Call, token: Option<&Token>) -> Result<reqwest::Request> {
        let unfit = |why: reqwest::Error| {
            Error::new(ErrorKind::Config, format!("{} can't be sent", call.label()))
                .because(why.without_url())
        };
        let method = match call.method {
            crate::manifest::request::Method::Get => reqwest::Method::GET,
            crate::manifest::request::Method::Post => reqwest::Method::POST,
        };
        let mut builder = self.http.request(method, call.url.clone());
        if call.is_own {
            for (name, value) in &self.headers {
                builder = builder.header(name, value);
            }
        }
        for (name, value) in &call.headers {
            builder = builder.header(name, value);
        }
        builder = match &call.sent {
            None => builder,
            Some(Sent::Json(body)) => builder
                .header("content-type", "application/json")
                .body(body.to_string()),
            Some(Sent::Form(pairs)) => {
                let mut form = url::form_urlencoded::Serializer::new(String::new());
                form.extend_pairs(pairs);
                builder
                    .header("content-type", "application/x-www-form-urlencoded")
                    .body(form.finish())
            }
        };
        let mut request = builder.build().map_err(unfit)?;
        if call.is_own {
            self.auth.sign(&mut request, token)?;
        }
        Ok(request)
    }

    fn said(&self, decision: &Decision, reading: &Reading, answered: &Answered) -> String {
        let said = match &decision.said {
            Some(said) => said.clone(),
            None => reading
                .message()
                .or_else(|| answered.why.clone())
                .unwrap_or_default(),
        };
        self.redact(&said)
    }

    /// `text` without anything secret. // G8
    pub(crate) fn redact(&self, text: &str) -> String {
        let shown: String = text.chars().take(SHOWN).collect();
        self.redact_all(&shown)
    }

    /// The same for a text of any length. // G8
    pub(crate) fn redact_all(&self, text: &str) -> String {
        let mut shown = text.to_owned();
        for secret in &self.secrets {
            if secret.expose().len() >= 4 {
                shown = shown.replace(secret.expose(), "***");
            }
        }
        shown
    }

    fn error(&self, call: &Call, answered: &Answered, said: &str) -> Error {
        let kind = kind_of(answered.status, answered.retry_after);
        let what = match answered.status {
            Some(401) => format!(
                "the API rejected the credential ({} answered 401)",
                call.label()
            ),
            Some(status) => format!("{} answered {status}", call.label()),
            None => format!("{} got no answer", call.label()),
        };
        let mut error = Error::new(kind, what);
        let request_id = answered
            .headers
            .get("request-id")
            .or(answered.headers.get("x-request-id"));
        let why = match request_id.and_then(Value::as_str) {
            Some(id) if !said.is_empty() => format!("{said} (request {id})"),
            Some(id) => format!("request {id}"),
            None => said.to_owned(),
        };
        if !why.is_empty() {
            error = error.because(why);
        }
        match remedy(answered.status, &self.origin.host()) {
            Some(remedy) => error.fix(remedy),
            None => error,
        }
    }
}

/// What was tried for one request.
#[derive(Debug)]
struct Attempt {
    begun: Instant,
    tried: u32,
    renewed: u32,
}
