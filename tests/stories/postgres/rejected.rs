//! Rows that did not fit PostgreSQL wait there, and move into their table once they do.

use serde_json::Value;

use crate::world::postgres::{Analytics, Setup};

const TABLES: &str = "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY, v VARCHAR(20));
    INSERT INTO d.t VALUES (1, '7'), (2, 'seven'), (3, '9'), (4, 'four'), (5, 'five'), (6, '1.5'),
      (7, CONCAT('a', CHAR(0)))";
const TYPED: Setup<'_> = Setup {
    port: None,
    login: None,
    source: "databases: [d]",
    destination: "",
    connection: "streams: {d.t: {columns: {v: {type: int32}}}}",
};
const ROWS: &str =
    "SELECT concat_ws(' ', id, v, v__v_text) FROM d.t WHERE NOT _tributary_deleted ORDER BY id";

fn counts(report: &Value) -> [u64; 3] {
    let stream = &report["connections"][0]["streams"][0];
    ["records_read", "records_written", "records_rejected"]
        .map(|name| stream[name].as_u64().unwrap())
}

async fn sync(analytics: &Analytics, args: &[&str]) -> [u64; 3] {
    let args = [&["sync", "--output", "json"], args].concat();
    let run = analytics.world.program.run(&args).await;
    counts(&run.exits(0).json())
}

/// The ids of the rows that wait; read as text, since one has U+0000 in it.
async fn waiting(analytics: &Analytics) -> Vec<String> {
    let sql = "SELECT substring(\"row\"::text FROM '\"id\":([0-9]+)') FROM _tributary.rejected ORDER BY 1";
    analytics.words(sql).await
}

#[tokio::test]
async fn rejected_rows_move_once_they_fit() {
    let analytics = Analytics::with(TABLES, TYPED).await;
    let source = &analytics.world.server;
    assert_eq!(sync(&analytics, &[]).await, [7, 2, 5]);
    assert_eq!(sync(&analytics, &["--retry-rejected"]).await, [5, 0, 5]);
    assert_eq!(waiting(&analytics).await, ["2", "4", "5", "6", "7"]);
    // What comes after a row ends its wait.
    source
        .execute(
            "UPDATE d.t SET v = '44' WHERE id = 4; DELETE FROM d.t WHERE id = 5; \
             UPDATE d.t SET v = 'sechs' WHERE id = 6; UPDATE d.t SET v = 'six' WHERE id = 6",
        )
        .await;
    sync(&analytics, &[]).await;
    assert_eq!(waiting(&analytics).await, ["2", "6", "7"]);
    analytics.configure(Setup {
        connection: "",
        ..TYPED
    });
    for step in ["load.after_begin", "load.after_stage", "load.before_commit"] {
        let kill = format!("{step}=return(kill)");
        let program = &analytics.world.program;
        let run = program.start_with(&[("FAILPOINTS", &kill)], &["sync", "--retry-rejected"]);
        assert_eq!(run.wait().await.code(), None, "{step}");
        assert_eq!(waiting(&analytics).await, ["2", "6", "7"], "{step}");
    }
    // As text two of them fit; PostgreSQL itself does not take the third.
    assert_eq!(sync(&analytics, &["--retry-rejected"]).await, [3, 2, 1]);
    assert_eq!(waiting(&analytics).await, ["7"]);
    assert_eq!(
        analytics.words(ROWS).await,
        ["1 7", "2 seven", "3 9", "4 44", "6 six"]
    );
    let unbalanced =
        "SELECT count(*) FROM _tributary.loads WHERE rows_read <> rows_written + rows_rejected";
    assert_eq!(analytics.number(unbalanced).await, 0);
    // Read anew, beside the table: what was rejected before is forgotten, what is rejected now waits.
    source
        .execute("UPDATE d.t SET v = 'seven' WHERE id = 7; INSERT INTO d.t VALUES (8, CHAR(0))")
        .await;
    sync(&analytics, &["--full-refresh"]).await;
    assert_eq!(waiting(&analytics).await, ["8"]);
    source.execute("TRUNCATE d.t").await;
    sync(&analytics, &[]).await;
    assert_eq!(waiting(&analytics).await, [""; 0]);
}

#[tokio::test]
async fn a_table_of_an_earlier_version_gets_what_it_lacks() {
    let analytics = Analytics::with(TABLES, TYPED).await;
    sync(&analytics, &[]).await;
    analytics
        .execute("ALTER TABLE _tributary.rejected DROP COLUMN \"key\"")
        .await;
    // Of rows without their keys nobody knows whether newer ones have come: they stay.
    assert_eq!(sync(&analytics, &["--retry-rejected"]).await, [0, 0, 0]);
    assert_eq!(waiting(&analytics).await.len(), 5);
    let source = &analytics.world.server;
    source.execute("INSERT INTO d.t VALUES (9, 'nine')").await;
    sync(&analytics, &[]).await;
    assert_eq!(sync(&analytics, &["--retry-rejected"]).await, [1, 0, 1]);
}
