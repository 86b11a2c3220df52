//! Mistakes in a configuration: all of them, each with its place.

use std::fmt;

use serde::Serialize;
use tributary_model::{Error, ErrorKind, Severity};

use crate::marks::Span;
use crate::path::Path;

/// Where a mistake is, before it is known whether file or environment said so.
#[derive(Clone, Debug)]
pub(crate) enum At {
    /// The whole file.
    File,
    /// This stretch of it.
    Span(Span),
    /// This stretch of text that could not be read as YAML.
    Syntax(Span),
    /// The key at a path.
    Key(Path),
    /// The value at a path.
    Value(Path),
}

/// A mistake as found.
#[derive(Clone, Debug)]
pub(crate) struct Issue {
    pub(crate) at: At,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    pub(crate) severity: Severity,
}

impl Issue {
    pub(crate) fn new(at: At, message: impl Into<String>) -> Self {
        Self {
            at,
            message: message.into(),
            help: None,
            severity: Severity::Mistake,
        }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn is_doubt(&self) -> bool {
        self.severity == Severity::Doubt
    }
}

/// Where a mistake is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum Place {
    /// The file as a whole.
    File {},
    /// A line and column of the file, both from 1, counted in characters.
    Text {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// A variable of the environment.
    Variable {
        /// Its name.
        variable: String,
    },
}

/// One mistake.
#[derive(Clone, Debug, Serialize)]
pub struct Problem {
    /// Where it is.
    #[serde(flatten)]
    pub place: Place,
    /// What is wrong, in a sentence.
    pub message: String,
    /// What helps.
    pub help: Option<String>,
    /// The line with a caret beneath, secrets hidden.
    #[serde(skip)]
    pub(crate) excerpt: Option<String>,
}

/// Every mistake of a configuration, in the order of the file.
#[derive(Clone, Debug, Serialize)]
pub struct Problems {
    /// The file.
    pub file: String,
    /// The mistakes; never empty.
    pub problems: Vec<Problem>,
}

impl Problem {
    /// The mistake as one line, in the configuration called `file`.
    #[must_use]
    pub fn line(&self, file: &str) -> String {
        let place = match &self.place {
            Place::File {} => file.to_owned(),
            Place::Text { line, column } => format!("{file}:{line}:{column}"),
            Place::Variable { variable } => format!("environment variable {variable}"),
        };
        let (message, help) = (&self.message, self.help.as_deref());
        match help {
            None => format!("{place}: {message}"),
            Some(help) if message.ends_with(['?', '.']) => format!("{place}: {message} {help}"),
            Some(help) => format!("{place}: {message}. {help}"),
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "{}", problem.line(&self.file))?;
            if let Some(excerpt) = &problem.excerpt {
                f.write_str(excerpt)?;
            }
        }
        match self.problems.len() {
            1 => f.write_str("1 mistake in the configuration; nothing was contacted"),
            many => write!(
                f,
                "{many} mistakes in the configuration; nothing was contacted"
            ),
        }
    }
}

impl std::error::Error for Problems {}

impl From<Problems> for Error {
    fn from(problems: Problems) -> Self {
        Error::new(ErrorKind::Config, problems.to_string())
    }
}
