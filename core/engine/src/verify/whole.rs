//! Both sides of a whole table, summed up.

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int16Type, Int32Type, Int64Type, UInt64Type};
use arrow_array::{Array, PrimitiveArray, RecordBatch};
use arrow_schema::DataType as Arrow;
use tributary_model::{KeyRange, Rejection, Result, View};

use super::ranges::{Ranges, Side};
use super::subject::Subject;
use super::touched::Touched;
use crate::observer::{Event, Observer};

/// A table's sums.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) ranges: Ranges,
    pub(crate) source_rows: u64,
    pub(crate) destination_rows: u64,
    /// The size of all of them in memory.
    bytes: u64,
    /// Rows that the source could not give.
    pub(crate) rejected: Vec<Rejection>,
}

impl Whole {
    /// Reads both sides once.
    pub(crate) async fn read(
        subject: &Subject<'_>,
        view: &dyn View,
        observer: &dyn Observer,
    ) -> Result<Self> {
        let mut whole = Self {
            ranges: Ranges::new(subject.has_number()),
            source_rows: 0,
            destination_rows: 0,
            bytes: 0,
            rejected: Vec::new(),
        };
        let mut take = |batch: RecordBatch| {
            observer.notice(&Event::Read {
                stream: &subject.stream.name,
                rows: batch.num_rows() as u64,
                bytes: batch.get_array_memory_size() as u64,
            });
            whole.take(subject, Side::Source, &batch)
        };
        let rejected = subject.source(KeyRange::default(), &mut take).await?;
        whole.rejected = rejected;
        let mut take = |batch: RecordBatch| whole.take(subject, Side::Destination, &batch);
        subject
            .destination(view, KeyRange::default(), &mut take)
            .await?;
        Ok(whole)
    }

    /// Reads both sides once more, and passes over the keys that are known to be on their way.
    pub(crate) async fn reread(
        &mut self,
        subject: &Subject<'_>,
        view: &dyn View,
        passed: &Touched,
    ) -> Result<()> {
        let mut ranges = Ranges::new(subject.has_number());
        let mut add =
            |side: Side, batch: &RecordBatch| sum(subject, &mut ranges, side, batch, Some(passed));
        let mut take = |batch: RecordBatch| add(Side::Source, &batch);
        let rejected = subject.source(KeyRange::default(), &mut take).await?;
        let mut take = |batch: RecordBatch| add(Side::Destination, &batch);
        subject
            .destination(view, KeyRange::default(), &mut take)
            .await?;
        self.ranges = ranges;
        self.rejected = rejected;
        Ok(())
    }

    /// What a row takes in memory on average, bytes.
    pub(crate) fn row_bytes(&self) -> u64 {
        self.bytes / (self.source_rows + self.destination_rows).max(1)
    }

    fn take(&mut self, subject: &Subject<'_>, side: Side, batch: &RecordBatch) -> Result<()> {
        let rows = batch.num_rows() as u64;
        match side {
            Side::Source => self.source_rows += rows,
            Side::Destination => self.destination_rows += rows,
        }
        self.bytes += batch.get_array_memory_size() as u64;
        sum(subject, &mut self.ranges, side, batch, None)
    }
}

/// Adds rows to the sums, but those of keys that are passed over.
fn sum(
    subject: &Subject<'_>,
    ranges: &mut Ranges,
    side: Side,
    batch: &RecordBatch,
    passed: Option<&Touched>,
) -> Result<()> {
    let hashes = subject.canon.hash(batch)?;
    let numbers = numbers(subject, batch)?;
    for (row, (key, hash)) in hashes.keys.iter().zip(&hashes.rows).enumerate() {
        if passed.is_some_and(|passed| passed.has(*key)) {
            continue;
        }
        let number = numbers.as_ref().and_then(|numbers| numbers[row]);
        ranges.add(side, number, *key, *hash);
    }
    Ok(())
}

/// The first key column's numbers, where ranges are cut by them; NULL is in the first range.
pub(crate) fn numbers(
    subject: &Subject<'_>,
    batch: &RecordBatch,
) -> Result<Option<Vec<Option<i128>>>> {
    let Some(&place) = subject.canon.key().first().filter(|_| subject.has_number()) else {
        return Ok(None);
    };
    let array = batch.column(place);
    Ok(match array.data_type() {
        Arrow::Int16 => Some(all(array.as_primitive::<Int16Type>())),
        Arrow::Int32 => Some(all(array.as_primitive::<Int32Type>())),
        Arrow::Int64 => Some(all(array.as_primitive::<Int64Type>())),
        Arrow::UInt64 => Some(all(array.as_primitive::<UInt64Type>())),
        Arrow::Decimal128(_, 0) => Some(all(array.as_primitive::<Decimal128Type>())),
        _ => None,
    })
}

fn all<T: arrow_array::ArrowPrimitiveType>(array: &PrimitiveArray<T>) -> Vec<Option<i128>>
where
    T::Native: Into<i128>,
{
    array.iter().map(|value| value.map(Into::into)).collect()
}
