//! What tests of the daemon share: a source that follows a script, a destination in memory, and a
//! configuration that can be changed.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tributary_config::{EndPlan, Environment, KindSpec, Kinds, Plan, Problems};
use tributary_engine::Connection;
use tributary_model::{
    AnyDestination, CursorSummary, DataType, Error, ErrorKind, Op, Result, Until, now,
};
use tributary_testkit::memory::Memory;
use tributary_testkit::script::Script;

use crate::ends::{Ends, Job, Stamp, Watcher};
use crate::fleet::Fleet;
use crate::shared::Shared;
use crate::store::{Place, Store};
use crate::view::ConnectionView;

/// Long enough for the slowest machine; nothing waits that long.
const LIMIT: Duration = Duration::from_secs(60);

/// Connectors for tests.
pub(crate) struct Fake {
    pub(crate) script: Script,
    pub(crate) memory: Memory,
    /// How often a connection was connected.
    pub(crate) connects: AtomicUsize,
    /// What connecting fails of.
    pub(crate) fails: Mutex<Option<ErrorKind>>,
    pub(crate) yaml: Mutex<String>,
}

impl Fake {
    pub(crate) fn new(yaml: &str) -> Arc<Self> {
        let columns = [("id", DataType::Int64), ("name", DataType::Text)];
        let rows = [
            (Op::Create, vec![Some("1"), Some("a")]),
            (Op::Create, vec![Some("2"), Some("b")]),
        ];
        Arc::new(Self {
            script: Script::new()
                .stream("shop.orders", &["id"], &columns)
                .changes("shop.orders", &rows)
                .checkpoint(),
            memory: Memory::new(),
            connects: AtomicUsize::new(0),
            fails: Mutex::default(),
            yaml: Mutex::new(yaml.to_owned()),
        })
    }

    /// The same with a cursor that moves once more, some time after the rows.
    pub(crate) fn idle(yaml: &str) -> Arc<Self> {
        let fake = Arc::into_inner(Self::new(yaml)).unwrap();
        let script = fake.script.wait(Duration::from_millis(200)).checkpoint();
        Arc::new(Self { script, ..fake })
    }

    pub(crate) fn connects(&self) -> usize {
        self.connects.load(Ordering::SeqCst)
    }

    pub(crate) fn fail(&self, kind: Option<ErrorKind>) {
        *self.fails.lock().unwrap() = kind;
    }

    pub(crate) fn plan(&self) -> Plan {
        self.load().unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// A fleet that runs the configuration.
    pub(crate) async fn fleet(self: &Arc<Self>) -> (Arc<Shared>, Arc<Fleet>) {
        let store = Store::open(Place::Memory).await.unwrap();
        let shared = Arc::new(Shared::new(self.clone(), store, &self.plan()));
        let fleet = Arc::new(Fleet::new(shared.clone()));
        fleet.apply(Job::all(&self.plan()), Default::default());
        (shared, fleet)
    }
}

#[async_trait]
impl Ends for Fake {
    async fn connect(&self, job: &Job) -> Result<Connection> {
        self.connects.fetch_add(1, Ordering::SeqCst);
        if let Some(kind) = *self.fails.lock().unwrap() {
            return Err(Error::new(kind, "the source refuses").fix("Ask nicely."));
        }
        Ok(Connection {
            options: job.plan.options.clone(),
            source: Arc::new(self.script.clone()),
            destination: Arc::new(self.memory.clone()),
        })
    }

    async fn destination(&self, _: &str, _: &EndPlan) -> Result<Arc<dyn AnyDestination>> {
        Ok(Arc::new(self.memory.clone()))
    }

    fn watch(&self, _: &Job, _: Until) -> Option<Box<dyn Watcher>> {
        None
    }

    fn summarize(&self, _: &str, cursor: &Value) -> Option<CursorSummary> {
        Some(CursorSummary {
            words: format!("step {}", cursor["step"]),
            ..CursorSummary::default()
        })
    }

    fn load(&self) -> Result<Plan, Problems> {
        let kinds = Kinds {
            sources: vec![KindSpec::source::<Script>()],
            destinations: vec![KindSpec::destination::<Memory>()],
        };
        let frame = "sources: {s: {type: script}}\ndestinations: {d: {type: memory}}\n";
        let text = format!("{frame}{}", self.yaml.lock().unwrap());
        tributary_config::parse(Path::new("t.yaml"), &text, &Environment::new(), &kinds)
    }

    fn stamp(&self) -> Option<Stamp> {
        None
    }
}

/// Waits until the view of a connection is as it should be.
pub(crate) async fn until(
    shared: &Shared,
    name: &str,
    is_so: impl Fn(&ConnectionView) -> bool,
) -> ConnectionView {
    let begun = tokio::time::Instant::now();
    loop {
        let view = shared.board.connection(name, now());
        match view {
            Some(view) if is_so(&view) => return view,
            view => assert!(begun.elapsed() < LIMIT, "never so: {view:#?}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
