//! Changing a table of Iceberg without looking at it: the keys of what changed go into a file of
//! equality deletes, which readers hold against every older file.
//!
//! **What is older.** A file's number is that of the log's entry that brought it (`since`); Iceberg's
//! is that of the snapshot. An entry is one snapshot of a table, so both grow together. Deletes are
//! about rows of smaller numbers only. Rows that come with them therefore stay, and rows that the same
//! load has written before are found among its own files, which lie on this machine.
//!
//! A row that a soft delete only marks has to be looked up, as its values stay. Nothing else is.
//!
//! **Bounds.** Every reader pays for these deletes until they are folded ([`Target::fold`]): into
//! position deletes, or into files without the rows. Upkeep does that, and a load that finds too many. // G6
//!
//! Invariant: whatever here reads an older file to keep its rows knows which of them are gone
//! ([`Target::know_erased`]) before it does.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use arrow_array::RecordBatch;
use arrow_schema::{DataType, SchemaRef};
use parquet::arrow::ArrowWriter;
use roaring::RoaringBitmap;
use tributary_model::{Error, Result};

use crate::config::MergeBy;
use crate::error::parquet;
use crate::keys::Keys;
use crate::layout::conform;
use crate::merge::{Held, is_apart};
use crate::place;
use crate::positions::MOST_GONE;
use crate::read::{Places, Rows, Source, Wanted};
use crate::stage::{Fate, Stage};
use crate::table::EqualityDeletes;
use crate::target::Target;
use crate::upload::{Ending, ReadBack, Sealed, Sink, Uploading, give_up};
use crate::writer::properties;

/// Files of equality deletes of a table; a load that finds so many folds them. // G6
const MOST_FILES: usize = 64;
/// Keys in them. // G6
const MOST_KEYS: u64 = 4 << 20;
/// Keys that are held in memory at once. // G6
const PORTION: usize = 500_000;

/// What a load knows and does about equality deletes of a table.
#[derive(Debug, Default)]
pub(crate) struct Erasing {
    ended: Vec<(EqualityDeletes, Ending)>,
    sealed: Vec<(EqualityDeletes, Sealed)>,
    /// Of older files: the places of rows that are gone by their keys.
    known: Option<BTreeMap<String, RoaringBitmap>>,
}

/// A file of keys in progress.
pub(crate) struct KeyWriter {
    writer: ArrowWriter<Sink>,
    uploading: Uploading,
    schema: SchemaRef,
    key: String,
    rows: u64,
}

/// A file of keys, and what it is about.
struct Gone {
    source: Source,
    bytes: u64,
    columns: Vec<String>,
    since: u64,
}

impl KeyWriter {
    /// Takes the keys of rows of the table's layout.
    pub(crate) fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        let keys = conform(rows, &self.schema, |_| Ok(None))?;
        self.rows += keys.num_rows() as u64;
        self.writer
            .write(&keys)
            .map_err(parquet("writing a file of deletes"))?;
        self.uploading.send_full_parts(self.writer.inner_mut())
    }

    fn end(self) -> Result<(EqualityDeletes, Ending)> {
        let sink = self.writer.into_inner();
        let sink = sink.map_err(parquet("ending a file of deletes"))?;
        let fields = self.schema.fields().iter();
        let deletes = EqualityDeletes {
            key: self.key,
            columns: fields.map(|field| field.name().clone()).collect(),
            rows: self.rows,
            bytes: self.uploading.sent() + sink.len() as u64,
            since: 0,
        };
        Ok((deletes, self.uploading.end(sink)?))
    }
}

impl Erasing {
    /// Waits for the files that are on their way.
    pub(crate) fn gather(&mut self) -> Result<()> {
        for (deletes, ending) in self.ended.drain(..) {
            self.sealed.push((deletes, ending.seal()?));
        }
        Ok(())
    }

    /// Hands out what is to be completed.
    pub(crate) fn take(&mut self) -> Vec<(EqualityDeletes, Sealed)> {
        std::mem::take(&mut self.sealed)
    }

    /// The places of an older file's rows that are gone by their keys.
    pub(crate) fn of(&self, file: &str) -> Option<&RoaringBitmap> {
        self.known.as_ref()?.get(file)
    }

    /// Whether it is known which rows are gone by their keys.
    pub(crate) fn is_known(&self) -> bool {
        self.known.is_some()
    }
}

impl Target {
    /// Prepares for keys of `stage`, where some row of the table may have one of them.
    pub(crate) fn key_writer(&self, stage: &Stage) -> Result<Option<KeyWriter>> {
        let mut older = self.older();
        if older.all(|held| is_apart(&held.file, stage)) {
            return Ok(None);
        }
        let folder = place::folder(&self.definition.table);
        let key = place::delete_file(&folder, "", self.site.sequence);
        let schema = self.part_of_schema(&self.plan.key);
        let writer = ArrowWriter::try_new(Sink::default(), schema.clone(), Some(properties()));
        Ok(Some(KeyWriter {
            writer: writer.map_err(parquet("starting a file of deletes"))?,
            uploading: Uploading::new(&self.site, &key, ReadBack::Maybe),
            schema,
            key,
            rows: 0,
        }))
    }

    /// Sends a file of keys on its way.
    pub(crate) fn end_keys(&mut self, keys: KeyWriter) -> Result<()> {
        if keys.rows > 0 {
            self.erasing.ended.push(keys.end()?);
            self.erasing.known = None;
        }
        Ok(())
    }

    /// Writes the rows as deleted that the changes only mark, and that nobody has looked for.
    pub(crate) fn mark_unseen(&mut self, stage: &mut Stage) -> Result<()> {
        let wanted = stage.unseen();
        if wanted.is_empty() {
            return Ok(());
        }
        let gone = self.newest_of(&wanted)?;
        let mut marked: Vec<(Held, RoaringBitmap)> = Vec::new();
        for held in self.older() {
            if is_apart(&held.file, stage) {
                continue;
            }
            let by_position = self.gone_by_position(&held)?;
            let mut places = RoaringBitmap::new();
            self.each_key(&held, &self.plan.key, |place, key| {
                let is_gone = gone.get(&key).is_some_and(|since| *since > held.file.since);
                if wanted.contains(&key) && !is_gone && !by_position.contains(place) {
                    stage.note_found(key);
                    places.insert(place);
                }
            })?;
            if !places.is_empty() {
                marked.push((held, places));
            }
        }
        self.write_marked(marked)
    }

    /// Folds the deletes where they are too many, or about other columns than the key's of now.
    pub(crate) fn bound_deletes(&mut self) -> Result<()> {
        let key = self.part_of_schema(&self.plan.key);
        let is_other = |deletes: &EqualityDeletes| {
            let names = key.fields().iter().map(|field| field.name());
            !names.eq(deletes.columns.iter())
        };
        let (mut files, mut keys, mut others) = (0, 0, false);
        for deletes in self.equality_deletes() {
            files += 1;
            keys += deletes.rows;
            others |= is_other(deletes);
        }
        if files < MOST_FILES && keys < MOST_KEYS && !others {
            return Ok(());
        }
        self.fold()?;
        self.gather()?;
        self.renew_small()?;
        self.gather()
    }

    /// Goes over to position deletes where older files hold the key in narrower types, as long as they
    /// do: readers that are not ours fail to compare such keys, or find none of the files' rows.
    pub(crate) fn keep_comparable(&mut self) -> Result<()> {
        if self.definition.merge == MergeBy::EqualityDeletes && self.has_narrower_keys() {
            self.definition.merge = MergeBy::PositionDeletes;
        }
        match self.definition.merge {
            MergeBy::EqualityDeletes => Ok(()),
            MergeBy::CopyOnWrite | MergeBy::ChangeLog | MergeBy::PositionDeletes => self.fold(),
        }
    }

    fn has_narrower_keys(&self) -> bool {
        let key = self.part_of_schema(&self.plan.key);
        let types = |layout: usize| {
            let columns = self.definition.layouts.get(layout);
            let columns = columns.map_or(&[][..], Vec::as_slice).iter();
            let of_key = columns.filter(|column| key.index_of(&column.name).is_ok());
            of_key.map(|column| column.data_type).collect::<Vec<_>>()
        };
        let now = types(self.definition.newest());
        self.older().any(|held| types(held.file.layout) != now)
    }

    /// Lays the table's equality deletes over its files for good: rows go by their places, and
    /// files of which much is gone are written anew.
    pub(crate) fn fold(&mut self) -> Result<()> {
        let folded: Vec<String> = self.equality_deletes().map(|it| it.key.clone()).collect();
        if folded.is_empty() {
            return Ok(());
        }
        self.know_erased()?;
        let mut anew = Vec::new();
        for held in self.older().collect::<Vec<_>>() {
            if self.erasing.of(&held.file.key).is_none() {
                continue;
            }
            let gone = self.gone_rows(&held)?;
            if gone.len() * MOST_GONE >= held.file.rows {
                anew.push(held);
            } else {
                self.gone.insert(held.file.key, gone);
            }
        }
        self.rewrite(anew, |rows| Ok(vec![Fate::Stays; rows.num_rows()]))?;
        self.removed.extend(folded);
        Ok(())
    }

    /// Takes those deletes out that are about no file any more.
    pub(crate) fn drop_deletes(&mut self) {
        if self.equality_deletes().next().is_none() {
            return;
        }
        let oldest = self.older().map(|held| held.file.since).min();
        let idle = self
            .equality_deletes()
            .filter(|deletes| oldest.is_none_or(|oldest| oldest >= deletes.since));
        let idle: Vec<String> = idle.map(|deletes| deletes.key.clone()).collect();
        self.removed.extend(idle);
    }

    /// Forgets the deletes of this load: there is nothing left that they could be about.
    pub(crate) fn forget_deletes(&mut self) {
        self.erasing.ended.clear();
        for (_, sealed) in self.erasing.sealed.drain(..) {
            give_up(&self.site, &sealed.pending.upload);
        }
        self.erasing.known = None;
        let keys: Vec<String> = self.equality_deletes().map(|it| it.key.clone()).collect();
        self.removed.extend(keys);
    }

    /// Finds out which rows of older files are gone by their keys.
    pub(crate) fn know_erased(&mut self) -> Result<()> {
        if self.erasing.is_known() {
            return Ok(());
        }
        self.erasing.gather()?;
        let all = self.all_deletes();
        let columns: BTreeSet<&Vec<String>> = all.iter().map(|gone| &gone.columns).collect();
        let mut erased = BTreeMap::new();
        for columns in columns {
            let alike = all.iter().filter(|gone| gone.columns == *columns);
            self.erase_by(columns, alike, &mut erased)?;
        }
        self.erasing.known = Some(erased);
        Ok(())
    }

    /// Whether rows of older files may be gone by their keys.
    pub(crate) fn has_equality_deletes(&self) -> bool {
        let own = !self.erasing.ended.is_empty() || !self.erasing.sealed.is_empty();
        own || self.equality_deletes().next().is_some()
    }

    fn erase_by<'a>(
        &self,
        columns: &[String],
        deletes: impl Iterator<Item = &'a Gone>,
        erased: &mut BTreeMap<String, RoaringBitmap>,
    ) -> Result<()> {
        let mut portion: HashMap<u128, u64> = HashMap::new();
        for gone in deletes {
            self.keys_of(gone, |key| {
                let since = portion.entry(key).or_default();
                *since = gone.since.max(*since);
                if portion.len() < PORTION {
                    return Ok(());
                }
                let full = std::mem::take(&mut portion);
                self.erase_these(columns, &full, erased)
            })?;
        }
        self.erase_these(columns, &portion, erased)
    }

    fn erase_these(
        &self,
        columns: &[String],
        gone: &HashMap<u128, u64>,
        erased: &mut BTreeMap<String, RoaringBitmap>,
    ) -> Result<()> {
        let newest = gone.values().max().copied().unwrap_or_default();
        for held in self.older().filter(|held| held.file.since < newest) {
            let mut places = RoaringBitmap::new();
            self.each_key(&held, columns, |place, key| {
                if gone.get(&key).is_some_and(|since| *since > held.file.since) {
                    places.insert(place);
                }
            })?;
            if !places.is_empty() {
                *erased.entry(held.file.key).or_default() |= places;
            }
        }
        Ok(())
    }

    /// When each of some keys was deleted last, of those that were.
    fn newest_of(&mut self, wanted: &HashSet<u128>) -> Result<HashMap<u128, u64>> {
        self.erasing.gather()?;
        let mut newest: HashMap<u128, u64> = HashMap::new();
        for gone in self.all_deletes() {
            self.keys_of(&gone, |key| {
                if wanted.contains(&key) {
                    let since = newest.entry(key).or_default();
                    *since = gone.since.max(*since);
                }
                Ok(())
            })?;
        }
        Ok(newest)
    }

    /// Each key of a file of deletes.
    fn keys_of(&self, gone: &Gone, mut take: impl FnMut(u128) -> Result<()>) -> Result<()> {
        let schema = self.part_of_schema(&gone.columns);
        let keys = Keys::new(&schema, &gone.columns)?;
        let wanted = Wanted::Named(&gone.columns);
        for rows in Rows::open(&self.site, gone.source.clone(), gone.bytes, wanted)? {
            let rows = conform(&rows?, &schema, |_| Ok(None))?;
            keys.of(&rows)?.into_iter().try_for_each(&mut take)?;
        }
        Ok(())
    }

    /// Each row's place and its key.
    fn each_key(
        &self,
        held: &Held,
        columns: &[String],
        mut take: impl FnMut(u32, u128),
    ) -> Result<()> {
        let schema = self.part_of_schema(columns);
        let keys = Keys::new(&schema, columns)?;
        let mut place: u32 = 0;
        for rows in self.read(held, Wanted::Named(columns), Places::All)? {
            let rows = rows?;
            let rows = conform(&rows, &schema, |field| self.default(field, rows.num_rows()))?;
            for key in keys.of(&rows)? {
                take(place, key);
                place += 1;
            }
        }
        Ok(())
    }

    /// The files that were there before this load, and stay.
    fn older(&self) -> impl Iterator<Item = Held> + use<> {
        self.held().into_iter().filter(|held| held.upload.is_none())
    }

    /// The table's deletes that were there before this load, and stay.
    fn equality_deletes(&self) -> impl Iterator<Item = &EqualityDeletes> {
        let base = self.base.iter().flat_map(|table| &table.equality_deletes);
        base.filter(|deletes| !self.removed.contains(&deletes.key))
    }

    /// These, and what this load has put down so far, which is about all older files.
    fn all_deletes(&self) -> Vec<Gone> {
        let older = self.equality_deletes().map(|deletes| Gone {
            source: Source::Object(deletes.key.clone()),
            bytes: deletes.bytes,
            columns: deletes.columns.clone(),
            since: deletes.since,
        });
        let own = self.erasing.sealed.iter().filter_map(|(deletes, sealed)| {
            Some(Gone {
                source: Source::Local(sealed.file.clone()?),
                bytes: deletes.bytes,
                columns: deletes.columns.clone(),
                since: u64::MAX,
            })
        });
        older.chain(own).collect()
    }
}

/// Whether values of a type may tell which rows are gone: Iceberg's specification leaves out what
/// is only about equal.
pub(crate) fn tells_rows(data_type: &DataType) -> bool {
    !matches!(data_type, DataType::Float32 | DataType::Float64)
}

/// The error of reading rows of which it is not known whether they are still there.
pub(crate) fn unknown() -> Error {
    Error::bug("a file was read before it was known which of its rows are gone by their keys")
}
