//! What a configuration says, read where its secrets are not: for `tributary export`, whose result
//! runs elsewhere.
//!
//! Variables that are not set here and files that are not here stay as they are written; where a
//! part can't be understood without them, that is a mistake as ever. Variables that override the
//! file (`TRIBUTARY__…`) are those of this machine and count for nothing.
//!
//! Invariant: [`Outline::text`] holds no secret. A value that may be one and stands in clear is
//! replaced by the name of a variable.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path as FilePath;

use serde_json::Value;

use crate::error::Problems;
use crate::kinds::Kinds;
use crate::layers::Environment;
use crate::load::{self, Gaps};
use crate::marks::Span;
use crate::path::Path;
use crate::plan::Plan;
use crate::yaml;

/// A configuration without its secrets, and what it needs from around it.
#[derive(Debug)]
pub struct Outline {
    /// What was meant.
    pub plan: Plan,
    /// The file as written, with `${NAME}` in place of every secret that stood in clear.
    pub text: String,
    /// The variables that the text names.
    pub variables: BTreeMap<String, Need>,
    /// The variables among them whose values stood in the file itself, and where.
    pub moved: BTreeMap<String, String>,
    /// The files that hold a value (`file:…`), as written; with `${` where a variable decides.
    pub secret_files: BTreeSet<String>,
    /// Other files that settings name; with `${` where a variable that is not set decides.
    pub files: BTreeSet<NamedFile>,
}

/// Whether a value must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Every place that names it has a default.
    Optional,
    /// It must be set.
    Required,
}

/// A file that a setting names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamedFile {
    /// Its name as written.
    pub name: String,
    /// Where a relative name starts.
    pub from: Start,
}

/// Where a relative name of a file starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Start {
    /// At the folder of the configuration.
    Configuration,
    /// At the directory that the program runs in.
    WorkingDirectory,
}

/// Reads a configuration without what it needs from around it.
///
/// # Errors
/// Every mistake in it, but for variables and files that are not here.
pub fn outline(
    path: &FilePath,
    environment: &Environment,
    kinds: &Kinds,
) -> Result<Outline, Problems> {
    let own = |name: &String| !name.starts_with(crate::layers::PREFIX);
    let environment = environment.iter().filter(|(name, _)| own(name));
    let environment = environment
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let text = load::written(path)?;
    let read = load::read(path, &text, &environment, kinds, Gaps::Leave)?;
    if is_malformed(&read.document) {
        // Whatever the variables are, this is a mistake: let the words be those of ever.
        load::read(path, &text, &environment, kinds, Gaps::Refuse)?;
    }
    let mut outline = Outline {
        text: String::new(),
        variables: BTreeMap::new(),
        moved: BTreeMap::new(),
        secret_files: BTreeSet::new(),
        files: named_files(&read.document, &read.filled, kinds),
        plan: read.plan,
    };
    outline.refer(&read.document);
    let clear = Clear {
        secrets: read.secrets,
        document: &read.document,
    };
    let secrets = clear.secrets.clone();
    outline.text = clear.replaced(&text, &mut outline);
    match still_clear(&outline, &secrets) {
        None => Ok(outline),
        Some(place) => Err(load::whole(
            path,
            format!("the value of {place} may be secret and stands in clear"),
        )),
    }
}

/// The place of a secret that could not be replaced, such as one behind an alias. // G8
fn still_clear(outline: &Outline, secrets: &[(Path, Span)]) -> Option<String> {
    let after = yaml::read(&outline.text).ok();
    let clear = |path: &&Path| match &after {
        Some(after) => is_clear(path, &after.value),
        None => true,
    };
    let mut paths = secrets.iter().map(|(path, _)| path);
    paths.find(clear).map(Path::to_string)
}

/// Whether a value is there and is not a reference itself.
fn is_clear(path: &Path, document: &Value) -> bool {
    match path.find(document) {
        Some(Value::String(text)) => {
            !text.is_empty() && references(text).is_empty() && !text.starts_with("file:")
        }
        Some(Value::Bool(_) | Value::Number(_)) => true,
        Some(Value::Null | Value::Array(_) | Value::Object(_)) | None => false,
    }
}

impl Outline {
    /// Notes what the values at and below `value` refer to.
    fn refer(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.refer_text(text),
            Value::Array(items) => items.iter().for_each(|item| self.refer(item)),
            Value::Object(fields) => fields.values().for_each(|item| self.refer(item)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn refer_text(&mut self, text: &str) {
        for (name, need) in references(text) {
            let known = self.variables.entry(name.to_owned()).or_insert(need);
            *known = need.max(*known);
        }
        if let Some(file) = text.strip_prefix("file:").filter(|f| !f.starts_with("//")) {
            self.secret_files.insert(file.to_owned());
        }
    }
}

/// Whether a text at or below `value` has a `${` that names no variable.
fn is_malformed(value: &Value) -> bool {
    let proper = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    match value {
        Value::String(text) => {
            let open = text.matches("${").count() - text.matches("$${").count();
            let names = references(text);
            names.len() < open || !names.iter().all(|(name, _)| proper(name))
        }
        Value::Array(items) => items.iter().any(is_malformed),
        Value::Object(fields) => fields.values().any(is_malformed),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The variables that a text names.
fn references(text: &str) -> Vec<(&str, Need)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let literal = rest[..at].ends_with('$');
        rest = &rest[at + 2..];
        let Some(end) = rest.find('}').filter(|_| !literal) else {
            continue;
        };
        found.push(match rest[..end].split_once(":-") {
            Some((name, _)) => (name, Need::Optional),
            None => (&rest[..end], Need::Required),
        });
        rest = &rest[end + 1..];
    }
    found
}

/// Files that settings name: those whose schema says so, and those whose key does.
fn named_files(written: &Value, filled: &Value, kinds: &Kinds) -> BTreeSet<NamedFile> {
    let mut files = BTreeSet::new();
    for (section, kinds) in [
        ("sources", &kinds.sources),
        ("destinations", &kinds.destinations),
    ] {
        let ends = written.get(section).and_then(Value::as_object);
        for (name, settings) in ends.into_iter().flatten() {
            let kind = kinds
                .iter()
                .find(|kind| Some(kind.name) == settings["type"].as_str());
            let is_file = |key: &str| kind.is_some_and(|kind| kind.names_file(key));
            gather(settings, &filled[section][name], &is_file, &mut files);
        }
    }
    files
}

fn gather(
    written: &Value,
    filled: &Value,
    is_file: &dyn Fn(&str) -> bool,
    files: &mut BTreeSet<NamedFile>,
) {
    for (key, item) in written.as_object().into_iter().flatten() {
        let from = match is_file(key) {
            true => Some(Start::Configuration),
            false => key.ends_with("_file").then_some(Start::WorkingDirectory),
        };
        // G8: what `file:` was filled in with is a secret, and no name.
        let names = item.as_str().is_some_and(|name| !name.starts_with("file:"));
        match (filled[key].as_str(), from) {
            (Some(name), Some(from)) if names => {
                let name = name.to_owned();
                files.insert(NamedFile { name, from });
            }
            _ => gather(item, &filled[key], &|_| false, files),
        }
    }
}

/// Secrets that stand in the file itself.
struct Clear<'d> {
    secrets: Vec<(Path, Span)>,
    document: &'d Value,
}

impl Clear<'_> {
    /// The text without them; notes in `outline` what stands there instead.
    fn replaced(mut self, text: &str, outline: &mut Outline) -> String {
        // From the end to the beginning: places before a replacement stay where they are.
        self.secrets
            .sort_by_key(|(_, span)| std::cmp::Reverse((span.line, span.column)));
        let mut text = text.to_owned();
        for (path, span) in &self.secrets {
            if !is_clear(path, self.document) {
                continue;
            }
            let variable = self.variable(path, outline);
            let (Some(from), Some(to)) = (
                offset(&text, span.line, span.column),
                offset(&text, span.end_line, span.end_column),
            ) else {
                continue;
            };
            let from = begin(&text, from);
            // A block of lines may end within the next key's line.
            let old = &text[from..to];
            let rest = &old[old.trim_end().len()..];
            let rest = rest.rfind('\n').map_or("", |at| &rest[at..]).to_owned();
            text.replace_range(from..to, &format!("\"${{{variable}}}\"{rest}"));
            outline.variables.insert(variable.clone(), Need::Required);
            outline.moved.insert(variable, path.to_string());
        }
        text
    }

    /// A name for the value at `path` that nothing else has.
    fn variable(&self, path: &Path, outline: &Outline) -> String {
        let place = path.to_string().to_ascii_uppercase();
        let legal = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let name: String = "TRIBUTARY_"
            .chars()
            .chain(place.chars().map(legal))
            .collect();
        let mut names = std::iter::once(name.clone()).chain((2..).map(|n| format!("{name}_{n}")));
        names
            .find(|name| !outline.variables.contains_key(name))
            .unwrap_or(name)
    }
}

/// Where the value whose text begins at `from` begins: a block of lines at its `|` or `>`.
fn begin(text: &str, from: usize) -> usize {
    let head = &text[..from];
    let above = head.trim_end();
    let sign = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-');
    let header = above.trim_end_matches(sign);
    let is_block = head[above.len()..].contains('\n') && header.ends_with(['|', '>']);
    if is_block { header.len() - 1 } else { from }
}

/// The place in bytes of a line and column.
fn offset(text: &str, line: usize, column: usize) -> Option<usize> {
    let mut lines = text.split_inclusive('\n');
    let before: usize = lines
        .by_ref()
        .take(line.checked_sub(1)?)
        .map(str::len)
        .sum();
    let rest = &text[before..];
    let within = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
    Some(before + within.into_iter().nth(column.checked_sub(1)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_as_they_are_filled_in() {
        let found = references("a${B}c${D:-x}$${E}${F");
        assert_eq!(found, [("B", Need::Required), ("D", Need::Optional)]);
    }

    #[test]
    fn places_count_characters() {
        let text = "a: ü\nbü: c\n";
        assert_eq!(offset(text, 2, 5), text.find('c'));
        assert_eq!(offset(text, 1, 1), Some(0));
        assert_eq!(offset(text, 9, 9), None);
    }
}
