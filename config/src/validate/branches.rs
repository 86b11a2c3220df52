//! Alternatives: the branch that a value means is found first, so that its mistakes can be named
//! instead of "matches none of these".

use serde_json::Value;

use super::shape::{self, Shape};
use super::{Validator, Verdict};
use crate::error::At;
use crate::path::Path;
use crate::suggest;

/// The alternatives of a schema that is nothing but alternatives, nested ones included.
pub(crate) fn of<'s>(schema: &'s Value, root: &'s Value) -> Option<Vec<&'s Value>> {
    let listed = schema
        .get("oneOf")
        .or_else(|| schema.get("anyOf"))?
        .as_array()?;
    let mut branches = Vec::new();
    for branch in listed {
        let branch = shape::resolve(branch, root);
        match of(branch, root) {
            Some(inner) => branches.extend(inner),
            // `null` is how an optional value says that it is; the file says so by leaving it out.
            None if branch.get("type").and_then(Value::as_str) == Some("null") => {}
            None => branches.push(branch),
        }
    }
    Some(branches)
}

impl<'a> Validator<'a> {
    pub(super) fn check_branches(
        &mut self,
        branches: &[&'a Value],
        value: &mut Value,
        path: &Path,
    ) {
        let root = self.root;
        let shape = branches
            .iter()
            .map(|branch| Shape::of(branch, root))
            .fold(Shape::default(), |all, one| all.or(one));
        self.mend_text(shape, value, path);
        if let Some(tag) = discriminator(branches) {
            self.check_tagged(tag, branches, value, path);
            return;
        }
        let fitting: Vec<&Value> = branches
            .iter()
            .copied()
            .filter(|b| Shape::of(b, root).takes(value))
            .collect();
        match (fitting.as_slice(), &*value) {
            ([], _) => self.complain_of_type(shape, &Value::Null, value, path),
            ([only], _) => self.check(only, value, path),
            (many, Value::String(text)) if many.iter().all(|b| shape::words(b).is_some()) => {
                let words: Vec<&str> = many
                    .iter()
                    .filter_map(|b| shape::words(b))
                    .flatten()
                    .collect();
                self.verdict.harmless.insert(path.clone());
                self.check_word(&words, &text.clone(), path);
            }
            (many, _) => self.check_best(many, value, path),
        }
    }

    /// The branch that finds least to complain of.
    fn check_best(&mut self, branches: &[&'a Value], value: &mut Value, path: &Path) {
        let mut best: Option<(Value, Verdict)> = None;
        for branch in branches {
            let mut copy = value.clone();
            let mut attempt = Validator {
                root: self.root,
                filled: self.filled,
                verdict: Verdict::default(),
            };
            attempt.check(branch, &mut copy, path);
            let found = attempt.verdict;
            let fewer = |(_, best): &(Value, Verdict)| found.issues.len() < best.issues.len();
            if best.as_ref().is_none_or(fewer) {
                best = Some((copy, found));
            }
        }
        if let Some((mended, found)) = best {
            *value = mended;
            self.verdict.issues.extend(found.issues);
            self.verdict.harmless.extend(found.harmless);
        }
    }

    /// Branches told apart by one key, such as `type`.
    fn check_tagged(&mut self, tag: &str, branches: &[&'a Value], value: &mut Value, path: &Path) {
        let kinds: Vec<&str> = branches
            .iter()
            .filter_map(|branch| constant(branch, tag))
            .collect();
        let Some(fields) = value.as_object() else {
            let shape = Shape {
                object: true,
                ..Shape::default()
            };
            self.complain_of_type(shape, &Value::Null, value, path);
            return;
        };
        let at = path.key(tag);
        if self.filled.broken.contains(&at) {
            return;
        }
        let kind = match fields.get(tag) {
            None | Some(Value::Null) => {
                let known = suggest::list(&kinds);
                let what = format!("the key `{tag}` is missing{}{known}", path.place());
                self.complain(At::Key(path.clone()), what);
                return;
            }
            Some(Value::String(kind)) => kind.clone(),
            Some(other) => other.to_string(),
        };
        let branch = branches
            .iter()
            .find(|branch| constant(branch, tag) == Some(kind.as_str()));
        if let Some(branch) = branch {
            self.check(branch, value, path);
            return;
        }
        let what = match self.may_show(&at) {
            true => format!("unknown {tag} `{kind}`{}", suggest::instead(&kind, kinds)),
            false => format!("unknown {tag}{}", suggest::list(&kinds)),
        };
        self.verdict.harmless.insert(at.clone());
        self.complain(At::Value(at), what);
    }
}

/// The key that has a different constant in each of the branches.
fn discriminator<'s>(branches: &[&'s Value]) -> Option<&'s str> {
    let (first, rest) = branches.split_first()?;
    let properties = first.get("properties")?.as_object()?;
    properties.keys().map(String::as_str).find(|key| {
        constant(first, key).is_some() && rest.iter().all(|b| constant(b, key).is_some())
    })
}

fn constant<'s>(branch: &'s Value, key: &str) -> Option<&'s str> {
    branch.get("properties")?.get(key)?.get("const")?.as_str()
}
