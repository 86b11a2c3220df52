//! The JSON Schema of the document: the frame from its types, the ends from the kinds.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::file::File;
use crate::kinds::{KindSpec, Kinds};

/// The schema of a configuration in which these kinds can be used.
#[must_use]
pub fn document_schema(kinds: &Kinds) -> Value {
    let mut schema = SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<File>()
        .to_value();
    schema["title"] = json!("tributary.yaml");
    set_ends(&mut schema, "sources", &kinds.sources);
    set_ends(&mut schema, "destinations", &kinds.destinations);
    schema
}

fn set_ends(schema: &mut Value, name: &str, kinds: &[KindSpec]) {
    let branches: Vec<Value> = kinds.iter().map(branch).collect();
    schema["properties"][name]["additionalProperties"] = json!({ "oneOf": branches });
}

/// The settings of one kind, told from others by `type`.
fn branch(kind: &KindSpec) -> Value {
    let mut fields = Schema::to_value(kind.schema.clone());
    let Some(object) = fields.as_object_mut() else {
        return json!({});
    };
    object.remove("$schema");
    object.insert("title".to_owned(), json!(kind.name));
    let mut properties = Map::new();
    properties.insert("type".to_owned(), json!({ "const": kind.name }));
    if let Some(Value::Object(own)) = object.remove("properties") {
        properties.extend(own);
    }
    let mut required = vec![json!("type")];
    if let Some(Value::Array(own)) = object.remove("required") {
        required.extend(own);
    }
    object.insert("properties".to_owned(), Value::Object(properties));
    object.insert("required".to_owned(), Value::Array(required));
    fields
}
