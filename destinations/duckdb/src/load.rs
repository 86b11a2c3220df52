//! A load as the engine sees it: asynchronous, and ended by whoever takes the connection over.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tributary_model::{
    Change, Commit, ConnectionName, Error, ErrorKind, Load, Receipt, Rejection, Result, StreamName,
    TablePlan,
};

use crate::file::lock;
use crate::system::fenced;
use crate::transaction::Transaction;

/// Where a load stands.
#[derive(Debug)]
pub(crate) enum Session {
    /// It can go on.
    Live(Box<Transaction>),
    /// Someone else has taken the connection over.
    Fenced(ConnectionName),
    /// It has committed, failed, or been dropped.
    Over,
}

impl Session {
    /// Rolls the load back on behalf of another.
    pub(crate) fn fence_off(&mut self) {
        if let Self::Live(transaction) = self {
            *self = Self::Fenced(transaction.fence().connection.clone());
        }
    }

    fn write(&mut self, change: Change) -> Result<()> {
        let written = match self {
            Self::Live(transaction) => transaction.write(change),
            Self::Fenced(of) => Err(fenced(of)),
            Self::Over => Err(over()),
        };
        if written.is_err() && matches!(self, Self::Live(_)) {
            // Half of a change may be in it: nothing but rolling back is right.
            *self = Self::Over;
        }
        written
    }

    fn take_rejected(&mut self, of: &StreamName, most: usize) -> Result<Vec<Rejection>> {
        let taken = match self {
            Self::Live(transaction) => transaction.take_rejected(of, most),
            Self::Fenced(of) => Err(fenced(of)),
            Self::Over => Err(over()),
        };
        if taken.is_err() && matches!(self, Self::Live(_)) {
            *self = Self::Over;
        }
        taken
    }

    fn copies(&mut self, plan: &Arc<TablePlan>, hashes: &[String]) -> Result<Vec<u64>> {
        let counted = match self {
            Self::Live(transaction) => transaction.copies(plan, hashes),
            Self::Fenced(of) => Err(fenced(of)),
            Self::Over => Err(over()),
        };
        if counted.is_err() && matches!(self, Self::Live(_)) {
            *self = Self::Over;
        }
        counted
    }

    fn commit(&mut self, commit: &Commit) -> Result<Receipt> {
        match std::mem::replace(self, Self::Over) {
            Self::Live(transaction) => transaction.commit(commit),
            Self::Fenced(of) => Err(fenced(&of)),
            Self::Over => Err(over()),
        }
    }
}

fn over() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "the load has failed before and was rolled back",
    )
}

/// A load into a DuckDB file: one transaction.
#[derive(Debug)]
pub struct DuckLoad(Arc<Mutex<Session>>);

impl DuckLoad {
    pub(crate) fn new(session: Arc<Mutex<Session>>) -> Self {
        Self(session)
    }
}

#[async_trait]
impl Load for DuckLoad {
    async fn write(&mut self, change: Change) -> Result<()> {
        let session = self.0.clone();
        blocking(move || lock(&session).write(change)).await
    }

    async fn take_rejected(&mut self, of: &StreamName, most: usize) -> Result<Vec<Rejection>> {
        let (session, of) = (self.0.clone(), of.clone());
        blocking(move || lock(&session).take_rejected(&of, most)).await
    }

    async fn copies(
        &mut self,
        plan: &Arc<TablePlan>,
        hashes: &[String],
    ) -> Result<Option<Vec<u64>>> {
        let (session, plan, hashes) = (self.0.clone(), plan.clone(), hashes.to_vec());
        blocking(move || lock(&session).copies(&plan, &hashes).map(Some)).await
    }

    async fn commit(self, commit: &Commit) -> Result<Receipt> {
        let (session, commit) = (self.0.clone(), commit.clone());
        blocking(move || lock(&session).commit(&commit)).await
    }
}

impl Drop for DuckLoad {
    fn drop(&mut self) {
        if self
            .0
            .try_lock()
            .is_ok_and(|session| !matches!(*session, Session::Live(_)))
        {
            return;
        }
        let session = self.0.clone();
        let roll_back = move || *lock(&session) = Session::Over;
        // Rolling back takes a while when much was written.
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(roll_back)),
            Err(_) => roll_back(),
        }
    }
}

/// Runs `work`, which blocks, beside the asynchronous tasks.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    spawn_blocking(work)
        .await
        .map_err(|cause| Error::bug("work on the DuckDB file did not end").because(cause))?
}
