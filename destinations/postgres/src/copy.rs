//! Rows on their way to a table, in the format of `COPY`, sent in pieces of some megabytes.

use tributary_model::Result;

use crate::encode::{Column, HEADER, TRAILER, rows};
use crate::session::Session;

/// Bytes that are worth a `COPY` of their own. // G6
const BYTES: usize = 4 << 20;
/// Rows that are encoded before the bytes are counted again.
const ROWS: usize = 1024;

/// Encoded rows that are not sent yet.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// `COPY table (columns) FROM STDIN`, while there is something.
    statement: String,
    bytes: Vec<u8>,
}

impl Outbox {
    /// Bytes that it holds.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Takes rows for the table and columns that `statement` names, and sends what is worth it.
    pub(crate) async fn push(
        &mut self,
        session: &mut Session,
        statement: &str,
        columns: &[Column<'_>],
        count: usize,
    ) -> Result<()> {
        if self.statement != statement {
            self.send(session).await?;
            statement.clone_into(&mut self.statement);
        }
        let mut from = 0;
        while from < count {
            if self.bytes.is_empty() {
                self.bytes.extend_from_slice(HEADER);
            }
            let to = count.min(from + ROWS);
            rows(columns, from..to, &mut self.bytes)?;
            from = to;
            if self.bytes.len() >= BYTES {
                self.send(session).await?;
            }
        }
        Ok(())
    }

    /// Sends everything.
    pub(crate) async fn send(&mut self, session: &mut Session) -> Result<()> {
        if self.bytes.is_empty() {
            return Ok(());
        }
        self.bytes.extend_from_slice(&TRAILER);
        session
            .copy(&self.statement, &self.bytes, "copying rows")
            .await?;
        self.bytes.clear();
        // What one large row needed is not kept.
        self.bytes.shrink_to(2 * BYTES);
        Ok(())
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
    }
}
