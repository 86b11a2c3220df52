//! One Parquet file that rows are written to.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{self, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use tokio::sync::Semaphore;
use tributary_model::{Error, Result};

use super::room::Compression;
use super::upload::{Sink, Uploading};
use crate::store::Store;

/// Encoded bytes of a row group: what a file keeps in memory while it is written. // G6
const ROW_GROUP_BYTES: usize = 16 << 20;
/// Rows of a row group.
const ROW_GROUP_ROWS: usize = 1 << 20;
/// Bytes of a column's distinct values up to which they are written once.
const DICTIONARY_BYTES: usize = 64 << 10;

fn properties(compression: Compression) -> WriterProperties {
    let compression = match compression {
        Compression::Zstd => basic::Compression::ZSTD(ZstdLevel::try_new(1).unwrap_or_default()),
        Compression::None => basic::Compression::UNCOMPRESSED,
    };
    WriterProperties::builder()
        .set_created_by(format!("tributary {}", env!("CARGO_PKG_VERSION")))
        .set_compression(compression)
        // A warehouse reads every row of a file once: nobody asks what is in which page.
        .set_statistics_enabled(EnabledStatistics::None)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .build()
}

/// A file in progress.
#[derive(Debug)]
pub(super) struct OpenFile {
    writer: ArrowWriter<Sink>,
    uploading: Uploading,
    rows: u64,
}

impl OpenFile {
    pub(super) fn start(
        store: &Arc<dyn Store>,
        room: &Arc<Semaphore>,
        key: &str,
        schema: &SchemaRef,
        compression: Compression,
    ) -> Result<Self> {
        let properties = properties(compression);
        let writer = ArrowWriter::try_new(Sink::default(), schema.clone(), Some(properties));
        Ok(Self {
            writer: writer.map_err(unwritten)?,
            uploading: Uploading::new(store, room, key),
            rows: 0,
        })
    }

    pub(super) async fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        self.writer.write(rows).map_err(unwritten)?;
        self.rows += rows.num_rows() as u64;
        self.send().await
    }

    /// Bytes that it holds in memory: of the open row group, and of the part that is not full.
    pub(super) fn memory(&self) -> usize {
        self.writer.memory_size() + self.writer.inner().len()
    }

    /// Whether most of that is a row group, which can be ended.
    pub(super) fn is_mostly_open(&self) -> bool {
        self.writer.memory_size() > self.writer.inner().len()
    }

    /// Bytes that the file would have if it ended now.
    pub(super) fn size(&self) -> usize {
        self.writer.bytes_written() + self.writer.in_progress_size()
    }

    /// Ends the row group.
    pub(super) async fn flush(&mut self) -> Result<()> {
        self.writer.flush().map_err(unwritten)?;
        self.send().await
    }

    /// Ends the file; says how many bytes and rows it has.
    pub(super) async fn end(self) -> Result<(u64, u64)> {
        let sink = self.writer.into_inner().map_err(unwritten)?;
        Ok((self.uploading.end(sink).await?, self.rows))
    }

    async fn send(&mut self) -> Result<()> {
        self.uploading
            .send_full_parts(self.writer.inner_mut())
            .await
    }
}

fn unwritten(cause: ParquetError) -> Error {
    Error::bug("rows can't be written as Parquet").because(cause)
}
