//! The contract of destinations, held by a real PostgreSQL.

use tributary_model::Destination;
use tributary_postgres::{Config, Postgres};
use tributary_testkit::conformance;

#[tokio::test]
async fn postgres_keeps_the_contract() {
    let server = tributary_testkit::postgres::Postgres::start();
    let url = server.url();
    conformance::destination(move || Postgres::connect(Config::at(url.clone()))).await;
}
