//! Strings, doubles and opaque values of a JSON document, printed as the server prints them.

use std::io::Write;

use tributary_model::Result;

use super::decimal::{self, Packing};
use super::reader::{Reader, little, malformed};
use super::temporal::{Moment, Span};

const HEX: &[u8; 16] = b"0123456789abcdef";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// The server breaks its base64 after this many characters.
const LINE: usize = 76;

/// Digits up to which a double's point may stand without an exponent: the server's DBL_DIG.
const FIXED_DIGITS: i32 = 15;

const TIMESTAMP: u8 = 7;
const DATE: u8 = 10;
const TIME: u8 = 11;
const DATETIME: u8 = 12;
const DECIMAL: u8 = 246;

/// Appends a quoted string; only what JSON demands is escaped.
pub(super) fn write_string(text: &[u8], to: &mut Vec<u8>) {
    to.push(b'"');
    let mut plain = 0;
    for (index, byte) in text.iter().enumerate() {
        let short = match byte {
            b'"' | b'\\' => *byte,
            8 => b'b',
            9 => b't',
            10 => b'n',
            12 => b'f',
            13 => b'r',
            0..0x20 => 0,
            _ => continue,
        };
        to.extend_from_slice(&text[plain..index]);
        plain = index + 1;
        if short == 0 {
            to.extend_from_slice(b"\\u00");
            to.push(HEX[usize::from(byte >> 4)]);
            to.push(HEX[usize::from(byte & 15)]);
        } else {
            to.extend_from_slice(&[b'\\', short]);
        }
    }
    to.extend_from_slice(&text[plain..]);
    to.push(b'"');
}

/// Appends a double: the fewest digits that read back as it, with an exponent only where the point
/// is far away, and `.0` where it would look like an integer.
pub(super) fn write_double(number: f64, to: &mut Vec<u8>) {
    let mut buffer = [0_u8; 32];
    let mut rest = buffer.as_mut_slice();
    // `-d.ddde-xxx`: never longer than 24 bytes.
    let _ = write!(rest, "{number:e}");
    let unused = rest.len();
    let shortest = &buffer[..buffer.len() - unused];
    let Some(e) = shortest.iter().position(|byte| *byte == b'e') else {
        // No JSON document holds an infinity or what is no number.
        return to.extend_from_slice(b"null");
    };
    let (mantissa, exponent) = (&shortest[..e], &shortest[e + 1..]);
    let mantissa = match mantissa {
        [b'-', rest @ ..] => {
            to.push(b'-');
            rest
        }
        all => all,
    };
    let (first, tail) = (mantissa[0], mantissa.get(2..).unwrap_or_default());
    let point = 1 + parse_exponent(exponent);
    if first == b'0' {
        to.extend_from_slice(b"0.0");
    } else if !(1 - FIXED_DIGITS..=FIXED_DIGITS).contains(&point) {
        to.push(first);
        if !tail.is_empty() {
            to.push(b'.');
            to.extend_from_slice(tail);
        }
        to.push(b'e');
        to.extend_from_slice(exponent);
    } else {
        write_fixed(first, tail, point, to);
    }
}

fn parse_exponent(text: &[u8]) -> i32 {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        all => (false, all),
    };
    let number = digits
        .iter()
        .fold(0, |sum, digit| sum * 10 + i32::from(digit - b'0'));
    if negative { -number } else { number }
}

/// Digits with the point after the first `point` of them.
fn write_fixed(first: u8, tail: &[u8], point: i32, to: &mut Vec<u8>) {
    if point <= 0 {
        to.extend_from_slice(b"0.");
        to.extend(std::iter::repeat_n(b'0', point.unsigned_abs() as usize));
        to.push(first);
        return to.extend_from_slice(tail);
    }
    let whole = point.unsigned_abs() as usize - 1;
    to.push(first);
    to.extend_from_slice(&tail[..whole.min(tail.len())]);
    to.extend(std::iter::repeat_n(b'0', whole.saturating_sub(tail.len())));
    to.push(b'.');
    match tail.get(whole..) {
        Some(fraction) if !fraction.is_empty() => to.extend_from_slice(fraction),
        _ => to.push(b'0'),
    }
}

/// Appends a value of SQL that JSON has no type for.
///
/// # Errors
/// Fails where the bytes are no value of their type.
pub(super) fn write_opaque(field: u8, data: &[u8], to: &mut Vec<u8>) -> Result<()> {
    match field {
        DECIMAL => return write_decimal(data, to),
        DATE | TIME | DATETIME | TIMESTAMP => {
            if data.len() != 8 {
                return Err(malformed("a date in a JSON document has not 8 bytes"));
            }
            let packed = little(data);
            to.push(b'"');
            match field {
                DATE => Moment::from_packed_number(packed).write_date(to),
                TIME => Span::from_packed_number(packed.cast_signed()).write(6, to),
                _ => Moment::from_packed_number(packed).write(6, to),
            }
            to.push(b'"');
        }
        _ => {
            to.extend_from_slice(format!("\"base64:type{field}:").as_bytes());
            write_base64(data, to);
            to.push(b'"');
        }
    }
    Ok(())
}

fn write_decimal(data: &[u8], to: &mut Vec<u8>) -> Result<()> {
    let mut reader = Reader::new(data);
    let packing = Packing::new(reader.byte()?, reader.byte()?)?;
    let number = packing.wide(reader.rest())?;
    decimal::write(&number.to_string(), packing.scale(), to);
    Ok(())
}

/// Base64 in lines, whose breaks the quoting then escapes.
fn write_base64(data: &[u8], to: &mut Vec<u8>) {
    for (index, chunk) in data.chunks(3).enumerate() {
        if index > 0 && index * 4 % LINE == 0 {
            to.extend_from_slice(b"\\n");
        }
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            to.push(if place <= chunk.len() {
                BASE64[(bits >> (18 - 6 * place) & 63) as usize]
            } else {
                b'='
            });
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn shown(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut to = Vec::new();
        write(&mut to);
        String::from_utf8(to).unwrap()
    }

    #[test]
    fn doubles_as_mysqld_prints_them() {
        for (number, text) in [
            (1000.0, "1000.0"),
            (1.5, "1.5"),
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1e14, "100000000000000.0"),
            (1e15, "1e15"),
            (123_456_789_012_345.0, "123456789012345.0"),
            (1_234_567_890_123_456.0, "1.234567890123456e15"),
            (1e300, "1e300"),
            (-1.5e-300, "-1.5e-300"),
            (0.000_01, "0.00001"),
            (1e-15, "0.000000000000001"),
            (1e-16, "1e-16"),
            (0.1, "0.1"),
            (12.25, "12.25"),
        ] {
            assert_eq!(shown(|to| write_double(number, to)), text);
        }
    }

    #[test]
    fn strings_escape_what_they_must() {
        assert_eq!(
            shown(|to| write_string("a\"\\/\u{1}\u{1f}\u{7f}\u{8}\t\n\u{c}\ré😀".as_bytes(), to)),
            "\"a\\\"\\\\/\\u0001\\u001f\u{7f}\\b\\t\\n\\f\\ré😀\""
        );
    }

    #[test]
    fn opaque_values() {
        let opaque = |field, data: &[u8]| shown(|to| write_opaque(field, data, to).unwrap());
        assert_eq!(opaque(15, &[0, 255]), "\"base64:type15:AP8=\"");
        assert_eq!(opaque(246, &[3, 2, 0x81, 10]), "1.10");
        assert_eq!(opaque(246, &[2, 2, 0x7f ^ 50]), "-0.50");
        let packed = (((2015_i64 * 13 + 1) << 5 | 15) << 17 | (23 << 12 | 24 << 6 | 25)) << 24;
        assert_eq!(
            opaque(DATETIME, &packed.to_le_bytes()),
            "\"2015-01-15 23:24:25.000000\""
        );
        assert_eq!(opaque(DATE, &packed.to_le_bytes()), "\"2015-01-15\"");
        let time = -((838_i64 << 12 | 59 << 6 | 59) << 24 | 1);
        assert_eq!(opaque(TIME, &time.to_le_bytes()), "\"-838:59:59.000001\"");
        assert!(write_opaque(DATE, &[1], &mut Vec::new()).is_err());
        assert!(write_opaque(DECIMAL, &[3, 2], &mut Vec::new()).is_err());
        assert!(write_opaque(DECIMAL, &[], &mut Vec::new()).is_err());
        let long = opaque(15, &[0; 58]);
        assert_eq!(long, format!("\"base64:type15:{}\\nAA==\"", "A".repeat(76)));
    }
}
