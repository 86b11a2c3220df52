//! Dates that no calendar has, under each policy and by both roads.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, TimestampMicrosecondType};
use serde_json::json;

use super::*;

/// A key, then a DATE of 2024-00-15, a zero DATETIME(3) and a zero TIMESTAMP.
fn table() -> Arc<Layout> {
    layout(
        &[
            (Kind::I32, Wire::Fixed(4)),
            (Kind::Date, Wire::Fixed(3)),
            (Kind::DateTime { fraction: 3 }, Wire::Fixed(7)),
            (Kind::Timestamp { fraction: 0 }, Wire::Fixed(4)),
        ],
        true,
    )
}

fn image() -> Vec<u8> {
    let mut image = vec![0, 7, 0, 0, 0];
    image.extend(&(2024_u32 << 9 | 15).to_le_bytes()[..3]);
    image.extend([0x80, 0, 0, 0, 0, 0, 0]);
    image.extend([0; 4]);
    image
}

fn row() -> ProtocolRow {
    let values = vec![
        Value::Int(7),
        Value::Date(2024, 0, 15, 0, 0, 0, 0),
        Value::Date(0, 0, 0, 0, 0, 0, 0),
        Value::Date(0, 0, 0, 0, 0, 0, 0),
    ];
    protocol_row(values, 63)
}

fn both(zero_dates: ZeroDates) -> (RowBuilder, RecordBatch) {
    let mut log = RowBuilder::new(table(), options(zero_dates)).unwrap();
    log.push_image(&mut Reader::new(&image()), Op::Create)
        .unwrap();
    let mut snapshot = RowBuilder::new(table(), options(zero_dates)).unwrap();
    row().push_to(&mut snapshot).unwrap();
    assert_eq!(log.zero_dates(), snapshot.zero_dates());
    let (batch, _) = log.finish().unwrap();
    assert_eq!(batch, snapshot.finish().unwrap().0);
    assert_eq!(log.drain_refusals(), snapshot.drain_refusals());
    (log, batch)
}

#[test]
fn null_is_the_default() {
    assert_eq!(ZeroDates::default(), ZeroDates::Null);
    let (builder, batch) = both(ZeroDates::Null);
    assert_eq!(builder.zero_dates(), 3);
    assert!((1..4).all(|column| batch.column(column).is_null(0)));
}

#[test]
fn epoch() {
    let (builder, batch) = both(ZeroDates::Epoch);
    assert_eq!(builder.zero_dates(), 3);
    assert_eq!(batch.column(1).as_primitive::<Date32Type>().value(0), 0);
    assert_eq!(
        batch
            .column(2)
            .as_primitive::<TimestampMicrosecondType>()
            .value(0),
        0
    );
    assert!(
        batch
            .columns()
            .iter()
            .all(|column| column.null_count() == 0)
    );
}

#[test]
fn text_keeps_them() {
    let (builder, batch) = both(ZeroDates::Text);
    assert_eq!(builder.zero_dates(), 0);
    let text = |column: usize| batch.column(column).as_string::<i32>().value(0).to_owned();
    assert_eq!(
        [text(1), text(2), text(3)],
        [
            "2024-00-15",
            "0000-00-00 00:00:00.000",
            "0000-00-00 00:00:00"
        ]
    );
}

#[test]
fn reject_takes_the_row_out_but_lets_deletes_through() {
    let mut builder = RowBuilder::new(table(), options(ZeroDates::Reject)).unwrap();
    builder
        .push_image(&mut Reader::new(&image()), Op::Create)
        .unwrap();
    row().push_to(&mut builder).unwrap();
    assert_eq!(builder.len(), 0);
    let refusals = builder.drain_refusals();
    assert_eq!(refusals.len(), 2);
    assert_eq!(refusals[0], refusals[1]);
    assert_eq!(refusals[0].column, "c1");
    assert_eq!(refusals[0].reason, "2024-00-15 is no date");
    assert_eq!(
        refusals[0].row,
        json!({
            "c0": 7,
            "c1": "2024-00-15",
            "c2": "0000-00-00 00:00:00.000",
            "c3": "0000-00-00 00:00:00",
        })
    );
    builder
        .push_image(&mut Reader::new(&image()), Op::Delete)
        .unwrap();
    assert!(builder.drain_refusals().is_empty());
    let (batch, ops) = builder.finish().unwrap();
    assert_eq!((batch.num_rows(), ops.as_slice()), (1, &[Op::Delete][..]));
}

#[test]
fn an_impossible_date_in_a_key_is_refused_so_that_keys_stay_apart() {
    let keyed = layout(&[(Kind::Date, Wire::Fixed(3))], true);
    let mut builder = RowBuilder::new(keyed, options(ZeroDates::Null)).unwrap();
    for op in [Op::Create, Op::Delete] {
        builder
            .push_image(&mut Reader::new(&[0, 0, 0, 0]), op)
            .unwrap();
    }
    let refused = builder.drain_refusals();
    assert_eq!(refused.len(), 1);
    assert!(
        refused[0].reason.contains("0000-00-00"),
        "{}",
        refused[0].reason
    );
    let (batch, ops) = builder.finish().unwrap();
    assert_eq!((batch.num_rows(), ops.len()), (0, 0));
}
