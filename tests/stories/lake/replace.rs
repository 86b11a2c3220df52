//! `mode: replace` in a lake: the whole stream anew, swapped in at once, whatever its source is.

use std::path::Path;

use duckdb::Connection;
use serde_json::{Value, json};
use tributary_testkit::api::conformance::Runs;
use tributary_testkit::api::sheets::{Cell, Sheets};
use tributary_testkit::server::Flavor;

use crate::world::{Format, Lake, Setup, World};

/// The rows of all Parquet files below a folder, whatever made them.
fn sums(folder: &Path) -> (i64, i64) {
    let connection = Connection::open_in_memory().unwrap();
    let sql = format!(
        "SELECT count(*), sum(n) FROM read_parquet('{}/**/*.parquet', union_by_name = true)",
        folder.display()
    );
    let row = connection.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?)));
    row.unwrap()
}

/// A table of MySQL comes anew over several loads, and dies on the way: until it is whole, readers of all
/// files see what was there.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_comes_anew_and_is_swapped_in_at_once() {
    let sql = "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, n INT); \
        INSERT INTO shop.t SELECT seq, 1 FROM shop.numbers";
    let numbers = "CREATE DATABASE shop; CREATE TABLE shop.numbers AS \
        WITH RECURSIVE s(seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM s WHERE seq < 900) \
        SELECT seq FROM s;";
    let sql = sql.replace("CREATE DATABASE shop;", numbers);
    let world = World::with(Flavor::MariaDb, &sql).await;
    let lake = Lake::folder(Format::Parquet);
    let setup = Setup {
        source: "databases: [shop], chunk_rows: 100",
        connection: "flush: {rows: 100}, select: [shop.t], defaults: {mode: replace}",
        ..Setup::default()
    };
    world.configure_lake_in(&lake, setup, "partition_by: []");
    world.sync().await;
    let folder = world.lake().join("shop");
    assert_eq!(sums(&folder), (900, 900));
    world
        .server
        .execute("UPDATE shop.t SET n = 2; DELETE FROM shop.t WHERE id > 800")
        .await;
    // It dies once a part of the new rows has committed.
    let failpoint = "engine.before_begin=3*off->return(kill)";
    let running = world
        .program
        .start_with(&[("FAILPOINTS", failpoint)], &["sync"]);
    assert_eq!(running.wait().await.code(), None);
    assert_eq!(
        sums(&world.lake()),
        (900, 900),
        "readers see what was there"
    );
    let question = [
        "query",
        "warehouse",
        "SELECT sum(n) AS n FROM shop.t",
        "--output",
        "json",
    ];
    let answer = world.program.run(&question).await.exits(0).json();
    assert_eq!(answer["rows"], json!([[900]]), "{answer}");
    world.sync().await;
    assert_eq!(sums(&world.lake()), (800, 1600));
    let answer = world.program.run(&question).await.exits(0).json();
    assert_eq!(answer["rows"], json!([[1600]]), "{answer}");
    let next = world.lake().join("_tributary/next");
    let left = walk(&next);
    assert!(left.is_empty(), "{left:?}");
}

fn walk(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(walk(&path)),
            false => found.push(path.display().to_string()),
        }
    }
    found
}

/// A spreadsheet's tabs into a lake of either format.
#[tokio::test(flavor = "multi_thread")]
async fn tabs_of_a_sheet_are_replaced_in_a_lake() {
    for format in ["parquet", "iceberg"] {
        let now = tributary_testkit::api::clock::Clock::default().now();
        let mut sheets = Sheets::new(5);
        let id = sheets.create_book("Plans", now - 86_400);
        let row = |id: i64, name: &str| vec![Cell::from(id as f64), Cell::from(name)];
        let mut rows = vec![vec![Cell::from("id"), Cell::from("name")]];
        rows.extend([row(1, "ann"), row(2, "bob"), row(3, "cy")]);
        sheets.book(&id).add_sheet("orders", &rows, now - 86_400);
        let runs = Runs::new(env!("CARGO_BIN_EXE_tributary"), sheets)
            .connection(&json!({"defaults": {"mode": "replace"}}));
        into_a_lake(&runs, format);
        runs.sync().await;
        assert_eq!(
            names(&runs).await,
            json!([[1, "ann"], [2, "bob"], [3, "cy"]])
        );
        runs.simulator.with(|sheets, now| {
            let book = sheets.only_book();
            book.delete_row("orders", 1, now);
            book.append("orders", &row(4, "dan"), now);
        });
        runs.settle();
        runs.sync().await;
        assert_eq!(
            names(&runs).await,
            json!([[2, "bob"], [3, "cy"], [4, "dan"]]),
            "{format}"
        );
    }
}

/// Writes the configuration with a lake in the place of DuckDB.
fn into_a_lake(runs: &Runs<Sheets>, format: &str) {
    let path = runs.program.path("tributary.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let mut config: Value = serde_json::from_str(&text).unwrap();
    config["destinations"]["warehouse"] =
        json!({"type": "lake", "url": "./lake", "format": format});
    runs.program.write("tributary.yaml", &config.to_string());
}

async fn names(runs: &Runs<Sheets>) -> Value {
    let sql = "SELECT id, name FROM api.orders ORDER BY id";
    let answer = runs
        .run(&["query", "warehouse", sql, "--output", "json"])
        .await;
    answer.exits(0).json()["rows"].clone()
}
