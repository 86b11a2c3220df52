//! Zendesk, read into DuckDB: everything once, then what changed, then nothing; what is deleted and
//! archived, plans and permissions, tokens that work once, limits that exports share.

use std::time::Duration;

use serde_json::{Value, json};
use tributary_testkit::api::clock::{DAY, HOUR, format};
use tributary_testkit::api::conformance::Runs;
use tributary_testkit::api::faults::{Fault, When};
use tributary_testkit::api::limits::Limit;
use tributary_testkit::api::zendesk::{Product, Scope, Zendesk};

use crate::world::{ask, number};

/// A help desk that `change` fills, and the program that reads it.
fn start(change: impl FnOnce(&mut Zendesk, i64)) -> Runs<Zendesk> {
    let now = tributary_testkit::api::clock::Clock::default().now();
    let mut desk = Zendesk::new(11);
    change(&mut desk, now);
    Runs::new(env!("CARGO_BIN_EXE_tributary"), desk)
}

/// The same, reading these streams only.
fn reading(streams: &[&str], change: impl FnOnce(&mut Zendesk, i64)) -> Runs<Zendesk> {
    start(change).connection(&json!({ "select": streams }))
}

/// The same by OAuth.
fn let_in(runs: Runs<Zendesk>) -> Runs<Zendesk> {
    let (id, secret, refresh) = runs.simulator.with(|desk, _| desk.oauth());
    runs.source(&json!({"email": null, "api_token": null, "client_id": id,
        "client_secret": secret, "refresh_token": refresh}))
}

async fn report(runs: &Runs<Zendesk>, exit: i32) -> Value {
    let sync = runs.run(&["sync", "--output", "json"]).await;
    sync.exits(exit).json()
}

fn streams(report: &Value) -> &[Value] {
    let streams = report["connections"][0]["streams"].as_array();
    streams.map_or(&[], Vec::as_slice)
}

fn written(report: &Value) -> u64 {
    let written = streams(report)
        .iter()
        .map(|it| it["records_written"].as_u64());
    written.map(Option::unwrap).sum()
}

fn status(report: &Value, name: &str) -> String {
    let found = streams(report).iter().find(|it| it["stream"] == name);
    let found = found.unwrap_or_else(|| panic!("no {name} in {report}"));
    found["status"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_arrives_once() {
    let runs = start(|desk, now| desk.populate(4, now));
    runs.sync().await;
    runs.assert_true("after the first sync");
    assert_eq!(written(&report(&runs, 0).await), 0, "nothing is new");
    runs.assert_true("after a sync with nothing new");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_week_of_changes_arrives_day_by_day() {
    let runs = start(|desk, now| desk.populate(4, now));
    runs.sync().await;
    for day in 1..=7 {
        runs.simulator
            .with(|desk, now| desk.live(120, now + 1, now + 20 * HOUR));
        runs.simulator.clock().advance(DAY);
        runs.sync().await;
        let moving = [
            "custom_object_records",
            "organizations",
            "ticket_comments",
            "ticket_metrics",
            "tickets",
            "users",
        ];
        runs.assert_streams(&moving, &format!("on day {day}"));
    }
    runs.assert_true("at the end of the week");
}

/// Zendesk scrubs what it deletes: the row keeps what it held.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_stays_as_a_deleted_row() {
    let exported = ["tickets", "users", "organizations"];
    let runs = reading(&exported, |desk, now| {
        for stream in ["organizations", "users", "tickets"] {
            desk.fill(stream, 3, now - 9 * DAY, now - DAY);
        }
    });
    runs.sync().await;
    let gone = runs.simulator.with(|desk, now| {
        exported.map(|stream| {
            let id = desk.ids(stream)[0].clone();
            desk.delete(stream, &id, now);
            (stream, id)
        })
    });
    runs.settle();
    runs.sync().await;
    runs.assert_streams(&exported, "after deletions");
    for (stream, id) in gone {
        let sql = format!("SELECT _tributary_deleted FROM api.{stream} WHERE id = {id}");
        assert_eq!(
            ask(&runs.file(), &sql),
            [[Some("true".to_owned())]],
            "{stream}"
        );
    }
    let scrubbed = "SELECT count(*) FROM api.tickets WHERE subject = 'SCRUBBED'";
    assert_eq!(number(&runs.file(), scrubbed), 0);
}

/// What the system does moves a ticket in the export and not its `updated_at`.
#[tokio::test(flavor = "multi_thread")]
async fn changes_of_the_system_and_archived_tickets_are_seen() {
    let some = ["tickets", "ticket_metrics", "ticket_audits"];
    let runs = reading(&some, |desk, now| {
        desk.fill("tickets", 4, now - 9 * DAY, now - DAY)
    });
    runs.sync().await;
    let archived = runs.simulator.with(|desk, now| {
        let ids = desk.ids("tickets");
        desk.system_update(&ids[0], now, json!({"has_incidents": true}));
        // More audits than a page holds: those of an archived ticket come all at once.
        (0..130).for_each(|second| desk.comment(&ids[1], now - 200 + second));
        desk.archive(&ids[1], now);
        ids[1].clone()
    });
    runs.settle();
    runs.sync().await;
    runs.assert_streams(&some, "after the system's doing");
    let sql = format!("SELECT count(*) FROM api.ticket_audits WHERE ticket_id = {archived}");
    assert!(
        number(&runs.file(), &sql) > 250,
        "an archived ticket's audits are not all there"
    );
}

/// Deleted for good, a ticket is in no export any more, and its audits can't be asked for.
#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_vanishes_meanwhile_stops_nobody() {
    let some = ["tickets", "ticket_audits"];
    let runs = reading(&some, |desk, now| {
        desk.fill("tickets", 4, now - 9 * DAY, now - DAY)
    });
    let ids = runs.simulator.with(|desk, _| desk.ids("tickets"));
    let last = ids.last().unwrap().clone();
    let gone = last.clone();
    runs.simulator.before_each(move |desk, request, _| {
        if request.path.contains("/audits") {
            desk.purge("tickets", &gone);
        }
    });
    runs.sync().await;
    let audits = format!("SELECT count(*) FROM api.ticket_audits WHERE ticket_id = {last}");
    assert_eq!(number(&runs.file(), &audits), 0);
    assert_eq!(runs.count("tickets"), 4, "what was exported is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_zendesk_has_forgotten_is_begun_anew() {
    let runs = reading(&["tickets"], |desk, now| {
        desk.fill("tickets", 5, now - 9 * DAY, now - DAY)
    });
    runs.sync().await;
    runs.simulator.with(|desk, now| {
        desk.era = "2".to_owned();
        desk.create("tickets", now);
    });
    runs.settle();
    runs.sync().await.says("no longer knows its cursor");
    runs.assert_streams(&["tickets"], "after another era has begun");
    assert_eq!(written(&report(&runs, 0).await), 0);
}

/// More organizations of one second than a page can hold: Zendesk shows the same page for ever.
#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_does_not_move_fails_alone() {
    let some = ["organizations", "groups"];
    let runs = reading(&some, |desk, now| {
        desk.fill("groups", 2, now - 9 * DAY, now - DAY);
        for _ in 0..1001 {
            desk.create("organizations", now - DAY);
        }
        desk.create("organizations", now - HOUR);
    });
    let sync = runs.run(&["sync", "--output", "json"]).await.exits(3);
    let sync = sync.says("more records of one time than the API hands out");
    assert_eq!(status(&sync.json(), "organizations"), "failed");
    assert_eq!(status(&sync.json(), "groups"), "succeeded");
    runs.assert_streams(&["groups"], "beside an export that does not move");
}

#[tokio::test(flavor = "multi_thread")]
async fn being_throttled_in_plain_text_is_waited_out() {
    let some = ["tickets", "users", "organizations", "groups", "tags"];
    let runs = reading(&some, |desk, now| desk.populate(3, now));
    let faults = runs.simulator.faults();
    faults.add(When::every(3), Fault::Throttled(Some(1)));
    faults.add(When::nth(7), Fault::Status(409));
    faults.add(When::every(5), Fault::Plain(503, "down for maintenance"));
    runs.sync().await;
    assert!(faults.hits() > 0);
    runs.assert_streams(&some, "though it was throttled");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_exports_share_one_limit() {
    let some = [
        "tickets",
        "users",
        "organizations",
        "ticket_events",
        "calls",
        "articles",
    ];
    let runs = reading(&some, |desk, now| desk.populate(3, now));
    let second = Duration::from_secs(1);
    runs.simulator.limits().set(Zendesk::limits(second));
    // Ten of a second where Zendesk has ten of a minute.
    let runs = runs.source(&json!({"exports_per_minute": 360}));
    runs.sync().await;
    let recorder = runs.simulator.recorder();
    recorder.assert_never_above(10, second, "/api/v2/*incremental/*");
    assert_eq!(recorder.refused(), 0, "it asked more than it may");
    runs.assert_streams(&some, "within the limit");
}

/// Zendesk says with each answer what is left, whoever used up the rest.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_a_limit_slows_requests_down_before_any_is_refused() {
    let some = ["tickets", "ticket_audits"];
    let runs = reading(&some, |desk, now| {
        desk.fill("tickets", 60, now - 9 * DAY, now - DAY);
    });
    // Its settings allow a hundred thousand a minute.
    let account = Limit::rate("account", 40, Duration::from_secs(2));
    runs.simulator.limits().set(vec![account]);
    runs.sync().await;
    let recorder = runs.simulator.recorder();
    assert!(recorder.count() > 60, "{} requests", recorder.count());
    assert_eq!(recorder.refused(), 0, "it asked more than was left");
    runs.assert_streams(&some, "within what was left");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_plan_lacks_is_left_out_by_name() {
    let some = [
        "groups",
        "custom_roles",
        "calls",
        "articles",
        "schedules",
        "queues",
    ];
    let runs = reading(&some, |desk, now| {
        desk.populate(2, now);
        for lacking in [
            Product::Enterprise,
            Product::Talk,
            Product::Guide,
            Product::Growth,
            Product::Routing,
        ] {
            desk.products.remove(&lacking);
        }
    });
    runs.sync().await.says("do not have access to this page");
    runs.assert_streams(&["groups"], "beside what the plan lacks");
    let check = runs.run(&["check"]).await.exits(0);
    let check = check.says("stream custom_roles").says("an Enterprise plan");
    check
        .says("Zendesk Talk")
        .says("Zendesk Guide")
        .says("omnichannel routing")
        .says("business hours");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_token_is_told_by_check_and_sync() {
    let runs = reading(&["groups"], |desk, now| desk.populate(1, now));
    let runs = runs.source(&json!({"api_token": "wrong-token-0123456789"}));
    runs.run(&["check"])
        .await
        .exits(1)
        .says("Couldn't authenticate you");
    let sync = runs.run(&["sync"]).await.exits(1).says("Admin Center");
    assert!(
        !sync.to_string().contains("wrong-token-0123456789"),
        "the token is shown"
    );
    let runs = runs.source(&json!({"subdomain": "evil.example.org/"}));
    runs.run(&["validate"])
        .await
        .exits(2)
        .says("not a name at zendesk.com");
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_credential_is_a_mistake_in_the_file() {
    let runs = reading(&["groups"], |desk, now| desk.populate(1, now));
    let runs = runs.source(&json!({"api_token": null, "client_id": "x"}));
    runs.run(&["validate"])
        .await
        .exits(2)
        .says("two credentials are set");
}

/// Each refresh makes the tokens before it worthless: the newest is kept from run to run.
#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_that_works_once_lasts_for_ever() {
    let some = ["tickets", "groups"];
    let runs = let_in(reading(&some, |desk, now| desk.populate(3, now)));
    for run in 1..=3 {
        runs.simulator
            .faults()
            .add(When::nth(2).method("GET"), Fault::ExpireTokens);
        runs.sync().await;
        runs.assert_streams(&some, &format!("after run {run}"));
        runs.simulator.faults().clear();
    }
    let (_, _, newest) = runs.simulator.with(|desk, _| desk.oauth());
    let stored = std::fs::read(runs.file()).unwrap();
    let lies_there = stored
        .windows(newest.len())
        .any(|bytes| bytes == newest.as_bytes());
    assert!(!lies_there, "the token lies in the destination");
    runs.simulator.with(|desk, _| desk.revoke());
    runs.run(&["sync"])
        .await
        .exits(1)
        .says("Authorize the application again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_the_scope_is_told() {
    let runs = let_in(reading(&["groups"], |desk, now| {
        desk.populate(1, now);
        desk.grant(Scope::TicketsWrite);
    }));
    let sync = runs.run(&["sync"]).await.says("lacks the scope `read`");
    assert!(matches!(sync.code(), Some(1 | 3)), "{sync}");
    runs.run(&["check"])
        .await
        .exits(1)
        .says("lacks the scope `read`");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_date_leaves_older_tickets_out() {
    let runs = reading(&["tickets"], |desk, now| {
        desk.fill("tickets", 10, now - 100 * DAY, now - DAY);
    });
    let now = runs.simulator.clock().now();
    // A row comes every 9.9 days: whatever the hour, none is near the day that this begins.
    let start = format(now - 55 * DAY, "%Y-%m-%d");
    let runs = runs.source(&json!({ "start_date": start }));
    runs.sync().await;
    assert_eq!(runs.count("tickets"), 5);
}

/// Exports refuse to begin in the last minute; there is nothing to be read then, and no mistake.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_is_too_recent_is_no_failure() {
    let some = ["tickets", "organizations"];
    let runs = reading(&some, |desk, now| desk.populate(1, now));
    let tomorrow = format(runs.simulator.clock().now() + DAY, "%Y-%m-%d");
    let runs = runs.source(&json!({ "start_date": tomorrow }));
    runs.sync().await;
    assert_eq!(runs.count("tickets") + runs.count("organizations"), 0);
}
