//! The rows of tables for a comparison.
//!
//! The state is read first, and once more behind each table: where the connection's number has not moved,
//! no load of it has committed meanwhile, and rows and state belong together. Where it has, the comparison
//! fails and can be made again.

use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray};
use async_trait::async_trait;
use tokio::sync::mpsc;
use tributary_model::{
    Batches, ConnectionName, DataType, Error, ErrorKind, Existing, Mode, Result, State,
    TableColumn, TableScan, View,
};
use tributary_sql::{Dialect, IS_CURRENT, select_rows};

use crate::client::Client;
use crate::dialect::document_text;
use crate::job::Rows;
use crate::system;

/// Batches that wait for whoever compares.
const WAITING: usize = 2;

/// An open view.
pub(crate) struct BigQueryView {
    client: Client,
    of: ConnectionName,
    state: State,
    sequence: u64,
}

impl BigQueryView {
    /// Opens a view.
    pub(crate) async fn open(client: &Client, of: &ConnectionName) -> Result<Self> {
        let never = || {
            Error::new(
                ErrorKind::Incompatible,
                format!("connection {of} has not been synced yet, so there is nothing to compare"),
            )
            .fix("Run `tributary sync` first.")
        };
        let found = client.tables.find(&system::state_table(of)).await?;
        if found.columns.is_none() {
            return Err(never());
        }
        let stored = system::read(client, of).await?.ok_or_else(never)?;
        Ok(Self {
            client: client.clone(),
            of: of.clone(),
            state: stored.state,
            sequence: stored.sequence,
        })
    }
}

#[async_trait]
impl View for BigQueryView {
    fn state(&self) -> &State {
        &self.state
    }

    async fn scan(&self, scan: &TableScan) -> Result<Batches> {
        let (sender, batches) = mpsc::channel(WAITING);
        let reading = Reading {
            client: self.client.clone(),
            of: self.of.clone(),
            sequence: self.sequence,
            scan: scan.clone(),
        };
        tokio::spawn(async move {
            if let Err(error) = reading.run(&sender).await {
                let _ = sender.send(Err(error)).await;
            }
        });
        Ok(batches)
    }
}

struct Reading {
    client: Client,
    of: ConnectionName,
    sequence: u64,
    scan: TableScan,
}

impl Reading {
    async fn run(&self, batches: &mpsc::Sender<Result<RecordBatch>>) -> Result<()> {
        let table = &self.scan.plan.table;
        let doing = format!("reading {table} to compare it");
        let existing = self
            .client
            .tables
            .describe(std::slice::from_ref(table))
            .await?;
        let id = self
            .client
            .jobs
            .run(&self.select(&existing), &doing)
            .await?;
        let stored = system::read(&self.client, &self.of).await?;
        if stored.is_none_or(|stored| stored.sequence != self.sequence) {
            return Err(Error::new(
                ErrorKind::Unavailable,
                format!(
                    "a load of `{}` has committed while {table} was compared",
                    self.of
                ),
            )
            .fix("Compare again, best while no sync of the connection runs."));
        }
        let mut token = None;
        loop {
            let page = self.client.jobs.page(&id, token.as_deref()).await?;
            let mut rows = Rows::default();
            rows.take(&page);
            let batch = batch(&self.scan.columns, &rows)?;
            token = page["pageToken"].as_str().map(str::to_owned);
            let is_over = batches.send(Ok(batch)).await.is_err();
            if token.is_none() || is_over {
                return Ok(());
            }
        }
    }

    /// The rows, with what has more than one text in one of them.
    fn select(&self, existing: &Existing) -> String {
        let table = &self.scan.plan.table;
        let columns = || existing.get(table).into_iter().flatten();
        // Left over from another mode, it says nothing.
        let means = |name: &str| name != IS_CURRENT || self.scan.plan.mode == Mode::History;
        let has = |name: &str| means(name) && columns().any(|column| column.name == name);
        let dialect = &self.client.dialect;
        let quote = |name: &str| dialect.quote(name);
        let rows = select_rows(&self.scan, &dialect.table(table), has, quote);
        let texts = self.scan.columns.iter().map(|column| {
            let name = quote(&column.name);
            let own = columns().find(|own| own.name == column.name);
            match own.map_or(column.data_type, |own| own.data_type) {
                DataType::TimestampTz => format!("CAST(UNIX_MICROS({name}) AS STRING) AS {name}"),
                DataType::Bytes => format!("TO_HEX({name}) AS {name}"),
                DataType::Json => format!("{} AS {name}", document_text(&name)),
                _ => name,
            }
        });
        let texts: Vec<_> = texts.collect();
        format!("SELECT {} FROM ({rows}) AS seen", texts.join(", "))
    }
}

fn batch(columns: &[TableColumn], rows: &Rows) -> Result<RecordBatch> {
    let texts: Vec<Vec<Option<&str>>> = rows.texts().collect();
    let arrays = columns.iter().enumerate().map(|(place, column)| {
        let cells = texts.iter().map(|row| row.get(place).copied().flatten());
        let array: ArrayRef = match column.data_type {
            DataType::TimestampTz => Arc::new(
                cells
                    .map(|cell| cell.and_then(|cell| cell.parse().ok()))
                    .collect::<Int64Array>(),
            ),
            DataType::Bytes => {
                let bytes: Vec<Option<Vec<u8>>> = cells.map(|cell| cell.map(unhex)).collect();
                Arc::new(bytes.iter().map(Option::as_deref).collect::<BinaryArray>())
            }
            _ => Arc::new(cells.collect::<StringArray>()),
        };
        (column.name.as_str(), array, true)
    });
    RecordBatch::try_from_iter_with_nullable(arrays)
        .map_err(|cause| Error::bug("rows of BigQuery do not make a batch").because(cause))
}

fn unhex(digits: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or_default() as u8;
    let pairs = digits.as_bytes().chunks_exact(2);
    pairs
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}
