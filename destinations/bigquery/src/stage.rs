//! A staging table: rows on their way to the script that takes them into tables.
//!
//! Each load has tables of its own, in `_tributary`, which expire by themselves. Types for which the
//! Storage Write API has more than one reading (decimals, documents) are staged as texts, and the
//! script casts them to what the table's column is: exactly, or not at all. // G5

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow_cast::cast;
use arrow_schema::{DataType as Arrow, Field, Schema, SchemaRef};
use arrow_select::concat::concat_batches;
use tributary_model::{DataType, Error, Result, TableColumn, TableName};

use crate::ipc;
use crate::names::column_id;
use crate::tables::Tables;
use crate::write::{Stream, Writer};

/// A staging table and what is still to be sent to it.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) table: TableName,
    columns: Vec<TableColumn>,
    schema: SchemaRef,
    waiting: Vec<RecordBatch>,
    bytes: usize,
    /// Rows that were taken; the number of the next one.
    rows: i64,
    stream: Option<Stream>,
}

/// Whoever brings rows there.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    pub(crate) tables: Tables,
    pub(crate) writer: Writer,
    /// When what is staged may go, whatever happened.
    pub(crate) expires: chrono::DateTime<chrono::Utc>,
}

impl Stage {
    pub(crate) fn new(table: TableName, columns: Vec<TableColumn>) -> Self {
        let fields = columns
            .iter()
            .map(|column| Field::new(column_id(&column.name), staged(column.data_type).1, true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Self {
            table,
            columns,
            schema,
            waiting: Vec::new(),
            bytes: 0,
            rows: 0,
            stream: None,
        }
    }

    /// Bytes that are not sent yet.
    pub(crate) fn pending_bytes(&self) -> usize {
        self.bytes
    }

    /// Whether it ever had a row.
    pub(crate) fn is_used(&self) -> bool {
        self.stream.is_some() || !self.waiting.is_empty()
    }

    /// The names of its columns.
    pub(crate) fn names(&self) -> Vec<String> {
        self.columns
            .iter()
            .map(|column| column.name.clone())
            .collect()
    }

    /// The number of the next row.
    pub(crate) fn next(&self) -> i64 {
        self.rows
    }

    /// The numbers of the next rows.
    pub(crate) fn numbers(&self, count: usize) -> Range<i64> {
        self.rows..self.rows + i64::try_from(count).unwrap_or(i64::MAX)
    }

    /// Leaves numbers out.
    pub(crate) fn skip(&mut self, count: i64) {
        self.rows += count;
    }

    /// Takes rows: one array for each column, of its type's Arrow type.
    pub(crate) fn take(&mut self, arrays: &[ArrayRef]) -> Result<()> {
        let columns = self.columns.iter().zip(arrays);
        let arrays = columns.map(|(column, array)| {
            cast(array, &staged(column.data_type).1).map_err(|cause| {
                Error::bug(format!("a {} can't be staged", column.data_type)).because(cause)
            })
        });
        let rows = RecordBatch::try_new(self.schema.clone(), arrays.collect::<Result<_>>()?)
            .map_err(|cause| Error::bug("rows can't be staged").because(cause))?;
        self.bytes += rows.get_array_memory_size();
        self.rows += i64::try_from(rows.num_rows()).unwrap_or(i64::MAX);
        self.waiting.push(rows);
        Ok(())
    }

    /// Sends what was taken.
    pub(crate) async fn send(&mut self, sender: &Sender) -> Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let rows = concat_batches(&self.schema, &self.waiting)
            .map_err(|cause| Error::bug("rows can't be staged together").because(cause))?;
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.begin(sender).await?,
        };
        sender
            .writer
            .append(&mut stream, &ipc::pieces(&rows)?)
            .await?;
        self.stream = Some(stream);
        self.waiting.clear();
        self.bytes = 0;
        Ok(())
    }

    async fn begin(&self, sender: &Sender) -> Result<Stream> {
        let fields: Vec<(String, &str)> = self
            .columns
            .iter()
            .map(|column| (column_id(&column.name), staged(column.data_type).0))
            .collect();
        sender
            .tables
            .make_staging(&self.table, &fields, sender.expires)
            .await?;
        sender.writer.create(&self.table).await
    }

    /// Sends the rest, and makes the rows readable.
    pub(crate) async fn finish(&mut self, sender: &Sender) -> Result<()> {
        self.send(sender).await?;
        match &self.stream {
            Some(stream) => sender.writer.commit(&self.table, stream).await,
            None => Ok(()),
        }
    }
}

/// The type of a staged column, in BigQuery and in Arrow.
pub(crate) fn staged(data_type: DataType) -> (&'static str, Arrow) {
    let arrow = data_type.to_arrow();
    match data_type {
        DataType::Bool => ("BOOL", arrow),
        DataType::Int16 | DataType::Int32 | DataType::Int64 => ("INT64", Arrow::Int64),
        DataType::Float32 | DataType::Float64 => ("FLOAT64", Arrow::Float64),
        DataType::Date => ("DATE", arrow),
        DataType::Time => ("TIME", arrow),
        DataType::Timestamp => ("DATETIME", arrow),
        DataType::TimestampTz => ("TIMESTAMP", arrow),
        DataType::Bytes => ("BYTES", arrow),
        DataType::Text | DataType::UInt64 | DataType::Decimal(..) | DataType::Json => {
            ("STRING", Arrow::Utf8)
        }
    }
}

/// Numbers as a column.
pub(crate) fn numbers(range: Range<i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(range))
}

/// Instants of which those that are not known are `instead`.
pub(crate) fn known_instants(array: &ArrayRef, instead: i64) -> ArrayRef {
    let told = array.as_primitive::<TimestampMicrosecondType>();
    let known: TimestampMicrosecondArray =
        told.iter().map(|at| Some(at.unwrap_or(instead))).collect();
    Arc::new(known.with_timezone("UTC"))
}
