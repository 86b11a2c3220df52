//! The settings that a manifest asks its user for.

use serde_json::{Map, Value};

use crate::fields::{Fields, text, truth, word};
use crate::point;
use crate::problem::{Log, instead};
use crate::yaml::Node;

/// One setting.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Setting {
    pub(crate) kind: Kind,
    pub(crate) default: Option<Value>,
    pub(crate) optional: bool,
    /// What it is, for people.
    pub(crate) doc: Option<String>,
}

/// What a setting is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Secret,
    Number,
    Date,
    List,
}

const KINDS: [(&str, Kind); 5] = [
    ("text", Kind::Text),
    ("secret", Kind::Secret),
    ("number", Kind::Number),
    ("date", Kind::Date),
    ("list", Kind::List),
];

/// Settings that every API source takes.
pub(crate) const EVERYWHERE: [&str; 2] = ["api_url", "start_date"];

impl Setting {
    /// Reads `secret`, `text?`, or `{type: number, default: 20}`.
    pub(crate) fn read(node: &Node, log: &mut Log) -> Option<Self> {
        if let Some(name) = node.text() {
            let (name, optional) = match name.strip_suffix('?') {
                Some(name) => (name, true),
                None => (name, false),
            };
            let known = KINDS.iter().find(|(known, _)| *known == name);
            let Some((_, kind)) = known else {
                let help = instead(name, KINDS.iter().map(|(known, _)| *known));
                log.help(node.at, format!("`{name}` is not a type of setting"), help);
                return None;
            };
            return Some(Self {
                kind: *kind,
                default: None,
                optional,
                doc: None,
            });
        }
        let mut fields = Fields::open(node, "a setting", log)?;
        let kind = fields
            .need("type", log)
            .and_then(|node| word(node, &KINDS, log));
        let default = fields.take("default").map(Node::to_json);
        let optional = fields.take("optional").and_then(|node| truth(node, log));
        let doc = fields.take("doc").and_then(|node| text(node, log));
        fields.close(log);
        Some(Self {
            kind: kind?,
            optional: default.is_some() || optional == Some(true),
            default,
            doc,
        })
    }

    /// Whether a value is of this kind; the sentence never repeats the value. // G8
    fn refuse(&self, value: &Value) -> Option<&'static str> {
        let fits = match self.kind {
            Kind::Text | Kind::Secret => value.is_string() || value.is_number(),
            Kind::Number => value.is_number(),
            Kind::Date => value
                .as_str()
                .is_some_and(|text| point::read(text).is_some()),
            Kind::List => value.is_array(),
        };
        match self.kind {
            _ if fits => None,
            Kind::Text | Kind::Secret => Some("text"),
            Kind::Number => Some("a number"),
            Kind::Date => Some("a date such as 2024-01-31"),
            Kind::List => Some("a list"),
        }
    }
}

/// The user's settings with defaults filled in; every mistake as a sentence.
pub(crate) fn fill_in(
    declared: &[(String, Setting)],
    given: &Map<String, Value>,
) -> Result<Map<String, Value>, Vec<String>> {
    let mut filled = Map::new();
    let mut mistakes = Vec::new();
    for (name, setting) in declared {
        match given.get(name).filter(|value| !value.is_null()) {
            Some(value) => {
                if let Some(wanted) = setting.refuse(value) {
                    mistakes.push(format!("`{name}` must be {wanted}"));
                }
                filled.insert(name.clone(), value.clone());
            }
            None => match &setting.default {
                Some(default) => {
                    filled.insert(name.clone(), default.clone());
                }
                None if setting.optional => {}
                None => mistakes.push(match &setting.doc {
                    Some(doc) => format!("`{name}` is missing: {doc}"),
                    None => format!("`{name}` is missing"),
                }),
            },
        }
    }
    for name in given.keys() {
        if !declared.iter().any(|(known, _)| known == name) {
            let known = declared.iter().map(|(known, _)| known.as_str());
            mistakes.push(format!(
                "`{name}` is not a setting of this manifest. {}",
                instead(name, known)
            ));
        }
    }
    match mistakes.is_empty() {
        true => Ok(filled),
        false => Err(mistakes),
    }
}

/// The settings that need not be declared.
pub(crate) fn everywhere() -> Vec<(String, Setting)> {
    let setting = |kind| Setting {
        kind,
        default: None,
        optional: true,
        doc: None,
    };
    vec![
        (EVERYWHERE[0].to_owned(), setting(Kind::Text)),
        (EVERYWHERE[1].to_owned(), setting(Kind::Date)),
    ]
}
