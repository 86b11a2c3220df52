//! BigQuery as a destination, by its stand-in: what arrives there is what arrives in DuckDB, cell by
//! cell.

use tributary_model::DataType;
use tributary_standins::bigquery::{Emulator, Fault, Proxy};
use tributary_testkit::server::Flavor;

use crate::world::postgres::rows;
use crate::world::{NAME, Setup, World};

const TABLES: &str = "CREATE DATABASE d;
    CREATE TABLE d.t (id INT PRIMARY KEY, small SMALLINT, vast BIGINT UNSIGNED, price DECIMAL(30,10),
      twice DOUBLE, note TEXT, raw VARBINARY(20), day DATE, at DATETIME(6), moment TIMESTAMP(6) NULL,
      doc JSON, kind ENUM('a', 'b''s'), `Odd \"Name\"` VARCHAR(20));
    INSERT INTO d.t VALUES
      (1, -32768, 18446744073709551615, -12345678901234567890.0123456789, 0.1, 'naïve ☕ \\\\ it''s',
       X'00FF5C', '1000-01-01', '9999-12-31 23:59:59.999999', '2024-03-31 02:30:00.000001',
       '{\"b\": [1, null, \"☕\"], \"a\": 1.5}', 'b''s', 'x'),
      (2, 1, 0, 0, 1.7976931348623157e308, '', X'', '2024-02-29', '2024-02-29 00:00:00',
       '1970-01-02 00:00:00', '[]', 'a', ''),
      (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
    CREATE TABLE d.log (id INT PRIMARY KEY, word VARCHAR(20));
    INSERT INTO d.log VALUES (1, 'a'), (2, 'b');";
const CONNECTION: &str = "streams: {d.log: {mode: append}}";

/// Each table with its columns, by the types in which they are compared.
fn tables(more: &[(&'static str, DataType)]) -> [(&'static str, Vec<(&'static str, DataType)>); 2] {
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
        ("doc", DataType::Json),
        ("kind", DataType::Text),
        ("Odd \"Name\"", DataType::Text),
        ("_tributary_deleted", DataType::Bool),
    ];
    all.extend(more);
    let log = vec![
        ("id", DataType::Int32),
        ("word", DataType::Text),
        ("_tributary_op", DataType::Text),
    ];
    [("t", all), ("log", log)]
}

/// Asserts that both destinations hold the same.
async fn assert_same(world: &World, more: &[(&'static str, DataType)], when: &str) {
    for (table, columns) in tables(more) {
        let types: Vec<DataType> = columns.iter().map(|(_, data_type)| *data_type).collect();
        let select = |quote: &dyn Fn(&str) -> String, from: String| {
            let names: Vec<String> = columns.iter().map(|(name, _)| quote(name)).collect();
            format!("SELECT {} FROM {from}", names.join(", "))
        };
        // What a name can't have there is spelled by its number.
        let bigquery = |name: &str| format!("`{}`", name.replace('"', "_x22_"));
        let there = select(&bigquery, format!("`p.d.{table}`"));
        let there = rows(&world.program, "warehouse", &there, &types).await;
        let duckdb = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let here = select(&duckdb, format!("d.{table}"));
        let here = rows(&world.program, "mirror", &here, &types).await;
        assert_eq!(there, here, "{table} {when}");
        assert!(there.len() > 1, "{table} {when}");
    }
}

#[tokio::test]
async fn a_database_arrives_as_in_duckdb() {
    let world = World::with(Flavor::MariaDb, TABLES).await;
    let emulator = Emulator::shared();
    let proxy = Proxy::start(emulator.clone());
    let settings = format!(
        "{{type: bigquery, project: p, api_endpoint: \"{}\", storage_endpoint: \"{}\", \
         labels: {{team: data}}, maximum_bytes_billed: 1000000000}}",
        proxy.url(),
        emulator.storage()
    );
    let text = world.yaml(Setup {
        source: "databases: [d]",
        connection: CONNECTION,
        ..Setup::default()
    });
    let text = text
        .replace("{type: duckdb, path: warehouse.duckdb}", &settings)
        .replace(
            "connections:\n",
            "  mirror: {type: duckdb, path: warehouse.duckdb}\nconnections:\n",
        );
    let mirror = format!("  mirror: {{source: shop, destination: mirror, {CONNECTION}}}\n");
    let (program, source) = (&world.program, &world.server);
    program.write("tributary.yaml", &(text + &mirror));
    program.run(&["check"]).await.exits(0).says("merged");
    program.run(&["sync"]).await.exits(0);
    assert_same(&world, &[], "after the first sync").await;

    source
        .execute(
            "UPDATE d.t SET small = 7, note = 'changed', doc = '{}' WHERE id = 1;
             DELETE FROM d.t WHERE id = 2;
             INSERT INTO d.t (id, note) VALUES (4, 'new'), (5, 'gone at once');
             DELETE FROM d.t WHERE id = 5;
             UPDATE d.log SET word = 'c' WHERE id = 1; DELETE FROM d.log WHERE id = 2;
             ALTER TABLE d.t ADD COLUMN added VARCHAR(10) DEFAULT 'it''s';
             INSERT INTO d.t (id, added) VALUES (6, 'own')",
        )
        .await;
    // The answer to the commit is lost, and the job is found again.
    proxy.fail("POST", "BEGIN TRANSACTION", Fault::LostAfter, 1);
    program.run(&["sync"]).await.exits(0);
    assert!(proxy.has_failed());
    let added = &[("added", DataType::Text)];
    assert_same(&world, added, "after changes").await;
    program.run(&["verify", NAME]).await.exits(0);

    // Nothing new writes nothing.
    let commits = || {
        let jobs = proxy.jobs();
        let is_commit = |job: &&serde_json::Value| job.to_string().contains("BEGIN TRANSACTION");
        jobs.iter().filter(is_commit).count()
    };
    let before = commits();
    program.run(&["sync"]).await.exits(0);
    assert_eq!(commits(), before);
    let job = proxy.jobs().pop().unwrap_or_default();
    assert_eq!(job["configuration"]["labels"]["team"], "data");

    program
        .run(&["sync", "--full-refresh", "main:d.t", "mirror:d.t"])
        .await
        .exits(0);
    assert_same(&world, added, "after a full refresh").await;
}
