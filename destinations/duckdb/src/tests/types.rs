//! Every type arrives as what it was, on both ways into a table.

use std::sync::Arc;

use arrow_array::*;
use tributary_model::{DataType, Deletes, Mode, Op, Presence, TablePlan};

use super::fixture::{Fixture, batch, column, orders};

fn values() -> Vec<(DataType, ArrayRef, [&'static str; 3])> {
    let far = i128::from(10_u64).pow(38) - 1;
    vec![
        (
            DataType::Bool,
            Arc::new(BooleanArray::from(vec![Some(false), Some(true), None])),
            ["false", "true", "NULL"],
        ),
        (
            DataType::Int16,
            Arc::new(Int16Array::from(vec![i16::MIN, i16::MAX, 0])),
            ["-32768", "32767", "0"],
        ),
        (
            DataType::Int32,
            Arc::new(Int32Array::from(vec![i32::MIN, i32::MAX, 0])),
            ["-2147483648", "2147483647", "0"],
        ),
        (
            DataType::Int64,
            Arc::new(Int64Array::from(vec![i64::MIN, i64::MAX, 0])),
            ["-9223372036854775808", "9223372036854775807", "0"],
        ),
        (
            DataType::UInt64,
            Arc::new(UInt64Array::from(vec![Some(0), Some(u64::MAX), None])),
            ["0", "18446744073709551615", "NULL"],
        ),
        (
            DataType::Decimal(4, 2),
            decimal(&[-9_999, 9_999, 5], 4, 2),
            ["-99.99", "99.99", "0.05"],
        ),
        (
            DataType::Decimal(9, 0),
            decimal(&[-999_999_999, 999_999_999, 0], 9, 0),
            ["-999999999", "999999999", "0"],
        ),
        (
            DataType::Decimal(18, 18),
            decimal(&[-1, 999_999_999_999_999_999, 0], 18, 18),
            [
                "-.000000000000000001",
                ".999999999999999999",
                ".000000000000000000",
            ],
        ),
        (
            DataType::Decimal(38, 0),
            decimal(&[-far, far, 0], 38, 0),
            [
                "-99999999999999999999999999999999999999",
                "99999999999999999999999999999999999999",
                "0",
            ],
        ),
        (
            DataType::Decimal(38, 10),
            decimal(&[-far, far, 1], 38, 10),
            [
                "-9999999999999999999999999999.9999999999",
                "9999999999999999999999999999.9999999999",
                "0.0000000001",
            ],
        ),
        (
            DataType::Float32,
            Arc::new(Float32Array::from(vec![
                f32::MIN,
                f32::MIN_POSITIVE,
                f32::NAN,
            ])),
            ["-3.4028235e+38", "1.1754944e-38", "nan"],
        ),
        (
            DataType::Float64,
            Arc::new(Float64Array::from(vec![f64::MIN, f64::INFINITY, 0.1])),
            ["-1.7976931348623157e+308", "inf", "0.1"],
        ),
        (
            DataType::Date,
            Arc::new(Date32Array::from(vec![-719_162, 2_932_896, 0])),
            ["0001-01-01", "9999-12-31", "1970-01-01"],
        ),
        (
            DataType::Time,
            Arc::new(Time64MicrosecondArray::from(vec![0, 86_399_999_999, 1])),
            ["00:00:00", "23:59:59.999999", "00:00:00.000001"],
        ),
        (
            DataType::Timestamp,
            Arc::new(TimestampMicrosecondArray::from(vec![
                -62_135_596_800_000_000,
                253_402_300_799_999_999,
                0,
            ])),
            [
                "0001-01-01 00:00:00",
                "9999-12-31 23:59:59.999999",
                "1970-01-01 00:00:00",
            ],
        ),
        (
            DataType::TimestampTz,
            Arc::new(
                TimestampMicrosecondArray::from(vec![
                    -62_135_596_800_000_000,
                    253_402_300_799_999_999,
                    0,
                ])
                .with_timezone("UTC"),
            ),
            [
                "0001-01-01 00:00:00+00",
                "9999-12-31 23:59:59.999999+00",
                "1970-01-01 00:00:00+00",
            ],
        ),
        (
            DataType::Text,
            Arc::new(StringArray::from(vec!["", "a'\"\\\u{0}🦆", "NULL"])),
            ["", "a'\"\\\u{0}🦆", "NULL"],
        ),
        (
            DataType::Bytes,
            Arc::new(BinaryArray::from(vec![&b""[..], &[0, 255, 92], b"ab"])),
            ["", "\\x00\\xFF\\x5C", "ab"],
        ),
        (
            DataType::Json,
            Arc::new(StringArray::from(vec![
                "{\"a\": 1.000000000000000000001}",
                "null",
                "[]",
            ])),
            ["{\"a\": 1.000000000000000000001}", "null", "[]"],
        ),
    ]
}

fn decimal(values: &[i128], digits: u8, scale: i8) -> ArrayRef {
    let array = Decimal128Array::from(values.to_vec());
    Arc::new(array.with_precision_and_scale(digits, scale).unwrap())
}

fn plan() -> (Arc<TablePlan>, Vec<ArrayRef>) {
    let mut plan = orders(Mode::Merge, Deletes::Soft);
    plan.columns = vec![column("id", DataType::Int64)];
    let mut arrays: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(vec![0, 1, 2]))];
    for (index, (data_type, array, _)) in values().into_iter().enumerate() {
        plan.columns.push(column(&format!("c{index}"), data_type));
        arrays.push(array);
    }
    (Arc::new(plan), arrays)
}

async fn assert_kept(presence: Presence) {
    let mut fixture = Fixture::new().await;
    let (plan, arrays) = plan();
    fixture
        .load(
            &[&plan],
            vec![batch(&plan, presence, vec![Op::Read; 3], arrays)],
        )
        .await;
    for (index, (data_type, _, texts)) in values().into_iter().enumerate() {
        let sql = format!(
            "SELECT coalesce(CAST(c{index} AS VARCHAR), 'NULL') FROM shop.orders ORDER BY id"
        );
        let stored: Vec<String> = fixture
            .rows(&sql)
            .await
            .into_iter()
            .map(|row| row[0].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(stored, texts, "{data_type}");
    }
    let existing =
        tributary_model::Destination::describe(&fixture.db, std::slice::from_ref(&plan.table))
            .await
            .unwrap();
    let described = &existing[&plan.table];
    assert_eq!(described[..plan.columns.len()], plan.columns[..]);
    let system: Vec<&str> = described[plan.columns.len()..]
        .iter()
        .map(|c| c.name.as_str())
        .collect();
    assert_eq!(system, ["_tributary_synced_at", "_tributary_deleted"]);
}

#[tokio::test]
async fn every_type_is_kept_when_rows_go_straight_in() {
    assert_kept(Presence::Absent).await;
}

#[tokio::test]
async fn every_type_is_kept_when_rows_are_merged() {
    assert_kept(Presence::Possible).await;
}

#[tokio::test]
async fn answers_show_every_type() {
    let fixture = Fixture::new().await;
    let shown = fixture
        .text(
            "SELECT 1::TINYINT, 170141183460469231731687303715884105727::HUGEINT, 18446744073709551615::UBIGINT, \
             0.1::FLOAT, 'nan'::DOUBLE, 1.50::DECIMAL(4,2), DATE '2024-02-29', TIME '01:02:03.5', \
             TIMESTAMP '2024-01-02 03:04:05', TIMESTAMPTZ '2024-01-02 03:04:05+01', '\\xAB'::BLOB, [1, NULL], \
             {'a': {'b': true}}, 'x'::ENUM('x'), NULL, INTERVAL 1 DAY, '{\"j\": 1}'::JSON",
        )
        .await;
    assert_eq!(
        shown,
        "1 170141183460469231731687303715884105727 18446744073709551615 0.1 NaN 1.50 2024-02-29 01:02:03.500 \
         2024-01-02T03:04:05 2024-01-02T02:04:05Z ab [1,null] {\"a\":{\"b\":true}} x null 1 days {\"j\": 1}"
    );
}
