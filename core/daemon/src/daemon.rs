//! The daemon from its start to its end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};
use tributary_config::{Plan, Problems};
use tributary_model::{Error, ErrorKind, Result, now};

use crate::alerts::Telling;
use crate::bus::Notice;
use crate::ends::{Ends, Job, Stamp};
use crate::fleet::Fleet;
use crate::http::{self, App, Standing};
use crate::look;
use crate::objectives::Objectives;
use crate::service::Supervisor;
use crate::shared::Shared;
use crate::store::{self, Lead, Store};

/// How often the file is looked at, and whether all is well.
const TICK: Duration = Duration::from_secs(1);
/// How often a lock in a database is looked at, in ticks.
const LEAD_TICKS: u64 = 5;

/// What the daemon is started with.
pub struct Setup {
    /// Connectors by name, and the configuration.
    pub ends: Arc<dyn Ends>,
    /// The configuration as of now.
    pub plan: Plan,
    /// Where the control store is kept if the configuration does not say.
    pub folder: Option<PathBuf>,
    /// Whoever started it.
    pub supervisor: Supervisor,
    /// Says that the configuration is to be read again.
    pub reload: mpsc::Receiver<()>,
}

/// Runs until `stop` is ready, then lets every run finish what it can.
///
/// # Errors
/// What keeps it from starting: the address, or the control store.
pub async fn run(setup: Setup, stop: impl Future<Output = ()>) -> Result<()> {
    let listener = bind(&setup.plan).await?;
    let shown = listener.local_addr().unwrap_or(setup.plan.daemon.listen);
    let place = store::place_of(setup.plan.daemon.store.as_ref(), setup.folder.as_deref());
    if matches!(place, store::Place::Memory) {
        tracing::warn!("no place for the control store: history and pauses end with this process");
    }
    let store = Store::open(place).await?;
    let shared = Arc::new(Shared::new(setup.ends.clone(), store, &setup.plan));
    shared
        .board
        .set_configuration(|it| it.loaded_at = Some(now()));
    let fleet = Arc::new(Fleet::new(shared.clone()));
    let app = App::new(shared.clone(), fleet.clone(), &setup.plan);
    let mut daemon = Daemon {
        stamp: setup.ends.stamp(),
        objectives: Objectives::default(),
        plan: setup.plan,
        supervisor: setup.supervisor,
        reload: setup.reload,
        shared,
        fleet,
        app,
        telling: None,
    };
    // Whoever asks from the first moment on is told of every connection.
    let lead = daemon.shared.store.try_lead().await.ok().flatten();
    if lead.is_some() {
        daemon.begin().await;
    }
    let server = http::serve(listener, daemon.app.clone());
    tracing::info!(page = %format!("http://{shown}/"), "listening");
    daemon.supervisor.tell("READY=1");
    daemon.live(lead, stop).await;
    daemon.end().await;
    daemon.app.stop();
    server.stop().await;
    Ok(())
}

async fn bind(plan: &Plan) -> Result<TcpListener> {
    let address = plan.daemon.listen;
    TcpListener::bind(address).await.map_err(|why| {
        Error::new(ErrorKind::Config, format!("can't listen on {address}"))
            .because(why)
            .fix("End whoever does, such as another daemon, or change `daemon.listen`.")
    })
}

struct Daemon {
    plan: Plan,
    stamp: Option<Stamp>,
    objectives: Objectives,
    supervisor: Supervisor,
    reload: mpsc::Receiver<()>,
    shared: Arc<Shared>,
    fleet: Arc<Fleet>,
    app: App,
    /// Alerts, as long as it leads.
    telling: Option<Telling>,
}

impl Daemon {
    /// Leads as long as it may, and stands by otherwise.
    async fn live(&mut self, mut lead: Option<Lead>, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        loop {
            let mut lead = match lead.take() {
                Some(lead) => lead,
                None => {
                    let lead = tokio::select! {
                        lead = self.stand_by() => lead,
                        () = &mut stop => return,
                    };
                    self.begin().await;
                    lead
                }
            };
            tokio::select! {
                () = self.lead(&mut lead) => {}
                () = &mut stop => return,
            }
            tracing::error!("another daemon has taken over");
            self.app.set_standing(Standing::By);
            self.telling = None;
            self.fleet.drain(self.plan.daemon.drain).await;
        }
    }

    /// Waits until nobody else leads.
    async fn stand_by(&mut self) -> Lead {
        let store = self.shared.store.clone();
        self.app.set_standing(Standing::By);
        self.supervisor.tell("STATUS=standing by");
        tracing::info!(store = %store.place(), "another daemon uses the control store: standing by");
        let mut pulse = tokio::time::interval(TICK);
        let mut leading = std::pin::pin!(store.lead());
        loop {
            tokio::select! {
                lead = &mut leading => return lead,
                _ = pulse.tick() => self.supervisor.tell("WATCHDOG=1"),
            }
        }
    }

    /// Starts every connection.
    async fn begin(&mut self) {
        let history = self.shared.store.histories().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "nothing is remembered");
            Default::default()
        });
        let jobs = Job::all(&self.plan);
        let (count, store) = (jobs.len(), self.shared.store.place());
        tracing::info!(connections = count, workers = self.plan.daemon.workers, %store, "started");
        self.supervisor.tell(&format!("STATUS={count} connections"));
        self.telling = Some(Telling::begin(
            self.shared.board.clone(),
            self.shared.bus.clone(),
            Arc::new(self.shared.store.clone()),
            self.plan.alerts.clone(),
        ));
        self.fleet.apply(jobs, history);
        self.app.set_standing(Standing::Leading);
        tokio::spawn(look::look(self.shared.clone(), self.fleet.jobs()));
    }

    /// Looks after everything until somebody else leads.
    async fn lead(&mut self, lead: &mut Lead) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut count: u64 = 0;
        let mut told = Instant::now();
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                Some(()) = self.reload.recv() => {
                    tracing::info!("asked to read the configuration again");
                    self.stamp = self.shared.ends.stamp();
                    self.read_again().await;
                    continue;
                }
            }
            count += 1;
            if self
                .supervisor
                .pulse()
                .is_some_and(|pulse| told.elapsed() + TICK > pulse)
            {
                self.supervisor.tell("WATCHDOG=1");
                told = Instant::now();
            }
            self.fleet.mend();
            self.objectives.look(&self.shared, now());
            self.look_at_file().await;
            if count.is_multiple_of(LEAD_TICKS) && !self.still_leads(lead).await {
                return;
            }
        }
    }

    /// A database that is away takes nothing over: only somebody else who holds the lock does.
    async fn still_leads(&self, lead: &mut Lead) -> bool {
        if lead.holds().await {
            return true;
        }
        match self.shared.store.try_lead().await {
            Ok(Some(again)) => {
                *lead = again;
                true
            }
            Ok(None) => false,
            Err(error) => {
                tracing::warn!(%error, "the control store is away; connections go on");
                true
            }
        }
    }

    async fn look_at_file(&mut self) {
        let stamp = self.shared.ends.stamp();
        // A file that is not there is being replaced.
        if stamp.is_some() && stamp != self.stamp {
            self.stamp = stamp;
            tracing::info!("the configuration has changed");
            self.read_again().await;
        }
    }

    /// Takes a new configuration over, or refuses it whole.
    async fn read_again(&mut self) {
        self.supervisor.tell("RELOADING=1");
        let ends = self.shared.ends.clone();
        let read = tokio::task::spawn_blocking(move || ends.load()).await;
        match read {
            Ok(Ok(plan)) => self.take_over(plan).await,
            Ok(Err(problems)) => self.refuse(&problems),
            Err(why) => tracing::error!(%why, "the configuration could not be read"),
        }
        self.supervisor.tell("READY=1");
    }

    async fn take_over(&mut self, plan: Plan) {
        let (old, new) = (&self.plan.daemon, &plan.daemon);
        let store = |daemon: &tributary_config::Daemon| {
            daemon.store.as_ref().map(|store| store.expose().to_owned())
        };
        if old.listen != new.listen || store(old) != store(new) {
            tracing::warn!(
                "`daemon.listen` and `daemon.store` take effect when it is started again"
            );
        }
        self.shared.configure(&self.plan, &plan);
        if let Some(telling) = &self.telling {
            telling.configure(plan.alerts.clone());
        }
        self.app.set_token(&plan);
        let history = self.shared.store.histories().await.unwrap_or_default();
        self.fleet.apply(Job::all(&plan), history);
        self.plan = plan;
        self.shared.board.set_configuration(|it| {
            *it = crate::board::Configuration {
                loaded_at: Some(now()),
                ..Default::default()
            };
        });
        tracing::info!("the new configuration is in use");
        self.shared.bus.tell(Notice::Reloaded);
    }

    fn refuse(&self, problems: &Problems) {
        let text = problems.to_string();
        tracing::error!("the new configuration is refused, the old one stays in use: {text}");
        self.shared.board.set_configuration(|it| {
            it.refused_at = Some(now());
            it.problems = problems
                .problems
                .iter()
                .filter_map(|problem| serde_json::to_value(problem).ok())
                .collect();
            it.text.clone_from(&text);
        });
        self.shared.bus.tell(Notice::ReloadRefused {
            problems: text.into(),
        });
    }

    /// Lets every run finish what it can.
    async fn end(&mut self) {
        self.supervisor.tell("STOPPING=1");
        self.app.set_standing(Standing::Draining);
        let bound = self.plan.daemon.drain;
        tracing::info!(
            seconds = bound.as_secs_f64(),
            "stopping: runs finish what they can"
        );
        match self.fleet.drain(bound).await {
            0 => tracing::info!("stopped; what was committed stays, the rest is read next time"),
            late => tracing::warn!(late, "stopped; some runs were cut off, and lose nothing"),
        }
    }
}
