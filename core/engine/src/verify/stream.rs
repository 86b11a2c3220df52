//! One comparison of one stream.
//!
//! # Why a difference is one, and none is missed
//!
//! Let `P` be the place in the source's log that the destination's rows are as of: the view shows
//! rows and state of one moment, and a load commits both together (G1). Rows of the source are read
//! some time later, a chunk at a time; each shows all changes up to `P` and some behind it, which
//! were in the log before the reading ended (a source that can be scanned promises that). When all
//! has been read, the log is read from `P` to where it ends by then: `K` is every key it names.
//!
//! * `k ∉ K`: no change behind `P` touched `k`, so its row in the source has been the same all the
//!   time, and was so at `P`. The destination's row is as of `P` too. They must be equal; if they are
//!   not, no sync will ever make them so. It is a difference.
//! * `k ∈ K`: the next sync writes the whole row, or deletes it, whatever the destination holds. It
//!   is counted and not judged; nothing is missed by that, since nothing lasts.
//!
//! Neither the writer of the source nor a sync beside us can make the first case wrong: `K` is read
//! last and covers whatever they did. ∎ There are no rounds and no waiting, however busy a key is.
//!
//! A row of a stream without a key is its own key: then `k` is the row, and the sides must agree on how
//! often they have it. Of one that the log does not name, the source has had the same number all the time.
//! Of one that it does name the next sync only adds and takes away: what is wrong with it stays, and the
//! comparison behind that sync finds it. So where `P` is a place that syncs are to go on from, which is
//! not the destination's own, such a stream counts as repaired only if `K` is empty.
//!
//! The destination may be looked at again later, as of a place `P'` behind `P`: `K` covers what lies
//! between, and for all other keys it is what it was.
//!
//! Both sides are summed up by ranges first ([`super::ranges`]); ranges that agree are done with. Where
//! these are too many to be read again, both sides are summed up once more without the keys that
//! are in `K` by then: those of it need no judgement.

use std::collections::HashSet;

use tributary_model::{Deletes, Rejection, Result, View};

use super::narrow::{Found, Pair, Suspect};
use super::ranges::{Cell, Ranges};
use super::repair::Repair;
use super::report::{Counts, KeyReport};
use super::show;
use super::subject::Subject;
use super::touched::Touched;
use super::whole::Whole;
use crate::observer::Observer;

/// The share of the memory limit that rows of both sides may take while they are laid side by side,
/// what a row takes besides its values, bytes, and how many rows that is at least and at most. // G6
const SHARE: u64 = 6;
const OVERHEAD: u64 = 128;
const FEWEST: u64 = 1_000;
const MOST: u64 = 2_000_000;
/// Readings of a whole table that has no ranges to be read by themselves. // G6
const SCANS: usize = 4;

/// What one comparison found.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) counts: Counts,
    pub(crate) keys: Vec<KeyReport>,
    /// Keys that were written.
    pub(crate) repaired: u64,
    /// Keys that were to be, and have changed in the source since they were judged.
    pub(crate) left_to_sync: u64,
}

/// A comparison that goes on.
pub(crate) struct Comparison<'a, 's> {
    subject: &'a Subject<'s>,
    /// The destination; none while it is written to, since a view holds locks in some.
    view: Option<Box<dyn View>>,
    /// How many keys are told.
    limit: usize,
    touched: Touched,
    /// Whether keys that the log has named already are passed over.
    passes_over: bool,
    /// Keys of rows that the source has and can't give.
    rejected: HashSet<u128>,
    /// How many rows there are besides whose keys can't be told.
    unplaced: u64,
    outcome: Outcome,
}

impl<'a, 's> Comparison<'a, 's> {
    pub(crate) fn new(subject: &'a Subject<'s>, view: Box<dyn View>, limit: usize) -> Self {
        Self {
            subject,
            view: Some(view),
            limit,
            touched: Touched::new(subject),
            passes_over: false,
            rejected: HashSet::new(),
            unplaced: 0,
            outcome: Outcome::default(),
        }
    }

    /// Compares, and writes what differs anew where there is a `repair`.
    pub(crate) async fn run(
        mut self,
        observer: &dyn Observer,
        mut repair: Option<&mut Repair>,
    ) -> Result<Outcome> {
        let whole = self.whole(observer).await?;
        if !self.subject.missing.is_empty() {
            // A layout that the log speaks of is not the table's fault.
            self.touched.read_on(self.subject).await?;
        }
        let cells = whole.ranges.differing();
        let fits = self.rows_that_fit(whole.row_bytes());
        for (index, group) in groups(&cells, fits).into_iter().enumerate() {
            if !whole.ranges.by_number() && index >= SCANS {
                self.outcome.counts.unresolved += group.iter().map(|cell| cell.rows).sum::<u64>();
                continue;
            }
            self.narrow(&whole.ranges, group, repair.as_deref_mut())
                .await?;
        }
        if self.passes_over {
            self.outcome.counts.changed_since_sync = self.touched.count();
        }
        if repair.is_some() && self.subject.is_counted() && self.subject.is_forwarded {
            self.touched.read_on(self.subject).await?;
            if self.touched.count() > 0 {
                return Err(self.subject.busy());
            }
        }
        Ok(self.outcome)
    }

    /// The sums of both sides, without what is on its way where that would be too much to be read again.
    async fn whole(&mut self, observer: &dyn Observer) -> Result<Whole> {
        let view = self.view().await?;
        let mut whole = Whole::read(self.subject, &*view, observer).await?;
        self.outcome.counts.rows_source = whole.source_rows;
        self.outcome.counts.rows_destination = whole.destination_rows;
        self.outcome.counts.rejected = whole.rejected.len() as u64;
        self.note_rejected(&whole.rejected)?;
        let fits = self.rows_that_fit(whole.row_bytes());
        let groups = groups(&whole.ranges.differing(), fits).len();
        if !whole.ranges.by_number() && groups > SCANS {
            self.touched.read_on(self.subject).await?;
            self.passes_over = self.touched.count() > 0;
        }
        if self.passes_over {
            whole.reread(self.subject, &*view, &self.touched).await?;
            self.note_rejected(&whole.rejected)?;
        }
        self.view = Some(view);
        Ok(whole)
    }

    /// The open view, or a new one.
    async fn view(&mut self) -> Result<Box<dyn View>> {
        let connection = self.subject.connection;
        match self.view.take() {
            Some(view) => Ok(view),
            None => connection.destination.view(&connection.options.name).await,
        }
    }

    async fn narrow(
        &mut self,
        ranges: &Ranges,
        cells: &[Cell],
        repair: Option<&mut Repair>,
    ) -> Result<()> {
        let view = self.view().await?;
        let passed = self.passes_over.then_some(&self.touched);
        let mut pair = Pair::read(self.subject, &*view, ranges, cells, passed).await?;
        self.view = Some(view);
        let mut suspects = pair.suspects();
        if suspects.is_empty() {
            return Ok(());
        }
        self.touched.read_on(self.subject).await?; // last, see above
        self.note_rejected(&pair.rejected)?;
        let told = std::mem::take(&mut self.touched.rejected);
        self.note_rejected(&told)?;
        let mut judged = Vec::with_capacity(suspects.len());
        for suspect in suspects.drain(..) {
            if self.judge(&pair, suspect)? {
                judged.push(suspect);
            }
        }
        if let Some(repair) = repair.filter(|_| !judged.is_empty()) {
            self.view = None; // so that it stands in nobody's way
            let written = repair
                .write(self.subject, &pair, judged, &mut self.touched)
                .await?;
            self.outcome.repaired += written.repaired;
            self.outcome.left_to_sync += written.left_to_sync;
        }
        Ok(())
    }

    /// Whether a suspect is a difference; counts it.
    fn judge(&mut self, pair: &Pair, suspect: Suspect) -> Result<bool> {
        let counts = &mut self.outcome.counts;
        if self.touched.has(suspect.key) {
            counts.changed_since_sync += 1;
            return Ok(false);
        }
        let extra = match suspect.found {
            Found::Extra(_) => 1,
            Found::Counted(copies) => copies.extra(),
            Found::Missing(_) | Found::Different(..) | Found::Repeated(..) => 0,
        };
        if extra > 0 {
            if self.rejected.contains(&suspect.key) {
                return Ok(false); // the source has it and can't give it
            }
            if self.unplaced > 0 {
                // It may be one of those that the source can't give, whose keys can't be told: never to
                // be deleted on such grounds.
                counts.unresolved += extra;
                return Ok(false);
            }
            if self.subject.plan.deletes == Deletes::Ignore {
                counts.kept += extra;
                return Ok(false);
            }
        }
        counts.extra += extra;
        let told = match suspect.found {
            Found::Missing(_) => {
                counts.missing += 1;
                1
            }
            Found::Extra(_) => 1,
            Found::Counted(copies) => {
                counts.missing += copies.missing();
                copies.missing() + extra
            }
            Found::Different(..) | Found::Repeated(..) => {
                counts.different += 1;
                1
            }
        };
        let room = self.limit.saturating_sub(self.outcome.keys.len());
        let told = room.min(usize::try_from(told).unwrap_or(usize::MAX));
        if told > 0 {
            let key = show::key(self.subject, pair, suspect.found)?;
            self.outcome.keys.extend(std::iter::repeat_n(key, told));
        }
        Ok(true)
    }

    fn note_rejected(&mut self, rejections: &[Rejection]) -> Result<()> {
        let keys = self.subject.keys_of(rejections)?;
        self.unplaced += (rejections.len() - keys.len()) as u64;
        self.rejected.extend(keys);
        Ok(())
    }

    fn rows_that_fit(&self, row_bytes: u64) -> u64 {
        let memory = self.subject.connection.options.memory as u64;
        (memory / SHARE / (row_bytes + OVERHEAD)).clamp(FEWEST, MOST)
    }
}

/// Cells in groups of so many rows; a cell that alone has more is a group of its own.
fn groups(cells: &[Cell], fits: u64) -> Vec<&[Cell]> {
    let mut groups = Vec::new();
    let (mut begin, mut rows) = (0, 0);
    for (index, cell) in cells.iter().enumerate() {
        if index > begin && rows + cell.rows > fits {
            groups.push(&cells[begin..index]);
            (begin, rows) = (index, 0);
        }
        rows += cell.rows;
    }
    if begin < cells.len() {
        groups.push(&cells[begin..]);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_hold_what_fits_and_every_cell_is_in_one() {
        let cell = |range, rows| Cell {
            range,
            bucket: 0,
            rows,
        };
        let cells = [cell(0, 4), cell(1, 4), cell(2, 4), cell(3, 50), cell(4, 1)];
        let sizes: Vec<usize> = groups(&cells, 10).iter().map(|group| group.len()).collect();
        assert_eq!(sizes, [2, 1, 1, 1]);
        assert!(groups(&[], 10).is_empty());
    }
}
