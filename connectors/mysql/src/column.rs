//! The kinds of column a MySQL or MariaDB table can have.
//!
//! A [`Kind`] says what a column's values *mean*; how they lie in a row image is [`Wire`]. The
//! snapshot and the log reach the same kind by different roads (`information_schema`, the table
//! map), and one kind has one type and one rendering, so that a cell is the same whichever road it
//! came by. Deliberately absent: names, keys and any decoding.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use tributary_model::DataType;

use crate::decode::charset::Charset;
use crate::decode::decimal::Packing;
use crate::server::Flavor;

/// What becomes of dates that no calendar has: `0000-00-00`, `2024-00-15`, `2024-02-30`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ZeroDates {
    /// NULL; a row with such a date in its key goes to the rejected rows.
    #[default]
    Null,
    /// 1970-01-01.
    Epoch,
    /// Date columns become text, with every value as the server prints it.
    Text,
    /// The row goes to the rejected rows.
    Reject,
}

/// What becomes of geometries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Geometries {
    /// Well-known binary.
    #[default]
    Wkb,
    /// GeoJSON.
    Geojson,
}

/// What decides a column's type and values besides its declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ValueOptions {
    /// What becomes of impossible dates.
    pub(crate) zero_dates: ZeroDates,
    /// What becomes of geometries.
    pub(crate) geometry: Geometries,
    /// Whose defaults and table maps are read: both print and count some things their own way.
    pub(crate) flavor: Flavor,
}

/// The labels of an ENUM or SET, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Members {
    /// In declared order.
    pub(crate) labels: Arc<[String]>,
    /// The charset that the column's labels are stored in.
    pub(crate) charset: Charset,
}

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// TINYINT.
    I8,
    /// TINYINT UNSIGNED.
    U8,
    /// SMALLINT.
    I16,
    /// SMALLINT UNSIGNED.
    U16,
    /// MEDIUMINT.
    I24,
    /// MEDIUMINT UNSIGNED.
    U24,
    /// INT.
    I32,
    /// INT UNSIGNED.
    U32,
    /// BIGINT.
    I64,
    /// BIGINT UNSIGNED.
    U64,
    /// FLOAT.
    F32,
    /// DOUBLE.
    F64,
    /// DECIMAL of so many digits, so many of them after the point.
    Decimal(Packing),
    /// DATE.
    Date,
    /// TIME with this many digits of a second's fraction.
    Time {
        /// 0 to 6.
        fraction: u8,
    },
    /// DATETIME: no zone.
    DateTime {
        /// 0 to 6.
        fraction: u8,
    },
    /// TIMESTAMP: an instant.
    Timestamp {
        /// 0 to 6.
        fraction: u8,
    },
    /// YEAR.
    Year,
    /// BIT of this many bits, 1 to 64.
    Bit(u8),
    /// CHAR, VARCHAR and the TEXTs.
    Text(Charset),
    /// VARBINARY and the BLOBs.
    Bytes,
    /// BINARY of this many bytes.
    FixedBytes(usize),
    /// ENUM.
    Enum(Members),
    /// SET.
    Set(Members),
    /// MySQL's JSON: binary in the log, text in a snapshot.
    Json,
    /// MariaDB's JSON: text with a check, in this charset.
    JsonText(Charset),
    /// GEOMETRY and its subtypes.
    Geometry,
    /// MariaDB's UUID.
    Uuid,
    /// MariaDB's INET4.
    Inet4,
    /// MariaDB's INET6.
    Inet6,
    /// VECTOR: 32-bit floats.
    Vector,
}

/// Where a value ends in a row image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// After this many bytes.
    Fixed(usize),
    /// As the length in its first bytes says: 1 to 4 of them, little endian.
    Prefixed(u8),
}

/// Which of the two storage formats a temporal column has in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Since MySQL 5.6 and MariaDB 10.1: packed, big endian.
    Packed,
    /// Columns that no ALTER has touched since: without fractions, little endian.
    Legacy,
}

impl Kind {
    /// The type of the column's values under `options`.
    #[must_use]
    pub(crate) fn data_type(&self, options: &ValueOptions) -> DataType {
        match self {
            Self::I8 | Self::U8 | Self::I16 | Self::Year => DataType::Int16,
            Self::U16 | Self::I24 | Self::U24 | Self::I32 => DataType::Int32,
            Self::U32 | Self::I64 => DataType::Int64,
            Self::U64 => DataType::UInt64,
            Self::F32 => DataType::Float32,
            Self::F64 => DataType::Float64,
            Self::Decimal(packing) => DataType::Decimal(packing.precision(), packing.scale()),
            Self::Bit(1) => DataType::Bool,
            Self::Bit(2..=63) => DataType::Int64,
            Self::Bit(_) => DataType::UInt64,
            Self::Date | Self::DateTime { .. } | Self::Timestamp { .. }
                if options.zero_dates == ZeroDates::Text =>
            {
                DataType::Text
            }
            Self::Date => DataType::Date,
            Self::DateTime { .. } => DataType::Timestamp,
            Self::Timestamp { .. } => DataType::TimestampTz,
            Self::Time { .. }
            | Self::Text(_)
            | Self::Enum(_)
            | Self::Set(_)
            | Self::Uuid
            | Self::Inet4
            | Self::Inet6 => DataType::Text,
            Self::Geometry if options.geometry == Geometries::Geojson => DataType::Json,
            Self::Bytes | Self::FixedBytes(_) | Self::Geometry => DataType::Bytes,
            Self::Json | Self::JsonText(_) | Self::Vector => DataType::Json,
        }
    }

    /// Whether its values can be impossible dates.
    #[must_use]
    pub(crate) fn is_date(&self) -> bool {
        matches!(
            self,
            Self::Date | Self::DateTime { .. } | Self::Timestamp { .. }
        )
    }

    /// Whether a snapshot must fetch the stored bytes and decode them here, because the server's
    /// own conversion to UTF-8 differs from ours in a few codes.
    #[must_use]
    pub(crate) fn fetched_raw(&self) -> bool {
        match self {
            Self::Text(charset) | Self::JsonText(charset) => !charset.same_as_server(),
            Self::Enum(members) | Self::Set(members) => !members.charset.same_as_server(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(zero_dates: ZeroDates) -> ValueOptions {
        ValueOptions {
            zero_dates,
            geometry: crate::column::Geometries::Wkb,
            flavor: Flavor::MySql,
        }
    }

    #[test]
    fn zero_dates_as_text_turn_every_date_column_into_text() {
        let text = options(ZeroDates::Text);
        for kind in [
            Kind::Date,
            Kind::DateTime { fraction: 3 },
            Kind::Timestamp { fraction: 0 },
        ] {
            assert!(kind.is_date());
            assert_eq!(kind.data_type(&text), DataType::Text);
            assert_ne!(kind.data_type(&options(ZeroDates::Null)), DataType::Text);
        }
    }

    #[test]
    fn bits_take_the_least_type_that_holds_them() {
        let types = [1, 2, 63, 64].map(|bits| Kind::Bit(bits).data_type(&options(ZeroDates::Null)));
        assert_eq!(
            types,
            [
                DataType::Bool,
                DataType::Int64,
                DataType::Int64,
                DataType::UInt64
            ]
        );
    }
}
