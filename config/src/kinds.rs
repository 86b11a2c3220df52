//! What kinds of source and destination there are: a table that the caller hands in.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// One `type:`.
#[derive(Clone, Debug)]
pub struct KindSpec {
    /// The word after `type:`.
    pub name: &'static str,
    /// The JSON Schema of its settings, without `type` and without references.
    pub schema: Schema,
    accept: fn(&Value) -> Result<(), Misfit>,
}

/// Why settings that fit the schema are still not those of their kind.
#[derive(Clone, Debug)]
pub(crate) struct Misfit {
    /// Keys that lead to the place.
    pub(crate) keys: Vec<String>,
    pub(crate) message: String,
}

impl KindSpec {
    /// The kind `name`, whose settings are a `C`.
    #[must_use]
    pub fn of<C: JsonSchema + DeserializeOwned>(name: &'static str) -> Self {
        let mut settings = SchemaSettings::draft2020_12();
        settings.inline_subschemas = true;
        Self {
            name,
            schema: settings.into_generator().into_root_schema_for::<C>(),
            accept: accept::<C>,
        }
    }

    /// Turns the settings into their type and drops it: what the schema can't say is found here.
    pub(crate) fn accept(&self, settings: &Value) -> Result<(), Misfit> {
        (self.accept)(settings)
    }
}

/// All the kinds there are.
#[derive(Clone, Debug, Default)]
pub struct Kinds {
    /// Of sources.
    pub sources: Vec<KindSpec>,
    /// Of destinations.
    pub destinations: Vec<KindSpec>,
}

fn accept<C: DeserializeOwned>(settings: &Value) -> Result<(), Misfit> {
    let result: Result<C, _> = serde_path_to_error::deserialize(settings);
    result.map(drop).map_err(|error| Misfit {
        keys: error
            .path()
            .iter()
            .filter_map(|segment| match segment {
                serde_path_to_error::Segment::Map { key } => Some(key.clone()),
                _ => None,
            })
            .collect(),
        message: error.inner().to_string(),
    })
}
