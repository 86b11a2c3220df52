//! `where` of a stream: which rows of its table are wanted.
//!
//! The copy hands the filter to the server. A row of the log must be judged by the same rule without
//! a table to ask, so that `where` is a language of its own, a part of SQL whose meaning is known to
//! the last corner: comparisons of a column with a constant, `BETWEEN`, `IN`, `LIKE`, `IS NULL`, and
//! `AND`, `OR`, `NOT` with their three values. What it can't say (functions, arithmetic, other tables)
//! is refused by `tributary validate`.
//!
//! Numbers and dates are compared here ([`judge`]). Text is compared by its collation, of which there
//! are hundreds: each value that comes is shown to the server once, as a constant with the column's
//! character set and collation, and its answer remembered ([`answers`]).
//!
//! Both roads use one text: what the copy asks is written from the parsed filter ([`render`]), never
//! the user's own, so that no quirk (`IS NULL` that finds `0000-00-00`, `||` that may concatenate)
//! means one thing there and another here.

mod answers;
mod bind;
mod judge;
mod lexer;
mod literal;
mod long;
mod number;
mod parse;
mod render;

use tributary_model::{Error, ErrorKind, Result};

pub(crate) use bind::Bound;
use literal::Literal;

/// A parsed filter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Filter {
    condition: Condition,
}

/// What must be true of a row.
#[derive(Clone, Debug, PartialEq)]
enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Test(Test),
}

/// One question to one column.
#[derive(Clone, Debug, PartialEq)]
struct Test {
    column: String,
    check: Check,
}

/// What is asked of a column.
#[derive(Clone, Debug, PartialEq)]
enum Check {
    /// How it compares with a constant.
    Compare(Comparison, Literal),
    /// Whether it is like a pattern.
    Like {
        pattern: String,
        escape: Option<String>,
    },
    /// Whether it is NULL.
    IsNull,
    /// Whether it is another number than 0.
    IsTrue,
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] with what can't be understood, as the rest of a sentence about `where`.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let tokens = lexer::tokens(text)?;
        Ok(Self {
            condition: parse::condition(&tokens)?,
        })
    }

    /// As SQL for the server.
    #[must_use]
    pub(crate) fn sql(&self) -> String {
        render::condition(&self.condition)
    }
}

impl Condition {
    /// All its tests, in order.
    fn tests(&self) -> Vec<&Test> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::tests).collect(),
            Self::Not(inner) => inner.tests(),
            Self::Test(test) => vec![test],
        }
    }
}

/// An error of somebody's `where`.
fn refused(what: impl Into<String>, fix: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, what).fix(fix)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
