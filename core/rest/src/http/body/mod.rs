//! The bytes of an answer: how they are received, unpacked, and cut into pages.
//!
//! Invariant: nothing of an answer is handed out before all of it is known to be whole. What is large
//! goes to a file on its way in, is read through once to see that it ends where it should, and is then
//! read again piece by piece: an answer that breaks off is no answer, and one that is larger than
//! memory is no trouble. // G2 G6

mod cut;
mod emit;
#[cfg(test)]
mod engine_tests;
mod lines;
mod pieces;
mod spool;
mod table;
#[cfg(test)]
mod tests;
mod unpack;
mod window;

use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};

use bytes::Bytes;
use tributary_model::{Error, ErrorKind, Result};

pub(crate) use pieces::{Cut, Pieces};
pub(crate) use spool::Spool;

/// Bytes of an answer that are kept in memory, and of a page that is cut out of a larger one. // G6
///
/// Few in this crate's tests, so that everything is large.
pub(crate) const HELD: usize = if cfg!(test) { 2 << 10 } else { 8 << 20 };
/// Bytes of an answer at most, as they come in. // G6
pub(crate) const MAX_BODY: u64 = 8 << 30;
/// Bytes of a record at most, and of what can't be cut into records. // G6
const MAX_WHOLE: usize = if cfg!(test) { 64 << 10 } else { 256 << 20 };

/// An answer's bytes.
#[derive(Debug)]
pub(crate) enum Body {
    Held(Bytes),
    /// In a file without a name, which ends with it.
    Spilled(File),
}

/// Why an answer is not a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// It is not what it should be: it may have been cut on the way.
    Broken(String),
    /// It is more than is taken, or what can't be taken: asking again would not change that.
    Refused(String),
}

/// What can be read from anywhere.
trait Source: Read + Seek + Send {}

impl<T: Read + Seek + Send> Source for T {}

impl Body {
    /// What is in memory; nothing of a large one.
    pub(crate) fn held(&self) -> &[u8] {
        match self {
            Self::Held(bytes) => bytes,
            Self::Spilled(_) => &[],
        }
    }

    /// All of it in memory, for who has no use for a part.
    ///
    /// # Errors
    /// There is too much of it.
    pub(crate) fn to_bytes(&self) -> Result<Bytes> {
        let Self::Held(bytes) = self else {
            let mut bytes = Vec::new();
            let read = self.open().and_then(|file| {
                let most = MAX_WHOLE as u64 + 1;
                file.take(most).read_to_end(&mut bytes)
            });
            return match read {
                Ok(read) if read <= MAX_WHOLE => Ok(bytes.into()),
                Ok(_) => Err(Error::new(
                    ErrorKind::Incompatible,
                    format!("an answer has more than {} MB", MAX_WHOLE >> 20),
                )
                .fix("Ask for less at once.")),
                Err(why) => Err(Error::new(
                    ErrorKind::Unavailable,
                    "a large answer can't be read again",
                )
                .because(why)),
            };
        };
        Ok(bytes.clone())
    }

    /// A reader at its beginning. There must be one at a time.
    fn open(&self) -> std::io::Result<Box<dyn Source>> {
        Ok(match self {
            Self::Held(bytes) => Box::new(Cursor::new(bytes.clone())),
            Self::Spilled(file) => {
                let mut file = file.try_clone()?;
                file.seek(SeekFrom::Start(0))?;
                Box::new(file)
            }
        })
    }

    fn len(&self) -> std::io::Result<u64> {
        match self {
            Self::Held(bytes) => Ok(bytes.len() as u64),
            Self::Spilled(file) => Ok(file.metadata()?.len()),
        }
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Held(bytes.into())
    }
}

impl std::fmt::Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Broken(why) | Self::Refused(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Unfit {}

impl From<std::io::Error> for Unfit {
    fn from(why: std::io::Error) -> Self {
        match why.get_ref().and_then(|inner| inner.downcast_ref::<Self>()) {
            Some(unfit) => unfit.clone(),
            None => Self::Broken(format!("the answer can't be unpacked: {why}")),
        }
    }
}

impl From<crate::json::Broken> for Unfit {
    fn from(why: crate::json::Broken) -> Self {
        Self::Broken(why.to_string())
    }
}

/// Bytes as text.
pub(crate) fn text(bytes: Vec<u8>) -> std::result::Result<String, Unfit> {
    let not_text = |_| Unfit::Broken("the answer is not UTF-8".to_owned());
    let mut text = String::from_utf8(bytes).map_err(not_text)?;
    if text.starts_with(MARK) {
        text.drain(..MARK.len_utf8());
    }
    Ok(text)
}

/// What some put before a text to say that it is UTF-8.
const MARK: char = '\u{feff}';
