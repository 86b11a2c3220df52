//! Lets a run be stopped anywhere but within a commit.
//!
//! A run is stopped by dropping it. Dropped within a commit, it would leave without knowing how the
//! commit ended, and its report would count too little. So every commit of a run shuts the gate
//! until its reply is here, and whoever wants to stop the run waits until the gate is open.
//!
//! Why nothing is missed: the reply opens the gate within the same poll of the run that goes on to
//! book it, since nothing is awaited between the two; and a run is polled before its stop is.
//!
//! Deliberately absent: anything needed for correctness. A process that is killed within a commit
//! loses nothing either (G2, G7).

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;
use tributary_model::{
    Answer, AnyDestination, AnyLoad, Capabilities, Change, Commit, ConnectionName, Existing, Fence,
    LoadPlan, LoadRecord, Receipt, Rejection, Report, Result, State, StreamName, TableName,
    TablePlan,
};

/// Whether a commit is under way.
#[derive(Clone, Debug)]
pub(crate) struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// The destination, with its commits behind this gate.
    pub(crate) fn around(&self, destination: Arc<dyn AnyDestination>) -> Arc<dyn AnyDestination> {
        Arc::new(Gated {
            inner: destination,
            gate: self.clone(),
        })
    }

    /// Waits until no commit is under way.
    pub(crate) async fn open(&self) {
        let mut shut = self.0.subscribe();
        // The sender lives as long as the gate: there is no other end.
        let _ = shut.wait_for(|shut| !shut).await;
    }
}

/// Opens the gate when the commit has ended, however that was.
struct Passage<'a>(&'a Gate);

impl<'a> Passage<'a> {
    fn enter(gate: &'a Gate) -> Self {
        gate.0.send_replace(true);
        Self(gate)
    }
}

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        self.0.0.send_replace(false);
    }
}

struct Gated {
    inner: Arc<dyn AnyDestination>,
    gate: Gate,
}

struct GatedLoad {
    inner: Box<dyn AnyLoad>,
    gate: Gate,
}

#[async_trait]
impl AnyLoad for GatedLoad {
    async fn write(&mut self, change: Change) -> Result<()> {
        self.inner.write(change).await
    }

    async fn take_rejected(&mut self, stream: &StreamName, most: usize) -> Result<Vec<Rejection>> {
        self.inner.take_rejected(stream, most).await
    }

    async fn copies(
        &mut self,
        plan: &Arc<TablePlan>,
        hashes: &[String],
    ) -> Result<Option<Vec<u64>>> {
        self.inner.copies(plan, hashes).await
    }

    async fn commit(self: Box<Self>, commit: &Commit) -> Result<Receipt> {
        let _passage = Passage::enter(&self.gate);
        self.inner.commit(commit).await
    }
}

#[async_trait]
impl AnyDestination for Gated {
    async fn check(&self) -> Result<Report> {
        self.inner.check().await
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn open(&self, of: &ConnectionName) -> Result<(State, Fence)> {
        self.inner.open(of).await
    }

    async fn peek(&self, of: &ConnectionName) -> Result<Option<State>> {
        self.inner.peek(of).await
    }

    async fn loads(&self, of: &ConnectionName, limit: usize) -> Result<Vec<LoadRecord>> {
        self.inner.loads(of, limit).await
    }

    async fn describe(&self, tables: &[TableName]) -> Result<Existing> {
        self.inner.describe(tables).await
    }

    async fn begin(&self, plan: &LoadPlan, fence: &Fence) -> Result<Box<dyn AnyLoad>> {
        Ok(Box::new(GatedLoad {
            inner: self.inner.begin(plan, fence).await?,
            gate: self.gate.clone(),
        }))
    }

    async fn query(&self, sql: &str) -> Result<Answer> {
        self.inner.query(sql).await
    }

    async fn maintain(&self) -> Result<Report> {
        self.inner.maintain().await
    }
}

#[cfg(test)]
mod tests {
    use futures::poll;

    use super::*;

    #[tokio::test]
    async fn the_gate_is_shut_while_a_commit_is_under_way() {
        let gate = Gate::new();
        let mut open = std::pin::pin!(gate.open());
        {
            let _passage = Passage::enter(&gate);
            assert!(poll!(open.as_mut()).is_pending());
        }
        open.await;
    }
}
