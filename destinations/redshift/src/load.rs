//! A load as the engine sees it: what fails is undone, and says whether another has taken over.

use std::sync::Arc;

use async_trait::async_trait;
use tributary_model::{
    Change, Commit, Error, ErrorKind, Fence, Load, Receipt, Rejection, Result, StreamName,
    TablePlan,
};

use crate::copy::complaints;
use crate::session::Sessions;
use crate::state::{fenced, is_taken};
use crate::system::Own;
use crate::takeover;
use crate::transaction::Transaction;

/// A load into Redshift: one transaction.
#[derive(Debug)]
pub struct RedshiftLoad {
    /// `None` once something has failed: half of a change may be in it, and nothing but undoing it
    /// is right.
    transaction: Option<Transaction>,
    fence: Fence,
    sessions: Sessions,
    /// Where its files are.
    room: String,
}

impl RedshiftLoad {
    pub(crate) fn new(transaction: Transaction, sessions: Sessions) -> Self {
        Self {
            fence: transaction.fence().clone(),
            room: transaction.room(),
            transaction: Some(transaction),
            sessions,
        }
    }

    /// What the warehouse knows of an error besides what it has said.
    async fn explain(&mut self, error: Error) -> Error {
        if error.kind() != ErrorKind::Rejected {
            return explain_loss(&self.sessions, &self.fence, error).await;
        }
        let Ok(mut session) = self.sessions.get().await else {
            return error;
        };
        let told = complaints(&mut session, &self.room).await;
        self.sessions.keep(session);
        match (told, error.why()) {
            (Some(told), Some(why)) => error.because(format!("{why}; {told}")),
            (Some(told), None) => error.because(told),
            (None, _) => error,
        }
    }

    /// What a step has come to; the load is over where it has failed.
    async fn settle<T>(&mut self, done: Result<T>) -> Result<T> {
        match done {
            Ok(done) => Ok(done),
            Err(error) => {
                self.transaction = None;
                Err(self.explain(error).await)
            }
        }
    }
}

#[async_trait]
impl Load for RedshiftLoad {
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
            Err(error) => Err(self.explain(error).await),
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
    let Ok(mut session) = sessions.get().await else {
        return error;
    };
    let own = Own::new(&fence.connection);
    let taken = || fenced(&fence.connection).because(error.to_string());
    if is_taken(&mut session, &own, fence).await.unwrap_or(false) {
        return taken();
    }
    // Who ended our session may not have raised the epoch yet: wait until it has.
    if takeover::queue(&mut session, &own).await.is_err() {
        return error;
    }
    match is_taken(&mut session, &own, fence).await {
        Ok(true) => taken(),
        Ok(false) | Err(_) => error,
    }
}
