//! A vault that a test can look into.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tributary_model::{Result, Secret, Vault};

/// Keeps secrets as long as the test lasts.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    kept: Mutex<BTreeMap<String, Secret>>,
    held: Arc<tokio::sync::Mutex<()>>,
}

impl Memory {
    pub(crate) fn all(&self) -> Vec<Secret> {
        self.kept
            .lock()
            .expect("nobody panicked")
            .values()
            .cloned()
            .collect()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.kept
            .lock()
            .expect("nobody panicked")
            .keys()
            .cloned()
            .collect()
    }
}

#[async_trait]
impl Vault for Memory {
    async fn get(&self, name: &str) -> Result<Option<Secret>> {
        Ok(self
            .kept
            .lock()
            .expect("nobody panicked")
            .get(name)
            .cloned())
    }

    async fn put(&self, name: &str, secret: &Secret) -> Result<()> {
        let mut kept = self.kept.lock().expect("nobody panicked");
        kept.insert(name.to_owned(), secret.clone());
        Ok(())
    }

    async fn hold(&self, _name: &str) -> Result<Box<dyn Send + Sync>> {
        Ok(Box::new(self.held.clone().lock_owned().await))
    }
}
