//! Where alerts wait until they are posted, and what is remembered about what was told.
//!
//! Invariant: alerts and the memory they follow from are stored in one transaction. A daemon that is
//! killed before it has told nobody and remembers nothing; after it, it posts them when it is back.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tributary_model::Result;

/// Alerts that may wait for one webhook; the oldest give way, and that is said in the log. // G6
pub(crate) const MOST: u32 = 10_000;

/// An alert that waits for one webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// The alert's identity. Each webhook has its own.
    pub(crate) id: String,
    /// The name of the webhook.
    pub(crate) target: String,
    /// What is posted: the same each time.
    pub(crate) body: String,
    pub(crate) queued_at: DateTime<Utc>,
    /// When it is tried next.
    pub(crate) due_at: DateTime<Utc>,
    /// How often it was tried.
    pub(crate) tries: u32,
}

/// What a webhook was told about a connection, as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remembered {
    pub(crate) target: String,
    pub(crate) connection: String,
    pub(crate) memory: String,
}

/// The part of the control store that is for alerts.
#[async_trait]
pub(crate) trait Outbox: Send + Sync {
    /// Everything that is remembered.
    async fn remembered(&self) -> Result<Vec<Remembered>>;

    /// Remembers, and puts alerts among those that wait: both or neither.
    async fn put(&self, remembered: &Remembered, alerts: &[Waiting]) -> Result<()>;

    /// What is due for a webhook, the oldest first, `most` of it.
    async fn due(&self, target: &str, now: DateTime<Utc>, most: u32) -> Result<Vec<Waiting>>;

    /// When the next one is due.
    async fn next_due(&self) -> Result<Option<DateTime<Utc>>>;

    /// It need not be posted any more.
    async fn done(&self, id: &str) -> Result<()>;

    /// It was tried in vain once more, and is tried again at `due_at`; what waits for the same webhook
    /// is tried no earlier.
    async fn postpone(&self, waiting: &Waiting, due_at: DateTime<Utc>) -> Result<()>;

    /// Forgets what is kept for webhooks other than these.
    async fn keep_only(&self, targets: &[String]) -> Result<()>;
}
