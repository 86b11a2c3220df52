//! The floor under every reader of MariaDB: packets are framed, counted and thrown away.
//!
//! A client of its own, since any library decodes more than this. It logs in without a password,
//! in clear, and understands nothing but the ends of answers.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde::{Deserialize, Serialize};

const BUFFER: usize = 1 << 20;
const COM_QUERY: u8 = 0x03;
const COM_BINLOG_DUMP: u8 = 0x12;
/// The server ends the answer at the log's end instead of waiting for more.
const NON_BLOCK: u16 = 1;
/// Long password, long flag, protocol 4.1, transactions, secure connection, named login plugin.
const CAPABILITIES: u32 = 0x1 | 0x4 | 0x200 | 0x2000 | 0x8000 | 0x8_0000;
const UTF8MB4: u8 = 45;
/// An end of file is shorter than any row that begins with its byte.
const EOF_LIMIT: usize = 9;
const REPLICA: u32 = 4_000_000_001;
const LOG_SESSION: &str = "SET @master_binlog_checksum = 'CRC32', @mariadb_slave_capability = 4";

/// What went by.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Passed {
    pub(super) packets: u64,
    /// Headers of packets included.
    pub(super) bytes: u64,
}

/// All rows of a query, in text.
pub(super) fn select(port: u16, sql: &str) -> io::Result<Passed> {
    let mut wire = Wire::login(port)?;
    wire.command(COM_QUERY, sql.as_bytes())?;
    // One end is behind the columns, the other behind the rows.
    wire.drain(2)
}

/// The log from a position to its end.
pub(super) fn log(port: u16, file: &str, offset: u32) -> io::Result<Passed> {
    let mut wire = Wire::login(port)?;
    wire.command(COM_QUERY, LOG_SESSION.as_bytes())?;
    wire.payload()?;
    let mut dump = offset.to_le_bytes().to_vec();
    dump.extend(NON_BLOCK.to_le_bytes());
    dump.extend(REPLICA.to_le_bytes());
    dump.extend(file.as_bytes());
    wire.command(COM_BINLOG_DUMP, &dump)?;
    wire.drain(1)
}

struct Wire {
    reader: BufReader<TcpStream>,
}

impl Wire {
    fn login(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        let mut wire = Self {
            reader: BufReader::with_capacity(BUFFER, stream),
        };
        wire.payload()?; // the greeting; without a password its salt is not needed
        let mut login = CAPABILITIES.to_le_bytes().to_vec();
        login.extend((1u32 << 24).to_le_bytes());
        login.push(UTF8MB4);
        login.extend([0; 23]);
        login.extend(b"root\0\0mysql_native_password\0");
        wire.send(1, &login)?;
        match wire.payload()?.first() {
            Some(0) => Ok(wire),
            _ => Err(io::Error::other(
                "the server does not let `root` in without a password",
            )),
        }
    }

    fn command(&mut self, command: u8, argument: &[u8]) -> io::Result<()> {
        self.send(0, &[&[command], argument].concat())
    }

    fn send(&mut self, sequence: u8, payload: &[u8]) -> io::Result<()> {
        let length = u32::try_from(payload.len()).map_err(io::Error::other)?;
        let [a, b, c, _] = length.to_le_bytes();
        let packet = [&[a, b, c, sequence], payload].concat();
        self.reader.get_mut().write_all(&packet)
    }

    fn length(&mut self) -> io::Result<usize> {
        let mut header = [0; 4];
        self.reader.read_exact(&mut header)?;
        let [a, b, c, _] = header;
        Ok(u32::from_le_bytes([a, b, c, 0]) as usize)
    }

    /// The next packet, kept.
    fn payload(&mut self) -> io::Result<Vec<u8>> {
        let mut payload = vec![0; self.length()?];
        self.reader.read_exact(&mut payload)?;
        match payload.first() {
            Some(0xff) => Err(refusal(&payload)),
            _ => Ok(payload),
        }
    }

    /// Throws packets away until `ends` of them have said that they are the last.
    fn drain(&mut self, mut ends: u32) -> io::Result<Passed> {
        let mut passed = Passed::default();
        while ends > 0 {
            let length = self.length()?;
            passed.packets += 1;
            passed.bytes += length as u64 + 4;
            if length == 0 {
                continue;
            }
            let first = self.reader.fill_buf()?.first().copied();
            match first.ok_or(io::ErrorKind::UnexpectedEof)? {
                0xff => {
                    let mut payload = vec![0; length];
                    self.reader.read_exact(&mut payload)?;
                    return Err(refusal(&payload));
                }
                0xfe if length < EOF_LIMIT => ends -= 1,
                _ => {}
            }
            self.skip(length)?;
        }
        Ok(passed)
    }

    fn skip(&mut self, mut left: usize) -> io::Result<()> {
        while left > 0 {
            let here = self.reader.fill_buf()?.len().min(left);
            if here == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.reader.consume(here);
            left -= here;
        }
        Ok(())
    }
}

fn refusal(payload: &[u8]) -> io::Error {
    let text = payload.get(3..).unwrap_or_default();
    io::Error::other(String::from_utf8_lossy(text).into_owned())
}
