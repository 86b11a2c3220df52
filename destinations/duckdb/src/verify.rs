//! The rows of tables as of one moment, for a comparison: one transaction that only reads.
//!
//! DuckDB shows a transaction what had committed when it began, so the state that is read first and
//! rows that are read much later belong together, also beside loads. Rows are fetched as they are
//! taken: the file may be of any size.

use std::sync::{Arc, Mutex};

use arrow_array::RecordBatch;
use async_trait::async_trait;
use duckdb::Connection;
use tokio::sync::mpsc;
use tributary_model::{Batches, ConnectionName, Error, ErrorKind, Result, State, TableScan, View};
use tributary_sql::{Dialect, select_rows};

use crate::describe::{describe, dialect};
use crate::error::Explain;
use crate::file::{Database, lock};
use crate::load::blocking;
use crate::system;

/// Batches that wait for whoever compares.
const WAITING: usize = 4;

/// An open view.
pub(crate) struct DuckView {
    connection: Arc<Mutex<Connection>>,
    state: State,
    /// Keeps the file open.
    _database: Arc<Database>,
}

impl DuckView {
    /// Opens a view; blocks.
    pub(crate) fn open(database: Arc<Database>, of: &ConnectionName) -> Result<Self> {
        let connection = database.connect()?;
        connection
            .execute_batch("BEGIN TRANSACTION READ ONLY")
            .explain("beginning to read")?;
        let state = system::peek(&connection, of)?.ok_or_else(|| never_synced(of))?;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            state,
            _database: database,
        })
    }
}

/// Nothing is there to compare.
pub(crate) fn never_synced(of: &ConnectionName) -> Error {
    Error::new(
        ErrorKind::Incompatible,
        format!("connection {of} has not been synced yet, so there is nothing to compare"),
    )
    .fix("Run `tributary sync` first.")
}

#[async_trait]
impl View for DuckView {
    fn state(&self) -> &State {
        &self.state
    }

    fn counts_equal_rows(&self) -> bool {
        true
    }

    async fn scan(&self, scan: &TableScan) -> Result<Batches> {
        let (sender, batches) = mpsc::channel(WAITING);
        let (connection, scan, rows) = (self.connection.clone(), scan.clone(), sender.clone());
        let reading = blocking(move || read(&lock(&connection), &scan, &rows));
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
    connection: &Connection,
    scan: &TableScan,
    rows: &mpsc::Sender<Result<RecordBatch>>,
) -> Result<()> {
    let doing = format!("reading {} to compare it", scan.plan.table);
    let sql = select(connection, scan)?;
    let mut statement = connection.prepare(&sql).explain(&doing)?;
    for batch in statement.stream_arrow([]).explain(&doing)? {
        if rows.blocking_send(Ok(batch)).is_err() {
            break; // nobody wants more
        }
    }
    Ok(())
}

fn select(connection: &Connection, scan: &TableScan) -> Result<String> {
    let table = &scan.plan.table;
    let existing = describe(connection, std::slice::from_ref(table))?;
    let has = |name: &str| {
        let mut columns = existing.get(table).into_iter().flatten();
        columns.any(|column| column.name == name)
    };
    let dialect = dialect(connection)?;
    let quote = |name: &str| dialect.quote(name);
    Ok(select_rows(scan, &dialect.table(table), has, quote))
}
