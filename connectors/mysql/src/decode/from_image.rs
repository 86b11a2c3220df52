//! Values as a row image of the log has them.

use tributary_model::Result;

use super::address::{write_inet4, write_inet6, write_uuid};
use super::cell::{Cell, Clock, Stored};
use super::geojson::write_geojson;
use super::jsonb;
use super::reader::{big, little, malformed};
use super::store::Varying;
use super::temporal::{Instant, Moment, Span, sign_extended_24};
use crate::column::{Format, Members};

impl Cell {
    /// Adds the value that `raw` is in a row image, without its length.
    ///
    /// # Errors
    /// Fails where the bytes are no value of the column's kind.
    #[inline]
    pub(super) fn push_image(&mut self, raw: &[u8]) -> Result<Stored> {
        match self {
            Self::I8(out) => out.push(i16::from(fixed::<1>(raw)?[0].cast_signed())),
            Self::U8(out) => out.push(i16::from(fixed::<1>(raw)?[0])),
            Self::I16(out) => out.push(i16::from_le_bytes(fixed(raw)?)),
            Self::U16(out) => out.push(i32::from(u16::from_le_bytes(fixed(raw)?))),
            Self::I24(out) => out.push(sign_extended_24(little(raw) as u32)),
            Self::U24(out) => out.push((little(raw) as u32).cast_signed()),
            Self::I32(out) => out.push(i32::from_le_bytes(fixed(raw)?)),
            Self::U32(out) => out.push(i64::from(u32::from_le_bytes(fixed(raw)?))),
            Self::I64(out) => out.push(i64::from_le_bytes(fixed(raw)?)),
            Self::U64(out) => out.push(u64::from_le_bytes(fixed(raw)?)),
            Self::F32(out) => out.push(f32::from_le_bytes(fixed(raw)?)),
            Self::F64(out) => out.push(f64::from_le_bytes(fixed(raw)?)),
            Self::Decimal(packing, out) => out.push(packing.narrow(raw)?),
            Self::WideDecimal(packing, out) => out.push(packing.wide(raw)?),
            Self::Year(out) => out.push(match fixed::<1>(raw)?[0] {
                0 => 0,
                since_1900 => 1900 + i16::from(since_1900),
            }),
            Self::Flag(out) => out.push(big(raw) & 1 == 1),
            Self::Bits(out) => out.push(big(raw).cast_signed()),
            Self::AllBits(out) => out.push(big(raw)),
            Self::Date(stand, out) => {
                let moment = Moment::from_date(little(raw));
                if !moment.is_real() {
                    return Ok(stand.put(moment, out));
                }
                out.push(moment.days());
            }
            Self::DateTime(clock, stand, out) => {
                let moment = datetime(*clock, raw)?;
                if !moment.is_real() {
                    return Ok(stand.put(moment, out));
                }
                out.push(moment.since_epoch());
            }
            Self::Timestamp(clock, stand, out) => {
                let instant = timestamp(*clock, raw)?;
                if instant.is_zero() {
                    return Ok(stand.put(Moment::default(), out));
                }
                out.push(instant.since_epoch());
            }
            _ => return self.push_varying(raw),
        }
        Ok(Stored::Itself)
    }

    /// The kinds whose values have no fixed width in Arrow.
    #[inline]
    fn push_varying(&mut self, raw: &[u8]) -> Result<Stored> {
        match self {
            Self::Text(charset, out) | Self::JsonText(charset, out) => {
                charset.decode(raw, &mut out.data);
                out.seal()?;
            }
            Self::Bytes(out) => out.push(raw)?,
            Self::FixedBytes(width, out) => pad(*width, raw, out)?,
            Self::Enum(members, out) => out.push(label(members, raw)?.as_bytes())?,
            Self::Set(members, out) => set(members, raw, out)?,
            Self::DateText(out) => {
                Moment::from_date(little(raw)).write_date(&mut out.data);
                out.seal()?;
            }
            Self::DateTimeText(clock, out) => {
                datetime(*clock, raw)?.write(clock.fraction, &mut out.data);
                out.seal()?;
            }
            Self::TimestampText(clock, out) => {
                let moment = Moment::from_instant(timestamp(*clock, raw)?);
                moment.write(clock.fraction, &mut out.data);
                out.seal()?;
            }
            Self::Time(clock, out) => {
                span(*clock, raw)?.write(clock.fraction, &mut out.data);
                out.seal()?;
            }
            Self::Json(out) => {
                jsonb::write_document(raw, &mut out.data)?;
                out.seal()?;
            }
            Self::Geometry(out) => geometry(raw, out)?,
            Self::GeoJson(out) => {
                write_geojson(raw, &mut out.data)?;
                out.seal()?;
            }
            Self::Uuid(out) => {
                write_uuid(padded(raw)?, &mut out.data);
                out.seal()?;
            }
            Self::Inet4(out) => {
                write_inet4(padded(raw)?, &mut out.data);
                out.seal()?;
            }
            Self::Inet6(out) => {
                write_inet6(padded(raw)?, &mut out.data);
                out.seal()?;
            }
            Self::Vector(out) => vector(raw, out)?,
            _ => return Err(malformed("a value of a fixed width has none")),
        }
        Ok(Stored::Itself)
    }
}

#[inline]
fn fixed<const N: usize>(raw: &[u8]) -> Result<[u8; N]> {
    raw.try_into()
        .map_err(|_| malformed(format!("a value has {} bytes instead of {N}", raw.len())))
}

fn datetime(clock: Clock, raw: &[u8]) -> Result<Moment> {
    match clock.format {
        Format::Packed => Moment::from_packed(raw, clock.fraction),
        Format::Legacy => Ok(Moment::from_legacy(little(raw))),
    }
}

fn timestamp(clock: Clock, raw: &[u8]) -> Result<Instant> {
    match clock.format {
        Format::Packed => Instant::from_packed(raw, clock.fraction),
        Format::Legacy => Instant::from_legacy(raw),
    }
}

fn span(clock: Clock, raw: &[u8]) -> Result<Span> {
    match clock.format {
        Format::Packed => Span::from_packed(raw, clock.fraction),
        Format::Legacy => Ok(Span::from_legacy(raw)),
    }
}

/// BINARY: the log cuts trailing zeros off.
pub(super) fn pad(width: usize, raw: &[u8], out: &mut Varying) -> Result<()> {
    out.data.extend_from_slice(raw);
    let missing = width.saturating_sub(raw.len());
    out.data.extend(std::iter::repeat_n(0, missing));
    out.seal()
}

fn padded<const N: usize>(raw: &[u8]) -> Result<[u8; N]> {
    let mut whole = [0; N];
    match whole.get_mut(..raw.len()) {
        Some(front) => front.copy_from_slice(raw),
        None => return fixed(raw),
    }
    Ok(whole)
}

fn label<'a>(members: &'a Members, raw: &[u8]) -> Result<&'a str> {
    match little(raw) {
        // The error value, which prints as nothing.
        0 => Ok(""),
        number => usize::try_from(number - 1)
            .ok()
            .and_then(|index| members.labels.get(index))
            .map(String::as_str)
            .ok_or_else(|| {
                malformed(format!(
                    "an ENUM has member {number} of {}",
                    members.labels.len()
                ))
            }),
    }
}

fn set(members: &Members, raw: &[u8], out: &mut Varying) -> Result<()> {
    let mut bits = little(raw);
    let mut first = true;
    while bits != 0 {
        let index = bits.trailing_zeros() as usize;
        bits &= bits - 1;
        let label = members.labels.get(index).ok_or_else(|| {
            malformed(format!(
                "a SET has member {} of {}",
                index + 1,
                members.labels.len()
            ))
        })?;
        if !first {
            out.data.push(b',');
        }
        first = false;
        out.data.extend_from_slice(label.as_bytes());
    }
    out.seal()
}

/// The well-known binary behind the 4 bytes of the reference system.
pub(super) fn geometry(raw: &[u8], out: &mut Varying) -> Result<()> {
    match raw.get(4..) {
        Some(binary) => out.push(binary),
        None => Err(malformed("a geometry has no reference system")),
    }
}

/// Floats as a JSON array.
pub(super) fn vector(raw: &[u8], out: &mut Varying) -> Result<()> {
    let (floats, rest) = raw.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(malformed("a vector is not made of 4-byte floats"));
    }
    out.data.push(b'[');
    for (index, float) in floats.iter().enumerate() {
        if index > 0 {
            out.data.push(b',');
        }
        let number = f32::from_le_bytes(*float);
        let text = if number.is_finite() {
            number.to_string()
        } else {
            format!("\"{number}\"")
        };
        out.data.extend_from_slice(text.as_bytes());
    }
    out.data.push(b']');
    out.seal()
}
