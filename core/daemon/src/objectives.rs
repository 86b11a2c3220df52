//! Watches whether freshness objectives are met, and says when that changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::bus::Notice;
use crate::shared::Shared;

/// Whether each objective was met when it was last looked at.
#[derive(Debug, Default)]
pub(crate) struct Objectives(BTreeMap<String, bool>);

impl Objectives {
    /// Looks at all of them. The first look tells nothing: a connection may never have run.
    pub(crate) fn look(&mut self, shared: &Arc<Shared>, now: DateTime<Utc>) {
        let mut seen = BTreeMap::new();
        for view in shared.board.all() {
            let Some(freshness) = view.freshness else {
                continue;
            };
            let age = view
                .complete_as_of
                .map(|at| (now - at).as_seconds_f64().max(0.0));
            let met = age.is_some_and(|age| age <= freshness.objective_seconds as f64);
            let before = self.0.get(&view.connection).copied();
            if before.is_some_and(|before| before != met) {
                let freshness = crate::view::Freshness {
                    age_seconds: age,
                    met,
                    ..freshness
                };
                tracing::info!(connection = view.connection, met, "freshness objective");
                let connection = view.connection.as_str().into();
                shared.bus.tell(Notice::Freshness {
                    connection,
                    freshness,
                });
            }
            seen.insert(view.connection.clone(), met);
        }
        self.0 = seen;
    }
}
