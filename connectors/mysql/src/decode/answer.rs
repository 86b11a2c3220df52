//! How the rows of an answer are cut into values, and a value as it lies in the packet.

use mysql_async::Column;
use mysql_async::consts::{ColumnFlags, ColumnType};
use tributary_model::Result;

use super::reader::{Reader, malformed};
use super::temporal::{Moment, Span};

/// The number of the charset of what is no text.
const BINARY: u16 = 63;
/// A row begins with a byte that says so, and the first bits of its NULLs mean nothing.
const HEADER: usize = 1;
const SPARE: usize = 2;

/// A column of an answer in the binary protocol.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub(super) form: Form,
    /// Whether its bytes were fetched as they are, and are not the server's UTF-8.
    pub(crate) raw: bool,
}

/// How a value lies in a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Int(usize),
    UInt(usize),
    Float,
    Double,
    Moment,
    Span,
    Bytes,
    Null,
}

/// A value of a packet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Sent<'p> {
    Null,
    Int(i64),
    UInt(u64),
    Float(f32),
    Double(f64),
    Moment(Moment),
    Span(Span),
    Bytes(&'p [u8]),
}

impl Answer {
    /// The column that the server describes.
    pub(crate) fn of(column: &Column) -> Self {
        Self {
            form: form(column.column_type(), column.flags()),
            raw: column.character_set() == BINARY,
        }
    }

    /// Takes a value that is not NULL.
    ///
    /// # Errors
    /// Fails where it does not lie as the server described it.
    #[inline]
    pub(super) fn value<'p>(self, rest: &mut Reader<'p>) -> Result<Sent<'p>> {
        Ok(match self.form {
            Form::Int(width) => Sent::Int(extended(rest.little(width)?, width)),
            Form::UInt(width) => Sent::UInt(rest.little(width)?),
            Form::Float => Sent::Float(f32::from_bits(rest.little(4)? as u32)),
            Form::Double => Sent::Double(f64::from_bits(rest.little(8)?)),
            Form::Moment => Sent::Moment(moment(rest)?),
            Form::Span => Sent::Span(span(rest)?),
            Form::Bytes => Sent::Bytes(rest.length_encoded_bytes()?),
            Form::Null => Sent::Null,
        })
    }
}

fn form(data_type: ColumnType, flags: ColumnFlags) -> Form {
    use ColumnType::*;
    let integer = |width| {
        if flags.contains(ColumnFlags::UNSIGNED_FLAG) {
            Form::UInt(width)
        } else {
            Form::Int(width)
        }
    };
    match data_type {
        MYSQL_TYPE_TINY => integer(1),
        MYSQL_TYPE_SHORT | MYSQL_TYPE_YEAR => integer(2),
        MYSQL_TYPE_LONG | MYSQL_TYPE_INT24 => integer(4),
        MYSQL_TYPE_LONGLONG => integer(8),
        MYSQL_TYPE_FLOAT => Form::Float,
        MYSQL_TYPE_DOUBLE => Form::Double,
        MYSQL_TYPE_DATE | MYSQL_TYPE_DATETIME | MYSQL_TYPE_TIMESTAMP => Form::Moment,
        MYSQL_TYPE_TIME => Form::Span,
        MYSQL_TYPE_NULL => Form::Null,
        // Everything else is text, or bytes behind their length.
        _ => Form::Bytes,
    }
}

/// The values of a row, one by one.
pub(crate) struct Values<'p> {
    nulls: &'p [u8],
    rest: Reader<'p>,
    index: usize,
}

impl<'p> Values<'p> {
    /// The values of a row of so many columns.
    #[inline]
    pub(crate) fn of(packet: &'p [u8], columns: usize) -> Result<Self> {
        let mut rest = Reader::new(packet);
        rest.take(HEADER)?;
        Ok(Self {
            nulls: rest.take((columns + SPARE).div_ceil(8))?,
            rest,
            index: SPARE,
        })
    }

    /// The next value, which lies as `column` says.
    #[inline]
    pub(crate) fn next(&mut self, column: Answer) -> Result<Sent<'p>> {
        match self.next_is_null() {
            true => Ok(Sent::Null),
            false => column.value(&mut self.rest),
        }
    }

    /// Goes on to the next value and tells whether it is NULL. One that is not lies in
    /// [`Self::rest`] and has to be taken from there.
    #[inline]
    pub(super) fn next_is_null(&mut self) -> bool {
        let at = self.index;
        self.index += 1;
        let byte = self.nulls.get(at / 8).copied().unwrap_or_default();
        byte >> (at % 8) & 1 == 1
    }

    /// What has not been taken.
    #[inline]
    pub(super) fn rest(&mut self) -> &mut Reader<'p> {
        &mut self.rest
    }

    /// # Errors
    /// Fails where there is more.
    #[inline]
    pub(super) fn end(&self) -> Result<()> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(malformed("a row goes on behind its last column"))
        }
    }
}

/// The number of `width` bytes with its sign.
#[inline]
fn extended(number: u64, width: usize) -> i64 {
    let unused = 64 - 8 * width as u32;
    (number << unused).cast_signed() >> unused
}

/// Trailing zeros are left out: nothing, a date, a time of day, a fraction.
#[inline]
pub(super) fn moment(rest: &mut Reader<'_>) -> Result<Moment> {
    let length = rest.byte()?;
    let mut moment = Moment::default();
    if !matches!(length, 0 | 4 | 7 | 11) {
        return Err(malformed(format!("a date of {length} bytes")));
    }
    if length >= 4 {
        moment.year = rest.little(2)? as u16;
        moment.month = rest.byte()?;
        moment.day = rest.byte()?;
    }
    if length >= 7 {
        moment.hour = rest.byte()?;
        moment.minute = rest.byte()?;
        moment.second = rest.byte()?;
    }
    if length == 11 {
        moment.micros = rest.little(4)? as u32;
    }
    Ok(moment)
}

#[inline]
fn span(rest: &mut Reader<'_>) -> Result<Span> {
    let length = rest.byte()?;
    if length == 0 {
        return Ok(Span::default());
    }
    if !matches!(length, 8 | 12) {
        return Err(malformed(format!("a time of {length} bytes")));
    }
    let negative = rest.byte()? != 0;
    let days = rest.little(4)? as u32;
    let hours = u32::from(rest.byte()?);
    Ok(Span {
        negative,
        hours: days.wrapping_mul(24).wrapping_add(hours),
        minute: rest.byte()?,
        second: rest.byte()?,
        micros: if length == 12 {
            rest.little(4)? as u32
        } else {
            0
        },
    })
}
