//! Tells people: webhooks that hear of failures, recoveries, lag, new layouts and rejected rows.
//!
//! `watch` decides what is to be told, `outbox` keeps it, `deliver` posts it. A task of its own does
//! so, woken by the bus and by the clock: nothing that moves data waits for it or knows of it.
//!
//! Invariant: an alert is posted at least once, under one id, however often the daemon is killed;
//! it is given up only after days, or when its receiver refuses it for good, and the log says so.
//! Deliberately absent: any other road than HTTP; receivers turn it into mail and pages.

mod alert;
mod deliver;
mod outbox;
mod shape;
mod sign;
#[cfg(test)]
mod tests;
mod watch;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{Notify, broadcast, watch as channel};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tributary_config::AlertPlan;
use tributary_model::{Result, StreamName, now};
use tributary_rest::Hook;

pub(crate) use outbox::{MOST, Outbox, Remembered, Waiting};

use crate::bus::Notice;
use crate::view::ConnectionView;
use crate::{Board, Bus};
use watch::Memory;

/// How often everything is looked at, whatever happens: ages grow without a notice.
const LOOK: Duration = Duration::from_secs(15);
/// What happens within this time is looked at together.
const GATHERED: Duration = Duration::from_millis(300);
/// How long to wait when the store can't be used.
const STORE_AWAY: Duration = Duration::from_secs(3);
/// The longest sleep between two looks at what waits.
const POST: Duration = Duration::from_secs(60);

/// What the task is made of.
struct Alerts {
    board: Arc<Board>,
    bus: Bus,
    outbox: Arc<dyn Outbox>,
    /// The webhooks of the configuration in use.
    targets: channel::Receiver<Targets>,
    /// True once the daemon ends.
    stopping: channel::Receiver<bool>,
}

/// Tells until the daemon ends. What is not posted by then is posted by the next one.
///
/// # Errors
/// Only if the task can't begin at all.
async fn run(alerts: Alerts) -> Result<()> {
    let hook = Hook::new()?;
    let mut stopping = alerts.stopping.clone();
    let queued = Notify::new();
    // Subscribed before the first look, so that nothing falls in between.
    let notices = alerts.bus.subscribe();
    let teller = Teller {
        alerts: &alerts,
        queued: &queued,
        memories: None,
        kept: None,
    };
    tokio::select! {
        () = teller.tell(notices) => {}
        () = post(&alerts, &hook, &queued) => {}
        // A sender that is gone has ended, too.
        _ = stopping.wait_for(|stopping| *stopping) => {}
    }
    Ok(())
}

/// Alerts that are being told, until it is dropped.
#[derive(Debug)]
pub(crate) struct Telling {
    targets: channel::Sender<Targets>,
    _stop: channel::Sender<bool>,
}

impl Telling {
    /// Begins; nothing waits for it.
    pub(crate) fn begin(
        board: Arc<Board>,
        bus: Bus,
        outbox: Arc<dyn Outbox>,
        targets: Vec<AlertPlan>,
    ) -> Self {
        let (targets, of_targets) = channel::channel(Arc::new(targets));
        let (stop, stopping) = channel::channel(false);
        let alerts = Alerts {
            board,
            bus,
            outbox,
            targets: of_targets,
            stopping,
        };
        tokio::spawn(async move {
            if let Err(error) = run(alerts).await {
                tracing::error!(%error, "no alerts are told");
            }
        });
        Self {
            targets,
            _stop: stop,
        }
    }

    /// Takes over the webhooks of a new configuration.
    pub(crate) fn configure(&self, targets: Vec<AlertPlan>) {
        self.targets.send_replace(Arc::new(targets));
    }
}

/// The key of what is remembered: the webhook and the connection.
type Key = (String, String);
type Targets = Arc<Vec<AlertPlan>>;

/// What is to be looked at.
enum Scope {
    Everything,
    Connections(BTreeSet<String>),
}

/// Looks at the board and puts what is to be told into the outbox.
struct Teller<'a> {
    alerts: &'a Alerts,
    /// Told when something was put there.
    queued: &'a Notify,
    /// What is remembered, once it was read.
    memories: Option<HashMap<Key, Memory>>,
    /// The webhooks that the outbox was last told of.
    kept: Option<Targets>,
}

impl Teller<'_> {
    async fn tell(mut self, mut notices: broadcast::Receiver<Notice>) {
        let mut scope = Scope::Everything;
        let mut whole = Instant::now();
        loop {
            if Instant::now() >= whole {
                scope = Scope::Everything;
                whole = Instant::now() + LOOK;
            }
            if let Err(error) = self.look(&scope).await {
                tracing::error!(%error, "alerts can't be kept; they are looked for again");
                // A store that failed may have taken it or not: what it remembers is read again.
                self.memories = None;
                sleep(STORE_AWAY).await;
                whole = Instant::now();
            }
            scope = gather(&mut notices, whole).await;
        }
    }

    /// Looks at connections, for every webhook that hears of them.
    async fn look(&mut self, scope: &Scope) -> Result<()> {
        let targets = self.alerts.targets.borrow().clone();
        let mut memories = match self.memories.take() {
            Some(memories) => memories,
            None => read(&*self.alerts.outbox).await?,
        };
        let kept = self.kept.as_ref();
        let is_new = kept.is_none_or(|kept| !Arc::ptr_eq(kept, &targets));
        if is_new {
            let names: Vec<String> = targets.iter().map(|target| target.name.clone()).collect();
            self.alerts.outbox.keep_only(&names).await?;
            memories.retain(|(target, _), _| names.contains(target));
            self.kept = Some(targets.clone());
        }
        let at = now();
        let board = &self.alerts.board;
        let views = match scope {
            _ if targets.is_empty() => Vec::new(),
            // A new webhook hears of everything from now on.
            _ if is_new => board.connections(at),
            Scope::Everything => board.connections(at),
            Scope::Connections(names) => {
                let names = names.iter();
                names
                    .filter_map(|name| board.connection(name, at))
                    .collect()
            }
        };
        for view in &views {
            for target in targets.iter().filter(|target| hears_of(target, view)) {
                self.look_at(target, view, &mut memories, at).await?;
            }
        }
        self.memories = Some(memories);
        Ok(())
    }

    async fn look_at(
        &self,
        target: &AlertPlan,
        view: &ConnectionView,
        memories: &mut HashMap<Key, Memory>,
        at: DateTime<Utc>,
    ) -> Result<()> {
        let key = (target.name.clone(), view.connection.clone());
        let known = memories.get(&key);
        let mut memory = known.cloned().unwrap_or_else(|| Memory::new(at));
        let found = watch::look(target, view, &mut memory, at);
        if known == Some(&memory) && found.is_empty() {
            return Ok(());
        }
        let waiting: Vec<Waiting> = (0..).zip(&found).map(|one| waits(target, one)).collect();
        let remembered = Remembered {
            target: key.0.clone(),
            connection: key.1.clone(),
            memory: serde_json::json!(memory).to_string(),
        };
        self.alerts.outbox.put(&remembered, &waiting).await?;
        memories.insert(key, memory);
        if !waiting.is_empty() {
            self.queued.notify_one();
        }
        Ok(())
    }
}

/// Waits until something happened, and a moment for more of it; or until everything is to be looked
/// at.
async fn gather(notices: &mut broadcast::Receiver<Notice>, whole: Instant) -> Scope {
    let mut names = BTreeSet::new();
    match timeout_at(whole, notices.recv()).await {
        Ok(Ok(notice)) => names.extend(about(&notice)),
        Ok(Err(RecvError::Lagged(_))) | Err(_) => return Scope::Everything,
        // The bus ends with the daemon.
        Ok(Err(RecvError::Closed)) => {
            tokio::time::sleep_until(whole).await;
            return Scope::Everything;
        }
    }
    sleep(GATHERED).await;
    loop {
        match notices.try_recv() {
            Ok(notice) => names.extend(about(&notice)),
            Err(TryRecvError::Lagged(_)) => return Scope::Everything,
            Err(TryRecvError::Empty | TryRecvError::Closed) => return Scope::Connections(names),
        }
    }
}

/// The connection that a notice is about.
fn about(notice: &Notice) -> Option<String> {
    match notice {
        Notice::Changed { connection }
        | Notice::Committed { connection, .. }
        | Notice::SchemaChanged { connection, .. }
        | Notice::Rejected { connection, .. }
        | Notice::Freshness { connection, .. }
        | Notice::Added { connection } => Some(connection.to_string()),
        Notice::RunStarted { run } | Notice::RunEnded { run, .. } => Some(run.connection.clone()),
        Notice::Removed { .. } | Notice::Reloaded | Notice::ReloadRefused { .. } => None,
    }
}

fn hears_of(target: &AlertPlan, view: &ConnectionView) -> bool {
    let name = StreamName::from(view.connection.clone());
    target.connections.contains(&name)
}

/// An alert for the outbox. Those of one moment keep their order: `place` milliseconds apart.
fn waits(target: &AlertPlan, (place, alert): (i64, &alert::Alert)) -> Waiting {
    Waiting {
        id: alert.id.clone(),
        target: target.name.clone(),
        body: shape::body(target.format, alert),
        queued_at: alert.at + TimeDelta::milliseconds(place),
        due_at: alert.at,
        tries: 0,
    }
}

async fn read(outbox: &dyn Outbox) -> Result<HashMap<Key, Memory>> {
    let remembered = outbox.remembered().await?;
    // What an older version remembered in another form is begun anew.
    let known = remembered.into_iter().filter_map(|one| {
        let memory = serde_json::from_str(&one.memory).ok()?;
        Some(((one.target, one.connection), memory))
    });
    Ok(known.collect())
}

/// Posts what waits, as soon as it is due.
async fn post(alerts: &Alerts, hook: &Hook, queued: &Notify) {
    loop {
        let targets = alerts.targets.borrow().clone();
        let pause = match deliver::deliver(hook, &*alerts.outbox, &targets).await {
            Ok(next) => next.map_or(POST, |next| (next - now()).to_std().unwrap_or_default()),
            Err(error) => {
                tracing::error!(%error, "alerts that wait can't be read or marked");
                STORE_AWAY
            }
        };
        // Woken early or not at all, it looks again.
        let pause = pause.clamp(deliver::BREATH, POST);
        let _ = timeout(pause, queued.notified()).await;
    }
}
