//! From cells that differ to the rows that do.
//!
//! The rows of some cells are read again on both sides and kept, no more of them than fit in memory;
//! then they are laid side by side by the hashes of their keys.

use std::collections::BTreeSet;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::concat::concat_batches;
use arrow_select::filter::filter_record_batch;
use tributary_model::{Error, KeyRange, Rejection, Result, View};

use super::ranges::{Cell, Ranges};
use super::subject::Subject;
use super::touched::Touched;
use super::whole::numbers;

/// A row that was kept: its batch and its place there.
pub(crate) type Place = (usize, usize);

/// The rows of one side in some cells.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) batches: Vec<RecordBatch>,
    rows: Vec<Row>,
    /// Parts of the next batch: each would take much more memory by itself than its rows do.
    parts: Vec<RecordBatch>,
}

/// Parts and rows that make a batch.
const PARTS: usize = 256;
const ROWS: usize = 8192;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    key: u128,
    row: u128,
    place: Place,
}

/// What becomes of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The source has it, the destination does not.
    Missing(Place),
    /// The destination has it, the source does not.
    Extra(Place),
    /// Both have it; the source's row, then the destination's.
    Different(Place, Place),
    /// The destination has it more than once.
    Repeated(Place, Place),
    /// A row without a key: the sides have it a different number of times.
    Counted(Copies),
}

/// The copies of one row on both sides, none of them too: where they are, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Copies {
    ours: (usize, usize),
    theirs: (usize, usize),
}

impl Copies {
    /// How many the source has more.
    pub(crate) fn missing(&self) -> u64 {
        self.ours.1.saturating_sub(self.theirs.1) as u64
    }

    /// How many the destination has more.
    pub(crate) fn extra(&self) -> u64 {
        self.theirs.1.saturating_sub(self.ours.1) as u64
    }

    /// Those of the source.
    pub(crate) fn ours<'p>(&self, pair: &'p Pair) -> impl Iterator<Item = Place> + use<'p> {
        pair.source.places(self.ours)
    }

    /// Those of the destination.
    pub(crate) fn theirs<'p>(&self, pair: &'p Pair) -> impl Iterator<Item = Place> + use<'p> {
        pair.destination.places(self.theirs)
    }
}

/// A key on which the sides do not agree, by its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Suspect {
    pub(crate) key: u128,
    pub(crate) found: Found,
}

/// Both sides of some cells.
#[derive(Debug, Default)]
pub(crate) struct Pair {
    pub(crate) source: Kept,
    pub(crate) destination: Kept,
    /// Rows that the source could not give.
    pub(crate) rejected: Vec<Rejection>,
    /// Whether rows have no key, so that equal ones are counted.
    is_counted: bool,
}

/// Which rows are kept.
struct Wanted<'w> {
    ranges: &'w Ranges,
    cells: BTreeSet<(usize, usize)>,
    /// Keys that are passed over.
    passed: Option<&'w Touched>,
}

impl Wanted<'_> {
    fn has(&self, number: Option<i128>, key: u128) -> bool {
        let is_passed = self.passed.is_some_and(|passed| passed.has(key));
        !is_passed && self.cells.contains(&self.ranges.cell_of(number, key))
    }
}

impl Pair {
    /// Reads the rows of `cells`, but those of keys that are passed over.
    pub(crate) async fn read(
        subject: &Subject<'_>,
        view: &dyn View,
        ranges: &Ranges,
        cells: &[Cell],
        passed: Option<&Touched>,
    ) -> Result<Self> {
        let wanted = Wanted {
            ranges,
            cells: cells.iter().map(|cell| (cell.range, cell.bucket)).collect(),
            passed,
        };
        let mut pair = Self {
            is_counted: subject.is_counted(),
            ..Self::default()
        };
        for range in ranges.scans(cells) {
            pair.read_range(subject, view, &wanted, range).await?;
        }
        pair.source.finish()?;
        pair.destination.finish()?;
        Ok(pair)
    }

    async fn read_range(
        &mut self,
        subject: &Subject<'_>,
        view: &dyn View,
        wanted: &Wanted<'_>,
        range: KeyRange,
    ) -> Result<()> {
        let keep = |kept: &mut Kept, batch: RecordBatch| {
            kept.take(subject, &batch, |number, key| wanted.has(number, key))
        };
        let source = &mut self.source;
        let mut take = |batch| keep(source, batch);
        self.rejected
            .extend(subject.source(range, &mut take).await?);
        let destination = &mut self.destination;
        let mut take = |batch| keep(destination, batch);
        subject.destination(view, range, &mut take).await
    }

    /// Lays both sides beside each other; keys on which they agree are left out.
    pub(crate) fn suspects(&mut self) -> Vec<Suspect> {
        self.source.rows.sort_unstable();
        self.destination.rows.sort_unstable();
        let (mut ours, mut theirs) = (&self.source.rows[..], &self.destination.rows[..]);
        let mut suspects = Vec::new();
        loop {
            let key = match (ours.first(), theirs.first()) {
                (None, None) => return suspects,
                (Some(one), None) | (None, Some(one)) => one.key,
                (Some(one), Some(other)) => one.key.min(other.key),
            };
            let from = (
                self.source.rows.len() - ours.len(),
                self.destination.rows.len() - theirs.len(),
            );
            let (here, there) = (next(&mut ours, key), next(&mut theirs, key));
            let found = match (here.last(), there) {
                _ if self.is_counted && here.len() == there.len() => continue,
                _ if self.is_counted => Found::Counted(Copies {
                    ours: (from.0, here.len()),
                    theirs: (from.1, there.len()),
                }),
                (Some(one), []) => Found::Missing(one.place),
                (None, [one, ..]) => Found::Extra(one.place),
                (Some(one), [other]) if one.row == other.row => continue,
                (Some(one), [other]) => Found::Different(one.place, other.place),
                (Some(one), [other, ..]) => Found::Repeated(one.place, other.place),
                (None, []) => continue,
            };
            suspects.push(Suspect { key, found });
        }
    }
}

/// The rows of `key` at the front of sorted rows.
fn next<'r>(rows: &mut &'r [Row], key: u128) -> &'r [Row] {
    let count = rows.iter().take_while(|row| row.key == key).count();
    let (front, rest) = rows.split_at(count);
    *rows = rest;
    front
}

impl Kept {
    /// So many rows from one on.
    fn places(&self, (from, count): (usize, usize)) -> impl Iterator<Item = Place> + use<'_> {
        self.rows[from..from + count].iter().map(|row| row.place)
    }

    fn take(
        &mut self,
        subject: &Subject<'_>,
        batch: &RecordBatch,
        is_wanted: impl Fn(Option<i128>, u128) -> bool,
    ) -> Result<()> {
        let hashes = subject.canon.hash(batch)?;
        let numbers = numbers(subject, batch)?;
        let number = |row: usize| numbers.as_ref().and_then(|numbers| numbers[row]);
        let mask: Vec<bool> = hashes
            .keys
            .iter()
            .enumerate()
            .map(|(row, key)| is_wanted(number(row), *key))
            .collect();
        let (index, begin) = (self.batches.len(), self.rows_in_parts());
        let before = self.rows.len();
        let wanted = mask.iter().enumerate().filter(|(_, wanted)| **wanted);
        for (place, (row, _)) in wanted.enumerate() {
            self.rows.push(Row {
                key: hashes.keys[row],
                row: hashes.rows[row],
                place: (index, begin + place),
            });
        }
        if self.rows.len() == before {
            return Ok(());
        }
        let kept = filter_record_batch(batch, &BooleanArray::from(mask))
            .map_err(|cause| Error::bug("rows can't be picked").because(cause))?;
        self.parts.push(kept);
        match self.parts.len() >= PARTS || self.rows_in_parts() >= ROWS {
            true => self.finish(),
            false => Ok(()),
        }
    }

    fn rows_in_parts(&self) -> usize {
        self.parts.iter().map(RecordBatch::num_rows).sum()
    }

    /// Makes a batch of the parts.
    fn finish(&mut self) -> Result<()> {
        let parts = std::mem::take(&mut self.parts);
        if let Some(first) = parts.first() {
            let batch = concat_batches(&first.schema(), &parts)
                .map_err(|cause| Error::bug("rows can't be put together").because(cause))?;
            self.batches.push(batch);
        }
        Ok(())
    }
}
