//! Text in, values with their places out.
//!
//! Deliberately absent: anchors, aliases and tags. A manifest has `is:` for what repeats.

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, StrInput};
use serde_json::{Map, Number, Value};

use crate::problem::{At, Log};

/// The most levels a manifest may have. // G6
const MAX_DEPTH: usize = 32;
/// The most values it may have. // G6
const MAX_VALUES: usize = 100_000;

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) at: At,
    pub(crate) value: Yaml,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Yaml {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key of a mapping and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) at: At,
}

impl Node {
    /// The value of a key, where this is a mapping that has it.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        let Yaml::Map(entries) = &self.value else {
            return None;
        };
        entries
            .iter()
            .find(|(key, _)| key.name == name)
            .map(|(_, value)| value)
    }

    /// The text, where this is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Yaml::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The same without places.
    pub(crate) fn to_json(&self) -> Value {
        match &self.value {
            Yaml::Null => Value::Null,
            Yaml::Bool(value) => Value::Bool(*value),
            Yaml::Number(value) => Value::Number(value.clone()),
            Yaml::Text(text) => Value::String(text.clone()),
            Yaml::List(items) => items.iter().map(Self::to_json).collect(),
            Yaml::Map(entries) => {
                let fields = entries
                    .iter()
                    .map(|(key, value)| (key.name.clone(), value.to_json()));
                Value::Object(fields.collect::<Map<_, _>>())
            }
        }
    }

    /// What it is, in a person's words.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.value {
            Yaml::Null => "nothing",
            Yaml::Bool(_) => "true or false",
            Yaml::Number(_) => "a number",
            Yaml::Text(_) => "text",
            Yaml::List(_) => "a list",
            Yaml::Map(_) => "a mapping",
        }
    }

    /// This over `base`: mappings merge, key by key; anything else replaces.
    pub(crate) fn over(self, base: &Self) -> Self {
        let (Yaml::Map(_), Yaml::Map(below)) = (&self.value, &base.value) else {
            return self;
        };
        let at = self.at;
        let Yaml::Map(own) = self.value else {
            return self;
        };
        let mut merged = below.clone();
        for (key, value) in own {
            match merged.iter_mut().find(|(had, _)| had.name == key.name) {
                Some(entry) => {
                    let value = value.over(&entry.1);
                    *entry = (key, value);
                }
                None => merged.push((key, value)),
            }
        }
        Self {
            at,
            value: Yaml::Map(merged),
        }
    }
}

/// Reads the one document in `text`; `None` where a mistake makes it unreadable.
pub(crate) fn read(text: &str, log: &mut Log) -> Option<Node> {
    let mut reader = Reader {
        parser: Parser::new_from_str(text.strip_prefix('\u{feff}').unwrap_or(text)),
        values: 0,
        log,
    };
    match reader.document() {
        Ok(node) => Some(node),
        Err((at, message)) => {
            log.add(at, message);
            None
        }
    }
}

struct Reader<'t, 'l> {
    parser: Parser<'t, StrInput<'t>>,
    values: usize,
    log: &'l mut Log,
}

type Broken = (At, String);

impl<'t> Reader<'t, '_> {
    fn document(&mut self) -> Result<Node, Broken> {
        let mut found = None;
        loop {
            let (event, at) = self.next()?;
            match event {
                Event::StreamEnd => {
                    let start = At { line: 1, column: 1 };
                    return found.ok_or_else(|| (start, "the manifest is empty".to_owned()));
                }
                Event::Nothing
                | Event::StreamStart
                | Event::DocumentStart(_)
                | Event::DocumentEnd => {}
                _ if found.is_some() => {
                    return Err((at, "a second document begins here".to_owned()));
                }
                event => found = Some(self.node(event, at, 0)?),
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'t>, At), Broken> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => {
                let at = At {
                    line: span.start.line(),
                    column: span.start.col() + 1,
                };
                Ok((event, at))
            }
            Some(Err(error)) => Err(syntax(&error)),
            None => Ok((Event::StreamEnd, At::default())),
        }
    }

    fn node(&mut self, event: Event<'t>, at: At, depth: usize) -> Result<Node, Broken> {
        self.values += 1;
        if depth > MAX_DEPTH || self.values > MAX_VALUES {
            return Err((
                at,
                "the manifest is nested too deeply or too large".to_owned(),
            ));
        }
        let value = match event {
            Event::Scalar(text, style, _, _) => scalar(&text, style),
            Event::SequenceStart(..) => self.list(depth)?,
            Event::MappingStart(..) => self.map(depth)?,
            Event::Alias(_) => {
                return Err((at, "aliases are not known here; use a kind".to_owned()));
            }
            _ => Yaml::Null,
        };
        Ok(Node { at, value })
    }

    fn list(&mut self, depth: usize) -> Result<Yaml, Broken> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Yaml::List(items)),
                (event, at) => items.push(self.node(event, at, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Yaml, Broken> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        loop {
            let key = match self.next()? {
                (Event::MappingEnd, _) => return Ok(Yaml::Map(entries)),
                (Event::Scalar(name, ..), at) => Key {
                    name: name.into_owned(),
                    at,
                },
                (_, at) => return Err((at, "a key must be a word".to_owned())),
            };
            let (event, at) = self.next()?;
            let value = self.node(event, at, depth + 1)?;
            match entries.iter().find(|(had, _)| had.name == key.name) {
                Some((had, _)) => {
                    let help = format!("The first is in line {}.", had.at.line);
                    let what = format!("the key `{}` is there twice", key.name);
                    self.log.help(key.at, what, help);
                }
                None => entries.push((key, value)),
            }
        }
    }
}

fn syntax(error: &ScanError) -> Broken {
    let at = At {
        line: error.marker().line(),
        column: error.marker().col() + 1,
    };
    (at, format!("this is not valid YAML: {}", error.info()))
}

/// The core schema of YAML 1.2, in which `yes` and `on` are text.
fn scalar(text: &str, style: ScalarStyle) -> Yaml {
    if style != ScalarStyle::Plain {
        return Yaml::Text(text.to_owned());
    }
    match text {
        "" | "~" | "null" => Yaml::Null,
        "true" => Yaml::Bool(true),
        "false" => Yaml::Bool(false),
        _ => number(text).map_or_else(|| Yaml::Text(text.to_owned()), Yaml::Number),
    }
}

fn number(text: &str) -> Option<Number> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let whole = text.parse::<i64>().ok().map(Number::from);
    whole.or_else(|| text.parse::<f64>().ok().and_then(Number::from_f64))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_know_their_places() {
        let mut log = Log::default();
        let node = read("a: {b: [1, two, \"3\"]}\nc: ~\n", &mut log).unwrap();
        assert_eq!(
            node.to_json(),
            json!({"a": {"b": [1, "two", "3"]}, "c": null})
        );
        let list = node.get("a").unwrap().get("b").unwrap();
        assert_eq!(list.at, At { line: 1, column: 8 });
        assert!(log.is_empty());
    }

    #[test]
    fn a_mapping_lies_over_its_base() {
        let mut log = Log::default();
        let node = read(
            "base: {p: {x: 1, y: 2}, l: [1], k: 1}\nown: {p: {y: 3}, l: [2]}",
            &mut log,
        )
        .unwrap();
        let merged = node
            .get("own")
            .unwrap()
            .clone()
            .over(node.get("base").unwrap());
        assert_eq!(
            merged.to_json(),
            json!({"p": {"x": 1, "y": 3}, "l": [2], "k": 1})
        );
    }

    #[test]
    fn a_key_that_is_there_twice_is_a_mistake() {
        let mut log = Log::default();
        read("a: 1\na: 2\n", &mut log).unwrap();
        let problems = log.close("m.yaml");
        assert_eq!(
            problems.to_string(),
            "m.yaml:2:1: the key `a` is there twice. The first is in line 1."
        );
    }
}
