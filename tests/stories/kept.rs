//! What a table has besides a copy of the source, changes that were recorded and rows that are marked as
//! deleted, stays whenever a stream is read anew without anybody asking for it to go.

use serde_json::json;
use tributary_testkit::api::clock::{Clock, DAY};
use tributary_testkit::api::conformance::Runs;
use tributary_testkit::api::faults::{Fault, When};
use tributary_testkit::api::stripe::Stripe;
use tributary_testkit::server::Flavor;

use crate::world::{Setup, World, number};

fn rows(world: &World, sql: &str) -> Vec<String> {
    let word = |cell: Option<String>| cell.unwrap_or_else(|| "~".to_owned());
    let rows = world.ask(sql).into_iter();
    rows.map(|row| row.into_iter().map(word).collect::<Vec<_>>().join(" "))
        .collect()
}

fn tables(world: &World) -> Vec<String> {
    rows(
        world,
        "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'd' ORDER BY 1",
    )
}

/// Deletes of rows that were never loaded stand in the log, and may be told.
const CHANGES: &str = "SELECT _tributary_op, id, v FROM d.a \
    WHERE NOT (_tributary_op = 'd' AND id IN (1, 4)) ORDER BY _tributary_position, id";
const MARKED: &str = "SELECT id, v, _tributary_deleted FROM d.m ORDER BY id";

/// `a` keeps changes, `m` marks, `i` ignores deletes, `f` is stopped in its very first copy.
#[tokio::test]
async fn a_stream_that_was_stopped_goes_on_with_what_its_table_had() {
    let mut sql = "CREATE DATABASE d;".to_owned();
    for table in ["a", "m", "i", "f"] {
        sql += &format!(
            "CREATE TABLE d.{table} (id INT PRIMARY KEY, v VARCHAR(20));
             INSERT INTO d.{table} VALUES (1, '1'), (2, '2'), (3, '3');"
        );
    }
    let world = World::with(
        Flavor::MariaDb,
        &format!("{sql} INSERT INTO d.f VALUES (9, 'nine')"),
    )
    .await;
    let choice = |more: &str| {
        format!(
            "defaults: {{max_rejected: 0, columns: {{v: {{type: int32}}}}}}, {more} \
             streams: {{d.a: {{mode: append}}, d.f: {{mode: append}}, d.i: {{deletes: ignore}}}}"
        )
    };
    let configure = |more: &str| {
        world.configure(Setup {
            source: "databases: [d]",
            connection: &choice(more),
            ..Setup::default()
        });
    };
    configure("");
    world
        .program
        .run(&["sync"])
        .await
        .exits(3)
        .says("1 of 4 rows of d.f");
    for table in ["a", "m", "i"] {
        let change = format!(
            "UPDATE d.{table} SET v = '22' WHERE id = 2; DELETE FROM d.{table} WHERE id = 3"
        );
        world.server.execute(&change).await;
    }
    world.server.execute("DELETE FROM d.f WHERE id = 9").await;
    world.sync().await;
    // Nothing of a first copy that was not complete is there twice.
    let first = "SELECT id, v FROM d.f WHERE _tributary_op <> 'd' ORDER BY id";
    assert_eq!(rows(&world, first), ["1 1", "2 2", "3 3"]);
    for table in ["a", "m", "i"] {
        let bad = format!("INSERT INTO d.{table} VALUES (4, 'four')");
        world.server.execute(&bad).await;
    }
    let stopped = world.program.run(&["sync"]).await.exits(3);
    stopped
        .says("1 of 1 rows of d.a")
        .says("1 of 1 rows of d.m");
    for table in ["a", "m", "i"] {
        let good = format!("DELETE FROM d.{table} WHERE id IN (1, 4)");
        world.server.execute(&good).await;
    }
    world.sync().await;
    let expected = [
        "r 1 1", "r 2 2", "r 3 3", "u 2 22", "d 3 3", "t ~ ~", "r 2 22",
    ];
    assert_eq!(rows(&world, CHANGES), expected);
    assert_eq!(rows(&world, MARKED), ["1 1 true", "2 22 false", "3 3 true"]);
    let ignored = "SELECT id, v FROM d.i ORDER BY id";
    assert_eq!(rows(&world, ignored), ["1 1", "2 22", "3 3"]);
    assert_eq!(tables(&world), ["a", "f", "i", "m"], "nothing is left over");
    let loads = world.loads();
    world.sync().await;
    assert_eq!(world.loads(), loads, "nothing new writes nothing");
    // So it is for streams that were left out for a while.
    configure("select: [\"d.*\", \"!d.a\", \"!d.m\"],");
    let change =
        "UPDATE d.a SET v = '23'; UPDATE d.m SET v = '23'; INSERT INTO d.m VALUES (1, '1');
        UPDATE d.i SET v = '23' WHERE id = 2";
    world.server.execute(change).await;
    world.sync().await;
    configure("");
    world.sync().await;
    let later = [&expected[..], &["t ~ ~", "r 2 23"]].concat();
    assert_eq!(rows(&world, CHANGES), later);
    assert_eq!(
        rows(&world, MARKED),
        ["1 1 false", "2 23 false", "3 3 true"]
    );
    // It goes where it is asked to go.
    world
        .program
        .run(&["sync", "--full-refresh"])
        .await
        .exits(0);
    assert_eq!(rows(&world, CHANGES), ["r 2 23"]);
    assert_eq!(rows(&world, MARKED), ["1 1 false", "2 23 false"]);
    assert_eq!(rows(&world, ignored), ["2 23"]);
    assert_eq!(tables(&world), ["a", "f", "i", "m"]);
}

const MANY: &str = "CREATE DATABASE d; USE d; CREATE TABLE m (id INT PRIMARY KEY, v VARCHAR(9));
    INSERT INTO m SELECT seq, 'old' FROM seq_1_to_500";

/// Copies go in steps of a hundred rows.
fn slow(connection: &str) -> Setup<'_> {
    Setup {
        source: "databases: [d], chunk_rows: 100, parallelism: 1",
        connection,
        ..Setup::default()
    }
}

/// Runs `args` until a copy beside is half there.
async fn die_in_the_middle(world: &World, args: &[&str]) {
    let env = [("FAILPOINTS", "engine.after_commit=1*off->return(kill)")];
    let run = world.program.start_with(&env, args).wait().await;
    assert_eq!(run.code(), None, "{run}");
}

#[tokio::test]
async fn what_a_copy_beside_is_for_is_kept_over_a_kill() {
    let world = World::with(Flavor::MariaDb, MANY).await;
    let merge = slow("flush: {rows: 100}");
    world.configure(merge);
    world.sync().await;
    world.server.execute("DELETE FROM d.m WHERE id = 1").await;
    world.sync().await;
    // The mode is changed, and taken back while the table is built beside.
    world.configure(slow("flush: {rows: 100}, defaults: {mode: history}"));
    die_in_the_middle(&world, &["sync"]).await;
    assert_eq!(tables(&world), ["m", "m__tributary_next"]);
    world.server.execute("DELETE FROM d.m WHERE id = 2").await;
    world.configure(merge);
    die_in_the_middle(&world, &["sync"]).await;
    assert_eq!(tables(&world), ["m", "m__tributary_next"]);
    world.sync().await;
    world.assert_equal(&["d.m"]).await;
    let marked = "SELECT id, v FROM d.m WHERE _tributary_deleted ORDER BY id";
    assert_eq!(rows(&world, marked), ["1 old", "2 old"]);
    assert_eq!(tables(&world), ["m"]);
    // What was asked to go goes, although the run that was asked died.
    die_in_the_middle(&world, &["sync", "--full-refresh"]).await;
    assert_eq!(rows(&world, marked), ["1 old", "2 old"], "until then");
    world.sync().await;
    assert_eq!(rows(&world, marked), Vec::<String>::new());
    world.assert_equal(&["d.m"]).await;
    // The source loses the table while it is copied beside: what readers have stays whole.
    die_in_the_middle(&world, &["sync", "--full-refresh"]).await;
    world
        .server
        .execute("RENAME TABLE d.m TO d.away; CREATE TABLE d.n (id INT PRIMARY KEY)")
        .await;
    let choice = "select: [d.m, d.n], flush: {rows: 100}";
    world.configure(slow(choice));
    world
        .program
        .run(&["sync"])
        .await
        .exits(3)
        .says("has no stream d.m");
    assert_eq!(world.number("SELECT count(*) FROM d.m"), 498);
    world
        .server
        .execute("RENAME TABLE d.away TO d.m; DELETE FROM d.m WHERE id = 3")
        .await;
    world.sync().await;
    world.assert_equal(&["d.m"]).await;
    assert_eq!(tables(&world), ["m", "n"]);
}

#[tokio::test]
async fn a_copy_beside_is_of_one_table_only() {
    let world = World::with(Flavor::MariaDb, MANY).await;
    let options = |table: &str| {
        format!("flush: {{rows: 100}}, streams: {{d.m: {{mode: replace, table: d.{table}}}}}")
    };
    let (first, other) = (options("one"), options("two"));
    for choice in [&first, &other, &first] {
        world.configure(slow(choice));
        die_in_the_middle(&world, &["sync"]).await;
    }
    world.configure(slow(&other));
    world.sync().await;
    let count = "SELECT count(*), count(DISTINCT id) FROM d.two WHERE v = 'old'";
    assert_eq!(rows(&world, count), ["500 500"]);
}

#[tokio::test]
async fn a_copy_beside_that_had_begun_is_hidden_as_it_is_asked_now() {
    let world = World::with(Flavor::MariaDb, MANY).await;
    world.configure(slow("flush: {rows: 100}"));
    world.sync().await;
    let values = "SELECT DISTINCT CASE WHEN length(v) = 64 THEN 'hash' ELSE v END, count(*) \
        FROM d.m GROUP BY v ORDER BY 1";
    let hashed = |salt: &str| {
        format!("flush: {{rows: 100}}, salt: {salt}, streams: {{d.m: {{columns: {{v: hash}}}}}}")
    };
    for (choice, expected) in [
        (hashed("one"), "hash 500"),
        (hashed("other"), "hash 500"),
        ("flush: {rows: 100}".to_owned(), "old 500"),
    ] {
        die_in_the_middle(&world, &["sync", "--full-refresh"]).await;
        assert_eq!(tables(&world), ["m", "m__tributary_next"]);
        world.configure(slow(&choice));
        world.sync().await;
        assert_eq!(rows(&world, values), [expected], "{choice}");
        assert_eq!(tables(&world), ["m"]);
    }
}

#[tokio::test]
async fn a_table_that_was_left_for_another_keeps_what_it_had() {
    let mut sql = "CREATE DATABASE d;".to_owned();
    for table in ["a", "m"] {
        sql += &format!(
            "CREATE TABLE d.{table} (id INT PRIMARY KEY, v VARCHAR(20));
             INSERT INTO d.{table} VALUES (1, '1'), (2, '2');"
        );
    }
    let world = World::with(Flavor::MariaDb, &sql).await;
    let keep_in = |a: &str, m: &str| {
        let choice =
            format!("streams: {{d.a: {{mode: append, table: d.{a}}}, d.m: {{table: d.{m}}}}}");
        world.configure(Setup {
            source: "databases: [d]",
            connection: &choice,
            ..Setup::default()
        });
    };
    keep_in("a", "m");
    world.sync().await;
    let change = "UPDATE d.a SET v = '22' WHERE id = 2; DELETE FROM d.m WHERE id = 1";
    world.server.execute(change).await;
    world.sync().await;
    keep_in("other_a", "other_m");
    world.sync().await;
    keep_in("a", "m");
    world.sync().await;
    let expected = ["r 1 1", "r 2 2", "u 2 22", "t ~ ~", "r 1 1", "r 2 22"];
    assert_eq!(rows(&world, CHANGES), expected);
    assert_eq!(rows(&world, MARKED), ["1 1 true", "2 2 false"]);
    assert_eq!(tables(&world), ["a", "m", "other_a", "other_m"]);
}

/// An API takes the right to read a stream away while it is copied beside.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_refused_while_it_is_copied_beside_keeps_its_table() {
    let now = Clock::default().now();
    let mut stripe = Stripe::new(13, now - 300 * DAY);
    stripe.account.populate(120, now); // more than a page
    let runs = Runs::new(env!("CARGO_BIN_EXE_tributary"), stripe)
        .connection(&json!({"select": ["charges"], "flush": {"rows": 10}}));
    runs.sync().await;
    let all = runs.count("charges");
    let clock = runs.simulator.clock().failpoint();
    let kill = format!("{clock};engine.after_commit=return(kill)");
    let (env, refresh) = ([("FAILPOINTS", kill.as_str())], ["sync", "--full-refresh"]);
    let died = runs.program.start_with(&env, &refresh).wait().await;
    assert_eq!(died.code(), None, "{died}");
    let beside =
        "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'charges__tributary_next'";
    assert_eq!(number(&runs.file(), beside), 1, "it died too late");
    let forbidden = When::always().on("/v1/charges");
    runs.simulator.faults().add(forbidden, Fault::Status(403));
    let refused = runs.run(&["sync"]).await;
    assert_ne!(refused.code(), Some(0), "{refused}");
    assert_eq!(runs.count("charges"), all);
    runs.simulator.faults().clear();
    runs.sync().await;
    runs.assert_streams(&["charges"], "once it may be read again");
    assert_eq!(number(&runs.file(), beside), 0, "nothing is left over");
}
