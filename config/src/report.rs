//! Mistakes told to a person: where they stand, with the line in question.
//!
//! Invariant: no excerpt shows a value that may be secret.

use std::collections::BTreeMap;
use std::path::Path as FilePath;

use crate::error::{At, Issue, Place, Problem, Problems};
use crate::excerpt;
use crate::marks::{Marks, Span};
use crate::path::Path;
use crate::validate::Verdict;

/// Turns mistakes at paths into mistakes at lines.
#[derive(Clone, Copy)]
pub(crate) struct Reporter<'a> {
    pub(crate) path: &'a FilePath,
    pub(crate) text: &'a str,
    pub(crate) marks: &'a Marks,
    pub(crate) variables: &'a BTreeMap<Path, String>,
    pub(crate) verdict: &'a Verdict,
}

static NO_MARKS: Marks = Marks {
    entries: BTreeMap::new(),
    scalars: Vec::new(),
    strays: Vec::new(),
};
static NO_VARIABLES: BTreeMap<Path, String> = BTreeMap::new();
static NO_VERDICT: Verdict = Verdict::none();

impl<'a> Reporter<'a> {
    pub(crate) fn bare(path: &'a FilePath, text: &'a str) -> Self {
        Self {
            path,
            text,
            marks: &NO_MARKS,
            variables: &NO_VARIABLES,
            verdict: &NO_VERDICT,
        }
    }

    pub(crate) fn report(&self, issues: Vec<Issue>) -> Problems {
        let hidden = self.hidden();
        let mut problems: Vec<Problem> = issues
            .into_iter()
            .map(|issue| self.problem(issue, &hidden))
            .collect();
        problems.sort_by(|a, b| (&a.place, &a.message).cmp(&(&b.place, &b.message)));
        problems.dedup_by(|a, b| (&a.place, &a.message) == (&b.place, &b.message));
        Problems {
            file: self.path.display().to_string(),
            problems,
        }
    }

    fn problem(&self, issue: Issue, hidden: &[Span]) -> Problem {
        let (place, excerpt) = match &issue.at {
            At::File => (Place::File {}, None),
            At::Span(span) => (text(*span), excerpt::show(self.text, *span, hidden)),
            At::Syntax(span) => (text(*span), excerpt::show_broken(self.text, *span)),
            At::Key(path) => self.locate(path, self.marks.key(path), hidden),
            At::Value(path) => self.locate(path, self.marks.value(path), hidden),
        };
        Problem {
            place,
            message: issue.message,
            help: issue.help,
            excerpt,
        }
    }

    fn locate(&self, path: &Path, span: Option<Span>, hidden: &[Span]) -> (Place, Option<String>) {
        if let Some(variable) = self.variable(path) {
            return (Place::Variable { variable }, None);
        }
        match span {
            Some(span) => (text(span), excerpt::show(self.text, span, hidden)),
            None => (Place::File {}, None),
        }
    }

    /// The variable that said what is at `path`, or anything below it that the file does not have.
    fn variable(&self, path: &Path) -> Option<String> {
        let above = |known: &Path| path.starts_with(known);
        let below =
            |known: &Path| known.starts_with(path) && !self.marks.entries.contains_key(path);
        let mut variables = self.variables.iter();
        let found = variables.find(|(known, _)| above(known) || below(known));
        found.map(|(_, name)| name.clone())
    }

    /// Values that no excerpt may show: all but those that the schema knows to be harmless, and
    /// those that only say where a value is to be had.
    fn hidden(&self) -> Vec<Span> {
        let doubtful = self.secrets().into_iter().map(|(_, span)| span);
        doubtful.chain(self.marks.strays.iter().copied()).collect()
    }

    /// Values that may be secret, and their places.
    pub(crate) fn secrets(&self) -> Vec<(Path, Span)> {
        let scalars = self.marks.scalars.iter();
        let doubtful = scalars.filter(|(path, span)| {
            !self.verdict.harmless.contains(path) && !self.only_points(*span)
        });
        doubtful.cloned().collect()
    }

    /// Whether a value as written is nothing but `${NAME}` or `file:…`.
    fn only_points(&self, span: Span) -> bool {
        let Some(line) = self.text.lines().nth(span.line.saturating_sub(1)) else {
            return false;
        };
        let length = span.end_column.saturating_sub(span.column);
        let written: String = line.chars().skip(span.column - 1).take(length).collect();
        let written = written.trim_matches(['"', '\'']);
        let name = written
            .strip_prefix("${")
            .and_then(|rest| rest.strip_suffix('}'));
        let is_name = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let one_line = span.line == span.end_line;
        one_line && (name.is_some_and(is_name) || written.starts_with("file:"))
    }
}

fn text(span: Span) -> Place {
    Place::Text {
        line: span.line,
        column: span.column,
    }
}
