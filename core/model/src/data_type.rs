//! The types a column can have, and how two of them become one.

use std::fmt;

use arrow_schema::{DataType as Arrow, TimeUnit};
use serde::{Deserialize, Serialize};

/// A closed set: every dialect matches it exhaustively, so that a new type is a guided tour by the
/// compiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataType {
    /// True or false.
    Bool,
    /// 16 bits, signed.
    Int16,
    /// 32 bits, signed.
    Int32,
    /// 64 bits, signed.
    Int64,
    /// 64 bits, unsigned.
    UInt64,
    /// An exact decimal of `0` digits in all, `1` of them after the point; at most 76 digits.
    Decimal(u8, u8),
    /// IEEE 754, 32 bits.
    Float32,
    /// IEEE 754, 64 bits.
    Float64,
    /// A day.
    Date,
    /// A time of day, microseconds.
    Time,
    /// Date and time without a zone, microseconds.
    Timestamp,
    /// An instant, microseconds, UTC.
    TimestampTz,
    /// UTF-8.
    Text,
    /// Bytes.
    Bytes,
    /// Text that is valid JSON.
    Json,
}

/// Digits that Arrow's widest decimal holds.
const MAX_DIGITS: u8 = 76;
/// Digits that the narrower Arrow decimal holds.
const MAX_DIGITS_128: u8 = 38;

impl DataType {
    /// The least type that holds every value of both, or `None` where there is none that keeps
    /// values and meaning: then the newcomer gets a column of its own.
    ///
    /// Commutative, associative (with `None` absorbing) and idempotent; never lossy.
    #[must_use]
    pub fn join(self, other: Self) -> Option<Self> {
        use DataType::{
            Bool, Bytes, Date, Decimal, Float32, Float64, Int16, Int32, Int64, Json, Text, Time,
            Timestamp, TimestampTz, UInt64,
        };
        let (low, high) = if self <= other {
            (self, other)
        } else {
            (other, self)
        };
        match (low, high) {
            (a, b) if a == b => Some(a),
            (Int16, Int32) => Some(Int32),
            (Int16 | Int32, Int64) => Some(Int64),
            (Int16 | Int32 | Int64, UInt64) => Some(Decimal(20, 0)),
            (Int16 | Int32 | Int64 | UInt64, Decimal(..)) | (Decimal(..), Decimal(..)) => {
                join_decimals(low.as_decimal()?, high.as_decimal()?)
            }
            (Int16, Float32) => Some(Float32),
            (Int32, Float32) | (Int16 | Int32, Float64) | (Float32, Float64) => Some(Float64),
            (Date, Timestamp) => Some(Timestamp),
            (Text, Json) => Some(Text),
            (
                Bool | Int16 | Int32 | Int64 | UInt64 | Decimal(..) | Float32 | Float64 | Date
                | Time | Timestamp | TimestampTz | Text | Bytes | Json,
                _,
            ) => None,
        }
    }

    /// The Arrow type that carries it.
    #[must_use]
    pub fn to_arrow(self) -> Arrow {
        match self {
            Self::Bool => Arrow::Boolean,
            Self::Int16 => Arrow::Int16,
            Self::Int32 => Arrow::Int32,
            Self::Int64 => Arrow::Int64,
            Self::UInt64 => Arrow::UInt64,
            Self::Decimal(digits, scale) if digits <= MAX_DIGITS_128 => {
                Arrow::Decimal128(digits, scale.cast_signed())
            }
            Self::Decimal(digits, scale) => Arrow::Decimal256(digits, scale.cast_signed()),
            Self::Float32 => Arrow::Float32,
            Self::Float64 => Arrow::Float64,
            Self::Date => Arrow::Date32,
            Self::Time => Arrow::Time64(TimeUnit::Microsecond),
            Self::Timestamp => Arrow::Timestamp(TimeUnit::Microsecond, None),
            Self::TimestampTz => Arrow::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Text | Self::Json => Arrow::Utf8,
            Self::Bytes => Arrow::Binary,
        }
    }

    /// A short name for the suffix of a variant column (`amount__v_text`).
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::UInt64 => "uint64",
            Self::Decimal(..) => "decimal",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::Date => "date",
            Self::Time => "time",
            Self::Timestamp => "timestamp",
            Self::TimestampTz => "timestamptz",
            Self::Text => "text",
            Self::Bytes => "bytes",
            Self::Json => "json",
        }
    }

    fn as_decimal(self) -> Option<(u8, u8)> {
        match self {
            Self::Int16 => Some((5, 0)),
            Self::Int32 => Some((10, 0)),
            Self::Int64 => Some((19, 0)),
            Self::UInt64 => Some((20, 0)),
            Self::Decimal(digits, scale) => Some((digits, scale)),
            _ => None,
        }
    }
}

fn join_decimals(a: (u8, u8), b: (u8, u8)) -> Option<DataType> {
    let scale = a.1.max(b.1);
    let digits = (a.0 - a.1).max(b.0 - b.1) + scale;
    (digits <= MAX_DIGITS).then_some(DataType::Decimal(digits, scale))
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decimal(digits, scale) => write!(f, "decimal({digits},{scale})"),
            other => f.write_str(other.tag()),
        }
    }
}

impl std::str::FromStr for DataType {
    type Err = String;

    /// Reads what `Display` writes; `decimal(38,9)` and `text` are how a user writes a type.
    fn from_str(text: &str) -> Result<Self, String> {
        let all = [
            Self::Bool,
            Self::Int16,
            Self::Int32,
            Self::Int64,
            Self::UInt64,
            Self::Float32,
            Self::Float64,
            Self::Date,
            Self::Time,
            Self::Timestamp,
            Self::TimestampTz,
            Self::Text,
            Self::Bytes,
            Self::Json,
        ];
        if let Some(found) = all.into_iter().find(|known| known.tag() == text) {
            return Ok(found);
        }
        parse_decimal(text).ok_or_else(|| {
            format!(
                "`{text}` is not a type; known are decimal(digits,scale) and {}",
                all.map(Self::tag).join(", ")
            )
        })
    }
}

fn parse_decimal(text: &str) -> Option<DataType> {
    let (digits, scale) = text
        .strip_prefix("decimal(")?
        .strip_suffix(')')?
        .split_once(',')?;
    let (digits, scale) = (digits.trim().parse().ok()?, scale.trim().parse().ok()?);
    ((1..=MAX_DIGITS).contains(&digits) && scale <= digits)
        .then_some(DataType::Decimal(digits, scale))
}
