//! Choosing what is read, and how it is kept.

use tributary_testkit::server::{Flavor, Options};
use tributary_testkit::shop::{Shop, TABLES};

use crate::world::{Setup, World};

async fn shop() -> World {
    World::shop(Flavor::MariaDb, Options::default(), Shop::SMALL).await
}

fn tables(world: &World) -> Vec<String> {
    let sql = "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'shop' ORDER BY 1";
    world
        .ask(sql)
        .into_iter()
        .map(|row| row[0].clone().unwrap())
        .collect()
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let world = shop().await;
    let dry = ["sync", "--dry-run", "--output", "json"];
    let plan = world.program.run(&dry).await.exits(0).json();
    assert_eq!(
        plan["connections"][0]["streams"].as_array().unwrap().len(),
        4,
        "{plan:#}"
    );
    assert!(!world.file().exists(), "a dry run makes no file");
    world.sync().await;
    let loads = world.loads();
    world
        .server
        .execute("DELETE FROM shop.orders WHERE id < 5")
        .await;
    let text = world.program.run(&["sync", "--dry-run"]).await.exits(0);
    text.says("shop.orders").says("where it stands");
    assert_eq!(world.loads(), loads);
}

#[tokio::test]
async fn only_selected_streams_are_read() {
    let world = shop().await;
    world.configure(Setup {
        connection: "select: [\"shop.*\", \"!shop.orders\"]",
        ..Setup::default()
    });
    world.sync().await;
    assert_eq!(tables(&world), ["customers", "order_lines", "products"]);
    // A stream that joins later is copied whole, with what happened before it joined.
    world
        .server
        .execute("UPDATE shop.orders SET total = 1 WHERE id < 50")
        .await;
    world.configure(Setup {
        connection: "select: [\"shop.*\"]",
        ..Setup::default()
    });
    world.sync().await;
    world.assert_equal(&TABLES).await;
}

#[tokio::test]
async fn a_pattern_on_the_command_line_selects_for_one_run() {
    let world = shop().await;
    world
        .program
        .run(&["sync", "--select", "shop.c*"])
        .await
        .exits(0);
    assert_eq!(tables(&world), ["customers"]);
    world
        .server
        .execute("UPDATE shop.customers SET credit = 7 WHERE id < 9")
        .await;
    world
        .program
        .run(&["sync", "main:shop.products"])
        .await
        .exits(0);
    assert_eq!(tables(&world), ["customers", "products"]);
    // What was copied before is followed all the same: the place in the log is one for all.
    world
        .assert_equal(&["shop.customers", "shop.products"])
        .await;
    world.sync().await;
    world.assert_equal(&TABLES).await;
    let wrong = world
        .program
        .run(&["sync", "--select", "shop.nothing"])
        .await
        .exits(2);
    wrong.says("selects no stream");
    world
        .program
        .run(&["sync", "mian"])
        .await
        .exits(2)
        .says("Did you mean `main`?");
}

/// As in the configuration that `init` writes.
#[tokio::test]
async fn streams_that_are_not_asked_for_are_not_missed() {
    let world = shop().await;
    world.configure(Setup {
        connection: "select: [shop.customers, shop.orders, shop.nothing]",
        ..Setup::default()
    });
    // What will not work is told before it is tried.
    let check = world.program.run(&["check"]).await.exits(1);
    check.says("stream shop.nothing").says("the source has no");
    let dry = world.program.run(&["sync", "--dry-run"]).await.exits(3);
    dry.says("can't be read");
    let one = ["sync", "main:shop.orders", "--output", "json"];
    let report = world.program.run(&one).await.exits(0).json();
    let streams = report["connections"][0]["streams"].as_array().unwrap();
    assert_eq!(streams.len(), 1, "{report:#}");
    let all = world.program.run(&["sync"]).await.exits(3);
    all.says("the source has no stream shop.nothing");
    assert_eq!(tables(&world), ["customers", "orders"]);
    world.assert_equal(&["shop.customers", "shop.orders"]).await;
}

#[tokio::test]
async fn a_stream_that_was_left_out_for_a_while_is_copied_again() {
    let world = shop().await;
    world.sync().await;
    world.configure(Setup {
        connection: "select: [\"shop.*\", \"!shop.orders\"]",
        ..Setup::default()
    });
    world
        .server
        .execute("DELETE FROM shop.orders WHERE id < 50")
        .await;
    world.sync().await;
    world.configure(Setup::default());
    world.sync().await;
    world.assert_equal(&TABLES).await;
}

#[tokio::test]
async fn a_full_refresh_reads_everything_anew() {
    let world = shop().await;
    world.sync().await;
    let file = world.file();
    let spoil = "UPDATE shop.orders SET total = -1; DELETE FROM shop.products;
        INSERT INTO shop.customers (id, name) VALUES (-1, 'nobody')";
    duckdb::Connection::open(&file)
        .unwrap()
        .execute_batch(spoil)
        .unwrap();
    world
        .program
        .run(&["sync", "main:shop.orders", "--full-refresh"])
        .await
        .exits(0);
    world.assert_equal(&["shop.orders"]).await;
    assert_eq!(
        world.number("SELECT count(*) FROM shop.products"),
        0,
        "only what was asked for"
    );
    world
        .program
        .run(&["sync", "--full-refresh"])
        .await
        .exits(0);
    world.assert_equal(&TABLES).await;
}

#[tokio::test]
async fn deletes_are_soft_hard_or_ignored() {
    let world = shop().await;
    world.configure(Setup {
        connection: "streams: {shop.orders: {deletes: hard}, shop.customers: {deletes: ignore}}",
        ..Setup::default()
    });
    world.sync().await;
    world.server.execute("DELETE FROM shop.orders WHERE id <= 10;
        DELETE FROM shop.customers WHERE id <= 10; DELETE FROM shop.order_lines WHERE order_id <= 10").await;
    world.sync().await;
    world
        .assert_equal(&["shop.orders", "shop.order_lines", "shop.products"])
        .await;
    assert_eq!(
        world.number("SELECT count(*) FROM shop.orders WHERE id <= 10"),
        0
    );
    assert_eq!(
        world.number("SELECT count(*) FROM shop.customers WHERE id <= 10"),
        10
    );
    let marked = "SELECT count(DISTINCT order_id) FROM shop.order_lines \
        WHERE _tributary_deleted AND quantity > 0";
    assert_eq!(world.number(marked), 10, "the last values are kept");
    // A key that comes back is a row again.
    world
        .server
        .execute("INSERT INTO shop.order_lines VALUES (1, 1, 'SKU-00002', 7, 1.5, NULL)")
        .await;
    world.sync().await;
    world.assert_equal(&["shop.order_lines"]).await;
}

#[tokio::test]
async fn append_keeps_every_change_as_a_row() {
    let sql = "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY, v VARCHAR(9));
        INSERT INTO d.t VALUES (1, 'a'), (2, 'b')";
    for flavor in Flavor::ALL {
        let world = World::with(flavor, sql).await;
        world.configure(Setup {
            connection: "defaults: {mode: append}",
            ..Setup::default()
        });
        world.sync().await;
        world
            .server
            .execute(
                "UPDATE d.t SET v = 'c' WHERE id = 1; DELETE FROM d.t WHERE id = 2;
            INSERT INTO d.t VALUES (3, NULL); UPDATE d.t SET id = 4 WHERE id = 3; TRUNCATE d.t",
            )
            .await;
        world.sync().await;
        let found: Vec<_> = world
            .ask("SELECT _tributary_op, id, v FROM d.t ORDER BY _tributary_position, id")
            .into_iter()
            .map(|row| {
                row.into_iter()
                    .map(|cell| cell.unwrap_or("~".into()))
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .collect();
        let expected = [
            "r 1 a", "r 2 b", "u 1 c", "d 2 b", "c 3 ~", "d 3 ~", "c 4 ~", "t ~ ~",
        ];
        assert_eq!(found, expected, "{flavor:?}");
    }
}

#[tokio::test]
async fn a_table_without_a_key_is_kept_as_it_is() {
    let sql = "CREATE DATABASE d; CREATE TABLE d.t (a INT, b VARCHAR(20));
        INSERT INTO d.t VALUES (1, 'x'), (2, NULL), (3, 'z')";
    for (flavor, gtid) in [(Flavor::MariaDb, true), (Flavor::MySql, true)] {
        let world = World::new(
            flavor,
            Options {
                gtid,
                ..Options::default()
            },
        )
        .await;
        world.server.execute(sql).await;
        world.sync().await;
        world.assert_equal(&["d.t"]).await;
        world
            .server
            .execute(
                "INSERT INTO d.t VALUES (4, 'new'); UPDATE d.t SET b = 'y' WHERE a = 2;
            DELETE FROM d.t WHERE a = 1",
            )
            .await;
        world.sync().await;
        world.assert_equal(&["d.t"]).await;
        let ids = "SELECT count(DISTINCT _tributary_id) - count(*) FROM d.t";
        assert_eq!(world.number(ids), 0);
    }
}

/// Hashes stay comparable from sync to sync, whether or not someone has given a salt.
#[tokio::test]
async fn a_salt_is_made_where_none_is_given() {
    let world = shop().await;
    let hashing = "select: [shop.customers], streams: {shop.customers: {columns: {email: hash}}}";
    world.configure(Setup {
        connection: hashing,
        ..Setup::default()
    });
    let first = world.sync().await;
    first.says("made a secret salt");
    let hash = "SELECT email FROM shop.customers WHERE id = 1";
    let before = world.ask(hash);
    assert_eq!(before[0][0].as_deref().map(str::len), Some(64));
    world
        .server
        .execute("UPDATE shop.customers SET name = 'X' WHERE id = 1")
        .await;
    world.sync().await;
    assert_eq!(world.ask(hash), before);
    world.configure(Setup {
        connection: &format!("{hashing}, salt: another"),
        ..Setup::default()
    });
    world
        .server
        .execute("UPDATE shop.customers SET name = 'Y' WHERE id = 1")
        .await;
    world.sync().await;
    assert_ne!(world.ask(hash), before);
}
