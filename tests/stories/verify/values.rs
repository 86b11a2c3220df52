//! Every type of a column: alike on both sides, and a change of it is seen.

use tributary_testkit::server::Flavor;

use super::{found, tamper, told, verify, verify_one};
use crate::world::World;

/// A column, its type, a value, and what the file holds instead.
const VALUES: &[(&str, &str, &str, &str)] = &[
    ("flag", "TINYINT(1)", "1", "NOT flag"),
    ("i16", "SMALLINT", "-7", "7"),
    (
        "i64",
        "BIGINT",
        "-9223372036854775808",
        "-9223372036854775807",
    ),
    (
        "u64",
        "BIGINT UNSIGNED",
        "18446744073709551615",
        "18446744073709551614",
    ),
    (
        "money",
        "DECIMAL(30,10)",
        "12345678901234567890.0000000001",
        "money + 0.0000000001",
    ),
    (
        "huge",
        "DECIMAL(65,30)",
        "1.000000000000000000000000000001",
        "'1.000000000000000000000000000002'",
    ),
    ("f", "FLOAT", "0.1", "0.10000001"),
    ("d", "DOUBLE", "0.1", "0.10000000000000002"),
    ("day", "DATE", "'2024-02-29'", "day + 1"),
    ("t", "TIME(6)", "'-12:34:56.789012'", "'-12:34:56.789013'"),
    (
        "moment",
        "DATETIME(6)",
        "'9999-12-31 23:59:59.999999'",
        "moment - INTERVAL 1 MICROSECOND",
    ),
    (
        "instant",
        "TIMESTAMP(6) NULL",
        "'2024-03-31 01:30:00.000001'",
        "'2024-03-31 01:30:00.000002+00'",
    ),
    ("y", "YEAR", "2024", "2025"),
    ("bits", "BIT(64)", "x'8000000000000001'", "bits - 1"),
    ("kind", "ENUM('a','b')", "'a'", "'b'"),
    ("many", "SET('x','y')", "'x,y'", "'y,x'"),
    (
        "name",
        "VARCHAR(50) COLLATE utf8mb4_general_ci",
        "'Ünï'",
        "'ünï'",
    ),
    ("spaces", "VARCHAR(50)", "'a '", "'a'"),
    ("raw", "VARBINARY(20)", "x'00ff'", "'\\x00\\xFE'::BLOB"),
    (
        "doc",
        "JSON",
        r#"'{"b": [1.5, null], "a": "x"}'"#,
        r#"'{"b": [1.5], "a": "x"}'"#,
    ),
    ("nothing", "INT NULL", "NULL", "0"),
];

/// The table's cells agree whether rows were copied or came by the log, and a change of any of them
/// is seen: of each row one column.
#[tokio::test]
async fn a_changed_value_of_every_type_is_seen() {
    let columns: Vec<_> = VALUES
        .iter()
        .map(|(n, t, ..)| format!("`{n}` {t}"))
        .collect();
    let row: Vec<_> = VALUES.iter().map(|(.., value, _)| *value).collect();
    let ids = 1..=VALUES.len();
    let rows = |ids: std::ops::RangeInclusive<usize>| {
        let rows: Vec<_> = ids
            .map(|id| format!("({id}, {})", row.join(", ")))
            .collect();
        format!("INSERT INTO v.t VALUES {}", rows.join(", "))
    };
    let sql = format!(
        "CREATE DATABASE v; CREATE TABLE v.t (id INT PRIMARY KEY, {}); {}",
        columns.join(", "),
        rows(1..=10)
    );
    let world = World::with(Flavor::MySql, &sql).await;
    world.sync().await;
    world.server.execute(&rows(11..=VALUES.len())).await;
    world.sync().await;
    verify_one(&world, "main:v.t", 0).await;
    let tampers = ids.zip(VALUES).map(|(id, (name, _, _, other))| {
        format!("UPDATE warehouse.v.t SET {name} = {other} WHERE id = {id};")
    });
    tamper(&world, &tampers.collect::<String>());
    let stream = verify_one(&world, "main:v.t", 1).await;
    assert_eq!(found(&stream), [0, 0, VALUES.len() as u64], "{stream:#}");
    let args = ["main:v.t", "--limit", "100"];
    let streams = verify(&world, &args, 1).await;
    let mut expected: Vec<_> = (1..=VALUES.len())
        .zip(VALUES)
        .map(|(id, (name, ..))| format!("different {{\"id\":{id}}} [\"{name}\"]"))
        .collect();
    expected.sort();
    assert_eq!(told(&streams[0]), expected);
    // Another way to write the same document is no difference.
    tamper(
        &world,
        r#"UPDATE warehouse.v.t SET doc = '{"a":"x","b":[1.50,null]}' WHERE id = 1"#,
    );
    let streams = verify(&world, &args, 1).await;
    assert_eq!(told(&streams[0]), expected);
    verify(&world, &["main:v.t", "--repair"], 0).await;
    world.assert_equal(&["v.t"]).await;
}
