//! Redshift as a destination, by its stand-in: what arrives there is what arrives in DuckDB, cell by
//! cell, and what is missing is said with the statement that gives it.

use std::time::{Duration, Instant};

use tributary_model::DataType;

use crate::world::NAME;
use crate::world::postgres::rows;
use crate::world::redshift::{BUCKET, Cloud};

const TABLES: &str = "CREATE DATABASE d;
    CREATE TABLE d.t (id INT PRIMARY KEY, small SMALLINT, vast BIGINT UNSIGNED, price DECIMAL(30,10),
      twice DOUBLE, note TEXT, raw VARBINARY(20), day DATE, at DATETIME(6), moment TIMESTAMP(6) NULL,
      clock TIME(3), doc JSON, kind ENUM('a', 'b''s'), `Odd \"Name\"` VARCHAR(20), xmin INT);
    INSERT INTO d.t VALUES
      (1, -32768, 18446744073709551615, -12345678901234567890.0123456789, 0.1, 'naïve ☕ \\\\ it''s',
       X'00FF5C', '1000-01-01', '9999-12-31 23:59:59.999999', '2024-03-31 02:30:00.000001',
       '23:59:59.999', '{\"b\": [1, null, \"☕\"], \"a\": 1.50}', 'b''s', 'x', 7),
      (2, 1, 0, 0, 1.7976931348623157e308, '', X'', '2024-02-29', '2024-02-29 00:00:00',
       '1970-01-02 00:00:00', '00:00:00', '[]', 'a', '', NULL),
      (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
    CREATE TABLE d.keyless (word VARCHAR(20), n INT);
    INSERT INTO d.keyless VALUES ('a', 1), ('b', 2), ('b', 2);
    CREATE TABLE d.log (id INT PRIMARY KEY, word VARCHAR(20));
    INSERT INTO d.log VALUES (1, 'a'), (2, 'b');";
const SOURCE: &str = "databases: [d]";
const CONNECTION: &str = "streams: {d.log: {mode: append}}";

/// Each table with its columns, by the types in which they are compared.
fn tables(
    more: &'static [(&'static str, DataType)],
) -> [(&'static str, Vec<(&'static str, DataType)>); 3] {
    let mut all = vec![
        ("id", DataType::Int32),
        ("small", DataType::Int64),
        ("vast", DataType::Decimal(20, 0)),
        ("price", DataType::Decimal(30, 10)),
        ("twice", DataType::Float64),
        ("note", DataType::Text),
        ("raw", DataType::Bytes),
        ("day", DataType::Date),
        ("at", DataType::Timestamp),
        ("moment", DataType::TimestampTz),
        ("clock", DataType::Text),
        ("doc", DataType::Json),
        ("kind", DataType::Text),
        ("Odd \"Name\"", DataType::Text),
        ("_tributary_deleted", DataType::Bool),
    ];
    all.extend(more);
    let keyless = vec![
        ("word", DataType::Text),
        ("n", DataType::Int32),
        ("_tributary_id", DataType::Text),
        ("_tributary_deleted", DataType::Bool),
    ];
    let log = vec![
        ("id", DataType::Int32),
        ("word", DataType::Text),
        ("_tributary_op", DataType::Text),
    ];
    [("t", all), ("keyless", keyless), ("log", log)]
}

/// Asserts that both destinations hold the same.
async fn assert_same(cloud: &Cloud, more: &'static [(&'static str, DataType)], when: &str) {
    for (table, columns) in tables(more) {
        let types: Vec<DataType> = columns.iter().map(|(_, data_type)| *data_type).collect();
        let names: Vec<String> = columns
            .iter()
            .map(|(name, _)| format!("\"{}\"", name.replace('"', "\"\"")))
            .collect();
        let sql = format!("SELECT {} FROM d.{table}", names.join(", "));
        let program = &cloud.world.program;
        let there = rows(program, "warehouse", &sql, &types).await;
        let here = rows(program, "mirror", &sql, &types).await;
        assert_eq!(there, here, "{table} {when}");
        assert!(there.len() > 1, "{table} {when}");
    }
}

#[tokio::test]
async fn a_database_arrives_as_in_duckdb() {
    let cloud = Cloud::with(TABLES, SOURCE, CONNECTION).await;
    let (program, source) = (&cloud.world.program, &cloud.world.server);
    program.run(&["check"]).await.exits(0).says("rolled back");
    program.run(&["sync"]).await.exits(0);
    assert_same(&cloud, &[], "after the first sync").await;

    source
        .execute(
            "UPDATE d.t SET small = 7, note = 'changed', doc = '{}' WHERE id = 1;
             DELETE FROM d.t WHERE id = 2;
             INSERT INTO d.t (id, note) VALUES (4, 'new'), (5, 'gone at once');
             DELETE FROM d.t WHERE id = 5;
             DELETE FROM d.keyless WHERE word = 'a';
             INSERT INTO d.keyless VALUES ('c', 3), ('b', 2);
             UPDATE d.log SET word = 'c' WHERE id = 1; DELETE FROM d.log WHERE id = 2;
             ALTER TABLE d.t ADD COLUMN added VARCHAR(10) DEFAULT 'it''s';
             ALTER TABLE d.t MODIFY small BIGINT;
             UPDATE d.t SET small = 5000000000 WHERE id = 3;
             INSERT INTO d.t (id, added) VALUES (6, 'own')",
        )
        .await;
    program.run(&["sync"]).await.exits(0);
    let added = &[("added", DataType::Text)];
    assert_same(&cloud, added, "after changes").await;
    let loads = "SELECT COUNT(*) FROM _tributary.loads";
    let before = cloud.number(loads).await;
    program.run(&["sync"]).await.exits(0);
    assert_eq!(cloud.number(loads).await, before, "nothing new is no load");
    program.run(&["verify", NAME]).await.exits(0);

    // Read anew, over a table with a view and grants, which stay.
    cloud.warehouse.admin(
        "CREATE VIEW public.watched AS SELECT id, note FROM d.t; GRANT SELECT ON d.t TO pg_monitor",
    );
    for connection in ["main", "mirror"] {
        let stream = format!("{connection}:d.t");
        let args = ["sync", "--full-refresh", &stream];
        program.run(&args).await.exits(0);
    }
    assert_same(&cloud, added, "after a full refresh").await;
    let watched = "SELECT COUNT(*) FROM public.watched";
    assert_eq!(
        cloud.number(watched).await,
        cloud.number("SELECT COUNT(*) FROM d.t").await
    );
    // Those of a load that was made again go in a while.
    let patience = Instant::now() + Duration::from_secs(120);
    while !cloud.bucket.keys(BUCKET).is_empty() {
        let left = cloud.bucket.keys(BUCKET);
        assert!(Instant::now() < patience, "files are removed: {left:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let statements = cloud.warehouse.statements();
    assert!(
        statements
            .iter()
            .any(|sql| sql == "SET query_group TO 'tributary main'")
    );
}

/// The longest text that fits is there; a byte more, and the row is set apart.
#[tokio::test]
async fn texts_are_limited_by_bytes_and_rights_are_named() {
    let cloud = Cloud::with(
        "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY, v LONGTEXT);
         INSERT INTO d.t VALUES (1, REPEAT('é', 32767)), (2, REPEAT('é', 32768)), (3, 'short')",
        SOURCE,
        "",
    )
    .await;
    let program = &cloud.world.program;
    program.run(&["sync"]).await;
    assert_eq!(cloud.number("SELECT COUNT(*) FROM d.t").await, 2);
    assert_eq!(
        cloud.number("SELECT MAX(OCTET_LENGTH(v)) FROM d.t").await,
        65_534
    );
    let rejected = "SELECT COUNT(*) FROM _tributary.rejected WHERE reason LIKE '65536 bytes%' AND NOT is_whole";
    assert_eq!(cloud.number(rejected).await, 1);

    cloud.warehouse.admin("CREATE USER weak PASSWORD 'weak'; REVOKE ALL ON DATABASE postgres FROM PUBLIC; GRANT CONNECT ON DATABASE postgres TO weak");
    cloud.configure(&cloud.warehouse.url_of("weak", "weak"), "", SOURCE, "");
    let said = program.run(&["check"]).await;
    said.exits(1)
        .says("GRANT USAGE, CREATE ON SCHEMA _tributary TO \"weak\"")
        .says("GRANT TEMPORARY ON DATABASE \"postgres\" TO \"weak\"")
        .says("GRANT CREATE ON DATABASE \"postgres\" TO \"weak\"");
}
