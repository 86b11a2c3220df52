//! Tokens that replace each other, kept where every machine that runs a connection finds them.
//!
//! Invariant: once `put` returns, the secret survives a crash of this process. // G7

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::Row;
use tributary_model::{Result, Secret, Vault};

use super::Store;
use super::lead::key_of;

/// How often a name that somebody else holds is asked for.
const PAUSE: Duration = Duration::from_millis(250);

/// The vault of a control store on Postgres.
#[derive(Clone, Debug)]
pub struct StoreVault(Store);

impl Store {
    /// A vault in this store.
    #[must_use]
    pub fn vault(&self) -> StoreVault {
        StoreVault(self.clone())
    }
}

#[async_trait]
impl Vault for StoreVault {
    async fn get(&self, name: &str) -> Result<Option<Secret>> {
        let sql = "SELECT secret FROM tributary_vault WHERE name = $1";
        let row = sqlx::query(sql)
            .bind(name)
            .fetch_optional(&self.0.pool)
            .await;
        let row = self.0.note(row)?;
        Ok(row.map(|row| Secret::new(row.get::<String, _>(0))))
    }

    async fn put(&self, name: &str, secret: &Secret) -> Result<()> {
        let sql = "INSERT INTO tributary_vault (name, secret) VALUES ($1, $2) \
                   ON CONFLICT (name) DO UPDATE SET secret = excluded.secret";
        let query = sqlx::query(sql).bind(name).bind(secret.expose());
        self.0.note(query.execute(&self.0.pool).await.map(drop))
    }

    async fn hold(&self, name: &str) -> Result<Box<dyn Send + Sync>> {
        // The lock belongs to a connection of its own, and goes with it.
        let lock = "SELECT CASE WHEN pg_try_advisory_lock($1) THEN 1 ELSE 0 END";
        let held = self.0.pool.acquire().await;
        let mut held = self.0.note(held)?.detach();
        loop {
            let row = sqlx::query(lock)
                .bind(key_of(name))
                .fetch_one(&mut held)
                .await;
            if self.0.note(row)?.get::<i32, _>(0) == 1 {
                return Ok(Box::new(Mutex::new(held)));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
