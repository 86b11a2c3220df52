//! What is told: the document that docs/alerts.md describes.
//!
//! Invariant: built from the board's views only, which hold neither secrets nor values of rows. // G8

use chrono::{DateTime, Utc};
use serde::Serialize;
use tributary_config::AlertEvent;

use crate::view::{ConnectionView, ErrorView, SchemaChange};

/// One alert. Fields that do not belong to its event are left out.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Alert {
    /// The same for every time it is posted, and for no other alert.
    pub(crate) id: String,
    pub(crate) event: AlertEvent,
    pub(crate) connection: String,
    pub(crate) source: String,
    pub(crate) destination: String,
    /// When it was noticed.
    pub(crate) at: DateTime<Utc>,
    /// All of it in a sentence.
    pub(crate) summary: String,
    /// What is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<AlertEvent>,
    /// Since when it was so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) streams: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<ErrorView>,
    /// How old the data is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) age_seconds: Option<u64>,
    /// How old it may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limit_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rows_rejected: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) changes: Vec<SchemaChange>,
}

impl Alert {
    /// An alert about a connection, with nothing but its sentence.
    pub(super) fn new(
        event: AlertEvent,
        view: &ConnectionView,
        at: DateTime<Utc>,
        summary: String,
    ) -> Self {
        Self {
            id: uuid::Uuid::new_v4().to_string(),
            event,
            connection: view.connection.clone(),
            source: view.source.clone(),
            destination: view.destination.clone(),
            at,
            summary,
            after: None,
            since: None,
            streams: Vec::new(),
            error: None,
            age_seconds: None,
            limit_seconds: None,
            rows_rejected: None,
            changes: Vec::new(),
        }
    }
}
