//! MySQL's binary JSON to the text that the server itself prints.
//!
//! A document is a type byte and a value. Objects and arrays begin with a count and their size, then
//! entries that point, relative to that beginning, to keys and values; small literals and numbers
//! stand in the entries themselves. "Large" containers have 4-byte numbers instead of 2.
//!
//! Keys stand in the server's own order and are kept so. Every pointer is checked, nesting is
//! limited as on the server, and no document writes more than it holds, however its pointers lie. // G6

use tributary_model::Result;

use super::jsonb_scalar::{write_double, write_opaque, write_string};
use super::reader::{Reader, little, malformed};

/// The server's own limit.
pub(super) const DEPTH: u32 = 100;

pub(super) const SMALL_OBJECT: u8 = 0;
pub(super) const LARGE_OBJECT: u8 = 1;
pub(super) const SMALL_ARRAY: u8 = 2;
pub(super) const LARGE_ARRAY: u8 = 3;
pub(super) const LITERAL: u8 = 4;
pub(super) const INT16: u8 = 5;
pub(super) const UINT16: u8 = 6;
pub(super) const INT32: u8 = 7;
pub(super) const UINT32: u8 = 8;
pub(super) const INT64: u8 = 9;
pub(super) const UINT64: u8 = 10;
pub(super) const DOUBLE: u8 = 11;
pub(super) const STRING: u8 = 12;
pub(super) const OPAQUE: u8 = 15;

/// Appends a document as text. An empty one is JSON's null, as for the server.
///
/// # Errors
/// Fails on anything that is no such document.
pub(crate) fn write_document(document: &[u8], to: &mut Vec<u8>) -> Result<()> {
    let Some((kind, value)) = document.split_first() else {
        to.extend_from_slice(b"null");
        return Ok(());
    };
    Writer {
        left: document.len(),
        depth: 0,
        to,
    }
    .value(*kind, value)
}

/// The widths of a container's numbers.
#[derive(Clone, Copy)]
pub(super) struct Container<'a> {
    /// Everything that its pointers are relative to.
    bytes: &'a [u8],
    /// 2 or 4.
    width: usize,
    pub(super) object: bool,
}

impl<'a> Container<'a> {
    /// The container that a value of this type is; `None` where it is none.
    pub(super) fn of(kind: u8, bytes: &'a [u8]) -> Option<Self> {
        let (width, object) = match kind {
            SMALL_OBJECT => (2, true),
            LARGE_OBJECT => (4, true),
            SMALL_ARRAY => (2, false),
            LARGE_ARRAY => (4, false),
            _ => return None,
        };
        Some(Self {
            bytes,
            width,
            object,
        })
    }

    pub(super) fn number(&self, at: usize) -> Result<usize> {
        let bytes = self.slice(at, self.width)?;
        Ok(little(bytes) as usize)
    }

    fn slice(&self, at: usize, count: usize) -> Result<&'a [u8]> {
        at.checked_add(count)
            .and_then(|end| self.bytes.get(at..end))
            .ok_or_else(|| malformed("a JSON document points outside itself"))
    }

    fn from(&self, at: usize) -> Result<&'a [u8]> {
        self.bytes
            .get(at..)
            .ok_or_else(|| malformed("a JSON document points outside itself"))
    }

    fn key_entry(&self, index: usize) -> usize {
        2 * self.width + index * (self.width + 2)
    }

    fn value_entry(&self, count: usize, index: usize) -> usize {
        let keys = if self.object { count } else { 0 };
        self.key_entry(keys) + index * (1 + self.width)
    }

    pub(super) fn key(&self, index: usize) -> Result<&'a [u8]> {
        let entry = self.key_entry(index);
        let length = little(self.slice(entry + self.width, 2)?) as usize;
        self.slice(self.number(entry)?, length)
    }

    /// The type of a value, and its bytes: in the entry, or where the entry points.
    pub(super) fn value(&self, count: usize, index: usize) -> Result<(u8, &'a [u8])> {
        let entry = self.value_entry(count, index);
        let kind = self.slice(entry, 1)?[0];
        let inline = match kind {
            LITERAL | INT16 | UINT16 => true,
            INT32 | UINT32 => self.width == 4,
            _ => false,
        };
        let bytes = if inline {
            self.slice(entry + 1, self.width)?
        } else {
            self.from(self.number(entry + 1)?)?
        };
        Ok((kind, bytes))
    }
}

struct Writer<'a> {
    /// Bytes of the document that have not been accounted for yet: each value takes one, keys and
    /// strings their length.
    left: usize,
    depth: u32,
    to: &'a mut Vec<u8>,
}

impl Writer<'_> {
    fn spend(&mut self, bytes: usize) -> Result<()> {
        self.left = self
            .left
            .checked_sub(bytes)
            .ok_or_else(|| malformed("a JSON document uses its own parts more than once"))?;
        Ok(())
    }

    fn value(&mut self, kind: u8, bytes: &[u8]) -> Result<()> {
        self.spend(1)?;
        let mut reader = Reader::new(bytes);
        if let Some(container) = Container::of(kind, bytes) {
            return self.container(container);
        }
        match kind {
            LITERAL => self.literal(reader.byte()?),
            INT16 => self.integer((reader.little(2)? as u16).cast_signed().into()),
            INT32 => self.integer((reader.little(4)? as u32).cast_signed().into()),
            INT64 => self.integer(reader.little(8)?.cast_signed()),
            UINT16 => self.unsigned(reader.little(2)?),
            UINT32 => self.unsigned(reader.little(4)?),
            UINT64 => self.unsigned(reader.little(8)?),
            DOUBLE => {
                write_double(f64::from_bits(reader.little(8)?), self.to);
                Ok(())
            }
            STRING => {
                let text = self.text(&mut reader)?;
                write_string(text, self.to);
                Ok(())
            }
            OPAQUE => {
                let field = reader.byte()?;
                let data = self.text(&mut reader)?;
                write_opaque(field, data, self.to)
            }
            other => Err(malformed(format!("a JSON value has the type {other}"))),
        }
    }

    fn container(&mut self, of: Container<'_>) -> Result<()> {
        let count = of.number(0)?;
        if self.depth == DEPTH {
            return Err(malformed("a JSON document is nested more than 100 deep"));
        }
        self.depth += 1;
        let (open, close) = if of.object {
            (b'{', b'}')
        } else {
            (b'[', b']')
        };
        self.to.push(open);
        for index in 0..count {
            if index > 0 {
                self.to.extend_from_slice(b", ");
            }
            if of.object {
                let key = of.key(index)?;
                self.spend(key.len())?;
                write_string(key, self.to);
                self.to.extend_from_slice(b": ");
            }
            let (kind, bytes) = of.value(count, index)?;
            self.value(kind, bytes)?;
        }
        self.to.push(close);
        self.depth -= 1;
        Ok(())
    }

    fn literal(&mut self, literal: u8) -> Result<()> {
        let text: &[u8] = match literal {
            0 => b"null",
            1 => b"true",
            2 => b"false",
            other => return Err(malformed(format!("a JSON literal is {other}"))),
        };
        self.to.extend_from_slice(text);
        Ok(())
    }

    fn integer(&mut self, number: i64) -> Result<()> {
        self.to.extend_from_slice(number.to_string().as_bytes());
        Ok(())
    }

    fn unsigned(&mut self, number: u64) -> Result<()> {
        self.to.extend_from_slice(number.to_string().as_bytes());
        Ok(())
    }

    /// Bytes behind their length: seven bits a byte, the lowest first, the last without its top bit.
    fn text<'b>(&mut self, reader: &mut Reader<'b>) -> Result<&'b [u8]> {
        let mut length = 0_usize;
        for shift in (0..35).step_by(7) {
            let byte = reader.byte()?;
            length |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                self.spend(length)?;
                return reader.take(length);
            }
        }
        Err(malformed("the length of a JSON string does not end"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(document: &[u8]) -> Result<String> {
        let mut to = Vec::new();
        write_document(document, &mut to)?;
        Ok(String::from_utf8_lossy(&to).into_owned())
    }

    #[test]
    fn a_document_as_mysqld_wrote_it() {
        // {"a": 1}, from a row event of MySQL 9.7.
        let document = [0, 1, 0, 12, 0, 11, 0, 1, 0, 5, 1, 0, b'a'];
        assert_eq!(text(&document).unwrap(), r#"{"a": 1}"#);
        assert_eq!(text(&[]).unwrap(), "null");
    }

    #[test]
    fn scalars_stand_alone() {
        assert_eq!(text(&[LITERAL, 1]).unwrap(), "true");
        assert_eq!(text(&[INT16, 0xff, 0xff]).unwrap(), "-1");
        assert_eq!(
            text(&[UINT64, 255, 255, 255, 255, 255, 255, 255, 255]).unwrap(),
            u64::MAX.to_string()
        );
        assert_eq!(text(&[STRING, 2, b'"', b'\n']).unwrap(), r#""\"\n""#);
        assert_eq!(
            text(&[SMALL_ARRAY, 2, 0, 10, 0, INT16, 7, 0, LITERAL, 0, 0]).unwrap(),
            "[7, null]"
        );
        let mut large = vec![LARGE_ARRAY, 1, 0, 0, 0, 13, 0, 0, 0, INT32];
        large.extend((-70_000_i32).to_le_bytes());
        assert_eq!(text(&large).unwrap(), "[-70000]");
    }

    #[test]
    fn nesting_and_sharing_have_limits() {
        // An array whose only element is itself.
        assert!(text(&[SMALL_ARRAY, 1, 0, 7, 0, SMALL_ARRAY, 0, 0]).is_err());
        // Many elements that are all one long string.
        let mut document = vec![SMALL_ARRAY, 100, 0, 0, 0];
        for _ in 0..100 {
            document.extend([STRING, 48, 1]);
        }
        document.extend([100]);
        document.extend([b'x'; 100]);
        assert!(text(&document).is_err());
    }

    proptest! {
        #[test]
        fn garbage_never_panics(document in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = text(&document);
        }

        #[test]
        fn garbage_that_begins_well_never_panics(
            kind in 0_u8..16,
            count in 0_u8..8,
            rest in proptest::collection::vec(0_u8..32, 0..120),
        ) {
            let mut document = vec![kind, count, 0];
            document.extend(rest);
            let _ = text(&document);
        }
    }
}
