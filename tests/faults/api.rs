//! Attacks on connectors of APIs, from the outside: kills at any request, refusals of every kind,
//! outages, credentials that stop working, answers that are none.

use std::time::Duration;

use serde_json::json;
use tributary_testkit::api::clock::{Clock, DAY};
use tributary_testkit::api::conformance::Runs;
use tributary_testkit::api::faults::{Fault, When};
use tributary_testkit::api::stripe::Stripe;

/// Requests at which a run is killed.
const KILLS: usize = 25;

fn stripe(count: usize) -> Runs<Stripe> {
    let now = Clock::default().now();
    let mut stripe = Stripe::new(13, now - 300 * DAY);
    stripe.account.populate(count, now);
    Runs::new(env!("CARGO_BIN_EXE_tributary"), stripe)
}

#[tokio::test(flavor = "multi_thread")]
async fn g7_killed_at_any_request_an_api_is_complete_all_the_same() {
    stripe(3).survives_kills(KILLS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g2_rows_that_move_while_it_pages_are_there_once() {
    let runs = stripe(4);
    let mut asked = 0;
    runs.simulator.before_each(move |stripe, _, now| {
        asked += 1;
        if asked % 3 == 0 {
            stripe.account.live(1, now, now + 1);
        }
    });
    runs.sync().await;
    runs.simulator.stand_still();
    runs.settle();
    runs.sync().await;
    runs.assert_true("after rows moved under it");
}

#[tokio::test(flavor = "multi_thread")]
async fn g2_refusals_of_every_kind_lose_nothing() {
    let runs = stripe(3);
    let faults = runs.simulator.faults();
    faults.add(When::every(6), Fault::Throttled(Some(0)));
    faults.add(When::every(10), Fault::Throttled(None));
    faults.add(When::every(15), Fault::Status(503));
    faults.add(When::every(22), Fault::Status(409));
    faults.add(When::every(26), Fault::Page(502, "Bad gateway"));
    faults.add(When::every(34), Fault::Cut(100));
    faults.add(When::every(38), Fault::Silent);
    runs.sync().await;
    assert!(faults.hits() > 20, "hardly anything went wrong");
    runs.assert_true("after the storms");
}

#[tokio::test(flavor = "multi_thread")]
async fn g2_an_answer_that_is_no_json_is_no_end_of_a_list() {
    let runs = stripe(3).connection(&json!({"select": ["charges"]}));
    runs.simulator.faults().add(
        When::nth(1).on("/v1/charges"),
        Fault::Page(200, "Please log in"),
    );
    let first = runs.run(&["sync"]).await;
    if first.code() != Some(0) {
        runs.sync().await;
    }
    runs.assert_streams(&["charges"], "after a page for people");
}

#[tokio::test(flavor = "multi_thread")]
async fn g2_an_outage_ends_a_run_and_the_next_one_goes_on() {
    let runs = stripe(3);
    runs.sync().await;
    runs.simulator
        .with(|stripe, now| stripe.account.live(60, now + 1, now + 60));
    runs.simulator.clock().advance(60);
    runs.settle();
    runs.simulator.faults().add(When::always(), Fault::Hang);
    let before = runs.simulator.recorder().total();
    let running = runs.program.start(&["sync"]);
    runs.simulator
        .recorder()
        .arrived(before + 1, Duration::from_secs(60))
        .await;
    running.interrupt();
    let stopped = running.wait().await;
    assert_eq!(stopped.code(), Some(130), "{stopped}");
    runs.simulator.faults().clear();
    runs.sync().await;
    runs.assert_true("after the outage");
}

#[tokio::test(flavor = "multi_thread")]
async fn g3_a_key_that_is_revoked_under_way_ends_the_run_without_harm() {
    let runs = stripe(3);
    runs.simulator
        .faults()
        .add(When::nth(40), Fault::ExpireTokens);
    let failed = runs.run(&["sync"]).await;
    assert!(matches!(failed.code(), Some(1 | 3)), "{failed}");
    runs.simulator.faults().clear();
    let key = runs.simulator.with(|stripe, _| stripe.secret_key());
    let runs = runs.source(&json!({ "api_key": key }));
    runs.sync().await;
    runs.assert_true("with a new key");
}

#[tokio::test(flavor = "multi_thread")]
async fn g6_a_list_that_never_ends_is_given_up() {
    let runs = stripe(3).connection(&json!({"select": ["charges", "refunds"]}));
    runs.simulator
        .with(|stripe, _| stripe.stuck = Some("/v1/charges"));
    let sync = runs.run(&["sync"]).await.exits(3);
    assert!(
        runs.simulator.recorder().of("/v1/charges").len() < 100,
        "{sync}"
    );
    runs.assert_streams(&["refunds"], "beside a list that never ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn g8_the_key_is_nowhere_to_be_read() {
    let runs = stripe(2);
    let key = runs.simulator.with(|stripe, _| stripe.secret_key());
    let runs = runs.source(&json!({ "api_key": key }));
    let sync = runs
        .run(&["sync", "--output", "json", "--log-level", "debug"])
        .await;
    assert!(!sync.to_string().contains(&key), "in what it printed");
    let file = std::fs::read(runs.file()).unwrap();
    let there = file.windows(key.len()).any(|bytes| bytes == key.as_bytes());
    assert!(!there, "in the warehouse");
}
