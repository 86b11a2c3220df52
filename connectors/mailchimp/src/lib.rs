//! Mailchimp Marketing: a manifest, its settings, and the question where an account's data is.
//!
//! How Mailchimp is read stands in `manifest.yaml`; the engine that reads it is `tributary-rest`. An
//! API key names its data centre; the owner of an OAuth token has to be asked for theirs, once.

mod config;
mod data_center;

use tributary_rest::Described;

pub use config::Config;

/// A Mailchimp account.
pub type Mailchimp = Described<Config>;
