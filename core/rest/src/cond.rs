//! Whether something holds of a JSON value: `{deleted: true}`, `{error.code: lock_timeout}`.
//!
//! The entries of a mapping must all hold, of a list one.

use serde_json::Value;

use crate::fields::{entries, wrong};
use crate::path::{Path, as_text};
use crate::problem::{Log, instead};
use crate::yaml::{Node, Yaml};

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cond {
    All(Vec<Self>),
    Any(Vec<Self>),
    At(Path, Test),
}

/// What must hold of one value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    Present,
    Absent,
    Is(Value),
    Not(Box<Self>),
    Glob(String),
    Less(f64),
    Greater(f64),
}

impl Cond {
    pub(crate) fn read(node: &Node, log: &mut Log) -> Option<Self> {
        match &node.value {
            Yaml::List(items) => {
                let any = items.iter().filter_map(|item| Self::read(item, log));
                Some(Self::Any(any.collect()))
            }
            Yaml::Map(_) => {
                let all = entries(node, log).iter().filter_map(|(key, value)| {
                    Some(Self::At(Path::parse(&key.name), Test::read(value, log)?))
                });
                Some(Self::All(all.collect()))
            }
            _ => wrong(node, "a condition such as `{status: closed}`", log),
        }
    }

    pub(crate) fn holds(&self, value: &Value) -> bool {
        self.holds_of(&|path| path.find(value).cloned())
    }

    /// Whether it holds of something in which `find` finds values.
    pub(crate) fn holds_of(&self, find: &dyn Fn(&Path) -> Option<Value>) -> bool {
        match self {
            Self::All(all) => all.iter().all(|one| one.holds_of(find)),
            Self::Any(any) => any.iter().any(|one| one.holds_of(find)),
            Self::At(path, test) => test.holds(find(path).as_ref()),
        }
    }
}

impl Test {
    fn read(node: &Node, log: &mut Log) -> Option<Self> {
        match &node.value {
            Yaml::Text(text) if text == "present" => Some(Self::Present),
            Yaml::Text(text) if text == "absent" => Some(Self::Absent),
            Yaml::Map(entries) => match entries.as_slice() {
                [(key, value)] => Self::of(&key.name, key.at, value, log),
                _ => wrong(
                    node,
                    "one of `{not: x}`, `{glob: x}`, `{lt: n}`, `{gt: n}`",
                    log,
                ),
            },
            Yaml::List(_) => wrong(node, "a value", log),
            _ => Some(Self::Is(node.to_json())),
        }
    }

    fn of(word: &str, at: crate::problem::At, value: &Node, log: &mut Log) -> Option<Self> {
        let number = |log: &mut Log| match value.to_json().as_f64() {
            Some(number) => Some(number),
            None => wrong(value, "a number", log),
        };
        match word {
            "not" => Some(Self::Not(Box::new(Self::read(value, log)?))),
            "glob" => Some(Self::Glob(crate::fields::text(value, log)?)),
            "lt" => Some(Self::Less(number(log)?)),
            "gt" => Some(Self::Greater(number(log)?)),
            other => {
                let help = instead(other, ["not", "glob", "lt", "gt"]);
                log.help(at, format!("`{other}` is not a word of a condition"), help);
                None
            }
        }
    }

    /// Whether it holds of a value, or of none.
    pub(crate) fn holds(&self, value: Option<&Value>) -> bool {
        match self {
            Self::Present => value.is_some(),
            Self::Absent => value.is_none(),
            Self::Is(wanted) => value.is_some_and(|value| same(value, wanted)),
            Self::Not(test) => !test.holds(value),
            Self::Glob(pattern) => {
                value.is_some_and(|value| tributary_model::matches(pattern, &as_text(value)))
            }
            Self::Less(than) => value.and_then(Value::as_f64).is_some_and(|n| n < *than),
            Self::Greater(than) => value.and_then(Value::as_f64).is_some_and(|n| n > *than),
        }
    }
}

/// `true` and `"true"` are the same here: headers are texts.
fn same(value: &Value, wanted: &Value) -> bool {
    value == wanted
        || (!value.is_object() && !value.is_array() && as_text(value) == as_text(wanted))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn holds(cond: &str, value: &Value) -> bool {
        let mut log = Log::default();
        let node = crate::yaml::read(cond, &mut log).unwrap();
        let cond = Cond::read(&node, &mut log).unwrap();
        assert!(log.is_empty(), "{cond:?}");
        cond.holds(value)
    }

    #[test]
    fn conditions_hold_as_they_say() {
        let row = json!({"deleted": true, "n": 5, "s": "too large a file", "e": {"code": "x"}});
        for (cond, expected) in [
            ("{deleted: true}", true),
            ("{deleted: false}", false),
            ("{gone: absent, deleted: present}", true),
            ("{gone: present}", false),
            ("[{gone: present}, {n: 5}]", true),
            ("{e.code: {not: y}}", true),
            ("{s: {glob: \"*large*\"}}", true),
            ("{n: {gt: 4}}", true),
            ("{n: {lt: 5}}", false),
        ] {
            assert_eq!(holds(cond, &row), expected, "{cond}");
        }
    }
}
