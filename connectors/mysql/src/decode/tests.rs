//! Each kind by both roads: the bytes of a row image and the value of the binary protocol end in
//! equal arrays.

mod kinds;
mod rows;
mod zero_dates;

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use mysql_async::consts::{ColumnFlags, ColumnType};
use mysql_async::{Column, Value};
use mysql_common::proto::MySerialize;
use tributary_model::{Op, Result, StreamSchema};

use super::answer::Answer;
use super::builder::RowBuilder;
use super::charset::Charset;
use super::reader::Reader;
use crate::column::{Format, Kind, Members, ValueOptions, Wire, ZeroDates};
use crate::layout::{ImageColumn, Layout, LayoutColumn};
use crate::server::Flavor;

pub(super) fn options(zero_dates: ZeroDates) -> ValueOptions {
    ValueOptions {
        zero_dates,
        geometry: crate::column::Geometries::Wkb,
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
        .map(|(index, (kind, wire))| ImageColumn {
            name: format!("c{index}"),
            kind: Some(kind.clone()),
            compressed: false,
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

/// A row of the binary protocol.
pub(super) struct ProtocolRow {
    packet: Vec<u8>,
    columns: Vec<Answer>,
}

impl ProtocolRow {
    pub(super) fn push_to(&self, builder: &mut RowBuilder) -> Result<()> {
        builder.push_packet(&self.packet, &self.columns)
    }
}

/// A row of the binary protocol, whose texts are of this charset.
pub(super) fn protocol_row(values: Vec<Value>, charset: u16) -> ProtocolRow {
    let mut nulls = vec![0_u8; (values.len() + 2).div_ceil(8)];
    let mut body = Vec::new();
    for (index, value) in values.iter().enumerate() {
        if *value == Value::NULL {
            nulls[(index + 2) / 8] |= 1 << ((index + 2) % 8);
        }
        value.serialize(&mut body);
    }
    let columns = values.iter().map(|value| {
        let column = Column::new(data_type(value)).with_character_set(charset);
        Answer::of(&match value {
            Value::UInt(_) => column.with_flags(ColumnFlags::UNSIGNED_FLAG),
            _ => column,
        })
    });
    ProtocolRow {
        columns: columns.collect(),
        packet: [vec![0], nulls, body].concat(),
    }
}

fn data_type(value: &Value) -> ColumnType {
    match value {
        Value::NULL | Value::Bytes(_) => ColumnType::MYSQL_TYPE_STRING,
        Value::Int(_) | Value::UInt(_) => ColumnType::MYSQL_TYPE_LONGLONG,
        Value::Float(_) => ColumnType::MYSQL_TYPE_FLOAT,
        Value::Double(_) => ColumnType::MYSQL_TYPE_DOUBLE,
        Value::Date(..) => ColumnType::MYSQL_TYPE_DATETIME,
        Value::Time(..) => ColumnType::MYSQL_TYPE_TIME,
    }
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
        protocol_row(vec![value.clone()], charset).push_to(&mut from_snapshot)?;
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
