//! What a destination would hold after the messages of a source: rows as objects, by stream.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tributary_model::{ChangeBatch, DataType, Message, Op, Row, Rows, Stream, StreamName};

use crate::cells;

/// Tables by the name of their stream.
#[derive(Debug, Default)]
pub(super) struct Contents {
    tables: BTreeMap<String, Vec<(String, Row)>>,
    keys: BTreeMap<StreamName, Vec<String>>,
    /// Streams that rows came of.
    heard: BTreeSet<String>,
    /// Rows that came, also those that came again.
    pub(super) rows: usize,
}

impl Contents {
    pub(super) fn of(streams: &[Stream]) -> Self {
        let key = |stream: &Stream| (stream.name.clone(), stream.schema.key.clone());
        Self {
            keys: streams.iter().map(key).collect(),
            ..Self::default()
        }
    }

    /// The rows of a stream.
    pub(super) fn table(&self, stream: &str) -> Vec<Row> {
        let rows = self.tables.get(stream).into_iter().flatten();
        rows.map(|(_, row)| row.clone()).collect()
    }

    /// Streams that brought no row at all.
    pub(super) fn silent(&self) -> Vec<String> {
        let all = self.keys.keys().map(ToString::to_string);
        all.filter(|name| !self.heard.contains(name)).collect()
    }

    /// What the message does.
    ///
    /// # Panics
    /// Panics where the source gives a stream up or rejects rows.
    pub(super) fn apply(&mut self, message: &Message) {
        match message {
            Message::Rows {
                stream,
                rows: Rows::Arrow(batch),
            } => {
                let key = batch.schema.key.clone();
                for (op, row) in rows_of(batch) {
                    self.put(stream, &key, op, row);
                }
            }
            Message::Rows {
                stream,
                rows: Rows::Json(rows),
            } => {
                let key = self.keys.get(stream).cloned().unwrap_or_default();
                for row in rows {
                    self.put(stream, &key, Op::Read, row.clone());
                }
            }
            Message::Truncate { stream, .. } | Message::Generation { stream, .. } => {
                drop(self.tables.remove(&stream.to_string()));
            }
            Message::Clear { stream, of } => {
                let table = self.tables.entry(stream.to_string()).or_default();
                for (_, gone) in rows_of(of) {
                    table.retain(|(_, row)| {
                        gone.iter()
                            .any(|(name, value)| row.get(name) != Some(value))
                    });
                }
            }
            Message::Checkpoint(_) | Message::Complete { .. } | Message::Phase { .. } => {}
            Message::Rejected(rows) => panic!("rows were rejected: {rows:?}"),
            Message::Failed { stream, error } => panic!("{stream} failed: {error}"),
        }
    }

    fn put(&mut self, stream: &StreamName, key: &[String], op: Op, row: Row) {
        self.rows += 1;
        if !self.heard.contains(&stream.to_string()) {
            self.heard.insert(stream.to_string());
        }
        let identity = match key {
            [] => json!(row).to_string(),
            key => json!(key.iter().map(|name| row.get(name)).collect::<Vec<_>>()).to_string(),
        };
        let table = self.tables.entry(stream.to_string()).or_default();
        let place = table.iter().position(|(other, _)| *other == identity);
        match (op, place) {
            (Op::Delete, Some(place)) => drop(table.remove(place)),
            (Op::Delete, None) => {}
            (Op::Truncate, _) => panic!("a truncate came as a row"),
            (Op::Read | Op::Create | Op::Update, Some(place)) => table[place].1 = row,
            (Op::Read | Op::Create | Op::Update, None) => table.push((identity, row)),
        }
    }
}

fn rows_of(batch: &ChangeBatch) -> Vec<(Op, Row)> {
    let mut rows: Vec<_> = batch.ops.iter().map(|op| (*op, Row::new())).collect();
    for (column, array) in batch.schema.columns.iter().zip(batch.columns.columns()) {
        for ((_, row), text) in rows.iter_mut().zip(cells::texts(column.data_type, array)) {
            let value = text.map_or(Value::Null, |text| value(column.data_type, text));
            row.insert(column.name.clone(), value);
        }
    }
    rows
}

/// A canonical text as the value that it is the text of.
fn value(data_type: DataType, text: String) -> Value {
    match data_type {
        DataType::Text
        | DataType::Bytes
        | DataType::Date
        | DataType::Time
        | DataType::Timestamp
        | DataType::TimestampTz => json!(text),
        DataType::Bool
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt64
        | DataType::Decimal(..)
        | DataType::Float32
        | DataType::Float64
        | DataType::Json => serde_json::from_str(&text).unwrap_or(Value::String(text)),
    }
}
