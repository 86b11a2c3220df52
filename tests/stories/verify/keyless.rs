//! Rows without a key: counted on both sides, and written anew as often as the source has them.

use serde_json::Value;
use tributary_testkit::server::Flavor;

use super::{found, tamper, told, verify, verify_one};
use crate::world::postgres::Analytics;
use crate::world::{Setup, World, postgres};

const TABLES: &str = "CREATE DATABASE k;
    CREATE TABLE k.soft (word VARCHAR(20), n INT, pin VARCHAR(20));
    INSERT INTO k.soft VALUES ('a', 1, '11'), ('b', 2, '22'), ('b', 2, '22'), ('b', 2, '22'), ('c', NULL, NULL);
    CREATE TABLE k.hard LIKE k.soft; INSERT INTO k.hard SELECT * FROM k.soft";
const OPTIONS: &str = "salt: pepper-and-more-pepper, streams: {k.soft: {columns: {pin: hash}}, \
    k.hard: {deletes: hard, columns: {pin: exclude}}}";
/// One copy goes, one comes that is not the source's, and a value is another.
const TAMPER: &str = "DELETE FROM k.soft WHERE word = 'b' AND _tributary_id LIKE '%-2';
    INSERT INTO k.soft SELECT * FROM k.soft WHERE word = 'a';
    UPDATE k.soft SET n = 9 WHERE word = 'c';
    DELETE FROM k.hard WHERE word = 'b' AND _tributary_id NOT LIKE '%-3';
    UPDATE k.hard SET word = 'A' WHERE word = 'a';";

const SOFT: [&str; 4] = [
    r#"extra {"word":"a","n":1} []"#,
    r#"extra {"word":"c","n":9} []"#,
    r#"missing {"word":"b","n":2} []"#,
    r#"missing {"word":"c","n":null} []"#,
];
const HARD: [&str; 4] = [
    r#"extra {"word":"A","n":1} []"#,
    r#"missing {"word":"a","n":1} []"#,
    r#"missing {"word":"b","n":2} []"#,
    r#"missing {"word":"b","n":2} []"#,
];

async fn all_equal(world: &World, when: &str) {
    for stream in verify(world, &["main"], 0).await {
        assert_eq!(stream["status"], "equal", "{when}: {stream:#}");
        assert_eq!(stream["rows_source"], stream["rows_destination"], "{when}");
    }
}

async fn change(world: &World) {
    let sql = "INSERT INTO k.soft VALUES ('b', 2, '22'), ('d', 4, NULL);
        DELETE FROM k.soft WHERE word = 'a'; UPDATE k.hard SET n = 3 WHERE word = 'b' LIMIT 1";
    world.server.execute(sql).await;
}

/// What the source and the log say, once equal rows are numbered again, comes out right.
async fn go_on(world: &World) {
    change(world).await;
    for stream in verify(world, &["main"], 0).await {
        assert!(
            stream["changed_since_sync"].as_u64().unwrap() > 0,
            "{stream:#}"
        );
    }
    world.sync().await;
    all_equal(world, "after more changes").await;
    let less =
        "DELETE FROM k.soft WHERE word = 'b' LIMIT 2; DELETE FROM k.hard WHERE word = 'b' LIMIT 1";
    world.server.execute(less).await;
    world.sync().await;
    all_equal(world, "after equal rows have gone").await;
}

async fn found_both(world: &World) {
    let streams = verify(world, &["main"], 1).await;
    let of = |name: &str| -> &Value { streams.iter().find(|s| s["stream"] == name).unwrap() };
    assert_eq!(told(of("k.soft")), SOFT);
    assert_eq!(told(of("k.hard")), HARD);
    assert_eq!(found(of("k.soft")), [2, 2, 0]);
    assert_eq!(found(of("k.hard")), [3, 1, 0]);
    let repaired = verify(world, &["main", "--repair"], 0).await;
    assert!(repaired.iter().all(|stream| stream["status"] == "repaired"));
    all_equal(world, "after the repair").await;
}

#[tokio::test]
async fn rows_without_a_key_are_counted_and_repaired() {
    let world = World::with(Flavor::MariaDb, TABLES).await;
    world.configure(Setup {
        connection: OPTIONS,
        ..Setup::default()
    });
    world.sync().await;
    all_equal(&world, "after the copy").await;
    tamper(&world, &TAMPER.replace("k.", "warehouse.k."));
    found_both(&world).await;
    let copies = "SELECT count(DISTINCT _tributary_id) FROM k.soft WHERE word = 'b' AND NOT _tributary_deleted";
    assert_eq!(world.number(copies), 3);
    assert_eq!(
        world.number("SELECT count(*) FROM k.hard"),
        5,
        "nothing is left behind"
    );
    go_on(&world).await;
    // A row that nobody but us can have an identity for is told, and never counted as mended.
    tamper(
        &world,
        "INSERT INTO warehouse.k.hard (word, n) VALUES ('mine', 1)",
    );
    let stream = verify_one(&world, "main:k.hard", 1).await;
    assert_eq!(told(&stream), [r#"extra {"word":"mine","n":1} []"#]);
    verify(&world, &["main:k.hard", "--repair"], 1).await;
}

#[tokio::test]
async fn rows_without_a_key_are_counted_in_postgres() {
    let setup = postgres::Setup {
        source: "databases: [k]",
        connection: OPTIONS,
        ..postgres::Setup::default()
    };
    let analytics = Analytics::with(TABLES, setup).await;
    analytics.world.sync().await;
    let copy =
        "INSERT INTO k.soft (word, n, pin, _tributary_id) SELECT word, n, pin, 'another' FROM";
    let tamper = TAMPER.replace("INSERT INTO k.soft SELECT * FROM", copy);
    analytics.execute(&tamper).await;
    found_both(&analytics.world).await;
    go_on(&analytics.world).await;
}
