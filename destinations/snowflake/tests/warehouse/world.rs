//! A bucket, a stand-in, and a destination that uses both.

use std::sync::Arc;

use serde_json::{Value, json};
use tributary_model::Destination;
use tributary_snowflake::{Config, Snowflake};
use tributary_standins::snowflake::{self, Snowflake as StandIn};
use tributary_testkit::s3::{Options, S3Server};

/// What a test has.
pub(crate) struct World {
    pub(crate) bucket: Arc<S3Server>,
    pub(crate) server: StandIn,
}

impl World {
    pub(crate) fn new() -> Self {
        let bucket = Arc::new(S3Server::start(Options::default()));
        let server = StandIn::start(bucket.clone());
        server.make_stage("ANALYTICS.PUBLIC.LAKE", "s3://lake/raw");
        Self { bucket, server }
    }

    /// The settings of a destination, with these besides.
    pub(crate) fn config(&self, more: &Value) -> Value {
        let credentials = self.bucket.credentials();
        let mut config = json!({
            "account": snowflake::ACCOUNT,
            "url": self.server.url(),
            "user": "loader",
            "private_key": snowflake::private_key(),
            "database": snowflake::DATABASE,
            "warehouse": "LOADING_WH",
            "stage": "ANALYTICS.PUBLIC.LAKE",
            "staging": {
                "url": "s3://lake/raw",
                "region": "us-east-1",
                "endpoint": self.bucket.endpoint(),
                "path_style": true,
                "access_key_id": credentials.access_key_id,
                "secret_access_key": credentials.secret_access_key,
            },
        });
        for (key, value) in more.as_object().unwrap() {
            match value {
                Value::Null => config.as_object_mut().unwrap().remove(key),
                value => config
                    .as_object_mut()
                    .unwrap()
                    .insert(key.clone(), value.clone()),
            };
        }
        config
    }

    pub(crate) async fn connect(&self, more: &Value) -> Snowflake {
        connect(self.config(more)).await.unwrap()
    }
}

pub(crate) async fn connect(config: Value) -> tributary_model::Result<Snowflake> {
    let config: Config = serde_json::from_value(config).unwrap();
    Snowflake::connect(config).await
}
