//! Questions whose answers are a few rows of text.

use std::future::Future;
use std::sync::Arc;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error as ClientError, Row, Value};

/// Something that can be asked: a connection of the library, or one of our own.
pub(crate) trait Ask: Send {
    /// Runs a statement; its rows, as the server writes them.
    fn ask(&mut self, sql: &str) -> impl Future<Output = Result<Vec<TextRow>, ClientError>> + Send;
}

/// A row of texts.
#[derive(Clone, Debug)]
pub(crate) struct TextRow {
    names: Arc<[String]>,
    values: Vec<Option<String>>,
}

impl TextRow {
    pub(crate) fn new(names: Arc<[String]>, values: Vec<Option<String>>) -> Self {
        Self { names, values }
    }

    /// The value of a column; `None` where it is missing or NULL.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let at = self.names.iter().position(|own| own == name)?;
        self.at(at)
    }

    /// The value at a place; `None` where it is missing or NULL.
    pub(crate) fn at(&self, index: usize) -> Option<&str> {
        self.values.get(index)?.as_deref()
    }
}

impl Ask for Conn {
    async fn ask(&mut self, sql: &str) -> Result<Vec<TextRow>, ClientError> {
        let rows: Vec<Row> = self.query(sql).await?;
        let Some(first) = rows.first() else {
            return Ok(Vec::new());
        };
        let columns = first.columns_ref().iter();
        let names: Arc<[String]> = columns.map(|c| c.name_str().into_owned()).collect();
        let values = |row: Row| row.unwrap_raw().into_iter().map(text).collect();
        let rows = rows.into_iter();
        Ok(rows
            .map(|row| TextRow::new(names.clone(), values(row)))
            .collect())
    }
}

fn text(value: Option<Value>) -> Option<String> {
    match value? {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        other => Some(other.as_sql(true)),
    }
}
