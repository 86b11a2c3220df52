//! `tributary daemon`: every connection on its schedule until told to stop.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tributary_config::{EndPlan, Environment, Plan, Problems};
use tributary_daemon::{Ends, Job, Setup, Stamp, Supervisor, Watcher};
use tributary_engine::{Connection, Event, Observer, SyncReport};
use tributary_model::{AnyDestination, Context, CursorSummary, Result, Until};
use tributary_telemetry::{Lineage, Processing, Tracked};

use crate::exit::{Exit, Failure};
use crate::interruption::Signal;
use crate::salt::salted;
use crate::session::Session;
use crate::{registry, vault};

/// Requests to read the configuration again that may wait.
const WAITING: usize = 4;

pub(crate) async fn run(session: &Session) -> Result<Exit, Failure> {
    let plan = session.plan()?;
    session.trace(&plan)?;
    let lineage = plan.lineage.as_ref().map(Lineage::new).transpose()?;
    let parts = Arc::new(Parts {
        config: session.config.clone(),
        environment: session.environment.clone(),
        lineage: lineage.map(Arc::new),
        plan: RwLock::default(),
    });
    // Read once more: one is for the daemon, one for lineage.
    parts.load()?;
    let setup = Setup {
        ends: parts.clone(),
        plan,
        folder: vault::state_folder(),
        supervisor: supervisor(&session.environment),
        reload: hang_ups(),
    };
    tributary_daemon::run(setup, session.interruption.asked(1)).await?;
    if let Some(lineage) = Arc::into_inner(parts).and_then(|parts| Arc::into_inner(parts.lineage?))
    {
        lineage.close().await;
    }
    // To be stopped is what a service expects; whoever sits before it is told as ever.
    Ok(match session.interruption.by() {
        Some(Signal::Interrupt) => Exit::Interrupted,
        Some(Signal::Terminate) | None => Exit::Done,
    })
}

/// Where systemd listens, if it does.
fn supervisor(environment: &Environment) -> Supervisor {
    let microseconds = environment
        .get("WATCHDOG_USEC")
        .and_then(|text| text.parse().ok());
    let ours = environment
        .get("WATCHDOG_PID")
        .is_none_or(|pid| *pid == std::process::id().to_string());
    Supervisor {
        socket: environment.get("NOTIFY_SOCKET").map(PathBuf::from),
        watchdog: microseconds.filter(|_| ours).map(Duration::from_micros),
    }
}

/// SIGHUP, each time.
fn hang_ups() -> mpsc::Receiver<()> {
    let (sender, receiver) = mpsc::channel(WAITING);
    match signal(SignalKind::hangup()) {
        Ok(mut hang_up) => drop(tokio::spawn(async move {
            while hang_up.recv().await.is_some() {
                // One that waits is as good as two.
                let _ = sender.try_send(());
            }
        })),
        Err(why) => {
            tracing::warn!(%why, "SIGHUP can't be taken; a changed file is noticed all the same")
        }
    }
    receiver
}

/// What the daemon is given.
struct Parts {
    config: PathBuf,
    environment: Environment,
    lineage: Option<Arc<Lineage>>,
    /// The configuration in use, for lineage.
    plan: RwLock<Option<Plan>>,
}

#[async_trait]
impl Ends for Parts {
    async fn connect(&self, job: &Job) -> Result<Connection> {
        let (source, destination) = (&job.plan.source, &job.plan.destination);
        Ok(Connection {
            options: salted(&job.plan, &*vault::open()).await?,
            source: registry::connect_source(&job.source.kind, job.source.settings.clone())
                .await
                .context(|| format!("source {source}"))?,
            destination: self.destination(destination, &job.destination).await?,
        })
    }

    async fn destination(&self, name: &str, end: &EndPlan) -> Result<Arc<dyn AnyDestination>> {
        registry::connect_destination(&end.kind, end.settings.clone())
            .await
            .context(|| format!("destination {name}"))
    }

    fn watch(&self, job: &Job, length: Until) -> Option<Box<dyn Watcher>> {
        let processing = match length {
            Until::Now => Processing::Batch,
            Until::Stopped => Processing::Streaming,
        };
        let plan = self.plan.read().unwrap_or_else(PoisonError::into_inner);
        let lineage = self.lineage.as_ref()?;
        let told = lineage.begin(plan.as_ref()?, &job.plan, processing);
        Some(Box::new(Told(told)))
    }

    fn summarize(&self, kind: &str, cursor: &Value) -> Option<CursorSummary> {
        registry::summarize(kind, cursor)
    }

    fn load(&self) -> Result<Plan, Problems> {
        let kinds = registry::kinds();
        let read = || tributary_config::load(&self.config, &self.environment, &kinds);
        let plan = read()?;
        *self.plan.write().unwrap_or_else(PoisonError::into_inner) = Some(read()?);
        Ok(plan)
    }

    fn stamp(&self) -> Option<Stamp> {
        let file = std::fs::metadata(&self.config).ok()?;
        Some((file.ino(), file.len(), file.modified().ok()))
    }
}

/// A run that lineage is told of.
struct Told(Tracked);

impl Observer for Told {
    fn notice(&self, event: &Event<'_>) {
        self.0.notice(event);
    }
}

impl Watcher for Told {
    fn end(self: Box<Self>, report: &SyncReport) {
        self.0.end(report);
    }
}
