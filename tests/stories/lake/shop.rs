//! A lake in a folder: files that any reader of Parquet understands.

use serde_json::json;
use tributary_testkit::compare;
use tributary_testkit::server::{Flavor, Options};
use tributary_testkit::shop::Shop;

use crate::world::{Setup, World};

const MERGED: [&str; 3] = ["shop.customers", "shop.products", "shop.orders"];
const ALL: [&str; 4] = [
    "shop.customers",
    "shop.products",
    "shop.orders",
    "shop.order_lines",
];

fn setup() -> Setup<'static> {
    Setup {
        source: "databases: [shop]",
        connection: "streams: {shop.order_lines: {mode: append}, shop.orders: {deletes: hard}}",
        ..Setup::default()
    }
}

async fn assert_equal(world: &World) {
    world.read_lake(&ALL);
    for table in MERGED {
        world
            .assert_table(table, "as a reader of all Parquet files sees it")
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_goes_into_a_folder_and_stays_as_the_source_is() {
    let world = World::shop(Flavor::MariaDb, Options::default(), Shop::SMALL).await;
    world.configure_lake(setup(), "");
    world.program.run(&["check"]).await.exits(0);
    assert!(!world.lake().exists(), "a check leaves nothing behind");
    world.sync().await;
    assert_equal(&world).await;
    let file = world.file();
    let outcome = compare::table(&world.server, "shop.order_lines", &file, "shop.order_lines");
    outcome
        .await
        .unwrap_or_else(|differences| panic!("{differences}"));

    // Nothing new: nothing is written.
    let before = world.loads();
    world.sync().await;
    world.read_lake(&[]);
    assert_eq!(
        world.loads(),
        before,
        "a sync with nothing new has loaded something"
    );

    let changes = "SET NAMES utf8mb4; UPDATE shop.customers SET name = 'Zaphod' WHERE id <= 20; \
        DELETE FROM shop.products ORDER BY sku LIMIT 9; DELETE FROM shop.orders WHERE id % 5 = 0; \
        UPDATE shop.orders SET id = id + 1000000 WHERE id % 11 = 0";
    world.server.execute(changes).await;
    world.sync().await;
    assert_equal(&world).await;

    let sql =
        "SELECT count(*) AS n, count(DISTINCT id) AS ids FROM shop.customers WHERE name = 'Zaphod'";
    let question = ["query", "warehouse", sql, "--output", "json"];
    let answer = world.program.run(&question).await.exits(0).json();
    assert_eq!(answer["rows"], json!([[20, 20]]), "{answer}");
    let sql =
        "SELECT count(*) >= 2 AND sum(rows_read) = sum(rows_written) AS fine FROM _tributary.loads";
    world
        .program
        .run(&["query", "warehouse", sql])
        .await
        .exits(0)
        .says("true");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_changes_its_layout_stays_readable() {
    let sql = "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, n INT, day DATE); \
        INSERT INTO shop.t VALUES (1, 10, '2026-11-20'), (2, NULL, '1969-12-31')";
    let world = World::with(Flavor::MySql, sql).await;
    let source = Setup {
        source: "databases: [shop]",
        ..Setup::default()
    };
    world.configure_lake(source, "partition_by: [\"month(day)\"]");
    world.sync().await;
    world.read_lake(&["shop.t"]);
    world.assert_table("shop.t", "at first").await;
    assert!(world.lake().join("shop/t/day_month=1969-12").is_dir());
    let sql = "ALTER TABLE shop.t ADD COLUMN note VARCHAR(20); \
        INSERT INTO shop.t VALUES (3, 30, NULL, 'new'); ALTER TABLE shop.t MODIFY n BIGINT; \
        INSERT INTO shop.t VALUES (4, 5000000000, '2026-11-21', 'wide')";
    world.server.execute(sql).await;
    world.sync().await;
    world.read_lake(&["shop.t"]);
    world.assert_table("shop.t", "with another layout").await;
    assert!(
        world
            .lake()
            .join("shop/t/day_month=__HIVE_DEFAULT_PARTITION__")
            .is_dir()
    );
}
