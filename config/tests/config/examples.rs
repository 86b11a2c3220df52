//! Every example can be used as it is.

use std::path::Path;

use crate::kinds::{environment, kinds};

fn load(name: &str) -> tributary_config::Plan {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(name);
    let environment = environment([
        ("SHOP_PASSWORD", "x"),
        ("WAREHOUSE_PASSWORD", "w"),
        ("TRIBUTARY_SALT", "y"),
        ("TRIBUTARY_TOKEN", "z"),
        ("OPS_WEBHOOK", "https://hooks.example.com/services/x"),
        ("OPS_SECRET", "s"),
        ("OTLP_KEY", "o"),
        ("LINEAGE_KEY", "l"),
    ]);
    tributary_config::load(&path, &environment, &kinds()).unwrap_or_else(|why| panic!("{why}"))
}

#[test]
fn the_small_example() {
    let plan = load("mysql-to-duckdb.yaml");
    assert_eq!(plan.connections["shop"].options.select.0, ["shop.*"]);
}

#[test]
fn the_example_of_a_lake() {
    let plan = load("mysql-to-lake.yaml");
    assert_eq!(plan.connections["shop"].destination, "lake");
}

#[test]
fn the_example_of_a_warehouse() {
    let plan = load("mysql-to-postgres.yaml");
    assert_eq!(plan.connections["shop"].destination, "warehouse");
}

#[test]
fn the_example_with_every_key() {
    let plan = load("every-key.yaml");
    let shop = &plan.connections["shop"].options;
    assert_eq!(shop.select.0.len(), 2);
    assert!(shop.salt.is_some());
}

#[test]
fn every_key_of_the_frame_is_in_the_full_example() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/every-key.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let schema = tributary_config::document_schema(&kinds());
    let mut keys = Vec::new();
    collect_keys(&schema, &mut keys);
    assert!(keys.len() > 30);
    for key in keys {
        let written = text.contains(&format!("{key}:"));
        assert!(
            written || key == "api_key" || key == "start_date",
            "{key} is not in the example"
        );
    }
}

fn collect_keys(schema: &serde_json::Value, keys: &mut Vec<String>) {
    if let Some(properties) = schema.get("properties").and_then(|it| it.as_object()) {
        keys.extend(properties.keys().cloned());
    }
    match schema {
        serde_json::Value::Object(fields) => fields.values().for_each(|it| collect_keys(it, keys)),
        serde_json::Value::Array(items) => items.iter().for_each(|it| collect_keys(it, keys)),
        _ => {}
    }
}

#[test]
fn no_example_is_left_without_a_test() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let expected = [
        "every-key.yaml",
        "mysql-to-duckdb.yaml",
        "mysql-to-lake.yaml",
        "mysql-to-postgres.yaml",
    ];
    // Those of APIs and of the cloud's warehouses need the part that knows their settings: the
    // program's tests load them.
    let of_apis = [
        "google-",
        "mailchimp-",
        "mysql-to-bigquery",
        "mysql-to-redshift",
        "mysql-to-snowflake",
        "rest-",
        "zendesk-",
    ];
    names.retain(|name| !of_apis.iter().any(|api| name.starts_with(api)));
    assert_eq!(names, expected);
}
