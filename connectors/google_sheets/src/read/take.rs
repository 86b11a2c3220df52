//! The rows of one tab on their way: held back until it is known whether anything is different.
//!
//! What does not fit into memory leaves before that is known, as a new generation that is no
//! different. Its cursor comes at the end all the same.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use tributary_model::{
    Column, Output, Positions, Rejection, Result, Rows, StreamName, TruncateKind,
};

use crate::catalog::Part;
use crate::cell::Cell;
use crate::cursor::Cursor;
use crate::grid::{Columns, Number};
use crate::header::{Finder, Found, Header, Place};
use crate::row::Row;

/// Bytes that are held back. // G6
const HELD: usize = 32 << 20;
/// Rows with a missing key that are told at once. // G6
const REJECTED: usize = 1000;

/// What is to be read, and what is known of it.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) stream: StreamName,
    pub(crate) place: Place,
    pub(crate) key: Vec<String>,
    pub(crate) options: String,
    /// Whether nothing of the stream has been sent ever.
    pub(crate) is_first: bool,
    /// The reading before, where it was of the same tab by the same options.
    pub(crate) known: Option<Cursor>,
    pub(crate) generation: u64,
    pub(crate) numbers: BTreeMap<String, Number>,
    pub(crate) columns: Vec<Column>,
}

/// One walk through a tab.
pub(crate) struct Take<'a> {
    target: &'a Target,
    out: &'a Output<Cursor>,
    /// Where the columns begin in the sheet.
    offset: usize,
    finder: Finder,
    header: Option<Header>,
    columns: Columns,
    sent: Vec<Column>,
    held: Vec<Row>,
    bytes: usize,
    rows: u64,
    width: usize,
    failed: u64,
    rejected: Vec<Rejection>,
    hasher: blake3::Hasher,
    pub(crate) has_begun: bool,
    /// Whether rows have been sent already that this walk has to take the place of.
    replaces: bool,
}

/// Whether an earlier walk of the same reading has sent rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Earlier {
    Nothing,
    Sent,
}

impl<'a> Take<'a> {
    pub(crate) fn new(
        target: &'a Target,
        part: &Part,
        out: &'a Output<Cursor>,
        earlier: Earlier,
    ) -> Self {
        let finder = Finder::new(target.place, part.frozen);
        Self {
            header: finder.at_once(),
            finder,
            target,
            out,
            offset: part.area.columns.0,
            columns: Columns {
                numbers: target.numbers.clone(),
                key: target.key.clone(),
            },
            sent: target.columns.clone(),
            held: Vec::new(),
            bytes: 0,
            rows: 0,
            width: 0,
            failed: 0,
            rejected: Vec::new(),
            hasher: blake3::Hasher::new(),
            has_begun: false,
            replaces: earlier == Earlier::Sent,
        }
    }

    /// Takes rows that hold something; returns how many columns are used so far.
    pub(crate) async fn rows(&mut self, rows: Vec<Row>) -> Result<usize> {
        for row in rows {
            self.width = self.width.max(row.cells.len());
            match &self.header {
                Some(_) => self.data(row),
                None => {
                    if let Some(found) = self.finder.push(row) {
                        self.found(found);
                    }
                }
            }
        }
        if self.bytes > HELD {
            self.flush().await?;
        }
        Ok(self.width)
    }

    fn found(&mut self, found: Found) {
        for name in found.header.names() {
            Cell::Text(name.to_string()).hash_into(&mut self.hasher);
        }
        self.header = Some(found.header);
        found.rows.into_iter().for_each(|row| self.data(row));
    }

    fn data(&mut self, row: Row) {
        // What tells rows apart is part of what they are: without a key that is their number.
        let number = match self.target.key.is_empty() {
            true => i64::try_from(row.number).unwrap_or(i64::MAX),
            false => -1,
        };
        Cell::Int(number).hash_into(&mut self.hasher);
        row.cells
            .iter()
            .for_each(|cell| cell.hash_into(&mut self.hasher));
        let failed = row.cells.iter().filter(|cell| **cell == Cell::Failed);
        self.failed += failed.count() as u64;
        if let Some(column) = self.missing_key(&row) {
            self.reject(&row, column);
            return;
        }
        self.rows += 1;
        self.bytes += row.cells.iter().map(Cell::size).sum::<usize>();
        self.held.push(row);
    }

    /// The column of the key that a row does not have.
    fn missing_key(&mut self, row: &Row) -> Option<String> {
        let header = self.header.as_mut()?;
        let mut missing = self.target.key.clone();
        for (column, cell) in row.cells.iter().enumerate() {
            if !missing.is_empty() && cell.as_text().is_some() {
                let name = header.name(column, self.offset);
                missing.retain(|key| **key != *name);
            }
        }
        missing.into_iter().next()
    }

    fn reject(&mut self, row: &Row, column: String) {
        let Some(header) = self.header.as_mut() else {
            return;
        };
        let mut object = Map::new();
        for (place, cell) in row.cells.iter().enumerate() {
            if let Some(text) = cell.as_text() {
                let name = header.name(place, self.offset).to_string();
                object.insert(name, Value::String(text));
            }
        }
        self.rejected.push(Rejection {
            stream: self.target.stream.clone(),
            reason: format!("row {} has no value in `{column}`, its key", row.number),
            column: Some(column),
            value: None,
            row: Value::Object(object),
            hidden: Vec::new(),
        });
    }

    /// Says that what follows is all there is.
    async fn begin(&mut self) -> Result<()> {
        if self.has_begun {
            return Ok(());
        }
        self.has_begun = true;
        let (stream, positions) = (
            &self.target.stream,
            Positions::at(self.target.generation, 0),
        );
        if self.target.is_first {
            let kind = TruncateKind::Restart;
            return self.out.truncate(stream, kind, positions).await;
        }
        match self.target.key.is_empty() {
            // A row's number says nothing of the row that had it before.
            true => self.out.generation(stream, positions).await,
            false => {
                let kind = TruncateKind::Anew;
                self.out.truncate(stream, kind, positions).await
            }
        }
    }

    async fn flush(&mut self) -> Result<()> {
        self.begin().await?;
        let rows = std::mem::take(&mut self.held);
        self.bytes = 0;
        if let Some(header) = self.header.as_mut() {
            let generation = self.target.generation;
            let batches = self
                .columns
                .batches(&rows, header, self.offset, generation)?;
            for batch in batches {
                self.note(&batch.schema.columns);
                self.out
                    .rows(&self.target.stream, Rows::Arrow(batch))
                    .await?;
            }
        }
        if self.rows == 0 {
            let nothing = Rows::Arrow(self.columns.nothing()?);
            self.out.rows(&self.target.stream, nothing).await?;
        }
        while !self.rejected.is_empty() {
            let rest = self.rejected.split_off(self.rejected.len().min(REJECTED));
            let now = std::mem::replace(&mut self.rejected, rest);
            self.out.rejected(now).await?;
        }
        Ok(())
    }

    /// Remembers the columns of the table, each with the type that it has got first or been widened to.
    fn note(&mut self, columns: &[Column]) {
        for column in columns {
            match self.sent.iter_mut().find(|known| known.name == column.name) {
                Some(known) => {
                    if let Some(joined) = known.data_type.join(column.data_type) {
                        known.data_type = joined;
                    }
                }
                None => self.sent.push(column.clone()),
            }
        }
    }

    /// The tab has been read: sends what is held, unless it is what was there; returns the cursor.
    pub(crate) async fn finish(mut self) -> Result<Cursor> {
        if self.header.is_none()
            && let Some(found) = self.finder.finish()
        {
            self.found(found);
        }
        let contents = self.hasher.finalize().to_hex()[..32].to_owned();
        let known = self.target.known.as_ref();
        let is_same = known.is_some_and(|known| known.contents == contents);
        if !is_same || self.has_begun || self.replaces {
            self.flush().await?;
            self.tell();
        }
        let generation = match self.has_begun {
            true => self.target.generation,
            false => known.map_or(0, |known| known.generation),
        };
        Ok(Cursor {
            generation,
            options: self.target.options.clone(),
            contents,
            rows: self.rows,
            columns: self.sent,
            numbers: self.columns.numbers,
            ..Cursor::default()
        })
    }

    fn tell(&self) {
        let stream = &self.target.stream;
        if self.failed > 0 {
            let cells = self.failed;
            tracing::warn!(%stream, cells, "formulas have failed: these cells are NULL");
        }
        let before = self.target.known.as_ref().map_or(0, |known| known.rows);
        if self.rows == 0 && before > 0 {
            tracing::warn!(%stream, before, "the tab holds no rows any more");
        }
    }
}
