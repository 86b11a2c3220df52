//! Watches whether freshness objectives are met, and says when that changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::bus::Notice;
use crate::shared::Shared;
use crate::view::Freshness;

/// How each objective stood when it was last looked at.
#[derive(Debug, Default)]
pub(crate) struct Objectives(BTreeMap<String, Seen>);

#[derive(Clone, Copy, Debug)]
struct Seen {
    /// When it was first looked at: data that was never complete is as old as that at least.
    since: DateTime<Utc>,
    met: bool,
}

impl Objectives {
    /// Looks at all of them.
    pub(crate) fn look(&mut self, shared: &Arc<Shared>, now: DateTime<Utc>) {
        let mut seen = BTreeMap::new();
        for view in shared.board.all() {
            let Some(freshness) = view.freshness else {
                continue;
            };
            let before = self.0.get(&view.connection).copied();
            let since = before.map_or(now, |before| before.since);
            let oldest = view.complete_as_of.unwrap_or(since);
            let age = (now - oldest).as_seconds_f64().max(0.0);
            let met = age <= freshness.objective_seconds as f64;
            if before.is_some_and(|before| before.met != met) {
                tracing::info!(
                    connection = view.connection,
                    met,
                    age,
                    "freshness objective"
                );
                let age_seconds = view.complete_as_of.map(|_| age);
                shared.bus.tell(Notice::Freshness {
                    connection: view.connection.as_str().into(),
                    freshness: Freshness {
                        age_seconds,
                        met,
                        ..freshness
                    },
                });
            }
            seen.insert(view.connection.clone(), Seen { since, met });
        }
        self.0 = seen;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use chrono::TimeDelta;
    use tributary_model::now;

    use super::*;
    use crate::testing::{Fake, until};

    #[tokio::test]
    async fn a_change_is_told_once() {
        let yaml =
            "connections: {a: {source: s, destination: d, schedule: manual, freshness: 10m}}\n";
        let (shared, _fleet) = Fake::new(yaml).fleet().await;
        until(&shared, "a", |view| view.freshness.is_some()).await;
        let mut notices = shared.bus.subscribe();
        let mut objectives = Objectives::default();
        let begun = now();
        let mut look = |minutes: i64| {
            objectives.look(&shared, begun + TimeDelta::minutes(minutes));
            let told = std::iter::from_fn(|| notices.try_recv().ok());
            let met = told.filter_map(|notice| match notice {
                Notice::Freshness { freshness, .. } => Some(freshness.met),
                _ => None,
            });
            met.collect::<Vec<_>>()
        };
        assert_eq!(
            (look(0), look(9), look(11), look(12)),
            (vec![], vec![], vec![false], vec![])
        );
        shared.board.update("a", |view| {
            view.complete_as_of = Some(begun + TimeDelta::minutes(12));
        });
        assert_eq!((look(13), look(14)), (vec![true], vec![]));
    }
}
