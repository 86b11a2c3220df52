//! Who is told when something happens.

use std::collections::BTreeSet;
use std::time::Duration as Time;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tributary_model::{Secret, Selection};

use crate::duration::Duration;
use crate::error::{At, Issue};
use crate::interpolate::Filled;
use crate::path::{Path, section};

/// Something that is told.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum AlertEvent {
    /// A run failed, or streams of it did.
    Failed,
    /// What had been told is over.
    Recovered,
    /// The destination is further behind its source than `lag`.
    LagExceeded,
    /// A table's layout changed.
    SchemaChanged,
    /// Rows could not be loaded.
    RowsRejected,
    /// The connection's `freshness` is not met.
    ObjectiveMissed,
}

impl AlertEvent {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Failed,
        Self::Recovered,
        Self::LagExceeded,
        Self::SchemaChanged,
        Self::RowsRejected,
        Self::ObjectiveMissed,
    ];

    /// Its name, as in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Recovered => "recovered",
            Self::LagExceeded => "lag_exceeded",
            Self::SchemaChanged => "schema_changed",
            Self::RowsRejected => "rows_rejected",
            Self::ObjectiveMissed => "objective_missed",
        }
    }
}

/// What is posted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertFormat {
    /// A JSON document, as docs/alerts.md describes it.
    #[default]
    Json,
    /// What Slack's incoming webhooks take, and those that are like them.
    Slack,
}

/// A webhook.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AlertEntry {
    /// Where alerts are posted to. Addresses of webhooks are secrets.
    pub(crate) url: Secret,
    /// What is posted; `json` if not given.
    #[serde(default)]
    pub(crate) format: AlertFormat,
    /// The key of `Tributary-Signature`; nothing is signed if not given.
    pub(crate) secret: Option<Secret>,
    /// What is told; everything if not given.
    pub(crate) events: Option<Vec<AlertEvent>>,
    /// Of which connections: patterns as in `select`; of all if not given.
    #[serde(default)]
    pub(crate) connections: Vec<String>,
    /// How far a destination may be behind its source before `lag_exceeded`; never told if not given.
    pub(crate) lag: Option<Duration>,
}

/// A webhook, as meant.
#[derive(Clone, Debug)]
pub struct AlertPlan {
    /// Its name in the configuration.
    pub name: String,
    /// Where alerts are posted to.
    pub url: Secret,
    /// What is posted.
    pub format: AlertFormat,
    /// The key of the signature.
    pub secret: Option<Secret>,
    /// What is told.
    pub events: BTreeSet<AlertEvent>,
    /// Of which connections.
    pub connections: Selection,
    /// How far a destination may be behind.
    pub lag: Option<Time>,
}

/// Fills in what was left unsaid.
pub(crate) fn fill_in(name: String, entry: AlertEntry) -> AlertPlan {
    let events = entry.events.unwrap_or_else(|| AlertEvent::ALL.to_vec());
    AlertPlan {
        name,
        url: entry.url,
        format: entry.format,
        secret: entry.secret,
        events: events.into_iter().collect(),
        connections: Selection(entry.connections),
        lag: entry.lag.map(|lag| lag.0),
    }
}

/// Addresses that can't be posted to. They are secrets, so a schema must not look at them.
pub(crate) fn check(value: &Value, filled: &Filled) -> Vec<Issue> {
    let alerts = section(value, "alerts").into_iter().flatten();
    alerts
        .filter_map(|(name, entry)| {
            let at = Path::of(["alerts", name]).key("url");
            let address = entry.get("url")?.as_str()?;
            let wrong = !filled.touches(&at) && !can_be_posted_to(address);
            wrong.then(|| {
                Issue::new(
                    At::Value(at),
                    "an address is written like https://hooks.example.com/services/…",
                )
            })
        })
        .collect()
}

fn can_be_posted_to(text: &str) -> bool {
    let rest = ["https://", "http://"]
        .into_iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    rest.is_some_and(|rest| !rest.is_empty()) && !text.contains(char::is_whitespace)
}
