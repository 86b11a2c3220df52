//! `fields`: the parts of an answer that a request wants, such as `a,b(c,d.e)`.

use std::collections::BTreeMap;

use serde_json::Value;

/// Names, and what is wanted below each; all of it where nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mask(BTreeMap<String, Mask>);

impl Mask {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut mask = Self::default();
        let rest = mask.read(text.trim())?;
        rest.is_empty().then_some(mask)
    }

    /// Reads a list up to its end or to a closing bracket; returns what is left.
    fn read<'a>(&mut self, mut text: &'a str) -> Option<&'a str> {
        loop {
            text = self.path(text)?;
            match text.strip_prefix(',') {
                Some(rest) => text = rest.trim_start(),
                None => return Some(text),
            }
        }
    }

    fn path<'a>(&mut self, text: &'a str) -> Option<&'a str> {
        let end = text.find([',', '(', ')', '.', '/']).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        if name.trim().is_empty() {
            return None;
        }
        let below = self.0.entry(name.trim().to_owned()).or_default();
        match rest.chars().next() {
            Some('.' | '/') => below.path(&rest[1..]),
            Some('(') => below.read(&rest[1..])?.strip_prefix(')'),
            _ => Some(rest),
        }
    }

    /// Whether something at a path is wanted.
    pub(super) fn wants(&self, path: &[&str]) -> bool {
        if self.0.is_empty() || self.0.contains_key("*") {
            return true;
        }
        match path {
            [] => true,
            [first, rest @ ..] => self.0.get(*first).is_some_and(|below| below.wants(rest)),
        }
    }

    /// Leaves out what is not wanted.
    pub(super) fn apply(&self, value: &mut Value) {
        if self.0.is_empty() || self.0.contains_key("*") {
            return;
        }
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.apply(item)),
            Value::Object(fields) => fields.retain(|name, value| match self.0.get(name) {
                Some(below) => {
                    below.apply(value);
                    true
                }
                None => false,
            }),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_is_wanted_is_left() {
        let mask = Mask::parse("id,sheets(properties(title),data.rowData/values)").unwrap();
        let mut whole = json!({"id": 1, "x": 2, "sheets": [
            {"properties": {"title": "a", "index": 0}, "data": [{"rowData": [], "startRow": 1}]}]});
        mask.apply(&mut whole);
        let expected = json!({"id": 1, "sheets": [
            {"properties": {"title": "a"}, "data": [{"rowData": []}]}]});
        assert_eq!(whole, expected);
        assert!(mask.wants(&["sheets", "data"]) && !mask.wants(&["sheets", "charts"]));
        assert_eq!(Mask::parse("a(b"), None);
        assert_eq!(Mask::parse("a,,b"), None);
    }
}
