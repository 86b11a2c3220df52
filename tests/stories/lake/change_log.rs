//! `merge: change_log`: the views that lie beside the data say what the rows are.

use std::fs;

use duckdb::Connection;
use serde_json::json;
use tributary_testkit::python;
use tributary_testkit::server::{Flavor, Options};
use tributary_testkit::shop::Shop;

use crate::world::{Format, Lake, Setup, World};

const MERGED: [&str; 3] = ["shop.customers", "shop.products", "shop.orders"];
const CHANGES: &str = "UPDATE shop.customers SET name = 'Zaphod' WHERE id <= 20; \
    DELETE FROM shop.customers WHERE id BETWEEN 15 AND 30; \
    DELETE FROM shop.products ORDER BY sku LIMIT 9; DELETE FROM shop.orders WHERE id % 5 = 0; \
    UPDATE shop.orders SET id = id + 1000000 WHERE id % 11 = 0";

/// Each statement as Athena's grammar has it: DDL in Hive's words, views in Trino's.
const PARSE: &str = r#"
import json, sys
import sqlglot
spec = json.load(sys.stdin)
kinds = []
for text in spec:
    for statement in sqlglot.parse(text, read="athena", error_level=sqlglot.ErrorLevel.RAISE):
        kinds.append(type(statement).__name__ + " " + str(statement.args.get("kind") or ""))
print(json.dumps(kinds))
"#;

async fn changed_shop(lake: &Lake) -> World {
    let world = World::shop(Flavor::MariaDb, Options::default(), Shop::SMALL).await;
    let setup = Setup {
        source: "databases: [shop]",
        connection: "streams: {shop.order_lines: {mode: append}, shop.orders: {deletes: hard}}",
        ..Setup::default()
    };
    let settings = "merge: change_log, tables: {shop.orders: {partition_by: [\"bucket(4, id)\"]}}";
    world.configure_lake_in(lake, setup, settings);
    world.sync().await;
    world.server.execute(CHANGES).await;
    world.sync().await;
    world
}

fn view_of(world: &World, table: &str, reader: &str) -> String {
    let name = table.replace('.', "/");
    let path = world
        .lake()
        .join(format!("_tributary/views/{name}.{reader}.sql"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_view_for_duckdb_is_the_source() {
    let world = changed_shop(&Lake::folder(Format::Parquet)).await;
    let connection = Connection::open(world.file()).unwrap();
    for table in MERGED {
        connection
            .execute_batch(&view_of(&world, table, "duckdb"))
            .unwrap_or_else(|error| panic!("{table}: {error}"));
    }
    drop(connection);
    for table in MERGED {
        world.assert_table(table, "through its view").await;
    }
    let changes = world.number(&format!(
        "SELECT count(*) FROM read_parquet('{}', union_by_name = true)",
        world.glob("shop.customers")
    ));
    assert!(changes > world.number("SELECT count(*) FROM shop.customers"));
    let sql = "SELECT count(*) AS n FROM shop.customers WHERE name = 'Zaphod'";
    let question = ["query", "warehouse", sql, "--output", "json"];
    let answer = world.program.run(&question).await.exits(0).json();
    assert_eq!(answer["rows"], json!([[20]]), "{answer}");
}

/// Nobody here runs Athena. Its grammar is checked by a parser, and what its views come to by
/// DuckDB, which reads the same words, over a table of the changes.
#[tokio::test(flavor = "multi_thread")]
async fn the_views_for_athena_come_to_the_source() {
    let lake = Lake::bucket(Format::Parquet);
    let world = changed_shop(&lake).await;
    world.read_lake_in(&lake, &[]);
    let texts = MERGED.map(|table| view_of(&world, table, "athena"));
    let kinds = python::run(PARSE, &json!(texts));
    let kinds: Vec<String> = serde_json::from_value(kinds).unwrap();
    let count = |kind: &str| kinds.iter().filter(|found| *found == kind).count();
    assert_eq!(
        (count("Create TABLE"), count("Create VIEW")),
        (3, 3),
        "{kinds:?}"
    );
    let connection = Connection::open(world.file()).unwrap();
    for (table, text) in MERGED.iter().zip(&texts) {
        let (_, view) = text.split_once("CREATE OR REPLACE VIEW").unwrap();
        let changes = format!(
            "CREATE SCHEMA IF NOT EXISTS shop; CREATE TABLE {table}__changes AS SELECT * FROM \
             read_parquet('{}', union_by_name = true, hive_partitioning = false);
             CREATE OR REPLACE VIEW {view}",
            world.glob(table)
        );
        connection
            .execute_batch(&changes)
            .unwrap_or_else(|error| panic!("{table}: {error}\n{text}"));
    }
    drop(connection);
    for table in MERGED {
        world.assert_table(table, "through Athena's view").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ways_to_merge_that_a_format_lacks_are_refused_before_anything_is_done() {
    let world = World::new(Flavor::MariaDb, Options::default()).await;
    for (format, merge, instead) in [
        (
            Format::Iceberg,
            "merge: change_log",
            "Write `merge: position_deletes`",
        ),
        (
            Format::Parquet,
            "merge: position_deletes",
            "Write `merge: change_log`",
        ),
        (
            Format::Parquet,
            "merge: equality_deletes",
            "Write `merge: change_log`",
        ),
        (
            Format::Iceberg,
            "tables: {shop.orders: {merge: change_log}}",
            "Write `merge: position_deletes`",
        ),
    ] {
        world.configure_lake_in(&Lake::folder(format), Setup::default(), merge);
        let finished = world.program.run(&["validate"]).await;
        finished.exits(2).says(instead).says("tributary.yaml:");
    }
}
