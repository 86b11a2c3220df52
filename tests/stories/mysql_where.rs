//! `where` of a stream means what the server means by it: in the copy, and in the log, where rows
//! move in and out of it.

use tributary_testkit::server::{Flavor, Options};

use crate::world::{Setup, World};

/// Columns, their types, and the literals that rows go through; of different lengths, so that they
/// meet in ever other combinations.
const COLUMNS: &[(&str, &str, &[&str])] = &[
    ("n", "INT", &["-3", "0", "5", "6", "2147483647", "NULL"]),
    (
        "u",
        "BIGINT UNSIGNED",
        &["0", "18446744073709551615", "9223372036854775808", "7"],
    ),
    (
        "m",
        "DECIMAL(12,3)",
        &[
            "-0.001",
            "0",
            "12.5",
            "12.500",
            "999999999.999",
            "NULL",
            "12.49",
        ],
    ),
    ("f", "DOUBLE", &["0.1", "-1.5e300", "0", "1e15", "NULL"]),
    (
        "s",
        "VARCHAR(20)",
        &[
            "'open'",
            "'OPEN'",
            "'open '",
            "'öpen'",
            "''",
            "'closed'",
            "NULL",
            "'o%en'",
            "'ab\\\\c'",
        ],
    ),
    (
        "l",
        "VARCHAR(20) CHARACTER SET latin1",
        &["'Straße'", "'strasse'", "'é'", "'E'", "NULL"],
    ),
    (
        "b",
        "VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        &["'x'", "'X'", "'x '", "'☕'"],
    ),
    (
        "e",
        "ENUM('new','Old','ä')",
        &["'new'", "'Old'", "'ä'", "'none of these'", "NULL"],
    ),
    (
        "st",
        "SET('a','b','c')",
        &["''", "'a'", "'a,c'", "NULL", "'b'"],
    ),
    (
        "d",
        "DATE",
        &[
            "'2024-02-29'",
            "'2024-03-01'",
            "'0000-00-00'",
            "'1000-01-01'",
            "NULL",
        ],
    ),
    (
        "t",
        "DATETIME(3)",
        &[
            "'2024-02-29 12:00:00'",
            "'2024-02-29 12:00:00.500'",
            "'0000-00-00'",
            "NULL",
        ],
    ),
    (
        "ts",
        "TIMESTAMP NULL",
        &["'2024-02-29 12:00:00'", "'1970-01-01 00:00:01'", "NULL"],
    ),
    ("y", "YEAR", &["2024", "0000", "1901", "NULL"]),
    ("bits", "BIT(4)", &["b'0'", "b'1010'", "b'1111'", "NULL"]),
    ("flag", "TINYINT(1)", &["0", "1", "NULL", "2"]),
    ("raw", "VARBINARY(9)", &["''", "x'00ff'", "NULL"]),
];

const FILTERS: &[&str] = &[
    "n > 5",
    "n IN (5, 6, -3) OR n IS NULL",
    "n NOT IN (5, 6)",
    "n BETWEEN 0 AND 5",
    "n > 5.5 AND n < 1e10",
    "u > 9223372036854775807",
    "18446744073709551615 = u",
    "m = 12.5",
    "m >= 12.49 AND m <> 12.5",
    "f = 0.1",
    "f < 0 OR f > 1",
    "s = 'open'",
    "s > 'd'",
    "s BETWEEN 'a' AND 'closed'",
    "s LIKE 'o%'",
    "s LIKE 'o|%%' ESCAPE '|'",
    "s LIKE 'ab\\\\\\\\%'",
    "l = 'strasse'",
    "l LIKE 'É' OR l = 'STRASSE'",
    "b IN ('X', '☕')",
    "e = 'OLD'",
    "st = 'a,c' OR st LIKE '%b%'",
    "d >= '2024-03-01'",
    "d <> DATE '2024-02-29'",
    "t > '2024-02-29 12:00:00.4'",
    "t <= '2024-02-29'",
    "ts >= '2024-02-29 12:00:00'",
    "y = 2024 OR y = 0",
    "bits = 10 OR bits > 14",
    "flag",
    "raw IS NULL",
    "(n = 5 OR s = 'open') AND NOT (m IS NULL OR flag = 0)",
];

const ROWS: usize = 36;

fn tables() -> impl Iterator<Item = (String, &'static str)> {
    FILTERS
        .iter()
        .enumerate()
        .map(|(at, filter)| (format!("d.t{at}"), *filter))
}

fn base() -> String {
    let columns: Vec<_> = COLUMNS
        .iter()
        .map(|(name, kind, _)| format!("{name} {kind}"))
        .collect();
    let rows: Vec<_> = (0..ROWS)
        .map(|row| {
            let cells = COLUMNS
                .iter()
                .map(|(_, _, literals)| literals[row % literals.len()]);
            format!("({}, {})", row + 1, cells.collect::<Vec<_>>().join(", "))
        })
        .collect();
    format!(
        "SET GLOBAL time_zone = '+00:00'; SET time_zone = '+00:00', sql_mode = '', NAMES utf8mb4;
         CREATE DATABASE d CHARACTER SET utf8mb4;
         CREATE TABLE d.base (id INT PRIMARY KEY, {});
         INSERT INTO d.base VALUES {}",
        columns.join(", "),
        rows.join(", ")
    )
}

/// Rows come, go, and become others.
fn changes() -> String {
    let set: Vec<_> = COLUMNS
        .iter()
        .map(|(name, ..)| format!("t.{name} = b.{name}"))
        .collect();
    let set = set.join(", ");
    let change = |table: String| {
        format!(
            "UPDATE {table} t JOIN d.base b ON b.id = (t.id * 7) % {ROWS} + 1 SET {set};
             DELETE FROM {table} WHERE id % 5 = 0;
             UPDATE {table} SET id = id + 500 WHERE id % 7 = 1;
             INSERT INTO {table} SELECT * FROM d.base WHERE id % 5 = 0"
        )
    };
    let all: Vec<_> = tables().map(|(table, _)| change(table)).collect();
    format!("SET sql_mode = ''; {}", all.join("; "))
}

fn streams() -> String {
    let one = |(table, filter): (String, &str)| {
        let filter = serde_json::to_string(filter).unwrap();
        // A column that is asked for need not be kept.
        let columns = if table.ends_with('0') {
            ", columns: {n: exclude}"
        } else {
            ""
        };
        format!("{table}: {{where: {filter}{columns}}}")
    };
    tables().map(one).collect::<Vec<_>>().join(", ")
}

async fn assert_wanted(world: &World, when: &str) {
    for (table, filter) in tables() {
        let asked = format!("SELECT id FROM {table} WHERE {filter} ORDER BY id");
        let wanted = world.server.rows(&asked).await;
        let kept = format!("SELECT id FROM {table} WHERE NOT _tributary_deleted ORDER BY id");
        assert_eq!(world.ask(&kept), wanted, "{when}: {filter}");
    }
}

async fn means_what_the_server_means(flavor: Flavor) {
    let world = World::new(flavor, Options::default()).await;
    world.server.execute(&base()).await;
    let copies: Vec<_> = tables()
        .map(|(table, _)| {
            format!("CREATE TABLE {table} LIKE d.base; INSERT INTO {table} SELECT * FROM d.base")
        })
        .collect();
    world
        .server
        .execute(&format!("SET sql_mode = ''; {}", copies.join("; ")))
        .await;
    world.configure(Setup {
        source: "databases: [d], chunk_rows: 20",
        connection: &format!("select: ['d.t*'], streams: {{{}}}", streams()),
        ..Setup::default()
    });
    world.sync().await;
    assert_wanted(&world, "copied").await;
    world.server.execute(&changes()).await;
    world.sync().await;
    assert_wanted(&world, "followed").await;
}

#[tokio::test]
async fn where_means_what_mariadb_means() {
    means_what_the_server_means(Flavor::MariaDb).await;
}

#[tokio::test]
async fn where_means_what_mysql_means() {
    means_what_the_server_means(Flavor::MySql).await;
}

/// Texts that no statement can hold are compared all the same; what the server can't hold at all stops
/// its stream alone.
#[tokio::test]
async fn long_texts_are_compared_with_where() {
    tokio::join!(long_texts(Flavor::MariaDb), long_texts(Flavor::MySql));
}

async fn long_texts(flavor: Flavor) {
    let world = World::new(flavor, Options::default()).await;
    let sql = "SET GLOBAL max_allowed_packet = 1048576; CREATE DATABASE d CHARACTER SET utf8mb4;
        CREATE TABLE d.t (id INT PRIMARY KEY, v LONGTEXT);
        CREATE TABLE d.l (id INT PRIMARY KEY, v LONGTEXT CHARACTER SET latin1);
        CREATE TABLE d.u (id INT PRIMARY KEY); INSERT INTO d.u VALUES (1)";
    world.server.execute(sql).await;
    world.configure(Setup {
        connection: "streams: {d.t: {where: \"v LIKE '%needle%☕'\"}, d.l: {where: \"v LIKE '%é'\"}}",
        ..Setup::default()
    });
    world.sync().await;
    for table in ["d.t", "d.l"] {
        let end = if table == "d.t" { "needle ☕" } else { "é" };
        for (id, text) in [
            (1, format!("CONCAT(REPEAT('ä', 400000), '{end}')")),
            (2, "REPEAT('needlx', 150000)".to_owned()),
            (3, format!("CONCAT(REPEAT('x', 1048000), '{end}')")),
            (4, format!("'short {end}'")),
        ] {
            let insert = format!("INSERT INTO {table} VALUES ({id}, {text})");
            world.server.execute(&insert).await;
        }
    }
    world.sync().await;
    for table in ["d.t", "d.l"] {
        let kept = format!("SELECT string_agg(id, ' ' ORDER BY id) FROM {table}");
        let kept = world.ask(&kept);
        assert_eq!(kept[0][0].as_deref(), Some("1 3 4"), "{flavor:?}: {table}");
    }
    let smaller =
        "UPDATE d.t SET v = CONCAT('changed ', v) WHERE id = 3; INSERT INTO d.u VALUES (2);
        SET GLOBAL max_allowed_packet = 524288";
    world.server.execute(smaller).await;
    let stopped = world.program.run(&["sync"]).await.exits(3);
    stopped.says("d.t").says("max_allowed_packet");
    assert_eq!(world.number("SELECT count(*) FROM d.u"), 2);
    let larger = "SET GLOBAL max_allowed_packet = 16777216";
    world.server.execute(larger).await;
    world.sync().await;
    let changed = "SELECT count(*) FROM d.t WHERE v LIKE 'changed%' AND NOT _tributary_deleted";
    assert_eq!(world.number(changed), 1);
}

/// What an update moves out of the filter is a delete, what it moves in an insert; another filter is
/// another copy.
#[tokio::test]
async fn rows_move_in_and_out_of_where() {
    let sql = "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY, v VARCHAR(9), ok INT);
        INSERT INTO d.t VALUES (1, 'a', 1), (2, 'b', 0), (3, 'c', 1)";
    let world = World::with(Flavor::MySql, sql).await;
    let configure = |options: &str| {
        world.configure(Setup {
            connection: &format!("streams: {{d.t: {{{options}}}}}"),
            ..Setup::default()
        });
    };
    configure("where: ok = 1, mode: append");
    world.sync().await;
    let changes = "UPDATE d.t SET ok = 0, v = 'z' WHERE id = 1; UPDATE d.t SET ok = 1 WHERE id = 2;
        UPDATE d.t SET v = 'y' WHERE id = 3; UPDATE d.t SET v = 'x' WHERE id = 1;
        DELETE FROM d.t WHERE id = 1; DELETE FROM d.t WHERE id = 3; INSERT INTO d.t VALUES (4, 'd', 0)";
    world.server.execute(changes).await;
    world.sync().await;
    let told =
        "SELECT string_agg(_tributary_op || id || v, ' ' ORDER BY _tributary_position) FROM d.t";
    let told = world.ask(told)[0][0].clone();
    assert_eq!(told.as_deref(), Some("r1a r3c d1a c2b u3y d3y"));
    configure("where: ok = 0, mode: append");
    world.sync().await.says("copied anew");
    let last = "SELECT string_agg(_tributary_op || id, ' ' ORDER BY _tributary_position) FROM d.t \
        WHERE _tributary_position > (SELECT max(_tributary_position) FROM d.t WHERE _tributary_op = 't')";
    assert_eq!(world.ask(last)[0][0].as_deref(), Some("r4"));
    refused(&world).await;
}

/// What can not be meant is refused.
async fn refused(world: &World) {
    let sql = "CREATE DATABASE e; CREATE TABLE e.t (id INT PRIMARY KEY, v VARCHAR(9), j JSON);
        CREATE TABLE e.u (id INT PRIMARY KEY); INSERT INTO e.u VALUES (1)";
    world.server.execute(sql).await;
    let configure = |filter: &str| {
        let filter = serde_json::to_string(filter).unwrap();
        world.configure(Setup {
            connection: &format!("select: [e.*], streams: {{e.t: {{where: {filter}}}}}"),
            ..Setup::default()
        });
    };
    for (filter, says) in [
        ("id > now()", "`now`"),
        ("lower(v) = 'x'", "function `lower"),
        ("id = v", "only a constant"),
        ("v = NULL", "IS NULL"),
    ] {
        configure(filter);
        let refused = world.program.run(&["validate"]).await.exits(2);
        refused.says("`where`").says(says).says("tributary.yaml");
    }
    // What depends on the table fails its stream alone, before a row is read.
    for (filter, says) in [
        ("nothing = 1", "`nothing`"),
        ("id = '5'", "without quotes"),
        ("v > 5", "in quotes"),
        ("j LIKE '%x%'", "no text"),
    ] {
        configure(filter);
        world.program.run(&["validate"]).await.exits(0);
        world
            .program
            .run(&["sync"])
            .await
            .exits(3)
            .says("e.t")
            .says(says);
        assert_eq!(world.number("SELECT count(*) FROM e.u"), 1);
    }
}
