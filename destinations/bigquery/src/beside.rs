//! The place that a table which was built beside takes.
//!
//! The rows change places, in the script: the table itself stays, with its grants, views and policies.
//! A table that is to be kept under another name leaves its rows there.

use tributary_model::{Error, ErrorKind, Old, Result, TableName};
use tributary_sql::{Dialect, Found, FoundColumn};

use crate::client::Client;
use crate::dialect::BigQueryDialect;

/// A table whose place is taken.
#[derive(Debug)]
pub(crate) struct Place {
    had: Option<Vec<FoundColumn>>,
    /// Under which name its rows are kept.
    kept: Option<TableName>,
}

impl Place {
    /// Looks what becomes of what is there.
    pub(crate) async fn look(client: &Client, had: Found, old: &Old) -> Result<Self> {
        let kept = match old {
            Old::Kept(name) if had.columns.is_some() => {
                refuse_taken(client, name).await?;
                Some(name.clone())
            }
            Old::Kept(_) | Old::Gone | Old::Continued => None,
        };
        Ok(Self {
            had: had.columns,
            kept,
        })
    }

    /// Whether there was a table before.
    pub(crate) fn is_there(&self) -> bool {
        self.had.is_some()
    }

    /// Makes the table in which rows are kept.
    pub(crate) fn make(&self, dialect: &BigQueryDialect) -> Option<String> {
        let columns = self
            .had
            .iter()
            .flatten()
            .map(|column| format!("{} {}", dialect.quote(&column.name), column.sql_type));
        let table = dialect.table(self.kept.as_ref()?);
        let columns = columns.collect::<Vec<_>>().join(", ");
        Some(format!("CREATE TABLE IF NOT EXISTS {table} ({columns})"))
    }

    /// Takes the rows there.
    pub(crate) fn keep(&self, dialect: &BigQueryDialect, from: &TableName) -> Option<String> {
        let kept = dialect.table(self.kept.as_ref()?);
        let names = self
            .had
            .iter()
            .flatten()
            .map(|column| dialect.quote(&column.name));
        let names = names.collect::<Vec<_>>().join(", ");
        let from = dialect.table(from);
        Some(format!(
            "INSERT INTO {kept} ({names}) SELECT {names} FROM {from}"
        ))
    }
}

/// A table of that name without rows is what a load has left that did not commit.
async fn refuse_taken(client: &Client, name: &TableName) -> Result<()> {
    if client.tables.find(name).await?.columns.is_none() {
        return Ok(());
    }
    let sql = format!("SELECT 1 FROM {} LIMIT 1", client.dialect.table(name));
    let rows = client
        .jobs
        .ask(&sql, "looking whether a name is free")
        .await?;
    if rows.cells.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Incompatible,
        format!("a table is to be kept as {name}, and there is something of that name"),
    )
    .fix("Drop the tables of earlier modes that are not needed any more, or rename them."))
}
