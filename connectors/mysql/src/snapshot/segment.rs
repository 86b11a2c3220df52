//! A piece of a table: a range of its key, and how far it has been copied.

use mysql_async::Value;
use serde::{Deserialize, Serialize};
use tributary_model::{Error, Result};

use crate::decode::answer::Sent;
use crate::info::TableInfo;
use crate::layout::Layout;

/// A range of a table's key that is still to be copied.
///
/// Ranges are cut by the first column of the key. Order is the server's alone: nothing here compares
/// keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// The last key that has been copied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<Vec<KeyValue>>,
    /// The first column's least value here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<KeyValue>,
    /// The first column's values here are less than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) to: Option<KeyValue>,
}

impl Segment {
    /// The whole table.
    pub(crate) const ALL: Self = Self {
        after: None,
        from: None,
        to: None,
    };
}

/// A value of a key column, exact in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyValue {
    /// A signed integer.
    Int(i64),
    /// An unsigned integer.
    Uint(u64),
    /// Text, or a number written as text.
    Text(String),
    /// Bytes, as hexadecimal text.
    Hex(String),
    /// Year, month, day, hour, minute, second, microsecond.
    Date(u16, u8, u8, u8, u8, u8, u32),
    /// Negative, days, hours, minutes, seconds, microseconds.
    Time(bool, u32, u8, u8, u8, u32),
}

/// How a value of a key column is handed back to the server so that it compares as in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyStyle {
    /// As it came: numbers, text (in the column's own collation), dates.
    Plain,
    /// Bytes, as hexadecimal text.
    Bytes,
    /// A decimal of so many digits: without a cast it would be compared as a float.
    Decimal(u32, u32),
}

/// How to hand back the values of a table's key; `None` where the table can't be walked by its
/// key: it has none, or one whose order as values is not that of its index (ENUM, SET), or whose
/// values do not compare exactly (FLOAT), or that the protocol does not hand back (BIT) or hands
/// back in the column's own charset.
pub(crate) fn key_styles(table: &TableInfo, layout: &Layout) -> Option<Vec<KeyStyle>> {
    let is_raw = |index: &usize| layout.columns[*index].kind.fetched_raw();
    if table.key.is_empty() || layout.key.iter().any(is_raw) {
        return None;
    }
    table
        .key
        .iter()
        .map(|name| key_style(table, name))
        .collect()
}

fn key_style(table: &TableInfo, name: &str) -> Option<KeyStyle> {
    let column = table.columns.iter().find(|column| column.name == *name)?;
    match column.data_type.as_str() {
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "year" | "char" | "varchar"
        | "date" | "datetime" | "timestamp" | "time" | "uuid" | "inet4" | "inet6" => {
            Some(KeyStyle::Plain)
        }
        "binary" | "varbinary" => Some(KeyStyle::Bytes),
        "decimal" => Some(KeyStyle::Decimal(column.precision?, column.scale?)),
        _ => None,
    }
}

impl KeyStyle {
    /// What stands in the statement for a value.
    pub(crate) fn placeholder(self) -> String {
        match self {
            Self::Plain => "?".to_owned(),
            Self::Bytes => "UNHEX(?)".to_owned(),
            Self::Decimal(digits, scale) => format!("CAST(? AS DECIMAL({digits},{scale}))"),
        }
    }

    /// Keeps a value that the server sent.
    pub(crate) fn keep(self, value: Sent<'_>) -> Result<KeyValue> {
        Ok(match (self, value) {
            (_, Sent::Int(number)) => KeyValue::Int(number),
            (_, Sent::UInt(number)) => KeyValue::Uint(number),
            (Self::Bytes, Sent::Bytes(bytes)) => KeyValue::hex(bytes),
            (Self::Plain | Self::Decimal(..), Sent::Bytes(bytes)) => {
                KeyValue::Text(String::from_utf8(bytes.to_vec()).map_err(|cause| {
                    Error::bug("a key arrived that is not UTF-8").because(cause)
                })?)
            }
            (_, Sent::Moment(at)) => KeyValue::Date(
                at.year, at.month, at.day, at.hour, at.minute, at.second, at.micros,
            ),
            (_, Sent::Span(span)) => KeyValue::Time(
                span.negative,
                span.hours / 24,
                (span.hours % 24) as u8,
                span.minute,
                span.second,
                span.micros,
            ),
            (_, Sent::Null | Sent::Float(_) | Sent::Double(_)) => {
                return Err(Error::bug("a key arrived that is no key"));
            }
        })
    }
}

impl KeyValue {
    pub(super) fn hex(bytes: &[u8]) -> Self {
        Self::Hex(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl From<&KeyValue> for Value {
    fn from(key: &KeyValue) -> Self {
        match key {
            KeyValue::Int(number) => Self::Int(*number),
            KeyValue::Uint(number) => Self::UInt(*number),
            KeyValue::Text(text) | KeyValue::Hex(text) => Self::Bytes(text.clone().into_bytes()),
            &KeyValue::Date(year, month, day, hour, minute, second, micros) => {
                Self::Date(year, month, day, hour, minute, second, micros)
            }
            &KeyValue::Time(negative, days, hours, minutes, seconds, micros) => {
                Self::Time(negative, days, hours, minutes, seconds, micros)
            }
        }
    }
}
