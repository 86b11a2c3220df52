//! The contract of destinations, held by a lake in a local folder.

use serde_json::{Value, json};
use tributary_lake::Lake;
use tributary_model::Destination;
use tributary_testkit::conformance;

async fn keeps_the_contract(settings: Value) {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    // Patterns for files must not mistake the folder's own name for one.
    let mut all = json!({"url": dir.path().join("lake [1]").display().to_string()});
    let fields = settings.as_object().expect("settings").clone();
    all.as_object_mut().expect("settings").extend(fields);
    conformance::destination(move || {
        let config = serde_json::from_value(all.clone()).expect("settings are right");
        Lake::connect(config)
    })
    .await;
}

#[tokio::test]
async fn a_local_lake_keeps_the_contract() {
    keeps_the_contract(json!({})).await;
}

#[tokio::test]
async fn a_change_log_keeps_the_contract_through_its_view() {
    keeps_the_contract(json!({"merge": "change_log", "partition_by": ["bucket(3, id)"]})).await;
}
