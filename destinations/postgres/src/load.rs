//! A load as the engine sees it: what fails is undone, and says whether another has taken over.

use std::sync::Arc;

use async_trait::async_trait;
use tributary_model::{
    Change, Commit, Error, ErrorKind, Fence, Load, Receipt, Rejection, Result, StreamName,
    TablePlan,
};

use crate::session::Sessions;
use crate::system::{fenced, is_taken};
use crate::takeover;
use crate::transaction::Transaction;

/// A load into PostgreSQL: one transaction.
#[derive(Debug)]
pub struct PostgresLoad {
    /// `None` once something has failed: half of a change may be in it, and nothing but undoing it
    /// is right.
    transaction: Option<Transaction>,
    fence: Fence,
    sessions: Sessions,
}

impl PostgresLoad {
    pub(crate) fn new(transaction: Transaction, sessions: Sessions) -> Self {
        Self {
            fence: transaction.fence().clone(),
            transaction: Some(transaction),
            sessions,
        }
    }

    /// What a step has come to; the load is over where it has failed.
    async fn settle<T>(&mut self, done: Result<T>) -> Result<T> {
        match done {
            Ok(done) => Ok(done),
            Err(error) => {
                self.transaction = None;
                Err(explain_loss(&self.sessions, &self.fence, error).await)
            }
        }
    }
}

#[async_trait]
impl Load for PostgresLoad {
    async fn write(&mut self, change: Change) -> Result<()> {
        let transaction = self.transaction.as_mut().ok_or_else(over)?;
        let done = transaction.write(change).await;
        self.settle(done).await
    }

    async fn take_rejected(&mut self, stream: &StreamName, most: usize) -> Result<Vec<Rejection>> {
        let transaction = self.transaction.as_mut().ok_or_else(over)?;
        let done = transaction.take_rejected(stream, most).await;
        self.settle(done).await
    }

    async fn copies(
        &mut self,
        plan: &Arc<TablePlan>,
        hashes: &[String],
    ) -> Result<Option<Vec<u64>>> {
        let transaction = self.transaction.as_mut().ok_or_else(over)?;
        let done = transaction.copies(plan, hashes).await;
        self.settle(done).await.map(Some)
    }

    async fn commit(mut self, commit: &Commit) -> Result<Receipt> {
        let transaction = self.transaction.take().ok_or_else(over)?;
        match transaction.commit(commit).await {
            Ok((receipt, session)) => {
                self.sessions.keep(session);
                Ok(receipt)
            }
            Err(error) => Err(explain_loss(&self.sessions, &self.fence, error).await),
        }
    }
}

fn over() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "the load has failed before and was undone",
    )
}

/// Whoever opens the connection ends the sessions of older loads: then a broken session means that
/// this one is fenced off. Where that can't be found out, the error stays what it is.
pub(crate) async fn explain_loss(sessions: &Sessions, fence: &Fence, error: Error) -> Error {
    if error.kind() != ErrorKind::Unavailable {
        return error;
    }
    let Ok(mut session) = sessions.reading().await else {
        return error;
    };
    // Who ended our session may not have raised the epoch yet: wait until it has.
    if takeover::queue(&mut session).await.is_err() {
        return error;
    }
    match is_taken(&mut session, fence).await {
        Ok(true) => fenced(&fence.connection).because(error.to_string()),
        Ok(false) | Err(_) => error,
    }
}
