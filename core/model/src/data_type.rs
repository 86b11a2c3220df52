//! The types a column can have, and how two of them become one.

use std::fmt;

use arrow_schema::{DataType as Arrow, TimeUnit};
use serde::{Deserialize, Serialize};

/// A closed set: every dialect matches it exhaustively, so that a new type is a guided tour by the
/// compiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
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

impl From<DataType> for String {
    fn from(data_type: DataType) -> Self {
        data_type.to_string()
    }
}

impl TryFrom<String> for DataType {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FIXED: [DataType; 14] = [
        DataType::Bool,
        DataType::Int16,
        DataType::Int32,
        DataType::Int64,
        DataType::UInt64,
        DataType::Float32,
        DataType::Float64,
        DataType::Date,
        DataType::Time,
        DataType::Timestamp,
        DataType::TimestampTz,
        DataType::Text,
        DataType::Bytes,
        DataType::Json,
    ];

    fn types() -> impl Strategy<Value = DataType> {
        let decimals = (1..=MAX_DIGITS)
            .prop_flat_map(|digits| (Just(digits), 0..=digits))
            .prop_map(|(digits, scale)| DataType::Decimal(digits, scale));
        prop_oneof![prop::sample::select(FIXED.to_vec()), decimals]
    }

    fn join(a: Option<DataType>, b: Option<DataType>) -> Option<DataType> {
        a?.join(b?)
    }

    /// Digits before and after the point that a type holds exactly.
    fn exact_digits(data_type: DataType) -> Option<(u8, u8)> {
        match data_type {
            DataType::Float32 => Some((7, 0)),
            DataType::Float64 => Some((15, 0)),
            other => other
                .as_decimal()
                .map(|(digits, scale)| (digits - scale, scale)),
        }
    }

    proptest! {
        #[test]
        fn join_is_a_semilattice(a in types(), b in types(), c in types()) {
            prop_assert_eq!(a.join(a), Some(a));
            prop_assert_eq!(a.join(b), b.join(a));
            prop_assert_eq!(join(a.join(b), Some(c)), join(Some(a), b.join(c)));
        }

        #[test]
        fn join_is_above_both_and_never_lossy(a in types(), b in types()) {
            if let Some(joined) = a.join(b) {
                prop_assert_eq!(joined.join(a), Some(joined));
                prop_assert_eq!(joined.join(b), Some(joined));
                for had in [a, b] {
                    if had == joined {
                        continue;
                    }
                    if let (Some(before), Some(after)) = (exact_digits(had), exact_digits(joined)) {
                        // An integer of 16 bits has at most five digits, of 32 bits ten: both fit
                        // a float with that many exact ones.
                        prop_assert!(before.0 <= after.0 || had == DataType::Float32);
                        prop_assert!(before.1 <= after.1 || matches!(had, DataType::Float32));
                    }
                }
            }
        }

        #[test]
        fn a_type_survives_its_own_text(a in types()) {
            prop_assert_eq!(a.to_string().parse::<DataType>(), Ok(a));
        }
    }
}
