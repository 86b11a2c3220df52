//! Changes of one table that wait until their load ends, and which of them win.
//!
//! Rows lie on disk once they are many; in memory there is one small entry for each key. // G6
//! Within a load the newest change of a key wins; deletes keep the last row that was alive. // G4

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use arrow_array::{BooleanArray, RecordBatch};
use arrow_ipc::reader::FileReader;
use arrow_ipc::writer::FileWriter;
use arrow_schema::SchemaRef;
use tributary_model::{Deletes, Error, Op, Result};
use uuid::Uuid;

use crate::bounds::Reach;
use crate::clear::Cleared;
use crate::error::arrow;
use crate::keys::Keys;
use tributary_store::local;

/// Bytes that are kept in memory. // G6
const MEMORY: usize = 8 << 20;

/// What happened to one key, as numbers of staged rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fold {
    first: u32,
    last: u32,
    /// The last row that is no delete.
    live: Option<u32>,
    /// Whether the table holds the key.
    found: bool,
}

/// What becomes of a row that the table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// No change has its key.
    Stays,
    /// It goes; a staged row may take its place.
    Goes,
    /// It stays, and counts as deleted from now on.
    Marked,
}

/// Staged changes, rows in the layout of the table's files.
#[derive(Debug)]
pub(crate) struct Stage {
    keys: Keys,
    deletes: Deletes,
    folds: HashMap<u128, Fold>,
    rows: u32,
    reach: Reach,
    spool: Spool,
    cleared: Option<Cleared>,
}

/// Which rows win: for each staged row whether it comes into the table, whether as deleted, and
/// whether it is the last of its key.
#[derive(Debug)]
pub(crate) struct Winners {
    enters: Vec<bool>,
    deleted: Vec<bool>,
    last: Vec<bool>,
}

impl Stage {
    /// Nothing is staged yet.
    pub(crate) fn new(schema: SchemaRef, keys: Keys, deletes: Deletes, scratch: &Path) -> Self {
        Self {
            spool: Spool::new(scratch, schema),
            keys,
            deletes,
            folds: HashMap::new(),
            rows: 0,
            reach: Reach::default(),
            cleared: None,
        }
    }

    /// Which rows of the table are gone besides.
    pub(crate) fn cleared(&self) -> Option<&Cleared> {
        self.cleared.as_ref()
    }

    pub(crate) fn take_cleared(&mut self) -> Option<Cleared> {
        self.cleared.take()
    }

    pub(crate) fn set_cleared(&mut self, cleared: Cleared) {
        self.cleared = Some(cleared);
    }

    /// Takes changes in their order.
    pub(crate) fn push(&mut self, rows: RecordBatch, ops: &[Op]) -> Result<()> {
        if let Some(cleared) = &mut self.cleared {
            cleared.note(&rows)?;
        }
        self.reach
            .extend(self.keys.first().map(|place| rows.column(place)));
        for (key, op) in self.keys.of(&rows)?.into_iter().zip(ops) {
            let number = self.rows;
            let next = number.checked_add(1).filter(|next| *next < u32::MAX);
            self.rows = next.ok_or_else(|| Error::bug("too many rows were staged"))?;
            let fold = self.folds.entry(key).or_insert(Fold {
                first: number,
                last: number,
                live: None,
                found: false,
            });
            fold.last = number;
            if !matches!(op, Op::Delete | Op::Truncate) {
                fold.live = Some(number);
            }
        }
        self.spool.push(rows)
    }

    /// How many changes there are.
    pub(crate) fn rows(&self) -> u32 {
        self.rows
    }

    /// Bytes of them.
    pub(crate) fn bytes(&self) -> usize {
        self.spool.bytes
    }

    /// The columns of the key.
    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Where the keys lie.
    pub(crate) fn reach(&self) -> &Reach {
        &self.reach
    }

    /// Says what becomes of rows that the table holds: by their keys, which it notes to be there,
    /// else by what was cleared.
    pub(crate) fn judge_rows(&mut self, keys: &[u128], rows: &RecordBatch) -> Result<Vec<Fate>> {
        let mut fates = self.judge(keys);
        if let Some(cleared) = &self.cleared {
            let others = cleared.judge(rows, self.deletes)?;
            for ((fate, key), other) in fates.iter_mut().zip(keys).zip(others) {
                if !self.folds.contains_key(key) {
                    *fate = other;
                }
            }
        }
        Ok(fates)
    }

    /// Says what becomes of rows that the table holds, by their keys, and notes that it does.
    pub(crate) fn judge(&mut self, keys: &[u128]) -> Vec<Fate> {
        let deletes = self.deletes;
        let fate = |key: &u128| match self.folds.get_mut(key) {
            None => Fate::Stays,
            Some(fold) => {
                fold.found = true;
                match (fold.live, deletes) {
                    (None, Deletes::Soft) => Fate::Marked,
                    (None, Deletes::Ignore) => Fate::Stays,
                    (None, Deletes::Hard) | (Some(_), _) => Fate::Goes,
                }
            }
        };
        keys.iter().map(fate).collect()
    }

    /// Which rows come into the table, once all rows that it holds were judged.
    pub(crate) fn winners(&self) -> Winners {
        let none = || vec![false; self.rows as usize];
        let (mut enters, mut deleted, mut last) = (none(), none(), none());
        for fold in self.folds.values() {
            last[fold.last as usize] = true;
            let (row, is_deleted) = match (fold.live, self.deletes) {
                (Some(live), Deletes::Soft) => (live, live != fold.last),
                (Some(live), Deletes::Ignore) => (live, false),
                (Some(live), Deletes::Hard) if live == fold.last => (live, false),
                // A delete of a row that was never there becomes the row.
                (None, Deletes::Soft) if !fold.found => (fold.first, true),
                (Some(_) | None, _) => continue,
            };
            enters[row as usize] = true;
            deleted[row as usize] = is_deleted;
        }
        Winners {
            enters,
            deleted,
            last,
        }
    }

    /// The keys whose rows are only to be marked as deleted, and were not found yet.
    pub(crate) fn unseen(&self) -> HashSet<u128> {
        let is_soft = self.deletes == Deletes::Soft;
        let folds = self.folds.iter().filter(|_| is_soft);
        let unseen = folds.filter(|(_, fold)| fold.live.is_none() && !fold.found);
        unseen.map(|(key, _)| *key).collect()
    }

    /// Notes that the table holds a key.
    pub(crate) fn note_found(&mut self, key: u128) {
        if let Some(fold) = self.folds.get_mut(&key) {
            fold.found = true;
        }
    }

    /// All staged rows, in order.
    pub(crate) fn batches(&mut self) -> Result<impl Iterator<Item = Result<RecordBatch>> + use<>> {
        self.spool.batches()
    }
}

impl Winners {
    /// Whether each of `rows` rows from number `from` on comes in, and whether as deleted.
    pub(crate) fn part(&self, from: usize, rows: usize) -> (BooleanArray, BooleanArray) {
        let part = |flags: &[bool]| BooleanArray::from(flags[from..from + rows].to_vec());
        (part(&self.enters), part(&self.deleted))
    }

    /// Whether each of these rows is the last of its key.
    pub(crate) fn last(&self, from: usize, rows: usize) -> BooleanArray {
        BooleanArray::from(self.last[from..from + rows].to_vec())
    }
}

/// Batches in memory, and on disk when they are many.
struct Spool {
    schema: SchemaRef,
    path: PathBuf,
    file: Option<FileWriter<BufWriter<File>>>,
    held: Vec<RecordBatch>,
    held_bytes: usize,
    bytes: usize,
}

impl Spool {
    fn new(scratch: &Path, schema: SchemaRef) -> Self {
        Self {
            schema,
            path: scratch.join(Uuid::new_v4().simple().to_string()),
            file: None,
            held: Vec::new(),
            held_bytes: 0,
            bytes: 0,
        }
    }

    fn push(&mut self, rows: RecordBatch) -> Result<()> {
        let bytes = rows.get_array_memory_size();
        self.bytes += bytes;
        self.held_bytes += bytes;
        self.held.push(rows);
        if self.held_bytes > MEMORY {
            self.spill()?;
        }
        Ok(())
    }

    fn spill(&mut self) -> Result<()> {
        let doing = "keeping changes on disk";
        if self.file.is_none() {
            let file = File::create_new(&self.path).map_err(|cause| local(&cause, &self.path))?;
            let writer = FileWriter::try_new_buffered(file, &self.schema);
            self.file = Some(writer.map_err(arrow(doing))?);
        }
        if let Some(file) = &mut self.file {
            for rows in self.held.drain(..) {
                file.write(&rows).map_err(arrow(doing))?;
            }
        }
        self.held_bytes = 0;
        Ok(())
    }

    fn batches(&mut self) -> Result<impl Iterator<Item = Result<RecordBatch>> + use<>> {
        let doing = "reading changes back";
        let on_disk = match self.file.take() {
            Some(mut file) => {
                file.finish().map_err(arrow(doing))?;
                let file = File::open(&self.path).map_err(|cause| local(&cause, &self.path))?;
                Some(FileReader::try_new_buffered(file, None).map_err(arrow(doing))?)
            }
            None => None,
        };
        let on_disk = on_disk.into_iter().flatten();
        let on_disk = on_disk.map(move |rows| rows.map_err(arrow(doing)));
        Ok(on_disk.chain(std::mem::take(&mut self.held).into_iter().map(Ok)))
    }
}

impl std::fmt::Debug for Spool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spool")
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // The folder that it is in goes too, a little later.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array};

    use super::*;

    fn rows(ids: &[i64]) -> RecordBatch {
        let ids: ArrayRef = Arc::new(Int64Array::from(ids.to_vec()));
        RecordBatch::try_from_iter([("id", ids)]).unwrap()
    }

    fn ops(letters: &str) -> Vec<Op> {
        let op = |letter| {
            if letter == 'd' {
                Op::Delete
            } else {
                Op::Update
            }
        };
        letters.chars().map(op).collect()
    }

    /// What becomes of a table that holds the key 2: its row's fate, and the staged rows that come
    /// in, `*` for those that come in as deleted.
    fn fold(deletes: Deletes, ids: &[i64], letters: &str) -> (Fate, String) {
        let scratch = tempfile::tempdir().unwrap();
        let schema = rows(&[]).schema();
        let keys = Keys::new(&schema, &["id".to_owned()]).unwrap();
        let mut stage = Stage::new(schema, keys, deletes, scratch.path());
        stage.push(rows(ids), &ops(letters)).unwrap();
        let held = stage.keys().of(&rows(&[2])).unwrap();
        let fate = stage.judge(&held)[0];
        let (enters, deleted) = stage.winners().part(0, ids.len());
        let shown = (0..ids.len()).filter(|&row| enters.value(row)).map(|row| {
            let mark = if deleted.value(row) { "*" } else { "" };
            format!("{row}{mark}")
        });
        (fate, shown.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn the_newest_change_of_a_key_wins() {
        let shown = |fate, rows: &str| (fate, rows.to_owned());
        for deletes in [Deletes::Soft, Deletes::Hard, Deletes::Ignore] {
            assert_eq!(fold(deletes, &[2, 1, 2], "uuu"), shown(Fate::Goes, "1 2"));
            assert_eq!(fold(deletes, &[1, 1], "du"), shown(Fate::Stays, "1"));
        }
        assert_eq!(
            fold(Deletes::Soft, &[2, 2, 3, 3], "uddd"),
            shown(Fate::Goes, "0* 2*")
        );
        assert_eq!(
            fold(Deletes::Hard, &[2, 2, 3, 3], "uddd"),
            shown(Fate::Goes, "")
        );
        assert_eq!(fold(Deletes::Soft, &[2, 2], "dd"), shown(Fate::Marked, ""));
        assert_eq!(fold(Deletes::Hard, &[2], "d"), shown(Fate::Goes, ""));
    }

    #[test]
    fn many_changes_lie_on_disk_and_keep_their_order() {
        let scratch = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(scratch.path(), rows(&[]).schema());
        let batch: Vec<i64> = (0..100_000).collect();
        for _ in 0..30 {
            spool.push(rows(&batch)).unwrap();
        }
        assert!(spool.held_bytes <= MEMORY && spool.path.exists());
        let back: Vec<_> = spool.batches().unwrap().map(|rows| rows.unwrap()).collect();
        assert_eq!(back.len(), 30);
        assert!(back.iter().all(|rows| *rows == self::rows(&batch)));
    }
}
