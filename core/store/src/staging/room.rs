//! The files of one attempt of a load.

use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::Semaphore;
use tributary_model::{Error, Result};
use uuid::Uuid;

use super::file::OpenFile;
use crate::store::Store;

/// Below what all staged files of a bucket are.
pub(super) const FOLDER: &str = "tributary-staging/";
/// The size at which a file ends, bytes: small enough that all parts of a warehouse have one to
/// read.
const FILE_BYTES: usize = 128 << 20;
/// Parts of all files of a room together that are on their way or wait to be. // G6
const IN_FLIGHT: usize = 6;
/// Requests at a time that remove files.
const REMOVING: usize = 8;

/// How the columns of a file are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// With Zstandard.
    #[default]
    Zstd,
    /// Not at all: for readers that may not know the other.
    None,
}

/// A file that a warehouse can read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StagedFile {
    /// Its key below the store's prefix.
    pub key: String,
    /// Where others find it: `s3://bucket/prefix/key`.
    pub address: String,
    /// Its size.
    pub bytes: u64,
    /// How many rows it has, at least one.
    pub rows: u64,
}

/// The files of one attempt of one load. They go when it is cleared or dropped.
#[derive(Debug)]
pub struct Room {
    store: Arc<dyn Store>,
    folder: String,
    compression: Compression,
    in_flight: Arc<Semaphore>,
    /// All keys that files were started under.
    keys: Arc<Mutex<Vec<String>>>,
}

impl Room {
    /// A room for an attempt of the load `load_id`. Nothing is asked of the store yet.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, load_id: &str, compression: Compression) -> Self {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let load: String = load_id.chars().filter(|c| is_plain(*c)).take(64).collect();
        Self {
            store,
            folder: format!("{FOLDER}{load}-{}/", Uuid::new_v4().simple()),
            compression,
            in_flight: Arc::new(Semaphore::new(IN_FLIGHT)),
            keys: Arc::default(),
        }
    }

    /// Begins to take rows of `schema`.
    #[must_use]
    pub fn stage(&self, schema: &SchemaRef) -> Stage {
        Stage {
            store: self.store.clone(),
            folder: self.folder.clone(),
            keys: self.keys.clone(),
            compression: self.compression,
            in_flight: self.in_flight.clone(),
            schema: schema.clone(),
            open: None,
            ended: Vec::new(),
        }
    }

    /// Puts something else beside the files, such as a list of them; says where it is.
    ///
    /// # Errors
    /// As the store's.
    pub async fn put(&self, name: &str, bytes: Bytes) -> Result<String> {
        let key = format!("{}{}-{name}", self.folder, Uuid::new_v4().simple());
        remember(&self.keys, &key);
        self.store.put(&key, bytes).await?;
        Ok(self.store.address(&key))
    }

    /// Where it is: an address that all its files begin with.
    #[must_use]
    pub fn address(&self) -> String {
        self.store.address(&self.folder)
    }

    /// Removes everything in it. What can't be removed now goes by age.
    pub async fn clear(&self) {
        if let Err(error) = self.clear_surely().await {
            tracing::warn!(%error, "staged files were not removed; they go later, by age");
        }
    }

    /// Removes everything in it.
    ///
    /// # Errors
    /// As the store's: the right to delete may be missing.
    pub async fn clear_surely(&self) -> Result<()> {
        remove(&self.store, taken(&self.keys)).await
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let keys = taken(&self.keys);
        if keys.is_empty() {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let store = self.store.clone();
            runtime.spawn(async move {
                if let Err(error) = remove(&store, keys).await {
                    tracing::debug!(%error, "staged files were not removed");
                }
            });
        }
    }
}

fn taken(keys: &Mutex<Vec<String>>) -> Vec<String> {
    std::mem::take(&mut *keys.lock().unwrap_or_else(PoisonError::into_inner))
}

fn remember(keys: &Mutex<Vec<String>>, key: &str) {
    let mut keys = keys.lock().unwrap_or_else(PoisonError::into_inner);
    keys.push(key.to_owned());
}

async fn remove(store: &Arc<dyn Store>, keys: Vec<String>) -> Result<()> {
    stream::iter(keys)
        .map(|key| async move { store.delete(&key).await })
        .buffer_unordered(REMOVING)
        .try_collect::<()>()
        .await
}

/// Rows of one kind on their way into files of a room, one file at a time.
#[derive(Debug)]
pub struct Stage {
    store: Arc<dyn Store>,
    folder: String,
    keys: Arc<Mutex<Vec<String>>>,
    compression: Compression,
    in_flight: Arc<Semaphore>,
    schema: SchemaRef,
    open: Option<(String, OpenFile)>,
    ended: Vec<StagedFile>,
}

impl Stage {
    /// The columns of its files.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Takes rows of the schema.
    ///
    /// # Errors
    /// As the store's; the stage is of no use then.
    pub async fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let (key, mut file) = match self.open.take() {
            Some(open) => open,
            None => self.start()?,
        };
        file.write(rows).await?;
        let is_full = file.size() >= FILE_BYTES;
        self.open = Some((key, file));
        match is_full {
            true => self.end().await,
            false => Ok(()),
        }
    }

    /// Whether no row has come yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open.is_none() && self.ended.is_empty()
    }

    /// Bytes in memory.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.open.as_ref().map_or(0, |(_, file)| file.memory())
    }

    /// Gives memory back: ends the row group that is open, or the file where that is not most of it.
    ///
    /// # Errors
    /// As the store's.
    pub async fn shed(&mut self) -> Result<()> {
        match &mut self.open {
            Some((_, file)) if file.is_mostly_open() => file.flush().await,
            Some(_) => self.end().await,
            None => Ok(()),
        }
    }

    /// Ends the open file and hands all files out: they are visible now. More rows may follow, in
    /// other files.
    ///
    /// # Errors
    /// As the store's.
    pub async fn finish(&mut self) -> Result<Vec<StagedFile>> {
        self.end().await?;
        Ok(std::mem::take(&mut self.ended))
    }

    /// Forgets rows that no file was handed out for.
    pub fn discard(&mut self) {
        self.open = None;
        self.ended.clear();
    }

    fn start(&self) -> Result<(String, OpenFile)> {
        let key = format!("{}{}.parquet", self.folder, Uuid::new_v4().simple());
        let file = OpenFile::start(
            &self.store,
            &self.in_flight,
            &key,
            &self.schema,
            self.compression,
        )?;
        remember(&self.keys, &key);
        Ok((key, file))
    }

    async fn end(&mut self) -> Result<()> {
        let Some((key, file)) = self.open.take() else {
            return Ok(());
        };
        let (bytes, rows) = file.end().await?;
        if rows == 0 {
            return Err(Error::bug("a file without rows was staged"));
        }
        self.ended.push(StagedFile {
            address: self.store.address(&key),
            key,
            bytes,
            rows,
        });
        Ok(())
    }
}
