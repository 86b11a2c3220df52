//! G2, G7: SIGKILL at every step of a load while tables are built beside those that readers see.
//! Until a swap has committed readers have all of the old rows, then all of the new ones.

use std::collections::BTreeSet;

use duckdb::Connection;
use tributary_testkit::server::Flavor;

use crate::world::{Setup, World};

/// Each step of a load, and how often it is passed before the program dies at it.
const DEATHS: [&str; 9] = [
    "load.after_begin=1*off->return(kill)",
    "load.after_stage=2*off->return(kill)",
    "load.before_merge=return(kill)",
    "load.before_commit=1*off->return(kill)",
    "load.after_commit=return(kill)",
    "engine.after_commit=1*off->return(kill)",
    "engine.before_commit=3*off->return(kill)",
    "load.before_commit=3*off->return(kill)",
    "load.after_commit=3*off->return(kill)",
];

const TABLES: &str = "CREATE DATABASE d; USE d;
    CREATE TABLE d.r (id INT PRIMARY KEY, v VARCHAR(9));
    CREATE TABLE d.m (id INT PRIMARY KEY, v VARCHAR(9));
    CREATE TABLE d.z (id INT PRIMARY KEY, v VARCHAR(9));
    INSERT INTO d.r SELECT seq, 'old' FROM seq_1_to_400;
    INSERT INTO d.m SELECT seq, 'old' FROM seq_1_to_400;
    INSERT INTO d.z SELECT seq, 'old' FROM seq_1_to_400";

const SETUP: Setup<'_> = Setup {
    port: None,
    source: "databases: [d], chunk_rows: 100, parallelism: 1",
    connection: "flush: {rows: 100}, streams: {d.r: {mode: replace}, d.z: {mode: history}}",
};

/// What a reader sees: generations of rows of each table, each of 400.
fn assert_whole(world: &World, at: &str) {
    for table in ["r", "m", "z"] {
        let current = if table == "z" {
            "WHERE _tributary_is_current"
        } else {
            ""
        };
        let sql = format!("SELECT v, count(*) FROM d.{table} {current} GROUP BY v");
        let seen = world.ask(&sql);
        assert_eq!(
            seen.len(),
            1,
            "{at}: {table} has rows of two readings: {seen:?}"
        );
        assert_eq!(
            seen[0][1].as_deref(),
            Some("400"),
            "{at}: {table}: {seen:?}"
        );
    }
}

#[tokio::test]
async fn g7_a_swap_is_all_or_nothing_wherever_the_program_dies() {
    let world = World::with(Flavor::MariaDb, TABLES).await;
    world.configure(SETUP);
    world.sync().await;
    assert_whole(&world, "at first");
    let mut died = BTreeSet::new();
    for (number, death) in DEATHS.iter().enumerate() {
        // In the destination only: the log says nothing of it, so a row is right once it was read anew.
        let spoil = "UPDATE d.r SET v = 'spoiled'; UPDATE d.m SET v = 'spoiled'; \
            UPDATE d.z SET v = 'spoiled' WHERE _tributary_is_current";
        Connection::open(world.file())
            .unwrap()
            .execute_batch(spoil)
            .unwrap();
        let env = [("FAILPOINTS", *death)];
        let refresh = ["sync", "--full-refresh"];
        let run = world.program.start_with(&env, &refresh).wait().await;
        if run.code().is_none() {
            died.insert(number);
        }
        assert_whole(&world, death);
        world.sync().await;
        world.program.run(&refresh).await.exits(0);
        assert_whole(&world, death);
        world.assert_equal(&["d.r", "d.m"]).await;
        let left = "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'd'";
        assert_eq!(
            world.number(left),
            3,
            "{death}: a table beside is left over"
        );
    }
    assert!(died.len() >= 7, "the program died only at {died:?}");
    // Each reading anew has ended what was spoiled, and began what is there; nothing was doubled.
    let open = "SELECT count(*) - count(DISTINCT id) FROM d.z WHERE _tributary_is_current";
    assert_eq!(world.number(open), 0);
}
