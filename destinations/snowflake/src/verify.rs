//! The rows of tables as of one moment, for a comparison.
//!
//! State and rows are read as of the same instant by Time Travel, so they belong together, also beside
//! loads: what commits later is not seen by either. Values come as the API's texts, which are exact.

use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use async_trait::async_trait;
use tokio::sync::mpsc;
use tributary_model::{
    Batches, ConnectionName, DataType, Error, ErrorKind, Mode, Result, State, TableColumn,
    TableScan, View,
};
use tributary_sql::{Dialect, IS_CURRENT, select_rows};

use crate::answer::{Column, Rows, plain};
use crate::client::{Client, Scope};
use crate::describe::Inventory;
use crate::dialect::Snow;
use crate::system;

/// How an instant is told, whatever the formats of the account are.
const FORMAT: &str = "YYYY-MM-DD HH24:MI:SS.FF9 TZH:TZM";
/// Batches that wait for whoever compares.
const WAITING: usize = 2;

/// An open view.
pub(crate) struct SnowView {
    client: Client,
    dialect: Snow,
    /// `AT (...)`, as it stands behind the name of a table.
    at: String,
    state: State,
}

impl SnowView {
    /// Opens a view.
    pub(crate) async fn open(client: &Client, dialect: Snow, of: &ConnectionName) -> Result<Self> {
        let now = format!("SELECT TO_VARCHAR(CURRENT_TIMESTAMP(), '{FORMAT}')");
        let rows = client
            .ask(Scope::Database, &now, "asking for the time")
            .await?;
        let row = rows
            .rows
            .first()
            .ok_or_else(|| Error::bug("the time is not known"))?;
        let now = dialect.literal(Rows::text(row, 0)?);
        let at = format!("AT (TIMESTAMP => TO_TIMESTAMP_TZ({now}, '{FORMAT}'))");
        let state =
            system::peek(client, dialect, of, Some(&at))
                .await?
                .ok_or_else(|| {
                    Error::new(
                ErrorKind::Incompatible,
                format!("connection {of} has not been synced yet, so there is nothing to compare"),
            )
            .fix("Run `tributary sync` first.")
                })?;
        Ok(Self {
            client: client.clone(),
            dialect,
            at,
            state,
        })
    }
}

#[async_trait]
impl View for SnowView {
    fn state(&self) -> &State {
        &self.state
    }

    fn counts_equal_rows(&self) -> bool {
        true
    }

    async fn scan(&self, scan: &TableScan) -> Result<Batches> {
        let table = &scan.plan.table;
        let inventory = Inventory::of(&self.client, self.dialect, &[table]).await?;
        let columns = inventory.found(table)?.columns.unwrap_or_default();
        let dialect = self.dialect;
        let has = |name: &str| {
            // A column of a history that was kept otherwise since means nothing any more.
            let counts = name != IS_CURRENT || scan.plan.mode == Mode::History;
            counts
                && columns
                    .iter()
                    .any(|column| column.name == dialect.fold(name))
        };
        let from = format!("{} {}", dialect.table(table), self.at);
        let sql = select_rows(scan, &from, has, |name| dialect.quote(name));
        let doing = format!("reading {table} to compare it");
        let (rows, handle, pieces) = self.client.ask_for_pieces(&sql, &doing).await?;
        let (sender, batches) = mpsc::channel(WAITING);
        let (client, wanted) = (self.client.clone(), scan.columns.clone());
        tokio::spawn(async move {
            let Rows { columns, rows } = rows;
            let mut piece = Ok(rows);
            for number in 1..=pieces {
                let batch = piece.and_then(|rows| batch(&wanted, &columns, &rows));
                let failed = batch.is_err();
                if sender.send(batch).await.is_err() || failed || number == pieces {
                    return;
                }
                piece = client.partition(&handle, number).await;
            }
        });
        Ok(batches)
    }
}

fn batch(
    wanted: &[TableColumn],
    columns: &[Column],
    rows: &[Vec<Option<String>>],
) -> Result<RecordBatch> {
    let arrays = wanted.iter().zip(columns).enumerate();
    let arrays = arrays.map(|(place, (wanted, column))| {
        let texts = rows
            .iter()
            .map(|row| row.get(place).and_then(Option::as_deref));
        let array = match wanted.data_type {
            DataType::Bytes => bytes(texts),
            _ => values(texts, &column.kind),
        };
        (wanted.name.as_str(), array, true)
    });
    RecordBatch::try_from_iter_with_nullable(arrays)
        .map_err(|cause| Error::bug("rows of Snowflake do not make a batch").because(cause))
}

fn values<'t>(texts: impl Iterator<Item = Option<&'t str>>, kind: &str) -> ArrayRef {
    let mut values = StringBuilder::new();
    texts.for_each(|text| values.append_option(text.map(|text| plain(kind, text))));
    Arc::new(values.finish())
}

fn bytes<'t>(texts: impl Iterator<Item = Option<&'t str>>) -> ArrayRef {
    let mut values = BinaryBuilder::new();
    texts.for_each(|text| values.append_option(text.map(unhex)));
    Arc::new(values.finish())
}

fn unhex(digits: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or_default() as u8;
    let pairs = digits.as_bytes().chunks_exact(2);
    pairs
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}
