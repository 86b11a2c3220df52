//! Where secrets are kept that a source is given while it runs, such as tokens that replace each
//! other.
//!
//! They are not part of the state: a destination may be read by many. // G8

use std::fmt;

use async_trait::async_trait;

use crate::{Result, Secret};

/// Keeps secrets by name, for one source.
#[async_trait]
pub trait Vault: fmt::Debug + Send + Sync {
    /// The secret of this name.
    async fn get(&self, name: &str) -> Result<Option<Secret>>;
    /// Keeps a secret in place of what there was; once this returns it survives a crash.
    async fn put(&self, name: &str, secret: &Secret) -> Result<()>;
    /// Waits until nobody else, in any process, holds this name. Dropping what is returned gives it
    /// back.
    async fn hold(&self, name: &str) -> Result<Box<dyn Send + Sync>>;
}
