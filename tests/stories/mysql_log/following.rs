//! Readings without end: their cursors move on while nothing concerns them, they say how much of
//! the log is left, and new tables join them.

use tributary_testkit::server::{Flavor, Options};

use crate::world::{NAME, Setup, World};

#[tokio::test]
async fn an_idle_reading_moves_on_and_takes_new_tables_in() {
    tokio::join!(moves_on(Flavor::MariaDb), moves_on(Flavor::MySql));
}

async fn moves_on(flavor: Flavor) {
    let options = Options {
        gtid: true,
        extra: vec!["--binlog-expire-logs-seconds=604800".to_owned()],
    };
    let world = World::new(flavor, options).await;
    world
        .server
        .execute(
            "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY); INSERT INTO d.t VALUES (1);
             CREATE DATABASE other; CREATE TABLE other.t (id INT PRIMARY KEY)",
        )
        .await;
    world.configure_daemon(Setup {
        source: "databases: [d]",
        connection: "schedule: continuous, flush: {every: 100ms}",
        ..Setup::default()
    });
    let daemon = world.daemon().await;
    let view = daemon
        .until(NAME, |view| {
            view["streams"][0]["phase"] == "streaming" && view["position"].is_string()
        })
        .await;
    let before = view["position"].clone();
    // Nothing of it is selected.
    world
        .server
        .execute("INSERT INTO other.t VALUES (1); FLUSH BINARY LOGS")
        .await;
    daemon.until(NAME, |view| view["position"] != before).await;
    let stored = daemon
        .number("SELECT count(DISTINCT to_cursor) FROM _tributary.loads")
        .await;
    assert!(stored > 1, "{flavor:?}: the cursor that moved is stored");
    let view = daemon
        .until(NAME, |view| view["log"]["headroom_seconds"].is_number())
        .await;
    let headroom = view["log"]["headroom_bytes"].as_f64().unwrap();
    assert!(headroom > 0.0, "{flavor:?}: {view:#}");
    for metric in [
        "tributary_source_log_headroom_bytes",
        "tributary_source_log_headroom_seconds",
    ] {
        assert!(daemon.metric(metric, NAME).await > 0.0, "{metric}");
    }
    let status = world.program.run(&["status"]).await.exits(0);
    status.says("of the log to read");
    world
        .server
        .execute(
            "CREATE TABLE d.later (id INT PRIMARY KEY); INSERT INTO d.later VALUES (1), (2);
             INSERT INTO d.t VALUES (2)",
        )
        .await;
    daemon.until_number("SELECT count(*) FROM d.t", 2).await;
    daemon
        .until(NAME, |view| {
            let streams = view["streams"].as_array().unwrap();
            let joined = |stream: &serde_json::Value| {
                stream["stream"] == "d.later" && stream["phase"] == "streaming"
            };
            streams.iter().any(joined)
        })
        .await;
    // It streams, and its rows commit a moment later.
    let made =
        "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'd' AND table_name = 'later'";
    daemon.until_number(made, 1).await;
    daemon.until_number("SELECT count(*) FROM d.later", 2).await;
    daemon.stop().await;
    world.assert_equal(&["d.t", "d.later"]).await;
}
