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
use tributary_model::Row;
use tributary_rest_connector::Rest;
use tributary_testkit::api::conformance::{Api, Reading, connected, simulated};
use tributary_testkit::api::simulator::Simulator;

/// Held by whoever moves the clock, which all of the process have in common.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A manifest of the examples.
fn manifest(name: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.join("../../config/examples").join(name)
}

async fn source<A: Api>(simulator: &Simulator<A>) -> Rest {
    connected(simulator, &json!({})).await
}

/// Everything that the suite asks of a connector, against models of `A`.
async fn holds<A: Api>() {
    let _turn = TURN.lock().await;
    let complete = simulated::<A>(30);
    let read = source(&complete).await;
    Reading::new(&complete, &read).await.is_complete().await;

    let cut = simulated::<A>(14);
    let read = source(&cut).await;
    Reading::new(&cut, &read).await.survives_cuts(25).await;

    let drifting = simulated::<A>(25);
    let read = source(&drifting).await;
    Reading::new(&drifting, &read).await.survives_drift().await;

    let stormy = simulated::<A>(6);
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
