//! Reads the rows of one piece into batches.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use mysql_async::prelude::Queryable;
use mysql_async::{BinaryProtocol, Conn, Params, QueryResult, Row};
use tributary_model::{Error, ErrorKind, Rejection, Result, StreamName};

use crate::column::ValueOptions;
use crate::decode::RowBuilder;
use crate::failure::classify;
use crate::layout::Layout;
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
    result: QueryResult<'c, 'static, BinaryProtocol>,
    builder: RowBuilder,
    shape: &'c Shape,
    count: u64,
}

impl<'c> Arriving<'c> {
    /// Runs a query.
    pub(crate) async fn open(conn: &'c mut Conn, query: &Query, shape: &'c Shape) -> Result<Self> {
        let parameters = if query.parameters.is_empty() {
            Params::Empty
        } else {
            Params::Positional(query.parameters.clone())
        };
        let result = conn
            .exec_iter(query.sql.as_str(), parameters)
            .await
            .map_err(|error| classify(error, format!("copying {}", shape.stream)))?;
        let builder = RowBuilder::new(shape.layout.clone(), shape.options)?;
        Ok(Self {
            result,
            builder,
            shape,
            count: 0,
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
        let mut last: Option<Row> = None;
        while let Some(row) = self
            .result
            .next()
            .await
            .map_err(|error| classify(error, format!("copying {}", self.shape.stream)))?
        {
            self.builder.push_protocol_row(&row)?;
            self.count += 1;
            last = Some(row);
            let is_full = self.builder.len() >= BATCH_ROWS
                || (self.count.is_multiple_of(64) && self.builder.bytes() >= BATCH_BYTES);
            if is_full {
                break;
            }
        }
        if last.is_none() {
            remark(&self.shape.stream, &self.builder);
        }
        last.map(|last| batch(&mut self.builder, &last, self.shape))
            .transpose()
    }

    /// How many rows have arrived.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }
}

fn batch(builder: &mut RowBuilder, last: &Row, shape: &Shape) -> Result<Batch> {
    let rejections = rejections(&shape.stream, builder.drain_refusals());
    let (rows, _ops) = builder.finish()?;
    let keep = |&(index, style): &(usize, KeyStyle)| {
        let value = last
            .as_ref(index)
            .ok_or_else(|| Error::bug("a row came without its key"))?;
        style.keep(value)
    };
    let key: Vec<KeyValue> = shape.key.iter().map(keep).collect::<Result<_>>()?;
    Ok(Batch {
        rows,
        rejections,
        last: (!key.is_empty()).then_some(key),
    })
}
