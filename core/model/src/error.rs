//! One error for the whole workspace. Its kind says who must act.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// The result of anything that can fail here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Who must act, and thereby what the engine does next. A kind that would not change that is not
/// a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The user, in the configuration.
    Config,
    /// The user, with credentials or permissions.
    Access,
    /// Nobody: wait as long as the other side asked, then go on.
    Throttled(#[serde(skip)] Option<Duration>),
    /// Nobody: the other side is away; try later.
    Unavailable,
    /// The user: the cursor no longer exists upstream, what lies between can't be read any more.
    Expired,
    /// We or the source's vendor: what arrived is not what the protocol says.
    Malformed,
    /// The user: something changed in a way that can't be followed.
    Incompatible,
    /// The user: rows that the destination can't hold.
    Rejected,
    /// Nobody here: another process took this connection over.
    Fenced,
    /// We.
    Bug,
}

/// What went wrong, what we were doing, why, and what helps.
///
/// `Display` is one line: the context from the outside in, the message, the cause, the fix.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    context: Vec<String>,
    fix: Option<String>,
    cause: Option<Cause>,
}

impl Error {
    /// An error of `kind`; `message` is a sentence without its full stop.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            context: Vec::new(),
            fix: None,
            cause: None,
        }))
    }

    /// A mistake of ours.
    #[must_use]
    pub fn bug(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Bug, message)
            .fix("This is a mistake in Tributary; please report it with this line.")
    }

    /// Adds the sentence that helps: the exact statement, key or permission.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.0.fix = Some(fix.into());
        self
    }

    /// Adds the error underneath.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Cause>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// Adds what we were doing.
    #[must_use]
    pub fn context(mut self, doing: impl Into<String>) -> Self {
        self.0.context.push(doing.into());
        self
    }

    /// Who must act.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What happened, with what we were doing, without cause and fix.
    #[must_use]
    pub fn what(&self) -> String {
        let mut parts: Vec<&str> = self.0.context.iter().rev().map(String::as_str).collect();
        parts.push(&self.0.message);
        one_line(&parts.join(": "))
    }

    /// The error underneath as a clause without its full stop, where there is one.
    #[must_use]
    pub fn why(&self) -> Option<String> {
        let cause = self.0.cause.as_ref()?;
        Some(one_line(cause.to_string().trim_end_matches('.')))
    }

    /// The sentence that helps, where there is one.
    #[must_use]
    pub fn help(&self) -> Option<&str> {
        self.0.fix.as_deref()
    }
}

/// `text` without the ends of its lines, which break logs and tables.
fn one_line(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.join(" ")
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what().trim_end_matches('.'))?;
        if let Some(why) = self.why() {
            write!(f, " ({why})")?;
        }
        f.write_str(".")?;
        if let Some(fix) = &self.0.fix {
            write!(f, " {fix}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0
            .cause
            .as_deref()
            .map(|cause| cause as &(dyn std::error::Error + 'static))
    }
}

/// Adds what we were doing to a failed result.
pub trait Context<T> {
    /// Adds what we were doing; the closure runs only on failure.
    ///
    /// # Errors
    /// The same error, with the context.
    fn context(self, doing: impl FnOnce() -> String) -> Result<T>;
}

impl<T> Context<T> for Result<T> {
    fn context(self, doing: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| error.context(doing()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_reads_as_what_why_and_fix() {
        let error = Error::new(ErrorKind::Access, "the server refused the password")
            .because("ERROR 1045 (28000): Access denied.")
            .fix("Set SHOP_PASSWORD.")
            .context("connecting to db.internal:3306");
        assert_eq!(
            error.to_string(),
            "connecting to db.internal:3306: the server refused the password \
             (ERROR 1045 (28000): Access denied). Set SHOP_PASSWORD."
        );
    }

    #[test]
    fn an_error_is_one_line() {
        let error = Error::new(ErrorKind::Config, "the query failed: SELECT 1\n  FROM x")
            .because("there is no x.\nDid you mean y?");
        assert_eq!(
            error.to_string(),
            "the query failed: SELECT 1 FROM x (there is no x. Did you mean y?)."
        );
    }
}
