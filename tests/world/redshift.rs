//! A stand-in for Redshift to write to, beside the DuckDB file of the same program.

use std::sync::Arc;

use serde_json::Value;
use tributary_standins::redshift::{ROLE, RedshiftServer};
use tributary_testkit::s3::{Options, S3Server};
use tributary_testkit::server::Flavor;

use super::{Setup, World};

/// The bucket that rows go through.
pub(crate) const BUCKET: &str = "staging";

/// A source, the program, the stand-in and its bucket.
pub(crate) struct Cloud {
    pub(crate) world: World,
    pub(crate) warehouse: RedshiftServer,
    pub(crate) bucket: Arc<S3Server>,
}

impl Cloud {
    /// A MariaDB with these tables, and an empty warehouse; `connection` are its settings.
    pub(crate) async fn with(sql: &str, source: &str, connection: &str) -> Self {
        let world = World::with(Flavor::MariaDb, sql).await;
        let bucket = Arc::new(S3Server::start(Options {
            buckets: vec![BUCKET.to_owned()],
            ..Options::default()
        }));
        let cloud = Self {
            world,
            warehouse: RedshiftServer::start(bucket.clone()),
            bucket,
        };
        cloud.configure(&cloud.warehouse.url(), "", source, connection);
        cloud
    }

    /// Writes the configuration: `main` goes to the warehouse at `url`, and `mirror` to DuckDB.
    pub(crate) fn configure(&self, url: &str, more: &str, source: &str, connection: &str) {
        let keys = self.bucket.credentials();
        let settings = format!(
            "{{type: redshift, url: \"{url}\", iam_role: \"{ROLE}\", {more} staging: \
             {{url: \"s3://{BUCKET}/in\", region: us-east-1, endpoint: \"{}\", access_key_id: {}, \
             secret_access_key: {}}}}}",
            self.bucket.endpoint(),
            keys.access_key_id,
            keys.secret_access_key,
        );
        let text = self.world.yaml(Setup {
            source,
            connection,
            ..Setup::default()
        });
        let text = text
            .replace("{type: duckdb, path: warehouse.duckdb}", &settings)
            .replace(
                "connections:\n",
                "  mirror: {type: duckdb, path: warehouse.duckdb}\nconnections:\n",
            );
        let mirror = format!("  mirror: {{source: shop, destination: mirror, {connection}}}\n");
        self.world
            .program
            .write("tributary.yaml", &(text + &mirror));
    }

    /// The one number that answers a question to the warehouse.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let program = &self.world.program;
        let answer = program
            .run(&["query", "warehouse", sql, "--output", "json"])
            .await;
        let answer = answer.exits(0).json();
        match &answer["rows"][0][0] {
            Value::String(text) => text.parse().unwrap(),
            number => number.as_i64().unwrap(),
        }
    }
}
