//! Time passing: what was there before, and weeks of changes, the same for each seed.

use serde_json::json;

use super::Mailchimp;
use super::kind::{KINDS, Kind};
use crate::api::clock::DAY;

/// Records that come with a campaign, or once it is sent.
const SENT: [&str; 5] = [
    "campaign_content",
    "reports",
    "email_activity",
    "sent_to",
    "eepurl",
];

impl Mailchimp {
    /// Makes `count` records of each kind and of each owner, spread over the half year before `now`.
    pub fn populate(&mut self, count: usize, now: i64) {
        let from = now - 180 * DAY;
        let made = |kind: &&Kind| !SENT.contains(&kind.stream);
        let (first, mut rest): (Vec<&Kind>, Vec<&Kind>) = KINDS
            .iter()
            .filter(made)
            .partition(|kind| kind.owners.is_empty());
        rest.sort_by_key(|kind| kind.owners.len());
        for kind in first {
            self.fill(kind.stream, count, from, now - 120);
        }
        for index in 0..count {
            let at = from + i64::try_from(index).unwrap_or(0) * DAY;
            let campaign = self.send_campaign(count + 2, at);
            for (action, later) in [("open", 60), ("click", 90), ("click", 90), ("open", 120)] {
                self.react(&campaign, action, at + later);
            }
        }
        for kind in rest {
            self.fill(kind.stream, count, from, now - 120);
        }
    }

    /// Makes `count` changes that windows show, evenly from `from` on up to `to`.
    pub fn live(&mut self, count: usize, from: i64, to: i64) {
        for index in 0..count {
            let share = i64::try_from(index).unwrap_or(0) * (to - from);
            self.change(from + share / i64::try_from(count.max(1)).unwrap_or(1));
        }
    }

    fn change(&mut self, at: i64) {
        let chance = self.random.below(100);
        let word = format!("changed at {at}");
        match (chance, self.any("list_members"), self.any("reports")) {
            (0..25, Some(id), _) => {
                let tags = match at % 3 {
                    0 => json!([]),
                    1 => json!([{"id": 1, "name": "new"}]),
                    _ => json!([{"id": 1, "name": "new"}, {"id": 2, "name": word}]),
                };
                let fields = json!({"full_name": word, "tags_count": at % 3, "tags": tags});
                self.update("list_members", &id, at, fields);
            }
            (25..35, Some(id), _) => {
                let status = self
                    .random
                    .pick(&["unsubscribed", "archived", "subscribed"]);
                self.set_status(&id, status, at);
            }
            (35..65, _, Some(campaign)) => {
                let action = self.random.pick(&["open", "click"]);
                self.react(&campaign, action, at);
            }
            (65..70, _, _) => drop(self.send_campaign(4, at)),
            (70..80, _, _) => {
                if let Some(segment) = self.any("segments") {
                    self.update("segments", &segment, at, json!({ "name": word }));
                }
            }
            (80..85, _, Some(campaign)) => {
                self.create_in("campaign_feedback", &campaign, at);
            }
            _ => drop(self.create("list_members", at)),
        }
    }
}
