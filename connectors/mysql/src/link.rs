//! A connection of our own, for what the client library has no door to: the packets of rows.
//!
//! The library makes a vector of values of every row, with an allocation for each text. A copy reads
//! rows by the million, so here a row stays where the network's bytes are until it is decoded. The
//! formats and the arithmetic of logging in are still the library's; so is every other connection.
//!
//! Invariant: a link that was given up in the middle of an answer is never used again; whoever reads
//! rows reads them to the end or drops the link.
//!
//! Deliberately absent: compression, several statements at once, cursors, local files.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use mysql_async::consts::CapabilityFlags;
use mysql_async::{Error as ClientError, ServerError, Value};
use mysql_common::io::ParseBuf;
use mysql_common::packets::{Column, ComStmtExecuteRequestBuilder, ErrPacket};
use mysql_common::proto::MySerialize;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use crate::ask::{Ask, TextRow};
use crate::decode::answer::Answer;
use crate::decode::reader::Reader;
use inbox::Inbox;

mod inbox;
mod login;
mod tls;

pub(crate) use login::{log_in, meet, open};

/// A command's first byte.
const QUERY: u8 = 0x03;
const PREPARE: u8 = 0x16;
const EXECUTE: u8 = 0x17;
const CLOSE: u8 = 0x19;

/// An answer's first byte.
const OK: u8 = 0x00;
const LOCAL_FILE: u8 = 0xFB;
const END: u8 = 0xFE;
const ERROR: u8 = 0xFF;
/// A text that is NULL.
const NULL: u8 = 0xFB;

/// A packet of this size goes on in the next.
const LONGEST: usize = 0xFF_FFFF;

/// What bytes go through.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

/// A connection.
pub(crate) struct Link {
    transport: Box<dyn Transport>,
    inbox: Inbox,
    /// The number of the next packet that is sent.
    sequence: u8,
    capabilities: CapabilityFlags,
    /// The statement whose rows were read last; it is forgotten when the next is prepared.
    statement: Option<u32>,
}

/// What can be had of the rows without waiting.
pub(crate) enum Ready<'l> {
    /// A row, as the binary protocol has it.
    Row(&'l [u8]),
    /// There are no more.
    End,
    /// More has to arrive first.
    Nothing,
}

impl Link {
    fn new(transport: Box<dyn Transport>) -> Self {
        Self {
            transport,
            inbox: Inbox::default(),
            sequence: 0,
            capabilities: CapabilityFlags::empty(),
            statement: None,
        }
    }

    /// What is underneath, for somebody else to speak through. Only where nothing is under way.
    pub(crate) fn into_transport(self) -> Box<dyn Transport> {
        self.transport
    }

    /// Runs a statement whose answer does not matter.
    pub(crate) async fn run(&mut self, sql: &str) -> Result<(), ClientError> {
        self.ask(sql).await.map(drop)
    }

    /// Runs a query whose rows can then be taken; tells how to read them.
    pub(crate) async fn select(
        &mut self,
        sql: &str,
        parameters: &[Value],
    ) -> Result<Vec<Answer>, ClientError> {
        if let Some(last) = self.statement.take() {
            self.command(CLOSE, &last.to_le_bytes()).await?;
        }
        let statement = self.prepare(sql).await?;
        self.statement = Some(statement);
        let (request, _) = ComStmtExecuteRequestBuilder::new(statement).build(parameters);
        let mut body = Vec::new();
        request.serialize(&mut body);
        // The builder writes the command's byte itself.
        self.command(EXECUTE, &body[1..]).await?;
        match self.columns().await? {
            Some(columns) => Ok(columns.iter().map(Answer::of).collect()),
            None => Err(malformed("a query was answered without columns")),
        }
    }

    /// The next row, if it has arrived.
    pub(crate) fn next_row(&mut self) -> Result<Ready<'_>, ClientError> {
        let Some(packet) = self.inbox.next().map_err(io_error)? else {
            return Ok(Ready::Nothing);
        };
        match self.inbox.bytes(packet) {
            [OK, ..] => {}
            last if is_end(last) => return Ok(Ready::End),
            [ERROR, ..] => return Err(self.failure()),
            _ => return Err(malformed("a row begins with an unknown byte")),
        }
        Ok(Ready::Row(self.inbox.current()))
    }

    /// Waits until more has arrived.
    pub(crate) async fn wait(&mut self) -> Result<(), ClientError> {
        self.inbox.fill(&mut self.transport).await.map_err(io_error)
    }

    async fn prepare(&mut self, sql: &str) -> Result<u32, ClientError> {
        self.command(PREPARE, sql.as_bytes()).await?;
        let packet = self.read().await?;
        let answer = self.inbox.bytes(packet);
        let [
            OK,
            a,
            b,
            c,
            d,
            columns,
            columns_high,
            parameters,
            parameters_high,
            ..,
        ] = *answer
        else {
            return Err(self.failure());
        };
        for count in [[parameters, parameters_high], [columns, columns_high]] {
            self.definitions(usize::from(u16::from_le_bytes(count)))
                .await?;
        }
        Ok(u32::from_le_bytes([a, b, c, d]))
    }

    /// The columns of an answer with rows.
    async fn columns(&mut self) -> Result<Option<Vec<Column>>, ClientError> {
        let packet = self.read().await?;
        match self.inbox.bytes(packet) {
            [OK | END, ..] => Ok(None),
            [ERROR, ..] => Err(self.failure()),
            [LOCAL_FILE, ..] => Err(malformed("the server asked for a file of this machine")),
            count => {
                let count = Reader::new(count).length_encoded();
                let count = count.ok().and_then(|count| usize::try_from(count).ok());
                let count = count.ok_or_else(|| malformed("an answer without a count"))?;
                self.definitions(count).await.map(Some)
            }
        }
    }

    async fn definitions(&mut self, count: usize) -> Result<Vec<Column>, ClientError> {
        let mut columns = Vec::with_capacity(count.min(4_096));
        for _ in 0..count {
            let packet = self.read().await?;
            let column = ParseBuf(self.inbox.bytes(packet)).parse::<Column>(());
            columns.push(column.map_err(io_error)?);
        }
        let ends = !self
            .capabilities
            .contains(CapabilityFlags::CLIENT_DEPRECATE_EOF);
        if ends && count > 0 {
            self.read().await?;
        }
        Ok(columns)
    }

    /// The next packet, once it has arrived.
    async fn read(&mut self) -> Result<Range<usize>, ClientError> {
        loop {
            if let Some(packet) = self.inbox.next().map_err(io_error)? {
                self.sequence = self.inbox.sequence().wrapping_add(1);
                return Ok(packet);
            }
            self.wait().await?;
        }
    }

    /// The error that the current packet is.
    fn failure(&self) -> ClientError {
        let packet = self.inbox.current();
        match ParseBuf(packet).parse::<ErrPacket<'_>>(self.capabilities) {
            Ok(ErrPacket::Error(error)) => ClientError::Server(ServerError {
                code: error.error_code(),
                message: error.message_str().into_owned(),
                state: error
                    .sql_state_ref()
                    .map_or_else(String::new, |state| state.as_str().into_owned()),
            }),
            Ok(ErrPacket::Progress(_)) | Err(_) => malformed("an unknown answer"),
        }
    }

    async fn command(&mut self, command: u8, body: &[u8]) -> Result<(), ClientError> {
        self.sequence = 0;
        let mut packet = Vec::with_capacity(1 + body.len());
        packet.push(command);
        packet.extend_from_slice(body);
        self.write(&packet).await
    }

    async fn write(&mut self, packet: &[u8]) -> Result<(), ClientError> {
        let mut framed = Vec::with_capacity(packet.len() + 4);
        // A part that is full says that another follows, if need be an empty one.
        let mut parts = packet.chunks(LONGEST);
        loop {
            let part = parts.next().unwrap_or_default();
            framed.extend_from_slice(&(part.len() as u32).to_le_bytes()[..3]);
            framed.push(self.sequence);
            framed.extend_from_slice(part);
            self.sequence = self.sequence.wrapping_add(1);
            if part.len() < LONGEST {
                break;
            }
        }
        self.transport.write_all(&framed).await.map_err(io_error)?;
        self.transport.flush().await.map_err(io_error)
    }
}

impl Ask for Link {
    async fn ask(&mut self, sql: &str) -> Result<Vec<TextRow>, ClientError> {
        self.command(QUERY, sql.as_bytes()).await?;
        let Some(columns) = self.columns().await? else {
            return Ok(Vec::new());
        };
        let names: Arc<[String]> = columns.iter().map(|c| c.name_str().into_owned()).collect();
        let mut rows = Vec::new();
        loop {
            let packet = self.read().await?;
            match self.inbox.bytes(packet) {
                [ERROR, ..] => return Err(self.failure()),
                last if is_end(last) => return Ok(rows),
                row => rows.push(text_row(row, &names)?),
            }
        }
    }
}

fn text_row(packet: &[u8], names: &Arc<[String]>) -> Result<TextRow, ClientError> {
    let mut rest = Reader::new(packet);
    let mut values = Vec::with_capacity(names.len());
    for _ in 0..names.len() {
        values.push(if rest.rest().first() == Some(&NULL) {
            let _ = rest.byte();
            None
        } else {
            let text = rest.length_encoded_bytes();
            let text = text.map_err(|_| malformed("a row ends too soon"))?;
            Some(String::from_utf8_lossy(text).into_owned())
        });
    }
    Ok(TextRow::new(names.clone(), values))
}

/// Whether a packet ends the rows: where a text is so long that it begins alike, it fills the packet.
fn is_end(packet: &[u8]) -> bool {
    packet.first() == Some(&END) && packet.len() < LONGEST
}

fn malformed(what: &str) -> ClientError {
    io_error(io::Error::new(io::ErrorKind::InvalidData, what))
}

fn io_error(error: io::Error) -> ClientError {
    ClientError::Io(mysql_async::IoError::Io(error))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
