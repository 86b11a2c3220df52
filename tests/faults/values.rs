//! No value is changed on its way, and both ways are the same: rows that were there before the
//! first copy and the same rows from the log end up alike, and as they are in the source.

use tributary_testkit::server::{Flavor, Options};

use crate::world::{Setup, World};

/// A column, its type, and the literals that its rows go through.
type Kind = (&'static str, &'static str, &'static [&'static str]);

const KINDS: &[Kind] = &[
    ("i8", "TINYINT", &["-128", "127", "0", "-1", "NULL"]),
    ("u8", "TINYINT UNSIGNED", &["0", "255", "128", "NULL"]),
    ("flag", "TINYINT(1)", &["0", "1", "NULL"]),
    ("i16", "SMALLINT", &["-32768", "32767", "-1", "NULL"]),
    ("u16", "SMALLINT UNSIGNED", &["65535", "32768", "0"]),
    ("i24", "MEDIUMINT", &["-8388608", "8388607", "-1", "0"]),
    ("u24", "MEDIUMINT UNSIGNED", &["16777215", "8388608", "0"]),
    ("i32", "INT", &["-2147483648", "2147483647", "-1", "NULL"]),
    ("u32", "INT UNSIGNED", &["4294967295", "2147483648", "0"]),
    (
        "i64",
        "BIGINT",
        &["-9223372036854775808", "9223372036854775807", "-1", "NULL"],
    ),
    (
        "u64",
        "BIGINT UNSIGNED",
        &["18446744073709551615", "9223372036854775808", "0"],
    ),
    (
        "money",
        "DECIMAL(10,2)",
        &["-99999999.99", "99999999.99", "0", "-0.01", "NULL"],
    ),
    (
        "whole",
        "DECIMAL(18,0)",
        &["-999999999999999999", "999999999999999999", "0"],
    ),
    (
        "long_decimal",
        "DECIMAL(38,10)",
        &[
            "-9999999999999999999999999999.9999999999",
            "0.0000000001",
            "-1.5",
            "NULL",
        ],
    ),
    (
        "longest_decimal",
        "DECIMAL(65,30)",
        &[
            "99999999999999999999999999999999999.999999999999999999999999999999",
            "-0.000000000000000000000000000001",
            "NULL",
        ],
    ),
    (
        "f",
        "FLOAT",
        &["3.402823e38", "-1.5", "1.17549e-38", "0.1", "0", "NULL"],
    ),
    (
        "d",
        "DOUBLE",
        &[
            "1.7976931348623157e308",
            "-2.2250738585072014e-308",
            "0.1",
            "1e15",
            "0",
        ],
    ),
    (
        "day",
        "DATE",
        &[
            "'1000-01-01'",
            "'9999-12-31'",
            "'2024-02-29'",
            "'0000-00-00'",
            "'2024-00-15'",
            "NULL",
        ],
    ),
    (
        "t",
        "TIME",
        &[
            "'-838:59:59'",
            "'838:59:59'",
            "'00:00:00'",
            "'-00:00:01'",
            "NULL",
        ],
    ),
    (
        "t6",
        "TIME(6)",
        &[
            "'-838:59:58.999999'",
            "'-00:00:00.000001'",
            "'12:34:56.789012'",
            "'-01:00:00.500001'",
        ],
    ),
    (
        "moment",
        "DATETIME",
        &[
            "'1000-01-01 00:00:00'",
            "'9999-12-31 23:59:59'",
            "'0000-00-00 00:00:00'",
            "NULL",
        ],
    ),
    (
        "moment6",
        "DATETIME(6)",
        &[
            "'9999-12-31 23:59:59.999999'",
            "'1969-12-31 23:59:59.000001'",
            "'2024-02-29 12:00:00'",
        ],
    ),
    (
        "moment3",
        "DATETIME(3)",
        &["'1970-01-01 00:00:00.001'", "'2024-12-31 23:59:59.999'"],
    ),
    (
        "instant",
        "TIMESTAMP NULL",
        &[
            "'1970-01-01 00:00:01'",
            "'2038-01-19 03:14:07'",
            "'0000-00-00 00:00:00'",
            "NULL",
        ],
    ),
    (
        "instant6",
        "TIMESTAMP(6) NULL",
        &[
            "'1970-01-01 00:00:01.000001'",
            "'2038-01-19 03:14:07.999999'",
            "NULL",
        ],
    ),
    ("y", "YEAR", &["1901", "2155", "0000", "NULL"]),
    ("bit1", "BIT(1)", &["b'0'", "b'1'", "NULL"]),
    (
        "bit10",
        "BIT(10)",
        &["b'1000000001'", "b'0'", "b'1111111111'"],
    ),
    (
        "bit64",
        "BIT(64)",
        &["x'FFFFFFFFFFFFFFFF'", "x'8000000000000001'", "b'0'"],
    ),
    (
        "kind",
        "ENUM('a','b','','ä,ö')",
        &["'a'", "'ä,ö'", "''", "'no such'", "NULL"],
    ),
    (
        "many",
        "SET('x','y','ü')",
        &["''", "'x'", "'x,ü'", "'x,y,ü'", "NULL"],
    ),
    ("c", "CHAR(5)", &["'a'", "'a  '", "''", "'ünïcö'", "NULL"]),
    (
        "v",
        "VARCHAR(300)",
        &[
            "''",
            "'ünï ☕ 𝄞'",
            "'a  '",
            "REPEAT('é', 300)",
            "'O''Neill \\\\ \"x\"'",
        ],
    ),
    (
        "latin",
        "VARCHAR(50) CHARACTER SET latin1",
        &["'é€ÿ'", "''", "'plain'", "NULL"],
    ),
    (
        "wide",
        "VARCHAR(50) CHARACTER SET utf16",
        &["'ünï 𝄞'", "''", "NULL"],
    ),
    (
        "padded",
        "BINARY(5)",
        &["x'00'", "x'0102030405'", "''", "x'2020'", "NULL"],
    ),
    (
        "raw",
        "VARBINARY(300)",
        &["''", "x'00ff00'", "REPEAT(x'fe', 300)", "NULL"],
    ),
    ("short_text", "TINYTEXT", &["''", "'x'", "'naïve'"]),
    (
        "text",
        "TEXT",
        &["''", "REPEAT('long ☕ ', 5000)", "'a\\nb\\tc'", "NULL"],
    ),
    (
        "long_text",
        "LONGTEXT",
        &["REPEAT('y', 100000)", "''", "NULL"],
    ),
    ("short_blob", "TINYBLOB", &["''", "x'00'"]),
    ("blob_", "BLOB", &["REPEAT(x'00ff10', 20000)", "''", "NULL"]),
    ("long_blob", "LONGBLOB", &["x'deadbeef'", "''", "NULL"]),
    (
        "doc",
        "JSON",
        &[
            r#"'{"b": 1, "a": [1.5, "x", null, true, {"ü": "☕"}]}'"#,
            "'[]'",
            r#"'"text"'"#,
            "'-12345678901234567890'",
            "'null'",
            r#"'{"big": 18446744073709551615, "e": 1e300, "esc": "a\\"b\\\\c\\n"}'"#,
            "NULL",
        ],
    ),
];
/// More than the literals of any column, so that they meet in other combinations.
const ROWS: usize = 24;
/// How far the rows from the log are behind those of the first copy.
const BEHIND: usize = 1000;

fn table() -> String {
    let columns: Vec<_> = KINDS
        .iter()
        .map(|(name, kind, _)| format!("{name} {kind}"))
        .collect();
    format!(
        "CREATE TABLE d.t (id INT PRIMARY KEY, {})",
        columns.join(", ")
    )
}

fn insert(from: usize) -> String {
    let rows: Vec<_> = (1..=ROWS)
        .map(|row| {
            let cells: Vec<_> = KINDS
                .iter()
                .map(|(_, _, literals)| literals[row % literals.len()])
                .collect();
            format!("({}, {})", from + row, cells.join(", "))
        })
        .collect();
    format!(
        "SET NAMES utf8mb4, sql_mode = '', time_zone = '+00:00'; INSERT INTO d.t VALUES {}",
        rows.join(", ")
    )
}

async fn arrives_unchanged(flavor: Flavor) {
    let world = World::new(flavor, Options::default()).await;
    world
        .server
        .execute("CREATE DATABASE d CHARACTER SET utf8mb4")
        .await;
    world
        .server
        .execute(&format!("SET sql_mode = ''; {}", table()))
        .await;
    world.server.execute(&insert(0)).await;
    world.configure(Setup {
        source: "databases: [d]",
        ..Setup::default()
    });
    world.sync().await;
    world.server.execute(&insert(BEHIND)).await;
    // Changed there and back: the same again, by another way.
    let there_and_back = format!(
        "SET sql_mode = ''; UPDATE d.t SET id = id + 5000 WHERE id BETWEEN 3 AND 6; \
         UPDATE d.t SET id = id - 5000 WHERE id > 5000; UPDATE d.t SET v = CONCAT(v, '!') \
         WHERE id = {0}; UPDATE d.t SET v = (SELECT v FROM (SELECT v FROM d.t WHERE id = {0}) x) \
         WHERE id = {1}",
        7,
        BEHIND + 7
    );
    world.server.execute(&there_and_back).await;
    world.sync().await;
    assert_eq!(world.assert_equal(&["d.t"]).await, 2 * ROWS);
    for (name, ..) in KINDS {
        let differing = format!(
            "SELECT a.id, a.{name} AS copied, b.{name} AS logged FROM d.t a JOIN d.t b \
             ON b.id = a.id + {BEHIND} WHERE a.{name} IS DISTINCT FROM b.{name}"
        );
        assert_eq!(
            world.ask(&differing),
            Vec::<Vec<_>>::new(),
            "{flavor:?}: {name}"
        );
    }
    let rejected = "SELECT count(*) FROM _tributary.rejected";
    assert_eq!(world.number(rejected), 0);
}

#[tokio::test]
async fn g5_values_arrive_unchanged_from_mariadb() {
    arrives_unchanged(Flavor::MariaDb).await;
}

#[tokio::test]
async fn g5_values_arrive_unchanged_from_mysql() {
    arrives_unchanged(Flavor::MySql).await;
}

/// What a warehouse's column can't hold is neither cut nor turned into NULL.
#[tokio::test]
async fn g5_a_type_that_changes_keeps_all_values() {
    let sql = "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY, n INT, m DECIMAL(6,2));
        INSERT INTO d.t VALUES (1, 2147483647, 9999.99)";
    let world = World::with(Flavor::MariaDb, sql).await;
    world.sync().await;
    let wider = "ALTER TABLE d.t MODIFY n BIGINT, MODIFY m DECIMAL(12,4);
        INSERT INTO d.t VALUES (2, 9223372036854775807, 12345678.1234)";
    world.server.execute(wider).await;
    world.sync().await;
    world.assert_equal(&["d.t"]).await;
    let other = "ALTER TABLE d.t MODIFY n VARCHAR(30); INSERT INTO d.t VALUES (3, 'three', 1)";
    world.server.execute(other).await;
    let outcome = world.program.run(&["sync"]).await;
    let three = "SELECT count(*) FROM d.t WHERE id = 3";
    match outcome.code() {
        // Followed: then the text is there, under the column's name or beside it.
        Some(0) => {
            let found = world
                .ask("SELECT CAST(COLUMNS(c -> c LIKE 'n%') AS VARCHAR) FROM d.t WHERE id = 3");
            assert!(found[0].contains(&Some("three".to_owned())), "{found:?}");
        }
        // Refused: then aloud, and nothing of it is there.
        Some(1 | 3) => assert_eq!(world.number(three), 0, "{outcome}"),
        _ => panic!("{outcome}"),
    }
}
