//! Folding staged changes into the files of a table: copy on write.
//!
//! Only files that hold a key of the changes are written anew, without these rows; the changes' own
//! rows go into new files. Which files these are is told by the bounds of their keys first, and then
//! by the key columns alone. Tables of Iceberg may be changed in another way: [`crate::positions`].
//!
//! Invariant: after a fold the table's files hold each key at most once, if they did before.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow_schema::Field;
use arrow_select::filter::filter_record_batch;
use arrow_select::zip::zip;
use roaring::RoaringBitmap;
use tributary_model::Result;
use tributary_sql::{DELETED, SYNCED_AT};

use crate::config::{Format, MergeBy};
use crate::equality::KeyWriter;
use crate::error::arrow;
use crate::keys::Keys;
use crate::layout::{conform, constant};
use crate::positions::without;
use crate::read::{Places, Rows, Source, Wanted};
use crate::roller::Roller;
use crate::sorter::Sorter;
use crate::stage::{Fate, Stage};
use crate::table::DataFile;
use crate::target::Target;
use crate::upload::give_up;
use tributary_store::Upload;

/// Files smaller than this are small.
const SMALL: u64 = 4 << 20;
/// So many small files of one folder are put together, whether they were touched or not.
const TOO_MANY_SMALL: usize = 16;

/// A file of the table as this load sees it.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) file: DataFile,
    pub(crate) source: Source,
    /// Of files of this load, which have yet to be completed.
    pub(crate) upload: Option<Upload>,
}

/// Places of rows in a file that changes are about.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hits {
    /// They go; a change may take their place.
    pub(crate) gone: RoaringBitmap,
    /// They stay, and count as deleted.
    pub(crate) marked: RoaringBitmap,
}

impl Target {
    /// Brings everything that is staged into files.
    pub(crate) fn settle(&mut self) -> Result<()> {
        let Some(mut stage) = self.stage.take() else {
            return Ok(());
        };
        self.end_direct()?;
        self.gather()?;
        let mut keys = None;
        let touched = match self.definition.merge {
            // What is cleared is not told by keys, so that the rows have to be looked at.
            MergeBy::EqualityDeletes if stage.cleared().is_none() => {
                self.bound_deletes()?;
                let own = self.touched(&mut stage, Among::Own)?;
                self.mark_unseen(&mut stage)?;
                keys = self.key_writer(&stage)?;
                files(own)
            }
            MergeBy::EqualityDeletes | MergeBy::PositionDeletes => {
                let touched = self.touched(&mut stage, Among::All)?;
                self.spare(touched)?
            }
            MergeBy::CopyOnWrite | MergeBy::ChangeLog => {
                files(self.touched(&mut stage, Among::All)?)
            }
        };
        self.rewrite(touched, |rows| {
            let keys = stage.keys().of(rows)?;
            stage.judge_rows(&keys, rows)
        })?;
        self.insert(&mut stage, keys)
    }

    /// Marks every row as deleted that is not.
    pub(crate) fn mark_all(&mut self) -> Result<()> {
        self.end_direct()?;
        self.gather()?;
        let all = self.held();
        self.rewrite(all, |rows| {
            let deleted = rows
                .column_by_name(DELETED)
                .and_then(|array| array.as_boolean_opt());
            let is_marked = |row: usize| {
                deleted.is_some_and(|deleted| deleted.is_valid(row) && deleted.value(row))
            };
            let fate = |row| {
                if is_marked(row) {
                    Fate::Stays
                } else {
                    Fate::Marked
                }
            };
            Ok((0..rows.num_rows()).map(fate).collect())
        })
    }

    /// Writes those files anew, under the newest layout, that are `stale`.
    pub(crate) fn renew(&mut self, stale: impl Fn(&DataFile) -> bool) -> Result<()> {
        self.gather()?;
        let stale: Vec<Held> = self
            .held()
            .into_iter()
            .filter(|held| stale(&held.file))
            .collect();
        self.rewrite(stale, |rows| Ok(vec![Fate::Stays; rows.num_rows()]))
    }

    /// The files that the table is made of now.
    pub(crate) fn held(&self) -> Vec<Held> {
        let base = self.base.iter().flat_map(|table| table.files.values());
        let base = base
            .filter(|file| !self.removed.contains(&file.key))
            .map(|file| Held {
                source: Source::Object(file.key.clone()),
                file: file.clone(),
                upload: None,
            });
        let own = self.written.iter().filter_map(|written| {
            Some(Held {
                file: written.file.clone(),
                source: Source::Local(written.sealed.file.clone()?),
                upload: Some(written.sealed.pending.upload.clone()),
            })
        });
        base.chain(own).collect()
    }

    /// The files that have to be written anew, and which of their rows are why.
    fn touched(&mut self, stage: &mut Stage, among: Among) -> Result<Vec<(Held, Hits)>> {
        let mut files = self.held();
        match among {
            Among::Own => files.retain(|held| held.upload.is_some()),
            Among::All => self.know_erased()?,
        }
        let (mut touched, mut others) = (Vec::new(), Vec::new());
        for held in files {
            let hits = self.hits(&held, stage)?;
            match hits.is_none() {
                true => others.push(held),
                false => touched.push((held, hits)),
            }
        }
        let too_many = too_many_small(others);
        touched.extend(too_many.map(|held| (held, Hits::default())));
        Ok(touched)
    }

    /// Puts small files together where they are too many.
    pub(crate) fn renew_small(&mut self) -> Result<()> {
        let small: Vec<Held> = too_many_small(self.held()).collect();
        self.rewrite(small, |rows| Ok(vec![Fate::Stays; rows.num_rows()]))
    }

    /// The rows of a file that changes are about.
    fn hits(&self, held: &Held, stage: &mut Stage) -> Result<Hits> {
        let mut hits = Hits::default();
        let mut wanted = self.plan.key.clone();
        if let Some(cleared) = stage.cleared() {
            let others = cleared.names().iter();
            wanted.extend(others.filter(|name| !self.plan.key.contains(name)).cloned());
            // Marks tell which rows are deleted already.
            wanted.push(DELETED.to_owned());
        } else if is_apart(&held.file, stage) {
            return Ok(hits);
        }
        let schema = self.part_of_schema(&wanted);
        let keys = Keys::new(&schema, &self.plan.key)?;
        let gone = self.gone_rows(held)?;
        let mut next: u32 = 0;
        for rows in self.read(held, Wanted::Named(&wanted), Places::All)? {
            let rows = rows?;
            let places = (next..).take(rows.num_rows());
            next += u32::try_from(rows.num_rows()).unwrap_or(u32::MAX);
            // A row that is no more has no say in what becomes of its key.
            let places: Vec<u32> = places.filter(|place| !gone.contains(*place)).collect();
            let rows = without(rows, next, &gone)?;
            let rows = conform(&rows, &schema, |field| self.default(field, rows.num_rows()))?;
            let fates = stage.judge_rows(&keys.of(&rows)?, &rows)?;
            for (place, fate) in places.into_iter().zip(fates) {
                match fate {
                    Fate::Stays => false,
                    Fate::Goes => hits.gone.insert(place),
                    Fate::Marked => hits.marked.insert(place),
                };
            }
        }
        Ok(hits)
    }

    /// Writes files anew, each row by its fate.
    pub(crate) fn rewrite(
        &mut self,
        files: Vec<Held>,
        mut fate: impl FnMut(&RecordBatch) -> Result<Vec<Fate>>,
    ) -> Result<()> {
        if files.iter().any(|held| held.upload.is_none()) {
            self.know_erased()?;
        }
        let mut folders: BTreeMap<String, Vec<Held>> = BTreeMap::new();
        for held in files {
            folders
                .entry(held.file.partition.clone())
                .or_default()
                .push(held);
        }
        for (folder, files) in folders {
            // The parts of a table of Iceberg are what its rows say, wherever their file lies.
            let folder = (self.site.config.format == Format::Parquet).then_some(folder);
            let mut roller = self.roller(folder)?;
            for held in &files {
                self.copy(held, &mut roller, &mut fate)?;
            }
            let copies = roller.finish()?;
            files.iter().for_each(|held| self.discard(held));
            self.ended.extend(copies);
        }
        Ok(())
    }

    fn copy(
        &self,
        held: &Held,
        roller: &mut Roller,
        fate: &mut impl FnMut(&RecordBatch) -> Result<Vec<Fate>>,
    ) -> Result<()> {
        for rows in self.live_rows(held)? {
            let rows = rows?;
            let default = |field: &Field| self.default(field, rows.num_rows());
            let rows = conform(&rows, &self.schema, default)?;
            let fates = fate(&rows)?;
            roller.write(&self.obey(rows, &fates)?)?;
        }
        Ok(())
    }

    /// A file is not the table's any more once this load commits.
    fn discard(&mut self, held: &Held) {
        match &held.upload {
            None => {
                self.removed.extend(held.file.keys().cloned());
                self.gone.remove(&held.file.key);
            }
            Some(upload) => {
                give_up(&self.site, upload);
                self.written
                    .retain(|written| written.file.key != held.file.key);
            }
        }
    }

    /// Brings the changes' own rows in.
    fn insert(&mut self, stage: &mut Stage, mut keys: Option<KeyWriter>) -> Result<()> {
        let winners = stage.winners();
        let mut roller = self.roller(None)?;
        let mut sorter = Sorter::new(stage.keys());
        let mut from = 0;
        for rows in stage.batches()? {
            let rows = rows?;
            let (enters, deleted) = winners.part(from, rows.num_rows());
            if let Some(keys) = &mut keys {
                let last = winners.last(from, rows.num_rows());
                keys.write(&filter_record_batch(&rows, &last).map_err(arrow("choosing keys"))?)?;
            }
            from += rows.num_rows();
            let rows = replace(&rows, DELETED, Arc::new(deleted))?;
            let rows = filter_record_batch(&rows, &enters).map_err(arrow("choosing rows"))?;
            if let Some(rows) = sorter.push(rows)? {
                roller.write(&rows)?;
            }
        }
        if let Some(rows) = sorter.finish()? {
            roller.write(&rows)?;
        }
        self.ended.extend(roller.finish()?);
        keys.map_or(Ok(()), |keys| self.end_keys(keys))
    }

    /// The rows that stay, those that are marked changed.
    pub(crate) fn obey(&self, rows: RecordBatch, fates: &[Fate]) -> Result<RecordBatch> {
        let is = |wanted: Fate| -> BooleanArray {
            fates.iter().map(|fate| Some(*fate == wanted)).collect()
        };
        let mut rows = rows;
        if fates.contains(&Fate::Marked) {
            let marked = is(Fate::Marked);
            let always: ArrayRef = Arc::new(BooleanArray::from(vec![true; rows.num_rows()]));
            rows = replace_where(&rows, &marked, DELETED, &always)?;
            rows = replace_where(&rows, &marked, SYNCED_AT, &self.synced_at(marked.len()))?;
        }
        if fates.contains(&Fate::Goes) {
            let stays: BooleanArray = fates.iter().map(|fate| Some(*fate != Fate::Goes)).collect();
            rows = filter_record_batch(&rows, &stays).map_err(arrow("leaving rows out"))?;
        }
        Ok(rows)
    }

    /// All rows of a file, or those of some places, whether they are still the table's or not.
    pub(crate) fn read(&self, held: &Held, wanted: Wanted<'_>, places: Places) -> Result<Rows> {
        let (source, size) = (held.source.clone(), held.file.bytes);
        Rows::open_at(&self.site, source, size, wanted, places)
    }

    /// What a column holds in a file that was written before there was such a column: a file has
    /// all columns that its table had then.
    pub(crate) fn default(&self, field: &Field, rows: usize) -> Result<Option<ArrayRef>> {
        let mut columns = self.definition.columns().iter();
        let column = columns.find(|column| column.name == *field.name());
        let default = column.and_then(|column| column.default.as_deref());
        default.map(|text| constant(text, field, rows)).transpose()
    }
}

/// Which of a table's files changes are looked for in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Among {
    /// All of them.
    All,
    /// Those of the load that is under way.
    Own,
}

fn files(touched: Vec<(Held, Hits)>) -> Vec<Held> {
    touched.into_iter().map(|(held, _)| held).collect()
}

/// The small files of folders that have too many of them.
fn too_many_small(files: Vec<Held>) -> impl Iterator<Item = Held> {
    let mut folders: BTreeMap<String, Vec<Held>> = BTreeMap::new();
    for held in files.into_iter().filter(|held| held.file.bytes < SMALL) {
        let folder = folders.entry(held.file.partition.clone()).or_default();
        folder.push(held);
    }
    let too_many = folders.into_values();
    too_many
        .filter(|files| files.len() >= TOO_MANY_SMALL)
        .flatten()
}

/// Whether no key of the changes can be in a file.
pub(crate) fn is_apart(file: &DataFile, stage: &Stage) -> bool {
    match (&file.bounds, stage.reach().bounds()) {
        (Some(file), Some(changes)) => !file.may_meet(changes),
        _ => false,
    }
}

impl Hits {
    fn is_none(&self) -> bool {
        self.gone.is_empty() && self.marked.is_empty()
    }
}

/// The column of a name with other values; rows without such a column stay as they are.
fn replace(rows: &RecordBatch, name: &str, values: ArrayRef) -> Result<RecordBatch> {
    let Ok(place) = rows.schema_ref().index_of(name) else {
        return Ok(rows.clone());
    };
    let mut columns = rows.columns().to_vec();
    columns[place] = values;
    RecordBatch::try_new(rows.schema(), columns).map_err(arrow("changing a column"))
}

fn replace_where(
    rows: &RecordBatch,
    mask: &BooleanArray,
    name: &str,
    values: &ArrayRef,
) -> Result<RecordBatch> {
    let Some(old) = rows.column_by_name(name) else {
        return Ok(rows.clone());
    };
    let new = zip(mask, values, old).map_err(arrow("marking rows"))?;
    replace(rows, name, new)
}
