//! The first day: from an address to rows in a warehouse, and what a second run does.

use std::collections::BTreeSet;

use serde_json::Value;
use tributary_testkit::program::Program;
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
        let modes = "merge | append";
        assert!(yaml.contains(modes), "it offers what works: {yaml}");
        world.program.run(&["validate"]).await.exits(0);
        assert!(!world.file().exists(), "validating contacts nothing");
        world.program.run(&["check"]).await.exits(0).says("PASS");
        let discover = ["discover", "shop", "--output", "json"];
        let found = world.program.run(&discover).await.exits(0).json();
        let lines = &found["streams"][1];
        assert_eq!(lines["stream"], "shop.order_lines", "{found:#}");
        assert_eq!(lines["key"], serde_json::json!(["order_id", "line_no"]));
        let first = serde_json::json!({"name": "order_id", "type": "uint64", "nullable": false});
        assert_eq!(lines["columns"][0], first);
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

/// An address on the command line is seen by everybody on the machine: it need not hold the
/// password.
#[tokio::test]
async fn init_takes_the_password_from_the_environment() {
    let world = World::shop(Flavor::MariaDb, Options::default(), Shop::SMALL).await;
    let (port, user) = (world.server.port(), &world.reader.name);
    let password = world.reader.password.as_str();
    let plain = format!("mysql://{user}@127.0.0.1:{port}/shop");
    let naming = format!("mysql://{user}:${{DB_PASSWORD}}@127.0.0.1:{port}/shop");
    let program = Program::new(env!("CARGO_BIN_EXE_tributary"));
    for (address, variable, written) in [
        (&plain, "SHOP_PASSWORD", "${SHOP_PASSWORD}"),
        (&plain, "TRIBUTARY_SOURCE_PASSWORD", "${SHOP_PASSWORD}"),
        (&naming, "DB_PASSWORD", "${DB_PASSWORD}"),
    ] {
        let file = format!("{variable}.yaml");
        let init = [
            "init",
            address.as_str(),
            "duckdb:w.duckdb",
            "--output",
            file.as_str(),
        ];
        let env = [(variable, password)];
        let running = program.start_with(&env, &init);
        running.wait().await.exits(0).says("4 streams");
        let yaml = std::fs::read_to_string(program.path(&file)).unwrap();
        assert!(yaml.contains(written) && !yaml.contains(password), "{yaml}");
    }
    let init = |address: &str| {
        [
            String::from("init"),
            address.to_owned(),
            "duckdb:w".to_owned(),
        ]
    };
    let run = async |address: &str| {
        let args = init(address);
        program.run(&args.each_ref().map(String::as_str)).await
    };
    let refused = run(&plain).await.exits(1);
    refused
        .says("export SHOP_PASSWORD=")
        .says("nothing was written");
    run(&naming).await.exits(2).says("DB_PASSWORD is not set");
    assert!(!program.path("tributary.yaml").exists());
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

/// Ctrl-C keeps what has committed, and is reported; the next run does the rest.
#[tokio::test]
async fn an_interrupted_sync_is_resumed() {
    let world = World::shop(Flavor::MariaDb, Options::default(), Shop::SMALL).await;
    world.configure(crate::world::Setup {
        source: "databases: [shop], chunk_rows: 100",
        connection: "flush: {rows: 100}",
        ..Default::default()
    });
    let env = [("FAILPOINTS", "engine.after_commit=3*off->1*sleep(3000)")];
    let args = ["sync", "--log-level", "debug", "--output", "json"];
    let mut running = world.program.start_with(&env, &args);
    running.logged("committed").await;
    running.interrupt();
    let stopped = running.wait().await.exits(130);
    let report = stopped.says("what was committed stays").json();
    let committed = world.loads();
    assert!(committed > 0);
    let connection = &report["connections"][0];
    assert_eq!(connection["status"], "interrupted", "{report:#}");
    assert_eq!(connection["loads"], committed, "{report:#}");
    let streams = connection["streams"].as_array().unwrap();
    assert_eq!(streams.len(), 4, "{report:#}");
    let written = streams.iter();
    let written = written.map(|stream| stream["records_written"].as_i64().unwrap());
    let loaded = world.number("SELECT sum(rows_written) FROM _tributary.loads");
    assert_eq!(written.sum::<i64>(), loaded, "{report:#}");
    assert!(
        streams
            .iter()
            .all(|stream| stream["status"] == "interrupted")
    );
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
