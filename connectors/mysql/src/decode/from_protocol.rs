//! Values as the binary protocol has them.
//!
//! Text arrives in UTF-8, converted by the server, except from columns that the layout fetches raw
//! (see `Kind::fetched_raw`): the answer itself says of each column which of the two it is.

use tributary_model::{Error, Result};

use super::answer::{Answer, Form, Sent, moment as read_moment};
use super::cell::{Cell, Stored};
use super::charset::Charset;
use super::from_image::{geometry, pad, vector};
use super::geojson::write_geojson;
use super::reader::{Reader, big, malformed};
use super::store::Varying;
use super::temporal::{Moment, Span};

impl Cell {
    /// Adds the value that `rest` begins with, which is not NULL.
    ///
    /// What most columns are goes in from where it lies; making a [`Sent`] of it first and looking
    /// at both again cost a third of the decoder's time.
    ///
    /// # Errors
    /// Fails where the value is not of the column's kind.
    #[inline]
    pub(super) fn push_next(&mut self, rest: &mut Reader<'_>, column: Answer) -> Result<Stored> {
        match (&mut *self, column.form) {
            (Self::I64(out), Form::Int(8)) => out.push(i64::from_le_bytes(rest.array()?)),
            (Self::I32(out), Form::Int(4)) => out.push(i32::from_le_bytes(rest.array()?)),
            (Self::Decimal(packing, out), Form::Bytes) => {
                out.push(packing.parse_narrow(rest.length_encoded_bytes()?)?);
            }
            (Self::Text(charset, out), Form::Bytes) if !column.raw || charset.same_as_server() => {
                out.push(rest.length_encoded_bytes()?)?;
            }
            (Self::Date(stand, out), Form::Moment) => {
                let moment = read_moment(rest)?;
                if !moment.is_real() {
                    return Ok(stand.put(moment, out));
                }
                out.push(moment.days());
            }
            (cell, _) => return cell.push_sent(column.value(rest)?, column.raw),
        }
        Ok(Stored::Itself)
    }

    /// Adds a value of the binary protocol; `raw` tells whether its column was fetched as bytes.
    ///
    /// # Errors
    /// Fails where the value is not of the column's kind.
    pub(super) fn push_sent(&mut self, value: Sent<'_>, raw: bool) -> Result<Stored> {
        match (self, value) {
            (cell, Sent::Null) => cell.push_null(),
            (Self::I8(out) | Self::U8(out) | Self::I16(out) | Self::Year(out), value) => {
                out.push(integer(value)?);
            }
            (Self::U16(out) | Self::I24(out) | Self::U24(out) | Self::I32(out), value) => {
                out.push(integer(value)?);
            }
            (Self::U32(out) | Self::I64(out), value) => out.push(integer(value)?),
            (Self::U64(out), value) => out.push(integer(value)?),
            (Self::F32(out), Sent::Float(number)) => out.push(number),
            (Self::F64(out), Sent::Double(number)) => out.push(number),
            (Self::Flag(out), Sent::Bytes(raw)) => out.push(big(raw) & 1 == 1),
            (Self::Bits(out), Sent::Bytes(raw)) => out.push(big(raw).cast_signed()),
            (Self::AllBits(out), Sent::Bytes(raw)) => out.push(big(raw)),
            (Self::Decimal(packing, out), Sent::Bytes(text)) => {
                out.push(packing.parse_narrow(text)?);
            }
            (Self::WideDecimal(packing, out), Sent::Bytes(text)) => {
                out.push(packing.parse_wide(text)?);
            }
            (cell, Sent::Bytes(bytes)) => cell.push_bytes(bytes, raw)?,
            (cell, value) => return cell.push_temporal(value),
        }
        Ok(Stored::Itself)
    }

    fn push_bytes(&mut self, bytes: &[u8], raw: bool) -> Result<()> {
        match self {
            Self::Text(charset, out) | Self::JsonText(charset, out) => {
                text(*charset, bytes, raw, out)
            }
            Self::Enum(members, out) | Self::Set(members, out) => {
                text(members.charset, bytes, raw, out)
            }
            Self::Bytes(out)
            | Self::Json(out)
            | Self::Uuid(out)
            | Self::Inet4(out)
            | Self::Inet6(out) => out.push(bytes),
            Self::FixedBytes(width, out) => pad(*width, bytes, out),
            Self::Geometry(out) => geometry(bytes, out),
            Self::GeoJson(out) => {
                write_geojson(bytes, &mut out.data)?;
                out.seal()
            }
            Self::Vector(out) => vector(bytes, out),
            _ => Err(unexpected("text")),
        }
    }

    fn push_temporal(&mut self, value: Sent<'_>) -> Result<Stored> {
        match (self, value) {
            (Self::Time(clock, out), value) => {
                span(value)?.write(clock.fraction, &mut out.data);
                out.seal()?;
            }
            (Self::Date(stand, out), value) => {
                let moment = moment(value)?;
                if !moment.is_real() {
                    return Ok(stand.put(moment, out));
                }
                out.push(moment.days());
            }
            (Self::DateTime(_, stand, out) | Self::Timestamp(_, stand, out), value) => {
                let moment = moment(value)?;
                if !moment.is_real() {
                    return Ok(stand.put(moment, out));
                }
                out.push(moment.since_epoch());
            }
            (Self::DateText(out), value) => {
                moment(value)?.write_date(&mut out.data);
                out.seal()?;
            }
            (Self::DateTimeText(clock, out) | Self::TimestampText(clock, out), value) => {
                moment(value)?.write(clock.fraction, &mut out.data);
                out.seal()?;
            }
            (_, value) => return Err(unexpected(name(value))),
        }
        Ok(Stored::Itself)
    }
}

fn integer<T: TryFrom<i64> + TryFrom<u64>>(value: Sent<'_>) -> Result<T> {
    let fitted = match value {
        Sent::Int(number) => T::try_from(number).ok(),
        Sent::UInt(number) => T::try_from(number).ok(),
        other => return Err(unexpected(name(other))),
    };
    fitted.ok_or_else(|| malformed("a number does not fit its column"))
}

fn text(charset: Charset, bytes: &[u8], raw: bool, out: &mut Varying) -> Result<()> {
    if charset.same_as_server() || !raw {
        out.push(bytes)
    } else {
        charset.decode(bytes, &mut out.data);
        out.seal()
    }
}

fn moment(value: Sent<'_>) -> Result<Moment> {
    match value {
        Sent::Moment(moment) => Ok(moment),
        other => Err(unexpected(name(other))),
    }
}

fn span(value: Sent<'_>) -> Result<Span> {
    match value {
        Sent::Span(span) => Ok(span),
        other => Err(unexpected(name(other))),
    }
}

fn name(value: Sent<'_>) -> &'static str {
    match value {
        Sent::Null => "NULL",
        Sent::Bytes(_) => "text",
        Sent::Int(_) | Sent::UInt(_) => "an integer",
        Sent::Float(_) | Sent::Double(_) => "a float",
        Sent::Moment(_) => "a date",
        Sent::Span(_) => "a time",
    }
}

#[cold]
fn unexpected(found: &str) -> Error {
    malformed(format!(
        "the server answered with {found} for a column of another type"
    ))
}
