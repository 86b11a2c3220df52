//! Each kind by both roads: the bytes of a row image and the value of the binary protocol end in
//! equal arrays.

mod kinds;
mod rows;
mod zero_dates;

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use mysql_async::consts::ColumnType;
use mysql_async::{Column, Row, Value};
use mysql_common::row::new_row;
use tributary_model::{Op, Result, StreamSchema};

use super::builder::RowBuilder;
use super::charset::Charset;
use super::reader::Reader;
use crate::column::{Format, Kind, Members, ValueOptions, Wire, ZeroDates};
use crate::layout::{ImageColumn, Layout, LayoutColumn};
use crate::server::Flavor;

pub(super) fn options(zero_dates: ZeroDates) -> ValueOptions {
    ValueOptions {
        zero_dates,
        flavor: Flavor::MySql,
    }
}

/// A layout of such columns, the first of them the key.
pub(super) fn layout(columns: &[(Kind, Wire)], keyed: bool) -> Arc<Layout> {
    let named = columns
        .iter()
        .enumerate()
        .map(|(index, (kind, _))| LayoutColumn {
            name: format!("c{index}"),
            kind: kind.clone(),
            nullable: true,
            default: None,
        });
    let image = columns
        .iter()
        .enumerate()
        .map(|(index, (_, wire))| ImageColumn {
            wire: *wire,
            format: Format::Packed,
            kept: true,
            in_key: keyed && index == 0,
        });
    Arc::new(Layout {
        columns: named.collect(),
        key: if keyed { vec![0] } else { Vec::new() },
        image: image.collect(),
        schema: Arc::new(StreamSchema::default()),
    })
}

/// A row of the binary protocol, whose columns are of this charset.
pub(super) fn protocol_row(values: Vec<Value>, charset: u16) -> Row {
    let column = Column::new(ColumnType::MYSQL_TYPE_STRING).with_character_set(charset);
    let columns = vec![column; values.len()];
    new_row(values, columns.into())
}

/// The one column that an image and a value make.
pub(super) fn one(
    kind: &Kind,
    wire: Wire,
    values: &[(Option<&[u8]>, Value)],
    charset: u16,
) -> Result<(ArrayRef, ArrayRef)> {
    let layout = layout(&[(kind.clone(), wire)], false);
    let mut from_log = RowBuilder::new(layout.clone(), options(ZeroDates::Null))?;
    let mut from_snapshot = RowBuilder::new(layout, options(ZeroDates::Null))?;
    for (stored, value) in values {
        let mut image = vec![u8::from(stored.is_none())];
        image.extend(stored.unwrap_or_default());
        let mut reader = Reader::new(&image);
        from_log.push_image(&mut reader, Op::Create)?;
        assert!(reader.is_empty(), "the image has been read to its end");
        from_snapshot.push_protocol_row(&protocol_row(vec![value.clone()], charset))?;
    }
    let column = |batch: RecordBatch| batch.column(0).clone();
    Ok((
        column(from_log.finish()?.0),
        column(from_snapshot.finish()?.0),
    ))
}

pub(super) fn members(labels: &[&str]) -> Members {
    Members {
        labels: labels.iter().map(|&label| label.to_owned()).collect(),
        charset: Charset::Utf8,
    }
}

pub(super) fn bytes(text: impl AsRef<[u8]>) -> Value {
    Value::Bytes(text.as_ref().to_vec())
}
