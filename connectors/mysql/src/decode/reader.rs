//! A cursor over bytes that never runs past their end.

use tributary_model::{Error, ErrorKind, Result};

/// What is left of some bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

/// An error for bytes that are not what the protocol says.
#[cold]
pub(crate) fn malformed(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Malformed, what)
        .fix("Retry; should it come again, check the source's log with mysqlbinlog --verify-binlog-checksum.")
}

#[cold]
fn too_short(wanted: usize, left: usize) -> Error {
    malformed(format!(
        "the event ends too soon: {wanted} bytes wanted, {left} left"
    ))
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    #[must_use]
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether everything has been read.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What has not been read.
    #[must_use]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// Fails where there are fewer.
    #[inline]
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        match self.rest.split_at_checked(count) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(too_short(count, self.rest.len())),
        }
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    /// Fails where there are fewer.
    #[inline]
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        match self.rest.split_first_chunk() {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(*taken)
            }
            None => Err(too_short(N, self.rest.len())),
        }
    }

    /// One byte.
    ///
    /// # Errors
    /// Fails at the end.
    #[inline]
    pub(crate) fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    /// A little-endian number of `width` bytes, at most 8.
    ///
    /// # Errors
    /// Fails where there are fewer.
    #[inline]
    pub(crate) fn little(&mut self, width: usize) -> Result<u64> {
        Ok(little(self.take(width)?))
    }

    /// A length-encoded number: 1, 3, 4 or 9 bytes.
    ///
    /// # Errors
    /// Fails at the end and on the two first bytes that encode no number.
    pub(crate) fn length_encoded(&mut self) -> Result<u64> {
        match self.byte()? {
            small @ 0..=250 => Ok(u64::from(small)),
            252 => self.little(2),
            253 => self.little(3),
            254 => self.little(8),
            other => Err(malformed(format!("a number begins with the byte {other}"))),
        }
    }

    /// A length-encoded number that counts or measures something in memory.
    ///
    /// # Errors
    /// As [`Self::length_encoded`], and where it exceeds what is left: no count of things that take
    /// a byte each can.
    pub(crate) fn count(&mut self) -> Result<usize> {
        let count = self.length_encoded()?;
        match usize::try_from(count) {
            Ok(count) if count <= self.rest.len() => Ok(count),
            _ => Err(malformed(format!(
                "a count of {count} exceeds the {} bytes left",
                self.rest.len()
            ))),
        }
    }

    /// Bytes behind their length-encoded length.
    ///
    /// # Errors
    /// Fails where there are fewer.
    #[inline]
    pub(crate) fn length_encoded_bytes(&mut self) -> Result<&'a [u8]> {
        // Most are short: a byte of length.
        if let Some((&count @ 0..=250, rest)) = self.rest.split_first()
            && let Some((taken, rest)) = rest.split_at_checked(count.into())
        {
            self.rest = rest;
            return Ok(taken);
        }
        self.long_bytes()
    }

    #[cold]
    fn long_bytes(&mut self) -> Result<&'a [u8]> {
        let count = self.count()?;
        self.take(count)
    }
}

/// The number that up to 8 little-endian bytes stand for.
#[inline]
#[must_use]
pub(crate) fn little(bytes: &[u8]) -> u64 {
    match *bytes {
        [a] => u64::from(a),
        [a, b] => u64::from(u16::from_le_bytes([a, b])),
        [a, b, c] => u64::from(u32::from_le_bytes([a, b, c, 0])),
        [a, b, c, d] => u64::from(u32::from_le_bytes([a, b, c, d])),
        _ => bytes
            .iter()
            .rev()
            .fold(0, |number, byte| number << 8 | u64::from(*byte)),
    }
}

/// The number that up to 8 big-endian bytes stand for.
#[inline]
#[must_use]
pub(crate) fn big(bytes: &[u8]) -> u64 {
    match *bytes {
        [a] => u64::from(a),
        [a, b] => u64::from(u16::from_be_bytes([a, b])),
        [a, b, c] => u64::from(u32::from_be_bytes([0, a, b, c])),
        [a, b, c, d] => u64::from(u32::from_be_bytes([a, b, c, d])),
        _ => bytes
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn length_encoded_numbers() {
        let mut reader =
            Reader::new(&[250, 252, 1, 2, 253, 1, 2, 3, 254, 1, 0, 0, 0, 0, 0, 0, 128]);
        let read: Vec<u64> = (0..4).map(|_| reader.length_encoded().unwrap()).collect();
        assert_eq!(read, [250, 0x0201, 0x03_0201, 0x8000_0000_0000_0001]);
        assert!(reader.is_empty());
    }

    #[test]
    fn nothing_is_read_past_the_end() {
        assert!(Reader::new(&[1]).take(2).is_err());
        assert!(Reader::new(&[252, 1]).length_encoded().is_err());
        assert!(Reader::new(&[251]).length_encoded().is_err());
        assert!(Reader::new(&[5, 1, 2]).length_encoded_bytes().is_err());
        assert!(
            Reader::new(&[254, 255, 255, 255, 255, 255, 255, 255, 255])
                .count()
                .is_err()
        );
    }
}
