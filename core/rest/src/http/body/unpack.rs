//! Out of what an answer is wrapped in, without ever holding it unwrapped.
//!
//! A few bytes can unpack to more than any disk holds. How much is taken is bounded by a multiple of
//! what came in: what real data is packed into is never that small. // G6

use std::cell::Cell;
use std::io::{BufRead, BufReader, Read};
use std::rc::Rc;

use flate2::bufread::MultiGzDecoder;

use crate::manifest::stream::Decode;

use super::{Body, Source, Unfit};

/// How many times more bytes there may be than came in.
const MAX_RATIO: u64 = 200;
/// Bytes that are taken whatever came in.
const LEAST: u64 = if cfg!(test) { 1 << 20 } else { 1 << 30 };
/// Bytes that are taken at most.
const MOST: u64 = 64 << 30;
/// Files in one archive at most.
const MAX_FILES: usize = 10_000;
const BUFFER: usize = 64 << 10;
/// What every gzip begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// What takes a document.
pub(super) type Take<'t> = dyn FnMut(&mut dyn Read) -> Result<(), Unfit> + 't;

/// Goes through the documents that an answer holds: one, but for archives of several.
pub(super) fn documents(body: &Body, decode: &[Decode], take: &mut Take<'_>) -> Result<(), Unfit> {
    let most = body.len()?.saturating_mul(MAX_RATIO).clamp(LEAST, MOST);
    let left = Rc::new(Cell::new(most));
    match decode.split_first() {
        Some((Decode::Zip, inside)) => archive(body.open()?, inside, &left, take),
        _ => document(body.open()?, decode, &left, take),
    }
}

/// The files of an archive, in its order.
fn archive(
    source: Box<dyn Source>,
    inside: &[Decode],
    left: &Rc<Cell<u64>>,
    take: &mut Take<'_>,
) -> Result<(), Unfit> {
    let broken = |why| Unfit::Broken(format!("the answer is not a zip archive: {why}"));
    let mut archive = zip::ZipArchive::new(BufReader::new(source)).map_err(broken)?;
    if archive.len() > MAX_FILES {
        let files = archive.len();
        return Err(Unfit::Refused(format!(
            "the archive has {files} files, which is too many"
        )));
    }
    for place in 0..archive.len() {
        let file = archive.by_index(place).map_err(broken)?;
        let is_data = {
            let name = file.name().map_err(broken)?;
            !file.is_dir() && !name.starts_with("__MACOSX/")
        };
        if is_data {
            document(file, inside, left, take)?;
        }
    }
    Ok(())
}

fn document<'r>(
    source: impl Read + 'r,
    decode: &[Decode],
    left: &Rc<Cell<u64>>,
    take: &mut Take<'_>,
) -> Result<(), Unfit> {
    let mut reader: Box<dyn BufRead + 'r> = Box::new(BufReader::with_capacity(BUFFER, source));
    for step in decode {
        match step {
            // It may have been unpacked already, on the way here.
            Decode::Gzip if reader.fill_buf()?.starts_with(&GZIP) => {
                let unpacked = MultiGzDecoder::new(reader);
                reader = Box::new(BufReader::with_capacity(BUFFER, unpacked));
            }
            Decode::Gzip | Decode::Zip | Decode::Json | Decode::Ndjson | Decode::Csv => {}
        }
    }
    take(&mut Bounded {
        inner: reader,
        left: left.clone(),
    })
}

/// Reads no more than is left.
struct Bounded<R> {
    inner: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        match self.left.get().checked_sub(read as u64) {
            Some(left) => self.left.set(left),
            None => {
                let why = "the answer is too large once it is unpacked".to_owned();
                return Err(std::io::Error::other(Unfit::Refused(why)));
            }
        }
        Ok(read)
    }
}
