//! The rows of tables as of one entry of the log, for a comparison.
//!
//! An entry says the state and the files that belong to it, and files do not change: so the rows are
//! those of one moment, whoever writes meanwhile. A file that a writer has replaced and removed by then
//! is missed, and the comparison begins again with a newer entry.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use async_trait::async_trait;
use tempfile::TempDir;
use tokio::sync::{Mutex, mpsc};
use tributary_model::{
    Batches, ConnectionName, Error, ErrorKind, Result, State, TableName, TableScan, View,
};
use tributary_sql::select_rows;

use crate::destination::Lake;
use crate::error::blocking;
use crate::log::Snapshot;
use crate::query::{brief, connect};
use crate::sql::{self, Paths, quote};
use crate::table::Table;
use tributary_store::Store;

/// Batches that wait for whoever compares.
const WAITING: usize = 4;

/// An open view.
pub(crate) struct LakeView {
    store: Arc<dyn Store>,
    snapshot: Snapshot,
    /// Where files of a bucket are copied to, once each.
    scratch: Arc<TempDir>,
    copied: Mutex<BTreeMap<TableName, Arc<Paths>>>,
}

impl LakeView {
    /// Opens a view of a connection's tables.
    pub(crate) async fn open(lake: &Lake, of: &ConnectionName) -> Result<Self> {
        let snapshot = lake.log(of).read().await?;
        let snapshot = snapshot.ok_or_else(|| {
            Error::new(
                ErrorKind::Incompatible,
                format!("connection {of} has not been synced yet, so there is nothing to compare"),
            )
            .fix("Run `tributary sync` first.")
        })?;
        lake.catch_up(of, &snapshot).await?;
        let scratch = TempDir::new().map_err(|cause| {
            Error::new(
                ErrorKind::Unavailable,
                "no folder for temporary files can be made",
            )
            .because(cause)
        })?;
        Ok(Self {
            store: lake.store.clone(),
            snapshot,
            scratch: Arc::new(scratch),
            copied: Mutex::default(),
        })
    }

    /// Where DuckDB finds the files of a table.
    async fn paths(&self, table: &Table) -> Result<Arc<Paths>> {
        let name = &table.definition.table;
        let mut copied = self.copied.lock().await;
        if let Some(paths) = copied.get(name) {
            return Ok(paths.clone());
        }
        let mut paths = Paths::new();
        for key in table.keys() {
            let path = self.store.as_file(key, self.scratch.path()).await?;
            paths.insert(key.clone(), path.ok_or_else(|| replaced(key))?);
        }
        let paths = Arc::new(paths);
        copied.insert(name.clone(), paths.clone());
        Ok(paths)
    }
}

#[async_trait]
impl View for LakeView {
    fn state(&self) -> &State {
        &self.snapshot.state
    }

    async fn scan(&self, scan: &TableScan) -> Result<Batches> {
        let name = &scan.plan.table;
        let table = self.snapshot.tables.get(name);
        let table = table.ok_or_else(|| Error::bug(format!("{name} is not in this entry")))?;
        let definition = &table.definition;
        let statements = vec![
            sql::schema(&name.schema),
            sql::view(table, &*self.paths(table).await?),
        ];
        let from = format!("{}.{}", quote(&name.schema), quote(&name.table));
        let has = |name: &str| definition.columns().iter().any(|c| c.name == name);
        let select = select_rows(scan, &from, has, quote);
        let (sender, batches) = mpsc::channel(WAITING);
        let (scratch, rows) = (self.scratch.clone(), sender.clone());
        let reading = blocking(move || read(&scratch, &statements, &select, &rows));
        // A reading that ends badly must not look like the end of the rows.
        tokio::spawn(async move {
            if let Err(error) = reading.await {
                let _ = sender.send(Err(error)).await;
            }
        });
        Ok(batches)
    }
}

fn read(
    scratch: &TempDir,
    statements: &[String],
    select: &str,
    rows: &mpsc::Sender<Result<RecordBatch>>,
) -> Result<()> {
    let read = || {
        let connection = connect(scratch)?;
        for statement in statements {
            connection.execute_batch(statement)?;
        }
        let mut statement = connection.prepare(select)?;
        for batch in statement.stream_arrow([])? {
            if rows.blocking_send(Ok(batch)).is_err() {
                break; // nobody wants more
            }
        }
        Ok(())
    };
    read().map_err(|cause: duckdb::Error| {
        Error::new(
            ErrorKind::Unavailable,
            "the lake's files could not be read to compare them",
        )
        .because(brief(&cause.to_string()))
    })
}

fn replaced(key: &str) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        format!("a writer has replaced {key} meanwhile, or somebody removed it"),
    )
}
