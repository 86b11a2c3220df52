//! Settings that fit their types and still can't be meant, or can't be meant together.
//!
//! Deliberately absent: where they stand in a file, which only the configuration knows.

use crate::Error;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// It can't work.
    Mistake,
    /// It can't work here and now, such as a file that is not there: elsewhere it may.
    Doubt,
}

/// Something about the settings of a source or destination, found without contacting anything.
#[derive(Debug)]
pub struct Fault {
    /// The keys that lead to it, from the settings down; empty where it is about all of them.
    pub keys: &'static [&'static str],
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, and what helps. It may repeat settings, and never a secret.
    pub error: Error,
}

impl Fault {
    /// Settings that can't work.
    #[must_use]
    pub fn mistake(keys: &'static [&'static str], error: Error) -> Self {
        Self {
            keys,
            severity: Severity::Mistake,
            error,
        }
    }

    /// Settings that can't work here and now.
    #[must_use]
    pub fn doubt(keys: &'static [&'static str], error: Error) -> Self {
        Self {
            keys,
            severity: Severity::Doubt,
            error,
        }
    }
}
