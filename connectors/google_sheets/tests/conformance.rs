//! The connector, held to the simulator's truth.

use serde_json::json;
use tributary_google_sheets::GoogleSheets;
use tributary_model::AnySource;
use tributary_testkit::api::conformance::{Api, Reading, connected, simulated};
use tributary_testkit::api::sheets::Sheets;
use tributary_testkit::api::simulator::Simulator;

/// A spreadsheet of so many rows, and the connector to read it with.
async fn of_rows(rows: usize) -> (Simulator<Sheets>, GoogleSheets) {
    let simulator = simulated::<Sheets>(rows);
    let folder = tempfile::tempdir().expect("a folder");
    let mut more = json!({});
    for (name, content) in simulator.with(|model, _| model.files()) {
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("a file can be written");
        more["credentials_file"] = json!(path);
    }
    // The credentials are read once, when it connects.
    let source = connected(&simulator, &more).await;
    (simulator, source)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_is_complete() {
    let (simulator, source) = of_rows(30).await;
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    reading.is_complete().await;
}

/// Google gives up on more than a thousand cells here: windows get smaller, and there are many.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_grid_is_read_in_windows_and_survives_being_cut() {
    let (simulator, source) = of_rows(600).await;
    simulator.with(|model, _| model.slow_above = Some(1_200));
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    reading.only(&["Orders"]).survives_cuts(6).await;
    let windows = simulator
        .recorder()
        .of("/v4/spreadsheets/*/values:batchGet");
    assert!(windows.len() > 6 * 5, "{} windows", windows.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_survives_being_cut() {
    let (simulator, source) = of_rows(20).await;
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    reading.survives_cuts(1000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_survives_drift() {
    let (simulator, source) = of_rows(20).await;
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    reading.survives_drift().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_survives_storms() {
    let (simulator, source) = of_rows(10).await;
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    reading.survives_storms().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_survives_tokens_that_expire() {
    let (simulator, source) = of_rows(10).await;
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    reading.survives_expiry().await;
}
