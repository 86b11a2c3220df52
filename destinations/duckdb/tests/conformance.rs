//! The contract of destinations, held by a DuckDB file.

use tributary_duckdb::{Config, DuckDb};
use tributary_model::Destination;
use tributary_testkit::conformance;

#[tokio::test]
async fn duckdb_keeps_the_contract() {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let path = dir.path().join("warehouse.duckdb");
    conformance::destination(move || DuckDb::connect(Config::new(path.clone()))).await;
}
