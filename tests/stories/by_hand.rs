//! What somebody does by hand to tables of ours: where a stream can't go on it stops alone, with a
//! sentence, and goes on once that is undone.

use duckdb::Connection;
use tributary_testkit::server::Flavor;

use crate::world::{Setup, World};

const TABLES: &str = "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY, v VARCHAR(9));
    CREATE TABLE d.u (id INT PRIMARY KEY, v VARCHAR(9));
    INSERT INTO d.t VALUES (1, 'a'), (2, 'b'), (3, 'c'); INSERT INTO d.u VALUES (1, 'a')";

fn execute(world: &World, sql: &str) {
    let file = Connection::open(world.file()).unwrap();
    file.execute_batch(sql)
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// A server with both tables in the warehouse, one row of which was deleted since.
async fn world() -> World {
    let world = World::with(Flavor::MariaDb, TABLES).await;
    world.configure(Setup {
        source: "databases: [d]",
        ..Setup::default()
    });
    world.sync().await;
    world.server.execute("DELETE FROM d.t WHERE id = 3").await;
    world.sync().await;
    world
}

#[tokio::test]
async fn a_table_that_does_not_fit_any_more_stops_its_stream_alone() {
    let world = world().await;
    for (spoil, says, mend) in [
        (
            "ALTER TABLE d.t DROP COLUMN v; ALTER TABLE d.t ADD COLUMN v HUGEINT",
            "column `v` of d.t has the type HUGEINT",
            "ALTER TABLE d.t DROP COLUMN v",
        ),
        (
            "ALTER TABLE d.t RENAME TO mine; CREATE VIEW d.t AS FROM d.mine",
            "d.t is a view",
            "DROP VIEW d.t; ALTER TABLE d.mine RENAME TO t",
        ),
        (
            "ALTER TABLE d.t ALTER _tributary_deleted TYPE VARCHAR",
            "column `_tributary_deleted` of d.t has the type VARCHAR",
            "ALTER TABLE d.t ALTER _tributary_deleted TYPE BOOLEAN",
        ),
        (
            "ALTER TABLE d.t RENAME TO mine; CREATE TABLE d.t (id INTEGER)",
            "was not made by Tributary",
            "DROP TABLE d.t; ALTER TABLE d.mine RENAME TO t",
        ),
    ] {
        execute(&world, spoil);
        let change =
            "UPDATE d.t SET v = concat(v, '+') WHERE id = 1; UPDATE d.u SET v = concat(v, '+')";
        world.server.execute(change).await;
        let stopped = world.program.run(&["sync"]).await.exits(3);
        stopped.says(says).says("d.t");
        world.assert_table("d.u", spoil).await;
        execute(&world, mend);
        world.sync().await;
        world.assert_table("d.t", mend).await;
        let marked = "SELECT count(*) FROM d.t WHERE _tributary_deleted AND id = 3";
        assert_eq!(world.number(marked), 1, "{mend}");
    }
    // Where it is the only stream the run fails, and goes on from where it stood.
    world.configure(Setup {
        source: "databases: [d]",
        connection: "select: [d.t]",
        ..Setup::default()
    });
    world.sync().await;
    execute(
        &world,
        "ALTER TABLE d.t ALTER _tributary_deleted TYPE VARCHAR",
    );
    world
        .server
        .execute("INSERT INTO d.t VALUES (4, 'd')")
        .await;
    world
        .program
        .run(&["sync"])
        .await
        .exits(1)
        .says("_tributary_deleted");
    execute(
        &world,
        "ALTER TABLE d.t ALTER _tributary_deleted TYPE BOOLEAN",
    );
    let read = world
        .program
        .run(&["sync", "--output", "json"])
        .await
        .exits(0)
        .json();
    assert_eq!(read["connections"][0]["streams"][0]["records_read"], 1);
    world.assert_equal(&["d.t"]).await;
}

/// A type that values can't become, though it is one of ours: they go beside.
#[tokio::test]
async fn a_column_of_another_type_gets_one_beside_it() {
    let world = world().await;
    execute(
        &world,
        "ALTER TABLE d.t DROP COLUMN v; ALTER TABLE d.t ADD COLUMN v DATE",
    );
    world
        .server
        .execute("UPDATE d.t SET v = 'new' WHERE id = 1")
        .await;
    world.sync().await;
    let row = "SELECT v IS NULL, v__v_text FROM d.t WHERE id = 1";
    let row: Vec<_> = world.ask(row).into_iter().flatten().flatten().collect();
    assert_eq!(row, ["true", "new"]);
}

/// Dropping a table is asking for it anew.
#[tokio::test]
async fn a_table_that_was_dropped_is_read_anew() {
    let world = world().await;
    execute(&world, "DROP TABLE d.t");
    world
        .server
        .execute("INSERT INTO d.t VALUES (4, 'd'); INSERT INTO d.u VALUES (2, 'b')")
        .await;
    let dry = world.program.run(&["sync", "--dry-run"]).await.exits(0);
    dry.says("the beginning");
    let said = world.sync().await;
    said.says("d.t is not there any more: it is made again, and read anew");
    world.assert_equal(&["d.t", "d.u"]).await;
    let again = world.sync().await;
    assert!(!again.to_string().contains("any more"), "{again}");
    execute(&world, "DROP SCHEMA d CASCADE");
    world.sync().await;
    world.assert_equal(&["d.t", "d.u"]).await;
}
