//! Mailchimp's connector, held to the simulator's truth.

use serde_json::json;
use tributary_mailchimp::Mailchimp;
use tributary_model::AnySource;
use tributary_testkit::api::conformance::{Reading, connected, simulated};
use tributary_testkit::api::mailchimp::Mailchimp as Simulated;
use tributary_testkit::api::simulator::Simulator;

/// Streams of every way of reading.
const SOME: [&str; 7] = [
    "lists",
    "list_members",
    "interests",
    "campaigns",
    "reports",
    "email_activity",
    "tags",
];

async fn source(simulator: &Simulator<Simulated>) -> Mailchimp {
    connected(simulator, &json!({})).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_is_complete() {
    let simulator = simulated::<Simulated>(8);
    let source = source(&simulator).await;
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    reading.is_complete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_stream_is_read() {
    let simulator = simulated::<Simulated>(2);
    let source = source(&simulator).await;
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    reading.misses_no_stream().await;
}

/// Pages time out that are larger than three.
#[tokio::test(flavor = "multi_thread")]
async fn a_reading_of_small_pages_is_complete() {
    let simulator = simulated::<Simulated>(6);
    simulator.with(|account, _| account.slow_above = Some(3));
    let source = source(&simulator).await;
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    reading.is_complete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oauth_token_leads_to_its_data_center() {
    let simulator = simulated::<Simulated>(3);
    let token = simulator.with(|account, _| account.token());
    let more = json!({"api_key": null, "access_token": token});
    let source: Mailchimp = connected(&simulator, &more).await;
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    reading.only(&SOME).is_complete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_survives_being_cut() {
    let simulator = simulated::<Simulated>(4);
    simulator.with(|account, _| account.slow_above = Some(4));
    let source = source(&simulator).await;
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    reading.only(&SOME).survives_cuts(60).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_survives_drift() {
    let simulator = simulated::<Simulated>(6);
    let source = source(&simulator).await;
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    // Read once a day, and this is a matter of minutes.
    let daily = ["campaign_content", "campaign_feedback"];
    reading.without(&daily).survives_drift().await;
}

/// Members and readers move to other pages while pages are read.
#[tokio::test(flavor = "multi_thread")]
async fn a_reading_of_small_pages_survives_drift() {
    let simulator = simulated::<Simulated>(6);
    simulator.with(|account, _| account.slow_above = Some(3));
    let source = source(&simulator).await;
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    let moving = ["list_members", "email_activity", "reports"];
    reading.only(&moving).survives_drift().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_survives_storms() {
    let simulator = simulated::<Simulated>(3);
    let source = source(&simulator).await;
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    reading.only(&SOME).survives_storms().await;
}
