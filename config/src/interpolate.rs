//! `${NAME}`, `${NAME:-default}` and `file:/run/secrets/x` become what they stand for.
//!
//! Only values of the file are filled in, never keys, and never what the environment overrides: a
//! password may hold `${`. `$${` is a literal `${`. A value that was filled in is remembered, so
//! that no report repeats it.

use std::collections::BTreeSet;
use std::path::Path as FilePath;

use serde_json::Value;

use crate::error::{At, Issue};
use crate::layers::Environment;
use crate::path::Path;
use crate::suggest;

const FILE: &str = "file:";

/// What became of the values.
#[derive(Debug, Default)]
pub(crate) struct Filled {
    /// Values that came from elsewhere: text until the schema says otherwise, and never shown.
    pub(crate) loose: BTreeSet<Path>,
    /// Values that could not be had; what is wrong with them has been said.
    pub(crate) broken: BTreeSet<Path>,
    pub(crate) issues: Vec<Issue>,
}

impl Filled {
    /// Whether anything at or below `path` could not be had.
    pub(crate) fn touches(&self, path: &Path) -> bool {
        self.broken.iter().any(|broken| broken.starts_with(path))
    }
}

/// Where values come from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wells<'a> {
    pub(crate) environment: &'a Environment,
    /// The folder that relative names of files start from.
    pub(crate) folder: &'a FilePath,
}

/// Fills in everything below `value`, except what `fixed` holds.
pub(crate) fn fill_in(
    value: &mut Value,
    wells: Wells<'_>,
    fixed: &dyn Fn(&Path) -> bool,
) -> Filled {
    let mut filled = Filled::default();
    walk(value, &Path::default(), wells, fixed, &mut filled);
    filled
}

fn walk(
    value: &mut Value,
    path: &Path,
    wells: Wells<'_>,
    fixed: &dyn Fn(&Path) -> bool,
    filled: &mut Filled,
) {
    if fixed(path) {
        mark_loose(value, path, filled);
        return;
    }
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                walk(item, &path.index(index), wells, fixed, filled);
            }
        }
        Value::Object(fields) => {
            for (key, item) in fields {
                walk(item, &path.key(key), wells, fixed, filled);
            }
        }
        Value::String(text) => match wells.resolve(text) {
            Ok(None) => {}
            Ok(Some(resolved)) => {
                *text = resolved;
                filled.loose.insert(path.clone());
            }
            Err(mut issue) => {
                issue.at = At::Value(path.clone());
                filled.issues.push(issue);
                filled.broken.insert(path.clone());
            }
        },
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn mark_loose(value: &Value, path: &Path, filled: &mut Filled) {
    filled.loose.insert(path.clone());
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                mark_loose(item, &path.index(index), filled);
            }
        }
        Value::Object(fields) => {
            for (key, item) in fields {
                mark_loose(item, &path.key(key), filled);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

impl Wells<'_> {
    /// The text with everything filled in; `None` where there is nothing to fill in.
    fn resolve(self, text: &str) -> Result<Option<String>, Issue> {
        match text.strip_prefix(FILE) {
            // `file:///x` is an address, not a request to read.
            Some(name) if !name.starts_with("//") => {
                let name = self.expand(name)?.unwrap_or_else(|| name.to_owned());
                self.read(&name).map(Some)
            }
            _ => self.expand(text),
        }
    }

    fn read(self, name: &str) -> Result<String, Issue> {
        let path = self.folder.join(name);
        let text = std::fs::read_to_string(&path).map_err(|why| {
            issue(format!("the file `{name}` can't be read: {why}"))
                .help("`file:` takes the value from a file.")
        })?;
        let line = text.strip_suffix('\n').unwrap_or(&text);
        Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
    }

    fn expand(self, text: &str) -> Result<Option<String>, Issue> {
        if !text.contains("${") {
            return Ok(None);
        }
        let mut result = String::new();
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let before = &rest[..at];
            let after = &rest[at + 2..];
            if let Some(literal) = before.strip_suffix('$') {
                result.push_str(literal);
                result.push_str("${");
                rest = after;
                continue;
            }
            result.push_str(before);
            let end = after.find('}').ok_or_else(|| {
                issue("`${` has no `}`").help("Write `$${` for the characters themselves.")
            })?;
            result.push_str(&self.variable(&after[..end])?);
            rest = &after[end + 1..];
        }
        result.push_str(rest);
        Ok(Some(result))
    }

    /// The value of `NAME` or `NAME:-default`; as in a shell, empty counts as missing for the latter.
    fn variable(self, inside: &str) -> Result<String, Issue> {
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        let proper = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !proper {
            return Err(issue("`${…}` takes the name of an environment variable")
                .help("Write ${NAME} or ${NAME:-default}."));
        }
        match (self.environment.get(name), default) {
            (Some(value), Some(default)) if value.is_empty() => Ok(default.to_owned()),
            (Some(value), _) => Ok(value.clone()),
            (None, Some(default)) => Ok(default.to_owned()),
            (None, None) => Err(self.missing(name)),
        }
    }

    fn missing(self, name: &str) -> Issue {
        let near = suggest::nearest(name, self.environment.keys().map(String::as_str));
        let hint = match near {
            Some(near) => format!("; did you mean `{near}`?"),
            None => String::new(),
        };
        issue(format!("the environment variable {name} is not set{hint}"))
            .help(format!("Set it, or write ${{{name}:-default}}."))
    }
}

fn issue(message: impl Into<String>) -> Issue {
    Issue::new(At::File, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_defaults_and_escapes_are_filled_in() {
        let environment = [("A", "1"), ("EMPTY", "")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        let wells = Wells {
            environment: &environment,
            folder: FilePath::new("."),
        };
        for (text, expected) in [
            ("plain", None),
            ("${A}", Some("1")),
            ("x${A}y${A}", Some("x1y1")),
            ("${B:-two}", Some("two")),
            ("${EMPTY:-two}", Some("two")),
            ("${EMPTY}", Some("")),
            ("$${A}", Some("${A}")),
            ("file:///a/b", None),
        ] {
            let resolved = wells.resolve(text).ok().flatten();
            assert_eq!(resolved.as_deref(), expected, "{text}");
        }
        for text in ["${B}", "${A", "${}", "${A B}", "file:/nowhere/at/all"] {
            assert!(wells.resolve(text).is_err(), "{text}");
        }
    }
}
