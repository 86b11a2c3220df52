//! What pyarrow, pyiceberg and DuckDB read from a bucket is what the source holds: every value, and
//! types that mean the same.

use serde_json::{Value, json};
use tributary_testkit::python;
use tributary_testkit::server::Flavor;

use crate::world::{Format, Lake, Setup, World};

const TABLE: &str = "CREATE DATABASE d CHARACTER SET utf8mb4; CREATE TABLE d.t (
    id INT PRIMARY KEY, price DECIMAL(20,4), huge DECIMAL(38,10), seen TIMESTAMP(6) NULL,
    moment DATETIME(6), day DATE, t TIME(3), doc JSON, raw VARBINARY(20), words TEXT,
    f DOUBLE, r FLOAT, u BIGINT UNSIGNED, flag TINYINT(1), bits BIT(10))";
const ROWS: [&str; 3] = [
    "0.0001, -9999999999999999999999999999.9999999999, '2026-03-29 01:30:00.123456',
     '1969-12-31 23:59:59.999999', '0001-01-01', '23:59:59.999', '{\"b\": [1, null], \"a\": \"é\"}',
     x'00ff10', 'naïve ☕ 𝄞', 0.1, 0.5, 18446744073709551615, 1, b'1000000001'",
    "-1234567890123456.7890, 0.0000000001, '1970-01-01 00:00:01', '9999-12-31 00:00:00', '9999-12-31',
     '00:00:00.001', '[]', '', '', -1e300, -0.25, 0, 0, b'0'",
    "NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL",
];

/// The source's word on every value, as texts that mean the same in any language.
const TRUTH: &str = "SELECT CAST(id AS CHAR), CAST(price AS CHAR), CAST(huge AS CHAR),
    DATE_FORMAT(CONVERT_TZ(seen, @@session.time_zone, '+00:00'), '%Y-%m-%dT%H:%i:%s.%f+00:00'),
    DATE_FORMAT(moment, '%Y-%m-%dT%H:%i:%s.%f'), CAST(day AS CHAR), CAST(t AS CHAR),
    CAST(doc AS CHAR), LOWER(HEX(raw)), LOWER(HEX(words)), CAST(f AS CHAR), CAST(r AS CHAR),
    CAST(u AS CHAR), CAST(flag AS CHAR), CAST(bits + 0 AS CHAR) FROM d.t ORDER BY id";

/// The same of an Arrow table.
const SHOW: &str = r#"
import decimal, datetime as dt
def show(name, value):
    if value is None: return None
    if isinstance(value, bytes): return value.hex()
    if name == "words": return value.encode().hex()
    if isinstance(value, bool): return str(int(value))
    if isinstance(value, dt.datetime): return value.isoformat(timespec="microseconds")
    if isinstance(value, dt.time): return value.isoformat(timespec="microseconds")
    if isinstance(value, decimal.Decimal): return format(value, "f")
    return str(value)
def tell(table):
    names = spec["columns"]
    rows = sorted(table.select(names).to_pylist(), key=lambda row: row["id"])
    types = {f.name: str(f.type).replace("large_", "") for f in table.schema if f.name in names}
    print(json.dumps({"types": types, "rows": [[show(n, row[n]) for n in names] for row in rows]}))
"#;

const PYARROW: &str = r#"
import json, sys
import pyarrow.dataset as ds
from pyarrow import fs
spec = json.load(sys.stdin)
"#;
const PYARROW_READS: &str = r#"
s3 = spec["s3"]
bucket = fs.S3FileSystem(endpoint_override=s3["s3.endpoint"], access_key=s3["s3.access-key-id"],
    secret_key=s3["s3.secret-access-key"], region=s3["s3.region"])
tell(ds.dataset("lake/raw/d/t", filesystem=bucket, format="parquet", partitioning="hive").to_table())
"#;
const PYICEBERG: &str = r#"
import json, sys
from pyiceberg.catalog.sql import SqlCatalog
spec = json.load(sys.stdin)
"#;
const PYICEBERG_READS: &str = r#"
catalog = SqlCatalog("tributary", uri="sqlite:///" + spec["catalog"], **spec["s3"])
tell(catalog.load_table(("d", "t")).scan().to_arrow())
"#;

const COLUMNS: [&str; 15] = [
    "id", "price", "huge", "seen", "moment", "day", "t", "doc", "raw", "words", "f", "r", "u",
    "flag", "bits",
];

/// Loads the table, with rows of the first copy and of the log.
async fn loaded(lake: &Lake) -> World {
    let world = World::with(Flavor::MySql, TABLE).await;
    let insert = |from: usize| {
        let rows = ROWS.iter().enumerate();
        let rows: Vec<String> = rows
            .map(|(at, row)| format!("({}, {row})", from + at))
            .collect();
        format!(
            "SET NAMES utf8mb4, time_zone = '+00:00'; INSERT INTO d.t VALUES {}",
            rows.join(", ")
        )
    };
    world.server.execute(&insert(1)).await;
    let setup = Setup {
        source: "databases: [d]",
        ..Setup::default()
    };
    world.configure_lake_in(lake, setup, "");
    world.sync().await;
    world.server.execute(&insert(11)).await;
    world
        .server
        .execute("UPDATE d.t SET price = -0.5 WHERE id = 2; DELETE FROM d.t WHERE id = 13")
        .await;
    world.sync().await;
    world
}

/// What the reader tells of the rows that are there.
fn read(world: &World, lake: &Lake, script: &[&str]) -> Value {
    let catalog = world.catalog(lake).display().to_string();
    let input = json!({"catalog": catalog, "s3": lake.for_python(), "columns": COLUMNS});
    python::run(&script.concat(), &input)
}

/// Rows with JSON as what it says and numbers as what they are, however either is written.
fn meant(row: &[Option<String>]) -> Vec<Value> {
    let cells = COLUMNS.iter().zip(row);
    let meaning = |(name, cell): (&&str, &Option<String>)| match (*name, cell) {
        (_, None) => Value::Null,
        ("doc", Some(text)) => serde_json::from_str(text).unwrap(),
        ("f" | "r", Some(text)) => json!(text.parse::<f64>().unwrap()),
        (_, Some(text)) => json!(text),
    };
    cells.map(meaning).collect()
}

async fn assert_same(world: &World, found: &Value) {
    let truth = world.server.rows(TRUTH).await;
    let found: Vec<Vec<Option<String>>> = serde_json::from_value(found["rows"].clone()).unwrap();
    // Row 13 stays, marked as deleted.
    let found: Vec<_> = found
        .iter()
        .filter(|row| row[0].as_deref() != Some("13"))
        .collect();
    assert_eq!(found.len(), truth.len());
    for (row, wanted) in found.iter().zip(&truth) {
        assert_eq!(meant(row), meant(wanted));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pyarrow_reads_a_bucket_of_parquet_as_it_is() {
    let lake = Lake::bucket(Format::Parquet);
    let world = loaded(&lake).await;
    let found = read(&world, &lake, &[PYARROW, SHOW, PYARROW_READS]);
    assert_same(&world, &found).await;
    for (column, wanted) in [
        ("id", "int32"),
        ("price", "decimal128(20, 4)"),
        ("huge", "decimal128(38, 10)"),
        ("seen", "timestamp[us, tz=UTC]"),
        ("moment", "timestamp[us]"),
        ("day", "date32[day]"),
        // A duration of MySQL may be negative, or longer than a day.
        ("t", "string"),
        ("raw", "binary"),
        ("words", "string"),
        ("f", "double"),
        ("r", "float"),
        ("u", "uint64"),
        ("flag", "int16"),
    ] {
        assert_eq!(found["types"][column], wanted, "{column}");
    }
    world.read_lake_in(&lake, &["d.t"]);
    world.assert_table("d.t", "as DuckDB reads it").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pyiceberg_reads_tables_in_a_bucket_as_they_are() {
    let lake = Lake::bucket(Format::Iceberg);
    let world = loaded(&lake).await;
    let found = read(&world, &lake, &[PYICEBERG, SHOW, PYICEBERG_READS]);
    assert_same(&world, &found).await;
    for (column, wanted) in [
        ("price", "decimal128(20, 4)"),
        ("huge", "decimal128(38, 10)"),
        ("seen", "timestamp[us, tz=UTC]"),
        ("moment", "timestamp[us]"),
        ("t", "string"),
        ("raw", "binary"),
        ("doc", "string"),
        ("u", "decimal128(20, 0)"),
    ] {
        assert_eq!(found["types"][column], wanted, "{column}");
    }
}
