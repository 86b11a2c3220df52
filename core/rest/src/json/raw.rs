//! A JSON value as the text that it is.

use std::borrow::Cow;

use serde_json::Value;

use crate::path::Path;

use super::scan::Scanner;

/// A valid JSON value without white space around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Raw<'a>(&'a str);

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Bool,
    Number,
    Text,
    List,
    Object,
}

impl<'a> Raw<'a> {
    /// Takes a text that was found to be one value before.
    pub(crate) fn known(text: &'a str) -> Self {
        Self(text)
    }

    /// Reads a text that should be one value.
    pub(crate) fn parse(text: &'a str) -> Result<Self, super::Broken> {
        let mut scanner = Scanner::new(text);
        let raw = scanner.value()?;
        match scanner.is_done() {
            true => Ok(raw),
            false => Err(super::Broken(scanner.place())),
        }
    }

    /// The text itself.
    pub(crate) fn as_str(self) -> &'a str {
        self.0
    }

    /// What it is.
    pub(crate) fn kind(self) -> Kind {
        match self.0.as_bytes().first() {
            Some(b'"') => Kind::Text,
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::List,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'n') | None => Kind::Null,
            Some(_) => Kind::Number,
        }
    }

    /// A string without quotes and escapes; of anything else, the text.
    pub(crate) fn text(self) -> Cow<'a, str> {
        if self.kind() != Kind::Text {
            return Cow::Borrowed(self.0);
        }
        super::text::unescape(&self.0[1..self.0.len() - 1])
    }

    /// The value built; for what is small.
    pub(crate) fn to_value(self) -> Value {
        serde_json::from_str(self.0).unwrap_or(Value::Null)
    }

    /// What `path` leads to; null counts as none.
    pub(crate) fn find(self, path: &Path) -> Option<Self> {
        let found = path
            .steps()
            .iter()
            .try_fold(self, |at, step| at.step(step))?;
        (found.kind() != Kind::Null).then_some(found)
    }

    fn step(self, step: &str) -> Option<Self> {
        let mut found = None;
        match self.kind() {
            Kind::Object => {
                // What comes after it is not looked at: nearly every field asked for is an early one.
                let look = Scanner::new(self.0).object(|scanner, name| {
                    let value = scanner.value()?;
                    if name == step {
                        found = Some(value);
                        return Err(super::Broken(scanner.place()));
                    }
                    Ok(())
                });
                debug_assert!(look.is_ok() || found.is_some());
            }
            Kind::List => {
                let wanted: usize = step.parse().ok()?;
                let mut place = 0;
                let look = Scanner::new(self.0).list(|scanner| {
                    let value = scanner.value()?;
                    if place == wanted {
                        found = Some(value);
                    }
                    place += 1;
                    Ok(())
                });
                look.ok()?;
            }
            Kind::Null | Kind::Bool | Kind::Number | Kind::Text => {}
        }
        found
    }

    /// Each item of the list that `path` leads to, or the object there as the only one.
    pub(crate) fn items(self, path: &Path) -> Vec<Self> {
        let list = match self.find(path) {
            Some(list) if list.kind() == Kind::List => list,
            Some(one) if one.kind() == Kind::Object => return vec![one],
            Some(_) | None => return Vec::new(),
        };
        let mut items = Vec::new();
        let look = Scanner::new(list.0).list(|scanner| {
            items.push(scanner.value()?);
            Ok(())
        });
        debug_assert!(look.is_ok());
        items
    }

    /// A number that differs wherever the text does.
    pub(crate) fn digest(self) -> u64 {
        let hash = blake3::hash(self.0.as_bytes());
        let mut first = [0; 8];
        first.copy_from_slice(&hash.as_bytes()[..8]);
        u64::from_le_bytes(first)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_without_being_built() {
        let text = r#"{"id": "a\"b", "n": null, "list": {"data": [{"id": 1}, {"id": 2}]}}"#;
        let raw = Raw::parse(text).unwrap();
        let find = |path: &str| {
            raw.find(&Path::parse(path))
                .map(|found| found.text().into_owned())
        };
        assert_eq!(find("id").as_deref(), Some("a\"b"));
        assert_eq!(find("n"), None);
        assert_eq!(find("list.data.1.id").as_deref(), Some("2"));
        assert_eq!(find("list.data.7"), None);
        assert_eq!(raw.items(&Path::parse("list.data")).len(), 2);
        assert_eq!(raw.find(&Path::default()), Some(raw));
    }
}
