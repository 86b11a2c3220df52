//! Mailchimp's connector, held to the simulator's truth.

use serde_json::{Value, json};
use tributary_mailchimp::Mailchimp;
use tributary_model::{AnySource, Source};
use tributary_testkit::api::conformance::{Api, Reading};
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

fn simulated(count: usize) -> Simulator<Simulated> {
    let mut account = Simulated::new(7);
    account.populate_all(count, tributary_model::now().timestamp());
    Simulator::start(account)
}

async fn source(simulator: &Simulator<Simulated>) -> Mailchimp {
    let url = simulator.url();
    with(simulator.with(|account, _| account.settings(&url))).await
}

async fn with(settings: Value) -> Mailchimp {
    let config = serde_json::from_value(settings).expect("these are settings");
    Mailchimp::connect(config)
        .await
        .expect("it can be configured")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_is_complete() {
    let simulator = simulated(8);
    let source = source(&simulator).await;
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    reading.is_complete().await;
}

/// Pages time out that are larger than three.
#[tokio::test(flavor = "multi_thread")]
async fn a_reading_of_small_pages_is_complete() {
    let simulator = simulated(6);
    simulator.with(|account, _| account.slow_above = Some(3));
    let source = source(&simulator).await;
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    reading.is_complete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oauth_token_leads_to_its_data_center() {
    let simulator = simulated(3);
    let token = simulator.with(|account, _| account.token());
    let source = with(json!({"access_token": token, "api_url": simulator.url()})).await;
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    reading.only(&SOME).is_complete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_survives_being_cut() {
    let simulator = simulated(4);
    simulator.with(|account, _| account.slow_above = Some(4));
    let source = source(&simulator).await;
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    reading.only(&SOME).survives_cuts(60).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_survives_drift() {
    let simulator = simulated(6);
    let source = source(&simulator).await;
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    reading.survives_drift().await;
}

/// Members and readers move to other pages while pages are read.
#[tokio::test(flavor = "multi_thread")]
async fn a_reading_of_small_pages_survives_drift() {
    let simulator = simulated(6);
    simulator.with(|account, _| account.slow_above = Some(3));
    let source = source(&simulator).await;
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    let moving = ["list_members", "email_activity", "reports"];
    reading.only(&moving).survives_drift().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_survives_storms() {
    let simulator = simulated(3);
    let source = source(&simulator).await;
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    reading.only(&SOME).survives_storms().await;
}
