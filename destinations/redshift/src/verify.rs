//! The rows of tables as of one moment, for a comparison: one transaction that only reads.
//!
//! Every transaction of Redshift's sees what had committed when it first looked, so state and rows
//! belong together, also beside loads. Rows come one by one, as the server's own texts: these are
//! exact, and whoever compares turns them into the columns' types.

use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use async_trait::async_trait;
use futures::StreamExt;
use tokio::sync::{Mutex, mpsc};
use tokio_postgres::{SimpleQueryMessage, SimpleQueryRow};
use tributary_model::{
    Batches, ConnectionName, DataType, Error, ErrorKind, Existing, Result, State, TableColumn,
    TableScan, View,
};
use tributary_sql::{Dialect, select_rows};

use crate::describe::describe;
use crate::dialect::DIALECT;
use crate::error::Explain;
use crate::session::{Session, Sessions};
use crate::state;
use crate::system::Own;

/// Batches that wait for whoever compares, and rows in one.
const WAITING: usize = 2;
const ROWS: usize = 2000;

/// An open view; its session ends with it.
pub(crate) struct RedshiftView {
    session: Arc<Mutex<Session>>,
    state: State,
}

impl RedshiftView {
    /// Opens a view.
    pub(crate) async fn open(sessions: &Sessions, of: &ConnectionName) -> Result<Self> {
        let mut session = sessions.get().await?;
        session.run("BEGIN READ ONLY", "beginning to read").await?;
        let stored = state::peek(&mut session, &Own::new(of)).await?;
        let stored = stored.ok_or_else(|| {
            Error::new(
                ErrorKind::Incompatible,
                format!("connection {of} has not been synced yet, so there is nothing to compare"),
            )
            .fix("Run `tributary sync` first.")
        })?;
        Ok(Self {
            session: Arc::new(Mutex::new(session)),
            state: stored.state,
        })
    }
}

#[async_trait]
impl View for RedshiftView {
    fn state(&self) -> &State {
        &self.state
    }

    fn counts_equal_rows(&self) -> bool {
        true
    }

    async fn scan(&self, scan: &TableScan) -> Result<Batches> {
        let (sender, batches) = mpsc::channel(WAITING);
        let (session, scan) = (self.session.clone(), scan.clone());
        tokio::spawn(async move {
            let mut session = session.lock().await;
            if let Err(error) = read(&mut session, &scan, &sender).await {
                let _ = sender.send(Err(error)).await;
            }
        });
        Ok(batches)
    }
}

async fn read(
    session: &mut Session,
    scan: &TableScan,
    batches: &mpsc::Sender<Result<RecordBatch>>,
) -> Result<()> {
    let doing = format!("reading {} to compare it", scan.plan.table);
    let existing = describe(session, std::slice::from_ref(&scan.plan.table)).await?;
    let rows = session.stream(&select(scan, &existing)).await;
    let mut stream = std::pin::pin!(rows.explain(&doing)?);
    let mut rows = Vec::with_capacity(ROWS);
    while let Some(message) = stream.next().await {
        if let SimpleQueryMessage::Row(row) = message.explain(&doing)? {
            rows.push(row);
        }
        if rows.len() == ROWS {
            let batch = batch(&scan.columns, &rows)?;
            rows.clear();
            if batches.send(Ok(batch)).await.is_err() {
                return Ok(()); // nobody wants more
            }
        }
    }
    if !rows.is_empty() {
        let _ = batches.send(batch(&scan.columns, &rows)).await;
    }
    Ok(())
}

/// The rows, with what has more than one text in one of them.
fn select(scan: &TableScan, existing: &Existing) -> String {
    let table = &scan.plan.table;
    let columns = || existing.get(table).into_iter().flatten();
    let is = |one: &str, other: &str| DIALECT.same_name(one, other);
    let has = |name: &str| columns().any(|column| is(&column.name, name));
    let quote = |name: &str| DIALECT.quote(name);
    let rows = select_rows(scan, &DIALECT.table(table), has, quote);
    let texts = scan.columns.iter().map(|column| {
        let name = quote(&column.name);
        let own = columns().find(|own| is(&own.name, &column.name));
        match own.map_or(column.data_type, |own| own.data_type) {
            DataType::TimestampTz => format!("{name} AT TIME ZONE 'UTC'"),
            DataType::Bytes => format!("TO_HEX({name})"),
            DataType::Json => format!("JSON_SERIALIZE({name})"),
            // The text of a REAL has too few digits to tell one from its neighbour.
            DataType::Float32 => format!("CAST({name} AS DOUBLE PRECISION)"),
            _ => name,
        }
    });
    let texts: Vec<_> = texts.collect();
    format!("SELECT {} FROM ({rows}) AS compared", texts.join(", "))
}

fn batch(columns: &[TableColumn], rows: &[SimpleQueryRow]) -> Result<RecordBatch> {
    let arrays = columns.iter().enumerate().map(|(place, column)| {
        let array = match column.data_type {
            DataType::Bytes => bytes(rows, place),
            _ => texts(rows, place),
        };
        Ok((column.name.as_str(), array?, true))
    });
    let arrays: Vec<(&str, ArrayRef, bool)> = arrays.collect::<Result<_>>()?;
    RecordBatch::try_from_iter_with_nullable(arrays)
        .map_err(|cause| Error::bug("rows of Redshift do not make a batch").because(cause))
}

fn texts(rows: &[SimpleQueryRow], place: usize) -> Result<ArrayRef> {
    let mut texts = StringBuilder::new();
    for row in rows {
        texts.append_option(row.try_get(place).explain("reading a row")?);
    }
    Ok(Arc::new(texts.finish()))
}

fn bytes(rows: &[SimpleQueryRow], place: usize) -> Result<ArrayRef> {
    let mut bytes = BinaryBuilder::new();
    for row in rows {
        let digits = row.try_get(place).explain("reading a row")?;
        bytes.append_option(digits.map(unhex));
    }
    Ok(Arc::new(bytes.finish()))
}

/// Digits as `TO_HEX` writes them.
fn unhex(digits: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or_default() as u8;
    let pairs = digits.as_bytes().chunks_exact(2);
    pairs
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}

#[cfg(test)]
mod tests {
    use tributary_model::{Deletes, KeyRange, Mode, StreamName, TableName, TablePlan};

    use super::*;

    #[test]
    fn values_are_asked_for_as_texts_that_lose_nothing() {
        let column = |name: &str, data_type| TableColumn {
            name: name.to_owned(),
            data_type,
            default: None,
        };
        let columns = vec![
            column("id", DataType::Int64),
            column("ratio", DataType::Float32),
            column("raw", DataType::Bytes),
        ];
        let table = TableName {
            schema: "s".to_owned(),
            table: "t".to_owned(),
        };
        let scan = TableScan {
            plan: Arc::new(TablePlan {
                stream: StreamName::within("s", "t"),
                table: table.clone(),
                mode: Mode::Merge,
                deletes: Deletes::Hard,
                columns: columns.clone(),
                key: vec!["id".to_owned()],
            }),
            columns: columns.clone(),
            range: KeyRange::default(),
        };
        let select = select(&scan, &Existing::from([(table, columns)]));
        let begin = "SELECT \"id\", CAST(\"ratio\" AS DOUBLE PRECISION), TO_HEX(\"raw\") FROM (";
        assert!(select.starts_with(begin), "{select}");
    }
}
