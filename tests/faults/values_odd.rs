//! Values off the beaten track: character sets, geometries, addresses, compressed columns, JSON that
//! is changed in place. By either road they are the same, and what the server says they are.

use tributary_testkit::server::{Flavor, Options};

use crate::world::{Setup, World};

/// A column, its type, its literals, what the server says a value is, and what the warehouse says.
struct Kind {
    name: &'static str,
    declared: &'static str,
    literals: &'static [&'static str],
    here: &'static str,
    there: &'static str,
}

/// Compared as text.
const fn text(
    name: &'static str,
    declared: &'static str,
    literals: &'static [&'static str],
) -> Kind {
    compared(
        name,
        declared,
        literals,
        "CONVERT({} USING utf8mb4)",
        "CAST({} AS VARCHAR)",
    )
}

const fn compared(
    name: &'static str,
    declared: &'static str,
    literals: &'static [&'static str],
    here: &'static str,
    there: &'static str,
) -> Kind {
    Kind {
        name,
        declared,
        literals,
        here,
        there,
    }
}

const WKB: (&str, &str) = ("HEX(SUBSTR({}, 5))", "hex({})");

const BOTH: &[Kind] = &[
    text(
        "c850",
        "VARCHAR(20) CHARACTER SET cp850",
        &["'é£'", "''", "NULL"],
    ),
    text(
        "c1250",
        "VARCHAR(20) CHARACTER SET cp1250",
        &["'Łódź €'", "'x'"],
    ),
    text(
        "c1251",
        "TEXT CHARACTER SET cp1251",
        &["'Привет'", "''", "NULL"],
    ),
    text(
        "c1256",
        "VARCHAR(20) CHARACTER SET cp1256",
        &["'سلام'", "NULL"],
    ),
    text(
        "c1257",
        "VARCHAR(20) CHARACTER SET cp1257",
        &["'Āžuols'", "NULL"],
    ),
    text(
        "c866",
        "CHAR(10) CHARACTER SET cp866",
        &["'Привет'", "'a '"],
    ),
    text(
        "koi",
        "VARCHAR(20) CHARACTER SET koi8r",
        &["'Привет'", "NULL"],
    ),
    text(
        "greek",
        "VARCHAR(20) CHARACTER SET greek",
        &["'Καλημέρα'", "NULL"],
    ),
    text(
        "hebrew",
        "VARCHAR(20) CHARACTER SET hebrew",
        &["'שלום'", "NULL"],
    ),
    text(
        "latin2",
        "VARCHAR(20) CHARACTER SET latin2",
        &["'Łódź'", "NULL"],
    ),
    text(
        "latin5",
        "VARCHAR(20) CHARACTER SET latin5",
        &["'İstanbul ğ'", "NULL"],
    ),
    text(
        "latin7",
        "VARCHAR(20) CHARACTER SET latin7",
        &["'Žalias'", "NULL"],
    ),
    text(
        "tis",
        "VARCHAR(20) CHARACTER SET tis620",
        &["'สวัสดี'", "NULL"],
    ),
    text(
        "sjis",
        "VARCHAR(20) CHARACTER SET sjis",
        &["'表示ソ〜'", "'ｱ'", "NULL"],
    ),
    text(
        "c932",
        "VARCHAR(20) CHARACTER SET cp932",
        &["'髙﨑～'", "NULL"],
    ),
    text(
        "ujis",
        "VARCHAR(20) CHARACTER SET ujis",
        &["'日本語〜'", "NULL"],
    ),
    text(
        "gbk",
        "TEXT CHARACTER SET gbk",
        &["'你好，世界'", "''", "NULL"],
    ),
    text(
        "gb2312",
        "VARCHAR(20) CHARACTER SET gb2312",
        &["'你好'", "NULL"],
    ),
    text(
        "big5",
        "VARCHAR(20) CHARACTER SET big5",
        &["'許功蓋'", "NULL"],
    ),
    text(
        "euckr",
        "VARCHAR(20) CHARACTER SET euckr",
        &["'안녕하세요'", "NULL"],
    ),
    text(
        "u3",
        "VARCHAR(20) CHARACTER SET utf8mb3",
        &["'ünï €'", "NULL"],
    ),
    text(
        "ucs2",
        "CHAR(10) CHARACTER SET ucs2",
        &["'ünï €'", "''", "NULL"],
    ),
    text(
        "u32",
        "VARCHAR(20) CHARACTER SET utf32",
        &["'ünï 𝄞'", "NULL"],
    ),
    text(
        "u16le",
        "VARCHAR(20) CHARACTER SET utf16le",
        &["'ünï 𝄞'", "NULL"],
    ),
    text(
        "labels",
        "ENUM('表','ソ') CHARACTER SET sjis",
        &["'ソ'", "'表'", "NULL"],
    ),
    text(
        "many",
        "SET('é','ü','x') CHARACTER SET latin1",
        &["'é,x'", "''", "NULL"],
    ),
    text(
        "ascii",
        "VARCHAR(20) CHARACTER SET ascii",
        &["'plain'", "NULL"],
    ),
    compared(
        "point",
        "POINT",
        &["ST_GeomFromText('POINT(1.5 -2)')", "NULL"],
        WKB.0,
        WKB.1,
    ),
    compared(
        "shape",
        "GEOMETRY",
        &[
            "ST_GeomFromText('POLYGON((0 0, 4 0, 4 4, 0 0), (1 1, 2 1, 2 2, 1 1))')",
            "ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 2), LINESTRING(0 0, 1 1))')",
            "NULL",
        ],
        WKB.0,
        WKB.1,
    ),
    compared(
        "hidden",
        "INT INVISIBLE DEFAULT 7",
        &["1", "NULL"],
        "{}",
        "CAST({} AS VARCHAR)",
    ),
    compared(
        "bits",
        "BIT(33)",
        &["b'0'", "x'01FFFFFFFF'", "NULL"],
        "{} + 0",
        "CAST({} AS VARCHAR)",
    ),
    compared(
        "zeros",
        "BINARY(4)",
        &["x'00000000'", "x'41000000'", "x'20'", "NULL"],
        "HEX({})",
        "hex({})",
    ),
];

const MARIADB: &[Kind] = &[
    text(
        "uuid",
        "UUID",
        &[
            "'00000000-0000-0000-0000-000000000000'",
            "'123e4567-e89b-12d3-a456-426655440000'",
            "NULL",
        ],
    ),
    text("four", "INET4", &["'0.0.0.0'", "'192.168.1.0'", "NULL"]),
    text(
        "six",
        "INET6",
        &[
            "'::'",
            "'2001:db8::ff00:42:8329'",
            "'::ffff:1.2.3.4'",
            "NULL",
        ],
    ),
    text(
        "packed",
        "VARCHAR(300) COMPRESSED",
        &["REPEAT('again ☕ ', 30)", "'short'", "''", "NULL"],
    ),
    text(
        "packed_text",
        "TEXT COMPRESSED CHARACTER SET latin1",
        &["REPEAT('é', 5000)", "'x'", "''", "NULL"],
    ),
    compared(
        "packed_blob",
        "LONGBLOB COMPRESSED",
        &["REPEAT(x'00ff', 4000)", "x'00'", "NULL"],
        "HEX({})",
        "hex({})",
    ),
    text("doc", "JSON", &["'{\"a\":  1}'", "'[]'", "NULL"]),
];

const MYSQL: &[Kind] = &[
    compared(
        "v",
        "VECTOR(3)",
        &["STRING_TO_VECTOR('[1.5,-2,0]')", "NULL"],
        "HEX({})",
        VECTOR,
    ),
    text(
        "doc",
        "JSON",
        &[
            "JSON_OBJECT('d', DATE '2024-02-29', 't', TIME '-12:30:00.5', 'm', TIMESTAMP '2024-02-29 12:00:00')",
            "JSON_ARRAY(CAST(1.10 AS DECIMAL(5,2)), CAST(x'00ff' AS BINARY), 1e300, 0.1, -0.0)",
            "JSON_OBJECT('bits', b'101', 'y', CAST(18446744073709551615 AS UNSIGNED), 'long', REPEAT('x', 300))",
            "CAST('null' AS JSON)",
            "NULL",
        ],
    ),
    compared(
        "place",
        "POINT SRID 4326",
        &["ST_GeomFromText('POINT(10 20)', 4326)", "NULL"],
        WKB.0,
        WKB.1,
    ),
];

/// The floats of a JSON array, each as the bytes that the server keeps.
const VECTOR: &str =
    "CASE WHEN CAST({} AS VARCHAR) = '[1.5,-2,0]' THEN '0000C03F000000C000000000' END";

const ROWS: usize = 8;
const BEHIND: usize = 1000;

fn insert(kinds: &[&Kind], from: usize) -> String {
    let names: Vec<_> = kinds.iter().map(|kind| kind.name).collect();
    let rows: Vec<_> = (1..=ROWS)
        .map(|row| {
            let cells: Vec<_> = kinds
                .iter()
                .map(|kind| kind.literals[row % kind.literals.len()])
                .collect();
            format!("({}, {})", from + row, cells.join(", "))
        })
        .collect();
    format!(
        "SET sql_mode = ''; INSERT INTO d.t (id, {}) VALUES {}",
        names.join(", "),
        rows.join(", ")
    )
}

async fn arrive_as_they_are(flavor: Flavor, own: &'static [Kind]) {
    let kinds: Vec<&Kind> = BOTH.iter().chain(own).collect();
    let columns: Vec<_> = kinds
        .iter()
        .map(|kind| format!("{} {}", kind.name, kind.declared))
        .collect();
    let world = World::new(flavor, Options::default()).await;
    let create = format!(
        "CREATE DATABASE d CHARACTER SET utf8mb4; CREATE TABLE d.t (id INT PRIMARY KEY, {}, \
         twice INT AS (id * 2) VIRTUAL, thrice INT AS (id * 3) STORED)",
        columns.join(", ")
    );
    world.server.execute(&create).await;
    world.server.execute(&insert(&kinds, 0)).await;
    world.configure(Setup {
        source: "databases: [d]",
        ..Setup::default()
    });
    world.sync().await;
    world.server.execute(&insert(&kinds, BEHIND)).await;
    world.sync().await;
    for kind in kinds {
        let here = kind.here.replace("{}", kind.name);
        let there = kind.there.replace("{}", kind.name);
        let source = world
            .server
            .rows(&format!("SELECT id, {here} FROM d.t ORDER BY id"))
            .await;
        let copy = world.ask(&format!("SELECT id, {there} FROM d.t ORDER BY id"));
        assert_eq!(copy, source, "{flavor:?}: {}", kind.name);
    }
    assert_eq!(world.number("SELECT count(*) FROM _tributary.rejected"), 0);
    let generated = "SELECT count(*) FROM d.t WHERE twice = id * 2 AND thrice = id * 3";
    assert_eq!(world.number(generated), 2 * ROWS as i64);
}

#[tokio::test]
async fn g5_odd_values_arrive_unchanged_from_mariadb() {
    arrive_as_they_are(Flavor::MariaDb, MARIADB).await;
}

#[tokio::test]
async fn g5_odd_values_arrive_unchanged_from_mysql() {
    arrive_as_they_are(Flavor::MySql, MYSQL).await;
}

/// The server logs what became of a document instead of the document.
#[tokio::test]
async fn g5_json_that_is_changed_in_place_is_put_together() {
    let options = Options {
        extra: vec!["--binlog-row-value-options=PARTIAL_JSON".to_owned()],
        ..Options::default()
    };
    let world = World::new(Flavor::MySql, options).await;
    let long = "REPEAT('x', 200)";
    let create = format!(
        "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY, a JSON, n INT, b JSON, c JSON);
         INSERT INTO d.t SELECT n, JSON_OBJECT('k', 1, 'list', JSON_ARRAY(1, 2, JSON_OBJECT('x', 1.10)),
             'pad', {long}), n, IF(n = 2, NULL, JSON_ARRAY({long}, 5, DATE '2024-01-01')), CAST('{{}}' AS JSON)
             FROM (SELECT 1 AS n UNION SELECT 2 UNION SELECT 3) q"
    );
    world.server.execute(&create).await;
    let shapes = "CREATE TABLE d.g (id INT PRIMARY KEY, g GEOMETRY, flag TINYINT(1));
        INSERT INTO d.g VALUES (1, ST_GeomFromText('POINT(1.5 -2)'), 1), (2, NULL, 0)";
    world.server.execute(shapes).await;
    world.configure(Setup {
        source: "databases: [d], geometry: geojson",
        connection: "streams: {d.g: {columns: {flag: {type: bool}}}}",
        ..Setup::default()
    });
    world.sync().await;
    world.assert_equal(&["d.t"]).await;
    world
        .server
        .execute("INSERT INTO d.g SELECT id + 10, g, NOT flag FROM d.g")
        .await;
    let changes = [
        "UPDATE d.t SET a = JSON_SET(a, '$.k', 2, '$.\"a b\"', 'new'), n = 10 WHERE id = 1",
        "UPDATE d.t SET a = JSON_REPLACE(a, '$.list[2].x', 'y'), b = JSON_SET(b, '$[1]', 6)",
        "UPDATE d.t SET a = JSON_REMOVE(a, '$.list[0]'), c = JSON_SET(c, '$.id', id)",
        "UPDATE d.t SET b = JSON_ARRAY_INSERT(b, '$[0]', 7) WHERE id = 3",
        "UPDATE d.t SET a = JSON_ARRAY_APPEND(a, '$.list', JSON_OBJECT('deep', JSON_ARRAY(1)))",
        "UPDATE d.t SET id = id + 10, a = JSON_SET(a, '$.k', 3) WHERE id = 2",
        "UPDATE d.t SET a = NULL WHERE id = 1",
        "UPDATE d.t SET a = JSON_OBJECT('whole', 1) WHERE id = 1",
    ];
    for change in changes {
        world.server.execute(change).await;
        world.sync().await;
        world.assert_table("d.t", change).await;
    }
    // What is asked for: GeoJSON, and flags.
    let told = "SELECT id, g->'$.coordinates[0]', typeof(g), flag FROM d.g ORDER BY id";
    let row = |id: &str, x: Option<&str>, flag: &str| {
        let texts = [Some(id), x, Some("JSON"), Some(flag)];
        texts.map(|text| text.map(str::to_owned)).to_vec()
    };
    let expected = [
        row("1", Some("1.5"), "true"),
        row("2", None, "false"),
        row("11", Some("1.5"), "false"),
        row("12", None, "true"),
    ];
    assert_eq!(world.ask(told), expected);
}
