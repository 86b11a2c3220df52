//! Replies that get lost: a commit that happened and was not heard of is settled by reading the
//! state, never by loading its rows again.

use tributary_testkit::server::Flavor;

use crate::world::{Setup, World};

const TABLES: &str = "CREATE DATABASE d;
    CREATE TABLE d.t (id INT PRIMARY KEY, v INT);
    INSERT INTO d.t SELECT seq, 0 FROM d.seq_1_to_1000;";
const SETUP: Setup<'_> = Setup {
    port: None,
    source: "databases: [d], chunk_rows: 100",
    connection: "flush: {rows: 100}, defaults: {mode: append}",
};
const ROWS: &str = "SELECT count(*) FROM d.t";
/// No change of a key is there twice.
const POSITIONS: &str = "SELECT count(DISTINCT (id, _tributary_position)) FROM d.t";

async fn json(world: &World, failpoints: &str) -> serde_json::Value {
    let env = [("FAILPOINTS", failpoints)];
    let args = ["sync", "--output", "json"];
    world
        .program
        .start_with(&env, &args)
        .wait()
        .await
        .exits(0)
        .json()
}

#[tokio::test]
async fn g2_a_lost_commit_reply_is_settled_by_the_state() {
    for failpoints in [
        "load.after_commit=1*return(error)",
        "load.after_commit=3*off->1*return(error)",
        "engine.after_commit=2*off->1*return(error)",
    ] {
        let world = World::with(Flavor::MariaDb, TABLES).await;
        world.configure(SETUP);
        let report = json(&world, failpoints).await;
        let stream = &report["connections"][0]["streams"][0];
        assert_eq!(stream["records_read"], 1000, "{failpoints}: {report:#}");
        assert_eq!(stream["records_written"], 1000, "{failpoints}: {report:#}");
        assert_eq!(
            report["connections"][0]["loads"],
            world.loads(),
            "{failpoints}"
        );
        assert_eq!(
            (world.number(ROWS), world.number(POSITIONS)),
            (1000, 1000),
            "{failpoints}"
        );

        world
            .server
            .execute("UPDATE d.t SET v = v + 1 WHERE id <= 300")
            .await;
        let report = json(&world, failpoints).await;
        assert_eq!(
            report["connections"][0]["streams"][0]["records_written"],
            300
        );
        assert_eq!(
            (world.number(ROWS), world.number(POSITIONS)),
            (1300, 1300),
            "{failpoints}"
        );
    }
}

/// A load that failed before its commit left nothing, and is made again.
#[tokio::test]
async fn g1_a_failed_load_leaves_no_row_and_no_cursor() {
    for step in [
        "engine.before_begin",
        "load.after_begin",
        "load.after_stage",
        "load.before_merge",
        "engine.before_commit",
        "load.before_commit",
    ] {
        let world = World::with(Flavor::MariaDb, TABLES).await;
        world.configure(SETUP);
        let failed = world.sync_with(&format!("{step}=return(error)")).await;
        let failed = failed.exits(1).says("was told to fail");
        assert_eq!(world.loads(), 0, "{failed}");
        let cursors = "SELECT count(*) FROM _tributary.state WHERE stream <> '*'";
        assert_eq!(world.number(cursors), 0, "{failed}");
        let tables = "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'd'";
        assert_eq!(world.number(tables), 0, "{failed}");
        world
            .sync_with(&format!("{step}=2*off->1*return(error)"))
            .await
            .exits(0);
        assert_eq!(
            (world.number(ROWS), world.number(POSITIONS)),
            (1000, 1000),
            "{step}"
        );
    }
}
