//! Tables without a key: rows that are equal are as many in the warehouse as in the source, whatever
//! comes and goes.

use tributary_testkit::server::{Flavor, Options};

use crate::world::{Setup, World};

const BAG: &str = "CREATE DATABASE d; CREATE TABLE d.bag (a INT, b VARCHAR(20), c DECIMAL(5,2));
    INSERT INTO d.bag VALUES (1, 'x', 1.5), (1, 'x', 1.5), (1, 'x', 1.5), (2, NULL, NULL),
        (2, NULL, NULL), (NULL, NULL, NULL), (NULL, NULL, NULL), (3, 'once', 0)";

/// Each is one sync; what stands in one is read together.
const STEPS: &[&str] = &[
    "INSERT INTO d.bag VALUES (1, 'x', 1.5)",
    "DELETE FROM d.bag WHERE a = 1 LIMIT 2",
    "DELETE FROM d.bag WHERE a = 1 LIMIT 1; INSERT INTO d.bag VALUES (1, 'x', 1.5), (1, 'x', 1.5)",
    "UPDATE d.bag SET b = 'y' WHERE a = 1 LIMIT 1",
    "UPDATE d.bag SET b = 'y' WHERE a = 1; DELETE FROM d.bag WHERE a IS NULL LIMIT 1",
    "BEGIN; INSERT INTO d.bag VALUES (3, 'once', 0), (3, 'once', 0); \
     DELETE FROM d.bag WHERE a = 3 LIMIT 1; COMMIT",
    "DELETE FROM d.bag WHERE a = 2",
    "INSERT INTO d.bag VALUES (2, NULL, NULL), (2, NULL, NULL), (2, NULL, NULL)",
    "INSERT INTO d.bag SELECT * FROM d.bag",
    "ALTER TABLE d.bag ADD COLUMN n INT; INSERT INTO d.bag SELECT * FROM d.bag; \
     DELETE FROM d.bag WHERE a = 1 LIMIT 3",
    "ALTER TABLE d.bag ADD COLUMN e INT DEFAULT 5; DELETE FROM d.bag WHERE a = 2 LIMIT 1",
    "ALTER TABLE d.bag DROP COLUMN c; DELETE FROM d.bag WHERE a = 2 LIMIT 1",
    "TRUNCATE TABLE d.bag; INSERT INTO d.bag (a) VALUES (7), (7)",
    "INSERT INTO d.bag (a) VALUES (7), (8); DELETE FROM d.bag WHERE a = 7 LIMIT 2",
];

/// `together` steps are read in one sync.
async fn counts_right(flavor: Flavor, gtid: bool, deletes: &str, together: usize) {
    let options = Options {
        gtid,
        ..Options::default()
    };
    let world = World::new(flavor, options).await;
    world.server.execute(BAG).await;
    world.configure(Setup {
        connection: &format!("defaults: {{deletes: {deletes}}}"),
        ..Setup::default()
    });
    world.sync().await;
    world.assert_table("d.bag", "copied").await;
    for steps in STEPS.chunks(together) {
        let step = steps.join("; ");
        world.server.execute(&step).await;
        world.sync().await;
        world
            .assert_table("d.bag", &format!("{flavor:?}, {deletes}: {step}"))
            .await;
        let ids = "SELECT count(*) - count(DISTINCT _tributary_id) FROM d.bag";
        assert_eq!(world.number(ids), 0, "{step}");
    }
    world
        .program
        .run(&["sync", "--full-refresh"])
        .await
        .exits(0);
    world.assert_table("d.bag", "copied again").await;
    world.server.execute("DELETE FROM d.bag LIMIT 1").await;
    world.sync().await;
    world.assert_table("d.bag", "one less").await;
}

#[tokio::test]
async fn equal_rows_of_mariadb_are_counted() {
    counts_right(Flavor::MariaDb, false, "soft", 1).await;
}

#[tokio::test]
async fn equal_rows_of_mysql_are_counted() {
    counts_right(Flavor::MySql, true, "hard", 3).await;
}
