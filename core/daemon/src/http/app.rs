//! What handlers are given.

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;
use tributary_config::Plan;
use tributary_model::Secret;

use crate::board::Board;
use crate::bus::Bus;
use crate::fleet::Fleet;
use crate::metrics::Metrics;
use crate::page::Shown;
use crate::shared::Shared;
use crate::store::Store;

/// What the daemon is up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It has not begun.
    Starting,
    /// It runs connections.
    Leading,
    /// Another daemon does.
    By,
    /// It lets runs finish.
    Draining,
}

/// What handlers are given; a clone is cheap.
#[derive(Clone)]
pub struct App(Arc<Site>);

struct Site {
    shared: Arc<Shared>,
    fleet: Arc<Fleet>,
    token: RwLock<Option<Secret>>,
    standing: RwLock<Standing>,
    stopping: watch::Sender<bool>,
}

impl App {
    pub(crate) fn new(shared: Arc<Shared>, fleet: Arc<Fleet>, plan: &Plan) -> Self {
        let app = Self(Arc::new(Site {
            shared,
            fleet,
            token: RwLock::default(),
            standing: RwLock::new(Standing::Starting),
            stopping: watch::Sender::new(false),
        }));
        app.set_token(plan);
        app
    }

    /// What is known of every connection.
    pub fn board(&self) -> &Board {
        &self.0.shared.board
    }

    /// What happens.
    pub fn bus(&self) -> &Bus {
        &self.0.shared.bus
    }

    /// What pages are made of.
    pub(crate) fn shown(&self) -> Shown {
        Shown {
            board: self.0.shared.board.clone(),
            bus: self.0.shared.bus.clone(),
            stopping: self.0.stopping.subscribe(),
        }
    }

    /// Ends what would otherwise go on for ever.
    pub(crate) fn stop(&self) {
        self.0.stopping.send_replace(true);
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.shared.metrics
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.shared.store
    }

    pub(crate) fn fleet(&self) -> &Fleet {
        &self.0.fleet
    }

    /// What a caller must show to change something; nothing can be changed where there is none.
    pub(crate) fn token(&self) -> Option<Secret> {
        let token = self.0.token.read();
        token.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_token(&self, plan: &Plan) {
        // An empty token would let in whoever shows nothing.
        let token = plan.daemon.token.clone();
        let token = token.filter(|token| !token.expose().is_empty());
        let mut own = self.0.token.write().unwrap_or_else(PoisonError::into_inner);
        *own = token;
    }

    pub(crate) fn standing(&self) -> Standing {
        *self
            .0
            .standing
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_standing(&self, standing: Standing) {
        let own = self.0.standing.write();
        *own.unwrap_or_else(PoisonError::into_inner) = standing;
    }
}
