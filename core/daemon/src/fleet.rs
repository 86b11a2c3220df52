//! All connections: their keepers, by name.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tributary_model::{Error, ErrorKind, Result};

use crate::bus::Notice;
use crate::ends::Job;
use crate::keeper::{Command, Keeper};
use crate::shared::Shared;
use crate::store::History;

/// Commands that may wait for one connection. // G6
const WAITING: usize = 16;

/// A connection and the task that keeps it.
struct Kept {
    job: Arc<Job>,
    mailbox: mpsc::Sender<Command>,
    task: JoinHandle<()>,
}

/// All connections.
pub(crate) struct Fleet {
    shared: Arc<Shared>,
    kept: Mutex<BTreeMap<String, Kept>>,
    /// Those that were taken out of the configuration and finish what they can.
    leaving: Mutex<Vec<Kept>>,
}

impl Fleet {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            kept: Mutex::default(),
            leaving: Mutex::default(),
        }
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<String, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings what runs in line with `jobs`: what is the same goes on undisturbed.
    pub(crate) fn apply(&self, jobs: Vec<Job>, mut histories: BTreeMap<String, History>) {
        let mut kept = self.kept();
        let names: Vec<String> = jobs.iter().map(|job| job.name().to_owned()).collect();
        let gone: Vec<String> = kept
            .keys()
            .filter(|name| !names.contains(name))
            .cloned()
            .collect();
        for name in gone {
            if let Some(old) = kept.remove(&name) {
                self.dismiss(&name, old);
            }
        }
        for job in jobs {
            let name = job.name().to_owned();
            match kept.get_mut(&name) {
                Some(known) if known.job.is_same(&job) => {}
                Some(known) => {
                    known.job = Arc::new(job);
                    tell(&known.mailbox, Command::Configure(known.job.clone()));
                }
                None => {
                    let history = histories.remove(&name).unwrap_or_default();
                    kept.insert(name, self.hire(Arc::new(job), history));
                }
            }
        }
    }

    fn hire(&self, job: Arc<Job>, history: History) -> Kept {
        let (mailbox, commands) = mpsc::channel(WAITING);
        let keeper = Keeper::new(self.shared.clone(), job.clone(), commands, history);
        let connection = job.name().into();
        self.shared.bus.tell(Notice::Added { connection });
        Kept {
            job,
            mailbox,
            task: tokio::spawn(keeper.keep()),
        }
    }

    fn dismiss(&self, name: &str, old: Kept) {
        tell(&old.mailbox, Command::Leave);
        self.shared.board.remove(name);
        self.shared.metrics.forget(name);
        self.shared.bus.tell(Notice::Removed {
            connection: name.into(),
        });
        let mut leaving = self.leaving.lock().unwrap_or_else(PoisonError::into_inner);
        leaving.retain(|kept| !kept.task.is_finished());
        leaving.push(old);
    }

    /// Keeps connections again whose keeper broke down; that is a mistake of ours, and must not cost
    /// months.
    pub(crate) fn mend(&self) {
        let mut kept = self.kept();
        for (name, known) in kept.iter_mut() {
            if known.task.is_finished() {
                tracing::error!(connection = name, "its task broke down and is begun anew");
                *known = self.hire(known.job.clone(), History::default());
            }
        }
    }

    /// How a connection is configured.
    pub(crate) fn job(&self, name: &str) -> Option<Arc<Job>> {
        self.kept().get(name).map(|known| known.job.clone())
    }

    /// All connections as they are configured.
    pub(crate) fn jobs(&self) -> Vec<Arc<Job>> {
        self.kept()
            .values()
            .map(|known| known.job.clone())
            .collect()
    }

    /// Asks something of a connection and waits for the answer; `None` where there is no such
    /// connection.
    pub(crate) async fn ask(
        &self,
        name: &str,
        command: impl FnOnce(oneshot::Sender<Result<()>>) -> Command,
    ) -> Option<Result<()>> {
        let mailbox = self.kept().get(name)?.mailbox.clone();
        let (answer, answered) = oneshot::channel();
        let busy = || {
            Error::new(
                ErrorKind::Unavailable,
                "the connection is busy or about to end",
            )
            .fix("Ask again in a moment.")
        };
        if mailbox.try_send(command(answer)).is_err() {
            return Some(Err(busy()));
        }
        Some(answered.await.unwrap_or_else(|_| Err(busy())))
    }

    /// Lets every run finish what it can, for `bound` at most; says how many did not.
    pub(crate) async fn drain(&self, bound: Duration) -> usize {
        let kept = std::mem::take(&mut *self.kept());
        let mut leaving =
            std::mem::take(&mut *self.leaving.lock().unwrap_or_else(PoisonError::into_inner));
        leaving.extend(kept.into_values());
        let deadline = tokio::time::Instant::now() + bound;
        for kept in &leaving {
            tell(&kept.mailbox, Command::Leave);
        }
        let mut late = 0;
        for kept in leaving {
            let Kept {
                mailbox, mut task, ..
            } = kept;
            // Nobody will ask any more: a full mailbox does not keep it from leaving.
            drop(mailbox);
            if tokio::time::timeout_at(deadline, &mut task).await.is_err() {
                task.abort();
                late += 1;
            }
        }
        late
    }
}

/// Tells a connection something. A full mailbox is that of a connection that is overrun by callers:
/// it is told as soon as there is room.
fn tell(mailbox: &mpsc::Sender<Command>, command: Command) {
    if let Err(mpsc::error::TrySendError::Full(command)) = mailbox.try_send(command) {
        let mailbox = mailbox.clone();
        tokio::spawn(async move {
            // It may have ended meanwhile.
            let _ = mailbox.send(command).await;
        });
    }
}

#[cfg(test)]
mod tests;
