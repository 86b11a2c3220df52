//! S3 Tables: each table has a bucket of its own, which the catalog names when it makes the table.
//!
//! What lies below a table's folder goes to that bucket. The log, and everything else below
//! `_tributary`, stays in the lake's own: so a load commits there as it does everywhere.
//!
//! Deliberately absent: listing and deleting in the tables' buckets. S3 Tables lets nobody do that, and
//! removes by itself what no snapshot names.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use percent_encoding::percent_decode_str;
use tributary_model::{Error, ErrorKind, Result, TableName};

use super::catalog::Catalog;
use crate::place::SYSTEM;
use tributary_store::{
    Completion, Entry, Object, Part, Pending, PutOutcome, Started, Store, Upload,
};
use tributary_store::{S3Store, Settings};

/// The lake's bucket together with those of its tables.
pub(crate) struct Managed {
    lake: Arc<dyn Store>,
    catalog: Arc<dyn Catalog>,
    settings: Settings,
    /// The buckets that are known, by the tables' folders.
    places: Mutex<BTreeMap<String, Place>>,
}

/// Where a table's files are.
#[derive(Clone)]
struct Place {
    store: Arc<dyn Store>,
    /// The beginning of its objects' addresses, ending in a slash.
    root: String,
}

impl fmt::Debug for Managed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Managed").field(&self.lake).finish()
    }
}

impl Managed {
    pub(crate) fn new(lake: Arc<dyn Store>, catalog: Arc<dyn Catalog>, settings: Settings) -> Self {
        Self {
            lake,
            catalog,
            settings,
            places: Mutex::default(),
        }
    }

    fn places(&self) -> MutexGuard<'_, BTreeMap<String, Place>> {
        // What is in it is only ever added to.
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, folder: &str) -> Option<Place> {
        self.places().get(folder).cloned()
    }

    /// The place of an object of a table, and its key there; `None` for all others.
    async fn route(&self, key: &str) -> Result<Option<(Place, String)>> {
        let Some((folder, rest)) = split(key) else {
            return Ok(None);
        };
        if let Some(place) = self.known(folder) {
            return Ok(Some((place, rest.to_owned())));
        }
        let table = table_of(folder);
        let loaded = self.catalog.load(&table).await?;
        let loaded = loaded.ok_or_else(|| gone(&table))?;
        self.learn(folder, loaded.metadata.location())?;
        Ok(self.known(folder).map(|place| (place, rest.to_owned())))
    }

    /// Notes where the files of a table lie.
    pub(crate) fn learn(&self, folder: &str, location: &str) -> Result<()> {
        let place = self.place(location)?;
        self.places().insert(folder.to_owned(), place);
        Ok(())
    }

    fn place(&self, location: &str) -> Result<Place> {
        let address = location.trim_end_matches('/');
        let inside = address.strip_prefix("s3://");
        let (bucket, prefix) = inside.map_or(("", ""), |inside| {
            inside.split_once('/').unwrap_or((inside, ""))
        });
        if bucket.is_empty() {
            return Err(Error::new(
                ErrorKind::Incompatible,
                format!("the catalog keeps a table at {location}, which is no bucket"),
            )
            .fix("Give the lake another catalog."));
        }
        let settings = self.settings.of_table(bucket, prefix);
        Ok(Place {
            store: Arc::new(S3Store::new(settings)),
            root: format!("{address}/"),
        })
    }

    /// The place of an upload, and what it is called there.
    async fn inside(&self, upload: &Upload) -> Result<Option<(Place, Upload)>> {
        let route = self.route(&upload.key).await?;
        Ok(route.map(|(place, key)| {
            let id = upload.id.clone();
            (place, Upload { key, id })
        }))
    }
}

/// The folder of the table that a key belongs to, and the rest of the key.
fn split(key: &str) -> Option<(&str, &str)> {
    if key.starts_with(SYSTEM) {
        return None;
    }
    let (schema, rest) = key.split_once('/')?;
    let (table, rest) = rest.split_once('/')?;
    Some((&key[..schema.len() + table.len() + 2], rest))
}

fn table_of(folder: &str) -> TableName {
    let decoded = |level: &str| percent_decode_str(level).decode_utf8_lossy().into_owned();
    let (schema, table) = folder.split_once('/').unwrap_or_default();
    TableName {
        schema: decoded(schema),
        table: decoded(table.trim_end_matches('/')),
    }
}

fn gone(table: &TableName) -> Error {
    Error::new(
        ErrorKind::Incompatible,
        format!("the table {table} is not in S3 Tables any more, and its files are gone with it"),
    )
    .fix("Give the stream another table and run `--full-refresh`.")
}

#[async_trait]
impl Store for Managed {
    fn location(&self) -> String {
        self.lake.location()
    }

    fn address(&self, key: &str) -> String {
        let place = split(key).and_then(|(folder, rest)| Some((self.known(folder)?, rest)));
        match place {
            Some((place, rest)) => format!("{}{rest}", place.root),
            None => self.lake.address(key),
        }
    }

    fn key_of(&self, address: &str) -> Option<String> {
        self.places().iter().find_map(|(folder, place)| {
            let rest = address.strip_prefix(&place.root)?;
            Some(format!("{folder}{rest}"))
        })
    }

    fn part_size(&self) -> usize {
        self.lake.part_size()
    }

    async fn prove(&self) -> Result<()> {
        self.lake.prove().await
    }

    async fn get(&self, key: &str) -> Result<Option<Object>> {
        match self.route(key).await? {
            Some((place, key)) => place.store.get(&key).await,
            None => self.lake.get(key).await,
        }
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        match self.route(key).await? {
            Some((place, key)) => place.store.get_range(&key, range).await,
            None => self.lake.get_range(key, range).await,
        }
    }

    async fn as_file(&self, key: &str, scratch: &Path) -> Result<Option<PathBuf>> {
        match self.route(key).await? {
            Some((place, key)) => place.store.as_file(&key, scratch).await,
            None => self.lake.as_file(key, scratch).await,
        }
    }

    async fn put_if_absent(&self, key: &str, bytes: Bytes) -> Result<PutOutcome> {
        match self.route(key).await? {
            Some((place, key)) => place.store.put_if_absent(&key, bytes).await,
            None => self.lake.put_if_absent(key, bytes).await,
        }
    }

    async fn put(&self, key: &str, bytes: Bytes) -> Result<()> {
        match self.route(key).await? {
            Some((place, key)) => place.store.put(&key, bytes).await,
            None => self.lake.put(key, bytes).await,
        }
    }

    /// Of a table nothing is shown: see the module.
    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Entry>> {
        match split(prefix) {
            Some(_) => Ok(Vec::new()),
            None => self.lake.list(prefix, after, limit).await,
        }
    }

    /// Of a table nothing is removed: see the module.
    async fn delete(&self, key: &str) -> Result<()> {
        match split(key) {
            Some(_) => Ok(()),
            None => self.lake.delete(key).await,
        }
    }

    async fn start_upload(&self, key: &str) -> Result<Upload> {
        match self.route(key).await? {
            Some((place, inside)) => Ok(Upload {
                key: key.to_owned(),
                ..place.store.start_upload(&inside).await?
            }),
            None => self.lake.start_upload(key).await,
        }
    }

    async fn upload_part(
        &self,
        upload: &Upload,
        number: u32,
        offset: u64,
        bytes: Bytes,
    ) -> Result<Part> {
        match self.inside(upload).await? {
            Some((place, inside)) => {
                let store = place.store;
                store.upload_part(&inside, number, offset, bytes).await
            }
            None => self.lake.upload_part(upload, number, offset, bytes).await,
        }
    }

    async fn seal(&self, upload: &Upload, parts: Vec<Part>) -> Result<Pending> {
        match self.inside(upload).await? {
            Some((place, inside)) => Ok(Pending {
                upload: upload.clone(),
                ..place.store.seal(&inside, parts).await?
            }),
            None => self.lake.seal(upload, parts).await,
        }
    }

    async fn complete(&self, pending: &Pending) -> Result<Completion> {
        match self.inside(&pending.upload).await? {
            Some((place, upload)) => {
                let inside = Pending {
                    upload,
                    ..pending.clone()
                };
                place.store.complete(&inside).await
            }
            None => self.lake.complete(pending).await,
        }
    }

    async fn abort(&self, upload: &Upload) -> Result<()> {
        match self.inside(upload).await? {
            Some((place, inside)) => place.store.abort(&inside).await,
            None => self.lake.abort(upload).await,
        }
    }

    async fn uploads(&self, prefix: &str) -> Result<Vec<Started>> {
        self.lake.uploads(prefix).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_table_is_made_of_goes_to_its_bucket() {
        let name = |schema: &str, table: &str| TableName {
            schema: schema.to_owned(),
            table: table.to_owned(),
        };
        let key = "shop/%5Forders/day=1/x.parquet";
        assert_eq!(split(key), Some(("shop/%5Forders/", "day=1/x.parquet")));
        assert_eq!(table_of("shop/%5Forders/"), name("shop", "_orders"));
        assert_eq!(split("shop/orders/"), Some(("shop/orders/", "")));
        for system in [
            "_tributary/log/shop/1.json",
            "_tributary/next/shop/t/x.rows",
            "",
        ] {
            assert_eq!(split(system), None, "{system}");
        }
    }
}
