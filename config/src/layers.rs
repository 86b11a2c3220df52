//! The file below, the environment above: `TRIBUTARY__DAEMON__LISTEN` overrides `daemon.listen`.
//!
//! The segments of a variable's name stand for keys in any case; a key of the file is meant before
//! a new one is made. A value is text unless it is a YAML list or mapping; the schema decides later
//! whether text is a number.

use std::collections::BTreeMap;

use config::{Config, ConfigError, Source, Value as Layered, ValueKind};
use serde_json::{Map, Value};

use crate::path::Path;
use crate::yaml;

/// The variables of the environment, handed in by the one place that reads it.
pub type Environment = BTreeMap<String, String>;

pub(crate) const PREFIX: &str = "TRIBUTARY__";
const SEPARATOR: &str = "__";

/// The document with the environment over it, and which variable said what.
#[derive(Debug)]
pub(crate) struct Merged {
    pub(crate) value: Value,
    pub(crate) variables: BTreeMap<Path, String>,
}

/// Lays the environment over the file.
///
/// # Errors
/// A sentence, where the layers can't be put together.
pub(crate) fn merge(file: &Value, environment: &Environment) -> Result<Merged, String> {
    let over = overrides(file, environment);
    let merged = Config::builder()
        .add_source(Layer(to_layer(file)))
        .add_source(Layer(to_layer(&over.value)))
        .build()
        .map_err(|why| why.to_string())?;
    Ok(Merged {
        value: from_layer(merged.get(ROOT).map_err(|why| why.to_string())?),
        variables: over.variables,
    })
}

/// What the environment says, under the keys of the file where it has them.
fn overrides(file: &Value, environment: &Environment) -> Merged {
    let mut over = Merged {
        value: Value::Object(Map::new()),
        variables: BTreeMap::new(),
    };
    for (name, text) in environment {
        let Some(rest) = name.strip_prefix(PREFIX) else {
            continue;
        };
        let mut path = Path::default();
        let mut keys = Vec::new();
        for segment in rest.split(SEPARATOR) {
            let key = known_key(path.find(file), segment);
            path = path.key(&key);
            keys.push(key);
        }
        set(&mut over.value, &keys, read(text));
        over.variables.insert(path, name.clone());
    }
    over
}

/// The key of `within` that `segment` means, else the segment in lower case.
fn known_key(within: Option<&Value>, segment: &str) -> String {
    let fields = within.and_then(Value::as_object);
    let known = fields.and_then(|fields| {
        let mut keys = fields.keys();
        let same = keys.clone().find(|key| *key == segment);
        same.or_else(|| keys.find(|key| key.eq_ignore_ascii_case(segment)))
    });
    known.cloned().unwrap_or_else(|| segment.to_lowercase())
}

fn read(text: &str) -> Value {
    let structured = text.starts_with(['[', '{']);
    structured
        .then(|| yaml::read_value(text))
        .flatten()
        .unwrap_or_else(|| Value::from(text))
}

fn set(value: &mut Value, keys: &[String], to: Value) {
    let mut at = value;
    for key in keys {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        at = &mut at[key.as_str()];
    }
    *at = to;
}

/// A whole tree as a source of the `config` crate, under one key: the crate would read a key such
/// as `shop.orders` at the top as two.
#[derive(Clone, Debug)]
struct Layer(Layered);

const ROOT: &str = "document";

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<config::Map<String, Layered>, ConfigError> {
        Ok([(ROOT.to_owned(), self.0.clone())].into_iter().collect())
    }
}

fn to_layer(value: &Value) -> Layered {
    let kind = match value {
        Value::Null => ValueKind::Nil,
        Value::Bool(value) => ValueKind::Boolean(*value),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => ValueKind::I64(number),
            (None, Some(number)) => ValueKind::U64(number),
            (None, None) => ValueKind::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => ValueKind::String(text.clone()),
        Value::Array(items) => ValueKind::Array(items.iter().map(to_layer).collect()),
        Value::Object(fields) => ValueKind::Table(
            fields
                .iter()
                .map(|(key, value)| (key.clone(), to_layer(value)))
                .collect(),
        ),
    };
    Layered::new(None, kind)
}

fn from_layer(value: Layered) -> Value {
    match value.kind {
        ValueKind::Nil => Value::Null,
        ValueKind::Boolean(value) => Value::Bool(value),
        ValueKind::I64(number) => number.into(),
        ValueKind::U64(number) => number.into(),
        ValueKind::I128(number) => Value::from(number.to_string()),
        ValueKind::U128(number) => Value::from(number.to_string()),
        ValueKind::Float(number) => number.into(),
        ValueKind::String(text) => Value::String(text),
        ValueKind::Array(items) => items.into_iter().map(from_layer).collect(),
        ValueKind::Table(fields) => {
            let sorted: BTreeMap<_, _> = fields.into_iter().collect();
            sorted
                .into_iter()
                .map(|(key, value)| (key, from_layer(value)))
                .collect()
        }
    }
}
