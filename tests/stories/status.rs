//! What can be seen of a connection without asking its source.

use serde_json::Value;
use tributary_testkit::server::{Flavor, Options};
use tributary_testkit::shop::Shop;

use crate::world::{Setup, World};

fn stream<'d>(document: &'d Value, name: &str) -> &'d Value {
    let streams = document["connections"][0]["streams"].as_array().unwrap();
    let found = streams.iter().find(|stream| stream["stream"] == name);
    found.unwrap_or_else(|| panic!("{name} is not in {document:#}"))
}

async fn status(world: &World) -> Value {
    let args = ["status", "--output", "json"];
    world.program.run(&args).await.exits(0).json()
}

#[tokio::test]
async fn status_tells_how_far_each_stream_has_come() {
    let options = Options {
        gtid: true,
        ..Options::default()
    };
    let world = World::shop(Flavor::MariaDb, options, Shop::SMALL).await;
    world.configure(Setup {
        connection: "schedule: 5m, select: [shop.orders, shop.customers]",
        ..Setup::default()
    });
    let before = status(&world).await;
    let connection = &before["connections"][0];
    assert_eq!(connection["state"], "never_synced", "{before:#}");
    assert_eq!(connection["schedule"], "5m");
    assert_eq!(stream(&before, "shop.orders")["state"], "never_synced");
    assert!(!world.file().exists(), "looking makes nothing");

    world.sync().await;
    let after = status(&world).await;
    let connection = &after["connections"][0];
    let orders = stream(&after, "shop.orders");
    for place in [connection, orders] {
        assert_eq!(place["state"], "synced", "{after:#}");
        let lag = place["lag_seconds"].as_f64().unwrap();
        assert!(lag >= 0.0, "{after:#}");
        assert!(place["last_run"].as_str().unwrap().ends_with('Z'));
        assert!(place["cursor"].is_object() && place["position"].is_string());
    }
    assert_eq!(
        (&orders["phase"], &orders["rows"]),
        (&"streaming".into(), &500.into())
    );
    assert!(
        orders["cursor"]["columns"]["status"].is_string(),
        "the whole cursor"
    );
    let text = world.program.run(&["status"]).await.exits(0);
    let text = text
        .says("shop.orders")
        .says("streaming")
        .says("(GTID 0-1-");
    assert!(
        !text.stdout.contains('{'),
        "cursors are told in words: {text}"
    );

    stopped_streams_are_told(&world).await;
    let reset = ["state", "reset", "main", "--output", "json"];
    let reset = world.program.run(&reset).await.exits(0).json();
    assert_eq!(reset["reset"], "main");
    let orders = stream(&status(&world).await, "shop.orders").clone();
    assert_eq!(orders["state"], "reset");
}

/// A stream that stopped says so until it is read anew.
async fn stopped_streams_are_told(world: &World) {
    let unlogged = "SET SESSION binlog_format = 'STATEMENT'; UPDATE shop.orders SET total = 1";
    world.server.execute(unlogged).await;
    world.program.run(&["sync"]).await.exits(3);
    let stopped = status(world).await;
    let orders = stream(&stopped, "shop.orders");
    assert_eq!(orders["state"], "stopped", "{stopped:#}");
    assert_eq!(orders["lag_seconds"], Value::Null);
    assert!(orders["error"].as_str().unwrap().contains("statement"));
    assert_eq!(stream(&stopped, "shop.customers")["state"], "synced");
    let told = world.program.run(&["status"]).await.exits(0);
    told.says("stopped");
    world.sync().await;
    let orders = stream(&status(world).await, "shop.orders").clone();
    assert_eq!(orders["state"], "synced");
}

/// Whoever pipes an answer into a file wants all of it.
#[tokio::test]
async fn nothing_is_cut_where_a_program_reads() {
    let world = World::shop(Flavor::MariaDb, Options::default(), Shop::SMALL).await;
    world.sync().await;
    let sql = "SELECT repeat('x', 500) AS long, 1 AS one";
    let answer = world
        .program
        .run(&["query", "warehouse", sql])
        .await
        .exits(0);
    answer.says(&"x".repeat(500));
    let whole = world
        .program
        .run(&["state", "get", "main", "-o", "json"])
        .await;
    let whole = whole.exits(0).json();
    let listed = world
        .program
        .run(&["state", "list", "--output", "json"])
        .await;
    let listed = listed.exits(0).json();
    assert_eq!(listed["connections"][0]["state"], whole);
    let list = world.program.run(&["state", "list"]).await.exits(0);
    list.says("…").says("state get CONNECTION[:STREAM]");
    let broken = "SELECT 1\nFROM nowhere";
    let refused = world
        .program
        .run(&["query", "warehouse", broken])
        .await
        .exits(2);
    assert_eq!(refused.stderr.lines().count(), 1, "{refused}");
}
