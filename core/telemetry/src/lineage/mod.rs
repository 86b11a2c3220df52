//! What came from where: OpenLineage's events about runs.
//!
//! A run is told when it begins and when it ends, with its streams and tables, their columns, and
//! which column feeds which. One that follows a log, and may not end for months, tells in between.

mod dataset;
mod event;
mod post;
mod watch;

use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tributary_config::{self as config, ConnectionPlan, Plan};
use tributary_model::Result;

use dataset::Place;
pub use event::Processing;
use post::Post;
pub use watch::Tracked;

/// Events that may wait to be sent. // G6
const QUEUE: usize = 1024;
/// How long what is left at the end may take to be sent. // G6
const FAREWELL: Duration = Duration::from_secs(10);

/// Whoever is told.
#[derive(Debug)]
pub struct Lineage {
    namespace: String,
    queue: mpsc::Sender<Value>,
    sending: Mutex<Option<JoinHandle<()>>>,
}

/// What a run is about.
#[derive(Clone, Debug)]
pub struct Subject {
    pub(crate) namespace: String,
    pub(crate) connection: String,
    pub(crate) source: Place,
    pub(crate) destination: Place,
    pub(crate) processing: Processing,
}

impl Lineage {
    /// Gets ready to tell; contacts nobody yet. Needs a runtime.
    ///
    /// # Errors
    /// `Config` where the settings can't be meant.
    pub fn new(settings: &config::Lineage) -> Result<Self> {
        let (queue, events) = mpsc::channel(QUEUE);
        let post = Post::new(settings)?;
        Ok(Self {
            namespace: settings.namespace.clone(),
            queue,
            sending: Mutex::new(Some(tokio::spawn(post.deliver(events)))),
        })
    }

    /// Tells that a run of a connection begins; the result watches it.
    #[must_use]
    pub fn begin(&self, plan: &Plan, of: &ConnectionPlan, processing: Processing) -> Tracked {
        let place = |name: &str, ends: &std::collections::BTreeMap<String, config::EndPlan>| {
            let nowhere = || config::EndPlan {
                kind: "unknown".to_owned(),
                settings: Value::Null,
            };
            Place::of(name, &ends.get(name).cloned().unwrap_or_else(nowhere))
        };
        Tracked::begin(
            Subject {
                namespace: self.namespace.clone(),
                connection: of.options.name.to_string(),
                source: place(&of.source, &plan.sources),
                destination: place(&of.destination, &plan.destinations),
                processing,
            },
            self.queue.clone(),
        )
    }

    /// Sends what is left, as far as that is quick.
    pub async fn close(self) {
        let Self { queue, sending, .. } = self;
        drop(queue);
        let sending = sending.into_inner().ok().flatten();
        if let Some(sending) = sending {
            // What could not be sent has been complained about.
            let _ = tokio::time::timeout(FAREWELL, sending).await;
        }
    }
}
