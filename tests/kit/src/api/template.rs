//! Objects made from templates: JSON in which texts that begin with `$` are filled in.
//!
//! | text | becomes |
//! |---|---|
//! | `$id`, `$parent` | the object's own id, its parent's |
//! | `$now`, `$iso` | the time of making, as unix seconds or RFC 3339 |
//! | `$int`, `$amount`, `$bool` | a number below a thousand, cents, a truth |
//! | `$word`, `$text`, `$name`, `$email` | words, some of them awkward |
//! | `$pick:a\|b` | one of these texts |
//! | `$ref:NAME` | the id of some object of that kind, null where there is none |

use serde_json::{Value, json};

use super::clock;
use crate::random::Random;

/// What a template is filled from.
pub(super) struct Filler<'a> {
    pub(super) random: &'a mut Random,
    pub(super) now: i64,
    pub(super) id: Value,
    pub(super) parent: Value,
    /// Some object of a kind.
    pub(super) refer: &'a dyn Fn(&str, &mut Random) -> Value,
}

const WORDS: [&str; 12] = [
    "amber", "birch", "cobalt", "dune", "ember", "fjord", "grove", "harbour", "iris", "juniper",
    "kelp", "lark",
];
const AWKWARD: [&str; 6] = [
    "O'Brien said \"no\"",
    "naïve café ☕",
    "two\nlines\tand a tab",
    "back\\slash; DROP TABLE x --",
    "  blanks around  ",
    "日本語, and a comma",
];

impl Filler<'_> {
    pub(super) fn fill(&mut self, template: &Value) -> Value {
        match template {
            Value::String(text) => match text.strip_prefix('$') {
                Some(name) => self.value(name),
                None => template.clone(),
            },
            Value::Array(items) => items.iter().map(|item| self.fill(item)).collect(),
            Value::Object(fields) => {
                let filled = fields
                    .iter()
                    .map(|(name, value)| (name.clone(), self.fill(value)));
                Value::Object(filled.collect())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => template.clone(),
        }
    }

    fn value(&mut self, name: &str) -> Value {
        if let Some(kind) = name.strip_prefix("ref:") {
            return (self.refer)(kind, self.random);
        }
        if let Some(choices) = name.strip_prefix("pick:") {
            let choices: Vec<_> = choices.split('|').collect();
            return json!(self.random.pick(&choices));
        }
        match name {
            "id" => self.id.clone(),
            "parent" => self.parent.clone(),
            "now" => json!(self.now),
            "iso" => json!(clock::rfc3339(self.now)),
            "int" => json!(self.random.below(1000)),
            "amount" => json!(100 + self.random.below(1_000_000)),
            "bool" => json!(self.random.chance(50)),
            "word" => json!(self.word()),
            "text" => json!(self.text()),
            "name" => json!(format!("{} {}", self.word(), self.word())),
            "email" => json!(format!(
                "{}{}@example.com",
                self.word(),
                self.random.below(100_000)
            )),
            unknown => panic!("a template says ${unknown}, which means nothing"),
        }
    }

    fn word(&mut self) -> &'static str {
        self.random.pick(&WORDS)
    }

    fn text(&mut self) -> String {
        if self.random.chance(30) {
            return self.random.pick(&AWKWARD).to_owned();
        }
        format!(
            "{} and {} {}",
            self.word(),
            self.word(),
            self.random.below(100)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_filled_in_depth() {
        let refer = |kind: &str, _: &mut Random| json!(format!("{kind}_1"));
        let mut filler = Filler {
            random: &mut Random::new(1),
            now: 0,
            id: json!(7),
            parent: json!("p"),
            refer: &refer,
        };
        let template = json!({"id": "$id", "a": [{"of": "$ref:cats"}, "$pick:x"], "n": null,
            "at": "$iso", "parent": "$parent"});
        let expected = json!({"id": 7, "a": [{"of": "cats_1"}, "x"], "n": null,
            "at": "1970-01-01T00:00:00Z", "parent": "p"});
        assert_eq!(filler.fill(&template), expected);
    }
}
