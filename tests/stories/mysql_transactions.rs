//! Transactions whose outcome is not the ordinary one: two-phase, rolled back in part, over engines
//! that can't roll back.

use tributary_testkit::server::{Flavor, Options};

use crate::world::{Setup, World};

const TABLES: [&str; 2] = ["d.t", "d.u"];

async fn world(flavor: Flavor, gtid: bool) -> World {
    let options = Options {
        gtid,
        ..Options::default()
    };
    let world = World::new(flavor, options).await;
    let sql = "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY, v INT);
        CREATE TABLE d.u (id INT PRIMARY KEY, v INT); CREATE TABLE d.m (id INT PRIMARY KEY, v INT)
        ENGINE = MyISAM; INSERT INTO d.t VALUES (1, 1), (2, 2); INSERT INTO d.u VALUES (1, 1)";
    world.server.execute(sql).await;
    world.configure(Setup {
        connection: "defaults: {deletes: hard}",
        ..Setup::default()
    });
    world.sync().await;
    world
}

/// Each part of `sql`, with `|` between them, in a session of its own: one that has prepared a
/// transaction may do nothing else.
async fn step(world: &World, sql: &str) {
    for part in sql.split('|') {
        world.server.execute(part).await;
    }
    world.sync().await;
    assert_as_there(world, sql).await;
}

async fn assert_as_there(world: &World, when: &str) {
    for table in TABLES {
        world.assert_table(table, when).await;
    }
}

/// What is prepared is nowhere until it commits, in whatever sync, and never where it does not.
async fn two_phase(world: &World) {
    step(
        world,
        "XA START 'a'; INSERT INTO d.t VALUES (10, 1); UPDATE d.u SET v = 5; XA END 'a'; XA PREPARE 'a'
         | INSERT INTO d.t VALUES (11, 1)",
    )
    .await;
    step(world, "XA COMMIT 'a'").await;
    step(
        world,
        "XA START 'b'; DELETE FROM d.t WHERE id = 1; XA END 'b'; XA PREPARE 'b'; XA ROLLBACK 'b';
         XA START 'c', 'branch'; INSERT INTO d.t VALUES (12, 1); XA END 'c', 'branch'; XA PREPARE 'c', 'branch'",
    )
    .await;
    step(world, "UPDATE d.t SET v = v + 1 WHERE id = 2 | XA COMMIT 'c', 'branch' | DELETE FROM d.t WHERE id = 12").await;
    step(
        world,
        "XA START 'd'; INSERT INTO d.u VALUES (2, 2); XA END 'd'; XA COMMIT 'd' ONE PHASE",
    )
    .await;
    step(
        world,
        "XA START 'e'; INSERT INTO d.t VALUES (20, 1); XA END 'e'; XA PREPARE 'e'; XA COMMIT 'e';
         UPDATE d.t SET v = 9 WHERE id = 20",
    )
    .await;
    // Its rows were in the log before a table was copied again.
    step(
        world,
        "XA START 'f'; INSERT INTO d.t VALUES (30, 1); XA END 'f'; XA PREPARE 'f'",
    )
    .await;
    world
        .program
        .run(&["sync", "--full-refresh"])
        .await
        .exits(0);
    step(world, "XA COMMIT 'f'").await;
}

/// What was rolled back is not there, whatever of it was logged.
async fn rolled_back(world: &World) {
    for sql in [
        "BEGIN; INSERT INTO d.t VALUES (110, 1); SAVEPOINT s; INSERT INTO d.t VALUES (111, 1);
         ROLLBACK TO s; INSERT INTO d.u VALUES (110, 1); COMMIT",
        "BEGIN; INSERT INTO d.t VALUES (112, 1); INSERT INTO d.m VALUES (1, 1); SAVEPOINT s;
         INSERT INTO d.t VALUES (113, 1); INSERT INTO d.m VALUES (2, 1); ROLLBACK TO s; COMMIT",
        "BEGIN; INSERT INTO d.t VALUES (114, 1); INSERT INTO d.m VALUES (3, 1);
         UPDATE d.u SET v = 7; ROLLBACK",
        "BEGIN; INSERT INTO d.t VALUES (117, 1); SAVEPOINT s; CREATE TEMPORARY TABLE d.x (id INT);
         INSERT INTO d.t VALUES (118, 1); ROLLBACK TO s; INSERT INTO d.u VALUES (120, 1); COMMIT",
    ] {
        step(world, sql).await;
        world.assert_table("d.m", sql).await;
    }
}

#[tokio::test]
async fn transactions_of_mariadb_count_if_they_commit() {
    let world = world(Flavor::MariaDb, false).await;
    two_phase(&world).await;
    rolled_back(&world).await;
}

#[tokio::test]
async fn transactions_of_mysql_count_if_they_commit() {
    let world = world(Flavor::MySql, true).await;
    two_phase(&world).await;
    // With GTIDs the server refuses transactions over engines, and temporary tables in them.
    step(
        &world,
        "BEGIN; INSERT INTO d.t VALUES (110, 1); SAVEPOINT s; INSERT INTO d.t VALUES (111, 1);
         ROLLBACK TO s; INSERT INTO d.u VALUES (110, 1); COMMIT",
    )
    .await;
}
