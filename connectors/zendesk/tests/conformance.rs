//! Zendesk's connector, held to the simulator's truth.

use serde_json::json;
use tributary_model::AnySource;
use tributary_testkit::api::conformance::{Reading, connected, simulated};
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

async fn source(simulator: &Simulator<Simulated>) -> Zendesk {
    connected(simulator, &json!({})).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_is_complete() {
    let simulator = simulated::<Simulated>(12);
    let source = source(&simulator).await;
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    reading.is_complete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_stream_is_read() {
    let simulator = simulated::<Simulated>(2);
    simulator.with(|desk, now| {
        for stream in ["tickets", "users"] {
            let one = desk.create(stream, now - 200);
            desk.delete(stream, &one, now - 90);
        }
    });
    let source = source(&simulator).await;
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    reading.misses_no_stream().await;
}

/// Pages time out that are larger than three; exports show a quiet page before each other, and the
/// first record of a page twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_reading_of_small_pages_is_complete() {
    let simulator = simulated::<Simulated>(12);
    simulator.with(|desk, _| (desk.slow_above, desk.quiet, desk.stutters) = (Some(3), true, true));
    let source = source(&simulator).await;
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    let exported = ["tickets", "ticket_metrics", "users", "user_identities"];
    reading.only(&exported).is_complete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_may_stand_beside_their_tickets() {
    let simulator = simulated::<Simulated>(5);
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
    let simulator = simulated::<Simulated>(5);
    simulator.with(|desk, _| desk.slow_above = Some(4));
    let source = source(&simulator).await;
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    reading.only(&SOME).survives_cuts(60).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tickets_and_what_belongs_to_them_survive_being_cut() {
    let simulator = simulated::<Simulated>(4);
    let source = source(&simulator).await;
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    let some = ["tickets", "ticket_metrics", "ticket_audits"];
    reading.only(&some).survives_cuts(60).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_survives_drift() {
    let simulator = simulated::<Simulated>(8);
    let source = source(&simulator).await;
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    reading.survives_drift().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_survives_storms() {
    let simulator = simulated::<Simulated>(3);
    let source = source(&simulator).await;
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    reading.only(&SOME).survives_storms().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_survives_tokens_that_expire() {
    let simulator = simulated::<Simulated>(5);
    let (id, secret, refresh) = simulator.with(|desk, _| desk.oauth());
    let client = json!({"email": null, "api_token": null, "client_id": id,
        "client_secret": secret, "refresh_token": refresh});
    let source: Zendesk = connected(&simulator, &client).await;
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    reading.only(&SOME).survives_expiry().await;
}
