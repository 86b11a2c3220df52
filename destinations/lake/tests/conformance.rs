//! The contract of destinations, held by a lake in a local folder and in a bucket.

use serde_json::{Value, json};
use tributary_lake::Lake;
use tributary_model::Destination;
use tributary_testkit::conformance;
use tributary_testkit::s3::{Options, S3Server};

async fn keeps_the_contract(settings: Value) {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    // Patterns for files must not mistake the folder's own name for one.
    let folder = json!({"url": dir.path().join("lake [1]").display().to_string()});
    keeps_the_contract_at(folder, settings).await;
}

async fn keeps_the_contract_at(mut all: Value, settings: Value) {
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

#[tokio::test(flavor = "multi_thread")]
async fn a_lake_in_a_bucket_keeps_the_contract() {
    let server = S3Server::start(Options::default());
    let credentials = server.credentials();
    let bucket = json!({
        "url": "s3://lake/raw",
        "region": "us-east-1",
        "endpoint": server.endpoint(),
        "path_style": true,
        "access_key_id": credentials.access_key_id,
        "secret_access_key": credentials.secret_access_key,
    });
    keeps_the_contract_at(bucket, json!({})).await;
}
