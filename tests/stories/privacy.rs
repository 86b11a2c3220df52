//! What is hidden or left out is nowhere: not in the table, not among rejected rows, not in what the
//! program says. And what was there before a rule came is said, and hidden by copying it anew.

use std::fs;

use serde_json::Value;
use tributary_testkit::server::Flavor;

use crate::world::{Setup, World};

/// Values that nobody may see; each stands in a column that is hidden.
const SECRETS: [&str; 7] = [
    "anna.canary@example.com",
    "+49 30 555 0199",
    "078-05-1120",
    "canary-diary",
    "1979-07-09",
    "98765.43",
    "7777-07-00",
];

const PEOPLE: &str = "SET sql_mode = ''; CREATE DATABASE d CHARACTER SET utf8mb4; CREATE TABLE d.people (
        id INT PRIMARY KEY, email VARCHAR(80), phone VARCHAR(40), ssn VARCHAR(20), notes JSON,
        born DATE, salary DECIMAL(10,2), seen DATE, secret_day DATE, other VARCHAR(80));
    INSERT INTO d.people VALUES
        (1, 'anna.canary@example.com', '+49 30 555 0199', '078-05-1120', '{\"a\": \"canary-diary\"}',
            '1979-07-09', 98765.43, '2024-01-01', '2024-01-01', 'anna.canary@example.com'),
        (2, 'anna.canary@example.com', '+49 30 555 0199', '078-05-1120', '{\"a\": \"canary-diary\"}',
            '1979-07-09', 98765.43, '2024-00-15', '2024-01-01', NULL),
        (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '7777-07-00', 'ok')";

const RULES: &str = "salt: pepper, streams: {d.people: {columns: {email: hash, phone: {mask: {keep_last: 3}},
    ssn: exclude, notes: mask, born: {mask: null}, salary: {mask: {constant: \"-\"}}, secret_day: hash,
    other: {mask: email}}}}";

fn assert_unseen(world: &World, said: &str) {
    let file = fs::read(world.file()).unwrap();
    let file = String::from_utf8_lossy(&file);
    for secret in SECRETS {
        assert!(!said.contains(secret), "{secret} was said:\n{said}");
        assert!(!file.contains(secret), "{secret} is in the file");
    }
}

#[tokio::test]
async fn what_is_hidden_is_nowhere() {
    let world = World::with(Flavor::MariaDb, PEOPLE).await;
    world.configure(Setup {
        source: "zero_dates: reject",
        connection: RULES,
        ..Setup::default()
    });
    let log = "SET GLOBAL log_output = 'TABLE', general_log = 1";
    world.server.execute(log).await;
    let args = ["--log-level", "trace", "sync", "--output", "json"];
    let finished = world.program.run(&args).await.exits(0);
    let counts = &finished.json()["connections"][0]["streams"][0];
    assert_eq!(
        (
            &counts["records_read"],
            &counts["records_written"],
            &counts["records_rejected"]
        ),
        (&3.into(), &1.into(), &2.into())
    );
    assert_unseen(&world, &format!("{}{}", finished.stdout, finished.stderr));
    let table = world.ask("SELECT phone, notes, born, salary, other, length(email) FROM d.people");
    let stars = "*".repeat(r#"{"a": "canary-diary"}"#.len());
    let shown: Vec<_> = table[0].iter().map(Option::as_deref).collect();
    let expected = [
        Some("************199"),
        Some(stars.as_str()),
        None,
        Some("-"),
        Some("a***@example.com"),
        Some("64"),
    ];
    assert_eq!(shown, expected);
    let types = "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 'people'
        AND column_name IN ('born', 'salary', 'notes', 'ssn') ORDER BY 1";
    let types: Vec<_> = world.ask(types).into_iter().flatten().flatten().collect();
    assert_eq!(
        types,
        ["born", "DATE", "notes", "VARCHAR", "salary", "VARCHAR"]
    );
    // The same value is the same hash, in the table and in a rejected row.
    let rejected = world.ask("SELECT \"column\", value, reason, \"row\" FROM _tributary.rejected ORDER BY \"row\"->>'id'");
    let row: Value = serde_json::from_str(rejected[0][3].as_deref().unwrap()).unwrap();
    assert_eq!(rejected[0][0].as_deref(), Some("seen"));
    assert_eq!(rejected[0][1].as_deref(), Some("2024-00-15"));
    let hash = world.ask("SELECT email FROM d.people");
    assert_eq!(row["email"].as_str(), hash[0][0].as_deref());
    assert_eq!(row.get("ssn"), None);
    assert_eq!(rejected[1][0].as_deref(), Some("secret_day"));
    assert_eq!(rejected[1][1].as_deref().map(str::len), Some(64));
    // The source was not asked for what is left out.
    let reads = world
        .server
        .rows(
            "SELECT argument FROM mysql.general_log WHERE argument LIKE '%SELECT%`phone`%people%'",
        )
        .await;
    assert!(!reads.is_empty());
    assert!(!format!("{reads:?}").contains("ssn"), "{reads:?}");
}

#[tokio::test]
async fn a_hash_is_the_same_wherever_the_salt_is() {
    let sql = "CREATE DATABASE d; CREATE TABLE d.a (id INT PRIMARY KEY, who INT);
        CREATE TABLE d.b (id INT PRIMARY KEY, who VARCHAR(20));
        INSERT INTO d.a VALUES (1, 42); INSERT INTO d.b VALUES (1, '42')";
    let world = World::with(Flavor::MariaDb, sql).await;
    let port = world.server.port();
    let yaml = world.yaml(Setup {
        port: Some(port),
        connection: "select: [d.a], defaults: {columns: {who: hash}}, salt: one",
        ..Setup::default()
    });
    let more = "  same: {source: shop, destination: warehouse, select: [d.b], salt: one,
    defaults: {columns: {who: hash}}}
  other: {source: shop, destination: warehouse, select: [d.b], salt: two,
    streams: {d.b: {columns: {who: hash}, table: d.c}}}\n";
    world
        .program
        .write("tributary.yaml", &format!("{yaml}{more}"));
    world.sync().await;
    let hash = |table: &str| {
        world.ask(&format!("SELECT who FROM {table}"))[0][0]
            .clone()
            .unwrap()
    };
    assert_eq!(hash("d.a"), hash("d.b"));
    assert_ne!(hash("d.a"), hash("d.c"));
}

#[tokio::test]
async fn hiding_later_is_said_and_a_full_refresh_hides_what_is_there() {
    let sql =
        "SET sql_mode = ''; CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY, email VARCHAR(80),
            n INT, x INT, seen DATE); CREATE TABLE d.z (id INT PRIMARY KEY, email VARCHAR(80));
        INSERT INTO d.t VALUES (1, 'anna.canary@example.com', 123456789, 1, NULL),
            (3, 'third.canary@example.com', 3, 3, '2024-00-15'), (9, 'ninth.canary@example.com', 9, 9, NULL);
        INSERT INTO d.z VALUES (1, 'anna.canary@example.com')";
    let world = World::with(Flavor::MariaDb, sql).await;
    let rules = |columns: &str| {
        world.configure(Setup {
            source: "databases: [d], zero_dates: reject",
            connection: &format!(
                "salt: s, streams: {{d.t: {{columns: {{{columns}}}}}, \
                 d.z: {{mode: history, columns: {{email: mask}}}}}}"
            ),
            ..Setup::default()
        });
    };
    world.configure(Setup {
        source: "databases: [d], zero_dates: reject",
        connection: "streams: {d.z: {mode: history}}",
        ..Setup::default()
    });
    world.sync().await;
    world.server.execute("DELETE FROM d.t WHERE id = 9").await;
    world.sync().await;
    let rejected =
        "SELECT count(*) FROM _tributary.rejected WHERE CAST(\"row\" AS VARCHAR) LIKE '%canary%'";
    assert_eq!(world.number(rejected), 1);
    let warnings = async |args: &[&str]| {
        let all = [&["sync", "--output", "json"], args].concat();
        let report = world.program.run(&all).await.exits(0).json();
        let warnings = &report["connections"][0]["streams"][0]["warnings"];
        let mut warnings = warnings.as_array().cloned().unwrap_or_default();
        // Runs without rows are told of too.
        warnings.retain(|warning| warning.as_str().is_some_and(|text| text.starts_with('`')));
        warnings
    };
    rules("email: hash, n: {mask: {keep_last: 1}}, x: exclude");
    world
        .server
        .execute("INSERT INTO d.t VALUES (2, 'b', 987654321, 2, NULL)")
        .await;
    let offer = "tributary sync main:d.t --full-refresh";
    let dry = world.program.run(&["sync", "--dry-run"]).await.exits(0);
    dry.says("rows from before still have it in clear")
        .says(offer);
    let text = world.program.run(&["sync"]).await.exits(0);
    text.says("`email` is hashed from now on; rows from before still have it in clear")
        .says(offer);
    assert_eq!(warnings(&[]).await.len(), 3, "until it is done");
    assert_eq!(warnings(&["--full-refresh"]).await, Vec::<Value>::new());
    let clear = "SELECT count(*) FROM d.t AS t WHERE CAST(t AS VARCHAR) SIMILAR TO '.*(canary|123456789).*'";
    assert_eq!(world.number(clear), 0);
    assert_eq!(world.number("SELECT count(*) FROM d.t"), 2);
    assert_eq!(world.number(rejected), 0);
    let waits = "SELECT count(*) FROM _tributary.rejected WHERE length(\"row\"->>'email') = 64";
    assert_eq!(world.number(waits), 1);
    // A history keeps its versions until its table is dropped.
    let history = "SELECT count(*) FROM d.z WHERE email LIKE '%canary%'";
    assert_eq!(world.number(history), 1);
    let text = world.program.run(&["sync"]).await.exits(0);
    text.says("drop the table to begin it anew");
    let file = duckdb::Connection::open(world.file()).unwrap();
    file.execute_batch("DROP TABLE d.z").unwrap();
    drop(file);
    world.sync().await;
    let again = world.sync().await;
    assert!(!again.to_string().contains("drop the table"), "{again}");
    assert_eq!(world.number("SELECT count(*) FROM d.z"), 1);
    assert_eq!(world.number(history), 0);
    assert_eq!(warnings(&[]).await, Vec::<Value>::new());
    rules("n: {mask: {keep_last: 1}}, x: exclude");
    let said = warnings(&[]).await;
    let said = said[0].as_str().unwrap();
    assert!(said.starts_with("`email` is no longer hidden"), "{said}");
}

#[tokio::test]
async fn a_key_is_never_hidden() {
    let sql = "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY, v INT);
        CREATE TABLE d.u (id INT PRIMARY KEY)";
    let world = World::with(Flavor::MariaDb, sql).await;
    for rule in ["hash", "exclude", "mask", "{mask: email}"] {
        world.configure(Setup {
            connection: &format!("salt: s, streams: {{d.t: {{columns: {{id: {rule}}}}}}}"),
            ..Setup::default()
        });
        let run = world.program.run(&["sync", "--dry-run"]).await.exits(3);
        run.says("a key column of d.t")
            .says("Remove the rule for `id`");
    }
}
