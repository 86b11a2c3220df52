//! From text to plan, step by step, gathering every mistake on the way.

use std::collections::BTreeMap;
use std::path::Path as FilePath;

use serde::Deserialize;
use serde_json::Value;

use crate::alerts;
use crate::checks;
use crate::error::{At, Issue, Problems};
use crate::file::File;
use crate::files;
use crate::interpolate::{self, Filled, Wells};
use crate::kinds::Kinds;
use crate::layers::{self, Environment};
use crate::marks::Span;
use crate::path::Path;
use crate::plan::{self, Plan};
use crate::redact::redact;
use crate::report::Reporter;
use crate::schema;
use crate::telemetry;
use crate::validate::{self, Verdict};
use crate::yaml::{self, Document};

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
    let wells = Wells {
        environment,
        folder: path.parent().unwrap_or(FilePath::new("")),
    };
    let variables = merged.variables;
    let found = check(merged.value, &variables, wells, kinds);
    let mut issues = document.issues;
    if gaps == Gaps::Refuse {
        issues.extend(found.filled.issues.iter().cloned());
    }
    issues.extend(found.issues);
    let reporter = Reporter {
        marks: &document.marks,
        variables: &variables,
        verdict: &found.verdict,
        ..bare
    };
    // A doubt alone keeps nobody from going on.
    if !issues.iter().all(Issue::is_doubt) {
        issues.retain(|issue| !issue.is_doubt());
        return Err(reporter.report(issues));
    }
    let plan = read_checked(&found.value).map_err(|issue| {
        // What is missing says more than what it makes impossible.
        reporter.report(match found.filled.issues.is_empty() {
            true => vec![issue],
            false => found.filled.issues.clone(),
        })
    })?;
    let doubts = reporter.report(issues).problems;
    Ok(Read {
        plan: Plan { doubts, ..plan },
        secrets: reporter.secrets(),
        document: document.value,
        filled: found.as_filled,
    })
}

/// A document and what has been found out about it.
struct Found {
    /// With everything filled in and mended.
    value: Value,
    /// With everything filled in, and nothing mended.
    as_filled: Value,
    filled: Filled,
    verdict: Verdict,
    issues: Vec<Issue>,
}

/// Fills a document in, and holds it against its schema and the rules that no schema has.
fn check(
    mut value: Value,
    variables: &BTreeMap<Path, String>,
    wells: Wells<'_>,
    kinds: &Kinds,
) -> Found {
    let fixed = |path: &Path| variables.contains_key(path);
    let filled = interpolate::fill_in(&mut value, wells, &fixed);
    let as_filled = value.clone();
    files::anchor(&mut value, kinds, wells.folder);
    let schema = schema::document_schema(kinds);
    let verdict = validate::validate(&schema, &mut value, &filled);
    let mut issues = verdict.issues.clone();
    issues.extend(checks::settings(&value, kinds, &filled, &verdict));
    issues.extend(alerts::check(&value, &filled));
    issues.extend(checks::connections(&value, kinds, &filled));
    issues.extend(telemetry::check(&value));
    Found {
        value,
        as_filled,
        filled,
        verdict,
        issues,
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
        let why = redact(&why.to_string(), value, &Path::default(), &|_| true);
        Issue::new(At::File, format!("the configuration can't be read: {why}"))
    })?;
    Ok(plan::fill_in(file))
}
