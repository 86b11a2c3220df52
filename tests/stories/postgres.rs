//! PostgreSQL as a destination: what arrives there is what arrives in DuckDB, cell by cell.

mod rejected;

use serde_json::{Value, json};
use tributary_model::DataType;
use tributary_testkit::api::conformance::Runs;
use tributary_testkit::api::stripe::Stripe;
use tributary_testkit::postgres::Postgres;

use crate::world::postgres::{Analytics, Setup, address, port_of, rows};

const TABLES: &str = "CREATE DATABASE d;
    CREATE TABLE d.t (id INT PRIMARY KEY, small SMALLINT, vast BIGINT UNSIGNED, price DECIMAL(30,10),
      exact DECIMAL(65,30), single_precision FLOAT, twice DOUBLE, note TEXT, raw VARBINARY(20), day DATE,
      at DATETIME(6), moment TIMESTAMP(6) NULL, clock TIME(3), doc JSON, kind ENUM('a', 'b''s'),
      `Odd \"Name\"` VARCHAR(20), xmin INT);
    INSERT INTO d.t VALUES
      (1, -32768, 18446744073709551615, -12345678901234567890.0123456789, 99999999999999999999999999999999999.999999999999999999999999999999,
       0.5, 0.1, 'naïve ☕ \\\\ it''s', X'00FF5C', '1000-01-01', '9999-12-31 23:59:59.999999', '2024-03-31 02:30:00.000001', '23:59:59.999',
       '{\"b\": [1, null, \"☕\"], \"a\": 1.50}', 'b''s', 'x', 7),
      (2, 1, 0, 0, -0.000000000000000000000000000001, -3.4e38, 1.7976931348623157e308, '', X'', '2024-02-29', '2024-02-29 00:00:00',
       '1970-01-02 00:00:00', '00:00:00', '[]', 'a', '', NULL),
      (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
    CREATE TABLE d.keyless (word VARCHAR(20), n INT);
    INSERT INTO d.keyless VALUES ('a', 1), ('b', 2), ('b', 2);
    CREATE TABLE d.log (id INT PRIMARY KEY, word VARCHAR(20));
    INSERT INTO d.log VALUES (1, 'a'), (2, 'b');";
const SETUP: Setup<'_> = Setup {
    port: None,
    login: None,
    source: "databases: [d]",
    destination: "",
    connection: CONNECTION,
};
const CONNECTION: &str = "streams: {d.log: {mode: append}}";

/// The columns of `d.t`, with the types by which they are compared.
fn columns(more: &[(&'static str, DataType)]) -> Vec<(&'static str, DataType)> {
    let columns = [
        ("id", DataType::Int32),
        ("small", DataType::Int64),
        ("vast", DataType::Decimal(20, 0)),
        ("price", DataType::Decimal(30, 10)),
        ("exact", DataType::Decimal(65, 30)),
        ("single_precision", DataType::Float32),
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
    columns.into_iter().chain(more.iter().copied()).collect()
}

/// Asserts that both destinations hold the same; returns how many rows that are.
async fn assert_same(
    analytics: &Analytics,
    table: &str,
    columns: &[(&str, DataType)],
    when: &str,
) -> usize {
    let names: Vec<String> = columns
        .iter()
        .map(|(name, _)| format!("\"{}\"", name.replace('"', "\"\"")))
        .collect();
    let types: Vec<DataType> = columns.iter().map(|(_, data_type)| *data_type).collect();
    let sql = format!("SELECT {} FROM d.{table}", names.join(", "));
    let program = &analytics.world.program;
    let there = rows(program, "warehouse", &sql, &types).await;
    let here = rows(program, "mirror", &sql, &types).await;
    assert_eq!(there, here, "{table} {when}");
    there.len()
}

async fn assert_all_same(analytics: &Analytics, more: &[(&'static str, DataType)], when: &str) {
    assert!(assert_same(analytics, "t", &columns(more), when).await >= 3);
    let keyless = [
        ("word", DataType::Text),
        ("n", DataType::Int32),
        ("_tributary_id", DataType::Text),
        ("_tributary_deleted", DataType::Bool),
    ];
    assert_same(analytics, "keyless", &keyless, when).await;
    let log = [
        ("id", DataType::Int32),
        ("word", DataType::Text),
        ("_tributary_op", DataType::Text),
    ];
    assert_same(analytics, "log", &log, when).await;
}

#[tokio::test]
async fn a_database_arrives_as_in_duckdb() {
    let analytics = Analytics::with(TABLES, SETUP).await;
    analytics.mirror(CONNECTION);
    let (program, source) = (&analytics.world.program, &analytics.world.server);
    program.run(&["check"]).await.exits(0).says("rolled back");
    program.run(&["sync"]).await.exits(0);
    assert_all_same(&analytics, &[], "after the first sync").await;

    source
        .execute(
            "UPDATE d.t SET small = 7, note = 'changed', doc = '{}' WHERE id = 1;
             DELETE FROM d.t WHERE id = 2;
             INSERT INTO d.t (id, note) VALUES (4, 'new'), (5, 'gone at once');
             DELETE FROM d.t WHERE id = 5;
             DELETE FROM d.keyless WHERE word = 'a'; INSERT INTO d.keyless VALUES ('c', 3);
             UPDATE d.log SET word = 'c' WHERE id = 1; DELETE FROM d.log WHERE id = 2",
        )
        .await;
    program.run(&["sync"]).await.exits(0);
    assert_all_same(&analytics, &[], "after changes").await;

    source
        .execute(
            "ALTER TABLE d.t ADD COLUMN extra INT DEFAULT 5, MODIFY small BIGINT;
             UPDATE d.t SET small = 5000000000, extra = 6 WHERE id = 4;
             UPDATE d.t SET id = 40 WHERE id = 3;
             INSERT INTO d.t (id, small) VALUES (6, -5000000000)",
        )
        .await;
    program.run(&["sync"]).await.exits(0);
    let more = [("extra", DataType::Int32)];
    assert_all_same(&analytics, &more, "after a change of layout").await;
    let loads = analytics.loads().await;
    program.run(&["sync"]).await.exits(0);
    assert_eq!(analytics.loads().await, loads, "nothing new is no load");

    // Everything anew, over what is there; a view on it and its grants stay.
    analytics
        .execute(
            "CREATE VIEW watched AS SELECT id, note FROM d.t; GRANT SELECT ON d.t TO pg_monitor",
        )
        .await;
    program.run(&["sync", "--full-refresh"]).await.exits(0);
    assert_all_same(&analytics, &more, "after a full refresh").await;
    assert_eq!(analytics.number("SELECT count(*) FROM watched").await, 4);
    let granted = "SELECT has_table_privilege('pg_monitor', 'd.t', 'SELECT')::int::bigint";
    assert_eq!(analytics.number(granted).await, 1);
    program.run(&["status"]).await.exits(0).says("streaming");
}

/// What PostgreSQL can't hold as what it is goes to `_tributary.rejected`, and nothing else does.
#[tokio::test]
async fn what_does_not_fit_is_rejected_row_by_row() {
    let tables = "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY, note TEXT);
        INSERT INTO d.t VALUES (1, 'a'), (2, CONCAT('b', CHAR(0), 'c')), (3, 'd')";
    let analytics = Analytics::with(
        tables,
        Setup {
            connection: "",
            ..SETUP
        },
    )
    .await;
    let report = analytics
        .world
        .program
        .run(&["sync", "--output", "json"])
        .await;
    let report = report.exits(0).json();
    let stream = &report["connections"][0]["streams"][0];
    assert_eq!(
        (&stream["records_written"], &stream["records_rejected"]),
        (&json!(2), &json!(1)),
        "{report:#}"
    );
    let reason = "SELECT reason FROM _tributary.rejected WHERE \"column\" = 'note' \
        AND \"row\"::text LIKE '%\"id\":2,%'";
    let reasons = analytics.words(reason).await;
    assert!(reasons[0].contains("U+0000"), "{reasons:?}");
    assert_eq!(analytics.number("SELECT sum(id) FROM d.t").await, 4);
}

/// A first configuration is written from two addresses, and moves data with the password set.
#[tokio::test]
async fn init_knows_the_address_of_a_database() {
    let analytics = Analytics::with(
        "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY)",
        SETUP,
    )
    .await;
    let world = &analytics.world;
    let source = format!(
        "mysql://{}:${{SHOP_PASSWORD}}@127.0.0.1:{}/d",
        world.reader.name,
        world.server.port()
    );
    let login = "tributary:${PG_PASSWORD}";
    let destination = address(&analytics.postgres, None, Some(login));
    let args = ["init", &source, &destination, "--output", "first.yaml"];
    let made = world.program.run(&args).await.exits(0);
    made.says("export PG_PASSWORD=");
    let text = std::fs::read_to_string(world.program.path("first.yaml")).unwrap();
    assert!(text.contains("password: ${PG_PASSWORD}"), "{text}");
    let env = [("PG_PASSWORD", "sesame-open")];
    let args = ["--config", "first.yaml", "sync"];
    world.program.start_with(&env, &args).wait().await.exits(0);
    assert!(analytics.has("d.t").await);
}

/// Each right that is missing is named with the statement that gives it; with them all, data moves.
#[tokio::test]
async fn check_names_each_missing_right() {
    let setup = Setup {
        login: Some("loader:secret"),
        connection: "",
        ..SETUP
    };
    let analytics = Analytics::with(
        "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY)",
        setup,
    )
    .await;
    let program = &analytics.world.program;
    program
        .run(&["check"])
        .await
        .exits(1)
        .says("refused the login");
    analytics
        .execute(
            "REVOKE ALL ON DATABASE postgres FROM PUBLIC; CREATE USER loader PASSWORD 'secret'; \
             GRANT CONNECT ON DATABASE postgres TO loader",
        )
        .await;
    let missing = program.run(&["check"]).await.exits(1);
    let missing = missing
        .says("CREATE SCHEMA _tributary AUTHORIZATION \"loader\"")
        .says("GRANT TEMPORARY ON DATABASE \"postgres\" TO \"loader\"");
    missing.says("GRANT CREATE ON DATABASE \"postgres\" TO \"loader\"");
    program
        .run(&["sync"])
        .await
        .exits(1)
        .says("`tributary check` says which");

    // The way of those who may not let others make schemas.
    analytics
        .execute(
            "CREATE SCHEMA _tributary AUTHORIZATION loader; CREATE SCHEMA raw; \
             GRANT TEMPORARY ON DATABASE postgres TO loader",
        )
        .await;
    analytics.configure(Setup {
        destination: "schema: raw",
        ..setup
    });
    program
        .run(&["check"])
        .await
        .exits(1)
        .says("GRANT USAGE, CREATE ON SCHEMA \"raw\" TO \"loader\"");
    analytics
        .execute("GRANT USAGE, CREATE ON SCHEMA raw TO loader")
        .await;
    program.run(&["check"]).await.exits(0);
    assert!(
        !analytics.has("_tributary.state").await,
        "a check leaves nothing behind"
    );
    program.run(&["sync"]).await.exits(0);
    assert!(analytics.has("raw.t").await);
}

/// An authority, and a certificate of it for `localhost`; made where the server finds them.
const CERTIFICATES: &str = "COPY (SELECT 1) TO PROGRAM $$exec >/dev/null 2>&1; umask 077; \
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj '/CN=Testing' -keyout ca.key -out ca.pem && \
    openssl req -newkey rsa:2048 -nodes -subj '/CN=localhost' -keyout server.key -out server.csr && \
    printf 'subjectAltName=DNS:localhost' > names && \
    openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names \
      -out server.crt$$";

/// The words for encryption do what they say.
#[tokio::test]
async fn encryption_is_what_was_asked_for() {
    let tables = "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY)";
    let analytics = Analytics::with(tables, SETUP).await;
    let program = &analytics.world.program;
    let with = |destination: &'static str| {
        analytics.configure(Setup {
            destination,
            connection: "",
            ..SETUP
        });
    };
    with("tls: {mode: required}");
    let refused = program.run(&["check"]).await.exits(1);
    refused.says("offers no encryption");
    with("tls: {mode: disabled}");
    let plain = program.run(&["check"]).await.exits(0);
    plain.says("not encrypted");

    analytics.execute(CERTIFICATES).await;
    analytics.execute("ALTER SYSTEM SET ssl = on").await;
    analytics.execute("SELECT pg_reload_conf()").await;
    let authority = analytics.words("SELECT pg_read_file('ca.pem')").await;
    program.write("ca.pem", &authority[0]);
    // The server reads its configuration in its own time.
    with("tls: {mode: required}");
    let mut tries = 0;
    while program.run(&["check"]).await.code() != Some(0) {
        tries += 1;
        assert!(tries < 600, "the server never came to offer encryption");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    with("tls: {mode: verify_ca}");
    let stranger = program.run(&["check"]).await.exits(1);
    stranger.says("not trusted");
    // The certificate names `localhost`, and the address is 127.0.0.1.
    with("tls: {ca_file: ca.pem}");
    let nameless = program.run(&["check"]).await.exits(1);
    nameless.says("not trusted").says("localhost");
    for destination in [
        "tls: {mode: verify_ca, ca_file: ca.pem}",
        "tls: {ca_file: ca.pem}",
    ] {
        with(destination);
        let text = std::fs::read_to_string(program.path("tributary.yaml")).unwrap();
        let port = port_of(&analytics.postgres);
        let (address, name) = (format!("@127.0.0.1:{port}/"), format!("@localhost:{port}/"));
        assert!(text.contains(&address), "{text}");
        program.write("tributary.yaml", &text.replace(&address, &name));
        let known = program.run(&["check"]).await.exits(0);
        known.says("the connection is encrypted");
    }
    program.run(&["sync"]).await.exits(0);
    assert!(analytics.has("d.t").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn stripe_arrives_as_in_duckdb() {
    let now = tributary_testkit::api::clock::Clock::default().now();
    let mut stripe = Stripe::new(11, now - 300 * 86_400);
    stripe.account.populate(2, now);
    let runs = Runs::new(env!("CARGO_BIN_EXE_tributary"), stripe);
    let postgres = Postgres::start();
    let path = runs.program.path("tributary.yaml");
    let mut config: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let url = address(&postgres, None, None);
    config["destinations"]["analytics"] = json!({"type": "postgres", "url": url, "schema": "api"});
    config["connections"]["other"] = json!({"source": "api", "destination": "analytics"});
    runs.program.write("tributary.yaml", &config.to_string());
    runs.sync().await;
    runs.assert_true("in DuckDB");
    for (stream, columns) in [
        ("customers", "id, email, balance, metadata, address"),
        (
            "charges",
            "id, amount, currency, paid, payment_method_details",
        ),
        ("coupons", "id, percent_off, name, valid"),
    ] {
        let types: Vec<DataType> = columns.split(", ").map(|_| DataType::Json).collect();
        let sql = format!("SELECT {columns} FROM api.{stream}");
        let there = rows(&runs.program, "analytics", &sql, &types).await;
        let here = rows(&runs.program, "warehouse", &sql, &types).await;
        assert!(!here.is_empty(), "{stream} is empty");
        assert_eq!(there, here, "{stream}");
    }
}
