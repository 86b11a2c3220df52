//! Rows that do not fit: they wait in `_tributary.rejected`, the others go on, and the counts balance.

use std::fs;

use serde_json::Value;
use tributary_testkit::server::Flavor;

use crate::world::{Setup, World};

const TYPED: &str = "streams: {d.t: {columns: {v: {type: int32}}}}";

/// A table of texts, two of which are no numbers.
async fn world() -> World {
    let sql = "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY, v VARCHAR(20));
        INSERT INTO d.t VALUES (1, '7'), (2, 'seven'), (3, '9'), (4, 'four'), (5, 'five'), (6, '1.5')";
    let world = World::with(Flavor::MariaDb, sql).await;
    world.configure(Setup {
        connection: TYPED,
        ..Setup::default()
    });
    world
}

fn counts(report: &Value) -> [u64; 3] {
    let stream = &report["connections"][0]["streams"][0];
    ["records_read", "records_written", "records_rejected"]
        .map(|name| stream[name].as_u64().unwrap())
}

async fn sync(world: &World, args: &[&str]) -> [u64; 3] {
    let args = [&["sync", "--output", "json"], args].concat();
    counts(&world.program.run(&args).await.exits(0).json())
}

fn ids(world: &World, of: &str) -> Vec<String> {
    world.ask(of).into_iter().flatten().flatten().collect()
}

const WAITING: &str = "SELECT \"row\"->>'id' FROM _tributary.rejected ORDER BY 1";

#[tokio::test]
async fn rows_that_do_not_fit_wait_and_move_once_they_do() {
    let world = world().await;
    assert_eq!(sync(&world, &[]).await, [6, 2, 4]);
    let found = world.ask("SELECT \"table\", \"column\", value, reason FROM _tributary.rejected WHERE \"row\"->>'id' = '2'");
    let found: Vec<_> = found[0].iter().flatten().map(String::as_str).collect();
    assert_eq!(found[..3], ["d.t", "v", "seven"]);
    assert!(
        found[3].contains("does not fit the type int32"),
        "{found:?}"
    );
    // Nothing has changed: they stay, and the counts balance.
    assert_eq!(sync(&world, &["--retry-rejected"]).await, [4, 0, 4]);
    assert_eq!(ids(&world, WAITING), ["2", "4", "5", "6"]);
    // A newer version of one, and a delete of another, make the rows that wait old.
    let newer = "UPDATE d.t SET v = '44' WHERE id = 4; DELETE FROM d.t WHERE id = 5;
        UPDATE d.t SET v = 'sechs' WHERE id = 6; UPDATE d.t SET v = 'six' WHERE id = 6";
    world.server.execute(newer).await;
    sync(&world, &[]).await;
    assert_eq!(ids(&world, WAITING), ["2", "6"]);
    assert_eq!(
        ids(&world, "SELECT value FROM _tributary.rejected ORDER BY 1"),
        ["seven", "six"]
    );
    // As text they fit, beside the numbers that are there.
    world.configure(Setup::default());
    assert_eq!(sync(&world, &["--retry-rejected"]).await, [2, 2, 0]);
    assert_eq!(ids(&world, WAITING), Vec::<String>::new());
    let rows =
        "SELECT concat_ws(' ', id, v, v__v_text) FROM d.t WHERE NOT _tributary_deleted ORDER BY id";
    assert_eq!(
        ids(&world, rows),
        ["1 7", "2 seven", "3 9", "4 44", "6 six"]
    );
    let loads = world.loads();
    assert_eq!(sync(&world, &["--retry-rejected"]).await, [0, 0, 0]);
    assert_eq!(world.loads(), loads, "nothing waits, nothing is written");
    let unbalanced =
        "SELECT count(*) FROM _tributary.loads WHERE rows_read <> rows_written + rows_rejected";
    assert_eq!(world.number(unbalanced), 0);
    // Copied anew, nothing is left of what was rejected before.
    world.configure(Setup {
        connection: TYPED,
        ..Setup::default()
    });
    // Also beside a table that begins the load.
    let first = "CREATE TABLE d.a (id INT PRIMARY KEY); INSERT INTO d.a VALUES (1)";
    world.server.execute(first).await;
    world.sync().await;
    for _ in 0..2 {
        let run = world.program.run(&["sync", "--full-refresh"]).await;
        run.exits(0);
        assert_eq!(ids(&world, WAITING), ["2", "6"]);
    }
}

/// Of rows without a key as many wait as were rejected, less those that are deleted.
#[tokio::test]
async fn equal_rows_without_a_key_wait_one_by_one() {
    let sql = "CREATE DATABASE d; CREATE TABLE d.t (v VARCHAR(20));
        INSERT INTO d.t VALUES ('7'), ('seven'), ('seven'), ('seven')";
    let world = World::with(Flavor::MariaDb, sql).await;
    world.configure(Setup {
        connection: TYPED,
        ..Setup::default()
    });
    let waiting = || world.number("SELECT count(*) FROM _tributary.rejected");
    assert_eq!(sync(&world, &[]).await, [4, 1, 3]);
    assert_eq!(waiting(), 3);
    let delete = "DELETE FROM d.t WHERE v = 'seven' LIMIT 1";
    world.server.execute(delete).await;
    sync(&world, &[]).await;
    assert_eq!(waiting(), 2);
    // As text they fit: one comes, and is told from those that wait.
    world.configure(Setup::default());
    let insert = "INSERT INTO d.t VALUES ('seven')";
    for change in [insert, delete, insert] {
        world.server.execute(change).await;
        sync(&world, &[]).await;
        assert_eq!(waiting(), 2, "{change}");
    }
    assert_eq!(sync(&world, &["--retry-rejected"]).await, [2, 2, 0]);
    assert_eq!(waiting(), 0);
    let rows =
        "SELECT concat_ws(' ', v, v__v_text) FROM d.t WHERE NOT _tributary_deleted ORDER BY 1";
    assert_eq!(ids(&world, rows), ["7", "seven", "seven", "seven"]);
}

#[tokio::test]
async fn a_stream_that_rejects_too_much_stops_alone() {
    let world = world().await;
    let more = "CREATE TABLE d.fine (id INT PRIMARY KEY); INSERT INTO d.fine VALUES (1), (2)";
    world.server.execute(more).await;
    for limit in ["3", "0", "1%"] {
        let _ = fs::remove_file(world.file()); // each begins anew
        world.configure(Setup {
            connection: &format!(
                "streams: {{d.t: {{max_rejected: {limit}, columns: {{v: {{type: int32}}}}}}}}"
            ),
            ..Setup::default()
        });
        let run = world.program.run(&["sync"]).await;
        match limit {
            // A share says nothing of six rows.
            "1%" => drop(run.exits(0)),
            limit => {
                let run = run.exits(3);
                run.says(&format!(
                    "4 of 6 rows of d.t were rejected, which is more than `max_rejected: {limit}` allows"
                ));
            }
        }
        assert_eq!(world.number("SELECT count(*) FROM d.fine"), 2);
        assert_eq!(
            ids(&world, WAITING),
            ["2", "4", "5", "6"],
            "to be looked at"
        );
    }
}

#[tokio::test]
async fn a_retry_that_is_killed_has_changed_nothing_or_everything() {
    let world = world().await;
    sync(&world, &[]).await;
    world.configure(Setup::default());
    for step in ["load.after_begin", "load.after_stage", "load.before_commit"] {
        let kill = format!("{step}=return(kill)");
        let run = world
            .program
            .start_with(&[("FAILPOINTS", &kill)], &["sync", "--retry-rejected"])
            .wait()
            .await;
        assert_eq!(run.code(), None, "{step}: {run}");
        assert_eq!(ids(&world, WAITING), ["2", "4", "5", "6"], "{step}");
    }
    let kill = [("FAILPOINTS", "load.after_commit=return(kill)")];
    let run = world
        .program
        .start_with(&kill, &["sync", "--retry-rejected"]);
    assert_eq!(run.wait().await.code(), None);
    assert_eq!(sync(&world, &["--retry-rejected"]).await, [0, 0, 0]);
    assert_eq!(ids(&world, WAITING), Vec::<String>::new());
    let rows = "SELECT concat_ws(' ', id, count(*)) FROM d.t GROUP BY id ORDER BY id";
    assert_eq!(
        ids(&world, rows),
        ["1 1", "2 1", "3 1", "4 1", "5 1", "6 1"]
    );
}

#[tokio::test]
async fn a_stream_that_always_had_rows_is_missed() {
    let world = world().await;
    world.configure(Setup::default());
    for run in 0..3 {
        let insert = format!("INSERT INTO d.t VALUES ({}, 'x')", 100 + run);
        world.server.execute(&insert).await;
        let report = world.program.run(&["sync", "--output", "json"]).await;
        let stream = &report.exits(0).json()["connections"][0]["streams"][0];
        assert_eq!(stream.get("warnings"), None);
    }
    let report = world
        .program
        .run(&["sync", "--output", "json"])
        .await
        .exits(0);
    let stream = &report.json()["connections"][0]["streams"][0];
    let warning = stream["warnings"][0].as_str().unwrap();
    assert!(
        warning.starts_with("no rows came, though each of the last 3 runs"),
        "{warning}"
    );
    let text = world.program.run(&["sync"]).await.exits(0);
    text.says("warning: d.t: no rows came");
    // All of it again, and it is empty.
    world.server.execute("DELETE FROM d.t").await;
    let text = world
        .program
        .run(&["sync", "--full-refresh"])
        .await
        .exits(0);
    text.says("was read from the beginning and no rows came");
}
