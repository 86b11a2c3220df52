//! How a command ended, for the shell.

use std::process::ExitCode;

use tributary_config::Problems;
use tributary_model::{Error, ErrorKind};

/// An exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: done.
    Done,
    /// 1: failed.
    Failed,
    /// 2: bad configuration or usage.
    BadInput,
    /// 3: some streams failed, the others committed.
    Partial,
    /// 130: interrupted.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::BadInput => 2,
            Exit::Partial => 3,
            Exit::Interrupted => 130,
        })
    }
}

/// Why a command could not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The configuration is wrong.
    Configuration(Problems),
    /// Anything else.
    Error(Error),
}

impl Failure {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Configuration(_) => Exit::BadInput,
            Self::Error(error) => exit_of(error.kind()),
        }
    }
}

/// What an error of this kind means to the shell.
pub(crate) fn exit_of(kind: ErrorKind) -> Exit {
    match kind {
        ErrorKind::Config => Exit::BadInput,
        ErrorKind::Access
        | ErrorKind::Throttled(_)
        | ErrorKind::Unavailable
        | ErrorKind::Expired
        | ErrorKind::Malformed
        | ErrorKind::Incompatible
        | ErrorKind::Rejected
        | ErrorKind::Fenced
        | ErrorKind::Bug => Exit::Failed,
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::Configuration(problems)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// A mistake in what was typed.
pub(crate) fn usage(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, message)
}
