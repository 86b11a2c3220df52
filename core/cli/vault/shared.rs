//! Tokens that replace each other, kept in the control store on Postgres: where several machines run
//! the same connections, each must find the token that another was given last.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use tokio::sync::OnceCell;
use tributary_config::Plan;
use tributary_daemon::{Place, Store, StoreVault};
use tributary_model::{Result, Secret, Vault};

/// The store of this run of the program, once its configuration has named one on Postgres.
static SHARED: OnceLock<Arc<Shared>> = OnceLock::new();

/// A store that is opened when a token is asked for: most sources have none.
#[derive(Debug)]
struct Shared {
    place: Place,
    opened: OnceCell<StoreVault>,
}

/// Keeps tokens where the configuration says, from now on.
pub(crate) fn keep_as(plan: &Plan) {
    let written = plan.daemon.store.as_ref();
    if let Some(place @ Place::Postgres(_)) = written.map(Place::read) {
        SHARED.get_or_init(|| {
            Arc::new(Shared {
                place,
                opened: OnceCell::new(),
            })
        });
    }
}

/// The vault that several machines share, where there is one.
pub(super) fn open() -> Option<Arc<dyn Vault>> {
    let shared = SHARED.get()?.clone();
    Some(shared)
}

impl Shared {
    async fn opened(&self) -> Result<&StoreVault> {
        let open = || async { Ok(Store::open(self.place.clone()).await?.vault()) };
        self.opened.get_or_try_init(open).await
    }
}

#[async_trait]
impl Vault for Shared {
    async fn get(&self, name: &str) -> Result<Option<Secret>> {
        self.opened().await?.get(name).await
    }

    async fn put(&self, name: &str, secret: &Secret) -> Result<()> {
        self.opened().await?.put(name, secret).await
    }

    async fn hold(&self, name: &str) -> Result<Box<dyn Send + Sync>> {
        self.opened().await?.hold(name).await
    }
}
