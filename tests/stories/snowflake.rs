//! Snowflake as a destination, by its stand-in: what arrives there is what arrives in DuckDB, cell by
//! cell.

use std::sync::Arc;

use tributary_model::DataType;
use tributary_standins::snowflake::{self, Fault, Snowflake};
use tributary_testkit::s3::{Options, S3Server};
use tributary_testkit::server::Flavor;

use crate::world::postgres::rows;
use crate::world::{NAME, Setup, World};

const TABLES: &str = "CREATE DATABASE d;
    CREATE TABLE d.t (id INT PRIMARY KEY, small SMALLINT, vast BIGINT UNSIGNED, price DECIMAL(30,10),
      twice DOUBLE, note TEXT, raw VARBINARY(20), day DATE, at DATETIME(6), moment TIMESTAMP(6) NULL,
      clock TIME(3), doc JSON, kind ENUM('a', 'b''s'), `Odd \"Name\"` VARCHAR(20));
    INSERT INTO d.t VALUES
      (1, -32768, 18446744073709551615, -12345678901234567890.0123456789, 0.1, 'naïve ☕ \\\\ it''s',
       X'00FF5C', '1000-01-01', '9999-12-31 23:59:59.999999', '2024-03-31 02:30:00.000001',
       '23:59:59.999', '{\"b\": [1, null, \"☕\"], \"a\": 1.50}', 'b''s', 'x'),
      (2, 1, 0, 0, 1.7976931348623157e308, '', X'', '2024-02-29', '2024-02-29 00:00:00',
       '1970-01-02 00:00:00', '00:00:00', '[]', 'a', ''),
      (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
    CREATE TABLE d.keyless (word VARCHAR(20), n INT);
    INSERT INTO d.keyless VALUES ('a', 1), ('b', 2), ('b', 2);
    CREATE TABLE d.log (id INT PRIMARY KEY, word VARCHAR(20));
    INSERT INTO d.log VALUES (1, 'a'), (2, 'b');";
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

/// A source, the program with two destinations, the stand-in and its bucket.
struct Cloud {
    world: World,
    server: Snowflake,
    _bucket: Arc<S3Server>,
}

impl Cloud {
    async fn new() -> Self {
        let world = World::with(Flavor::MariaDb, TABLES).await;
        let bucket = Arc::new(S3Server::start(Options::default()));
        let server = Snowflake::start(bucket.clone());
        let keys = bucket.credentials();
        world.program.write("rsa_key.p8", &snowflake::private_key());
        let settings = format!(
            "{{type: snowflake, account: {}, url: \"{}\", user: {}, private_key_file: \"{}\", \
             database: {}, warehouse: LOADING_WH, storage_integration: LAKE, \
             staging: {{url: \"s3://lake/staging\", region: us-east-1, endpoint: \"{}\", \
             access_key_id: {}, secret_access_key: {}}}}}",
            snowflake::ACCOUNT,
            server.url(),
            snowflake::USER,
            world.program.path("rsa_key.p8").display(),
            snowflake::DATABASE,
            bucket.endpoint(),
            keys.access_key_id,
            keys.secret_access_key,
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
        world.program.write("tributary.yaml", &(text + &mirror));
        Self {
            world,
            server,
            _bucket: bucket,
        }
    }

    /// Asserts that both destinations hold the same.
    async fn assert_same(&self, more: &'static [(&'static str, DataType)], when: &str) {
        for (table, columns) in tables(more) {
            let types: Vec<DataType> = columns.iter().map(|(_, data_type)| *data_type).collect();
            let select = |fold: fn(&str) -> String| {
                let names: Vec<String> = columns
                    .iter()
                    .map(|(name, _)| format!("\"{}\"", fold(name).replace('"', "\"\"")))
                    .collect();
                format!(
                    "SELECT {} FROM {}.{}",
                    names.join(", "),
                    fold("d"),
                    fold(table)
                )
            };
            let program = &self.world.program;
            let there = rows(
                program,
                "warehouse",
                &select(|name| name.to_ascii_uppercase()),
                &types,
            )
            .await;
            let here = rows(program, "mirror", &select(str::to_owned), &types).await;
            assert_eq!(there, here, "{table} {when}");
            assert!(there.len() > 1, "{table} {when}");
        }
    }
}

#[tokio::test]
async fn a_database_arrives_as_in_duckdb() {
    let cloud = Cloud::new().await;
    let (program, source) = (&cloud.world.program, &cloud.world.server);
    program
        .run(&["check"])
        .await
        .exits(0)
        .says("merged and undone");
    program.run(&["sync"]).await.exits(0);
    cloud.assert_same(&[], "after the first sync").await;

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
    // The reply of the commit is lost, and asked for again.
    cloud
        .server
        .fail_once("\"SEQUENCE\" = \"SEQUENCE\" + 1", Fault::LostAfter);
    program.run(&["sync"]).await.exits(0);
    let added = &[("added", DataType::Text)];
    cloud.assert_same(added, "after changes").await;
    let loads = cloud
        .server
        .number("SELECT COUNT(*) FROM \"_TRIBUTARY\".\"LOADS\"");
    program.run(&["verify", NAME]).await.exits(0);

    program
        .run(&["sync", "--full-refresh", "main:d.t"])
        .await
        .exits(0);
    program
        .run(&["sync", "--full-refresh", "mirror:d.t"])
        .await
        .exits(0);
    cloud.assert_same(added, "after a full refresh").await;
    let more = cloud
        .server
        .number("SELECT COUNT(*) FROM \"_TRIBUTARY\".\"LOADS\"");
    assert!(more > loads, "{loads} {more}");
}

#[tokio::test]
async fn a_process_that_is_killed_anywhere_leaves_rows_and_cursor_together() {
    let cloud = Cloud::new().await;
    let (program, source) = (&cloud.world.program, &cloud.world.server);
    program.run(&["sync"]).await.exits(0);
    for (number, place) in [
        "load.after_stage",
        "load.before_commit",
        "load.after_commit",
    ]
    .iter()
    .enumerate()
    {
        let sql = format!(
            "INSERT INTO d.log VALUES ({0}, 'killed'); INSERT INTO d.keyless VALUES ('killed', 1);
             UPDATE d.t SET small = {0} WHERE id = 1",
            100 + number
        );
        source.execute(&sql).await;
        let env = [("FAILPOINTS", format!("{place}=return(kill)"))];
        let env: Vec<(&str, &str)> = env
            .iter()
            .map(|(key, value)| (*key, value.as_str()))
            .collect();
        let killed = program.start_with(&env, &["sync", NAME]).wait().await;
        assert_eq!(killed.code(), None, "{place}: it was not killed");
        program.run(&["sync"]).await.exits(0);
        cloud.assert_same(&[], place).await;
    }
}
