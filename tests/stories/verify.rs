//! Doubt, and what takes it away: a destination that was tampered with is compared with its source.

mod keyless;
mod lake;
mod postgres;
mod purged;
mod rejected;
mod values;

use duckdb::Connection;
use serde_json::Value;
use tributary_testkit::server::{Flavor, Options};
use tributary_testkit::shop::{Shop, TABLES, Writer};

use crate::world::{Setup, World};

/// Changes the DuckDB file behind the program's back.
fn tamper(world: &World, sql: &str) {
    let connection = Connection::open(world.file()).unwrap();
    if let Err(error) = connection.execute_batch(sql) {
        panic!("{sql}: {error}");
    }
}

/// The streams of a comparison, which exits with `code`.
async fn verify(world: &World, args: &[&str], code: i32) -> Vec<Value> {
    let args = [&["verify", "--output", "json"], args].concat();
    let document = world.program.run(&args).await.exits(code).json();
    let streams = &document["connections"][0]["streams"];
    streams.as_array().cloned().unwrap_or_default()
}

/// The one stream of a comparison.
async fn verify_one(world: &World, target: &str, code: i32) -> Value {
    let mut streams = verify(world, &[target], code).await;
    assert_eq!(streams.len(), 1, "{streams:#?}");
    streams.remove(0)
}

/// What was counted of missing, extra and different keys.
fn found(stream: &Value) -> [u64; 3] {
    ["missing", "extra", "different"].map(|name| stream[name].as_u64().unwrap())
}

/// A key that differs, as text: `different {"id":7} [name]`.
fn told(stream: &Value) -> Vec<String> {
    let keys = stream["keys"].as_array().unwrap();
    let mut told: Vec<String> = keys
        .iter()
        .map(|key| {
            let columns = key["columns"].as_array().unwrap();
            let names: Vec<_> = columns
                .iter()
                .map(|c| c["column"].as_str().unwrap())
                .collect();
            let difference = key["difference"].as_str().unwrap();
            format!("{difference} {} {names:?}", key["key"])
        })
        .collect();
    told.sort();
    told
}

async fn every_kind_of_tampering_is_found_and_repaired(flavor: Flavor) {
    let world = World::shop(flavor, Options::default(), Shop::SMALL).await;
    let streams = "streams: {shop.orders: {deletes: hard}}";
    world.configure(Setup {
        connection: streams,
        ..Setup::default()
    });
    world.sync().await;
    world
        .server
        .execute("DELETE FROM shop.customers WHERE id IN (5, 6)")
        .await;
    world.sync().await;
    let loads = world.loads();
    for stream in verify(&world, &["main"], 0).await {
        assert_eq!(stream["status"], "equal", "{stream:#}");
        assert_eq!(stream["rows_source"], stream["rows_destination"]);
    }
    assert_eq!(world.loads(), loads, "a comparison writes nothing");
    tamper(
        &world,
        "DELETE FROM warehouse.shop.orders WHERE id = 17;
         UPDATE warehouse.shop.orders SET id = 900001 WHERE id = 18;
         INSERT INTO warehouse.shop.orders SELECT * FROM warehouse.shop.orders WHERE id = 19;
         UPDATE warehouse.shop.orders SET total = total + 0.01 WHERE id = 20;
         UPDATE warehouse.shop.customers SET _tributary_deleted = true WHERE id = 7;
         UPDATE warehouse.shop.customers SET _tributary_deleted = false WHERE id = 5;
         UPDATE warehouse.shop.products SET title = title || ' ' WHERE sku IN
           (SELECT min(sku) FROM warehouse.shop.products);
         DELETE FROM warehouse.shop.order_lines WHERE order_id = 30 AND line_no = 1;",
    );
    let streams = verify(&world, &["main"], 1).await;
    let of = |name: &str| streams.iter().find(|s| s["stream"] == name).unwrap();
    assert_eq!(found(of("shop.orders")), [2, 1, 2]);
    assert_eq!(
        told(of("shop.orders")),
        [
            r#"different {"id":20} ["total"]"#,
            r#"extra {"id":900001} []"#,
            r#"missing {"id":17} []"#,
            r#"missing {"id":18} []"#,
            r#"repeated {"id":19} []"#,
        ]
    );
    assert_eq!(
        told(of("shop.customers")),
        [r#"extra {"id":5} []"#, r#"missing {"id":7} []"#]
    );
    assert_eq!(found(of("shop.products")), [0, 0, 1]);
    assert_eq!(
        told(of("shop.order_lines")),
        [r#"missing {"order_id":30,"line_no":1} []"#]
    );
    let text = world.program.run(&["verify", "main:shop.orders"]).await;
    text.exits(1)
        .says("missing id=17")
        .says("different id=20: total is");

    for stream in verify(&world, &["main", "--repair"], 0).await {
        assert_eq!(stream["status"], "repaired", "{stream:#}");
    }
    verify(&world, &["main"], 0).await;
    world.assert_equal(&TABLES).await;
    let gone = "SELECT count(*) FROM warehouse.shop.customers WHERE id IN (5, 6) \
                AND _tributary_deleted AND name IS NOT NULL";
    assert_eq!(
        world.number(gone),
        2,
        "a deleted row is marked again, with its values"
    );
    // The next sync goes on as if nothing had happened.
    world
        .server
        .execute("UPDATE shop.orders SET total = 3 WHERE id < 40")
        .await;
    world.sync().await;
    world.assert_equal(&TABLES).await;
}

#[tokio::test]
async fn what_was_tampered_with_is_found_and_repaired_from_mariadb() {
    every_kind_of_tampering_is_found_and_repaired(Flavor::MariaDb).await;
}

#[tokio::test]
async fn what_was_tampered_with_is_found_and_repaired_from_mysql() {
    every_kind_of_tampering_is_found_and_repaired(Flavor::MySql).await;
}

/// Three rows of many: the answer names them, and no others.
#[tokio::test]
async fn three_rows_in_two_hundred_thousand_are_found() {
    let sql = "CREATE DATABASE big;
        CREATE TABLE big.n (id BIGINT PRIMARY KEY, name VARCHAR(30), n INT);
        CREATE TABLE big.s (id VARCHAR(30) PRIMARY KEY, n INT);
        USE big;
        INSERT INTO big.n SELECT seq * 3, CONCAT('name ', seq), seq % 1000 FROM seq_1_to_200000;
        INSERT INTO big.s SELECT CONCAT('key ', id), n FROM big.n WHERE id <= 60000";
    let world = World::with(Flavor::MariaDb, sql).await;
    world.sync().await;
    tamper(
        &world,
        "DELETE FROM warehouse.big.n WHERE id = 300003;
         UPDATE warehouse.big.n SET n = n + 1 WHERE id = 3;
         INSERT INTO warehouse.big.n (id, name, n) VALUES (300004, 'x', 1);
         DELETE FROM warehouse.big.s WHERE id = 'key 30000';
         UPDATE warehouse.big.s SET id = 'KEY 33' WHERE id = 'key 33';",
    );
    let streams = verify(&world, &["main"], 1).await;
    assert_eq!(streams[0]["rows_source"], 200_000);
    assert_eq!(
        told(&streams[0]),
        [
            r#"different {"id":3} ["n"]"#,
            r#"extra {"id":300004} []"#,
            r#"missing {"id":300003} []"#,
        ]
    );
    assert_eq!(
        told(&streams[1]),
        [
            r#"extra {"id":"KEY 33"} []"#,
            r#"missing {"id":"key 30000"} []"#,
            r#"missing {"id":"key 33"} []"#,
        ]
    );
    // Whole parts that are gone are counted, and told up to a limit.
    tamper(&world, "DELETE FROM warehouse.big.n WHERE id > 330000");
    let streams = verify(&world, &["main:big.n", "--limit", "2"], 1).await;
    assert_eq!(found(&streams[0]), [90_001, 1, 1]);
    assert_eq!(streams[0]["keys"].as_array().unwrap().len(), 2);
    verify(&world, &["main", "--repair"], 0).await;
    assert_eq!(
        world.number(
            "SELECT count(*) FROM warehouse.big.n WHERE _tributary_deleted IS DISTINCT FROM TRUE"
        ),
        200_000
    );
}

/// Values that the configuration hides are compared hidden and never told; columns and rows that it
/// leaves out are not compared.
#[tokio::test]
async fn hidden_values_are_compared_and_never_told() {
    let world = World::with(
        Flavor::MariaDb,
        "CREATE DATABASE p; CREATE TABLE p.t (id INT PRIMARY KEY, email VARCHAR(50), iban VARCHAR(50), \
         pin INT, note VARCHAR(50)); \
         INSERT INTO p.t VALUES (1, 'ann@example.com', 'DE0012345', 11, 'a'), \
         (2, 'bob@example.com', 'DE0067890', 22, 'b'), (9, NULL, NULL, 9, 'not wanted')",
    )
    .await;
    world.configure(Setup {
        connection: "salt: pepper-and-more-pepper, streams: {p.t: {where: \"id < 9\", columns: {email: hash, \
                     iban: {mask: {keep_last: 2}}, pin: exclude, note: {rename: remark}}}}",
        ..Setup::default()
    });
    world.sync().await;
    verify_one(&world, "main:p.t", 0).await;
    tamper(
        &world,
        "UPDATE warehouse.p.t SET email = 'leaked-hash', iban = 'leaked-mask' WHERE id = 1;
         UPDATE warehouse.p.t SET remark = 'c' WHERE id = 2;
         ALTER TABLE warehouse.p.t ADD COLUMN mine INTEGER;",
    );
    let stream = verify_one(&world, "main:p.t", 1).await;
    assert_eq!(
        told(&stream),
        [
            r#"different {"id":1} ["email", "iban"]"#,
            r#"different {"id":2} ["remark"]"#
        ]
    );
    assert_eq!(stream["columns_unknown"], serde_json::json!(["mine"]));
    let text = stream.to_string();
    for secret in ["ann@example", "leaked", "DE00", "45", "pin"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert!(text.contains(r#""source":"b""#) && text.contains(r#""destination":"c""#));
    verify(&world, &["main", "--repair"], 0).await;
    // A column that is gone is a difference, whatever the rows hold.
    tamper(&world, "ALTER TABLE warehouse.p.t DROP COLUMN remark");
    let stream = verify_one(&world, "main:p.t", 1).await;
    assert_eq!(stream["columns_missing"], serde_json::json!(["remark"]));
}

/// Keys that no side can sort are read whole again: very many of them on their way leave nothing unresolved.
#[tokio::test]
async fn many_keys_on_their_way_are_no_differences() {
    let sql = "CREATE DATABASE big; CREATE TABLE big.s (id VARCHAR(30) PRIMARY KEY, n INT);
        USE big; INSERT INTO big.s SELECT CONCAT('key ', seq), 0 FROM seq_1_to_20000";
    let world = World::with(Flavor::MariaDb, sql).await;
    let text = format!("memory: 2MiB\n{}", world.yaml(Setup::default()));
    world.program.write("tributary.yaml", &text);
    world.sync().await;
    world
        .server
        .execute("UPDATE big.s SET n = 1 ORDER BY id LIMIT 5000")
        .await;
    let stream = verify_one(&world, "main:big.s", 0).await;
    assert_eq!(stream["unresolved"], 0, "{stream:#}");
    assert_eq!(stream["changed_since_sync"], 5000);
    tamper(
        &world,
        "DELETE FROM warehouse.big.s WHERE id = 'key 9999'; UPDATE warehouse.big.s SET n = 7 WHERE id = 'key 9998'",
    );
    let stream = verify_one(&world, "main:big.s", 1).await;
    assert_eq!(
        told(&stream),
        [
            r#"different {"id":"key 9998"} ["n"]"#,
            r#"missing {"id":"key 9999"} []"#
        ]
    );
    verify(&world, &["main:big.s", "--repair"], 0).await;
    world.sync().await;
    world.assert_equal(&["big.s"]).await;
}

/// What is on its way is no difference, and what is not on its way is one, however busy the source.
#[tokio::test]
async fn changes_on_their_way_are_no_differences() {
    let world = World::shop(Flavor::MariaDb, Options::default(), Shop::SMALL).await;
    world
        .server
        .execute("CREATE TABLE shop.calm (id INT PRIMARY KEY, n INT); INSERT INTO shop.calm VALUES (1, 1), (2, 2), (3, 3)")
        .await;
    world.sync().await;
    world
        .server
        .execute(
            "UPDATE shop.orders SET total = 1 WHERE id < 20; DELETE FROM shop.orders WHERE id = 30; \
             INSERT INTO shop.products SELECT CONCAT('new-', sku), title, description, price, weight_kg, \
             attributes, thumbnail FROM shop.products LIMIT 3",
        )
        .await;
    for stream in verify(&world, &["main"], 0).await {
        assert_eq!(stream["status"], "equal", "{stream:#}");
    }
    tamper(&world, "UPDATE warehouse.shop.calm SET n = 7 WHERE id = 2");
    let writer = Writer::start(&world.server, Shop::SMALL, 3, 7);
    for round in 0..4 {
        for stream in verify(&world, &["main"], 1).await {
            if stream["stream"] == "shop.calm" {
                assert_eq!(told(&stream), [r#"different {"id":2} ["n"]"#]);
            } else {
                assert_eq!(stream["status"], "equal", "round {round}: {stream:#}");
            }
        }
        if round == 1 {
            world.sync().await;
        }
    }
    for stream in verify(&world, &["main", "--repair"], 0).await {
        let repaired = u64::from(stream["stream"] == "shop.calm");
        assert_eq!(stream["repaired"], repaired, "{stream:#}");
    }
    writer.stop().await;
    world.sync().await;
    verify(&world, &["main"], 0).await;
    world.assert_equal(&TABLES).await;
}

#[tokio::test]
async fn what_can_not_be_compared_says_why() {
    let world = World::with(
        Flavor::MariaDb,
        "CREATE DATABASE w; CREATE TABLE w.kept (id INT PRIMARY KEY, n INT); \
         CREATE TABLE w.every (id INT PRIMARY KEY, n INT); CREATE TABLE w.keyless (n INT); \
         CREATE TABLE w.versions (id INT PRIMARY KEY, n INT); \
         INSERT INTO w.versions VALUES (1, 1), (2, 2), (3, 3); CREATE TABLE w.e (id ENUM('b','a') PRIMARY KEY, n INT); INSERT INTO w.e VALUES ('a', 1), ('b', 2); \
         INSERT INTO w.kept VALUES (1, 1), (2, 2); INSERT INTO w.every VALUES (1, 1); \
         INSERT INTO w.keyless VALUES (1)",
    )
    .await;
    world.configure(Setup {
        connection: "streams: {w.kept: {deletes: ignore}, w.every: {mode: append}, \
                     w.versions: {mode: history}, w.keyless: {mode: history}}",
        ..Setup::default()
    });
    world.program.run(&["verify"]).await.exits(2);
    world
        .program
        .run(&["verify", "mian"])
        .await
        .exits(2)
        .says("Did you mean `main`?");
    world
        .program
        .run(&["verify", "main"])
        .await
        .exits(1)
        .says("tributary sync");
    assert!(!world.file().exists(), "a comparison makes no file");
    world.sync().await;
    let text = world
        .program
        .run(&["verify", "main:w.every"])
        .await
        .exits(2);
    text.says("mode: append");
    let text = world
        .program
        .run(&["verify", "main:w.keyless"])
        .await
        .exits(2);
    text.says("has no key");
    world
        .program
        .run(&["verify", "main:w.no"])
        .await
        .exits(2)
        .says("w.no");
    // Rows that were deleted stay with `deletes: ignore`, and that is no difference.
    world
        .server
        .execute("DELETE FROM w.kept WHERE id = 1")
        .await;
    world.sync().await;
    let stream = verify_one(&world, "main:w.kept", 0).await;
    assert_eq!((&stream["kept"], &stream["extra"]), (&1.into(), &0.into()));
    // Keys that the server can't walk by are compared all the same.
    tamper(&world, "UPDATE warehouse.w.e SET n = 3 WHERE id = 'a'");
    let stream = verify_one(&world, "main:w.e", 1).await;
    assert_eq!(told(&stream), [r#"different {"id":"a"} ["n"]"#]);
    verify(&world, &["main:w.e", "--repair"], 0).await;
    // A layout that is on its way is no difference either.
    world
        .server
        .execute("ALTER TABLE w.kept ADD COLUMN m INT DEFAULT 4")
        .await;
    let text = world.program.run(&["verify", "main:w.kept"]).await.exits(1);
    text.says("has changed since the last sync");
    world.sync().await;
    verify_one(&world, "main:w.kept", 0).await;
    // They do not stand in the way of the others.
    let streams = verify(&world, &["main"], 0).await;
    let status = |name: &str| {
        let stream = streams.iter().find(|stream| stream["stream"] == name);
        stream.unwrap()["status"].clone()
    };
    assert_eq!(status("w.kept"), "equal");
    assert_eq!(
        (status("w.every"), status("w.keyless")),
        ("skipped".into(), "skipped".into())
    );
    // Of a history the versions that are current are compared.
    world
        .server
        .execute("UPDATE w.versions SET n = 11 WHERE id = 1; DELETE FROM w.versions WHERE id = 3")
        .await;
    world.sync().await;
    verify_one(&world, "main:w.versions", 0).await;
    tamper(
        &world,
        "UPDATE warehouse.w.versions SET n = 12 WHERE id = 1 AND _tributary_is_current;
         DELETE FROM warehouse.w.versions WHERE id = 2;
         UPDATE warehouse.w.versions SET n = 5 WHERE id = 1 AND NOT _tributary_is_current;",
    );
    let stream = verify_one(&world, "main:w.versions", 1).await;
    assert_eq!(
        told(&stream),
        [r#"different {"id":1} ["n"]"#, r#"missing {"id":2} []"#]
    );
    verify(&world, &["main:w.versions", "--repair"], 0).await;
}
