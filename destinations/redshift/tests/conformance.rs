//! The contract of destinations, held by the stand-in for Redshift.

use std::sync::Arc;

use serde_json::json;
use tributary_model::Destination;
use tributary_redshift::{Config, Redshift};
use tributary_standins::redshift::{ROLE, RedshiftServer};
use tributary_testkit::conformance;
use tributary_testkit::s3::{Options, S3Server};

/// The most bytes of a text of Redshift's.
const TEXT_BYTES: usize = 65_535;

fn config(server: &RedshiftServer, store: &S3Server) -> Config {
    let keys = store.credentials();
    let config = json!({
        "url": server.url(),
        "iam_role": ROLE,
        "staging": {
            "url": "s3://staging/in",
            "endpoint": store.endpoint(),
            "region": "us-east-1",
            "access_key_id": keys.access_key_id,
            "secret_access_key": keys.secret_access_key,
            "session_token": keys.session_token,
        },
    });
    serde_json::from_value(config).expect("the settings can be read")
}

#[tokio::test]
async fn redshift_keeps_the_contract() {
    let store = Arc::new(S3Server::start(Options {
        buckets: vec!["staging".to_owned()],
        ..Options::default()
    }));
    let server = RedshiftServer::start(store.clone());
    let make = {
        let config = config(&server, &store);
        move || Redshift::connect(config.clone())
    };
    conformance::destination_of_texts(TEXT_BYTES, make).await;
    assert!(store.keys("staging").is_empty(), "files are removed");
}
