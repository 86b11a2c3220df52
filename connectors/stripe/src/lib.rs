//! Stripe: a manifest, and the few settings that are special about it.
//!
//! How Stripe is read stands in `manifest.yaml`; the engine that reads it is `tributary-rest`.

mod config;

use tributary_rest::Described;

pub use config::Config;

/// A Stripe account, or an account connected to it.
pub type Stripe = Described<Config>;
