//! Bodies in the `aws-chunked` encoding: chunks with an optional signature, then trailers.

use bytes::{Bytes, BytesMut};

use super::reply::Refusal;

/// A body as it was meant, and the headers that came after it.
#[derive(Debug)]
pub(super) struct Decoded {
    pub(super) body: Bytes,
    pub(super) trailers: Vec<(String, String)>,
}

pub(super) fn decode(mut raw: Bytes) -> Result<Decoded, Refusal> {
    let mut body = BytesMut::with_capacity(raw.len());
    loop {
        let line = line(&mut raw)?;
        let size = line.split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(size.trim(), 16).map_err(|_| incomplete())?;
        if size == 0 {
            break;
        }
        if raw.len() < size + 2 {
            return Err(incomplete());
        }
        body.extend_from_slice(&raw.split_to(size));
        let end = raw.split_to(2);
        if &end[..] != b"\r\n" {
            return Err(incomplete());
        }
    }
    Ok(Decoded {
        body: body.freeze(),
        trailers: trailers(&mut raw)?,
    })
}

fn trailers(raw: &mut Bytes) -> Result<Vec<(String, String)>, Refusal> {
    let mut trailers = Vec::new();
    while !raw.is_empty() {
        let line = line(raw)?;
        if let Some((name, value)) = line.split_once(':') {
            trailers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    Ok(trailers)
}

/// Takes a line, without its end.
fn line(raw: &mut Bytes) -> Result<String, Refusal> {
    let end = raw
        .windows(2)
        .position(|pair| pair == b"\r\n")
        .ok_or_else(incomplete)?;
    let line = raw.split_to(end);
    let _ = raw.split_to(2);
    String::from_utf8(line.to_vec()).map_err(|_| incomplete())
}

fn incomplete() -> Refusal {
    let message = "The request body terminated unexpectedly";
    Refusal::bad("IncompleteBody", message)
}
