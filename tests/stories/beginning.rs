//! The first day: from an address to rows in a warehouse, and what a second run does.

use std::collections::BTreeSet;

use serde_json::Value;
use tributary_testkit::server::{Flavor, Options};
use tributary_testkit::shop::{Shop, TABLES};

use crate::world::World;

#[tokio::test]
async fn init_validate_check_sync_query() {
    for flavor in Flavor::ALL {
        let world = World::shop(
            flavor,
            Options {
                gtid: true,
                ..Options::default()
            },
            Shop::SMALL,
        )
        .await;
        std::fs::remove_file(world.program.path("tributary.yaml")).unwrap();
        let address = format!("{}/shop", world.reader.url(world.server.port()));
        world
            .program
            .run(&["init", &address, "duckdb:warehouse.duckdb"])
            .await
            .exits(0);
        let yaml = std::fs::read_to_string(world.program.path("tributary.yaml")).unwrap();
        assert!(
            yaml.contains("${SHOP_PASSWORD}") && yaml.contains("shop.order_lines"),
            "{yaml}"
        );
        world.program.run(&["validate"]).await.exits(0);
        assert!(!world.file().exists(), "validating contacts nothing");
        world.program.run(&["check"]).await.exits(0).says("PASS");
        world
            .program
            .run(&["sync"])
            .await
            .exits(0)
            .says("succeeded");
        world.assert_equal(&TABLES).await;
        let sql = "SELECT count(*) AS n FROM shop.customers";
        world
            .program
            .run(&["query", "warehouse", sql])
            .await
            .exits(0)
            .says("300");
        let query = ["query", "warehouse", sql, "--output", "json"];
        let answer = world.program.run(&query).await.exits(0).json();
        assert_eq!(answer.to_string().matches("300").count(), 1, "{answer}");
        world
            .program
            .run(&["status"])
            .await
            .exits(0)
            .says("shop.orders");
        // What exists is not written over.
        world
            .program
            .run(&["init", &address, "duckdb:other.duckdb"])
            .await
            .exits(2);
        assert_eq!(
            std::fs::read_to_string(world.program.path("tributary.yaml")).unwrap(),
            yaml
        );
    }
}

#[tokio::test]
async fn a_sync_reads_what_is_new_and_nothing_else() {
    for flavor in Flavor::ALL {
        let world = World::shop(flavor, Options::default(), Shop::SMALL).await;
        world.sync().await;
        world.assert_equal(&TABLES).await;
        let loads = world.loads();
        let place = "SELECT string_agg(CAST(\"cursor\" AS VARCHAR), ';' ORDER BY stream) \
            FROM _tributary.state";
        let cursors = world.ask(place);
        for _ in 0..2 {
            let report = world
                .program
                .run(&["sync", "-o", "json"])
                .await
                .exits(0)
                .json();
            assert_eq!(report["connections"][0]["loads"], 0, "{report:#}");
        }
        assert_eq!(
            (world.loads(), world.ask(place)),
            (loads, cursors),
            "nothing was new"
        );

        world
            .server
            .execute(
                "SET time_zone = '+00:00';
            INSERT INTO shop.customers (name, created_at) VALUES ('Newby', '2024-05-01 10:00:00');
            UPDATE shop.orders SET status = 'returned' WHERE id <= 10;
            UPDATE shop.products SET sku = 'SKU-new' WHERE sku = 'SKU-00001';
            DELETE FROM shop.order_lines WHERE order_id = 3",
            )
            .await;
        let report = world
            .program
            .run(&["sync", "-o", "json"])
            .await
            .exits(0)
            .json();
        let read = report["connections"][0]["streams"]
            .as_array()
            .unwrap()
            .iter();
        let read: u64 = read
            .map(|stream| stream["records_read"].as_u64().unwrap())
            .sum();
        assert!((4..50).contains(&read), "only changes are read: {report:#}");
        world.assert_equal(&TABLES).await;
        let kept =
            "SELECT count(*) FROM shop.order_lines WHERE order_id = 3 AND _tributary_deleted";
        assert!(world.number(kept) > 0, "a deleted row stays, marked");
    }
}

/// The document that programs read has the shape that is promised.
#[tokio::test]
async fn the_report_has_its_promised_shape() {
    let world = World::shop(Flavor::MariaDb, Options::default(), Shop::SMALL).await;
    let report = world
        .program
        .run(&["sync", "--output", "json"])
        .await
        .exits(0)
        .json();
    let keys = |value: &Value| -> BTreeSet<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    let names =
        |names: &[&str]| -> BTreeSet<String> { names.iter().map(|n| (*n).to_owned()).collect() };
    assert_eq!(keys(&report), names(&["connections"]));
    let connection = &report["connections"][0];
    let promised = names(&[
        "connection",
        "status",
        "duration_seconds",
        "loads",
        "streams",
    ]);
    assert!(keys(connection).is_superset(&promised), "{connection:#}");
    assert_eq!(connection["connection"], "main");
    assert_eq!(connection["status"], "succeeded");
    assert!(connection["duration_seconds"].is_f64() && connection["loads"].is_u64());
    let orders = connection["streams"].as_array().unwrap().iter();
    let orders = orders
        .clone()
        .find(|stream| stream["stream"] == "shop.orders")
        .unwrap();
    assert_eq!(
        keys(orders),
        names(&[
            "stream",
            "table",
            "status",
            "phase",
            "records_read",
            "records_written",
            "records_rejected",
            "bytes_read",
            "error",
        ])
    );
    assert_eq!(orders["table"], "shop.orders");
    assert_eq!(
        (&orders["status"], &orders["phase"]),
        (&"succeeded".into(), &"streaming".into())
    );
    assert_eq!(
        (&orders["records_read"], &orders["records_written"]),
        (&500.into(), &500.into())
    );
    assert_eq!(
        (&orders["records_rejected"], &orders["error"]),
        (&0.into(), &Value::Null)
    );
    assert!(orders["bytes_read"].as_u64().unwrap() > 10_000);
}

/// Ctrl-C keeps what has committed; the next run does the rest.
#[tokio::test]
async fn an_interrupted_sync_is_resumed() {
    let world = World::shop(Flavor::MariaDb, Options::default(), Shop::SMALL).await;
    world.configure(crate::world::Setup {
        source: "databases: [shop], chunk_rows: 100",
        connection: "flush: {rows: 100}",
        ..Default::default()
    });
    let env = [("FAILPOINTS", "engine.after_commit=3*off->1*sleep(3000)")];
    let mut running = world
        .program
        .start_with(&env, &["sync", "--log-level", "debug"]);
    running.logged("committed").await;
    running.interrupt();
    running
        .wait()
        .await
        .exits(130)
        .says("what was committed stays");
    let committed = world.loads();
    assert!(committed > 0);
    world.sync().await;
    assert!(world.loads() > committed);
    world.assert_equal(&TABLES).await;
    let twice = "SELECT sum(rows_read) FROM _tributary.loads";
    let there = TABLES
        .map(|table| format!("(SELECT count(*) FROM {table})"))
        .join(" + ");
    assert_eq!(
        world.number(twice),
        world.number(&format!("SELECT {there}")),
        "no row was read twice"
    );
}
