use serde_json::json;
use tributary_lake::{Config, Lake};
use tributary_model::{Destination, Verdict};
use tributary_testkit::conformance;

use crate::world::World;

#[tokio::test]
async fn a_lake_of_iceberg_keeps_the_contract_and_pyiceberg_reads_every_table() {
    let world = World::new(json!({}));
    let settings = world.settings();
    conformance::destination(move || {
        let config: Config = serde_json::from_value(settings.clone()).expect("they are good");
        Lake::connect(config)
    })
    .await;
    let tables = world.tables();
    assert!(tables.len() > 10, "{tables:?}");
    for table in tables {
        let names: Vec<&str> = table.iter().map(String::as_str).collect();
        world.read(&names).await;
    }
    let report = world
        .lake()
        .await
        .check()
        .await
        .expect("a lake can be checked");
    assert_eq!(report.verdict(), Verdict::Pass, "{report:?}");
}
