//! Values of MariaDB's COMPRESSED columns: a byte that says how, the length, what was made of it.

use std::borrow::Cow;
use std::io::Read;

use flate2::bufread::{DeflateDecoder, ZlibDecoder};
use tributary_model::Result;

use super::reader::{Reader, big, malformed};

/// The way of compressing, in the first byte's upper half: none, and the only one there is.
const PLAIN: u8 = 0;
const ZLIB: u8 = 8;
/// Whether the stream comes without its header.
const BARE: u8 = 8;

/// The value that a column was given, from what it stores.
///
/// # Errors
/// Fails where the bytes are no compressed value.
pub(crate) fn plain(stored: &[u8]) -> Result<Cow<'_, [u8]>> {
    let Some((first, rest)) = stored.split_first() else {
        return Ok(Cow::Borrowed(stored)); // an empty value is stored as it is
    };
    match first >> 4 {
        PLAIN => Ok(Cow::Borrowed(rest)),
        ZLIB => {
            let mut rest = Reader::new(rest);
            let length = big(rest.take(usize::from(first & 7))?);
            let value = match first & BARE {
                0 => inflated(ZlibDecoder::new(rest.rest()), length),
                _ => inflated(DeflateDecoder::new(rest.rest()), length),
            };
            value.map(Cow::Owned)
        }
        other => Err(malformed(format!(
            "a value is compressed in the unknown way {other}"
        ))),
    }
}

/// The announced length is not believed before it has arrived.
fn inflated(from: impl Read, length: u64) -> Result<Vec<u8>> {
    let mut value = Vec::new();
    match from.take(length.saturating_add(1)).read_to_end(&mut value) {
        Ok(read) if read as u64 == length => Ok(value),
        Ok(read) => Err(malformed(format!(
            "a compressed value has {read} bytes instead of {length}"
        ))),
        Err(cause) => Err(malformed("a compressed value can't be inflated").because(cause)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, ZlibEncoder};

    use super::*;

    #[test]
    fn a_value_is_what_it_was() {
        let text = b"again and again and again and again";
        let mut bare = DeflateEncoder::new(Vec::new(), Compression::best());
        bare.write_all(text).unwrap();
        let bare = [&[0x89, text.len() as u8][..], &bare.finish().unwrap()].concat();
        let mut whole = ZlibEncoder::new(Vec::new(), Compression::best());
        whole.write_all(text).unwrap();
        let whole = [&[0x82, 0, text.len() as u8][..], &whole.finish().unwrap()].concat();
        let stored = [&[0][..], text].concat();
        for stored in [&bare, &whole, &stored] {
            assert_eq!(plain(stored).unwrap().as_ref(), text);
        }
        assert_eq!(plain(b"").unwrap().as_ref(), b"");
    }

    #[test]
    fn nonsense_is_an_error() {
        for stored in [
            &[0x91, 1, 2][..],
            &[0x81, 5, 1, 2, 3],
            &[0x84, 0],
            &[0x89, 200, 3, 0],
        ] {
            assert!(plain(stored).is_err(), "{stored:?}");
        }
    }
}
