#![allow(clippy::unwrap_used)]
//! Row events: what they turn into, and what they must not do.

use std::io::Write;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use proptest::prelude::*;
use tributary_model::StreamSchema;

use super::*;
use crate::column::{Format, Kind, ValueOptions, Wire, ZeroDates};
use crate::layout::{ImageColumn, LayoutColumn};
use crate::server::Flavor;

/// `skipped BLOB, id INT, n INT`; the key is `id`, where there is one.
fn builder(keyed: bool) -> RowBuilder {
    let column = |name: &str| LayoutColumn {
        name: name.to_owned(),
        kind: Kind::I32,
        nullable: true,
        default: None,
    };
    let image = |wire, kept, in_key| ImageColumn {
        name: String::new(),
        kind: None,
        compressed: false,
        wire,
        format: Format::Packed,
        kept,
        in_key,
    };
    let layout = Layout {
        columns: vec![column("id"), column("n")],
        key: if keyed { vec![0] } else { Vec::new() },
        image: vec![
            image(Wire::Prefixed(2), false, false),
            image(Wire::Fixed(4), true, keyed),
            image(Wire::Fixed(4), true, false),
        ],
        schema: Arc::new(StreamSchema::default()),
    };
    let options = ValueOptions {
        zero_dates: ZeroDates::Null,
        geometry: crate::column::Geometries::Wkb,
        flavor: Flavor::MySql,
    };
    RowBuilder::new(Arc::new(layout), options).unwrap()
}

/// A row image: `id`, and `n` unless it is NULL.
fn image(id: i32, n: Option<i32>) -> Vec<u8> {
    let mut image = vec![if n.is_none() { 0b100 } else { 0 }, 2, 0, b'x', b'y'];
    image.extend(id.to_le_bytes());
    image.extend(n.iter().flat_map(|n| n.to_le_bytes()));
    image
}

fn event(event_type: u8, images: &[u8]) -> Vec<u8> {
    let mut body = vec![9, 0, 0, 0, 0, 0, 1, 0];
    if matches!(event_type, 30..=32) {
        body.extend([5, 0, 7, 7, 7]);
    }
    body.push(3);
    body.push(0b111);
    if matches!(event_type, 24 | 31 | 167) {
        body.push(0b111);
    }
    body.extend(images);
    body
}

/// The rows that an event makes: what happened, `id`, `n`.
fn rows(event_type: u8, images: &[u8], keyed: bool) -> Vec<(Op, i32, Option<i32>)> {
    let body = event(event_type, images);
    let event = RowsEvent::parse(event_type, &body).unwrap();
    assert_eq!(event.table_id, 9);
    assert_eq!(RowsEvent::table_id(&body).unwrap(), 9);
    assert!(event.ends_statement);
    let mut builder = builder(keyed);
    let count = decode(&event, &mut builder, None).unwrap();
    let (batch, ops) = builder.finish().unwrap();
    assert_eq!(count, batch.num_rows());
    let number = |column: usize| batch.column(column).as_primitive::<Int32Type>().clone();
    let (ids, ns) = (number(0), number(1));
    ops.into_iter()
        .zip(ids.iter().flatten())
        .zip(ns.iter())
        .map(|((op, id), n)| (op, id, n))
        .collect()
}

#[test]
fn inserts_and_deletes_of_both_versions() {
    let images = [image(1, Some(10)), image(2, None)].concat();
    for (event_type, op) in [
        (23, Op::Create),
        (25, Op::Delete),
        (30, Op::Create),
        (32, Op::Delete),
    ] {
        assert_eq!(
            rows(event_type, &images, true),
            [(op, 1, Some(10)), (op, 2, None)]
        );
    }
    assert_eq!(rows(23, &[], true), []);
}

#[test]
fn an_update_is_one_row_unless_the_key_changes() {
    let images = [
        image(1, Some(10)),
        image(1, None),
        image(2, Some(20)),
        image(3, Some(20)),
    ]
    .concat();
    let moved = [(Op::Delete, 2, Some(20)), (Op::Create, 3, Some(20))];
    for event_type in [24, 31] {
        assert_eq!(
            rows(event_type, &images, true),
            [&[(Op::Update, 1, None)], &moved[..]].concat()
        );
        assert_eq!(
            rows(event_type, &images, false),
            [
                &[(Op::Delete, 1, Some(10)), (Op::Create, 1, None)],
                &moved[..]
            ]
            .concat()
        );
    }
}

fn deflated(images: &[u8], announced: usize) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(images).unwrap();
    let mut body = vec![0x82];
    body.extend((announced as u16).to_be_bytes());
    body.extend(encoder.finish().unwrap());
    body
}

#[test]
fn compressed_rows_are_inflated() {
    let images: Vec<u8> = (0..40).flat_map(|id| image(id, Some(id))).collect();
    let plain = rows(23, &images, true);
    assert_eq!(rows(166, &deflated(&images, images.len()), true), plain);
    for wrong in [0, images.len() - 1, images.len() + 1] {
        let body = event(166, &deflated(&images, wrong));
        assert!(
            RowsEvent::parse(166, &body).is_err(),
            "{wrong} bytes announced"
        );
    }
    assert!(RowsEvent::parse(166, &event(166, &[0x81, 5, 1, 2, 3])).is_err());
}

#[test]
fn what_is_not_whole_is_refused_with_its_fix() {
    let partial = |event_type: u8, body: &[u8], fix: &str| {
        let error = RowsEvent::parse(event_type, body).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incompatible);
        assert!(
            error.help().is_some_and(|help| help.contains(fix)),
            "{error}"
        );
    };
    let mut minimal = event(24, &[]);
    minimal[9] = 0b010;
    partial(24, &minimal, "binlog_row_image=FULL");
    let mut after = event(24, &[]);
    after[10] = 0b101;
    partial(24, &after, "binlog_row_image=FULL");
    partial(172, &event(172, &[]), "fragment");
    assert!(RowsEvent::parse(19, &event(23, &[])).is_err());
}

#[test]
fn a_width_that_is_not_the_tables_is_refused() {
    let body = [9, 0, 0, 0, 0, 0, 0, 0, 2, 0b11];
    let event = RowsEvent::parse(23, &body).unwrap();
    assert!(!event.ends_statement);
    assert!(decode(&event, &mut builder(true), None).is_err());
    assert!(RowsEvent::parse(23, &[9, 0, 0, 0, 0, 0, 0, 0, 0, 1]).is_err());
}

#[test]
fn rows_before_a_bad_one_stay() {
    let mut images = [image(1, Some(1)), image(2, Some(2))].concat();
    images.pop();
    let body = event(23, &images);
    let mut builder = builder(true);
    assert!(decode(&RowsEvent::parse(23, &body).unwrap(), &mut builder, None).is_err());
    assert_eq!(builder.len(), 1);
}

proptest! {
    #[test]
    fn garbage_never_panics(
        event_type in prop_oneof![23_u8..26, 30_u8..33, 39_u8..40, 166_u8..172],
        garbage in proptest::collection::vec(any::<u8>(), 0..200),
        well_begun in any::<bool>(),
    ) {
        let body = if well_begun { event(event_type, &garbage) } else { garbage };
        let mut builder = builder(true);
        let layout = builder.layout().clone();
        let event = RowsEvent::parse(event_type, &body).and_then(|event| event.whole(&layout));
        if let Ok(event) = event {
            let _ = decode(&event, &mut builder, None);
        }
        prop_assert!(builder.finish().is_ok());
    }
}
