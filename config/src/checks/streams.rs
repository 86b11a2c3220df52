//! Choices for streams and columns that don't go together.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use tributary_model::Error;

use crate::error::{At, Issue};
use crate::path::Path;
use crate::table::RESERVED;

/// Everything about the streams of the connection at `path`.
pub(crate) fn check(connection: &Map<String, Value>, path: &Path) -> Vec<Issue> {
    let mut issues = Vec::new();
    if let Some(defaults) = connection.get("defaults").and_then(Value::as_object) {
        let path = path.key("defaults");
        if defaults.contains_key("table") {
            let what = "`table` can't be a default: all streams would share it";
            issues.push(Issue::new(At::Key(path.key("table")), what));
        }
        issues.extend(columns(defaults, &path));
    }
    let streams = connection.get("streams").and_then(Value::as_object);
    for (name, stream) in streams.into_iter().flatten() {
        let path = path.key("streams").key(name);
        issues.extend(pattern(name, &path));
        if let Some(stream) = stream.as_object() {
            issues.extend(columns(stream, &path));
        }
    }
    issues
}

/// Row filters that the connection's source, of a kind called `kind`, does not understand.
pub(crate) fn unfiltered(connection: &Map<String, Value>, path: &Path, kind: &str) -> Vec<Issue> {
    let refused = |(path, _): (Path, &Value)| {
        let what = format!("`where` is not available: a source of type {kind} can't filter rows");
        Issue::new(At::Key(path), what).help("Take it out, and filter in the warehouse.")
    };
    filtered(connection, path).map(refused).collect()
}

/// Row filters in which the connection's source finds a fault.
pub(crate) fn filters(
    connection: &Map<String, Value>,
    path: &Path,
    fault: fn(&str) -> Option<Error>,
) -> Vec<Issue> {
    let refused = |(path, filter): (Path, &Value)| {
        let error = fault(filter.as_str()?)?;
        let issue = Issue::new(At::Value(path), format!("`where` {}", error.what()));
        Some(match error.help() {
            Some(help) => issue.help(help),
            None => issue,
        })
    };
    filtered(connection, path).filter_map(refused).collect()
}

/// Every `where`, and its place.
fn filtered<'c>(
    connection: &'c Map<String, Value>,
    path: &'c Path,
) -> impl Iterator<Item = (Path, &'c Value)> {
    let defaults = connection
        .get("defaults")
        .map(|defaults| (path.key("defaults"), defaults));
    let streams = connection.get("streams").and_then(Value::as_object);
    let streams = streams.into_iter().flatten();
    let streams = streams.map(|(name, stream)| (path.key("streams").key(name), stream));
    defaults
        .into_iter()
        .chain(streams)
        .filter_map(|(path, options)| Some((path.key("where"), options.get("where")?)))
}

fn pattern(name: &str, path: &Path) -> Option<Issue> {
    let what = format!("`{name}` is a pattern, and options are given stream by stream");
    name.contains(['*', '?']).then(|| {
        Issue::new(At::Key(path.clone()), what)
            .help("Choices for all streams go into `defaults`; `select` takes patterns.")
    })
}

fn columns(stream: &Map<String, Value>, path: &Path) -> Vec<Issue> {
    let mut issues = Vec::new();
    let mut names: BTreeMap<&str, &str> = BTreeMap::new();
    let columns = stream.get("columns").and_then(Value::as_object);
    for (name, rule) in columns.into_iter().flatten() {
        let path = path.key("columns").key(name);
        let Some(rule) = rule.as_object() else {
            continue;
        };
        issues.extend(contradiction(rule, &path));
        let Some(new) = rule.get("rename").and_then(Value::as_str) else {
            continue;
        };
        let at = At::Value(path.key("rename"));
        if let Some(other) = names.insert(new, name) {
            let what = format!("the columns `{other}` and `{name}` would both be called `{new}`");
            issues.push(Issue::new(at, what));
        } else if new.is_empty() || new.starts_with(RESERVED) {
            let what = "a column's name may not be empty or begin with `_tributary`";
            issues.push(Issue::new(at, what));
        }
    }
    issues
}

/// Two rules of which only one can be.
fn contradiction(rule: &Map<String, Value>, path: &Path) -> Option<Issue> {
    let hash = rule.get("hash").and_then(Value::as_bool) == Some(true);
    let has = |key| rule.contains_key(key);
    if let Some(mask) = rule.get("mask").and_then(Value::as_object) {
        let ways = ["keep_last", "keep_first", "constant"]
            .iter()
            .filter(|key| mask.contains_key(**key));
        if ways.count() != 1 {
            let what = "`mask` takes one of `keep_last`, `keep_first` and `constant`";
            return Some(Issue::new(At::Value(path.key("mask")), what));
        }
    }
    let what = match (hash, has("mask"), has("type")) {
        (true, true, _) => "`hash` and `mask` exclude each other",
        (true, _, true) => "a hashed column is text and can have no other `type`",
        (_, true, true) => "a masked column is text and can have no other `type`",
        _ if rule.is_empty() => {
            "a column's rule is empty; write `exclude`, `hash`, `mask`, `rename` or `type`"
        }
        _ => return None,
    };
    Some(Issue::new(At::Key(path.clone()), what))
}
