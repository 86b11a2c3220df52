//! How another scheduler than the daemon runs a connection: what `tributary export` writes down.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::duration;

const RETRIES: u32 = 3;
const RETRY_DELAY: Duration = Duration::from_secs(60);

/// How Airflow or Kubernetes run a connection, see `tributary export`.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExportEntry {
    /// The longest a run may take before it is stopped; as long as it takes if not given.
    pub(crate) timeout: Option<duration::Duration>,
    /// How often a run that failed is tried again; 3 if not given.
    #[schemars(range(max = 100))]
    pub(crate) retries: Option<u32>,
    /// How long to wait before it is tried again, twice as long each time; 1m if not given.
    pub(crate) retry_delay: Option<duration::Duration>,
}

/// How another scheduler than the daemon runs a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempts {
    /// The longest a run may take.
    pub timeout: Option<Duration>,
    /// How often a run that failed is tried again.
    pub retries: u32,
    /// How long to wait before it is tried again, at first.
    pub retry_delay: Duration,
}

/// The choices for one connection, else those for all, else the defaults.
pub(crate) fn fill_in(own: Option<ExportEntry>, all: Option<ExportEntry>) -> Attempts {
    let (own, all) = (own.unwrap_or_default(), all.unwrap_or_default());
    let length = |length: duration::Duration| length.0;
    Attempts {
        timeout: own.timeout.or(all.timeout).map(length),
        retries: own.retries.or(all.retries).unwrap_or(RETRIES),
        retry_delay: own
            .retry_delay
            .or(all.retry_delay)
            .map_or(RETRY_DELAY, length),
    }
}
