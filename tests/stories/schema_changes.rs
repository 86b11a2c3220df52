//! `schema_changes`: what a table does when its stream's layout changes, and what is said.

use tributary_testkit::server::Flavor;

use crate::world::{Setup, World};

const TABLES: &str = "CREATE DATABASE d; CREATE TABLE d.u (id INT PRIMARY KEY);
    CREATE TABLE d.t (id INT PRIMARY KEY, n INT NOT NULL, v VARCHAR(20), w INT);
    INSERT INTO d.u VALUES (1); INSERT INTO d.t VALUES (1, 1, '2024-01-01', 1), (2, 2, '2024-01-02', 2)";

async fn world(choice: &str) -> World {
    let world = World::with(Flavor::MariaDb, TABLES).await;
    choose(&world, choice);
    world.sync().await;
    world
}

fn choose(world: &World, choice: &str) {
    world.configure(Setup {
        source: "databases: [d]",
        connection: &format!("streams: {{d.t: {{{choice}}}}}"),
        ..Setup::default()
    });
}

/// The table's columns as `n INTEGER`, those of the system aside.
fn columns(world: &World) -> Vec<String> {
    let sql = "SELECT column_name || ' ' || data_type FROM duckdb_columns() WHERE schema_name = 'd' \
        AND table_name = 't' AND NOT starts_with(column_name, '_tributary') ORDER BY column_index";
    world.ask(sql).into_iter().flatten().flatten().collect()
}

fn changes(world: &World) -> Vec<String> {
    let sql = "SELECT concat_ws(' ', change, \"column\", from_type, to_type) \
        FROM _tributary.schema_changes WHERE \"table\" = 'd.t' AND change <> 'create_table' ORDER BY 1";
    world.ask(sql).into_iter().flatten().flatten().collect()
}

fn cells(world: &World, sql: &str) -> Vec<String> {
    let word = |cell: Option<String>| cell.unwrap_or_else(|| "~".to_owned());
    let rows = world.ask(sql).into_iter();
    rows.map(|row| row.into_iter().map(word).collect::<Vec<_>>().join(" "))
        .collect()
}

const FIRST: [&str; 4] = ["id INTEGER", "n INTEGER", "v VARCHAR", "w INTEGER"];

#[tokio::test]
async fn a_frozen_table_stops_its_stream_before_anything_changes() {
    let world = world("schema_changes: freeze").await;
    for (change, column, back) in [
        ("ADD COLUMN x INT", "x", "DROP COLUMN x"),
        ("MODIFY n BIGINT NOT NULL", "n", "MODIFY n INT NOT NULL"),
        ("MODIFY v DATE", "v", "MODIFY v VARCHAR(20)"),
    ] {
        let alter = format!("ALTER TABLE d.t {change}; UPDATE d.t SET w = w + 1");
        world.server.execute(&alter).await;
        world
            .server
            .execute("INSERT INTO d.u SELECT max(id) + 1 FROM d.u")
            .await;
        let before = cells(&world, "SELECT id, n, v, w FROM d.t ORDER BY id");
        let stopped = world.program.run(&["sync"]).await.exits(3);
        stopped
            .says(&format!(
                "column `{column}` of d.t is new or wider than in d.t"
            ))
            .says("schema_changes: freeze");
        world.assert_table("d.u", change).await;
        assert_eq!(columns(&world), FIRST, "{change}");
        assert_eq!(
            cells(&world, "SELECT id, n, v, w FROM d.t ORDER BY id"),
            before
        );
        let back = format!("ALTER TABLE d.t {back}");
        world.server.execute(&back).await;
        world.sync().await;
        world.assert_table("d.t", &back).await;
    }
    assert_eq!(changes(&world), Vec::<String>::new());
    // What asks nothing of the table is no change: a column that may be NULL, and one that goes.
    let fine = "ALTER TABLE d.t MODIFY n INT NULL; UPDATE d.t SET n = NULL WHERE id = 1;
        ALTER TABLE d.t DROP COLUMN w; INSERT INTO d.t VALUES (3, 3, 'x')";
    world.server.execute(fine).await;
    world.sync().await;
    let rows = "SELECT id, n, v, w FROM d.t WHERE id <> 2 ORDER BY id";
    let rows = cells(&world, rows);
    assert_eq!(rows[1], "3 3 x ~");
    assert!(rows[0].starts_with("1 ~ "), "{rows:?}");
    // Both ways out that are said: to leave the column out, and to follow.
    world
        .server
        .execute("ALTER TABLE d.t ADD COLUMN x INT; UPDATE d.t SET x = id")
        .await;
    let stopped = world.program.run(&["sync"]).await.exits(3);
    stopped.says("`x: exclude` under its `columns`");
    choose(&world, "schema_changes: freeze, columns: {x: exclude}");
    world.sync().await;
    assert_eq!(columns(&world), FIRST);
    choose(&world, "schema_changes: follow");
    world
        .program
        .run(&["sync", "--full-refresh"])
        .await
        .exits(0);
    world.assert_equal(&["d.t"]).await;
    assert_eq!(changes(&world), ["add_column x INTEGER"]);
}

#[tokio::test]
async fn new_columns_are_left_out_and_no_value_is_lost() {
    let world = world("schema_changes: ignore_new").await;
    let change = "ALTER TABLE d.t ADD COLUMN x INT DEFAULT 7, MODIFY n BIGINT NOT NULL;
        UPDATE d.t SET x = 8, n = 5000000000 WHERE id = 1; INSERT INTO d.t VALUES (3, 3, 'c', 3, 9)";
    world.server.execute(change).await;
    world.sync().await;
    assert_eq!(
        columns(&world),
        ["id INTEGER", "n BIGINT", "v VARCHAR", "w INTEGER"]
    );
    let rows = "SELECT id, n, v, w FROM d.t ORDER BY id";
    let expected = ["1 5000000000 2024-01-01 1", "2 2 2024-01-02 2", "3 3 c 3"];
    assert_eq!(cells(&world, rows), expected);
    assert_eq!(changes(&world), ["widen_type n INTEGER BIGINT"]);
    // Another type is no new column: its values would be nowhere.
    let change = "DELETE FROM d.t WHERE id = 3; ALTER TABLE d.t MODIFY v DATE;
        INSERT INTO d.t VALUES (4, 4, '2024-04-04', 4, 4)";
    world.server.execute(change).await;
    world.sync().await;
    let found = "SELECT id, v__v_date FROM d.t WHERE id = 4";
    assert_eq!(cells(&world, found), ["4 2024-04-04"]);
    assert_eq!(
        changes(&world),
        ["add_column v__v_date DATE", "widen_type n INTEGER BIGINT"]
    );
    // Copied anew it is the same, and followed later the column is there with all that it holds.
    world
        .program
        .run(&["sync", "--full-refresh"])
        .await
        .exits(0);
    assert!(!columns(&world).contains(&"x INTEGER".to_owned()));
    choose(&world, "schema_changes: follow");
    world
        .program
        .run(&["sync", "--full-refresh"])
        .await
        .exits(0);
    let found = "SELECT id, x FROM d.t ORDER BY id";
    assert_eq!(cells(&world, found), ["1 8", "2 7", "4 4"]);
}

#[tokio::test]
async fn what_is_followed_is_recorded() {
    let world = world("schema_changes: follow").await;
    let change = "ALTER TABLE d.t ADD COLUMN x INT DEFAULT 7, MODIFY n DECIMAL(12,2);
        UPDATE d.t SET n = 1234567890.25 WHERE id = 1; ALTER TABLE d.t DROP COLUMN w";
    world.server.execute(change).await;
    world
        .sync()
        .await
        .says("column x added")
        .says("column n changed");
    let rows = "SELECT id, n, x FROM d.t ORDER BY id";
    assert_eq!(cells(&world, rows), ["1 1234567890.25 7", "2 2.00 7"]);
    let noted = changes(&world);
    assert_eq!(noted[0], "add_column x INTEGER");
    assert!(
        noted[1].starts_with("widen_type n INTEGER DECIMAL("),
        "{noted:?}"
    );
    let told = "SELECT count(*) FROM _tributary.schema_changes s JOIN _tributary.loads l USING (load_id) \
        WHERE s.stream = 'd.t' AND s.connection = 'main' AND s.changed_at IS NOT NULL";
    assert_eq!(world.number(told), 3, "the table, and two of its columns");
}
