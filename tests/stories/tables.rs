//! How tables are kept: as a history, read anew each time, and from one mode to another.

use duckdb::Connection;
use tributary_testkit::server::{Flavor, Options};

use crate::world::{Setup, World};

const TABLE: &str = "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY, v VARCHAR(9));
    INSERT INTO d.t VALUES (1, 'a'), (2, 'b'), (3, 'c')";

fn connection(text: &str) -> Setup<'_> {
    Setup {
        source: "databases: [d]",
        connection: text,
        ..Setup::default()
    }
}

/// Rows as `1 a ~`.
fn rows(world: &World, sql: &str) -> Vec<String> {
    let word = |cell: Option<String>| cell.unwrap_or_else(|| "~".to_owned());
    let rows = world.ask(sql).into_iter();
    rows.map(|row| row.into_iter().map(word).collect::<Vec<_>>().join(" "))
        .collect()
}

fn execute(world: &World, sql: &str) {
    let file = Connection::open(world.file()).unwrap();
    file.execute_batch(sql).unwrap();
}

const VERSIONS: &str = "SELECT id, v, _tributary_is_current, _tributary_deleted, \
    _tributary_valid_to IS NULL FROM d.t ORDER BY id, _tributary_valid_from";

/// Versions of one key follow one another without a gap unless it was deleted, and none is empty.
fn assert_intervals(world: &World) {
    let broken = "WITH v AS (SELECT *, lead(_tributary_valid_from) OVER (PARTITION BY id \
        ORDER BY _tributary_valid_from) AS next FROM d.t) SELECT count(*) FROM v WHERE \
        _tributary_valid_from IS NULL OR _tributary_valid_to <= _tributary_valid_from \
        OR (next IS NOT NULL AND (_tributary_valid_to IS NULL OR _tributary_valid_to > next)) \
        OR (next IS NOT NULL AND NOT _tributary_deleted AND _tributary_valid_to <> next) \
        OR _tributary_is_current <> (_tributary_valid_to IS NULL)";
    assert_eq!(world.number(broken), 0);
}

#[tokio::test]
async fn a_history_has_every_version() {
    for flavor in Flavor::ALL {
        let world = World::with(flavor, TABLE).await;
        world.configure(connection("defaults: {mode: history}"));
        world.sync().await;
        let changes = "UPDATE d.t SET v = 'a2' WHERE id = 1; UPDATE d.t SET v = 'a3' WHERE id = 1;
            DELETE FROM d.t WHERE id = 2; DELETE FROM d.t WHERE id = 3;
            INSERT INTO d.t VALUES (3, 'c'); INSERT INTO d.t VALUES (4, 'd');
            UPDATE d.t SET id = 5 WHERE id = 4";
        world.server.execute(changes).await;
        world.sync().await;
        let expected = [
            "1 a false false false",
            "1 a2 false false false",
            "1 a3 true false true",
            "2 b false true false",
            "3 c false true false",
            "3 c true false true",
            "4 d false true false",
            "5 d true false true",
        ];
        assert_eq!(rows(&world, VERSIONS), expected, "{flavor:?}");
        assert_intervals(&world);
        let loads = world.loads();
        world.sync().await;
        assert_eq!(world.loads(), loads, "nothing new writes nothing");
        // Rows that come again as they were are no new versions, and what went unseen ends.
        let seen = world.number("SELECT count(*) FROM d.t");
        let refresh = ["sync", "--full-refresh"];
        world.program.run(&refresh).await.exits(0);
        assert_eq!(rows(&world, VERSIONS), expected, "{flavor:?}");
        execute(
            &world,
            "INSERT INTO d.t BY NAME SELECT 9 AS id, 'ghost' AS v, TIMESTAMPTZ '2024-01-01 00:00:00+00' \
             AS _tributary_valid_from, true AS _tributary_is_current, false AS _tributary_deleted, \
             now() AS _tributary_synced_at; UPDATE d.t SET v = 'wrong' WHERE id = 5",
        );
        world.program.run(&refresh).await.exits(0);
        assert_eq!(world.number("SELECT count(*) FROM d.t"), seen + 2);
        let ended = "SELECT id, v, _tributary_deleted FROM d.t WHERE id IN (5, 9) \
            ORDER BY id, _tributary_valid_from";
        assert_eq!(
            rows(&world, ended),
            ["5 wrong false", "5 d false", "9 ghost true"]
        );
        assert_intervals(&world);
        world
            .server
            .execute("TRUNCATE d.t; INSERT INTO d.t VALUES (1, 'a3')")
            .await;
        world.sync().await;
        let current = "SELECT id, v FROM d.t WHERE _tributary_is_current";
        assert_eq!(rows(&world, current), ["1 a3"]);
        assert_intervals(&world);
    }
}

/// When the source says when a change happened, that is from when a version is valid.
#[tokio::test]
async fn a_version_is_valid_from_when_the_source_committed_it() {
    let world = World::with(Flavor::MariaDb, TABLE).await;
    world.configure(connection("defaults: {mode: history, deletes: hard}"));
    world.sync().await;
    let change = "SET timestamp = UNIX_TIMESTAMP('2030-05-06 07:08:09'); \
        UPDATE d.t SET v = 'later' WHERE id = 1; SET timestamp = DEFAULT";
    world.server.execute(change).await;
    let stamp = world
        .server
        .value("SELECT UNIX_TIMESTAMP('2030-05-06 07:08:09')")
        .await;
    let stamp: i64 = stamp.parse().unwrap();
    world.sync().await;
    let from = "SELECT epoch_us(_tributary_valid_from) // 1000000 FROM d.t WHERE v = 'later'";
    assert_eq!(world.number(from), stamp);
    let marks = "SELECT count(*) FROM duckdb_columns() WHERE schema_name = 'd' \
        AND column_name = '_tributary_deleted'";
    assert_eq!(world.number(marks), 0, "hard deletes leave no mark");
}

#[tokio::test]
async fn replace_reads_the_whole_stream_anew() {
    let world = World::with(Flavor::MariaDb, TABLE).await;
    world.configure(connection("defaults: {mode: replace}"));
    world.sync().await;
    world.assert_equal(&["d.t"]).await;
    execute(
        &world,
        "CREATE VIEW d.letters AS SELECT v FROM d.t ORDER BY v; \
         UPDATE d.t SET v = 'spoiled'; INSERT INTO d.t BY NAME SELECT 9 AS id, 'extra' AS v",
    );
    world
        .server
        .execute("DELETE FROM d.t WHERE id = 2; INSERT INTO d.t VALUES (4, 'd')")
        .await;
    let dry = world.program.run(&["sync", "--dry-run"]).await.exits(0);
    dry.says("the beginning");
    // The program dies with the new table half there: readers have the old one, and so do views.
    let half = world.sync_with("load.before_commit=return(kill)").await;
    assert_eq!(half.code(), None, "{half}");
    assert_eq!(
        world.number("SELECT count(*) FROM d.t WHERE v = 'spoiled'"),
        3
    );
    world.sync().await;
    world.assert_equal(&["d.t"]).await;
    assert_eq!(rows(&world, "FROM d.letters"), ["a", "c", "d"]);
    let tables = "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'd'";
    assert_eq!(rows(&world, tables), ["t"], "nothing is left over");
    // An empty table is a table, too.
    world.server.execute("DELETE FROM d.t").await;
    world.sync().await;
    assert_eq!(world.number("SELECT count(*) FROM d.t"), 0);
}

/// From mode to mode and back: said before, built beside, and nothing of before is lost.
#[tokio::test]
async fn a_table_changes_its_mode() {
    let world = World::with(Flavor::MariaDb, TABLE).await;
    world.configure(connection(""));
    world.sync().await;
    world.server.execute("DELETE FROM d.t WHERE id = 3").await;
    world.sync().await;
    for (mode, kept, had) in [
        ("append", "t__merge", 3),
        ("history", "t__append", 2),
        ("merge", "t__history", 2),
        ("replace", "t__merge_2", 2),
    ] {
        let choice = format!("defaults: {{mode: {mode}}}");
        world.configure(connection(&choice));
        let said = format!("kept as `{mode}` from now on");
        let dry = world.program.run(&["sync", "--dry-run"]).await.exits(0);
        dry.says(&said).says(kept);
        world.sync().await.says(&said).says(kept);
        let now = format!("SELECT count(*) FROM d.{kept}");
        assert_eq!(world.number(&now), had, "{kept}");
        assert_eq!(world.number("SELECT count(*) FROM d.t"), 2, "{mode}");
        let again = world.sync().await;
        assert!(!again.to_string().contains("from now on"), "{again}");
    }
    let noted = "SELECT to_type, from_type FROM _tributary.schema_changes \
        WHERE change = 'change_mode' ORDER BY changed_at";
    assert_eq!(rows(&world, noted).len(), 4);
    assert_eq!(rows(&world, noted)[0], "append kept as d.t__merge");
    // What was replaced goes on as it is when it is merged again.
    world.configure(connection(""));
    world
        .server
        .execute("UPDATE d.t SET v = 'z' WHERE id = 1")
        .await;
    world.sync().await;
    world.assert_equal(&["d.t"]).await;
    assert_eq!(
        world.number("SELECT count(*) FROM d.t WHERE _tributary_deleted"),
        0
    );
}

/// What users do to a table, and what becomes of it.
#[tokio::test]
async fn a_table_that_was_changed_by_hand_goes_on_or_is_refused() {
    let world = World::with(Flavor::MariaDb, TABLE).await;
    world.configure(connection(""));
    world.sync().await;
    // Columns of theirs stay; a column that they widened stays wide; one they dropped comes back.
    execute(
        &world,
        "ALTER TABLE d.t ADD COLUMN remark VARCHAR; UPDATE d.t SET remark = 'mine'; \
         ALTER TABLE d.t ALTER id TYPE BIGINT; ALTER TABLE d.t DROP COLUMN v",
    );
    world
        .server
        .execute("UPDATE d.t SET v = 'new' WHERE id = 1; INSERT INTO d.t VALUES (4, 'd')")
        .await;
    world.sync().await;
    let seen = "SELECT id, v, remark FROM d.t ORDER BY id";
    assert_eq!(
        rows(&world, seen),
        ["1 new ~", "2 ~ mine", "3 ~ mine", "4 d ~"]
    );
    let noted = "SELECT \"column\" FROM _tributary.schema_changes WHERE change = 'add_column'";
    assert_eq!(rows(&world, noted), ["v"]);
    world
        .program
        .run(&["sync", "--full-refresh"])
        .await
        .exits(0);
    world.assert_equal(&["d.t"]).await;
    // A table that they dropped is made again; the rows before come with a full refresh.
    execute(&world, "DROP TABLE d.t");
    world
        .server
        .execute("INSERT INTO d.t VALUES (5, 'e')")
        .await;
    world.sync().await;
    world
        .program
        .run(&["sync", "--full-refresh"])
        .await
        .exits(0);
    world.assert_equal(&["d.t"]).await;
    // Without `_tributary` everything is read from the beginning, over what is there.
    execute(
        &world,
        "DROP TABLE _tributary.loads; DROP TABLE _tributary.schema_changes",
    );
    world.server.execute("DELETE FROM d.t WHERE id = 5").await;
    world.sync().await;
    world.assert_equal(&["d.t"]).await;
    execute(&world, "DROP SCHEMA _tributary CASCADE");
    world.server.execute("DELETE FROM d.t WHERE id = 4").await;
    world.sync().await;
    world.assert_equal(&["d.t"]).await;
    // A table of somebody else is not touched.
    execute(
        &world,
        "DROP SCHEMA _tributary CASCADE; DROP TABLE d.t; CREATE TABLE d.t (mine INTEGER)",
    );
    world
        .server
        .execute("CREATE TABLE d.other (id INT PRIMARY KEY); INSERT INTO d.other VALUES (1)")
        .await;
    let refused = world.program.run(&["sync"]).await.exits(3);
    world.assert_equal(&["d.other"]).await;
    refused
        .says("was not made by Tributary")
        .says("Rename that table");
    assert_eq!(rows(&world, "SELECT count(*) FROM d.t"), ["0"]);
}

/// A server of either flavor, whose tables change while their history is kept.
#[tokio::test]
async fn a_history_follows_the_layout() {
    let world = World::new(Flavor::MySql, Options::default()).await;
    world.server.execute(TABLE).await;
    world.configure(connection("defaults: {mode: history}"));
    world.sync().await;
    world
        .server
        .execute(
            "ALTER TABLE d.t ADD COLUMN n INT DEFAULT 7; UPDATE d.t SET n = 8 WHERE id = 1;
             ALTER TABLE d.t MODIFY n BIGINT; UPDATE d.t SET n = 5000000000 WHERE id = 2",
        )
        .await;
    world.sync().await;
    let current = "SELECT id, v, n FROM d.t WHERE _tributary_is_current ORDER BY id";
    assert_eq!(rows(&world, current), ["1 a 8", "2 b 5000000000", "3 c 7"]);
    assert_intervals(&world);
    world
        .server
        .execute("ALTER TABLE d.t DROP COLUMN v; UPDATE d.t SET n = 1")
        .await;
    world.sync().await;
    let current = "SELECT id, n FROM d.t WHERE _tributary_is_current ORDER BY id";
    assert_eq!(rows(&world, current), ["1 1", "2 1", "3 1"]);
    assert_intervals(&world);
    // A table that is dropped and made again is copied anew: what is not in it any more ends.
    world
        .server
        .execute(
            "DROP TABLE d.t; CREATE TABLE d.t (id INT PRIMARY KEY, n BIGINT);
             INSERT INTO d.t VALUES (1, 1), (8, 8)",
        )
        .await;
    world.sync().await;
    assert_eq!(rows(&world, current), ["1 1", "8 8"]);
    let first = "SELECT count(*) FROM d.t WHERE id = 1 AND n = 1";
    assert_eq!(world.number(first), 1, "what is unchanged goes on");
    assert_intervals(&world);
}
