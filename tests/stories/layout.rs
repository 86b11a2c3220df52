//! Tables that change their layout: while the program is stopped, while it copies, and in between
//! rows of the log. In the end the warehouse is what the source is.

use tributary_testkit::server::{Flavor, Options};

use crate::world::{Setup, World};

const TABLE: &str = "CREATE DATABASE d;
    CREATE TABLE d.t (id INT PRIMARY KEY, name VARCHAR(20), n INT);
    INSERT INTO d.t VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3)";
const SETUP: Setup<'_> = Setup {
    port: None,
    source: "databases: [d]",
    connection: "",
};

/// Each step runs while the program is stopped; behind each the two sides are equal.
async fn follows(steps: &[&str]) {
    for flavor in Flavor::ALL {
        let world = World::new(
            flavor,
            Options {
                gtid: true,
                ..Options::default()
            },
        )
        .await;
        world.server.execute(TABLE).await;
        world.configure(SETUP);
        world.sync().await;
        for step in steps {
            world.server.execute(step).await;
            world.sync().await;
            world
                .assert_table("d.t", &format!("{flavor:?}, after {step}"))
                .await;
        }
    }
}

#[tokio::test]
async fn a_truncated_table_is_emptied() {
    follows(&[
        "TRUNCATE d.t",
        "INSERT INTO d.t VALUES (1, 'again', 1)",
        "INSERT INTO d.t VALUES (2, 'x', 2); TRUNCATE TABLE d.t; INSERT INTO d.t VALUES (3, 'y', 3)",
        "DELETE FROM d.t",
    ])
    .await;
}

#[tokio::test]
async fn a_table_that_is_dropped_and_made_again_is_copied_anew() {
    follows(&[
        "DROP TABLE d.t; CREATE TABLE d.t (id INT PRIMARY KEY, name VARCHAR(20), other DATE);
         INSERT INTO d.t VALUES (7, 'new', '2024-01-01')",
        "INSERT INTO d.t VALUES (8, 'more', NULL)",
        "CREATE TABLE d.t2 LIKE d.t; INSERT INTO d.t2 SELECT * FROM d.t; DROP TABLE d.t;
         RENAME TABLE d.t2 TO d.t; INSERT INTO d.t VALUES (9, 'renamed', NULL)",
    ])
    .await;
}

#[tokio::test]
async fn added_columns_are_followed() {
    follows(&[
        "ALTER TABLE d.t ADD COLUMN plain INT",
        "ALTER TABLE d.t ADD COLUMN kind VARCHAR(10) NOT NULL DEFAULT 'none'",
        "INSERT INTO d.t (id, name, n) VALUES (4, 'd', 4);
         ALTER TABLE d.t ADD COLUMN first_one DECIMAL(8,2) DEFAULT 1.5 FIRST;
         INSERT INTO d.t (id, name, first_one) VALUES (5, 'e', 2.25);
         UPDATE d.t SET n = 40 WHERE id = 4",
        "ALTER TABLE d.t ADD COLUMN at DATETIME DEFAULT CURRENT_TIMESTAMP, ADD COLUMN u BIGINT UNSIGNED DEFAULT 7;
         INSERT INTO d.t (id) VALUES (6)",
        "ALTER TABLE d.t ADD COLUMN doubled INT AS (n * 2) STORED; UPDATE d.t SET n = 11 WHERE id = 1",
        "UPDATE d.t SET n = n + 1; ALTER TABLE d.t DROP COLUMN plain; UPDATE d.t SET n = n + 1",
    ])
    .await;
}

#[tokio::test]
async fn renamed_columns_are_copied_anew() {
    follows(&[
        "ALTER TABLE d.t RENAME COLUMN name TO title",
        "INSERT INTO d.t VALUES (4, 'd', 4); ALTER TABLE d.t CHANGE n number INT;
         INSERT INTO d.t VALUES (5, 'e', 5)",
        "ALTER TABLE d.t ADD COLUMN other INT DEFAULT 3;
         ALTER TABLE d.t RENAME COLUMN number TO other, RENAME COLUMN other TO number;
         UPDATE d.t SET number = 9 WHERE id = 1",
    ])
    .await;
}

#[tokio::test]
async fn defaults_and_columns_that_change_again_before_they_are_read_are_right() {
    follows(&[
        // The rows have 5; what the server tells afterwards is that there is no default.
        "ALTER TABLE d.t ADD COLUMN c INT NOT NULL DEFAULT 5; ALTER TABLE d.t ALTER c DROP DEFAULT",
        "ALTER TABLE d.t ADD COLUMN e INT DEFAULT 1; ALTER TABLE d.t ALTER e SET DEFAULT 2",
        // The same name, other values: seen one by one, at once, and in one statement.
        "ALTER TABLE d.t DROP COLUMN n",
        "ALTER TABLE d.t ADD COLUMN n INT DEFAULT 9",
        "ALTER TABLE d.t DROP COLUMN n; ALTER TABLE d.t ADD COLUMN n INT DEFAULT 8",
        "ALTER TABLE d.t DROP COLUMN n, ADD COLUMN n INT DEFAULT 7",
        // Rows that go while the table waits to be copied anew.
        "ALTER TABLE d.t MODIFY name VARCHAR(77); DELETE FROM d.t WHERE id = 2",
    ])
    .await;
}

#[tokio::test]
async fn wider_types_are_followed() {
    follows(&[
        "ALTER TABLE d.t MODIFY n BIGINT; INSERT INTO d.t VALUES (4, 'd', 9223372036854775807)",
        "INSERT INTO d.t VALUES (5, 'e', -1); ALTER TABLE d.t MODIFY name TEXT;
         INSERT INTO d.t VALUES (6, REPEAT('long', 100), 6)",
        "ALTER TABLE d.t MODIFY id BIGINT; INSERT INTO d.t VALUES (5000000000, 'far', 7)",
        "ALTER TABLE d.t ADD COLUMN p DECIMAL(6,2) DEFAULT 1.25; ALTER TABLE d.t MODIFY p DECIMAL(12,4);
         UPDATE d.t SET p = 12345678.0625 WHERE id = 1",
    ])
    .await;
}

#[tokio::test]
async fn changed_keys_are_followed() {
    follows(&[
        "UPDATE d.t SET id = id + 100",
        "UPDATE d.t SET id = id - 100 WHERE id = 101; INSERT INTO d.t VALUES (101, 'taken', 0)",
        "UPDATE d.t SET id = 500 WHERE id = 102; UPDATE d.t SET id = 501 WHERE id = 500;
         UPDATE d.t SET id = 102 WHERE id = 501; DELETE FROM d.t WHERE id = 1;
         UPDATE d.t SET id = 1 WHERE id = 103",
        "ALTER TABLE d.t DROP PRIMARY KEY, ADD PRIMARY KEY (id, name); INSERT INTO d.t VALUES (1, 'other', 1)",
    ])
    .await;
}

#[tokio::test]
async fn a_new_table_joins_and_a_dropped_one_stays() {
    for flavor in Flavor::ALL {
        let world = World::new(
            flavor,
            Options {
                gtid: true,
                ..Options::default()
            },
        )
        .await;
        world.server.execute(TABLE).await;
        world.configure(SETUP);
        world.sync().await;
        world
            .server
            .execute(
                "CREATE TABLE d.later (id INT PRIMARY KEY, v TEXT);
            INSERT INTO d.later VALUES (1, 'x'); UPDATE d.t SET n = 5 WHERE id = 1",
            )
            .await;
        world.sync().await;
        world.assert_equal(&["d.t", "d.later"]).await;
        world
            .server
            .execute("INSERT INTO d.later VALUES (2, 'y'); DROP TABLE d.t")
            .await;
        world.sync().await;
        world.assert_equal(&["d.later"]).await;
        assert_eq!(world.number("SELECT count(*) FROM d.t"), 3, "its rows stay");
        world
            .server
            .execute("INSERT INTO d.later VALUES (3, 'z')")
            .await;
        world.sync().await;
        world.assert_equal(&["d.later"]).await;
    }
}

/// The table changes while its first copy goes on: between two of its chunks.
#[tokio::test]
async fn a_layout_that_changes_in_the_middle_of_a_copy_is_right_in_the_end() {
    for flavor in Flavor::ALL {
        for change in [
            "ALTER TABLE d.big ADD COLUMN extra INT NOT NULL DEFAULT 7; UPDATE d.big SET extra = 8 WHERE id % 100 = 0",
            "ALTER TABLE d.big RENAME COLUMN v TO w; INSERT INTO d.big VALUES (100001, 'w')",
            "TRUNCATE d.big; INSERT INTO d.big VALUES (1, 'only')",
            "DROP TABLE d.big; CREATE TABLE d.big (id INT PRIMARY KEY, x DATE); INSERT INTO d.big VALUES (5, '2024-01-01')",
            "ALTER TABLE d.big MODIFY id BIGINT, MODIFY v TEXT; DELETE FROM d.big WHERE id < 100",
        ] {
            let world = World::new(
                flavor,
                Options {
                    gtid: true,
                    ..Options::default()
                },
            )
            .await;
            world
                .server
                .execute(
                    "CREATE DATABASE d; CREATE TABLE d.big (id INT PRIMARY KEY, v VARCHAR(20))",
                )
                .await;
            let rows: Vec<_> = (1..=5_000).map(|id| format!("({id}, 'v{id}')")).collect();
            world
                .server
                .execute(&format!("INSERT INTO d.big VALUES {}", rows.join(",")))
                .await;
            world.configure(Setup {
                source: "databases: [d], chunk_rows: 200, parallelism: 2",
                connection: "flush: {rows: 200}",
                ..Setup::default()
            });
            let env = [("FAILPOINTS", "engine.after_commit=3*off->1*sleep(1500)")];
            let mut sync = world
                .program
                .start_with(&env, &["sync", "--log-level", "debug"]);
            sync.logged("committed").await;
            world.server.execute(change).await;
            sync.wait().await.exits(0);
            world.sync().await;
            world
                .assert_table("d.big", &format!("{flavor:?}, {change}"))
                .await;
        }
    }
}
