//! Rows of files, batch by batch: of objects, and of files that are not yet objects.
//!
//! Only the columns that are asked for are fetched, row group by row group. // G6

use std::ops::Range;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use arrow_array::RecordBatch;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, RowSelection};
use parquet::arrow::async_reader::{
    AsyncFileReader, ParquetRecordBatchStream, ParquetRecordBatchStreamBuilder,
};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use roaring::RoaringBitmap;
use tributary_model::{Error, Result};

use crate::error::{blocking, parquet};
use crate::folder::read_range;
use crate::site::Site;
use tributary_store::Store;
use tributary_store::local;

/// Rows of a batch.
const BATCH_ROWS: usize = 8 * 1024;
/// Ranges of an object that are fetched at the same time. // G6
const REQUESTS: usize = 8;

/// Where a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// In the store.
    Object(String),
    /// On this machine, written by the load that is under way.
    Local(PathBuf),
}

/// Which columns of a file are wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted<'a> {
    /// All there are.
    All,
    /// Those of these names.
    Named(&'a [String]),
}

/// Which rows of a file are wanted, by their places in it.
#[derive(Clone, Debug)]
pub(crate) enum Places {
    /// All of them.
    All,
    /// These.
    These(RoaringBitmap),
}

/// The rows of one file, for a thread that may wait.
pub(crate) struct Rows {
    site: Arc<Site>,
    stream: Pin<Box<ParquetRecordBatchStream<Reader>>>,
}

impl Rows {
    /// Opens a file of `size` bytes.
    pub(crate) fn open(
        site: &Arc<Site>,
        source: Source,
        size: u64,
        wanted: Wanted<'_>,
    ) -> Result<Self> {
        Self::open_at(site, source, size, wanted, Places::All)
    }

    /// Opens some rows of one.
    pub(crate) fn open_at(
        site: &Arc<Site>,
        source: Source,
        size: u64,
        wanted: Wanted<'_>,
        places: Places,
    ) -> Result<Self> {
        let reader = Reader {
            store: site.store.clone(),
            source,
            size,
        };
        let builder = site
            .wait(ParquetRecordBatchStreamBuilder::new(reader))
            .map_err(parquet("opening a Parquet file"))?;
        let mask = match wanted {
            Wanted::All => ProjectionMask::all(),
            Wanted::Named(names) => {
                let fields = builder.schema().fields().iter().enumerate();
                let named = fields.filter(|(_, field)| {
                    names
                        .iter()
                        .any(|name| name.eq_ignore_ascii_case(field.name()))
                });
                ProjectionMask::roots(builder.parquet_schema(), named.map(|(at, _)| at))
            }
        };
        let builder = match places {
            Places::All => builder,
            Places::These(places) => {
                let rows = builder.metadata().file_metadata().num_rows();
                let ranges = places.iter().map(|at| at as usize..at as usize + 1);
                builder.with_row_selection(RowSelection::from_consecutive_ranges(
                    ranges,
                    usize::try_from(rows).unwrap_or_default(),
                ))
            }
        };
        let stream = builder
            .with_projection(mask)
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(parquet("reading a Parquet file"))?;
        Ok(Self {
            site: site.clone(),
            stream: Box::pin(stream),
        })
    }
}

impl Iterator for Rows {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.site.wait(self.stream.next())?;
        Some(batch.map_err(parquet("reading a Parquet file")))
    }
}

/// Bytes of a file, as the Parquet reader asks for them.
#[derive(Clone, Debug)]
struct Reader {
    store: Arc<dyn Store>,
    source: Source,
    size: u64,
}

impl Reader {
    async fn fetch(self, range: Range<u64>) -> ParquetResult<Bytes> {
        let bytes = match self.source {
            Source::Object(key) => self.store.get_range(&key, range).await,
            Source::Local(path) => {
                blocking(move || read_range(&path, range).map_err(|cause| local(&cause, &path)))
                    .await
            }
        };
        bytes.map_err(external)
    }
}

fn external(error: Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

impl AsyncFileReader for Reader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        self.clone().fetch(range).boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, ParquetResult<Vec<Bytes>>> {
        let requests = stream::iter(together(ranges.clone()))
            .map(|range| {
                self.clone()
                    .fetch(range.clone())
                    .map(move |bytes| (range, bytes))
            })
            .buffered(REQUESTS);
        async move {
            let fetched: Vec<_> = requests.collect().await;
            let mut answers = Vec::with_capacity(ranges.len());
            let fetched = fetched
                .into_iter()
                .map(|(range, bytes)| Ok((range, bytes?)));
            let fetched: Vec<(Range<u64>, Bytes)> = fetched.collect::<ParquetResult<_>>()?;
            for wanted in ranges {
                let holds =
                    |range: &Range<u64>| range.start <= wanted.start && wanted.end <= range.end;
                let (range, bytes) = fetched
                    .iter()
                    .find(|(range, _)| holds(range))
                    .ok_or_else(|| external(Error::bug("a range was not fetched")))?;
                let place = |at: u64| usize::try_from(at - range.start).unwrap_or(usize::MAX);
                answers.push(bytes.slice(place(wanted.start)..place(wanted.end)));
            }
            Ok(answers)
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        async move {
            let size = self.size;
            let reader = ParquetMetaDataReader::new().with_prefetch_hint(Some(FOOTER));
            let metadata = reader.load_and_finish(self, size).await?;
            Ok(Arc::new(metadata))
        }
        .boxed()
    }
}

/// What is fetched of a file's end before its length is known, bytes.
const FOOTER: usize = 64 << 10;
/// Bytes between two ranges that are rather fetched than asked for twice.
const GAP: u64 = 256 << 10;

/// Ranges that lie close together, as one.
fn together(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.sort_by_key(|range| range.start);
    let mut joined: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end + GAP => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_lie_close_are_one_request() {
        let ranges = vec![900_000..900_010, 0..10, 100..200, 150..160];
        assert_eq!(together(ranges), [0..200, 900_000..900_010]);
    }
}
