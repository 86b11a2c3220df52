//! Messages of PostgreSQL's protocol, version 3.

use std::io::{self, Read, Write};
use std::net::TcpStream;

/// A message with its kind.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) kind: u8,
    pub(super) body: Vec<u8>,
}

impl Message {
    pub(super) fn new(kind: u8, body: Vec<u8>) -> Self {
        Self { kind, body }
    }

    /// A question in the simple protocol.
    pub(super) fn query(sql: &str) -> Self {
        Self::new(b'Q', text(sql))
    }

    pub(super) fn read(from: &mut impl Read) -> io::Result<Self> {
        let mut kind = [0];
        from.read_exact(&mut kind)?;
        let body = read_body(from)?;
        Ok(Self::new(kind[0], body))
    }

    pub(super) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(self.body.len() + 5);
        bytes.push(self.kind);
        bytes.extend_from_slice(&length(self.body.len() + 4)?);
        bytes.extend_from_slice(&self.body);
        to.write_all(&bytes)
    }

    /// The question of a client, if it is one.
    pub(super) fn sql(&self) -> Option<String> {
        let text = self.body.strip_suffix(&[0])?;
        (self.kind == b'Q').then(|| String::from_utf8_lossy(text).into_owned())
    }

    /// The cells of a row.
    pub(super) fn cells(&self) -> Vec<Option<Vec<u8>>> {
        let mut rest = self.body.get(2..).unwrap_or_default();
        let mut cells = Vec::new();
        while let Some((length, more)) = rest.split_at_checked(4) {
            let length = i32::from_be_bytes(length.try_into().unwrap_or_default());
            let (cell, more) = match usize::try_from(length) {
                Ok(length) => {
                    let (cell, more) = more.split_at(length);
                    (Some(cell.to_vec()), more)
                }
                Err(_) => (None, more),
            };
            cells.push(cell);
            rest = more;
        }
        cells
    }

    /// A row of cells.
    pub(super) fn row(cells: &[Option<Vec<u8>>]) -> Self {
        let mut body = u16::try_from(cells.len())
            .unwrap_or_default()
            .to_be_bytes()
            .to_vec();
        for cell in cells {
            let length = cell
                .as_ref()
                .map_or(-1, |cell| i32::try_from(cell.len()).unwrap_or(-1));
            body.extend_from_slice(&length.to_be_bytes());
            body.extend_from_slice(cell.as_deref().unwrap_or_default());
        }
        Self::new(b'D', body)
    }

    /// A field of an error.
    pub(super) fn field(&self, field: u8) -> Option<String> {
        let mut fields = self.body.split(|byte| *byte == 0);
        let found = fields.find(|text| text.first() == Some(&field))?;
        Some(String::from_utf8_lossy(&found[1..]).into_owned())
    }

    /// An error that ends the session, or the statement.
    pub(super) fn error(severity: &str, code: &str, message: &str) -> Self {
        let mut body = Vec::new();
        for (field, text) in [
            (b'S', severity),
            (b'V', severity),
            (b'C', code),
            (b'M', message),
        ] {
            body.push(field);
            body.extend_from_slice(text.as_bytes());
            body.push(0);
        }
        body.push(0);
        Self::new(b'E', body)
    }
}

fn text(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.push(0);
    bytes
}

fn length(length: usize) -> io::Result<[u8; 4]> {
    let length = u32::try_from(length).map_err(io::Error::other)?;
    Ok(length.to_be_bytes())
}

/// What follows a length, itself included.
pub(super) fn read_body(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    let mut body = vec![0; length.saturating_sub(4)];
    from.read_exact(&mut body)?;
    Ok(body)
}

/// The first message of a session, which has no kind.
pub(super) fn write_first(body: &[u8], to: &mut TcpStream) -> io::Result<()> {
    to.write_all(&length(body.len() + 4)?)?;
    to.write_all(body)
}
