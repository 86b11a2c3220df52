//! `_tributary.rejected`: rows that could not be loaded. They are staged like any rows.

use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray};
use serde_json::json;
use tributary_model::{DataType, LoadPlan, Rejection, Result, TableColumn, TableName};
use tributary_sql::Dialect;

use crate::client::Client;
use crate::dialect::literal;
use crate::stage::{Sender, Stage};
use crate::system::{instant, own};

const COLUMNS: [&str; 7] = [
    "stream", "table", "column", "value", "reason", "row", "hidden",
];

/// The most bytes of a value and of a row here: both fit into one request, whatever was rejected.
const MOST: usize = 1 << 20;

/// The beginning of what is too long.
fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(MOST)].to_owned()
}

/// Rejected rows of a load.
#[derive(Debug)]
pub(crate) struct Rejects {
    stage: Stage,
}

impl Rejects {
    pub(crate) fn new(table: TableName) -> Self {
        let column = |name: &str| TableColumn {
            name: name.to_owned(),
            data_type: DataType::Text,
            default: None,
        };
        Self {
            stage: Stage::new(table, COLUMNS.map(column).to_vec()),
        }
    }

    /// Takes rejected rows; `table` says into which table a stream's rows were to go.
    pub(crate) fn take(
        &mut self,
        rejections: &[Rejection],
        table: impl Fn(&Rejection) -> Option<String>,
    ) -> Result<()> {
        let each = |of: &dyn Fn(&Rejection) -> Option<String>| -> ArrayRef {
            Arc::new(rejections.iter().map(of).collect::<StringArray>())
        };
        self.stage.take(&[
            each(&|rejection| Some(rejection.stream.to_string())),
            each(&table),
            each(&|rejection| rejection.column.clone()),
            each(&|rejection| rejection.value.as_deref().map(cut)),
            each(&|rejection| Some(rejection.reason.clone())),
            each(&|rejection| Some(cut(&rejection.row.to_string()))),
            each(&|rejection| Some(json!(rejection.hidden).to_string())),
        ])
    }

    pub(crate) fn pending_bytes(&self) -> usize {
        self.stage.pending_bytes()
    }

    pub(crate) async fn send(&mut self, sender: &Sender) -> Result<()> {
        self.stage.send(sender).await
    }

    pub(crate) async fn finish(&mut self, sender: &Sender) -> Result<()> {
        self.stage.finish(sender).await
    }

    /// The staging table, where there is one.
    pub(crate) fn staging(&self) -> Option<TableName> {
        self.stage.is_used().then(|| self.stage.table.clone())
    }

    /// Writes them; part of the load's transaction.
    pub(crate) fn insert(&self, client: &Client, load: &LoadPlan) -> Option<String> {
        let names = COLUMNS.map(|name| format!("`{name}`")).join(", ");
        let from = self.staging()?;
        Some(format!(
            "INSERT INTO {} (load_id, connection, {names}, rejected_at) \
             SELECT {}, {}, {names}, {} FROM {}",
            client.dialect.table(&own("rejected")),
            literal(&load.load_id),
            literal(load.connection.as_str()),
            instant(load.started_at),
            client.dialect.table(&from)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut_between_characters() {
        assert_eq!(cut("short"), "short");
        let long = cut(&format!("x{}", "é".repeat(MOST)));
        assert_eq!(long.len(), MOST - 1);
        assert!(long.ends_with('é'));
    }
}
