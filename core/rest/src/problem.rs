//! Mistakes in a manifest: all of them, each with its place.

use std::fmt;

use tributary_model::{Error, ErrorKind};

/// A place in a text; line and column count from 1, in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct At {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where it is.
    pub at: At,
    /// What is wrong, as a sentence without its full stop.
    pub message: String,
    /// What helps.
    pub help: Option<String>,
}

/// Every mistake of a manifest, in the order of its text.
#[derive(Clone, Debug)]
pub struct Problems {
    /// The name of the text.
    pub file: String,
    /// The mistakes; never empty.
    pub problems: Vec<Problem>,
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let At { line, column } = problem.at;
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}{}:{line}:{column}: {}", self.file, problem.message)?;
            if let Some(help) = &problem.help {
                let stop = if problem.message.ends_with('?') {
                    ""
                } else {
                    "."
                };
                write!(f, "{stop} {help}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

impl From<Problems> for Error {
    fn from(problems: Problems) -> Self {
        let count = problems.problems.len();
        let what = match count {
            1 => "the manifest has a mistake".to_owned(),
            many => format!("the manifest has {many} mistakes"),
        };
        Self::new(ErrorKind::Config, what).because(problems)
    }
}

/// Gathers mistakes while a manifest is read.
#[derive(Debug, Default)]
pub(crate) struct Log {
    problems: Vec<Problem>,
}

impl Log {
    /// Notes a mistake.
    pub(crate) fn add(&mut self, at: At, message: impl Into<String>) {
        self.push(at, message.into(), None);
    }

    /// Notes a mistake and what helps.
    pub(crate) fn help(&mut self, at: At, message: impl Into<String>, help: impl Into<String>) {
        self.push(at, message.into(), Some(help.into()));
    }

    fn push(&mut self, at: At, message: String, help: Option<String>) {
        self.problems.push(Problem { at, message, help });
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// All of them, in the order of the text.
    pub(crate) fn close(mut self, file: &str) -> Problems {
        self.problems.sort();
        self.problems.dedup();
        Problems {
            file: file.to_owned(),
            problems: self.problems,
        }
    }
}

/// The nearest of `known` to `word`, if any is near.
pub(crate) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let allowed = |known: &str| (word.chars().count().max(known.chars().count()) / 3).max(1);
    known
        .into_iter()
        .map(|known| (strsim::osa_distance(word, known), known))
        .filter(|(distance, known)| *distance <= allowed(known))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// "Did you mean `x`?", or the list of what there is.
pub(crate) fn instead<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    match nearest(word, known.iter().copied()) {
        Some(near) => format!("Did you mean `{near}`?"),
        None if known.is_empty() => "There are none.".to_owned(),
        None => format!("Known are {}.", known.join(", ")),
    }
}
