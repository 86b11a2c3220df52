//! Changing a table of Iceberg without writing its files anew: rows that go are named by their places
//! in a file of deletes, which readers lay over the data.
//!
//! A data file has at most one file of deletes, which names all of its rows that are no more. A load
//! that takes more of them writes another one, which replaces it: so readers open at most one file
//! more for each. A data file of which much is gone is written anew instead, and its deletes go with
//! it. // G6
//!
//! Invariant: a file's rows are those that its deletes do not name; whatever here reads a file to
//! keep its rows goes through [`Target::live_rows`].
//!
//! What spares a load the search for its keys, and makes every reader pay for it, is in
//! [`crate::equality`].

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::filter::filter_record_batch;
use parquet::arrow::{ArrowWriter, PARQUET_FIELD_ID_META_KEY};
use roaring::RoaringBitmap;
use tributary_model::{Error, Result};

use crate::equality::unknown;
use crate::error::{arrow, parquet};
use crate::layout::conform;
use crate::merge::{Held, Hits};
use crate::place;
use crate::read::{Places, Rows, Source, Wanted};
use crate::stage::Fate;
use crate::table::{DataFile, Deleted};
use crate::target::Target;
use crate::upload::{Ending, ReadBack, Sink, Uploading};
use crate::writer::properties;
use tributary_store::Pending;

/// A file is written anew where one row of so many would be gone.
pub(crate) const MOST_GONE: u64 = 4;
/// Rows of a batch.
const BATCH: usize = 64 * 1024;
/// The columns of a file of deletes, with the ids that Iceberg reserves for them.
const FILE_PATH: (&str, i32) = ("file_path", i32::MAX - 101);
const POS: (&str, i32) = ("pos", i32::MAX - 102);

/// A file of deletes that has all its rows, and is on its way up.
#[derive(Debug)]
pub(crate) struct EndedDeletes {
    /// The data file, as it will be.
    file: DataFile,
    /// The file of deletes that it had.
    before: Option<String>,
    ending: Ending,
}

impl EndedDeletes {
    /// Waits until all of it is durable. Gives the data file, the key of the deletes that it had, and
    /// what completes the new ones.
    pub(crate) fn seal(self) -> Result<(DataFile, Option<String>, Pending)> {
        let sealed = self.ending.seal()?;
        Ok((self.file, self.before, sealed.pending))
    }
}

impl Target {
    /// Leaves files as they are where only some rows of them go, and gives back the others.
    pub(crate) fn spare(&mut self, touched: Vec<(Held, Hits)>) -> Result<Vec<Held>> {
        let mut anew = Vec::new();
        let mut marked: Vec<(Held, RoaringBitmap)> = Vec::new();
        for (held, hits) in touched {
            let mut gone = self.gone_rows(&held)?;
            let before = gone.len();
            gone |= &hits.gone;
            gone |= &hits.marked;
            let is_much = gone.len() * MOST_GONE >= held.file.rows;
            if held.upload.is_some() || gone.len() == before || is_much {
                anew.push(held);
                continue;
            }
            self.gone.insert(held.file.key.clone(), gone);
            if !hits.marked.is_empty() {
                marked.push((held, hits.marked));
            }
        }
        self.write_marked(marked)?;
        Ok(anew)
    }

    /// Rows that count as deleted from now on, as they will be.
    pub(crate) fn write_marked(&mut self, marked: Vec<(Held, RoaringBitmap)>) -> Result<()> {
        let mut roller = self.roller(None)?;
        for (held, places) in marked {
            for rows in self.read(&held, Wanted::All, Places::These(places))? {
                let rows = rows?;
                let default = |field: &Field| self.default(field, rows.num_rows());
                let rows = conform(&rows, &self.schema, default)?;
                let fates = vec![Fate::Marked; rows.num_rows()];
                roller.write(&self.obey(rows, &fates)?)?;
            }
        }
        let ended = roller.finish()?;
        self.ended.extend(ended);
        Ok(())
    }

    /// The places of a file's rows that are no more.
    pub(crate) fn gone_rows(&self, held: &Held) -> Result<RoaringBitmap> {
        if held.upload.is_none() && self.has_equality_deletes() && !self.erasing.is_known() {
            return Err(unknown());
        }
        let mut gone = self.gone_by_position(held)?;
        if let Some(erased) = self.erasing.of(&held.file.key) {
            gone |= erased;
        }
        Ok(gone)
    }

    /// Those that a file of position deletes names, or this load has added to them.
    pub(crate) fn gone_by_position(&self, held: &Held) -> Result<RoaringBitmap> {
        if let Some(gone) = self.gone.get(&held.file.key) {
            return Ok(gone.clone());
        }
        let mut gone = RoaringBitmap::new();
        let Some(deleted) = &held.file.deleted else {
            return Ok(gone);
        };
        let source = Source::Object(deleted.key.clone());
        let wanted = [POS.0.to_owned()];
        let wanted = Wanted::Named(&wanted);
        for rows in Rows::open(&self.site, source, deleted.bytes, wanted)? {
            let rows = rows?;
            let places = rows.column(0).as_primitive_opt::<Int64Type>();
            let places = places.ok_or_else(|| strange(&deleted.key))?;
            for place in places.values() {
                let place = u32::try_from(*place).map_err(|_| strange(&deleted.key))?;
                gone.insert(place);
            }
        }
        Ok(gone)
    }

    /// The rows of a file that are still the table's.
    pub(crate) fn live_rows(
        &self,
        held: &Held,
    ) -> Result<impl Iterator<Item = Result<RecordBatch>> + use<>> {
        let gone = self.gone_rows(held)?;
        let rows = self.read(held, Wanted::All, Places::All)?;
        let mut next: u32 = 0;
        Ok(rows.map(move |rows| {
            let rows = rows?;
            next += u32::try_from(rows.num_rows()).unwrap_or(u32::MAX);
            without(rows, next, &gone)
        }))
    }

    /// Sends the files of deletes on their way.
    pub(crate) fn end_deletes(&mut self) -> Result<Vec<EndedDeletes>> {
        let base = self.base.clone();
        let files = base.as_ref().map(|base| &base.files);
        let gone = std::mem::take(&mut self.gone);
        let each = gone.into_iter().map(|(key, gone)| {
            let file = files.and_then(|files| files.get(&key));
            let file = file.ok_or_else(|| Error::bug(format!("{key} is not in the table")))?;
            self.write_deletes(file, &gone)
        });
        each.collect()
    }

    fn write_deletes(&self, file: &DataFile, gone: &RoaringBitmap) -> Result<EndedDeletes> {
        let iceberg = self.site.iceberg.as_ref();
        let iceberg = iceberg.ok_or_else(|| Error::bug("only Iceberg has position deletes"))?;
        let address = iceberg.address(&file.key);
        let folder = place::folder(&self.definition.table);
        let key = place::delete_file(&folder, &file.partition, self.site.sequence);
        let mut uploading = Uploading::new(&self.site, &key, ReadBack::Never);
        let schema = schema();
        let writer = ArrowWriter::try_new(Sink::default(), schema.clone(), Some(properties()));
        let mut writer = writer.map_err(parquet("starting a file of deletes"))?;
        let mut places = gone.iter().map(i64::from).peekable();
        while places.peek().is_some() {
            let pos: Int64Array = places.by_ref().take(BATCH).collect();
            let paths = std::iter::repeat_n(&address, pos.len());
            let paths: ArrayRef = Arc::new(StringArray::from_iter_values(paths));
            let rows = RecordBatch::try_new(schema.clone(), vec![paths, Arc::new(pos)]);
            let rows = rows.map_err(arrow("naming deleted rows"))?;
            writer
                .write(&rows)
                .map_err(parquet("writing a file of deletes"))?;
            uploading.send_full_parts(writer.inner_mut())?;
        }
        let sink = writer
            .into_inner()
            .map_err(parquet("ending a file of deletes"))?;
        let bytes = uploading.sent() + sink.len() as u64;
        let rows = gone.len();
        Ok(EndedDeletes {
            before: file.deleted.as_ref().map(|deleted| deleted.key.clone()),
            file: DataFile {
                deleted: Some(Deleted { key, rows, bytes }),
                ..file.clone()
            },
            ending: uploading.end(sink)?,
        })
    }
}

/// The rows of a batch, of which `next` is the place behind the last, that are not gone.
pub(crate) fn without(rows: RecordBatch, next: u32, gone: &RoaringBitmap) -> Result<RecordBatch> {
    if gone.is_empty() {
        return Ok(rows);
    }
    let first = next - u32::try_from(rows.num_rows()).unwrap_or(next);
    let stays: BooleanArray = (first..next).map(|at| Some(!gone.contains(at))).collect();
    filter_record_batch(&rows, &stays).map_err(arrow("leaving rows out"))
}

fn schema() -> SchemaRef {
    let field = |(name, id): (&str, i32), data_type| {
        let id = (PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string());
        Field::new(name, data_type, false).with_metadata(HashMap::from([id]))
    };
    Arc::new(Schema::new(vec![
        field(FILE_PATH, DataType::Utf8),
        field(POS, DataType::Int64),
    ]))
}

fn strange(key: &str) -> Error {
    Error::new(
        tributary_model::ErrorKind::Incompatible,
        format!("{key} is no file of deletes"),
    )
    .fix("Put the file back as it was; the lake's log names it.")
}
