//! A destination that fails on purpose, around any other.
//!
//! Faults are a queue: each call of its kind takes the first of them, if that one is meant for it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tributary_model::{
    Answer, AnyDestination, AnyLoad, Capabilities, Change, Commit, ConnectionName, Error,
    ErrorKind, Existing, Fence, LoadPlan, LoadRecord, Receipt, Rejection, Report, Result, State,
    StreamName, TableName, TablePlan,
};

/// What goes wrong next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `open` fails.
    Open(ErrorKind),
    /// `begin` fails.
    Begin(ErrorKind),
    /// `write` fails.
    Write(ErrorKind),
    /// `write` takes this much longer.
    SlowWrite(Duration),
    /// `commit` fails and nothing has happened.
    Commit(ErrorKind),
    /// `commit` happens and its reply is lost.
    Reply,
    /// `commit` takes this much longer.
    SlowCommit(Duration),
}

/// Any destination, with faults to come.
#[derive(Clone)]
pub struct Faulty {
    inner: Arc<dyn AnyDestination>,
    faults: Arc<Mutex<VecDeque<Fault>>>,
}

impl Faulty {
    /// Wraps `inner`; nothing is wrong yet.
    #[must_use]
    pub fn new(inner: Arc<dyn AnyDestination>) -> Self {
        Self {
            inner,
            faults: Arc::default(),
        }
    }

    /// Adds a fault to the queue.
    pub fn then(&self, fault: Fault) {
        lock(&self.faults).push_back(fault);
    }

    /// How many faults have not happened yet.
    #[must_use]
    pub fn left(&self) -> usize {
        lock(&self.faults).len()
    }
}

fn lock(faults: &Mutex<VecDeque<Fault>>) -> std::sync::MutexGuard<'_, VecDeque<Fault>> {
    faults
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Takes the next fault if `wanted` knows it.
fn take<T>(faults: &Mutex<VecDeque<Fault>>, wanted: impl Fn(Fault) -> Option<T>) -> Option<T> {
    let mut faults = lock(faults);
    let found = faults.front().copied().and_then(wanted);
    if found.is_some() {
        faults.pop_front();
    }
    found
}

fn told(kind: ErrorKind) -> Error {
    Error::new(kind, "the test told the destination to fail here")
}

struct FaultyLoad {
    inner: Box<dyn AnyLoad>,
    faults: Arc<Mutex<VecDeque<Fault>>>,
}

#[async_trait]
impl AnyLoad for FaultyLoad {
    async fn write(&mut self, change: Change) -> Result<()> {
        let fault = take(&self.faults, |fault| match fault {
            Fault::Write(_) | Fault::SlowWrite(_) => Some(fault),
            _ => None,
        });
        match fault {
            Some(Fault::Write(kind)) => return Err(told(kind)),
            Some(Fault::SlowWrite(delay)) => tokio::time::sleep(delay).await,
            _ => {}
        }
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
        let fault = take(&self.faults, |fault| match fault {
            Fault::Commit(_) | Fault::Reply | Fault::SlowCommit(_) => Some(fault),
            _ => None,
        });
        match fault {
            Some(Fault::Commit(kind)) => return Err(told(kind)),
            Some(Fault::Reply) => {
                self.inner.commit(commit).await?;
                return Err(told(ErrorKind::Unavailable));
            }
            Some(Fault::SlowCommit(delay)) => tokio::time::sleep(delay).await,
            _ => {}
        }
        self.inner.commit(commit).await
    }
}

#[async_trait]
impl AnyDestination for Faulty {
    async fn check(&self) -> Result<Report> {
        self.inner.check().await
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn open(&self, of: &ConnectionName) -> Result<(State, Fence)> {
        let kind = |fault| {
            if let Fault::Open(kind) = fault {
                Some(kind)
            } else {
                None
            }
        };
        match take(&self.faults, kind) {
            Some(kind) => Err(told(kind)),
            None => self.inner.open(of).await,
        }
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
        let kind = |fault| {
            if let Fault::Begin(kind) = fault {
                Some(kind)
            } else {
                None
            }
        };
        if let Some(kind) = take(&self.faults, kind) {
            return Err(told(kind));
        }
        let inner = self.inner.begin(plan, fence).await?;
        Ok(Box::new(FaultyLoad {
            inner,
            faults: self.faults.clone(),
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
    use super::*;
    use crate::memory::Memory;

    #[tokio::test]
    async fn a_lost_reply_leaves_a_commit_behind() {
        let faulty = Faulty::new(Arc::new(Memory::new()));
        let name = ConnectionName::new("shop");
        let (before, fence) = faulty.open(&name).await.expect("it opens");
        let plan = LoadPlan {
            connection: name.clone(),
            load_id: "one".to_owned(),
            started_at: tributary_model::now(),
            tables: Vec::new(),
        };
        let state = State {
            shared: Some("here".into()),
            ..before.clone()
        };
        let streams = std::collections::BTreeMap::new();
        let commit = Commit {
            state,
            before,
            streams,
            committed_at: plan.started_at,
        };
        for (fault, kept) in [
            (Fault::Commit(ErrorKind::Unavailable), 0),
            (Fault::Reply, 1),
        ] {
            faulty.then(fault);
            let load = faulty.begin(&plan, &fence).await.expect("a load can begin");
            let error = load.commit(&commit).await.expect_err("it was told to fail");
            assert_eq!((error.kind(), faulty.left()), (ErrorKind::Unavailable, 0));
            assert_eq!(
                faulty.loads(&name, 9).await.expect("loads").len(),
                kept,
                "{fault:?}"
            );
        }
        let (_, fence) = faulty.open(&name).await.expect("it opens");
        assert_eq!(fence.last_load.as_deref(), Some("one"));
    }
}
