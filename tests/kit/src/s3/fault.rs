//! Faults by plan: which requests fail, how often, and how.

use std::time::Duration;

use super::request::Operation;

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request is carried out and the connection ends without a reply.
    LoseReply,
    /// The connection ends before anything happens.
    Drop,
    /// 503: too many requests.
    SlowDown,
    /// 500.
    InternalError,
    /// 409: another conditional request for the key is under way.
    Conflict,
    /// 404, as where a lifecycle rule removed the upload.
    NoSuchUpload,
    /// 400: the session token is too old.
    ExpiredToken,
    /// 403: the clocks differ, whatever the request says.
    Skewed,
    /// 403: the policy allows everything but this.
    AccessDenied,
    /// 501: the store does not know conditions.
    NotImplemented,
    /// The store takes the request and does not look at its conditions.
    IgnoreConditions,
    /// The reply announces its whole body and ends after this many bytes.
    Truncate(usize),
    /// The reply is 200 and its body tells of an error, as S3 does where completing takes long.
    ErrorInside,
    /// All is well, later.
    Delay(Duration),
}

/// How often a rule applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// So many times, then no more.
    Count(u32),
    /// Until the plan is cleared.
    Always,
}

/// Which requests, and what goes wrong with them.
#[derive(Clone, Debug)]
pub struct Rule {
    fault: Fault,
    operation: Option<Operation>,
    key: Option<String>,
    skip: u32,
    times: Times,
}

impl Rule {
    /// The next request, whatever it is, fails so.
    #[must_use]
    pub fn new(fault: Fault) -> Self {
        Self {
            fault,
            operation: None,
            key: None,
            skip: 0,
            times: Times::Count(1),
        }
    }

    /// Only requests of this kind.
    #[must_use]
    pub fn on(mut self, operation: Operation) -> Self {
        self.operation = Some(operation);
        self
    }

    /// Only requests whose key contains this text.
    #[must_use]
    pub fn key(mut self, part: impl Into<String>) -> Self {
        self.key = Some(part.into());
        self
    }

    /// The first `count` of these go well.
    #[must_use]
    pub fn after(mut self, count: u32) -> Self {
        self.skip = count;
        self
    }

    /// How often.
    #[must_use]
    pub fn times(mut self, times: Times) -> Self {
        self.times = times;
        self
    }

    fn fits(&self, operation: Operation, key: &str) -> bool {
        self.operation.is_none_or(|wanted| wanted == operation)
            && self.key.as_deref().is_none_or(|part| key.contains(part))
            && self.times != Times::Count(0)
    }

    /// What happens to a request that fits.
    fn take(&mut self) -> Option<Fault> {
        if let Some(left) = self.skip.checked_sub(1) {
            self.skip = left;
            return None;
        }
        if let Times::Count(left) = &mut self.times {
            *left -= 1;
        }
        Some(self.fault.clone())
    }
}

/// The rules and what they were asked.
#[derive(Debug, Default)]
pub(super) struct Plan {
    rules: Vec<Rule>,
    seen: Vec<(Operation, String)>,
}

impl Plan {
    pub(super) fn add(&mut self, rule: Rule) {
        self.rules.push(rule);
    }

    pub(super) fn clear(&mut self) {
        self.rules.clear();
    }

    pub(super) fn seen(&self) -> &[(Operation, String)] {
        &self.seen
    }

    /// Notes a request and says what goes wrong with it.
    pub(super) fn next(&mut self, operation: Operation, key: &str) -> Option<Fault> {
        self.seen.push((operation, key.to_owned()));
        self.rules
            .iter_mut()
            .find(|rule| rule.fits(operation, key))?
            .take()
    }
}
