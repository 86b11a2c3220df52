//! A document held against its JSON Schema: every mistake, in the words of a person.
//!
//! Understands what our own types say of themselves (`properties`, `required`, `oneOf`, `enum`,
//! ranges, our formats), not all of JSON Schema. On the way it mends what may be mended: text that
//! came from outside becomes the number it spells where a number is wanted, and a key without a
//! value becomes an empty mapping where a mapping is wanted.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::error::{At, Issue};
use crate::interpolate::Filled;
use crate::path::Path;
use crate::scalar;
use crate::suggest;

mod branches;
mod format;
mod shape;

pub(crate) use format::SOCKET_ADDRESS;
use shape::Shape;

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) issues: Vec<Issue>,
    /// Values that are known not to be secret.
    pub(crate) harmless: BTreeSet<Path>,
}

impl Verdict {
    pub(crate) const fn none() -> Self {
        Self {
            issues: Vec::new(),
            harmless: BTreeSet::new(),
        }
    }

    /// Whether anything at or below `path` is wrong.
    pub(crate) fn touches(&self, path: &Path) -> bool {
        self.issues.iter().any(|issue| match &issue.at {
            At::Key(at) | At::Value(at) => at.starts_with(path),
            At::File | At::Span(_) | At::Syntax(_) => false,
        })
    }
}

/// Holds `value` against `schema`.
pub(crate) fn validate(schema: &Value, value: &mut Value, filled: &Filled) -> Verdict {
    let mut validator = Validator {
        root: schema,
        filled,
        verdict: Verdict::default(),
    };
    validator.check(schema, value, &Path::default());
    validator.verdict
}

struct Validator<'a> {
    root: &'a Value,
    filled: &'a Filled,
    verdict: Verdict,
}

impl<'a> Validator<'a> {
    fn check(&mut self, schema: &'a Value, value: &mut Value, path: &Path) {
        if self.filled.broken.contains(path) {
            return;
        }
        let schema = self.resolve(schema);
        let shape = Shape::of(schema, self.root);
        if value.is_null() && !self.mend_empty(schema, shape, value, path) {
            return;
        }
        if let Some(branches) = branches::of(schema, self.root) {
            self.check_branches(&branches, value, path);
            return;
        }
        self.mend_text(shape, value, path);
        if !shape.takes(value) {
            self.complain_of_type(shape, schema, value, path);
            return;
        }
        self.check_known(schema, value, path);
    }

    /// Checks a value whose type fits.
    fn check_known(&mut self, schema: &'a Value, value: &mut Value, path: &Path) {
        if schema.get("format").and_then(Value::as_str) != Some("password") && is_scalar(value) {
            self.verdict.harmless.insert(path.clone());
        }
        for part in schema
            .get("allOf")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            self.check(part, value, path);
        }
        match value {
            Value::Object(fields) => self.check_object(schema, fields, path),
            Value::Array(items) => {
                let Some(of) = schema.get("items") else {
                    return;
                };
                for (index, item) in items.iter_mut().enumerate() {
                    self.check(of, item, &path.index(index));
                }
            }
            Value::String(text) => self.check_text(schema, text, path),
            Value::Number(_) => self.check_range(schema, value, path),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn check_object(&mut self, schema: &'a Value, fields: &mut Map<String, Value>, path: &Path) {
        let known = schema.get("properties").and_then(Value::as_object);
        let others = schema.get("additionalProperties");
        let mut slips = BTreeSet::new();
        for (key, value) in fields.iter_mut() {
            let at = path.key(key);
            match (known.and_then(|known| known.get(key)), others) {
                (Some(of), _) => self.check(of, value, &at),
                (None, Some(Value::Bool(false))) => {
                    let keys = known.into_iter().flat_map(|known| known.keys());
                    slips.extend(self.complain_of_key(key, keys, path));
                }
                (None, Some(of)) => self.check(of, value, &at),
                (None, None) => {}
            }
        }
        let required = schema.get("required").and_then(Value::as_array);
        for key in required.into_iter().flatten().filter_map(Value::as_str) {
            // A misspelt key has been named already.
            if !fields.contains_key(key) && !slips.contains(key) {
                let what = format!("the key `{key}` is missing{}", path.place());
                self.complain(At::Key(path.clone()), what);
            }
        }
    }

    /// Returns the key that was meant, if that can be guessed.
    fn complain_of_key<'k>(
        &mut self,
        key: &str,
        known: impl Iterator<Item = &'k String>,
        path: &Path,
    ) -> Option<&'k str> {
        let known: Vec<&str> = known.map(String::as_str).collect();
        let near = suggest::nearest(key, known.iter().copied());
        let instead = suggest::instead(key, known);
        let what = format!("unknown key `{key}`{}{instead}", path.place());
        self.complain(At::Key(path.key(key)), what);
        near
    }

    fn check_text(&mut self, schema: &'a Value, text: &str, path: &Path) {
        if let Some(known) = shape::words(schema) {
            self.check_word(&known, text, path);
            return;
        }
        let format = schema.get("format").and_then(Value::as_str);
        if let Err(why) = format::check(format.unwrap_or_default(), text) {
            let what = format!("{} is wrong{}: {why}", path.label(), self.quote(text, path));
            self.complain(At::Value(path.clone()), what);
        }
        let least = schema.get("minLength").and_then(Value::as_u64).unwrap_or(0);
        if (text.chars().count() as u64) < least {
            let what = format!("{} must not be empty", path.label());
            self.complain(At::Value(path.clone()), what);
        }
    }

    fn check_word(&mut self, known: &[&str], text: &str, path: &Path) {
        if known.contains(&text) {
            return;
        }
        let what = match self.may_show(path) {
            true => format!("`{text}` is not a value of {}", path.label()),
            false => format!("the value of {} is not one of its own", path.label()),
        };
        let instead = match self.may_show(path) {
            true => suggest::instead(text, known.iter().copied()),
            false => suggest::list(known),
        };
        self.complain(At::Value(path.clone()), what + &instead);
    }

    fn check_range(&mut self, schema: &Value, value: &Value, path: &Path) {
        let bound = |name| schema.get(name).and_then(Value::as_f64);
        let (low, high) = (bound("minimum"), bound("maximum"));
        let Some(number) = value.as_f64() else {
            return;
        };
        let fits = low.is_none_or(|low| number >= low) && high.is_none_or(|high| number <= high);
        if fits {
            return;
        }
        let range = match (low, high) {
            (Some(low), Some(high)) => format!("between {low} and {high}"),
            (Some(low), None) => format!("at least {low}"),
            (None, Some(high)) => format!("at most {high}"),
            (None, None) => return,
        };
        let shown = self.quote(&value.to_string(), path);
        let what = format!("{} must be {range}{shown}", path.label());
        self.complain(At::Value(path.clone()), what);
    }

    fn complain_of_type(&mut self, shape: Shape, schema: &Value, value: &Value, path: &Path) {
        let found = shape::describe(value);
        let secret = schema.get("format").and_then(Value::as_str) == Some("password");
        let shown = match value {
            Value::Number(_) | Value::Bool(_) | Value::String(_) if !secret => self.quote(
                value
                    .as_str()
                    .map_or(value.to_string(), str::to_owned)
                    .as_str(),
                path,
            ),
            _ => String::new(),
        };
        if !secret && is_scalar(value) {
            self.verdict.harmless.insert(path.clone());
        }
        let what = format!("{} takes {shape}, not {found}{shown}", path.label());
        let issue = Issue::new(At::Value(path.clone()), what);
        self.verdict
            .issues
            .push(match remedy(shape, schema, value) {
                Some(remedy) => issue.help(remedy),
                None => issue,
            });
    }

    /// A key without a value: empty where that can be, else a mistake. Returns whether to go on.
    fn mend_empty(&mut self, schema: &Value, shape: Shape, value: &mut Value, path: &Path) -> bool {
        if shape::has_word(schema, "null", self.root) {
            // `zero_dates: null` means the word, whatever YAML makes of it.
            *value = Value::from("null");
        } else if shape.object {
            *value = Value::Object(Map::new());
        } else if shape.array {
            *value = Value::Array(Vec::new());
        } else if !shape.any() {
            let what = format!("{} has no value", path.label());
            let issue = Issue::new(At::Key(path.clone()), what);
            self.verdict
                .issues
                .push(issue.help("Write one, or take the key away."));
            return false;
        }
        true
    }

    /// Text from outside that spells what is wanted.
    fn mend_text(&self, shape: Shape, value: &mut Value, path: &Path) {
        let Value::String(text) = &*value else {
            return;
        };
        if shape.text || !self.filled.loose.contains(path) {
            return;
        }
        let spelt = match text.as_str() {
            "true" if shape.boolean => Some(Value::Bool(true)),
            "false" if shape.boolean => Some(Value::Bool(false)),
            text if shape.integer || shape.number => scalar::number(text).map(Value::Number),
            _ => None,
        };
        *value = spelt.unwrap_or_else(|| value.clone());
    }

    /// The value in brackets, unless it came from elsewhere. // G8
    fn quote(&self, text: &str, path: &Path) -> String {
        match self.may_show(path) && text.chars().count() <= 60 {
            true => format!(" (`{text}`)"),
            false => String::new(),
        }
    }

    fn may_show(&self, path: &Path) -> bool {
        !self.filled.loose.contains(path)
    }

    fn complain(&mut self, at: At, what: String) {
        self.verdict.issues.push(Issue::new(at, what));
    }

    fn resolve(&self, schema: &'a Value) -> &'a Value {
        shape::resolve(schema, self.root)
    }
}

/// What to do about a value of the wrong type.
fn remedy(shape: Shape, schema: &Value, value: &Value) -> Option<String> {
    let format = schema
        .get("format")
        .and_then(Value::as_str)
        .unwrap_or_default();
    match value {
        Value::Number(_) | Value::Bool(_) if shape == Shape::TEXT => {
            match format::check(format, &value.to_string()) {
                Ok(()) => Some("Put it in quotes.".to_owned()),
                Err(_) if format == "password" => Some("Put it in quotes.".to_owned()),
                Err(why) => Some(format!("Mind that {why}.")),
            }
        }
        Value::String(text) if shape.integer || shape.number || shape.boolean => {
            let spelt = scalar::number(text).is_some() || matches!(text.as_str(), "true" | "false");
            spelt.then(|| "Take its quotes away.".to_owned())
        }
        _ => None,
    }
}

fn is_scalar(value: &Value) -> bool {
    !matches!(value, Value::Array(_) | Value::Object(_))
}
