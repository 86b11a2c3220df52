//! One Parquet file on its way up.

use std::sync::{Arc, LazyLock};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use tributary_model::{Error, Result};

use crate::bounds::Reach;
use crate::error::parquet;
use crate::iceberg::{Division, Part};
use crate::place;
use crate::site::Site;
use crate::table::DataFile;
use crate::upload::{Ending, ReadBack, Sealed, Sink, Uploading};

/// Encoded bytes of a row group: what a file keeps in memory while it is written. // G6
const ROW_GROUP_BYTES: usize = 16 << 20;
/// Rows of a row group.
const ROW_GROUP_ROWS: usize = 1 << 20;

/// Bytes of a column's distinct values up to which they are written once: building a dictionary that
/// is given up later costs more than all the rest of writing a column.
const DICTIONARY_BYTES: usize = 64 << 10;

static PROPERTIES: LazyLock<Arc<WriterProperties>> = LazyLock::new(|| {
    let level = ZstdLevel::try_new(1).unwrap_or_default();
    let properties = WriterProperties::builder()
        .set_created_by(format!("tributary {}", env!("CARGO_PKG_VERSION")))
        .set_compression(Compression::ZSTD(level))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES));
    Arc::new(properties.build())
});

/// How files are written.
pub(crate) fn properties() -> WriterProperties {
    WriterProperties::clone(&PROPERTIES)
}

/// Which file it will be.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// The table's folder.
    pub(crate) folder: String,
    /// The folder below it.
    pub(crate) partition: String,
    /// The number of the table's layout, and what it is in Arrow's words.
    pub(crate) layout: usize,
    pub(crate) schema: SchemaRef,
    /// The place of the first column of the key.
    pub(crate) key: Option<usize>,
    pub(crate) read_back: ReadBack,
    /// For Iceberg: how the table is divided.
    pub(crate) division: Option<Division>,
}

/// A file in progress.
#[derive(Debug)]
pub(crate) struct FileWriter {
    writer: ArrowWriter<Sink>,
    uploading: Uploading,
    shape: Shape,
    key: String,
    rows: u64,
    reach: Reach,
    /// All rows of a file are of the same part.
    part: Option<Part>,
}

/// A file that has all its rows, and is still on its way up.
#[derive(Debug)]
pub(crate) struct Ended {
    file: DataFile,
    ending: Ending,
}

/// A file that is whole and that nobody sees.
#[derive(Debug)]
pub(crate) struct Written {
    /// As it will be.
    pub(crate) file: DataFile,
    /// What makes it so.
    pub(crate) sealed: Sealed,
}

impl FileWriter {
    /// Starts one.
    pub(crate) fn start(site: &Arc<Site>, shape: Shape) -> Result<Self> {
        let key = place::data_file(&shape.folder, &shape.partition, site.sequence);
        let writer =
            ArrowWriter::try_new(Sink::default(), shape.schema.clone(), Some(properties()));
        Ok(Self {
            writer: writer.map_err(parquet("starting a Parquet file"))?,
            uploading: Uploading::new(site, &key, shape.read_back),
            shape,
            key,
            rows: 0,
            reach: Reach::default(),
            part: None,
        })
    }

    /// Takes rows of the file's layout.
    pub(crate) fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        self.writer
            .write(rows)
            .map_err(parquet("writing a Parquet file"))?;
        if let (0, 1.., Some(division)) = (self.rows, rows.num_rows(), &self.shape.division) {
            self.part = division.part(rows)?;
        }
        self.rows += rows.num_rows() as u64;
        self.reach
            .extend(self.shape.key.map(|place| rows.column(place)));
        self.uploading.send_full_parts(self.writer.inner_mut())
    }

    /// Bytes that it holds in memory: of the open row group, and of the part that is not full.
    pub(crate) fn memory(&self) -> usize {
        self.writer.memory_size() + self.writer.inner().len()
    }

    /// Whether most of that is a row group, which can be ended.
    pub(crate) fn is_mostly_open(&self) -> bool {
        self.writer.memory_size() > self.writer.inner().len()
    }

    /// Bytes that the file would have if it ended now.
    pub(crate) fn size(&self) -> usize {
        self.writer.bytes_written() + self.writer.in_progress_size()
    }

    /// Ends the row group. What is left of it is smaller, and goes when its part is full.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.writer
            .flush()
            .map_err(parquet("writing a Parquet file"))?;
        self.uploading.send_full_parts(self.writer.inner_mut())
    }

    /// Ends the file.
    pub(crate) fn finish(self) -> Result<Ended> {
        if self.rows == 0 {
            return Err(Error::bug("a file without rows was written"));
        }
        let sink = self
            .writer
            .into_inner()
            .map_err(parquet("ending a Parquet file"))?;
        let bytes = self.uploading.sent() + sink.len() as u64;
        let file = DataFile {
            key: self.key,
            partition: self.shape.partition,
            rows: self.rows,
            bytes,
            layout: self.shape.layout,
            bounds: self.reach.bounds().cloned(),
            part: self.part,
            deleted: None,
            since: 0,
        };
        let ending = self.uploading.end(sink)?;
        Ok(Ended { file, ending })
    }
}

impl Ended {
    /// A file that was not written row by row.
    pub(crate) fn new(file: DataFile, ending: Ending) -> Self {
        Self { file, ending }
    }

    /// Waits until all of it is durable.
    pub(crate) fn seal(self) -> Result<Written> {
        let sealed = self.ending.seal()?;
        match sealed.pending.size == self.file.bytes {
            true => Ok(Written {
                file: self.file,
                sealed,
            }),
            false => Err(Error::bug(format!(
                "{} was not uploaded whole",
                self.file.key
            ))),
        }
    }
}
