//! The daemon: connections on their schedules, and everything that may happen to it meanwhile.

use std::time::{Duration, Instant};

use serde_json::Value;
use tributary_testkit::postgres::Postgres;
use tributary_testkit::server::{Flavor, Options, Port};
use tributary_testkit::shop::{Shop, TABLES, Writer};

use crate::world::{NAME, Setup, World};

async fn shop(connection: &str) -> World {
    let world = World::shop(Flavor::MariaDb, Options::default(), Shop::SMALL).await;
    configure(&world, connection);
    world
}

fn configure(world: &World, connection: &str) {
    world.configure_daemon(Setup {
        connection,
        ..Setup::default()
    });
}

fn state(view: &Value) -> &str {
    view["state"].as_str().unwrap()
}

fn succeeded(view: &Value) -> bool {
    view["last_run"]["status"] == "succeeded"
}

fn path(action: &str) -> String {
    format!("/api/v1/connections/{NAME}/{action}")
}

#[tokio::test]
async fn a_schedule_runs_and_the_metrics_balance() {
    let world = shop("schedule: 1s").await;
    let daemon = world.daemon().await;
    daemon.until(NAME, succeeded).await;
    world
        .server
        .execute("INSERT INTO shop.products (sku, title, price) VALUES ('new', 'New', 1.00)")
        .await;
    let written = || {
        daemon.metric(
            "tributary_records_written_total",
            "stream=\"shop.products\"",
        )
    };
    while written().await < 61.0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    daemon.post(&path("pause"), "").await;
    daemon.until(NAME, |view| state(view) == "paused").await;
    let sum = async |name: &str| daemon.metric(name, "connection=\"main\"").await;
    let read = sum("tributary_records_read_total").await;
    let written = sum("tributary_records_written_total").await;
    let rejected = sum("tributary_records_rejected_total").await;
    assert!(
        read > 500.0 && read == written + rejected,
        "{read} {written} {rejected}"
    );
    assert_eq!(sum("tributary_sync_failures_total").await, 0.0);
    assert!(sum("tributary_last_commit_timestamp_seconds").await > 0.0);
    assert!(sum("tributary_sync_duration_seconds_count").await >= 2.0);
    daemon.stop().await.says("stopped");
    world.assert_equal(&TABLES).await;
}

#[tokio::test]
async fn a_continuous_connection_follows_and_answers() {
    let world = shop("schedule: continuous, flush: {every: 200ms}").await;
    let daemon = world.daemon().await;
    daemon.until(NAME, |view| state(view) == "following").await;
    let writer = Writer::start(&world.server, Shop::SMALL, 2, 5);
    daemon
        .until(NAME, |view| view["loads"].as_array().unwrap().len() > 2)
        .await;
    let tally = writer.stop().await;
    assert!(tally.committed > 0);
    let orders = world.server.value("SELECT count(*) FROM shop.orders").await;
    let live = "SELECT count(*) FROM shop.orders WHERE NOT _tributary_deleted";
    daemon.until_number(live, orders.parse().unwrap()).await;
    // Nothing more happens to its tables, but the log goes on: so does the cursor.
    let before = daemon.view(NAME).await["position"].clone();
    world
        .server
        .execute("CREATE DATABASE other; CREATE TABLE other.t (id INT PRIMARY KEY)")
        .await;
    let is_near = |view: &Value| view["lag_seconds"].as_f64().is_some_and(|lag| lag < 60.0);
    let moved = |view: &Value| view["position"] != before && is_near(view);
    daemon.until(NAME, moved).await;
    // The file is open in the daemon: commands that only look go through it.
    let answer = world
        .program
        .run(&["query", "warehouse", live, "-o", "json"])
        .await
        .exits(0);
    assert_eq!(answer.json()["rows"][0][0].to_string(), orders);
    let status = world.program.run(&["status", "-o", "json"]).await.exits(0);
    let status = &status.json()["connections"][0];
    assert!(
        status["lag_seconds"].is_number() && status["state"] == "synced",
        "{status:#}"
    );
    // Whoever wants more of it is told who has it.
    let held = world.program.run(&["state", "list"]).await.exits(1);
    held.says("the daemon at http://")
        .says("pause the connection");
    daemon.stop().await;
    world.assert_equal(&TABLES).await;
}

#[tokio::test]
async fn told_to_stop_in_the_middle_of_a_copy_it_commits_what_is_complete() {
    let world = World::shop(Flavor::MariaDb, Options::default(), Shop::SMALL).await;
    world.configure_daemon(Setup {
        source: "chunk_rows: 50, parallelism: 1",
        connection: "schedule: continuous, flush: {rows: 100}",
        ..Setup::default()
    });
    let slow = [("FAILPOINTS", "engine.before_commit=sleep(300)")];
    let daemon = world.daemon_with(&slow).await;
    daemon
        .until(NAME, |view| view["run"]["loads"].as_u64() > Some(0))
        .await;
    daemon.stop().await.says("stopped");
    let (loads, rows) = (
        world.loads(),
        world.number("SELECT count(*) FROM shop.customers"),
    );
    assert!(loads > 0, "{loads} {rows}");
    let daemon = world.daemon().await;
    daemon
        .until(NAME, |view| {
            let streams = view["streams"].as_array().unwrap();
            streams.len() == 4 && streams.iter().all(|stream| stream["phase"] == "streaming")
        })
        .await;
    daemon.stop().await;
    world.assert_equal(&TABLES).await;
}

#[tokio::test]
async fn killed_at_any_moment_it_loses_nothing() {
    let world = shop("schedule: continuous, flush: {every: 100ms}").await;
    let writer = Writer::start(&world.server, Shop::SMALL, 2, 9);
    for _ in 0..3 {
        let daemon = world.daemon().await;
        daemon
            .until(NAME, |view| view["run"]["loads"].as_u64() > Some(1))
            .await;
        daemon.running.kill().await;
    }
    writer.stop().await;
    let orders = world
        .server
        .value("SELECT count(*) FROM shop.order_lines")
        .await;
    let daemon = world.daemon().await;
    let live = "SELECT count(*) FROM shop.order_lines WHERE NOT _tributary_deleted";
    daemon.until_number(live, orders.parse().unwrap()).await;
    daemon.stop().await;
    world.sync().await;
    world.assert_equal(&TABLES).await;
}

#[tokio::test]
async fn a_new_configuration_is_taken_over_or_refused_whole() {
    let world = shop("schedule: 1h").await;
    let mut daemon = world.daemon().await;
    daemon.until(NAME, succeeded).await;
    configure(&world, "schedule: 1h, flsh: {rows: 1}");
    daemon.running.logged("is refused").await;
    let all = daemon.get("/api/v1/connections").await;
    let problem = &all["configuration"]["problems"][0];
    assert!(
        problem["message"].as_str().unwrap().contains("flsh"),
        "{problem}"
    );
    assert!(problem["line"].is_number());
    assert_eq!(daemon.view(NAME).await["schedule"], "1h");
    configure(&world, "schedule: 2h");
    daemon.running.hang_up();
    let view = daemon.until(NAME, |view| view["schedule"] == "2h").await;
    assert!(succeeded(&view));
    let all = daemon.get("/api/v1/connections").await;
    assert!(
        all["configuration"]["problems"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    daemon.stop().await;
}

#[tokio::test]
async fn a_wrong_password_is_told_and_not_tried_again_and_again() {
    let world = shop("schedule: 1s").await;
    let right = world.daemon_yaml(Setup {
        connection: "schedule: 1s",
        ..Setup::default()
    });
    let wrong = right.replace("${SHOP_PASSWORD}", "wrong");
    world.program.write("tributary.yaml", &wrong);
    let daemon = world.daemon().await;
    let view = daemon.until(NAME, |view| state(view) == "stuck").await;
    assert_eq!(
        (&view["error"]["kind"], &view["error"]["who"]),
        (&"access".into(), &"credentials".into())
    );
    assert!(view["error"]["fix"].is_string());
    let (status, body) = daemon.ask("GET", "/readyz", "").await;
    assert!(status == 503 && body.contains(NAME), "{status} {body}");
    assert_eq!(daemon.ask("GET", "/healthz", "").await.0, 200);
    assert_eq!(
        daemon.metric("tributary_sync_failures_total", NAME).await,
        1.0
    );
    world.program.write("tributary.yaml", &right);
    daemon.until(NAME, succeeded).await;
    assert_eq!(daemon.ask("GET", "/readyz", "").await.0, 200);
    assert!(!daemon.running.stderr().contains("wrong\""));
    daemon.stop().await;
}

#[tokio::test]
async fn whoever_has_the_token_may_run_pause_resume_and_reset() {
    let world = shop("schedule: manual").await;
    let daemon = world.daemon().await;
    daemon.until(NAME, |view| state(view) == "manual").await;
    for headers in ["", "authorization: Bearer wrong\r\n"] {
        let refused = daemon.ask_with("POST", &path("sync"), headers, "").await;
        assert_eq!(refused.0, 401, "{}", refused.1);
    }
    daemon
        .post(&path("sync"), r#"{"streams": ["shop.products"]}"#)
        .await;
    let view = daemon.until(NAME, succeeded).await;
    assert_eq!(view["last_run"]["records_written"], 60);
    daemon.post(&path("reset"), "").await;
    daemon.post(&path("sync"), "").await;
    let whole = |view: &Value| view["last_run"]["records_written"].as_u64() > Some(500);
    daemon
        .until(NAME, |view| succeeded(view) && whole(view))
        .await;
    daemon.post(&path("pause"), "").await;
    assert_eq!(daemon.ask("POST", &path("sync"), "").await.0, 409);
    daemon.stop().await;
    // A pause outlives the daemon.
    let daemon = world.daemon().await;
    daemon.until(NAME, |view| state(view) == "paused").await;
    daemon.post(&path("resume"), "").await;
    let loads = daemon.get(&path("loads")).await;
    assert!(!loads["loads"].as_array().unwrap().is_empty());
    daemon.stop().await;
    world.assert_equal(&TABLES).await;
}

#[tokio::test]
async fn a_second_daemon_stands_by_and_takes_over() {
    let postgres = Postgres::start();
    let world = shop("schedule: 1s").await;
    let setup = Setup {
        connection: "schedule: 1s",
        ..Setup::default()
    };
    let yaml = world.daemon_yaml_with(setup, &postgres.url());
    world.program.write("tributary.yaml", &yaml);
    let first = world.daemon().await;
    first.until(NAME, succeeded).await;
    let port = Port::take();
    let mut second = world.daemon_at(port.number, &[]).await;
    second.running.logged("standing by").await;
    let (status, body) = second.ask("GET", "/readyz", "").await;
    assert!(
        status == 503 && body.contains("stands by"),
        "{status} {body}"
    );
    assert!(
        second.get("/api/v1/connections").await["connections"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    first.running.kill().await;
    let killed = Instant::now();
    second.running.logged("started").await;
    assert!(killed.elapsed() < Duration::from_secs(30));
    second.until(NAME, succeeded).await;
    let log = second.stop().await;
    assert!(!log.stderr.contains("sesame"), "{log}");
    world.assert_equal(&TABLES).await;
}

#[tokio::test]
async fn nobody_beyond_this_machine_is_let_in_without_a_token() {
    let world = World::with(Flavor::MariaDb, "CREATE DATABASE shop").await;
    let open = "daemon: {listen: \"0.0.0.0:0\"}\n";
    let yaml = world.yaml(Setup::default()) + open;
    world.program.write("tributary.yaml", &yaml);
    world.program.run(&["daemon"]).await.exits(2).says("token");
}
