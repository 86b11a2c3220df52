//! Zendesk's connector, held to the simulator's truth.

use serde_json::{Value, json};
use tributary_model::{AnySource, Source};
use tributary_testkit::api::conformance::{Api, Reading};
use tributary_testkit::api::simulator::Simulator;
use tributary_testkit::api::zendesk::Zendesk as Simulated;
use tributary_zendesk::Zendesk;

/// Streams of every way of reading.
const SOME: [&str; 12] = [
    "tickets",
    "ticket_metrics",
    "users",
    "user_identities",
    "organizations",
    "ticket_events",
    "ticket_comments",
    "ticket_metric_events",
    "groups",
    "calls",
    "tags",
    "schedules",
];

fn simulated(count: usize) -> Simulator<Simulated> {
    let mut desk = Simulated::new(7);
    desk.populate_all(count, tributary_model::now().timestamp());
    Simulator::start(desk)
}

async fn source(simulator: &Simulator<Simulated>) -> Zendesk {
    let url = simulator.url();
    with(simulator.with(|desk, _| desk.settings(&url))).await
}

async fn with(settings: Value) -> Zendesk {
    let config = serde_json::from_value(settings).expect("these are settings");
    Zendesk::connect(config)
        .await
        .expect("it can be configured")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_is_complete() {
    let simulator = simulated(12);
    let source = source(&simulator).await;
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    reading.is_complete().await;
}

/// Pages time out that are larger than three; exports show a quiet page before each other, and the
/// first record of a page twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_reading_of_small_pages_is_complete() {
    let simulator = simulated(12);
    simulator.with(|desk, _| (desk.slow_above, desk.quiet, desk.stutters) = (Some(3), true, true));
    let source = source(&simulator).await;
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    let exported = ["tickets", "ticket_metrics", "users", "user_identities"];
    reading.only(&exported).is_complete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_may_stand_beside_their_tickets() {
    let simulator = simulated(5);
    simulator.with(|desk, _| desk.beside = true);
    let source = source(&simulator).await;
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    reading
        .only(&["tickets", "ticket_metrics"])
        .is_complete()
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_survives_being_cut() {
    let simulator = simulated(5);
    simulator.with(|desk, _| desk.slow_above = Some(4));
    let source = source(&simulator).await;
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    reading.only(&SOME).survives_cuts(60).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tickets_and_what_belongs_to_them_survive_being_cut() {
    let simulator = simulated(4);
    let source = source(&simulator).await;
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    let some = ["tickets", "ticket_metrics", "ticket_audits"];
    reading.only(&some).survives_cuts(60).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_survives_drift() {
    let simulator = simulated(8);
    let source = source(&simulator).await;
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    reading.survives_drift().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_survives_storms() {
    let simulator = simulated(3);
    let source = source(&simulator).await;
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    reading.only(&SOME).survives_storms().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_survives_tokens_that_expire() {
    let simulator = simulated(5);
    let url = simulator.url();
    let mut settings = simulator.with(|desk, _| desk.settings(&url));
    let (id, secret, refresh) = simulator.with(|desk, _| desk.oauth());
    for name in ["email", "api_token"] {
        settings.as_object_mut().expect("settings").remove(name);
    }
    settings["client_id"] = json!(id);
    settings["client_secret"] = json!(secret);
    settings["refresh_token"] = json!(refresh);
    let source = with(settings).await;
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    reading.only(&SOME).survives_expiry().await;
}
