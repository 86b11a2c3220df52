//! Names that mean something elsewhere, that differ little, or that are long.

use tributary_testkit::server::Flavor;

use crate::world::{Setup, World};

#[tokio::test]
async fn odd_names_stay_as_they_are() {
    let sql = "CREATE DATABASE `select` CHARACTER SET utf8mb4; CREATE TABLE `select`.`order` (
            `group` INT PRIMARY KEY, `from` INT, `a b` INT, `quo\"te` INT, `Größe` INT, `名前` INT,
            `semi;colon` INT, `dash-ed` INT, `_tributary_deleted` INT, `_tributary` INT, `main` INT);
        INSERT INTO `select`.`order` VALUES (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
        CREATE TABLE `select`.`dot.ted` (id INT PRIMARY KEY); INSERT INTO `select`.`dot.ted` VALUES (1);
        CREATE TABLE `select`.`spa ce` (id INT PRIMARY KEY); INSERT INTO `select`.`spa ce` VALUES (1);
        CREATE TABLE `select`.`_tributary_x` (id INT PRIMARY KEY); INSERT INTO `select`.`_tributary_x` VALUES (1)";
    let world = World::with(Flavor::MariaDb, sql).await;
    world.sync().await;
    let change = "UPDATE `select`.`order` SET `from` = 20, `_tributary_deleted` = 90";
    world.server.execute(change).await;
    world.sync().await;
    let row = "SELECT \"group\", \"from\", \"a b\", \"quo\"\"te\", \"Größe\", \"名前\", \"semi;colon\", \"dash-ed\",
        main, COLUMNS(c -> c LIKE 'tributary_deleted!_%' ESCAPE '!') FROM \"select\".\"order\"";
    let found: Vec<_> = world.ask(row).into_iter().flatten().flatten().collect();
    assert_eq!(found, ["1", "20", "3", "4", "5", "6", "7", "8", "11", "90"]);
    for table in ["\"dot.ted\"", "\"spa ce\""] {
        let count = format!("SELECT count(*) FROM \"select\".{table}");
        assert_eq!(world.number(&count), 1, "{table}");
    }
    let renamed =
        "SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE 'tributary!_x!_%' ESCAPE '!'";
    assert_eq!(world.number(renamed), 1);
}

#[tokio::test]
async fn a_column_that_comes_later_takes_no_older_ones_name() {
    let sql = "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY, b INT, c INT);
        INSERT INTO d.t VALUES (1, 2, 3)";
    let world = World::with(Flavor::MariaDb, sql).await;
    let rename = |rules: &str| {
        world.configure(Setup {
            connection: &format!("streams: {{d.t: {{columns: {{{rules}}}}}}}"),
            ..Setup::default()
        });
    };
    rename("c: {rename: kept}");
    world.sync().await;
    // Now the source has a column of that name, and another is to be called like one that is there.
    let more = "ALTER TABLE d.t ADD COLUMN kept INT FIRST, ADD COLUMN a INT FIRST;
        INSERT INTO d.t (id, a, b, c, kept) VALUES (2, 10, 20, 30, 40)";
    world.server.execute(more).await;
    rename("c: {rename: kept}, a: {rename: B}");
    world.sync().await;
    world
        .server
        .execute("UPDATE d.t SET c = 31, kept = 41 WHERE id = 2")
        .await;
    world.sync().await;
    let row = "SELECT b, kept, COLUMNS(x -> x LIKE 'B!_%' ESCAPE '!'), COLUMNS(x -> x LIKE 'kept!_%' ESCAPE '!')
        FROM d.t WHERE id = 2";
    let found: Vec<_> = world.ask(row).into_iter().flatten().flatten().collect();
    assert_eq!(found, ["20", "31", "10", "41"]);
    let columns = "SELECT count(*) FROM duckdb_columns() WHERE table_name = 't' AND column_name NOT LIKE '!_%' ESCAPE '!'";
    assert_eq!(world.number(columns), 5, "none came twice");
}

#[tokio::test]
async fn two_streams_never_share_a_table() {
    let sql = "CREATE DATABASE d; CREATE TABLE d.Orders (id INT PRIMARY KEY); CREATE TABLE d.orders (id INT PRIMARY KEY);
        INSERT INTO d.Orders VALUES (1); INSERT INTO d.orders VALUES (2)";
    let world = World::with(Flavor::MariaDb, sql).await;
    let run = world.program.run(&["sync"]).await.exits(3);
    run.says("would both be kept in").says("table of its own");
    world.configure(Setup {
        connection: "streams: {d.Orders: {table: d.large_orders}}",
        ..Setup::default()
    });
    let run = world.sync().await;
    run.says("kept in d.large_orders from now on");
    assert_eq!(world.number("SELECT id FROM d.large_orders"), 1);
    assert_eq!(world.number("SELECT id FROM d.orders"), 2);
}

#[tokio::test]
async fn tables_are_as_wide_and_names_as_long_as_the_source_has_them() {
    let (long, also) = ("ü".repeat(64), format!("{}x", "ü".repeat(63)));
    let columns: Vec<_> = (2..=1600).map(|n| format!("c{n} INT")).collect();
    let sql = format!(
        "CREATE DATABASE d CHARACTER SET utf8mb4; USE d;
        CREATE TABLE wide (id INT PRIMARY KEY, {}) ENGINE = MyISAM;
        INSERT INTO wide (id, c2, c1600) VALUES (1, 2, 1600), (2, NULL, NULL);
        CREATE TABLE `{long}` (id INT PRIMARY KEY, `{long}` INT, `{also}` INT);
        CREATE TABLE `{also}` (id INT PRIMARY KEY); INSERT INTO `{long}` VALUES (1, 2, 3);
        INSERT INTO `{also}` VALUES (4)",
        columns.join(", ")
    );
    let world = World::with(Flavor::MariaDb, &sql).await;
    world.sync().await;
    let change = format!(
        "UPDATE d.wide SET c1600 = 7, c801 = 8 WHERE id = 2; ALTER TABLE d.wide ADD COLUMN c1601 INT;
        UPDATE d.wide SET c1601 = 9 WHERE id = 1; UPDATE d.`{long}` SET `{also}` = 30"
    );
    world.server.execute(&change).await;
    world.sync().await;
    world.assert_equal(&["d.wide"]).await;
    let row = format!("SELECT \"{long}\", \"{also}\" FROM d.\"{long}\"");
    let found: Vec<_> = world.ask(&row).into_iter().flatten().flatten().collect();
    assert_eq!(found, ["2", "30"]);
    assert_eq!(world.number(&format!("SELECT id FROM d.\"{also}\"")), 4);
}

/// A name that was given stays with its column whatever comes, and a table that was given is where the
/// user says: without a schema it is in that of the stream.
#[tokio::test]
async fn given_names_are_kept() {
    let sql = "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY, a INT, b INT);
        INSERT INTO d.t VALUES (1, 2, 3)";
    let world = World::with(Flavor::MariaDb, sql).await;
    let rules = |rules: &str| {
        world.configure(Setup {
            connection: &format!("streams: {{d.t: {{{rules}}}}}"),
            ..Setup::default()
        });
    };
    rules("table: other, columns: {id: {rename: key}, a: {rename: b}, b: {rename: a}}");
    world.sync().await;
    let change =
        "UPDATE d.t SET a = 20; INSERT INTO d.t VALUES (2, 4, 5); DELETE FROM d.t WHERE id = 2";
    world.server.execute(change).await;
    world.sync().await;
    let rows = "SELECT \"key\", a, b, _tributary_deleted FROM d.other ORDER BY 1";
    let found: Vec<_> = world.ask(rows).into_iter().flatten().flatten().collect();
    assert_eq!(found[..4], ["1", "3", "20", "false"]);
    assert_eq!(found[4], "2");
    // Two columns of one name: the second one gets another.
    rules("table: d.other, columns: {id: {rename: key}, a: {rename: same}, b: {rename: SAME}}");
    world
        .program
        .run(&["sync", "--full-refresh"])
        .await
        .exits(0);
    let rows = "SELECT COLUMNS(x -> lower(x) LIKE 'same%') FROM d.other";
    let mut found: Vec<_> = world.ask(rows).into_iter().flatten().flatten().collect();
    found.sort();
    assert_eq!(found, ["20", "3"]);
}
