//! SIGKILL at random moments and at every named step of a load into a lake, while the source is
//! written to: then the files are the source, row by row, and no row came twice.

use std::time::Duration;

use duckdb::Connection;
use tributary_testkit::compare;
use tributary_testkit::random::Random;
use tributary_testkit::server::{Flavor, Options};
use tributary_testkit::shop::{Shop, Writer};

use super::memory::{assert_modest, peak};
use crate::world::{Setup, World};

/// Each step at which the program can be told to die; those behind `load.before_commit` leave a
/// commit that the next run has to finish.
const STEPS: [&str; 10] = [
    "load.after_begin",
    "load.after_stage",
    "load.before_merge",
    "engine.before_commit",
    "load.before_commit",
    "lake.after_log",
    "lake.after_complete",
    "load.after_commit",
    "engine.after_commit",
    "engine.before_begin",
];
/// How many times a step is passed before the program dies at it.
const PASSED: [u32; 2] = [0, 2];
const KILLS: usize = 24;
const TABLES: [&str; 4] = [
    "shop.customers",
    "shop.products",
    "shop.orders",
    "shop.order_lines",
];
const STREAMS: &str = "streams: {shop.products: {deletes: hard}, shop.orders: {deletes: hard}, \
    shop.order_lines: {mode: append}}";

/// One run that dies: at a step in every other turn, else after a while. True where it did.
async fn run(world: &World, turn: usize, random: &mut Random) -> bool {
    let finished = if turn % 2 == 1 {
        let running = world.program.start(&["sync"]);
        tokio::time::sleep(Duration::from_millis(20 + random.below(500))).await;
        running.kill().await
    } else {
        let step = STEPS[turn / 2 % STEPS.len()];
        let passed = PASSED[turn / 2 / STEPS.len() % PASSED.len()];
        let failpoint = format!("{step}={passed}*off->return(kill)");
        let running = world
            .program
            .start_with(&[("FAILPOINTS", &failpoint)], &["sync"]);
        running.wait().await
    };
    match finished.code() {
        None => true,
        Some(0) => false,
        Some(_) => panic!("turn {turn}: a run failed by itself\n{finished}"),
    }
}

/// The rows of the append-mode stream, folded to the newest of each key, are the source's rows.
async fn assert_changes_fold_to_the_source(world: &World) {
    let twice = "SELECT count(*) - count(DISTINCT (order_id, line_no, _tributary_position)) \
        FROM shop.order_lines";
    assert_eq!(world.number(twice), 0, "rows of the log came twice");
    let fold = "CREATE SCHEMA folded; CREATE TABLE folded.order_lines AS \
        SELECT * FROM shop.order_lines QUALIFY row_number() OVER \
        (PARTITION BY order_id, line_no ORDER BY _tributary_position DESC) = 1; \
        DELETE FROM folded.order_lines WHERE _tributary_op = 'd'";
    Connection::open(world.file())
        .unwrap()
        .execute_batch(fold)
        .unwrap();
    let file = world.file();
    let outcome = compare::table(
        &world.server,
        "shop.order_lines",
        &file,
        "folded.order_lines",
    );
    outcome
        .await
        .unwrap_or_else(|differences| panic!("{differences}"));
}

fn configure(world: &World, flush: &str) {
    let connection = format!("{flush}{STREAMS}");
    let setup = Setup {
        source: "databases: [shop], chunk_rows: 250",
        connection: &connection,
        ..Setup::default()
    };
    world.configure_lake(setup, "");
}

/// G7, and with it G1, G2 and G3, in a destination whose commit is an object.
#[tokio::test(flavor = "multi_thread")]
async fn g7_killed_at_any_moment_on_the_way_into_a_lake() {
    let world = World::shop(Flavor::MariaDb, Options::default(), Shop::SMALL).await;
    configure(&world, "flush: {rows: 150, every: 200ms}, ");
    let writer = Writer::start(&world.server, Shop::SMALL, 2, 5);
    let mut random = Random::new(3);
    let (mut turn, mut killed) = (0, 0);
    while killed < KILLS {
        assert!(turn < KILLS * 6, "only {killed} of {turn} runs were killed");
        killed += usize::from(run(&world, turn, &mut random).await);
        turn += 1;
    }
    let tally = writer.stop().await;
    assert!(
        tally.committed > 50,
        "the source was hardly written to: {tally:?}"
    );
    configure(&world, "");
    world.sync().await;
    world.read_lake(&TABLES);
    for table in &TABLES[..3] {
        world.assert_table(table, "after all kills").await;
    }
    assert_changes_fold_to_the_source(&world).await;
    let gaps = "SELECT max(sequence) - count(DISTINCT sequence) + count(*) - count(DISTINCT load_id) \
        FROM _tributary.loads";
    assert_eq!(
        world.number(gaps),
        0,
        "the loads are not numbered one by one"
    );
    let lost = "SELECT count(*) FROM _tributary.loads WHERE rows_read <> rows_written";
    assert_eq!(
        world.number(lost),
        0,
        "a load does not account for its rows"
    );
}

/// G3: of two processes the one that opened the connection last goes on, the other writes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn g3_a_second_process_fences_the_first_off_in_a_lake() {
    let world = World::shop(Flavor::MariaDb, Options::default(), Shop::SMALL).await;
    configure(&world, "");
    let step = [("FAILPOINTS", "load.before_commit=sleep(4000)")];
    let mut slow = world.program.start_with(&step, &["sync"]);
    slow.logged("streaming").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    world.sync().await;
    slow.wait().await.exits(1).says("has taken over");
    world.read_lake(&TABLES);
    for table in &TABLES[..3] {
        world.assert_table(table, "after two processes").await;
    }
}

/// G6: neither files that are written nor changes that wait are kept in memory.
#[tokio::test(flavor = "multi_thread")]
async fn g6_a_lake_takes_bounded_memory() {
    let texts: Vec<_> = (0..20).map(|n| format!("t{n} VARCHAR(200)")).collect();
    let values: Vec<_> = (0..20)
        .map(|n| format!("REPEAT(MD5(seq + {n}), 4)"))
        .collect();
    let sql = format!(
        "CREATE DATABASE d; CREATE TABLE d.wide (id INT PRIMARY KEY, {});
         INSERT INTO d.wide SELECT seq, {} FROM d.seq_1_to_60000",
        texts.join(", "),
        values.join(", ")
    );
    let world = World::with(Flavor::MariaDb, &sql).await;
    let setup = Setup {
        source: "databases: [d]",
        ..Setup::default()
    };
    world.configure_lake(setup, "");
    let (_, most) = peak(&world).await;
    assert_modest(most, "the first copy of 160 MB");
    let change = "UPDATE d.wide SET t3 = REVERSE(t3)";
    world.server.execute(change).await;
    let (_, most) = peak(&world).await;
    assert_modest(most, "a change of every row");
    world.read_lake(&["d.wide"]);
    let sum = "SELECT count(*) FROM d.wide \
        WHERE t3 = reverse(repeat(md5(CAST(id + 3 AS VARCHAR)), 4))";
    assert_eq!(world.number(sum), 60_000);
}
