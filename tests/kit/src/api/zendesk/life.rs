//! Time passing on a help desk: what was there before, and weeks of changes, the same for each seed.

use serde_json::json;

use super::Zendesk;
use super::kind::{KINDS, Kind, Paging};
use crate::api::clock::DAY;

/// Records that are made together with others only.
const BORN_WITH_OTHERS: [&str; 8] = [
    "deleted_tickets",
    "deleted_users",
    "ticket_metrics",
    "ticket_events",
    "ticket_audits",
    "ticket_comments",
    "ticket_metric_events",
    "user_identities",
];

impl Zendesk {
    /// Makes `count` records of each kind, spread over the twenty days before `now`.
    pub fn populate(&mut self, count: usize, now: i64) {
        let from = now - 20 * DAY;
        let mut done: Vec<&str> = Vec::new();
        let (orphans, children): (Vec<&Kind>, Vec<&Kind>) =
            KINDS.iter().partition(|kind| kind.parent.is_none());
        for kind in orphans.into_iter().chain(children) {
            if !done.contains(&kind.stream) && !BORN_WITH_OTHERS.contains(&kind.stream) {
                self.fill(kind.stream, count, from, now - 120);
                done.push(kind.stream);
            }
        }
    }

    /// Makes `count` changes that exports tell of, evenly from `from` on up to `to`.
    pub fn live(&mut self, count: usize, from: i64, to: i64) {
        let exported = |kind: &&Kind| {
            !matches!(kind.paging, Paging::Both | Paging::Pages | Paging::None)
                && !BORN_WITH_OTHERS.contains(&kind.stream)
        };
        let kinds: Vec<_> = KINDS
            .iter()
            .filter(exported)
            .map(|kind| kind.stream)
            .collect();
        for index in 0..count {
            let share = i64::try_from(index).unwrap_or(0) * (to - from);
            let at = from + share / i64::try_from(count.max(1)).unwrap_or(1);
            let stream = self.random.pick(&kinds);
            self.change(stream, at);
        }
    }

    fn change(&mut self, stream: &str, at: i64) {
        let chance = self.random.below(100);
        let some = self.any(stream).filter(|id| {
            let record = self.shelves.get(stream, id);
            record.is_some_and(|record| record.state == crate::api::shelf::State::Live)
        });
        let Some(id) = some else {
            self.create(stream, at);
            return;
        };
        match (stream, chance) {
            ("tickets", 0..25) => self.comment(&id, at),
            ("tickets", 25..35) => self.system_update(&id, at, json!({"has_incidents": true})),
            ("tickets", 35..42) => self.archive(&id, at),
            ("tickets" | "users" | "organizations", 42..50) => self.delete(stream, &id, at),
            (_, 50..75) => {
                let word = format!("changed at {at}");
                self.update(stream, &id, at, json!({"external_id": word}));
            }
            _ => drop(self.create(stream, at)),
        }
    }
}
