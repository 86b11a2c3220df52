//! A load as the engine sees it: changes go to a thread of their own, so that encoding goes on
//! beside reading and shaping.

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, spawn_blocking};
use tributary_model::{
    Change, Commit, Error, ErrorKind, Load, Receipt, Rejection, Result, StreamName,
};

use crate::destination::Ledgers;
use crate::log::Snapshot;
use crate::session::Session;

/// Changes that wait for the thread. // G6
const WAITING: usize = 1;

/// What the thread is asked to do.
enum Work {
    Change(Change),
    Take {
        stream: StreamName,
        most: usize,
        answer: oneshot::Sender<Vec<Rejection>>,
    },
    Commit(Box<Commit>),
}

type Committed = (Receipt, Snapshot);

/// A load into a lake.
#[derive(Debug)]
pub struct LakeLoad {
    work: mpsc::Sender<Work>,
    thread: Option<JoinHandle<Result<Option<Committed>>>>,
    ledgers: Ledgers,
}

impl LakeLoad {
    pub(crate) fn new(session: Session, ledgers: Ledgers) -> Self {
        let (work, inbox) = mpsc::channel(WAITING);
        Self {
            work,
            thread: Some(spawn_blocking(move || run(session, inbox))),
            ledgers,
        }
    }

    /// How the thread ended.
    async fn end(&mut self) -> Result<Option<Committed>> {
        match self.thread.take() {
            None => Err(Error::new(
                ErrorKind::Unavailable,
                "the load has failed before",
            )),
            Some(thread) => thread
                .await
                .map_err(|cause| Error::bug("a load did not end").because(cause))?,
        }
    }
}

/// Works until the load has committed, failed, or been dropped.
fn run(mut session: Session, mut inbox: mpsc::Receiver<Work>) -> Result<Option<Committed>> {
    while let Some(work) = inbox.blocking_recv() {
        match work {
            Work::Change(change) => session.write(change)?,
            Work::Take {
                stream,
                most,
                answer,
            } => {
                // Where nobody waits for them any more, the load is being dropped.
                let _ = answer.send(session.take_rejected(&stream, most)?);
            }
            Work::Commit(commit) => return session.commit(&commit).map(Some),
        }
    }
    Ok(None)
}

#[async_trait]
impl Load for LakeLoad {
    async fn write(&mut self, change: Change) -> Result<()> {
        if self.work.send(Work::Change(change)).await.is_ok() {
            return Ok(());
        }
        self.end().await?;
        Err(Error::bug("a load ended before its commit"))
    }

    async fn take_rejected(&mut self, stream: &StreamName, most: usize) -> Result<Vec<Rejection>> {
        let (answer, taken) = oneshot::channel();
        let stream = stream.clone();
        let work = Work::Take {
            stream,
            most,
            answer,
        };
        // Where the thread is gone, its end says why.
        let _ = self.work.send(work).await;
        if let Ok(taken) = taken.await {
            return Ok(taken);
        }
        self.end().await?;
        Err(Error::bug("a load ended before its commit"))
    }

    async fn commit(mut self, commit: &Commit) -> Result<Receipt> {
        // Where the thread is gone, its end says why.
        let _ = self.work.send(Work::Commit(Box::new(commit.clone()))).await;
        let ended = self.end().await?;
        let (receipt, snapshot) =
            ended.ok_or_else(|| Error::bug("a load ended before its commit"))?;
        self.ledgers.set(&receipt.fence.connection, snapshot);
        Ok(receipt)
    }
}
