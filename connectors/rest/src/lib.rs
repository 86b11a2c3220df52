//! Any API: the manifest is a file of the user's own.

mod config;
mod rehearse;

use tributary_rest::Described;

pub use config::Config;
pub use rehearse::rehearse;
pub use tributary_rest::{Trial, Tried};

/// An API that its user has described.
pub type Rest = Described<Config>;
