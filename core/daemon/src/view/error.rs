//! Errors, as values that serialize: what happened, what helps, and who must act.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tributary_engine::ErrorReport;
use tributary_model::{Error, ErrorKind};

/// Who must act on an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// Nobody: it is tried again by itself.
    Nobody,
    /// Whoever writes the configuration.
    Configuration,
    /// Whoever grants rights and gives out credentials.
    Credentials,
    /// Whoever looks after the source or the data in it.
    Source,
    /// The authors of Tributary.
    Tributary,
}

/// An error, taken apart for people and programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorView {
    /// The kind, as in `tributary sync --output json`.
    pub kind: String,
    /// What happened.
    pub what: String,
    /// Because of what.
    pub why: Option<String>,
    /// What helps.
    pub fix: Option<String>,
    /// All of it as one line.
    pub message: String,
    /// Who must act.
    pub who: Actor,
    /// When it happened.
    pub at: DateTime<Utc>,
}

impl ErrorView {
    /// An error as of `at`.
    #[must_use]
    pub fn new(error: &Error, at: DateTime<Utc>) -> Self {
        Self::of_report(&error.into(), at)
    }

    /// An error that the engine reported.
    #[must_use]
    pub fn of_report(report: &ErrorReport, at: DateTime<Utc>) -> Self {
        Self {
            kind: word(report.kind).to_owned(),
            what: report.what.clone(),
            why: report.why.clone(),
            fix: report.fix.clone(),
            message: report.message.clone(),
            who: Actor::of(report.kind),
            at,
        }
    }
}

impl Actor {
    /// Who must act on errors of a kind.
    #[must_use]
    pub fn of(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Config => Self::Configuration,
            ErrorKind::Access => Self::Credentials,
            ErrorKind::Expired | ErrorKind::Incompatible | ErrorKind::Rejected => Self::Source,
            ErrorKind::Bug => Self::Tributary,
            ErrorKind::Throttled(_)
            | ErrorKind::Unavailable
            | ErrorKind::Malformed
            | ErrorKind::Fenced => Self::Nobody,
        }
    }
}

fn word(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Config => "config",
        ErrorKind::Access => "access",
        ErrorKind::Throttled(_) => "throttled",
        ErrorKind::Unavailable => "unavailable",
        ErrorKind::Expired => "expired",
        ErrorKind::Malformed => "malformed",
        ErrorKind::Incompatible => "incompatible",
        ErrorKind::Rejected => "rejected",
        ErrorKind::Fenced => "fenced",
        ErrorKind::Bug => "bug",
    }
}
