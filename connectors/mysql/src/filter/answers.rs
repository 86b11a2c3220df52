//! What the server says of texts.
//!
//! A text of the log is shown to the server as a constant of the column's character set and
//! collation; what it answers depends on nothing else, so that each text is asked about once.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};
use tributary_model::{Error, Result};

use super::judge::Truth;
use super::{Check, render};
use crate::decode::{Probe, Seen};
use crate::failure::classify;

/// Texts whose answers are kept; more are forgotten and asked about again. // G6
const KEPT: usize = 50_000;
/// Bytes of such texts. // G6
const KEPT_BYTES: usize = 32 << 20;
/// Bytes of texts that one question holds, and how many texts.
const QUESTION: usize = 256 << 10;
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
    pub(super) async fn ask(&mut self, values: Vec<Box<[u8]>>, conn: &mut Conn) -> Result<()> {
        let mut rest = values.as_slice();
        while !rest.is_empty() {
            let mut bytes = 0;
            let texts = rest.iter().take(TEXTS);
            let fitting = texts.take_while(|value| {
                bytes += value.len();
                bytes <= QUESTION
            });
            let count = fitting.count().max(1);
            let (now, later) = rest.split_at(count);
            rest = later;
            let questions: Vec<String> = now.iter().map(|value| self.question(value)).collect();
            let row: Option<Row> = conn
                .query_first(format!("SELECT {}", questions.join(", ")))
                .await
                .map_err(|error| classify(error, "comparing texts for `where`"))?;
            let row = row.ok_or_else(|| Error::bug("a comparison of texts had no answer"))?;
            for (index, value) in now.iter().enumerate() {
                let is: Option<i64> = row
                    .get_opt(index)
                    .and_then(std::result::Result::ok)
                    .flatten();
                let truth = is.map_or(Truth::Unknown, |is| Truth::from(is != 0));
                self.bytes += value.len();
                self.answers.insert(value.clone(), truth);
            }
        }
        Ok(())
    }

    /// The test about one value, as a constant.
    fn question(&self, value: &[u8]) -> String {
        let hex = value.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        let given = if self.is_raw { "" } else { "_utf8mb4 " };
        let (charset, collation) = (&self.charset, &self.collation);
        // Bytes that are no text of the charset make it NULL.
        let constant = format!("(CONVERT({given}x'{hex}' USING {charset}) COLLATE {collation})");
        render::check(&constant, &self.check)
    }
}
