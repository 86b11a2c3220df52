//! The examples of `config/examples`, read from servers that play their APIs, and held to what every
//! API connector must survive.

mod crm;
mod exports;
mod login;
mod mistakes;
mod projects;
mod replay;
mod vault;

use std::path::PathBuf;

use serde_json::{Value, json};
use tributary_model::{Row, Source};
use tributary_rest_connector::Rest;
use tributary_testkit::api::conformance::{Api, Reading};
use tributary_testkit::api::simulator::Simulator;

/// Held by whoever moves the clock, which all of the process have in common.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A manifest of the examples.
fn manifest(name: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.join("../../config/examples").join(name)
}

async fn source<A: Api>(simulator: &Simulator<A>) -> Rest {
    let url = simulator.url();
    let settings = simulator.with(|model, _| model.settings(&url));
    let config = serde_json::from_value(settings).expect("these are settings");
    Rest::connect(config).await.expect("it can be configured")
}

fn simulated<A: Api>(mut model: A, count: usize) -> Simulator<A> {
    model.populate_all(count, tributary_model::now().timestamp());
    Simulator::start(model)
}

/// Everything that the suite asks of a connector, against models that `make` makes.
async fn holds<A: Api>(make: impl Fn() -> A) {
    let _turn = TURN.lock().await;
    let complete = simulated(make(), 30);
    let read = source(&complete).await;
    Reading::new(&complete, &read).await.is_complete().await;

    let cut = simulated(make(), 14);
    let read = source(&cut).await;
    Reading::new(&cut, &read).await.survives_cuts(25).await;

    let drifting = simulated(make(), 25);
    let read = source(&drifting).await;
    Reading::new(&drifting, &read).await.survives_drift().await;

    let stormy = simulated(make(), 6);
    let read = source(&stormy).await;
    Reading::new(&stormy, &read).await.survives_storms().await;
}

fn object(value: Value) -> Row {
    match value {
        Value::Object(fields) => fields,
        other => panic!("{other} is no object"),
    }
}

fn settings(name: &str, url: &str, more: Value) -> Value {
    json!({"manifest": manifest(name), "api_url": url, "settings": more})
}
