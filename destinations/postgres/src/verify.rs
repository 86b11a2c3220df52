//! The rows of tables as of one moment, for a comparison: one transaction that only reads.
//!
//! A `REPEATABLE READ` transaction sees what had committed when it first looked, so state and rows
//! belong together, also beside loads. Rows are fetched from a cursor, as the server's own texts: these
//! are exact, and whoever compares turns them into the columns' types.
//!
//! # Why no table looks empty that is not
//!
//! The server finds a table by its name as of *now*, and its rows as of the transaction's view. A table
//! that took this one's place since then, or was written anew by an `ALTER` or a `TRUNCATE`, has only rows
//! that are younger than the view: it would look empty. Declaring the cursor locks the table against all
//! of that; afterwards its identity and its file must be those that the view shows of its name. Where they
//! are not, the comparison begins again with a new view.

use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use async_trait::async_trait;
use sqlx::postgres::PgRow;
use sqlx::{Executor, Row, ValueRef};
use tokio::sync::{Mutex, mpsc};
use tributary_model::{
    Batches, ConnectionName, DataType, Error, ErrorKind, Existing, Result, State, TableColumn,
    TableName, TableScan, View,
};
use tributary_sql::{Dialect, select_rows};

use crate::describe::describe;
use crate::dialect::DIALECT;
use crate::error::Explain;
use crate::session::{For, Session, Sessions};
use crate::system;

/// Batches that wait for whoever compares, and rows in one.
const WAITING: usize = 2;
const FETCH: &str = "FETCH FORWARD 2000 FROM compared";

/// An open view; its session ends with it.
pub(crate) struct PgView {
    session: Arc<Mutex<Session>>,
    state: State,
}

impl PgView {
    /// Opens a view.
    pub(crate) async fn open(sessions: &Sessions, of: &ConnectionName) -> Result<Self> {
        let mut session = sessions.get().await?;
        session.begin(For::OneMoment).await?;
        let state = system::peek(&mut session, of).await?.ok_or_else(|| {
            Error::new(
                ErrorKind::Incompatible,
                format!("connection {of} has not been synced yet, so there is nothing to compare"),
            )
            .fix("Run `tributary sync` first.")
        })?;
        Ok(Self {
            session: Arc::new(Mutex::new(session)),
            state,
        })
    }
}

#[async_trait]
impl View for PgView {
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
    let select = select(scan, &existing);
    let declare = format!("DECLARE compared NO SCROLL CURSOR FOR {select}");
    session.run(&declare, &doing).await?;
    refuse_another(session, &scan.plan.table, &doing).await?;
    loop {
        let fetch = session.connection().fetch_all(sqlx::raw_sql(FETCH));
        let rows = fetch.await.explain(&doing)?;
        if rows.is_empty() {
            break;
        }
        let batch = batch(&scan.columns, &rows, &doing)?;
        if batches.send(Ok(batch)).await.is_err() {
            break; // nobody wants more
        }
    }
    session.run("CLOSE compared", &doing).await.map(drop)
}

/// Fails where the table, which is locked by now, is not the one of the transaction's view.
async fn refuse_another(session: &mut Session, table: &TableName, doing: &str) -> Result<()> {
    // Tables of the catalog are read as of the view, functions look things up as of now.
    let sql = "SELECT c.oid = to_regclass($3)::oid \
         AND nullif(c.relfilenode, 0) IS NOT DISTINCT FROM nullif(pg_relation_filenode(c.oid), 0) \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname::text = $1 AND c.relname::text = $2";
    let query = sqlx::query(sql)
        .bind(&table.schema)
        .bind(&table.table)
        .bind(DIALECT.table(table));
    let rows = session.ask(query, doing).await?;
    let same = rows.first().map(|row| row.try_get::<Option<bool>, _>(0));
    match same.transpose().explain(doing)?.flatten() {
        Some(true) => Ok(()),
        Some(false) | None => Err(Error::new(
            ErrorKind::Unavailable,
            format!("the table {table} was replaced or written anew while it was compared"),
        )
        .fix("Nothing needs to be done: the comparison begins again.")),
    }
}

/// The rows, with what has more than one text in one of them.
fn select(scan: &TableScan, existing: &Existing) -> String {
    let table = &scan.plan.table;
    let columns = || existing.get(table).into_iter().flatten();
    let has = |name: &str| columns().any(|column| column.name == name);
    let quote = |name: &str| DIALECT.quote(name);
    let rows = select_rows(scan, &DIALECT.table(table), has, quote);
    let texts = scan.columns.iter().map(|column| {
        let name = quote(&column.name);
        let own = columns().find(|own| own.name == column.name);
        match own.map_or(column.data_type, |own| own.data_type) {
            DataType::TimestampTz => format!("{name} AT TIME ZONE 'UTC'"),
            DataType::Bytes => format!("encode({name}, 'hex')"),
            _ => name,
        }
    });
    let texts: Vec<_> = texts.collect();
    format!("SELECT {} FROM ({rows}) AS rows", texts.join(", "))
}

fn batch(columns: &[TableColumn], rows: &[PgRow], doing: &str) -> Result<RecordBatch> {
    let arrays = columns.iter().enumerate().map(|(place, column)| {
        let array = match column.data_type {
            DataType::Bytes => bytes(rows, place),
            _ => texts(rows, place),
        };
        Ok((column.name.as_str(), array.explain(doing)?))
    });
    let arrays: Vec<(&str, ArrayRef)> = arrays.collect::<Result<_>>()?;
    RecordBatch::try_from_iter_with_nullable(
        arrays.into_iter().map(|(name, array)| (name, array, true)),
    )
    .map_err(|cause| Error::bug("rows of PostgreSQL do not make a batch").because(cause))
}

fn texts(rows: &[PgRow], place: usize) -> sqlx::Result<ArrayRef> {
    let mut texts = StringBuilder::new();
    for row in rows {
        let value = row.try_get_raw(place)?;
        match value.is_null() {
            true => texts.append_null(),
            false => texts.append_value(value.as_str().map_err(sqlx::Error::Decode)?),
        }
    }
    Ok(Arc::new(texts.finish()))
}

fn bytes(rows: &[PgRow], place: usize) -> sqlx::Result<ArrayRef> {
    let mut bytes = BinaryBuilder::new();
    for row in rows {
        let value = row.try_get_raw(place)?;
        match value.is_null() {
            true => bytes.append_null(),
            false => bytes.append_value(unhex(value.as_str().map_err(sqlx::Error::Decode)?)),
        }
    }
    Ok(Arc::new(bytes.finish()))
}

/// Digits as the server's `encode` writes them.
fn unhex(digits: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or_default() as u8;
    let pairs = digits.as_bytes().chunks_exact(2);
    pairs
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}
