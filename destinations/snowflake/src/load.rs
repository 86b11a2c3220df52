//! A load as the engine sees it: once something has failed, nothing of it counts.

use std::sync::Arc;

use async_trait::async_trait;
use tributary_model::{Change, Commit, Load, Receipt, Result, TablePlan};

use crate::site::over;
use crate::transaction::Transaction;

/// A load into Snowflake: files in a bucket, and one transaction.
#[derive(Debug)]
pub struct SnowflakeLoad {
    /// `None` once something has failed: half of a change may be in it, and nothing but forgetting it
    /// is right.
    transaction: Option<Transaction>,
}

impl SnowflakeLoad {
    pub(crate) fn new(transaction: Transaction) -> Self {
        Self {
            transaction: Some(transaction),
        }
    }
}

#[async_trait]
impl Load for SnowflakeLoad {
    async fn write(&mut self, change: Change) -> Result<()> {
        let mut transaction = self.transaction.take().ok_or_else(over)?;
        transaction.write(change).await?;
        self.transaction = Some(transaction);
        Ok(())
    }

    async fn copies(
        &mut self,
        plan: &Arc<TablePlan>,
        hashes: &[String],
    ) -> Result<Option<Vec<u64>>> {
        let mut transaction = self.transaction.take().ok_or_else(over)?;
        let counts = transaction.copies(plan, hashes).await?;
        self.transaction = Some(transaction);
        Ok(counts)
    }

    async fn commit(mut self, commit: &Commit) -> Result<Receipt> {
        let transaction = self.transaction.take().ok_or_else(over)?;
        transaction.commit(commit).await
    }
}
