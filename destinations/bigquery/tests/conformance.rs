//! The contract of destinations, held by an emulator of BigQuery, and what becomes of loads when
//! something goes wrong.

mod documents;
mod faults;
mod quoted;

use quoted::Quoted;
use tributary_bigquery::Config;
use tributary_model::Destination;
use tributary_standins::bigquery::{Emulator, Proxy};
use tributary_testkit::conformance;

#[tokio::test]
async fn bigquery_keeps_the_contract() {
    let emulator = Emulator::shared();
    let proxy = Proxy::start(emulator.clone());
    let (api, storage) = (proxy.url(), emulator.storage());
    let config = move || Config {
        project: Some("p".to_owned()),
        api_endpoint: Some(api.clone()),
        storage_endpoint: Some(storage.clone()),
        ..Config::default()
    };
    conformance::destination(move || Quoted::connect(config())).await;
}
