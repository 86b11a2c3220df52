//! `tributary connectors`: what can be configured.

#[cfg(feature = "rest")]
mod test;

use serde_json::{Value, json};
use tributary_config::{KindSpec, nearest};

use crate::args::{ConnectorsAction, ConnectorsArgs, Format};
use crate::exit::{Exit, Failure, usage};
use crate::table::Table;
use crate::{output, registry};

pub(crate) async fn run(args: &ConnectorsArgs) -> Result<Exit, Failure> {
    match &args.action {
        #[cfg(feature = "rest")]
        Some(ConnectorsAction::Test {
            manifest,
            fixtures,
            output,
        }) => test::run(manifest, fixtures, output.output).await,
        #[cfg(not(feature = "rest"))]
        Some(ConnectorsAction::Test { .. }) => {
            Err(usage("this program was built without `type: rest`").into())
        }
        None => describe(args),
    }
}

/// How the result is asked for.
pub(crate) fn format_of(args: &ConnectorsArgs) -> Format {
    match &args.action {
        Some(ConnectorsAction::Test { output, .. }) => output.output,
        None => args.output.output,
    }
}

fn describe(args: &ConnectorsArgs) -> Result<Exit, Failure> {
    let kinds = registry::kinds();
    let mut all: Vec<(&str, &KindSpec)> = Vec::new();
    all.extend(kinds.sources.iter().map(|kind| ("source", kind)));
    all.extend(kinds.destinations.iter().map(|kind| ("destination", kind)));
    if let Some(wanted) = &args.kind {
        all = of_kind(wanted, all)?;
    }
    let document: Vec<Value> = all
        .iter()
        .map(|(role, kind)| json!({ "type": kind.name, "role": role, "settings": kind.schema }))
        .collect();
    output::present(
        args.output.output,
        &json!({ "connectors": document }),
        || match args.kind {
            Some(_) => all
                .iter()
                .map(|(role, kind)| settings(role, kind))
                .collect(),
            None => list(&all),
        },
    );
    Ok(Exit::Done)
}

fn of_kind<'k>(
    wanted: &str,
    all: Vec<(&'k str, &'k KindSpec)>,
) -> Result<Vec<(&'k str, &'k KindSpec)>, Failure> {
    let names: Vec<&str> = all.iter().map(|(_, kind)| kind.name).collect();
    let found: Vec<_> = all
        .into_iter()
        .filter(|(_, kind)| kind.name == wanted)
        .collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let hint = match nearest(wanted, names.iter().copied()) {
        Some(near) => format!("Did you mean `{near}`?"),
        None => format!("Known are {}.", names.join(", ")),
    };
    Err(usage(format!("there is no kind `{wanted}`"))
        .fix(hint)
        .into())
}

fn list(all: &[(&str, &KindSpec)]) -> String {
    let mut table = Table::new(["type", "role", "settings"]).whole();
    for (role, kind) in all {
        let keys = kind.schema.get("properties").and_then(Value::as_object);
        let keys: Vec<&str> = keys
            .into_iter()
            .flat_map(|keys| keys.keys())
            .map(String::as_str)
            .collect();
        table.row([kind.name, *role, &keys.join(" ")]);
    }
    table.render(0) + "\n`tributary connectors TYPE` says what each setting is.\n"
}

fn settings(role: &str, kind: &KindSpec) -> String {
    let mut text = format!("{} ({role})\n", kind.name);
    if let Some(about) = kind.schema.get("description").and_then(Value::as_str) {
        text += &format!("  {}\n", one_line(about));
    }
    let required = kind.schema.get("required").and_then(Value::as_array);
    let required = |key: &str| required.is_some_and(|keys| keys.iter().any(|known| known == key));
    let properties = kind.schema.get("properties").and_then(Value::as_object);
    text.push('\n');
    for (key, schema) in properties.into_iter().flatten() {
        let mark = if required(key) { ", required" } else { "" };
        text += &format!("  {key} ({}{mark})\n", takes(schema));
        if let Some(about) = schema.get("description").and_then(Value::as_str) {
            text += &format!("      {}\n", one_line(about));
        }
    }
    text
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a setting takes, in few words.
fn takes(schema: &Value) -> String {
    let mut words: Vec<String> = Vec::new();
    collect_words(schema, &mut words);
    words.dedup();
    words.join(" | ")
}

fn collect_words(schema: &Value, words: &mut Vec<String>) {
    if let Some(word) = schema.get("const").and_then(Value::as_str) {
        words.push(word.to_owned());
        return;
    }
    if let Some(listed) = schema.get("enum").and_then(Value::as_array) {
        words.extend(
            listed
                .iter()
                .filter_map(Value::as_str)
                .map(ToOwned::to_owned),
        );
        return;
    }
    for name in ["oneOf", "anyOf"] {
        let branches = schema.get(name).and_then(Value::as_array);
        branches
            .into_iter()
            .flatten()
            .for_each(|branch| collect_words(branch, words));
    }
    let secret = schema.get("format").and_then(Value::as_str) == Some("password");
    let types = match schema.get("type") {
        Some(Value::String(name)) => vec![name.as_str()],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    words.extend(
        types
            .into_iter()
            .filter(|name| *name != "null")
            .map(|name| match name {
                "string" if secret => "secret".to_owned(),
                "string" => "text".to_owned(),
                "array" => "list".to_owned(),
                "object" => "mapping".to_owned(),
                "integer" => "whole number".to_owned(),
                "boolean" => "true or false".to_owned(),
                other => other.to_owned(),
            }),
    );
}
