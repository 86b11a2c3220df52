//! PostgreSQL spells values its own way, and takes documents apart: none of that is a difference.

use super::{told, verify, verify_one};
use crate::world::postgres::{Analytics, Setup};

const TABLES: &str = "CREATE DATABASE d;
    CREATE TABLE d.t (id BIGINT UNSIGNED PRIMARY KEY, small SMALLINT, flag TINYINT(1), vast BIGINT UNSIGNED,
      price DECIMAL(30,10), exact DECIMAL(65,30), f FLOAT, twice DOUBLE, note TEXT, raw VARBINARY(20), day DATE,
      at DATETIME(6), moment TIMESTAMP(6) NULL, clock TIME(3), doc JSON);
    INSERT INTO d.t VALUES
      (1, -32768, 1, 18446744073709551615, -12345678901234567890.0123456789, 1.000000000000000000000000000001,
       0.1, 0.1, 'naïve ☕', X'00FF5C', '1000-01-01', '9999-12-31 23:59:59.999999', '2024-03-31 02:30:00.000001',
       '23:59:59.999', '{\"b\": [1, null, 1.50], \"a\": 1e2}'),
      (18446744073709551615, 1, 0, 0, 0, 0, -3.4e38, 1.7976931348623157e308, '', X'', '2024-02-29',
       '2024-02-29 00:00:00', '1970-01-02 00:00:00', '00:00:00', '[]'),
      (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
    CREATE TABLE d.s (sku VARCHAR(20) COLLATE utf8mb4_general_ci PRIMARY KEY, n INT);
    INSERT INTO d.s VALUES ('ä', 1), ('b', 2), ('C', 3);";

#[tokio::test]
async fn postgres_is_compared_and_repaired() {
    let analytics = Analytics::with(
        TABLES,
        Setup {
            source: "databases: [d]",
            connection: "streams: {d.s: {deletes: hard}}",
            ..Setup::default()
        },
    )
    .await;
    let world = &analytics.world;
    world.sync().await;
    world
        .server
        .execute("INSERT INTO d.t SELECT 7, small, flag, vast, price, exact, f, twice, note, raw, day, at, \
                  moment, clock, doc FROM d.t WHERE id = 1; DELETE FROM d.t WHERE id = 3; \
                  UPDATE d.s SET n = 4 WHERE sku = 'b'")
        .await;
    for when in ["on its way", "synced"] {
        for stream in verify(world, &["main"], 0).await {
            assert_eq!(stream["status"], "equal", "{when}: {stream:#}");
        }
        world.sync().await;
    }
    analytics
        .execute(
            "UPDATE d.t SET exact = exact + 0.000000000000000000000000000001, raw = '\\x00ff5d', \
               moment = moment + interval '1 microsecond' WHERE id = 1;
             UPDATE d.t SET _tributary_deleted = false WHERE id = 3;
             DELETE FROM d.t WHERE id = 18446744073709551615;
             UPDATE d.s SET sku = 'B' WHERE sku = 'b'",
        )
        .await;
    let stream = verify_one(world, "main:d.t", 1).await;
    assert_eq!(
        told(&stream),
        [
            r#"different {"id":1} ["exact", "raw", "moment"]"#,
            r#"extra {"id":3} []"#,
            r#"missing {"id":18446744073709551615} []"#,
        ]
    );
    let stream = verify_one(world, "main:d.s", 1).await;
    assert_eq!(
        told(&stream),
        [r#"extra {"sku":"B"} []"#, r#"missing {"sku":"b"} []"#]
    );
    // The repair gives a column its type back: nobody else may look at the table meanwhile.
    analytics
        .execute("ALTER TABLE d.s ALTER COLUMN n TYPE smallint")
        .await;
    verify(world, &["main", "--repair"], 0).await;
    let kind = "SELECT atttypid::regtype::text FROM pg_attribute WHERE attrelid = 'd.s'::regclass AND attname = 'n'";
    assert_eq!(analytics.words(kind).await, ["integer"]);
    for stream in verify(world, &["main"], 0).await {
        assert_eq!(stream["status"], "equal", "{stream:#}");
    }
    let rows = "SELECT count(*) FROM d.s";
    assert_eq!(analytics.number(rows).await, 3);
}
