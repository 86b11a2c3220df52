//! Zendesk Support: a manifest, and the few settings that are special about it.
//!
//! How Zendesk is read stands in `manifest.yaml`; the engine that reads it is `tributary-rest`.

mod config;

use tributary_rest::Described;

pub use config::Config;

/// A help desk.
pub type Zendesk = Described<Config>;
