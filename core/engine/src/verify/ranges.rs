//! Sums over ranges of the key: which parts of a table differ, in memory that does not grow with it.
//!
//! # Which ranges both sides share
//!
//! A range must hold the same keys on both sides, and servers do not sort texts alike. So there are
//! two ways to cut, and both look at the key's value in its one form ([`super::canon`]) only:
//!
//! * by the **number** that the first key column is, where it is a whole number on both sides:
//!   numbers have one order everywhere. Such a range can be read again by itself.
//! * by the **hash** of the whole key: a bucket is a prefix of it. Equal keys have equal hashes
//!   whatever server they come from.
//!
//! A cell is a bucket of a range; a key has one cell, and that depends on nothing but its value and
//! the bounds. Where the two sums of a cell are equal, so are its rows (see [`super::canon`] for how
//! surely), and a key that differs is in a cell that differs. ∎
//!
//! Bounds are set while the source is read: there begins a range at each key that is greater than
//! all before and comes after a certain number of rows. Rows read so far are below such a bound, so
//! no row ever changes its range. When there are too many ranges, each two neighbours become one.

use std::collections::BTreeMap;

use tributary_model::KeyRange;

/// Ranges at most. // G6
const RANGES: usize = 512;
/// Rows in a range, as long as there are few.
const FIRST_CUT: u64 = 1024;
/// Buckets of a range, and of a table that has only one.
const BUCKETS: usize = 256;
const BUCKETS_ALONE: usize = 1 << 16;

/// What one side has in a cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    rows: u64,
    hashes: u128,
}

impl Sum {
    fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.hashes = self.hashes.wrapping_add(other.hashes);
    }
}

/// Which side a row is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Source,
    Destination,
}

/// The sums of a table.
#[derive(Debug)]
pub(crate) struct Ranges {
    /// Where each range but the first begins.
    bounds: Vec<i128>,
    /// Of each range its buckets, the source's sum and the destination's.
    cells: Vec<[Sum; 2]>,
    buckets: usize,
    by_number: bool,
    highest: Option<i128>,
    /// Rows of the source in the last range.
    in_last: u64,
    cut: u64,
}

/// A cell that differs, and how many rows both sides have in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cell {
    pub(crate) range: usize,
    pub(crate) bucket: usize,
    pub(crate) rows: u64,
}

impl Ranges {
    /// No rows yet; `by_number` says whether ranges are cut by the first key column's number.
    pub(crate) fn new(by_number: bool) -> Self {
        let buckets = if by_number { BUCKETS } else { BUCKETS_ALONE };
        Self {
            bounds: Vec::new(),
            cells: vec![[Sum::default(); 2]; buckets],
            buckets,
            by_number,
            highest: None,
            in_last: 0,
            cut: FIRST_CUT,
        }
    }

    /// Whether ranges can be read by themselves.
    pub(crate) fn by_number(&self) -> bool {
        self.by_number
    }

    /// Takes a row. All rows of the source come before those of the destination.
    pub(crate) fn add(&mut self, side: Side, number: Option<i128>, key: u128, row: u128) {
        if side == Side::Source
            && let Some(number) = number
        {
            self.grow(number);
        }
        let place = self.range_of(number) * self.buckets + self.bucket_of(key);
        let sum = Sum {
            rows: 1,
            hashes: row,
        };
        self.cells[place][side as usize].add(sum);
    }

    /// The cell of a key.
    pub(crate) fn cell_of(&self, number: Option<i128>, key: u128) -> (usize, usize) {
        (self.range_of(number), self.bucket_of(key))
    }

    /// The cells that differ, in order.
    pub(crate) fn differing(&self) -> Vec<Cell> {
        let cells = self.cells.iter().enumerate();
        cells
            .filter(|(_, [source, destination])| source != destination)
            .map(|(place, [source, destination])| Cell {
                range: place / self.buckets,
                bucket: place % self.buckets,
                rows: source.rows + destination.rows,
            })
            .collect()
    }

    /// The fewest scans that read these ranges: neighbours are read together.
    pub(crate) fn scans(&self, cells: &[Cell]) -> Vec<KeyRange> {
        let wanted: BTreeMap<usize, ()> = cells.iter().map(|cell| (cell.range, ())).collect();
        let mut scans: Vec<(usize, usize)> = Vec::new();
        for range in wanted.into_keys() {
            match scans.last_mut() {
                Some((_, last)) if *last + 1 == range => *last = range,
                _ => scans.push((range, range)),
            }
        }
        let bounds = |(first, last): (usize, usize)| KeyRange {
            from: first.checked_sub(1).map(|before| self.bounds[before]),
            below: self.bounds.get(last).copied(),
        };
        scans.into_iter().map(bounds).collect()
    }

    fn range_of(&self, number: Option<i128>) -> usize {
        match number {
            Some(number) => self.bounds.partition_point(|bound| *bound <= number),
            None => 0,
        }
    }

    fn bucket_of(&self, key: u128) -> usize {
        (key % self.buckets as u128) as usize
    }

    /// Begins a range at `number` where it is time to.
    fn grow(&mut self, number: i128) {
        if self.highest.is_some_and(|highest| number <= highest) {
            self.in_last += 1;
            return;
        }
        if self.in_last >= self.cut {
            self.bounds.push(number);
            let cells = self.cells.len() + self.buckets;
            self.cells.resize(cells, [Sum::default(); 2]);
            self.in_last = 0;
            if self.bounds.len() == RANGES {
                self.halve();
            }
        }
        self.highest = Some(number);
        self.in_last += 1;
    }

    /// Makes one range of each two.
    fn halve(&mut self) {
        self.cut *= 2;
        let bounds = std::mem::take(&mut self.bounds);
        self.bounds = bounds.into_iter().skip(1).step_by(2).collect();
        let old = std::mem::take(&mut self.cells);
        self.cells = vec![[Sum::default(); 2]; (self.bounds.len() + 1) * self.buckets];
        for (place, sums) in old.into_iter().enumerate() {
            let (range, bucket) = (place / self.buckets, place % self.buckets);
            for (sum, more) in self.cells[range / 2 * self.buckets + bucket]
                .iter_mut()
                .zip(sums)
            {
                sum.add(more);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(number: u64) -> u128 {
        let mut mixed = u128::from(number) + 1;
        for _ in 0..3 {
            mixed = mixed.wrapping_mul(0xDA94_2042_E4DD_58B5_9FB2_1C65_1E98_DF25);
            mixed ^= mixed >> 61;
        }
        mixed
    }

    /// Fills both sides with the same keys in different orders, the destination's changed by `tamper`.
    fn filled(rows: u64, by_number: bool, tamper: impl Fn(u64) -> Option<u64>) -> Ranges {
        let mut ranges = Ranges::new(by_number);
        let number = |key: u64| by_number.then_some(i128::from(key) - 1000);
        for key in 0..rows {
            ranges.add(Side::Source, number(key), hash(key), hash(key * 7));
        }
        for key in (0..rows).rev() {
            if let Some(value) = tamper(key) {
                ranges.add(Side::Destination, number(key), hash(key), hash(value * 7));
            }
        }
        ranges
    }

    #[test]
    fn equal_tables_have_equal_sums_in_any_order() {
        for (rows, by_number) in [(0, true), (10, true), (3_000, false), (1_200_000, true)] {
            let ranges = filled(rows, by_number, Some);
            assert!(ranges.differing().is_empty(), "{rows}");
            assert!(ranges.bounds.len() < RANGES && ranges.bounds.is_sorted());
        }
    }

    #[test]
    fn one_row_of_many_is_found_in_a_small_part() {
        let tampers: [fn(u64) -> Option<u64>; 2] = [
            |key| (key != 400_123).then_some(key),
            |key| Some(if key == 400_123 { 1 } else { key }),
        ];
        for tamper in tampers {
            let ranges = filled(600_000, true, tamper);
            let cells = ranges.differing();
            assert_eq!(cells.len(), 1);
            assert!(cells[0].rows < 100, "{cells:?}");
            let scans = ranges.scans(&cells);
            assert_eq!(scans.len(), 1);
            let (from, below) = (scans[0].from.unwrap_or(0), scans[0].below.unwrap_or(0));
            assert!(from <= 399_123 && 399_123 < below && below - from <= 4096);
            let cell = ranges.cell_of(Some(399_123), hash(400_123));
            assert_eq!(cell, (cells[0].range, cells[0].bucket));
        }
    }

    #[test]
    fn keys_that_no_side_can_sort_are_found_by_their_hash() {
        let ranges = filled(50_000, false, |key| (key != 17).then_some(key));
        let cells = ranges.differing();
        assert_eq!(cells.len(), 1);
        assert_eq!(ranges.scans(&cells), [KeyRange::default()]);
    }

    #[test]
    fn keys_in_no_order_stay_in_their_ranges() {
        let mut ranges = Ranges::new(true);
        let shuffled = |index: u64| i128::from(index * 7919 % 20_011);
        for index in 0..20_011 {
            ranges.add(Side::Source, Some(shuffled(index)), hash(index), 1);
        }
        for index in (0..20_011).rev() {
            ranges.add(Side::Destination, Some(shuffled(index)), hash(index), 1);
        }
        assert!(ranges.differing().is_empty());
    }

    #[test]
    fn rows_beyond_all_bounds_are_in_the_outer_ranges() {
        let mut ranges = filled(5_000, true, Some);
        ranges.add(Side::Destination, Some(i128::MIN), 0, 1);
        ranges.add(Side::Destination, Some(i128::MAX), 0, 1);
        let cells = ranges.differing();
        let scans = ranges.scans(&cells);
        assert_eq!(scans.first().map(|scan| scan.from), Some(None));
        assert_eq!(scans.last().map(|scan| scan.below), Some(None));
    }
}
