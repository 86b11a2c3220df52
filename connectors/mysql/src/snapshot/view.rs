//! Reads the rows of one piece into batches.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use tributary_model::{Error, ErrorKind, Rejection, Result, StreamName};

use crate::column::ValueOptions;
use crate::decode::RowBuilder;
use crate::decode::answer::{Answer, Values};
use crate::failure::classify;
use crate::layout::Layout;
use crate::link::{Link, Ready};
use crate::rejections::{rejections, remark};

use super::query::Query;
use super::segment::{KeyStyle, KeyValue};

/// Rows on their way.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The rows, in the layout's columns.
    pub(crate) rows: RecordBatch,
    /// Rows that could not be brought into shape.
    pub(crate) rejections: Vec<Rejection>,
    /// The key of the last row, where the piece is walked by its key.
    pub(crate) last: Option<Vec<KeyValue>>,
}

/// How rows are read.
pub(crate) struct Shape {
    pub(crate) stream: StreamName,
    pub(crate) layout: Arc<Layout>,
    pub(crate) options: ValueOptions,
    /// How to keep each key column, and its place among the selected columns.
    pub(crate) key: Vec<(usize, KeyStyle)>,
}

/// A batch takes seconds; a server that has not sent one after this long is away. // G6
const SILENCE: Duration = Duration::from_secs(900);

/// A batch is full at so many rows or bytes: small enough to keep memory flat, large enough that
/// its own cost does not show.
const BATCH_ROWS: usize = 16_384;
const BATCH_BYTES: usize = 8 << 20;

/// Rows that arrive.
pub(crate) struct Arriving<'c> {
    link: &'c mut Link,
    columns: Vec<Answer>,
    builder: RowBuilder,
    shape: &'c Shape,
    count: u64,
    /// The last row, for its key.
    last: Vec<u8>,
    is_over: bool,
}

impl<'c> Arriving<'c> {
    /// Runs a query.
    pub(crate) async fn open(link: &'c mut Link, query: &Query, shape: &'c Shape) -> Result<Self> {
        let columns = link
            .select(&query.sql, &query.parameters)
            .await
            .map_err(|error| classify(error, format!("copying {}", shape.stream)))?;
        let builder = RowBuilder::new(shape.layout.clone(), shape.options)?;
        Ok(Self {
            link,
            columns,
            builder,
            shape,
            count: 0,
            last: Vec::new(),
            is_over: false,
        })
    }

    /// The next batch; `None` behind the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Batch>> {
        tokio::time::timeout(SILENCE, self.fill())
            .await
            .map_err(|_| {
                Error::new(
                    ErrorKind::Unavailable,
                    format!(
                        "the server sent no batch of {} within {} minutes",
                        self.shape.stream,
                        SILENCE.as_secs() / 60
                    ),
                )
                .fix("Look whether the server hangs or the network swallows what it sends.")
            })?
    }

    async fn fill(&mut self) -> Result<Option<Batch>> {
        while !self.is_over && !self.take()? {
            self.link
                .wait()
                .await
                .map_err(|error| self.copying(error))?;
        }
        if self.builder.len() == 0 && self.is_over && self.last.is_empty() {
            remark(&self.shape.stream, &self.builder);
            return Ok(None);
        }
        self.batch().map(Some)
    }

    /// Takes the rows that have arrived; tells whether that makes a batch.
    fn take(&mut self) -> Result<bool> {
        loop {
            let packet = match self.link.next_row() {
                Ok(Ready::Row(packet)) => packet,
                Ok(Ready::Nothing) => return Ok(false),
                Ok(Ready::End) => {
                    self.is_over = true;
                    return Ok(true);
                }
                Err(error) => return Err(self.copying(error)),
            };
            self.builder.push_packet(packet, &self.columns)?;
            self.last.clear();
            self.last.extend_from_slice(packet);
            self.count += 1;
            let is_full = self.builder.len() >= BATCH_ROWS
                || (self.count.is_multiple_of(64) && self.builder.bytes() >= BATCH_BYTES);
            if is_full {
                return Ok(true);
            }
        }
    }

    fn batch(&mut self) -> Result<Batch> {
        let rejections = rejections(&self.shape.stream, self.builder.drain_refusals());
        let (rows, _ops) = self.builder.finish()?;
        let last = std::mem::take(&mut self.last);
        let key = self.key(&last)?;
        Ok(Batch {
            rows,
            rejections,
            last: (!key.is_empty()).then_some(key),
        })
    }

    /// The key of a row, in the key's order.
    fn key(&self, packet: &[u8]) -> Result<Vec<KeyValue>> {
        let mut values = Values::of(packet, self.columns.len())?;
        let row: Vec<_> = self
            .columns
            .iter()
            .map(|column| values.next(*column))
            .collect::<Result<_>>()?;
        let keep = |&(index, style): &(usize, KeyStyle)| match row.get(index) {
            Some(value) => style.keep(*value),
            None => Err(Error::bug("a row came without its key")),
        };
        self.shape.key.iter().map(keep).collect()
    }

    fn copying(&self, error: mysql_async::Error) -> Error {
        classify(error, format!("copying {}", self.shape.stream))
    }

    /// How many rows have arrived.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }
}
