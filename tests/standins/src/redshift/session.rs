//! One session: a client on one side, a session of PostgreSQL on the other.

use std::io::{self, BufReader};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use super::copy::{self, Copy};
use super::faults::Fault;
use super::lint;
use super::rewrite::{asks_catalog, rewrite};
use super::server::Shared;
use super::tokens::{Token, literal, tokens};
use super::wire::{Message, read_body, write_first};

const SSL: [u8; 4] = 80_877_103_u32.to_be_bytes();
const CANCEL: [u8; 4] = 80_877_102_u32.to_be_bytes();
/// A limit of bytes, as PostgreSQL says that one was passed.
const CHECK_VIOLATION: &str = "23514";

/// A session.
pub(super) struct Session {
    client: BufReader<TcpStream>,
    pub(super) server: BufReader<TcpStream>,
    pub(super) shared: Arc<Shared>,
    /// Whether a transaction is open.
    in_transaction: bool,
}

/// What becomes of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// The client gets it; names of the catalog's are what the client calls them.
    Catalog,
    Plain,
    /// Nobody gets it.
    Lost,
}

impl Session {
    pub(super) fn new(client: TcpStream, server: TcpStream, shared: Arc<Shared>) -> Self {
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        Self {
            client: BufReader::new(client),
            server: BufReader::new(server),
            shared,
            in_transaction: false,
        }
    }

    /// Runs it to its end.
    pub(super) fn run(mut self) {
        let _ = self.talk();
        self.cut();
    }

    fn cut(&self) {
        let _ = self.client.get_ref().shutdown(Shutdown::Both);
        let _ = self.server.get_ref().shutdown(Shutdown::Both);
    }

    fn talk(&mut self) -> io::Result<()> {
        if !self.begin()? {
            return Ok(());
        }
        loop {
            let message = Message::read(&mut self.client)?;
            match message.sql() {
                Some(sql) => self.answer(&sql)?,
                None if message.kind == b'X' => return Ok(()),
                None => {
                    let text = "only the simple protocol is known here";
                    return self.tell(&Message::error("FATAL", "0A000", text));
                }
            }
        }
    }

    /// Logs in; whether there is a session then.
    fn begin(&mut self) -> io::Result<bool> {
        let mut first = read_body(&mut self.client)?;
        while first.starts_with(&SSL) {
            io::Write::write_all(self.client.get_mut(), b"N")?;
            first = read_body(&mut self.client)?;
        }
        if first.starts_with(&CANCEL) {
            return Ok(false);
        }
        write_first(&first, self.server.get_mut())?;
        loop {
            let message = Message::read(&mut self.server)?;
            self.tell(&message)?;
            let kind = message.body.get(..4).map(|kind| kind[3]);
            match (message.kind, kind) {
                (b'Z', _) => return Ok(true),
                (b'E', _) => return Ok(false),
                // A password, or a part of a proof that the client knows it.
                (b'R', Some(3 | 5 | 10 | 11)) => {
                    let proof = Message::read(&mut self.client)?;
                    proof.write(self.server.get_mut())?;
                }
                _ => {}
            }
        }
    }

    fn tell(&mut self, message: &Message) -> io::Result<()> {
        message.write(self.client.get_mut())
    }

    fn answer(&mut self, sql: &str) -> io::Result<()> {
        self.shared.note(sql);
        let all = tokens(sql);
        let words: Vec<Token> = all
            .iter()
            .filter(|token| !token.is_space())
            .cloned()
            .collect();
        let fault = self.shared.faults.of(sql);
        match fault {
            Some(Fault::CutBefore) => return Err(io::ErrorKind::ConnectionReset.into()),
            Some(Fault::Serializable) => {
                let detail = "Serializable isolation violation on table - 100123, transactions forming the cycle are: 1, 2 (pid:3)";
                return self.refuse("XX000", "1023", detail);
            }
            Some(Fault::Conflict) => {
                return self.refuse("XX000", "conflict with concurrent transaction", "");
            }
            Some(Fault::SlowDown) => {
                let message =
                    "S3ServiceException:Please reduce your request rate.,Status 503,Error SlowDown";
                return self.refuse("XX000", message, "");
            }
            Some(Fault::Deny) => {
                return self.refuse("42501", "permission denied for the stand-in's sake", "");
            }
            Some(Fault::CutDuring | Fault::CutAfter) | None => {}
        }
        if words.first().is_some_and(|word| word.word() == "COPY") {
            return match Copy::read(&words) {
                Ok(copy) => self.copy(&copy, fault),
                Err(why) => self.refuse("42601", &why, ""),
            };
        }
        if let Some(why) = lint::refusal(&words, self.in_transaction) {
            return self.refuse("0A000", &why, "");
        }
        if let Some(schema) = lint::dropped_from(&words) {
            let is_there = format!(
                "SELECT 1 FROM pg_namespace WHERE nspname = {}",
                literal(&self.shared.names.inside(schema))
            );
            if self.ask(&is_there)?.is_empty() {
                let why = format!("schema \"{schema}\" does not exist");
                return self.refuse("3F000", &why, "");
            }
        }
        let inside = rewrite(&all, &self.shared.names);
        Message::query(&inside).write(self.server.get_mut())?;
        let to = match fault {
            Some(Fault::CutAfter) => Answer::Lost,
            _ if asks_catalog(&words) => Answer::Catalog,
            _ => Answer::Plain,
        };
        self.relay(to)
    }

    /// Passes an answer on.
    fn relay(&mut self, to: Answer) -> io::Result<()> {
        loop {
            let message = Message::read(&mut self.server)?;
            let is_last = message.kind == b'Z';
            if is_last {
                self.in_transaction = message.body.first() != Some(&b'I');
            }
            if to != Answer::Lost {
                let message = self.outside(message, to);
                self.tell(&message)?;
            }
            if is_last {
                return match to {
                    Answer::Lost => Err(io::ErrorKind::ConnectionReset.into()),
                    Answer::Catalog | Answer::Plain => Ok(()),
                };
            }
        }
    }

    /// A message as Redshift would have sent it.
    fn outside(&self, message: Message, to: Answer) -> Message {
        match message.kind {
            b'E' if message.field(b'C').as_deref() == Some(CHECK_VIOLATION) => Message::error(
                "ERROR",
                "22001",
                "value too long for type character varying",
            ),
            b'D' if to == Answer::Catalog => {
                let name = |cell: Vec<u8>| match std::str::from_utf8(&cell) {
                    Ok(text) => self
                        .shared
                        .names
                        .outside(text)
                        .map_or(cell, String::into_bytes),
                    Err(_) => cell,
                };
                let cells: Vec<_> = message
                    .cells()
                    .into_iter()
                    .map(|cell| cell.map(name))
                    .collect();
                Message::row(&cells)
            }
            b'T' => self.description(&message),
            _ => message,
        }
    }

    /// A description of rows, with the names that the client knows.
    fn description(&self, message: &Message) -> Message {
        let mut body = message.body[..2].to_vec();
        let mut rest = &message.body[2..];
        while let Some(end) = rest.iter().position(|byte| *byte == 0) {
            let name = String::from_utf8_lossy(&rest[..end]).into_owned();
            let name = self.shared.names.outside(&name).unwrap_or(name);
            body.extend_from_slice(name.as_bytes());
            let (fixed, more) = rest[end..].split_at(19);
            body.extend_from_slice(fixed);
            rest = more;
        }
        Message::new(b'T', body)
    }

    /// Fails as a statement would, and the transaction with it.
    fn refuse(&mut self, code: &str, message: &str, detail: &str) -> io::Result<()> {
        let raise = format!(
            "DO $standin$ BEGIN RAISE EXCEPTION USING ERRCODE = '{code}', MESSAGE = {}, DETAIL = {}; \
             END $standin$",
            literal(message),
            literal(detail)
        );
        Message::query(&raise).write(self.server.get_mut())?;
        self.relay(Answer::Plain)
    }

    /// Asks for what the stand-in itself has to know.
    pub(super) fn ask(&mut self, sql: &str) -> io::Result<Vec<Vec<String>>> {
        Message::query(sql).write(self.server.get_mut())?;
        let mut rows = Vec::new();
        loop {
            let message = Message::read(&mut self.server)?;
            match message.kind {
                b'D' => {
                    let cells = message.cells().into_iter();
                    let text = |cell: Option<Vec<u8>>| {
                        String::from_utf8_lossy(&cell.unwrap_or_default()).into_owned()
                    };
                    rows.push(cells.map(text).collect());
                }
                b'Z' => return Ok(rows),
                _ => {}
            }
        }
    }

    fn copy(&mut self, copy: &Copy, fault: Option<Fault>) -> io::Result<()> {
        let table = copy.table(&self.shared.names);
        let columns = self.ask(&copy::columns_of(&table))?;
        let rows = match copy.rows(&self.shared.store, &columns) {
            Ok(rows) => rows,
            Err(failure) => {
                failure.note(&self.shared.url);
                return self.refuse("XX000", &failure.message, &failure.detail);
            }
        };
        Message::query(&format!("COPY {table} FROM STDIN")).write(self.server.get_mut())?;
        let ready = Message::read(&mut self.server)?;
        if ready.kind != b'G' {
            let refused = self.outside(ready, Answer::Plain);
            self.tell(&refused)?;
            return self.relay(Answer::Plain);
        }
        let half = rows.len() / 2;
        for (place, chunk) in [&rows[..half], &rows[half..]].into_iter().enumerate() {
            if place == 1 && fault == Some(Fault::CutDuring) {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            Message::new(b'd', chunk.concat().into_bytes()).write(self.server.get_mut())?;
        }
        Message::new(b'c', Vec::new()).write(self.server.get_mut())?;
        self.relay(match fault {
            Some(Fault::CutAfter) => Answer::Lost,
            _ => Answer::Plain,
        })
    }
}
