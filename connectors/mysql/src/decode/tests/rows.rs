//! Whole rows: cut off when bad, repaired when they must be, and the same keys by both roads.

use arrow_array::cast::AsArray;
use proptest::prelude::*;

use super::super::key::KeyEncoder;
use super::*;

fn table() -> Arc<Layout> {
    let text = Kind::Text(Charset::Utf8);
    layout(
        &[(Kind::I32, Wire::Fixed(4)), (text, Wire::Prefixed(1))],
        true,
    )
}

fn image(id: i32, text: &[u8]) -> Vec<u8> {
    let mut image = vec![0];
    image.extend(id.to_le_bytes());
    image.push(text.len() as u8);
    image.extend(text);
    image
}

#[test]
fn a_bad_row_leaves_the_rows_before_it() {
    let mut builder = RowBuilder::new(table(), options(ZeroDates::Null)).unwrap();
    builder
        .push_image(&mut Reader::new(&image(1, b"one")), Op::Create)
        .unwrap();
    let whole = image(2, b"two");
    for cut in 0..whole.len() {
        assert!(
            builder
                .push_image(&mut Reader::new(&whole[..cut]), Op::Create)
                .is_err()
        );
    }
    let odd = protocol_row(vec![Value::Int(3), Value::Int(3)], 45);
    assert!(odd.push_to(&mut builder).is_err());
    assert!(
        protocol_row(vec![Value::Int(3)], 45)
            .push_to(&mut builder)
            .is_err()
    );
    builder
        .push_image(&mut Reader::new(&image(4, b"four")), Op::Update)
        .unwrap();
    assert_eq!(builder.len(), 2);
    assert!(builder.bytes() > 0);
    let (batch, ops) = builder.finish().unwrap();
    assert_eq!(ops, [Op::Create, Op::Update]);
    let texts: Vec<_> = batch
        .column(1)
        .as_string::<i32>()
        .iter()
        .flatten()
        .collect();
    assert_eq!(texts, ["one", "four"]);
    assert_eq!(builder.len(), 0);
    assert_eq!(builder.finish().unwrap().0.num_rows(), 0);
}

#[test]
fn bytes_that_are_no_text_are_repaired_and_counted() {
    let mut builder = RowBuilder::new(table(), options(ZeroDates::Null)).unwrap();
    // Valid end to end, yet each of the two is half a character.
    builder
        .push_image(&mut Reader::new(&image(1, b"\xc3")), Op::Create)
        .unwrap();
    builder
        .push_image(&mut Reader::new(&image(2, b"\xa9")), Op::Create)
        .unwrap();
    builder
        .push_image(&mut Reader::new(&image(3, "é".as_bytes())), Op::Create)
        .unwrap();
    let (batch, _) = builder.finish().unwrap();
    let texts: Vec<_> = batch
        .column(1)
        .as_string::<i32>()
        .iter()
        .flatten()
        .collect();
    assert_eq!(texts, ["\u{fffd}", "\u{fffd}", "é"]);
    assert_eq!(builder.invalid_text(), 2);
}

#[test]
fn keys_are_the_same_by_both_roads() {
    let layout = table();
    let options = options(ZeroDates::Null);
    let encoder = KeyEncoder::new(&layout, options).unwrap();
    let mut log = RowBuilder::new(layout.clone(), options).unwrap();
    let mut snapshot = RowBuilder::new(layout, options).unwrap();
    for id in [1, -1, i32::MIN] {
        log.push_image(&mut Reader::new(&image(id, b"x")), Op::Create)
            .unwrap();
        let values = vec![Value::Int(id.into()), bytes("another")];
        protocol_row(values, 45).push_to(&mut snapshot).unwrap();
    }
    let one = encoder.keys(&log.finish().unwrap().0).unwrap();
    let other = encoder.keys(&snapshot.finish().unwrap().0).unwrap();
    let data: Vec<_> = one.iter().map(|key| key.data().to_vec()).collect();
    assert!(
        other
            .iter()
            .map(|key| key.data().to_vec())
            .eq(data.iter().cloned())
    );
    assert!(data[0] != data[1] && data[1] != data[2]);
}

proptest! {
    #[test]
    fn garbage_images_never_panic(
        garbage in proptest::collection::vec(any::<u8>(), 0..80),
        nulls in any::<u8>(),
    ) {
        let layout = layout(
            &[
                (Kind::DateTime { fraction: 6 }, Wire::Fixed(8)),
                (Kind::Time { fraction: 5 }, Wire::Fixed(6)),
                (Kind::Decimal(super::super::decimal::Packing::new(40, 20).unwrap()), Wire::Fixed(20)),
                (Kind::Set(members(&["a", "b"])), Wire::Fixed(1)),
                (Kind::Text(Charset::Utf16), Wire::Prefixed(1)),
                (Kind::Inet6, Wire::Prefixed(1)),
                (Kind::Geometry, Wire::Prefixed(1)),
                (Kind::Json, Wire::Prefixed(2)),
            ],
            false,
        );
        let mut builder = RowBuilder::new(layout, options(ZeroDates::Reject)).unwrap();
        let mut image = vec![nulls];
        image.extend(garbage);
        let pushed = builder.push_image(&mut Reader::new(&image), Op::Create);
        let refused = builder.drain_refusals().len();
        prop_assert_eq!(builder.len() + refused, usize::from(pushed.is_ok()));
        prop_assert!(builder.finish().is_ok());
    }
}
