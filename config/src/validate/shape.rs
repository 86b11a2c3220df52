//! Which types of value a schema takes.

use std::fmt;

use serde_json::Value;

/// The types that fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // a set of six
pub(crate) struct Shape {
    pub(crate) object: bool,
    pub(crate) array: bool,
    pub(crate) text: bool,
    pub(crate) integer: bool,
    pub(crate) number: bool,
    pub(crate) boolean: bool,
}

impl Shape {
    pub(crate) const TEXT: Self = Self {
        object: false,
        array: false,
        text: true,
        integer: false,
        number: false,
        boolean: false,
    };

    /// The shape of a schema, with the shapes of its alternatives.
    pub(crate) fn of(schema: &Value, root: &Value) -> Self {
        let schema = resolve(schema, root);
        let mut shape = Self::default();
        match schema.get("type") {
            Some(Value::String(name)) => shape.add(name),
            Some(Value::Array(names)) => {
                names
                    .iter()
                    .filter_map(Value::as_str)
                    .for_each(|name| shape.add(name));
            }
            _ => {}
        }
        if schema.get("properties").is_some() {
            shape.object = true;
        }
        if words(schema).is_some() {
            shape.text = true;
        }
        for name in ["oneOf", "anyOf"] {
            let branches = schema.get(name).and_then(Value::as_array);
            for branch in branches.into_iter().flatten() {
                shape = shape.or(Self::of(branch, root));
            }
        }
        shape
    }

    fn add(&mut self, name: &str) {
        match name {
            "object" => self.object = true,
            "array" => self.array = true,
            "string" => self.text = true,
            "integer" => self.integer = true,
            "number" => self.number = true,
            "boolean" => self.boolean = true,
            _ => {}
        }
    }

    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            object: self.object || other.object,
            array: self.array || other.array,
            text: self.text || other.text,
            integer: self.integer || other.integer,
            number: self.number || other.number,
            boolean: self.boolean || other.boolean,
        }
    }

    /// Whether nothing is said of the type.
    pub(crate) fn any(self) -> bool {
        self == Self::default()
    }

    pub(crate) fn takes(self, value: &Value) -> bool {
        self.any()
            || match value {
                Value::Null => false,
                Value::Bool(_) => self.boolean,
                Value::Number(number) if number.is_f64() => self.number,
                Value::Number(_) => self.number || self.integer,
                Value::String(_) => self.text,
                Value::Array(_) => self.array,
                Value::Object(_) => self.object,
            }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (self.object, "a mapping"),
            (self.array, "a list"),
            (self.text, "text"),
            (self.number, "a number"),
            (self.integer && !self.number, "a whole number"),
            (self.boolean, "true or false"),
        ];
        let names: Vec<&str> = names
            .into_iter()
            .filter(|(fits, _)| *fits)
            .map(|(_, name)| name)
            .collect();
        f.write_str(&names.join(" or "))
    }
}

/// The type of a value in a person's words.
pub(crate) fn describe(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

/// The words a schema allows, where it allows only some.
pub(crate) fn words(schema: &Value) -> Option<Vec<&str>> {
    if let Some(word) = schema.get("const").and_then(Value::as_str) {
        return Some(vec![word]);
    }
    let listed = schema.get("enum")?.as_array()?;
    Some(listed.iter().filter_map(Value::as_str).collect())
}

/// Whether `word` is among the words that a schema or one of its alternatives allows.
pub(crate) fn has_word(schema: &Value, word: &str, root: &Value) -> bool {
    let schema = resolve(schema, root);
    let branches = ["oneOf", "anyOf"]
        .into_iter()
        .filter_map(|name| schema.get(name).and_then(Value::as_array))
        .flatten();
    words(schema).is_some_and(|words| words.contains(&word))
        || branches
            .into_iter()
            .any(|branch| has_word(branch, word, root))
}

/// What `$ref` points to, or the schema itself.
pub(crate) fn resolve<'s>(schema: &'s Value, root: &'s Value) -> &'s Value {
    let pointer = schema.get("$ref").and_then(Value::as_str);
    let target = pointer
        .and_then(|pointer| pointer.strip_prefix('#'))
        .and_then(|pointer| root.pointer(pointer));
    target.unwrap_or(schema)
}
