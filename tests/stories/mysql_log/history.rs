//! Servers as they come: their logs do not name columns. What rows mean is known from what
//! statements said before them, also hours behind, and what is not certain is copied anew.

use serde_json::Value;
use tributary_testkit::server::{Flavor, Options};

use crate::world::{Setup, World};

const TABLE: &str = "CREATE DATABASE d CHARACTER SET latin1; CREATE DATABASE other;
    CREATE TABLE d.t (id INT UNSIGNED PRIMARY KEY, a VARCHAR(20), b VARCHAR(20), n INT);
    CREATE TABLE d.aside (id INT PRIMARY KEY, v INT);
    INSERT INTO d.t VALUES (1, 'a1', 'b1', 1), (2, 'a2', 'b2', 2), (4000000000, 'é', 'b3', 3);
    INSERT INTO d.aside VALUES (1, 1)";

/// A server with the default of its flavor.
async fn plain(flavor: Flavor) -> World {
    let metadata = match flavor {
        Flavor::MariaDb => "NO_LOG",
        Flavor::MySql => "MINIMAL",
    };
    let extra = vec![format!("--binlog-row-metadata={metadata}")];
    let world = World::new(flavor, Options { gtid: true, extra }).await;
    world.server.execute(TABLE).await;
    world.configure(Setup {
        source: "databases: [d]",
        ..Setup::default()
    });
    world
}

/// Syncs, and tells how many rows of `d.t` were read for that.
async fn read(world: &World) -> u64 {
    let finished = world.program.run(&["sync", "--output", "json"]).await;
    let finished = finished.exits(0);
    let report: Value = serde_json::from_str(&finished.stdout).unwrap();
    let streams = report["connections"][0]["streams"].as_array().unwrap();
    let own = streams.iter().find(|stream| stream["stream"] == "d.t");
    own.map_or(0, |stream| stream["records_read"].as_u64().unwrap())
}

async fn equal(world: &World, when: &str) {
    let when = format!("{:?}, after {when}", world.server.flavor());
    world.assert_table("d.t", &when).await;
    world.assert_table("d.aside", &when).await;
}

/// Statements whose rows are read with the columns of then, and without reading the table again.
const FOLLOWED: [(&str, u64); 5] = [
    ("UPDATE d.t SET n = 20 WHERE id = 2; DELETE FROM d.t WHERE id = 1; UPDATE d.aside SET v = 2", 2),
    (
        "INSERT INTO d.t VALUES (10, 'x', 'y', 10); ALTER TABLE d.t ADD COLUMN c VARCHAR(20) AFTER id;
         INSERT INTO d.t VALUES (11, 'c', 'x', 'y', 11); ALTER TABLE d.aside ADD COLUMN w INT DEFAULT 3;
         UPDATE d.t SET c = 'later' WHERE id = 10; UPDATE d.aside SET w = 4",
        3,
    ),
    (
        "UPDATE d.t SET a = 'before' WHERE id = 11; ALTER TABLE d.t DROP COLUMN b, ADD INDEX (n);
         UPDATE d.t SET a = 'after' WHERE id = 10; CREATE TABLE other.t (b INT, a INT);
         ALTER TABLE other.t ADD COLUMN z INT FIRST",
        2,
    ),
    (
        "ALTER TABLE d.t ADD COLUMN u BIGINT UNSIGNED DEFAULT 7, ADD COLUMN e ENUM('one','two') DEFAULT 'two';
         INSERT INTO d.t (id, a, u, e) VALUES (12, 'é', 18446744073709551615, 'one')",
        1,
    ),
    ("ALTER TABLE d.t COMMENT = 'nothing'; ALTER TABLE d.t ALTER n SET DEFAULT 9;
         ALTER TABLE d.t DEFAULT CHARSET = utf8mb4; ALTER TABLE d.t ADD COLUMN crab VARCHAR(9) DEFAULT 'none';
         UPDATE d.t SET crab = '🦀' WHERE id = 10; UPDATE d.t SET n = 0 WHERE id = 12", 2),
];

/// Statements that change what rows hold, or what can't be known.
const COPIED: [&str; 8] = [
    // Of one type: nothing but the statement tells which value is whose.
    "INSERT INTO d.t (id, a, c) VALUES (20, 'a', 'c'); ALTER TABLE d.t RENAME COLUMN a TO c, RENAME COLUMN c TO a;
     INSERT INTO d.t (id, a, c) VALUES (21, 'a', 'c'); UPDATE d.t SET a = 'both' WHERE id = 20",
    "UPDATE d.t SET n = -1 WHERE id = 20; ALTER TABLE d.t MODIFY n BIGINT FIRST; UPDATE d.t SET n = -2 WHERE id = 21",
    "ALTER TABLE d.t CONVERT TO CHARACTER SET utf8mb4; UPDATE d.t SET a = '🦀' WHERE id = 2",
    "ALTER TABLE d.t MODIFY e ENUM('zero','one','two'); UPDATE d.t SET e = 'zero' WHERE id = 2",
    // A length that chooses the type by the charset.
    "ALTER TABLE d.t ADD COLUMN long_one TEXT(300); UPDATE d.t SET long_one = 'x' WHERE id = 2; DELETE FROM d.t WHERE id = 21",
    // As gh-ost and pt-online-schema-change do it.
    "CREATE TABLE d._t_gho LIKE d.t; ALTER TABLE d._t_gho DROP COLUMN a, ADD COLUMN g INT FIRST;
     INSERT INTO d._t_gho (id, g, n) SELECT id, 5, n FROM d.t; UPDATE d.t SET n = 100 WHERE id = 2;
     UPDATE d._t_gho SET n = 100 WHERE id = 2; RENAME TABLE d.t TO d._t_del, d._t_gho TO d.t;
     UPDATE d.t SET g = 6 WHERE id = 2; DROP TABLE d._t_del",
    "UPDATE d.t SET g = 7; TRUNCATE d.t; INSERT INTO d.t (id, g) VALUES (1, 1)",
    "DROP TABLE d.t; CREATE TABLE d.t (a VARCHAR(20), id INT PRIMARY KEY) SELECT 1 AS id, 'made' AS a;
     INSERT INTO d.t (a, id) VALUES ('again', 2); ALTER TABLE d.t ADD COLUMN z INT; UPDATE d.t SET z = 1",
];

#[tokio::test]
async fn columns_are_known_by_what_statements_said() {
    tokio::join!(
        known_by_statements(Flavor::MariaDb),
        known_by_statements(Flavor::MySql)
    );
}

async fn known_by_statements(flavor: Flavor) {
    let world = plain(flavor).await;
    world
        .program
        .run(&["check"])
        .await
        .says("binlog_row_metadata");
    read(&world).await;
    equal(&world, "the first copy").await;
    for (step, rows) in FOLLOWED {
        world.server.execute(step).await;
        assert_eq!(
            read(&world).await,
            rows,
            "{flavor:?}: rows read after {step}"
        );
        equal(&world, step).await;
    }
    for step in COPIED {
        world.server.execute(step).await;
        read(&world).await;
        equal(&world, step).await;
    }
    assert_eq!(read(&world).await, 0, "{flavor:?}: nothing is left to read");
}

/// Names in the log from some place on, and from some other no more.
#[tokio::test]
async fn a_server_may_change_its_mind_about_names() {
    tokio::join!(
        changes_its_mind(Flavor::MariaDb),
        changes_its_mind(Flavor::MySql)
    );
}

async fn changes_its_mind(flavor: Flavor) {
    let world = plain(flavor).await;
    read(&world).await;
    for step in [
        "UPDATE d.t SET n = 5; SET GLOBAL binlog_row_metadata = FULL;
         ALTER TABLE d.t RENAME COLUMN a TO b, RENAME COLUMN b TO a",
        "UPDATE d.t SET a = 'named' WHERE id = 1; ALTER TABLE d.t ADD COLUMN x INT",
        "UPDATE d.t SET x = 1 WHERE id = 2; SET GLOBAL binlog_row_metadata = MINIMAL",
        "UPDATE d.t SET x = 2 WHERE id = 1; ALTER TABLE d.t DROP COLUMN n; UPDATE d.t SET x = 3 WHERE id = 2",
        "DELETE FROM d.t WHERE id = 2",
    ] {
        world.server.execute(step).await;
        read(&world).await;
        equal(&world, step).await;
    }
}

/// Statements while the first copy goes on, between two of its chunks.
#[tokio::test]
async fn columns_that_change_in_the_middle_of_a_copy_are_right_in_the_end() {
    tokio::join!(
        right_in_the_end(Flavor::MariaDb),
        right_in_the_end(Flavor::MySql)
    );
}

async fn right_in_the_end(flavor: Flavor) {
    let world = plain(flavor).await;
    let rows: Vec<_> = (10..2_000)
        .map(|id| format!("({id}, 'a{id}', 'b{id}', {id})"))
        .collect();
    let fill = format!("INSERT INTO d.t VALUES {}", rows.join(","));
    world.server.execute(&fill).await;
    world.configure(Setup {
        source: "databases: [d], chunk_rows: 200",
        connection: "flush: {rows: 200}",
        ..Setup::default()
    });
    let env = [("FAILPOINTS", "engine.after_commit=3*off->1*sleep(1500)")];
    let mut sync = world
        .program
        .start_with(&env, &["sync", "--log-level", "debug"]);
    sync.logged("committed").await;
    let change = "UPDATE d.t SET n = 0 WHERE id % 100 = 0;
         ALTER TABLE d.t RENAME COLUMN a TO b, RENAME COLUMN b TO a;
         UPDATE d.t SET n = -1 WHERE id % 100 = 1; ALTER TABLE d.t ADD COLUMN z INT FIRST;
         DELETE FROM d.t WHERE id % 100 = 2; UPDATE d.t SET z = 3 WHERE id % 100 = 3";
    world.server.execute(change).await;
    sync.wait().await.exits(0);
    read(&world).await;
    equal(&world, change).await;
}
