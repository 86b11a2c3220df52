//! What all connections have in common.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;
use tributary_config::{Plan, Schedule};
use tributary_model::{AnyDestination, Result};

use crate::board::Board;
use crate::bus::Bus;
use crate::ends::{Ends, Job};
use crate::metrics::Metrics;
use crate::store::Store;

/// The least memory that a run is given. // G6
const LEAST: usize = 4 << 20;

/// What all connections have in common.
pub(crate) struct Shared {
    pub(crate) ends: Arc<dyn Ends>,
    pub(crate) board: Arc<Board>,
    pub(crate) bus: Bus,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) store: Store,
    /// Runs with an end that may go on at once: first come, first served.
    pub(crate) workers: Arc<Semaphore>,
    /// What each run may have of the memory, bytes.
    share: AtomicUsize,
}

impl Shared {
    pub(crate) fn new(ends: Arc<dyn Ends>, store: Store, plan: &Plan) -> Self {
        Self {
            ends,
            board: Arc::default(),
            bus: Bus::default(),
            metrics: Arc::default(),
            store,
            workers: Arc::new(Semaphore::new(plan.daemon.workers)),
            share: AtomicUsize::new(share(plan)),
        }
    }

    /// What a run may have of the memory, bytes.
    pub(crate) fn share(&self) -> usize {
        self.share.load(Ordering::Relaxed)
    }

    /// Takes over what a new configuration says for all.
    pub(crate) fn configure(&self, before: &Plan, plan: &Plan) {
        self.share.store(share(plan), Ordering::Relaxed);
        let (old, new) = (before.daemon.workers, plan.daemon.workers);
        if new > old {
            self.workers.add_permits(new - old);
        } else {
            let workers = self.workers.clone();
            let fewer = u32::try_from(old - new).unwrap_or(u32::MAX);
            // Those at work finish first.
            tokio::spawn(async move {
                if let Ok(permits) = workers.acquire_many_owned(fewer).await {
                    permits.forget();
                }
            });
        }
    }

    /// The destination of a connection.
    pub(crate) async fn destination(&self, job: &Job) -> Result<Arc<dyn AnyDestination>> {
        let name = &job.plan.destination;
        self.ends.destination(name, &job.destination).await
    }
}

/// The memory is for all that may run at once: the workers, and whoever follows beside them.
fn share(plan: &Plan) -> usize {
    let follows = |schedule: &Schedule| *schedule == Schedule::Continuous;
    let connections = plan.connections.values();
    let following = connections
        .filter(|of| follows(&of.schedule) || of.stream_schedules.values().any(follows))
        .count();
    let others = plan.connections.len() - following;
    let at_once = following + plan.daemon.workers.min(others);
    (plan.memory / at_once.max(1)).max(LEAST.min(plan.memory))
}
