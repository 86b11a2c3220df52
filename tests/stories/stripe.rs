//! Stripe, read into DuckDB: everything once, then what changed, then nothing; deletions, missing
//! permissions and products, accounts of others.

use serde_json::{Value, json};
use tributary_testkit::api::clock::{DAY, HOUR};
use tributary_testkit::api::conformance::Runs;
use tributary_testkit::api::stripe::{Account, Feature, Stripe, Version};

use crate::world::{ask, number};

/// Stripe with an account that `change` fills, and the program that reads it.
fn start(change: impl FnOnce(&mut Account, i64)) -> Runs<Stripe> {
    start_with(|stripe, now| change(&mut stripe.account, now))
}

fn start_with(change: impl FnOnce(&mut Stripe, i64)) -> Runs<Stripe> {
    let now = tributary_testkit::api::clock::Clock::default().now();
    let mut stripe = Stripe::new(11, now - 300 * DAY);
    change(&mut stripe, now);
    Runs::new(env!("CARGO_BIN_EXE_tributary"), stripe)
}

/// What `--output json` says of one stream.
fn stream<'a>(report: &'a Value, name: &str) -> &'a Value {
    let streams = report["connections"][0]["streams"].as_array().unwrap();
    let found = streams.iter().find(|stream| stream["stream"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {report}"))
}

fn written(report: &Value) -> u64 {
    let streams = report["connections"][0]["streams"]
        .as_array()
        .unwrap()
        .iter();
    streams
        .map(|stream| stream["records_written"].as_u64().unwrap())
        .sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_arrives_once() {
    let runs = start(|account, now| account.populate(4, now));
    runs.sync().await;
    runs.assert_true("after the first sync");
    let again = runs
        .run(&["sync", "--output", "json"])
        .await
        .exits(0)
        .json();
    assert_eq!(written(&again), 0, "nothing is new");
    runs.assert_true("after a sync with nothing new");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_week_of_changes_arrives_day_by_day() {
    let runs = start(|account, now| account.populate(4, now));
    runs.sync().await;
    for day in 1..=7 {
        runs.simulator
            .with(|stripe, now| stripe.account.live(150, now + 1, now + 20 * HOUR));
        runs.simulator.clock().advance(DAY);
        runs.sync().await;
        runs.assert_true(&format!("on day {day}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_stays_as_a_deleted_row() {
    let runs = start(|account, now| {
        account.fill("customers", 3, now - 9 * DAY, now - DAY);
        account.fill("coupons", 3, now - 9 * DAY, now - DAY);
    });
    runs.sync().await;
    let gone = runs.simulator.with(|stripe, now| {
        let account = &mut stripe.account;
        ["customers", "coupons"].map(|stream| {
            let id = account.ids(stream)[0].clone();
            account.delete(stream, &id, now);
            (stream, id)
        })
    });
    runs.settle();
    runs.sync().await;
    runs.assert_true("after two deletions");
    for (stream, id) in gone {
        let sql = format!(
            "SELECT _tributary_deleted, created IS NOT NULL FROM api.{stream} WHERE id = '{id}'"
        );
        let row = ask(&runs.file(), &sql);
        let yes = Some("true".to_owned());
        assert_eq!(row, [[yes.clone(), yes]], "{stream}");
    }
}

/// Events are kept for thirty days: who comes later reads everything again, and what is not found
/// any more is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_pause_costs_a_full_read_and_no_row() {
    let runs = start(|account, now| account.populate(3, now));
    runs.sync().await;
    let gone = runs.simulator.with(|stripe, now| {
        let id = stripe.account.ids("coupons")[0].clone();
        stripe.account.delete("coupons", &id, now + 1);
        stripe.account.live(200, now + 2, now + 5 * DAY);
        id
    });
    runs.simulator.clock().advance(40 * DAY);
    runs.sync().await.says("read again in full");
    runs.assert_true("forty days later");
    let sql = format!(
        "SELECT count(*) FROM api.coupons WHERE id = '{gone}' AND _tributary_deleted AND created IS NOT NULL"
    );
    assert_eq!(number(&runs.file(), &sql), 1, "its last values stay");
}

/// A list comes anew with its object: what has left it is gone, and only that.
#[tokio::test(flavor = "multi_thread")]
async fn what_leaves_a_list_is_gone() {
    const LISTS: [&str; 2] = ["invoice_line_items", "subscription_items"];
    let runs = start(|account, now| {
        account.fill("invoices", 2, now - 9 * DAY, now - 8 * DAY);
        account.fill("invoice_line_items", 30, now - 8 * DAY, now - 7 * DAY);
        account.fill("subscriptions", 3, now - 9 * DAY, now - DAY);
    });
    let runs = runs.connection(&json!({"select": LISTS}));
    runs.sync().await;
    runs.assert_streams(&LISTS, "at first");
    let gone = runs.simulator.with(|stripe, now| {
        let account = &mut stripe.account;
        let ids = account.ids("invoice_line_items");
        let some: Vec<String> = ids.into_iter().step_by(5).collect();
        some.iter()
            .for_each(|id| account.take_out("invoice_line_items", id, now));
        let all = account.ids("subscription_items");
        account.take_out("subscription_items", &all[0], now);
        some.len()
    });
    runs.settle();
    runs.sync().await;
    runs.assert_streams(&LISTS, "after some have left");
    let marked = "SELECT count(*) FROM api.invoice_line_items WHERE _tributary_deleted";
    assert_eq!(number(&runs.file(), marked), gone as i64);
    let again = runs.run(&["sync", "--output", "json"]).await.exits(0);
    assert_eq!(written(&again.json()), 0, "nothing is new");
}

/// The end of a subscription is called its deletion, and its row must stay.
#[tokio::test(flavor = "multi_thread")]
async fn an_ended_subscription_is_not_a_deleted_one() {
    let runs = start(|account, now| account.fill("subscriptions", 2, now - 9 * DAY, now - DAY));
    runs.sync().await;
    runs.simulator.with(|stripe, now| {
        let id = stripe.account.ids("subscriptions")[0].clone();
        stripe
            .account
            .update_as("subscriptions", &id, "customer.subscription.deleted", now);
    });
    runs.settle();
    runs.sync().await;
    runs.assert_streams(&["subscriptions"], "after one has ended");
    let ended = "SELECT count(*) FROM api.subscriptions WHERE status = 'canceled' AND NOT _tributary_deleted";
    assert_eq!(number(&runs.file(), ended), 1);
}

/// What an event says is of the version that the account had then; rows are of one version.
#[tokio::test(flavor = "multi_thread")]
async fn rows_of_lists_and_of_events_look_alike() {
    let runs = start(|account, now| {
        account.version = Version::new("2025-03-31.basil");
        account.fill("subscriptions", 2, now - 9 * DAY, now - DAY);
    });
    runs.sync().await;
    runs.simulator.with(|stripe, now| {
        let id = stripe.account.ids("subscriptions")[0].clone();
        stripe
            .account
            .update("subscriptions", &id, now, json!({"description": "new"}));
        stripe.account.create("subscriptions", now);
    });
    runs.settle();
    runs.sync().await;
    runs.assert_streams(&["subscriptions", "subscription_items"], "after an event");
    let whole = "SELECT count(*) FROM api.subscriptions WHERE current_period_end IS NOT NULL";
    assert_eq!(number(&runs.file(), whole), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_permission_fails_its_stream_alone_and_by_name() {
    let runs = start(|account, now| account.populate(2, now));
    let key = runs
        .simulator
        .with(|stripe, _| stripe.restricted_key(&["events", "charges"]));
    let select = json!({"select": ["charges", "disputes"]});
    let runs = runs.source(&json!({ "api_key": key })).connection(&select);
    let sync = runs
        .run(&["sync", "--output", "json"])
        .await
        .exits(3)
        .says("rak_dispute_read");
    let report = sync.json();
    assert_eq!(stream(&report, "charges")["status"], "succeeded");
    assert_eq!(stream(&report, "disputes")["status"], "failed");
    runs.assert_streams(&["charges"], "beside a stream that failed");
    runs.run(&["check"]).await.exits(1).says("rak_dispute_read");
    assert!(!sync.to_string().contains(&key), "the key is shown");
}

/// Each stream that the key may not read is named with what it takes, also those that are read for
/// each record of another.
#[tokio::test(flavor = "multi_thread")]
async fn check_names_the_permission_that_each_stream_lacks() {
    let runs = start(|account, now| account.populate(2, now));
    let may = ["events", "customers", "payouts", "checkout_sessions"];
    let key = runs.simulator.with(|stripe, _| stripe.restricted_key(&may));
    let select = json!({"select": ["payouts", "payout_balance_transactions", "payment_methods", "invoices"]});
    let runs = runs.source(&json!({ "api_key": key })).connection(&select);
    let check = runs.run(&["check"]).await.exits(1);
    for needs in ["Balance: read", "Payment methods: read", "Invoices: read"] {
        assert!(
            check.stdout.contains(needs),
            "{needs} is not named\n{check}"
        );
    }
    assert!(
        !check.stdout.contains("Payouts: read"),
        "what may be read is complained of\n{check}"
    );
    let discover = runs.run(&["discover", "api"]).await.exits(0);
    assert!(
        discover.stdout.contains("Payment methods: read"),
        "{discover}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_that_the_account_lacks_is_left_out_with_a_warning() {
    let runs = start(|account, now| {
        account.populate(2, now);
        account.features.remove(&Feature::Issuing);
        account.features.remove(&Feature::Treasury);
    });
    let select = json!({"select": ["charges", "issuing_cards", "treasury_transactions"]});
    let runs = runs.connection(&select);
    runs.sync().await.says("not set up to use Issuing");
    runs.assert_streams(&["charges"], "beside streams that were left out");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_key_is_told_by_check_and_sync() {
    let runs = start(|account, now| account.populate(1, now));
    let runs = runs.source(&json!({"api_key": "sk_test_0123456789abcdef"}));
    runs.run(&["check"]).await.exits(1).says("Invalid API Key");
    let sync = runs.run(&["sync"]).await.exits(1).says("Invalid API Key");
    assert!(
        !sync.to_string().contains("sk_test_0123456789abcdef"),
        "the key is shown"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_reads_a_connected_account() {
    let mut id = String::new();
    let runs = start_with(|stripe, now| {
        stripe.account.fill("charges", 3, now - 9 * DAY, now - DAY);
        id = stripe.connect(now - 10 * DAY);
        let account = stripe.connected.get_mut(&id).unwrap();
        account.fill("charges", 2, now - 9 * DAY, now - DAY);
    });
    let runs = runs
        .source(&json!({ "account": id }))
        .connection(&json!({"select": ["charges"]}));
    runs.sync().await;
    assert_eq!(runs.count("charges"), 2);
    let requests = runs.simulator.recorder().of("/v1/charges");
    assert!(
        requests
            .iter()
            .all(|sent| sent.request.header("stripe-account") == Some(&*id))
    );
}

/// Test data must never be mixed with real data.
#[tokio::test(flavor = "multi_thread")]
async fn another_mode_is_refused() {
    let runs = start(|account, now| account.fill("charges", 3, now - 9 * DAY, now - DAY));
    let runs = runs.connection(&json!({"select": ["charges"]}));
    runs.sync().await;
    let live = runs.simulator.with(|stripe, _| {
        stripe.account.livemode = true;
        stripe.secret_key()
    });
    let runs = runs.source(&json!({ "api_key": live }));
    let sync = runs.run(&["sync"]).await;
    assert!(matches!(sync.code(), Some(1 | 3)), "{sync}");
    assert_eq!(runs.count("charges"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rate_limit_is_kept_by_all_streams_together() {
    let runs = start(|account, now| account.populate(3, now));
    let limits = runs.simulator.with(|stripe, _| stripe.limits());
    runs.simulator.limits().set(limits);
    let runs = runs.source(&json!({"requests_per_second": null}));
    runs.sync().await;
    let recorder = runs.simulator.recorder();
    let second = std::time::Duration::from_secs(1);
    recorder.assert_never_above(25, second, "*");
    assert_eq!(recorder.refused(), 0, "it asked more than it may");
    runs.assert_true("within the limit");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_date_leaves_older_rows_out() {
    let runs = start(|account, now| account.fill("charges", 10, now - 100 * DAY, now - DAY));
    let now = runs.simulator.clock().now();
    // A row comes every 9.9 days: whatever the hour, none is near the day that this begins.
    let start = tributary_testkit::api::clock::format(now - 55 * DAY, "%Y-%m-%d");
    let runs = runs
        .source(&json!({ "start_date": start }))
        .connection(&json!({"select": ["charges"]}));
    runs.sync().await;
    assert_eq!(runs.count("charges"), 5);
}
