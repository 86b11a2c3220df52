//! What is known of every connection, to be read at any time without waiting for a run.
//!
//! Invariant: locks are held for as long as it takes to clone or swap an `Arc`, never over an
//! await; so neither a reader nor a run ever waits for the other.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::view::ConnectionView;

/// One view for each connection, and how the configuration stands.
#[derive(Debug, Default)]
pub struct Board {
    connections: RwLock<BTreeMap<String, Arc<ConnectionView>>>,
    configuration: RwLock<Configuration>,
}

/// How the configuration in use came to be.
#[derive(Clone, Debug, Default)]
pub struct Configuration {
    /// When it was read.
    pub loaded_at: Option<DateTime<Utc>>,
    /// When a newer one was refused, if the file has not been valid since.
    pub refused_at: Option<DateTime<Utc>>,
    /// Every mistake in the newer one: `line`, `column`, `message`, `help`.
    pub problems: Vec<Value>,
    /// The same for people, with the lines at fault.
    pub text: String,
}

impl Board {
    /// Every connection by name, with what depends on the time filled in.
    #[must_use]
    pub fn connections(&self, now: DateTime<Utc>) -> Vec<ConnectionView> {
        let views = self.all();
        views.iter().map(|view| view.as_of(now)).collect()
    }

    /// One connection, with what depends on the time filled in.
    #[must_use]
    pub fn connection(&self, name: &str, now: DateTime<Utc>) -> Option<ConnectionView> {
        let connections = self.connections.read();
        let connections = connections.unwrap_or_else(PoisonError::into_inner);
        let view = connections.get(name).cloned();
        drop(connections);
        view.map(|view| view.as_of(now))
    }

    /// Every connection by name as it was written: without a copy.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<ConnectionView>> {
        let connections = self.connections.read();
        let connections = connections.unwrap_or_else(PoisonError::into_inner);
        connections.values().cloned().collect()
    }

    /// How the configuration stands.
    #[must_use]
    pub fn configuration(&self) -> Configuration {
        let configuration = self.configuration.read();
        configuration
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Puts a connection in its place, known or not.
    pub fn put(&self, view: ConnectionView) {
        let mut connections = self
            .connections
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        connections.insert(view.connection.clone(), Arc::new(view));
    }

    /// Forgets a connection.
    pub fn remove(&self, name: &str) {
        let mut connections = self
            .connections
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        connections.remove(name);
    }

    /// Changes what is known of a connection; one that has gone stays gone.
    pub fn update(&self, name: &str, change: impl FnOnce(&mut ConnectionView)) {
        let mut connections = self
            .connections
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(view) = connections.get_mut(name) {
            change(Arc::make_mut(view));
        }
    }

    pub(crate) fn set_configuration(&self, change: impl FnOnce(&mut Configuration)) {
        let mut configuration = self
            .configuration
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        change(&mut configuration);
    }
}
