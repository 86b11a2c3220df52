//! Catalogs: who knows which metadata file a table is at now, and moves it on for one writer only.

mod rest;
mod sql;

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;

use ::iceberg::spec::{Schema, TableMetadata};
use ::iceberg::{TableRequirement, TableUpdate};
use async_trait::async_trait;
use tributary_model::{Error, Result, TableName};

pub(crate) use rest::{Auth, Aws, OAuth, Rest};
pub(crate) use sql::{Base, Sql, in_folder};

/// A table as its catalog knows it.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    /// What it is.
    pub(crate) metadata: Arc<TableMetadata>,
    /// The address of the file that says so.
    pub(crate) location: String,
}

/// A table to be made.
#[derive(Clone, Debug)]
pub(crate) struct Creation {
    pub(crate) schema: Schema,
    /// The address of its folder; `None` where the catalog says where it is.
    pub(crate) location: Option<String>,
    pub(crate) properties: HashMap<String, String>,
}

/// How a commit ended. What certainly changed nothing and never will is an `Err`.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It is so now.
    Done,
    /// A requirement does not hold (any more).
    Conflict,
    /// Nobody knows: load the table and look.
    Unknown(Error),
}

/// A catalog.
#[async_trait]
pub(crate) trait Catalog: Send + Sync + Debug + 'static {
    /// What it is and where, for people.
    fn describe(&self) -> String;

    /// Removes a table that holds nothing.
    async fn discard(&self, table: &TableName) -> Result<()> {
        Err(Error::bug(format!(
            "nobody asked for {table} to be dropped"
        )))
    }

    /// The table, where there is one.
    async fn load(&self, table: &TableName) -> Result<Option<Loaded>>;

    /// Makes a table; one that somebody else makes meanwhile is it, too.
    async fn create(&self, table: &TableName, creation: &Creation) -> Result<Loaded>;

    /// Moves a table on, if everything that is required holds at that moment.
    async fn commit(
        &self,
        table: &TableName,
        base: &Loaded,
        requirements: Vec<TableRequirement>,
        updates: Vec<TableUpdate>,
    ) -> Result<Outcome>;
}
