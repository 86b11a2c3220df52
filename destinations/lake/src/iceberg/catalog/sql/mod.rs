//! A catalog in a database: the tables that `pyiceberg`, Java and others know as their SQL catalog, so
//! that they can open it as it is. In a file of SQLite, or in PostgreSQL where several machines share
//! it.

mod base;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use ::iceberg::spec::{FormatVersion, TableMetadata, TableMetadataBuilder};
use ::iceberg::{MetadataLocation, TableCreation, TableRequirement, TableUpdate};
use async_trait::async_trait;
use tokio::sync::OnceCell;
use tributary_model::{Error, Result, TableName};

use super::{Catalog, Creation, Loaded, Outcome};
use crate::iceberg::error::iceberg;
use crate::iceberg::files::Files;
pub(crate) use base::Base;
use base::Pool;

const TABLES: [&str; 2] = [
    "CREATE TABLE IF NOT EXISTS iceberg_tables (
        catalog_name VARCHAR(255) NOT NULL,
        table_namespace VARCHAR(255) NOT NULL,
        table_name VARCHAR(255) NOT NULL,
        metadata_location VARCHAR(1000),
        previous_metadata_location VARCHAR(1000),
        iceberg_type VARCHAR(5),
        PRIMARY KEY (catalog_name, table_namespace, table_name))",
    "CREATE TABLE IF NOT EXISTS iceberg_namespace_properties (
        catalog_name VARCHAR(255) NOT NULL,
        namespace VARCHAR(255) NOT NULL,
        property_key VARCHAR(255),
        property_value VARCHAR(1000),
        PRIMARY KEY (catalog_name, namespace, property_key))",
];
const FIND: &str = "SELECT metadata_location FROM iceberg_tables
    WHERE catalog_name = $1 AND table_namespace = $2 AND table_name = $3
    AND metadata_location IS NOT NULL";
const INSERT_NAMESPACE: &str = "INSERT INTO iceberg_namespace_properties
    (catalog_name, namespace, property_key, property_value)
    VALUES ($1, $2, 'exists', 'true') ON CONFLICT DO NOTHING";
const INSERT_TABLE: &str = "INSERT INTO iceberg_tables
    (catalog_name, table_namespace, table_name, metadata_location, iceberg_type)
    VALUES ($1, $2, $3, $4, 'TABLE') ON CONFLICT DO NOTHING";
/// The compare-and-set: the row moves on from one location only.
const SWAP: &str = "UPDATE iceberg_tables
    SET metadata_location = $5, previous_metadata_location = $4
    WHERE catalog_name = $1 AND table_namespace = $2 AND table_name = $3
    AND metadata_location = $4";

/// A database with the catalog's two tables.
#[derive(Debug)]
pub(crate) struct Sql {
    files: Files,
    base: Base,
    name: String,
    pool: OnceCell<Pool>,
}

impl Sql {
    /// Opens nothing yet.
    pub(crate) fn new(files: Files, base: Base, name: String) -> Self {
        Self {
            files,
            base,
            name,
            pool: OnceCell::new(),
        }
    }

    async fn pool(&self) -> Result<&Pool> {
        self.pool.get_or_try_init(|| self.open()).await
    }

    async fn open(&self) -> Result<Pool> {
        let pool = self.base.connect().await?;
        for table in TABLES {
            // Two that make the same table at the same moment may be in each other's way once.
            if pool.execute(table, &[]).await.is_err() {
                self.told(pool.execute(table, &[]).await)?;
            }
        }
        Ok(pool)
    }

    fn told<T>(&self, outcome: Result<T, sqlx::Error>) -> Result<T> {
        outcome.map_err(|cause| self.base.failed(cause))
    }

    async fn location(&self, table: &TableName) -> Result<Option<String>> {
        let values = [self.name.as_str(), &table.schema, &table.table];
        self.told(self.pool().await?.text(FIND, &values).await)
    }

    async fn write(&self, metadata: &TableMetadata, location: &str) -> Result<()> {
        let bytes = serde_json::to_vec(metadata)
            .map_err(|cause| Error::bug("metadata can't be written as JSON").because(cause))?;
        self.files.write(location, bytes.into()).await
    }

    /// A new row, unless there is one.
    async fn insert(&self, table: &TableName, location: &str) -> Result<()> {
        let pool = self.pool().await?;
        let (name, schema) = (self.name.as_str(), table.schema.as_str());
        self.told(pool.execute(INSERT_NAMESPACE, &[name, schema]).await)?;
        let row = [name, schema, &table.table, location];
        self.told(pool.execute(INSERT_TABLE, &row).await).map(drop)
    }

    async fn swap(&self, table: &TableName, old: &str, new: &str) -> Result<bool> {
        let values = [self.name.as_str(), &table.schema, &table.table, old, new];
        let done = self.pool().await?.execute(SWAP, &values).await;
        Ok(self.told(done)? == 1)
    }
}

#[async_trait]
impl Catalog for Sql {
    fn describe(&self) -> String {
        format!("{}, catalog `{}`", self.base, self.name)
    }

    async fn load(&self, table: &TableName) -> Result<Option<Loaded>> {
        let Some(location) = self.location(table).await? else {
            return Ok(None);
        };
        let metadata = Arc::new(self.files.metadata(&location).await?);
        Ok(Some(Loaded { metadata, location }))
    }

    async fn create(&self, table: &TableName, creation: &Creation) -> Result<Loaded> {
        let folder = creation.location.clone();
        let folder = folder.ok_or_else(|| Error::bug(format!("{table} was given no folder")))?;
        let wanted = TableCreation::builder()
            .name(table.table.clone())
            .location(folder.clone())
            .schema(creation.schema.clone())
            .properties(creation.properties.clone())
            .format_version(FormatVersion::V2)
            .build();
        let built =
            TableMetadataBuilder::from_table_creation(wanted).and_then(TableMetadataBuilder::build);
        let metadata = built.map_err(iceberg("describing a new table"))?.metadata;
        let location = MetadataLocation::new_with_metadata(&folder, &metadata).to_string();
        self.write(&metadata, &location).await?;
        self.insert(table, &location).await?;
        let loaded = self.load(table).await?;
        loaded.ok_or_else(|| Error::bug("a table that was just made is not there"))
    }

    async fn commit(
        &self,
        table: &TableName,
        base: &Loaded,
        requirements: Vec<TableRequirement>,
        updates: Vec<TableUpdate>,
    ) -> Result<Outcome> {
        for requirement in requirements {
            if requirement.check(Some(&base.metadata)).is_err() {
                return Ok(Outcome::Conflict);
            }
        }
        let builder =
            TableMetadata::clone(&base.metadata).into_builder(Some(base.location.clone()));
        let built = updates
            .into_iter()
            .try_fold(builder, |builder, update| update.apply(builder))
            .and_then(TableMetadataBuilder::build);
        let metadata = built.map_err(iceberg("changing a table"))?.metadata;
        let location = MetadataLocation::from_str(&base.location)
            .map_err(iceberg("naming a metadata file"))?
            .with_next_version()
            .with_new_metadata(&metadata)
            .to_string();
        self.write(&metadata, &location).await?;
        match self.swap(table, &base.location, &location).await {
            Ok(true) => {
                self.forget(&base.metadata, &metadata).await;
                Ok(Outcome::Done)
            }
            Ok(false) => {
                // Nobody knows of it.
                let _ = self.files.delete(&location).await;
                Ok(Outcome::Conflict)
            }
            Err(error) => Ok(Outcome::Unknown(error)),
        }
    }
}

impl Sql {
    /// Removes metadata files that the newest one does not remember any more. // G6
    async fn forget(&self, before: &TableMetadata, after: &TableMetadata) {
        let kept: HashMap<&str, ()> = after
            .metadata_log()
            .iter()
            .map(|entry| (entry.metadata_file.as_str(), ()))
            .collect();
        for entry in before.metadata_log() {
            if !kept.contains_key(entry.metadata_file.as_str())
                && let Err(error) = self.files.delete(&entry.metadata_file).await
            {
                tracing::debug!(%error, "an old metadata file stays");
            }
        }
    }
}

/// Where the catalog of a lake in a folder is by default.
pub(crate) fn in_folder(root: &Path) -> PathBuf {
    root.join("_tributary").join("iceberg.db")
}
