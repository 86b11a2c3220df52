//! The contract of sources, held by real servers.

use serde_json::json;
use tributary_model::Source;
use tributary_mysql::MySql;
use tributary_testkit::conformance::{self, Delivery, Expectation};
use tributary_testkit::server::{Flavor, MySqlServer, Options};
use tributary_testkit::shop::Shop;

async fn keeps_the_contract(flavor: Flavor, gtid: bool) {
    let options = Options {
        gtid,
        ..Options::default()
    };
    let server = MySqlServer::start(flavor, options).await;
    Shop::SMALL.load(&server).await;
    let reader = server.reader().await;
    let settings = json!({
        "url": reader.url(server.port()), "databases": ["shop"], "chunk_rows": 150,
    });
    let config = serde_json::from_value(settings).expect("these are settings");
    let source = MySql::connect(config).await.expect("it can be configured");
    let expectation = Expectation {
        delivery: Delivery::Once,
        secret: Some(&reader.password),
        at_least: 2_000,
    };
    conformance::source(&source, expectation).await;
}

#[tokio::test]
async fn mariadb_keeps_the_contract() {
    keeps_the_contract(Flavor::MariaDb, false).await;
}

#[tokio::test]
async fn mysql_keeps_the_contract() {
    keeps_the_contract(Flavor::MySql, true).await;
}

#[tokio::test]
async fn mysql_without_gtids_keeps_the_contract() {
    keeps_the_contract(Flavor::MySql, false).await;
}
