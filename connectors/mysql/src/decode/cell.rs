//! One column of a batch in the making: its kind, compiled, and its values so far.
//!
//! An enum, not a trait: a row is a walk over the cells with one `match` each, no call through a
//! pointer and no allocation. How a value gets in is `from_image` and `from_protocol`; how the
//! column gets out is `finish`.

use arrow_buffer::i256;

use super::charset::Charset;
use super::decimal::{NARROW, Packing};
use super::store::{Fixed, Flags, Varying};
use super::temporal::Moment;
use crate::column::{Format, Geometries, Kind, Members, ValueOptions, ZeroDates};

/// What became of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    /// It is in the column.
    Itself,
    /// It was a date that no calendar has; the column got its stand-in.
    StandIn,
}

/// What a date column does with dates that no calendar has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stand {
    /// NULL instead of 1970-01-01.
    pub(super) null: bool,
    /// The last such date.
    pub(super) last: Moment,
}

/// A column by what its bytes mean.
#[derive(Debug)]
pub(super) enum Cell {
    I8(Fixed<i16>),
    U8(Fixed<i16>),
    I16(Fixed<i16>),
    U16(Fixed<i32>),
    I24(Fixed<i32>),
    U24(Fixed<i32>),
    I32(Fixed<i32>),
    U32(Fixed<i64>),
    I64(Fixed<i64>),
    U64(Fixed<u64>),
    F32(Fixed<f32>),
    F64(Fixed<f64>),
    Decimal(Packing, Fixed<i128>),
    WideDecimal(Packing, Fixed<i256>),
    Year(Fixed<i16>),
    Flag(Flags),
    Bits(Fixed<i64>),
    AllBits(Fixed<u64>),
    Date(Stand, Fixed<i32>),
    DateTime(Clock, Stand, Fixed<i64>),
    Timestamp(Clock, Stand, Fixed<i64>),
    DateText(Varying),
    DateTimeText(Clock, Varying),
    TimestampText(Clock, Varying),
    Time(Clock, Varying),
    Text(Charset, Varying),
    Bytes(Varying),
    FixedBytes(usize, Varying),
    Enum(Members, Varying),
    Set(Members, Varying),
    Json(Varying),
    JsonText(Charset, Varying),
    Geometry(Varying),
    GeoJson(Varying),
    Uuid(Varying),
    Inet4(Varying),
    Inet6(Varying),
    Vector(Varying),
}

/// How a temporal column is stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// Digits of a second's fraction.
    pub(super) fraction: u8,
    pub(super) format: Format,
}

/// The values of a cell by their Arrow type.
pub(super) enum Store<'a> {
    Int16(&'a mut Fixed<i16>),
    Int32(&'a mut Fixed<i32>),
    Int64(&'a mut Fixed<i64>),
    UInt64(&'a mut Fixed<u64>),
    Float32(&'a mut Fixed<f32>),
    Float64(&'a mut Fixed<f64>),
    Decimal(Packing, &'a mut Fixed<i128>),
    WideDecimal(Packing, &'a mut Fixed<i256>),
    Bool(&'a mut Flags),
    Date(&'a mut Fixed<i32>),
    Timestamp(&'a mut Fixed<i64>),
    TimestampTz(&'a mut Fixed<i64>),
    Text(&'a mut Varying),
    Bytes(&'a mut Varying),
}

impl Cell {
    /// An empty column. `in_key` forces a stand-in that is not NULL.
    pub(super) fn new(kind: &Kind, format: Format, in_key: InKey, options: ValueOptions) -> Self {
        let stand = Stand {
            null: options.zero_dates != ZeroDates::Epoch && in_key == InKey::No,
            last: Moment::default(),
        };
        let clock = |fraction: u8| Clock { fraction, format };
        let as_text = options.zero_dates == ZeroDates::Text;
        match kind {
            Kind::I8 => Self::I8(Fixed::new()),
            Kind::U8 => Self::U8(Fixed::new()),
            Kind::I16 => Self::I16(Fixed::new()),
            Kind::U16 => Self::U16(Fixed::new()),
            Kind::I24 => Self::I24(Fixed::new()),
            Kind::U24 => Self::U24(Fixed::new()),
            Kind::I32 => Self::I32(Fixed::new()),
            Kind::U32 => Self::U32(Fixed::new()),
            Kind::I64 => Self::I64(Fixed::new()),
            Kind::U64 => Self::U64(Fixed::new()),
            Kind::F32 => Self::F32(Fixed::new()),
            Kind::F64 => Self::F64(Fixed::new()),
            Kind::Decimal(packing) => decimal(*packing),
            Kind::Year => Self::Year(Fixed::new()),
            Kind::Bit(1) => Self::Flag(Flags::new()),
            Kind::Bit(2..=63) => Self::Bits(Fixed::new()),
            Kind::Bit(_) => Self::AllBits(Fixed::new()),
            Kind::Date if as_text => Self::DateText(Varying::new()),
            Kind::Date => Self::Date(stand, Fixed::new()),
            Kind::DateTime { fraction } if as_text => {
                Self::DateTimeText(clock(*fraction), Varying::new())
            }
            Kind::DateTime { fraction } => Self::DateTime(clock(*fraction), stand, Fixed::new()),
            Kind::Timestamp { fraction } if as_text => {
                Self::TimestampText(clock(*fraction), Varying::new())
            }
            Kind::Timestamp { fraction } => Self::Timestamp(clock(*fraction), stand, Fixed::new()),
            Kind::Time { fraction } => Self::Time(clock(*fraction), Varying::new()),
            Kind::Text(charset) => Self::Text(*charset, Varying::new()),
            Kind::Bytes => Self::Bytes(Varying::new()),
            Kind::FixedBytes(width) => Self::FixedBytes(*width, Varying::new()),
            Kind::Enum(members) => Self::Enum(members.clone(), Varying::new()),
            Kind::Set(members) => Self::Set(members.clone(), Varying::new()),
            Kind::Json => Self::Json(Varying::new()),
            Kind::JsonText(charset) => Self::JsonText(*charset, Varying::new()),
            Kind::Geometry if options.geometry == Geometries::Geojson => {
                Self::GeoJson(Varying::new())
            }
            Kind::Geometry => Self::Geometry(Varying::new()),
            Kind::Uuid => Self::Uuid(Varying::new()),
            Kind::Inet4 => Self::Inet4(Varying::new()),
            Kind::Inet6 => Self::Inet6(Varying::new()),
            Kind::Vector => Self::Vector(Varying::new()),
        }
    }

    /// The values by their Arrow type, for everything that is not done once a value.
    pub(super) fn store(&mut self) -> Store<'_> {
        match self {
            Self::I8(out) | Self::U8(out) | Self::I16(out) | Self::Year(out) => Store::Int16(out),
            Self::U16(out) | Self::I24(out) | Self::U24(out) | Self::I32(out) => Store::Int32(out),
            Self::U32(out) | Self::I64(out) | Self::Bits(out) => Store::Int64(out),
            Self::U64(out) | Self::AllBits(out) => Store::UInt64(out),
            Self::F32(out) => Store::Float32(out),
            Self::F64(out) => Store::Float64(out),
            Self::Decimal(packing, out) => Store::Decimal(*packing, out),
            Self::WideDecimal(packing, out) => Store::WideDecimal(*packing, out),
            Self::Flag(out) => Store::Bool(out),
            Self::Date(_, out) => Store::Date(out),
            Self::DateTime(_, _, out) => Store::Timestamp(out),
            Self::Timestamp(_, _, out) => Store::TimestampTz(out),
            Self::DateText(out)
            | Self::DateTimeText(_, out)
            | Self::TimestampText(_, out)
            | Self::Time(_, out)
            | Self::Text(_, out)
            | Self::Enum(_, out)
            | Self::Set(_, out)
            | Self::Json(out)
            | Self::JsonText(_, out)
            | Self::GeoJson(out)
            | Self::Uuid(out)
            | Self::Inet4(out)
            | Self::Inet6(out)
            | Self::Vector(out) => Store::Text(out),
            Self::Bytes(out) | Self::FixedBytes(_, out) | Self::Geometry(out) => Store::Bytes(out),
        }
    }

    #[inline]
    pub(super) fn push_null(&mut self) {
        match self.store() {
            Store::Int16(out) => out.push_null(),
            Store::Int32(out) | Store::Date(out) => out.push_null(),
            Store::Int64(out) | Store::Timestamp(out) | Store::TimestampTz(out) => out.push_null(),
            Store::UInt64(out) => out.push_null(),
            Store::Float32(out) => out.push_null(),
            Store::Float64(out) => out.push_null(),
            Store::Decimal(_, out) => out.push_null(),
            Store::WideDecimal(_, out) => out.push_null(),
            Store::Bool(out) => out.push_null(),
            Store::Text(out) | Store::Bytes(out) => out.push_null(),
        }
    }

    /// Forgets all rows from `rows` on, and what was written of one unfinished.
    pub(super) fn truncate(&mut self, rows: usize) {
        match self.store() {
            Store::Int16(out) => out.truncate(rows),
            Store::Int32(out) | Store::Date(out) => out.truncate(rows),
            Store::Int64(out) | Store::Timestamp(out) | Store::TimestampTz(out) => {
                out.truncate(rows);
            }
            Store::UInt64(out) => out.truncate(rows),
            Store::Float32(out) => out.truncate(rows),
            Store::Float64(out) => out.truncate(rows),
            Store::Decimal(_, out) => out.truncate(rows),
            Store::WideDecimal(_, out) => out.truncate(rows),
            Store::Bool(out) => out.truncate(rows),
            Store::Text(out) | Store::Bytes(out) => out.truncate(rows),
        }
    }

    /// The size of the values, roughly.
    pub(super) fn bytes(&mut self) -> usize {
        match self.store() {
            Store::Int16(out) => out.bytes(),
            Store::Int32(out) | Store::Date(out) => out.bytes(),
            Store::Int64(out) | Store::Timestamp(out) | Store::TimestampTz(out) => out.bytes(),
            Store::UInt64(out) => out.bytes(),
            Store::Float32(out) => out.bytes(),
            Store::Float64(out) => out.bytes(),
            Store::Decimal(_, out) => out.bytes(),
            Store::WideDecimal(_, out) => out.bytes(),
            Store::Bool(out) => out.bytes(),
            Store::Text(out) | Store::Bytes(out) => out.bytes(),
        }
    }

    /// The date that the last stand-in stands for, as the server prints it.
    pub(super) fn last_impossible(&self) -> Option<String> {
        let mut text = Vec::new();
        match self {
            Self::Date(stand, _) => stand.last.write_date(&mut text),
            Self::DateTime(clock, stand, _) | Self::Timestamp(clock, stand, _) => {
                stand.last.write(clock.fraction, &mut text);
            }
            _ => return None,
        }
        String::from_utf8(text).ok()
    }
}

/// Whether a column is part of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InKey {
    /// It is.
    Yes,
    /// It is not.
    No,
}

impl Stand {
    /// Puts the stand-in for `moment` into a column whose zero is 1970-01-01.
    #[cold]
    pub(super) fn put<T: Copy + Default>(&mut self, moment: Moment, out: &mut Fixed<T>) -> Stored {
        self.last = moment;
        if self.null {
            out.push_null();
        } else {
            out.push(T::default());
        }
        Stored::StandIn
    }
}

fn decimal(packing: Packing) -> Cell {
    if packing.precision() <= NARROW {
        Cell::Decimal(packing, Fixed::new())
    } else {
        Cell::WideDecimal(packing, Fixed::new())
    }
}
