//! A catalog in a file of SQLite: the tables that `pyiceberg`, Java and others know as their SQL
//! catalog, so that they can open it as it is.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use ::iceberg::spec::{FormatVersion, TableMetadata, TableMetadataBuilder};
use ::iceberg::{MetadataLocation, TableCreation, TableRequirement, TableUpdate};
use async_trait::async_trait;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions};
use tokio::sync::OnceCell;
use tributary_model::{Error, ErrorKind, Result, TableName};

use super::{Catalog, Creation, Loaded, Outcome};
use crate::iceberg::error::iceberg;
use crate::iceberg::files::Files;

/// How long a statement waits for other writers of the file.
const PATIENCE: Duration = Duration::from_secs(30);

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

/// A file of SQLite.
#[derive(Debug)]
pub(crate) struct Sqlite {
    files: Files,
    path: PathBuf,
    name: String,
    pool: OnceCell<SqlitePool>,
}

impl Sqlite {
    /// Opens nothing yet.
    pub(crate) fn new(files: Files, path: PathBuf, name: String) -> Self {
        Self {
            files,
            path,
            name,
            pool: OnceCell::new(),
        }
    }

    async fn pool(&self) -> Result<&SqlitePool> {
        self.pool.get_or_try_init(|| self.open()).await
    }

    async fn open(&self) -> Result<SqlitePool> {
        if let Some(folder) = self.path.parent() {
            let made = tokio::fs::create_dir_all(folder).await;
            made.map_err(|cause| crate::error::local(&cause, folder))?;
        }
        let options = SqliteConnectOptions::new()
            .filename(&self.path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .busy_timeout(PATIENCE);
        let pool = SqlitePoolOptions::new().max_connections(2);
        let pool = pool
            .connect_with(options)
            .await
            .map_err(|cause| self.failed(cause))?;
        for table in TABLES {
            sqlx::query(table)
                .execute(&pool)
                .await
                .map_err(|cause| self.failed(cause))?;
        }
        Ok(pool)
    }

    fn failed(&self, cause: sqlx::Error) -> Error {
        let path = self.path.display();
        Error::new(
            ErrorKind::Unavailable,
            format!("the catalog {path} can't be used"),
        )
        .because(cause)
        .fix(format!(
            "See that {path} can be written and is a catalog of Iceberg."
        ))
    }

    async fn location(&self, table: &TableName) -> Result<Option<String>> {
        let found: Option<(String,)> = sqlx::query_as(
            "SELECT metadata_location FROM iceberg_tables
             WHERE catalog_name = ? AND table_namespace = ? AND table_name = ?
             AND metadata_location IS NOT NULL",
        )
        .bind(&self.name)
        .bind(&table.schema)
        .bind(&table.table)
        .fetch_optional(self.pool().await?)
        .await
        .map_err(|cause| self.failed(cause))?;
        Ok(found.map(|(location,)| location))
    }

    async fn write(&self, metadata: &TableMetadata, location: &str) -> Result<()> {
        let bytes = serde_json::to_vec(metadata)
            .map_err(|cause| Error::bug("metadata can't be written as JSON").because(cause))?;
        self.files.write(location, bytes.into()).await
    }

    /// A new row, unless there is one.
    async fn insert(&self, table: &TableName, location: &str) -> Result<()> {
        let pool = self.pool().await?;
        let space = sqlx::query(
            "INSERT OR IGNORE INTO iceberg_namespace_properties VALUES (?, ?, 'exists', 'true')",
        );
        let space = space.bind(&self.name).bind(&table.schema);
        space
            .execute(pool)
            .await
            .map_err(|cause| self.failed(cause))?;
        let row = sqlx::query(
            "INSERT OR IGNORE INTO iceberg_tables
             (catalog_name, table_namespace, table_name, metadata_location, iceberg_type)
             VALUES (?, ?, ?, ?, 'TABLE')",
        );
        let row = row
            .bind(&self.name)
            .bind(&table.schema)
            .bind(&table.table)
            .bind(location);
        row.execute(pool)
            .await
            .map_err(|cause| self.failed(cause))?;
        Ok(())
    }

    /// The compare-and-set: the row moves on from `old` only.
    async fn swap(&self, table: &TableName, old: &str, new: &str) -> Result<bool> {
        let swap = sqlx::query(
            "UPDATE iceberg_tables SET metadata_location = ?, previous_metadata_location = ?
             WHERE catalog_name = ? AND table_namespace = ? AND table_name = ?
             AND metadata_location = ?",
        );
        let swap = swap.bind(new).bind(old);
        let swap = swap
            .bind(&self.name)
            .bind(&table.schema)
            .bind(&table.table)
            .bind(old);
        let done = swap
            .execute(self.pool().await?)
            .await
            .map_err(|cause| self.failed(cause))?;
        Ok(done.rows_affected() == 1)
    }
}

#[async_trait]
impl Catalog for Sqlite {
    fn describe(&self) -> String {
        format!("SQLite, {}, catalog `{}`", self.path.display(), self.name)
    }

    async fn load(&self, table: &TableName) -> Result<Option<Loaded>> {
        let Some(location) = self.location(table).await? else {
            return Ok(None);
        };
        let metadata = Arc::new(self.files.metadata(&location).await?);
        Ok(Some(Loaded { metadata, location }))
    }

    async fn create(&self, table: &TableName, creation: &Creation) -> Result<Loaded> {
        let wanted = TableCreation::builder()
            .name(table.table.clone())
            .location(creation.location.clone())
            .schema(creation.schema.clone())
            .properties(creation.properties.clone())
            .format_version(FormatVersion::V2)
            .build();
        let built =
            TableMetadataBuilder::from_table_creation(wanted).and_then(TableMetadataBuilder::build);
        let metadata = built.map_err(iceberg("describing a new table"))?.metadata;
        let location =
            MetadataLocation::new_with_metadata(&creation.location, &metadata).to_string();
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

impl Sqlite {
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
