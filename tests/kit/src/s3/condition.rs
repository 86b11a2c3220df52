//! `If-Match` and `If-None-Match`, decided by whoever holds the lock of the state.

use hyper::StatusCode;

use super::reply::Refusal;
use super::request::Call;
use super::state::Object;

/// The conditions of a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Conditions {
    matches: Option<String>,
    matches_not: Option<String>,
}

impl Conditions {
    pub(super) fn of(call: &Call) -> Self {
        Self {
            matches: call.header("if-match").map(unquoted),
            matches_not: call.header("if-none-match").map(unquoted),
        }
    }

    /// Whether a write may go on over what is there.
    pub(super) fn allow_write(&self, key: &str, there: Option<&Object>) -> Result<(), Refusal> {
        if self.matches_not.is_some() && there.is_some() {
            return Err(Refusal::precondition("If-None-Match"));
        }
        match (&self.matches, there) {
            (Some(_), None) => Err(Refusal::no_such_key(key)),
            (Some(wanted), Some(object)) if !fits(wanted, object) => {
                Err(Refusal::precondition("If-Match"))
            }
            (Some(_) | None, _) => Ok(()),
        }
    }

    /// Whether a read gives what is there.
    pub(super) fn allow_read(&self, there: &Object) -> Result<(), Refusal> {
        if self.matches.as_ref().is_some_and(|tag| !fits(tag, there)) {
            return Err(Refusal::precondition("If-Match"));
        }
        if self
            .matches_not
            .as_ref()
            .is_some_and(|tag| fits(tag, there))
        {
            let message = "Not Modified";
            return Err(Refusal::new(
                StatusCode::NOT_MODIFIED,
                "NotModified",
                message,
            ));
        }
        Ok(())
    }
}

fn fits(tag: &str, object: &Object) -> bool {
    tag == "*" || tag == object.etag
}

pub(super) fn unquoted(tag: &str) -> String {
    tag.trim().trim_matches('"').to_owned()
}
