//! Where a value stands in the document: the keys and positions that lead to it.

use std::fmt;

use serde_json::{Map, Value};

/// One step down.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

/// The steps from the root of the document; the empty path is the document itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Path(Vec<Step>);

impl Path {
    /// The path of these keys.
    pub(crate) fn of<const N: usize>(keys: [&str; N]) -> Self {
        Self(keys.map(|key| Step::Key(key.to_owned())).into())
    }

    pub(crate) fn key(&self, key: &str) -> Self {
        self.step(Step::Key(key.to_owned()))
    }

    pub(crate) fn index(&self, index: usize) -> Self {
        self.step(Step::Index(index))
    }

    pub(crate) fn step(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    pub(crate) fn parent(&self) -> Option<Self> {
        let (_, rest) = self.0.split_last()?;
        Some(Self(rest.to_vec()))
    }

    pub(crate) fn starts_with(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }

    /// How many steps it has.
    pub(crate) fn depth(&self) -> usize {
        self.0.len()
    }

    /// The value it leads to.
    pub(crate) fn find<'v>(&self, mut value: &'v Value) -> Option<&'v Value> {
        for step in &self.0 {
            value = match step {
                Step::Key(key) => value.get(key)?,
                Step::Index(index) => value.get(index)?,
            };
        }
        Some(value)
    }

    /// The last step as a person would call it.
    pub(crate) fn label(&self) -> String {
        match self.0.last() {
            None => "the file".to_owned(),
            Some(Step::Key(key)) => format!("`{key}`"),
            Some(Step::Index(index)) => match self.parent() {
                Some(parent) => format!("item {} of {}", index + 1, parent.label()),
                None => format!("item {}", index + 1),
            },
        }
    }

    /// " in connections.shop", or nothing for the document itself.
    pub(crate) fn place(&self) -> String {
        match self.0.is_empty() {
            true => String::new(),
            false => format!(" in {self}"),
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) => {
                    let dot = if place == 0 { "" } else { "." };
                    match key.contains(['.', ' ']) {
                        true => write!(f, "{dot}\"{key}\"")?,
                        false => write!(f, "{dot}{key}")?,
                    }
                }
            }
        }
        Ok(())
    }
}

/// An object's field, as an object.
pub(crate) fn section<'v>(value: &'v Value, name: &str) -> Option<&'v Map<String, Value>> {
    value.get(name)?.as_object()
}
