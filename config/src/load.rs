//! From text to plan, step by step, gathering every mistake on the way.

use std::collections::BTreeMap;
use std::path::Path as FilePath;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::alerts;
use crate::checks;
use crate::error::{At, Issue, Place, Problem, Problems};
use crate::excerpt;
use crate::file::File;
use crate::files;
use crate::interpolate::{self, Wells};
use crate::kinds::Kinds;
use crate::layers::{self, Merged};
use crate::marks::{Marks, Span};
use crate::path::Path;
use crate::plan::{self, Plan};
use crate::schema;
use crate::telemetry;
use crate::validate::{self, Verdict};
use crate::yaml::{self, Document};

/// The variables of the environment, handed in by the one place that reads it.
pub type Environment = BTreeMap<String, String>;

/// Reads the configuration file at `path`.
///
/// # Errors
/// Every mistake in it.
pub fn load(path: &FilePath, environment: &Environment, kinds: &Kinds) -> Result<Plan, Problems> {
    parse(path, &written(path)?, environment, kinds)
}

/// The text of the configuration file at `path`.
pub(crate) fn written(path: &FilePath) -> Result<String, Problems> {
    std::fs::read_to_string(path).map_err(|why| {
        let missing = why.kind() == std::io::ErrorKind::NotFound;
        let issue = match missing {
            true => Issue::new(At::File, "there is no such file").help(
                "Name another with `--config FILE`, or let `tributary init SOURCE_URL \
                 DESTINATION_URL` write one.",
            ),
            false => Issue::new(At::File, format!("the file can't be read: {why}")),
        };
        Reporter::bare(path, "").report(vec![issue])
    })
}

/// A mistake of the file at `path` as a whole.
pub(crate) fn whole(path: &FilePath, message: String) -> Problems {
    Reporter::bare(path, "").report(vec![Issue::new(At::File, message)])
}

/// What to do about variables that are not set and files that are not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gaps {
    /// They are mistakes.
    Refuse,
    /// The values stay as written, wherever the rest can be understood without them.
    Leave,
}

/// A configuration and how it was written.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) plan: Plan,
    /// The document as written.
    pub(crate) document: Value,
    /// The document with everything filled in that could be.
    pub(crate) filled: Value,
    /// Values that may be secret.
    pub(crate) secrets: Vec<(Path, Span)>,
}

/// Reads a configuration that is in memory already; `path` is its name in reports, and its folder
/// is where relative names of secret files start.
///
/// # Errors
/// Every mistake in it.
pub fn parse(
    path: &FilePath,
    text: &str,
    environment: &Environment,
    kinds: &Kinds,
) -> Result<Plan, Problems> {
    read(path, text, environment, kinds, Gaps::Refuse).map(|read| read.plan)
}

/// Reads a configuration that is in memory already.
///
/// # Errors
/// Every mistake in it.
pub(crate) fn read(
    path: &FilePath,
    text: &str,
    environment: &Environment,
    kinds: &Kinds,
    gaps: Gaps,
) -> Result<Read, Problems> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let bare = Reporter::bare(path, text);
    let document = yaml::read(text).map_err(|issue| bare.report(vec![issue]))?;
    if let Some(issue) = not_a_mapping(&document) {
        return Err(bare.report(vec![issue]));
    }
    let merged = layers::merge(&document.value, environment)
        .map_err(|why| bare.report(vec![Issue::new(At::File, why)]))?;
    let Merged {
        mut value,
        variables,
    } = merged;
    let wells = Wells {
        environment,
        folder: path.parent().unwrap_or(FilePath::new("")),
    };
    let fixed = |path: &Path| variables.contains_key(path);
    let filled = interpolate::fill_in(&mut value, wells, &fixed);
    let before = value.clone();
    files::anchor(&mut value, kinds, wells.folder);
    let schema = schema::document_schema(kinds);
    let verdict = validate::validate(&schema, &mut value, &filled);
    let mut issues = document.issues;
    if gaps == Gaps::Refuse {
        issues.extend(filled.issues.iter().cloned());
    }
    issues.extend(verdict.issues.iter().cloned());
    issues.extend(checks::settings(&value, kinds, &filled, &verdict));
    issues.extend(alerts::check(&value, &filled));
    issues.extend(checks::connections(&value, kinds, &filled));
    issues.extend(telemetry::check(&value));
    let reporter = Reporter {
        marks: &document.marks,
        variables: &variables,
        verdict: &verdict,
        ..bare
    };
    // A doubt alone keeps nobody from going on.
    if issues.iter().all(Issue::is_doubt) {
        let plan = read_checked(&value).map_err(|issue| {
            // What is missing says more than what it makes impossible.
            reporter.report(match filled.issues.is_empty() {
                true => vec![issue],
                false => filled.issues.clone(),
            })
        })?;
        let doubts = reporter.report(issues).problems;
        Ok(Read {
            plan: Plan { doubts, ..plan },
            secrets: reporter.secrets(),
            document: document.value,
            filled: before,
        })
    } else {
        issues.retain(|issue| !issue.is_doubt());
        Err(reporter.report(issues))
    }
}

fn not_a_mapping(document: &Document) -> Option<Issue> {
    let begin = document.marks.value(&Path::default());
    match &document.value {
        Value::Object(_) => None,
        Value::Null => Some(Issue::new(At::File, "the file is empty").help(
            "It needs `sources`, `destinations` and `connections`; `tributary init SOURCE_URL \
             DESTINATION_URL` writes them.",
        )),
        _ => Some(Issue::new(
            begin.map_or(At::File, At::Syntax),
            "the file must be a mapping with `sources`, `destinations` and `connections`",
        )),
    }
}

/// Turns a document without known mistakes into its types.
fn read_checked(value: &Value) -> Result<Plan, Issue> {
    let file = File::deserialize(value).map_err(|why| {
        let why = checks::redact(&why.to_string(), value, &Path::default(), &|_| true);
        Issue::new(At::File, format!("the configuration can't be read: {why}"))
    })?;
    Ok(plan::fill_in(file))
}

/// Turns mistakes at paths into mistakes at lines.
#[derive(Clone, Copy)]
struct Reporter<'a> {
    path: &'a FilePath,
    text: &'a str,
    marks: &'a Marks,
    variables: &'a BTreeMap<Path, String>,
    verdict: &'a Verdict,
}

static NO_MARKS: Marks = Marks {
    entries: BTreeMap::new(),
    scalars: Vec::new(),
    strays: Vec::new(),
};
static NO_VARIABLES: BTreeMap<Path, String> = BTreeMap::new();
static NO_VERDICT: Verdict = Verdict::none();

impl<'a> Reporter<'a> {
    fn bare(path: &'a FilePath, text: &'a str) -> Self {
        Self {
            path,
            text,
            marks: &NO_MARKS,
            variables: &NO_VARIABLES,
            verdict: &NO_VERDICT,
        }
    }

    fn report(&self, issues: Vec<Issue>) -> Problems {
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

    fn secrets(&self) -> Vec<(Path, Span)> {
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

/// An object's field, as an object.
pub(crate) fn section<'v>(value: &'v Value, name: &str) -> Option<&'v Map<String, Value>> {
    value.get(name)?.as_object()
}
