//! A load as the engine sees it.

use async_trait::async_trait;
use tributary_model::{Change, Commit, Error, ErrorKind, Load, Receipt, Result};

use crate::transaction::Transaction;

/// A load into BigQuery: staged rows, and one script.
#[derive(Debug)]
pub struct BigQueryLoad {
    /// `None` once something has failed: half of a change may be in it.
    transaction: Option<Transaction>,
}

impl BigQueryLoad {
    pub(crate) fn new(transaction: Transaction) -> Self {
        Self {
            transaction: Some(transaction),
        }
    }
}

#[async_trait]
impl Load for BigQueryLoad {
    async fn write(&mut self, change: Change) -> Result<()> {
        let transaction = self.transaction.as_mut().ok_or_else(over)?;
        let written = transaction.write(change).await;
        if written.is_err() {
            self.transaction = None;
        }
        written
    }

    async fn commit(mut self, commit: &Commit) -> Result<Receipt> {
        let transaction = self.transaction.take().ok_or_else(over)?;
        transaction.commit(commit).await
    }
}

fn over() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "the load has failed before and was given up",
    )
}
