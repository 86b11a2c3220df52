//! A lake as tables of Iceberg (version 2).
//!
//! The connection's log stays the truth: its entry is the commit, with state and files. A table in
//! the catalog follows from the log, one snapshot for each entry that changes it ([`commit`]). Data
//! files are the same Parquet files, with field ids and types that Iceberg has ([`schema`]).
//!
//! Files that an entry takes out of a table are not deleted: older snapshots name them. They go
//! when `maintain` has expired these.
//!
//! Deliberately absent: the library's transactions, writers and catalogs. They apply themselves
//! to whatever they find after a conflict; what they write is small enough to be written here.

mod catalog;
mod commit;
mod division;
mod error;
mod files;
mod managed;
mod metrics;
mod schema;
mod settings;
mod upkeep;

use std::collections::HashMap;
use std::sync::Arc;

use tributary_model::{ConnectionName, Error, Result, TableName};

use crate::place;
use crate::table::Definition;
use catalog::{Catalog, Creation, Loaded};
use commit::Mark;
use files::Files;
use managed::Managed;
use tributary_store::Store;

pub(crate) use division::{Division, Part};
pub(crate) use schema::{of_files, stay_readable, stored};
pub(crate) use settings::{CatalogSettings, connect, fault};

/// The tables of a lake in their catalog.
#[derive(Debug)]
pub(crate) struct Iceberg {
    files: Files,
    catalog: Arc<dyn Catalog>,
    /// Where it is the catalog that says where tables lie.
    managed: Option<Arc<Managed>>,
}

impl Iceberg {
    fn new(files: Files, catalog: Arc<dyn Catalog>) -> Self {
        Self {
            files,
            catalog,
            managed: None,
        }
    }

    fn managed(managed: Arc<Managed>, catalog: Arc<dyn Catalog>) -> Self {
        Self {
            managed: Some(managed.clone()),
            ..Self::new(Files::new(managed), catalog)
        }
    }

    fn files(&self) -> &Files {
        &self.files
    }

    fn catalog(&self) -> &dyn Catalog {
        self.catalog.as_ref()
    }

    /// What the catalog is, for people.
    pub(crate) fn describe(&self) -> String {
        self.catalog.describe()
    }

    /// The address under which Iceberg's files speak of an object.
    pub(crate) fn address(&self, key: &str) -> String {
        self.files.address(key)
    }

    /// Sees that the catalog answers.
    pub(crate) async fn check(&self) -> Result<()> {
        let nobody = TableName {
            // Names that every catalog could have.
            schema: "tributary_check".to_owned(),
            table: "nothing".to_owned(),
        };
        self.catalog.load(&nobody).await.map(drop)
    }

    /// Sees that a table which the log does not know is not in the catalog either.
    pub(crate) async fn admit(&self, of: &ConnectionName, table: &TableName) -> Result<()> {
        let Some(loaded) = self.catalog.load(table).await? else {
            return Ok(());
        };
        let mark = Mark::of(&loaded.metadata)?;
        let is_ours = mark.is_some_and(|mark| mark.connection == of.as_str() && mark.entry == 0);
        if self.managed.is_none() || !is_ours {
            return Err(foreign(table));
        }
        // A load made it that did not commit.
        self.catalog.discard(table).await
    }

    /// Finds out where the files of a table lie, where that is for the catalog to say. Such a table
    /// is there before the load that fills it has committed.
    pub(crate) async fn place(&self, of: &ConnectionName, definition: &Definition) -> Result<()> {
        let Some(managed) = self.managed.as_ref().filter(|_| !definition.is_beside()) else {
            return Ok(());
        };
        let loaded = self.ensure(of, definition).await?;
        managed.learn(&definition.folder(), loaded.metadata.location())
    }

    /// The lake's store, as its tables are placed.
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        self.files.store().clone()
    }

    /// The table, made where there is none.
    ///
    /// # Errors
    /// Fails where it is somebody else's.
    pub(crate) async fn ensure(
        &self,
        of: &ConnectionName,
        definition: &Definition,
    ) -> Result<Loaded> {
        let table = &definition.table;
        let loaded = match self.catalog.load(table).await? {
            Some(loaded) => loaded,
            None => {
                self.catalog
                    .create(table, &self.creation(of, definition)?)
                    .await?
            }
        };
        match Mark::of(&loaded.metadata)? {
            Some(mark) if mark.connection == of.as_str() => Ok(loaded),
            Some(mark) => Err(commit::not_ours(&mark.connection)),
            None => Err(foreign(table)),
        }
    }

    fn creation(&self, of: &ConnectionName, definition: &Definition) -> Result<Creation> {
        // Catalogs number the fields of a new table from 1 on, as the first layout's are.
        let schema = schema::schema(&definition.layouts[..1.min(definition.layouts.len())])?;
        let folder = place::folder(&definition.table);
        let mut properties = Mark::none(of).properties();
        properties.extend(settled());
        Ok(Creation {
            schema,
            location: self
                .managed
                .is_none()
                .then(|| self.files.address(folder.trim_end_matches('/'))),
            properties,
        })
    }
}

/// What other programs should know of our tables.
fn settled() -> HashMap<String, String> {
    let pairs = [
        ("write.format.default", "parquet"),
        ("write.parquet.compression-codec", "zstd"),
        ("write.delete.mode", "copy-on-write"),
        ("write.metadata.delete-after-commit.enabled", "true"),
        ("write.metadata.previous-versions-max", "100"),
    ];
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

fn foreign(table: &TableName) -> Error {
    Error::new(
        tributary_model::ErrorKind::Incompatible,
        format!("the catalog has a table {table} that Tributary did not make"),
    )
    .fix("Give the stream another table, drop that table, or give the lake another catalog.")
}
