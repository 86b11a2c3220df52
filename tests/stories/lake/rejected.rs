//! Rows that did not fit wait in the lake, and move into their table once they do.

use serde_json::Value;
use tributary_testkit::server::Flavor;

use crate::world::{Setup, World};

const TABLES: &str = "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY, v VARCHAR(20));
    INSERT INTO d.t VALUES (1, '7'), (2, 'seven'), (3, '9'), (4, 'four'), (5, 'five'), (6, '1.5');
    CREATE TABLE d.log (id INT PRIMARY KEY, v VARCHAR(20)); INSERT INTO d.log VALUES (1, 'x'), (2, '2')";
const TYPED: &str = "streams: {d.t: {columns: {v: {type: int32}}}, \
    d.log: {mode: append, columns: {v: {type: int32}}}}";
const TEXT: &str = "streams: {d.log: {mode: append}}";
const WAITING: &str =
    "SELECT concat(stream, ' ', \"row\"->>'id') FROM _tributary.rejected ORDER BY 1";
const ROWS: &str =
    "SELECT concat_ws(' ', id, v, v__v_text) FROM d.t WHERE NOT _tributary_deleted ORDER BY id";

/// Rows read, written and rejected, of all streams.
async fn sync(world: &World, args: &[&str]) -> [u64; 3] {
    let args = [&["sync", "--output", "json"], args].concat();
    let report = world.program.run(&args).await.exits(0).json();
    let streams = report["connections"][0]["streams"].as_array().unwrap();
    ["records_read", "records_written", "records_rejected"].map(|name| {
        let of = |stream: &Value| stream[name].as_u64().unwrap();
        streams.iter().map(of).sum()
    })
}

async fn ask(world: &World, sql: &str) -> Vec<String> {
    let answer = world
        .program
        .run(&["query", "warehouse", sql, "--output", "json"])
        .await;
    let answer = answer.exits(0).json();
    let rows = answer["rows"].as_array().unwrap();
    let first = |row: &Value| row[0].as_str().unwrap_or_default().to_owned();
    rows.iter().map(first).collect()
}

fn configure(world: &World, connection: &str) {
    let setup = Setup {
        connection,
        ..Setup::default()
    };
    world.configure_lake(setup, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_rows_of_a_lake_move_once_they_fit() {
    let world = World::with(Flavor::MariaDb, TABLES).await;
    configure(&world, TYPED);
    assert_eq!(sync(&world, &[]).await, [8, 3, 5]);
    let all = ["d.log 1", "d.t 2", "d.t 4", "d.t 5", "d.t 6"];
    assert_eq!(ask(&world, WAITING).await, all);
    assert_eq!(sync(&world, &["--retry-rejected"]).await, [5, 0, 5]);
    assert_eq!(ask(&world, WAITING).await, all);
    // A newer version of one, and a delete of another, make the rows that wait old; but in `append`.
    world
        .server
        .execute(
            "UPDATE d.t SET v = '44' WHERE id = 4; DELETE FROM d.t WHERE id = 5; \
             UPDATE d.t SET v = 'sechs' WHERE id = 6; UPDATE d.t SET v = 'six' WHERE id = 6; \
             UPDATE d.log SET v = '3' WHERE id = 1",
        )
        .await;
    sync(&world, &[]).await;
    let left = ["d.log 1", "d.t 2", "d.t 6"];
    assert_eq!(ask(&world, WAITING).await, left);
    configure(&world, TEXT);
    for step in ["load.after_begin", "load.after_stage", "load.before_commit"] {
        let kill = format!("{step}=return(kill)");
        let env = [("FAILPOINTS", kill.as_str())];
        let run = world
            .program
            .start_with(&env, &["sync", "--retry-rejected"]);
        assert_eq!(run.wait().await.code(), None, "{step}");
        assert_eq!(ask(&world, WAITING).await, left, "{step}");
    }
    // Once its entry is in the log the load has happened, whoever does the rest.
    let env = [("FAILPOINTS", "lake.after_log=return(kill)")];
    let run = world
        .program
        .start_with(&env, &["sync", "--retry-rejected"]);
    assert_eq!(run.wait().await.code(), None);
    assert_eq!(sync(&world, &["--retry-rejected"]).await, [0, 0, 0]);
    assert_eq!(ask(&world, WAITING).await, [""; 0]);
    assert_eq!(
        ask(&world, ROWS).await,
        ["1 7", "2 seven", "3 9", "4 44", "6 six"]
    );
    let log = "SELECT concat_ws(' ', id, v, v__v_text) FROM d.log ORDER BY 1";
    assert_eq!(ask(&world, log).await, ["1 3", "1 x", "2 2"]);
    // Read anew beside the table, what is rejected now waits, and nothing from before; emptied, nothing.
    world
        .server
        .execute("UPDATE d.t SET v = 'no' WHERE id < 3")
        .await;
    configure(&world, TYPED);
    sync(&world, &["main:d.t", "--full-refresh"]).await;
    assert_eq!(ask(&world, WAITING).await, ["d.t 1", "d.t 2", "d.t 6"]);
    world.server.execute("TRUNCATE d.t").await;
    sync(&world, &[]).await;
    assert_eq!(ask(&world, WAITING).await, [""; 0]);
}
