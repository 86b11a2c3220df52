//! What the daemon is given by whoever starts it: connectors by name, and the configuration.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use tributary_config::{ConnectionPlan, EndPlan, Plan, Problems};
use tributary_engine::{Connection, Observer, SyncReport};
use tributary_model::{AnyDestination, CursorSummary, Result, Until};

/// Connectors by name, and the configuration.
#[async_trait]
pub trait Ends: Send + Sync + 'static {
    /// Connects to both ends of a connection.
    async fn connect(&self, job: &Job) -> Result<Connection>;
    /// Connects to a destination called `name`.
    async fn destination(&self, name: &str, end: &EndPlan) -> Result<Arc<dyn AnyDestination>>;
    /// Whoever else watches a run that follows its source or ends by itself.
    fn watch(&self, job: &Job, length: Until) -> Option<Box<dyn Watcher>>;
    /// What a cursor of a source of this kind says.
    fn summarize(&self, kind: &str, cursor: &Value) -> Option<CursorSummary>;
    /// Reads the configuration again.
    ///
    /// # Errors
    /// Every mistake in it.
    fn load(&self) -> Result<Plan, Problems>;
    /// When the configuration last changed, as a value that differs when it does.
    fn stamp(&self) -> Option<Stamp>;
}

/// Watches one run from its beginning to its end.
pub trait Watcher: Observer {
    /// It ended.
    fn end(self: Box<Self>, report: &SyncReport);
}

/// Tells versions of a file apart: its number, its length, and when it was written.
pub type Stamp = (u64, u64, Option<std::time::SystemTime>);

/// Everything that one connection needs, taken out of the configuration.
#[derive(Clone, Debug)]
pub struct Job {
    /// What the configuration says of it.
    pub plan: ConnectionPlan,
    /// Its source.
    pub source: EndPlan,
    /// Its destination.
    pub destination: EndPlan,
}

impl Job {
    /// The connections of a configuration; one whose ends are not there can't come out of a plan.
    pub(crate) fn all(plan: &Plan) -> Vec<Self> {
        let job = |of: &ConnectionPlan| {
            Some(Self {
                plan: of.clone(),
                source: plan.sources.get(&of.source)?.clone(),
                destination: plan.destinations.get(&of.destination)?.clone(),
            })
        };
        plan.connections.values().filter_map(job).collect()
    }

    pub(crate) fn name(&self) -> &str {
        self.plan.options.name.as_str()
    }

    /// Whether both mean the same, so that a run of one is a run of the other. The share of the
    /// memory does not count: it follows from the other connections.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let salt = |job: &Self| {
            let salt = job.plan.options.salt.as_ref();
            salt.map(|salt| salt.expose().to_owned())
        };
        let meant = |job: &Self| {
            let mut plan = job.plan.clone();
            plan.options.memory = 0;
            format!("{plan:?}")
        };
        let end = |a: &EndPlan, b: &EndPlan| a.kind == b.kind && a.settings == b.settings;
        salt(self) == salt(other)
            && meant(self) == meant(other)
            && end(&self.source, &other.source)
            && end(&self.destination, &other.destination)
    }
}
