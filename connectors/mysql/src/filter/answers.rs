//! What the server says of texts.
//!
//! A text of the log is shown to the server as a constant of the column's character set and
//! collation; what it answers depends on nothing else, so that each text is asked about once.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write;

use mysql_async::Conn;
use tributary_model::{Error, Result};

use super::judge::Truth;
use super::{Check, long, render};
use crate::decode::{Probe, Seen};

/// Texts whose answers are kept; more are forgotten and asked about again. // G6
const KEPT: usize = 50_000;
/// Bytes of such texts. // G6
const KEPT_BYTES: usize = 32 << 20;
/// Bytes of a question about several texts, and how many texts.
const QUESTION: usize = 512 << 10;
const TEXTS: usize = 500;

/// A test of texts.
#[derive(Debug)]
pub(super) struct Asked {
    charset: String,
    collation: String,
    /// Whether values are handed over as the log has them; else decoded.
    is_raw: bool,
    check: Check,
    answers: HashMap<Box<[u8]>, Truth>,
    /// The longest statement that the server takes, once it has been asked.
    packet: Option<usize>,
    /// The bytes of the texts there.
    bytes: usize,
}

impl Asked {
    pub(super) fn new(charset: String, collation: String, is_raw: bool, check: Check) -> Self {
        Self {
            charset,
            collation,
            is_raw,
            check,
            answers: HashMap::new(),
            packet: None,
            bytes: 0,
        }
    }

    /// What of a value is asked about.
    pub(super) fn value<'v>(
        &self,
        probe: &'v mut Option<Probe>,
        raw: &'v [u8],
    ) -> Result<Cow<'v, [u8]>> {
        if self.is_raw {
            return Ok(Cow::Borrowed(raw));
        }
        match probe.as_mut().map(|probe| probe.look(raw)).transpose()? {
            Some(Seen::Text(text)) => Ok(Cow::Borrowed(text)),
            _ => Err(Error::bug(
                "a column was compared as the text that it is not",
            )),
        }
    }

    pub(super) fn knows(&self, value: &[u8]) -> bool {
        self.answers.contains_key(value)
    }

    /// Makes room.
    pub(super) fn forget_many(&mut self) {
        if self.answers.len() >= KEPT || self.bytes >= KEPT_BYTES {
            self.answers.clear();
            self.bytes = 0;
        }
    }

    /// What is known of a value.
    pub(super) fn answer(&self, probe: &mut Option<Probe>, raw: &[u8]) -> Result<Truth> {
        let value = self.value(probe, raw)?;
        let known = self.answers.get(value.as_ref());
        known
            .copied()
            .ok_or_else(|| Error::bug("a text is compared that nobody asked about"))
    }

    /// Asks about values.
    ///
    /// # Errors
    /// [`tributary_model::ErrorKind::Incompatible`] for a text that the server can't be shown.
    pub(super) async fn ask(&mut self, values: Vec<Box<[u8]>>, conn: &mut Conn) -> Result<()> {
        let packet = match self.packet {
            Some(packet) => packet,
            None => *self.packet.insert(long::packet(conn).await?),
        };
        let around = self.question(&[]).len() + ", ".len();
        let most = long::room(packet);
        let mut rest = values.as_slice();
        while let Some((first, others)) = rest.split_first() {
            if around + 2 * first.len() > most {
                let truth = long::ask(first, packet, conn, |name| self.about(name)).await?;
                self.keep(first, truth);
                rest = others;
                continue;
            }
            let mut bytes = 0;
            let texts = rest.iter().take(TEXTS);
            let fitting = texts.take_while(|value| {
                bytes += around + 2 * value.len();
                bytes <= most.min(QUESTION)
            });
            let count = fitting.count().max(1);
            let (now, later) = rest.split_at(count);
            rest = later;
            self.ask_together(now, conn).await?;
        }
        Ok(())
    }

    async fn ask_together(&mut self, values: &[Box<[u8]>], conn: &mut Conn) -> Result<()> {
        let questions: Vec<String> = values.iter().map(|value| self.question(value)).collect();
        let sql = format!("SELECT {}", questions.join(", "));
        let row = long::first(conn, sql).await?;
        for (index, value) in values.iter().enumerate() {
            self.keep(value, long::truth(&row, index));
        }
        Ok(())
    }

    fn keep(&mut self, value: &[u8], truth: Truth) {
        self.bytes += value.len();
        self.answers.insert(value.into(), truth);
    }

    /// The test about one value, as a constant.
    fn question(&self, value: &[u8]) -> String {
        self.about(&hex(value))
    }

    /// The test about bytes that the server has, by whatever name.
    fn about(&self, bytes: &str) -> String {
        let (charset, collation) = (&self.charset, &self.collation);
        let given = if self.is_raw {
            bytes.to_owned()
        } else {
            format!("CONVERT({bytes} USING utf8mb4)")
        };
        // Bytes that are no text of the charset make it NULL.
        let constant = format!("(CONVERT({given} USING {charset}) COLLATE {collation})");
        render::check(&constant, &self.check)
    }
}

/// Bytes as a constant.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(2 * bytes.len() + 3);
    hex.push_str("x'");
    for byte in bytes {
        let _ = write!(hex, "{byte:02x}");
    }
    hex.push('\'');
    hex
}
