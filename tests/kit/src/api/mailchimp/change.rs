//! What people do to audiences and campaigns, and what readers of mails do.

use serde_json::{Value, json};
use tributary_model::Row;

use super::kind::{self, Id};
use super::{Mailchimp, template};
use crate::api::clock::rfc3339;
use crate::api::shelf::{Record, State};
use crate::api::template::Filler;
use crate::random::Random;

impl Mailchimp {
    /// Makes a record of a kind, with owners by chance; returns what it is known by here.
    ///
    /// # Panics
    /// Panics where there is no such kind, or no owner yet.
    pub fn create(&mut self, stream: &str, now: i64) -> String {
        let owner = kind::named(stream).owners.last().map(|(owners, _)| {
            self.any(owners)
                .unwrap_or_else(|| panic!("{stream} need {owners}"))
        });
        let id = self.make(stream, owner.as_deref(), now, json!({}));
        if stream == "campaigns" {
            self.make("campaign_content", Some(&id), now, json!({}));
        }
        id
    }

    /// Makes a record of an owner, or of none.
    ///
    /// # Panics
    /// Panics where there is no such kind.
    pub fn create_in(&mut self, stream: &str, owner: &str, now: i64) -> String {
        self.make(stream, Some(owner), now, json!({}))
    }

    /// Makes `count` records of a kind, evenly from `from` on up to `to`.
    pub fn fill(&mut self, stream: &str, count: usize, from: i64, to: i64) {
        for index in 0..count {
            let share = i64::try_from(index).unwrap_or(0) * (to - from);
            self.create(
                stream,
                from + share / i64::try_from(count.max(1)).unwrap_or(1),
            );
        }
    }

    fn make(&mut self, stream: &str, owner: Option<&str>, now: i64, changes: Value) -> String {
        let kind = kind::named(stream);
        let own = changes
            .get(kind.id.field())
            .cloned()
            .unwrap_or_else(|| self.own_id(kind.id));
        let text = own.as_str().map_or_else(|| own.to_string(), str::to_owned);
        let id = owner.map_or_else(|| text.clone(), |owner| format!("{owner}/{text}"));
        let mut fields = Row::new();
        fields.insert(kind.id.field().to_owned(), own.clone());
        let ids = owner.into_iter().flat_map(|owner| owner.split('/'));
        for ((owners, field), id) in kind.owners.iter().zip(ids) {
            let number = matches!(kind::named(owners).id, Id::Number(_));
            let value = id.parse::<u64>().ok().filter(|_| number);
            fields.insert(
                (*field).to_owned(),
                value.map_or_else(|| json!(id), |n| json!(n)),
            );
        }
        let filled = self.filled(template(stream), now, owner);
        let fresh = filled
            .into_iter()
            .filter(|(name, _)| name != kind.id.field());
        fields.extend(fresh.collect::<Vec<_>>());
        if let Value::Object(changes) = changes {
            fields.extend(changes);
        }
        let record = Record {
            id: id.clone(),
            parent: owner.map(str::to_owned),
            made: now,
            touched: now,
            fields,
            state: State::Live,
        };
        self.shelves.add(kind.stream, record);
        id
    }

    fn own_id(&mut self, id: Id) -> Value {
        self.made += 1;
        match id {
            Id::Number(_) => json!(self.made),
            Id::Text(_) => json!(format!("{:010x}", 0x00aa_0000_0000 + self.made)),
            Id::Hash(_) => json!(format!("{:016x}{:016x}", self.random.next_u64(), self.made)),
        }
    }

    /// Changes a record; a member's or segment's time of change moves.
    ///
    /// # Panics
    /// Panics where there is no such record.
    pub fn update(&mut self, stream: &str, id: &str, now: i64, fields: Value) {
        let record = self.record_mut(stream, id);
        if let Value::Object(fields) = fields {
            record.fields.extend(fields);
        }
        for clock in ["last_changed", "updated_at"] {
            if record.fields.contains_key(clock) {
                record.set(clock, rfc3339(now));
            }
        }
        record.touched = now;
    }

    /// A member leaves or comes back: `subscribed`, `unsubscribed`, `cleaned`, `archived`.
    ///
    /// # Panics
    /// Panics where there is no such member.
    pub fn set_status(&mut self, member: &str, status: &str, now: i64) {
        self.update("list_members", member, now, json!({ "status": status }));
        let state = match status {
            "archived" => State::Archived,
            _ => State::Live,
        };
        self.record_mut("list_members", member).state = state;
    }

    /// A record vanishes, with everything that belongs to it.
    pub fn remove(&mut self, stream: &str, id: &str) {
        let below = format!("{id}/");
        for shelf in self.shelves.each() {
            let gone = |record: &&Record| {
                let owner = record.parent.as_deref().unwrap_or_default();
                owner == id || owner.starts_with(&below)
            };
            let ids: Vec<_> = shelf
                .iter()
                .filter(gone)
                .map(|record| record.id.clone())
                .collect();
            for id in ids {
                shelf.remove(&id);
            }
        }
        self.shelves.remove(kind::named(stream).stream, id);
        if stream == "campaigns" {
            self.remove("reports", id);
        }
    }

    /// Makes a campaign and sends it to members of a list; returns its id.
    ///
    /// # Panics
    /// Panics where there is no list yet.
    pub fn send_campaign(&mut self, recipients: usize, now: i64) -> String {
        let id = self.create("campaigns", now);
        let list = self.any("lists").expect("a list to send to");
        let sent = json!({"status": "sent", "send_time": rfc3339(now), "emails_sent": recipients});
        self.update("campaigns", &id, now, sent);
        let report = json!({"id": id, "list_id": list, "send_time": rfc3339(now),
            "emails_sent": recipients});
        self.make("reports", None, now, report);
        self.make("eepurl", Some(&id), now, json!({}));
        for _ in 0..recipients {
            let mail = self.filled(&json!({"email_address": "$email"}), now, None);
            let row = json!({"list_id": list, "list_is_active": true, "activity": [],
                "email_address": mail["email_address"]});
            self.make("email_activity", Some(&id), now, row);
            self.create_in("sent_to", &id, now);
        }
        id
    }

    /// A reader opens a mail, clicks in it, or it bounces: `open`, `click`, `bounce`.
    ///
    /// # Panics
    /// Panics where the campaign was sent to nobody.
    pub fn react(&mut self, campaign: &str, action: &str, now: i64) {
        let mails = self.shelves.of("email_activity");
        let mails: Vec<_> = mails
            .filter(|record| record.parent.as_deref() == Some(campaign))
            .map(|record| record.id.clone())
            .collect();
        let index = usize::try_from(self.random.below(mails.len() as u64)).unwrap_or(0);
        self.activities += 1;
        let link = self.activities % 3;
        let mut done = json!({"action": action, "timestamp": rfc3339(now), "ip": "192.0.2.1"});
        if action == "click" {
            done["url"] = json!(format!("https://example.com/{link}"));
        }
        let record = self.record_mut("email_activity", &mails[index]);
        let mut all = record
            .field("activity")
            .as_array()
            .cloned()
            .unwrap_or_default();
        // One reader does one thing once in a second.
        let same = |other: &Value| {
            (&other["action"], &other["timestamp"], &other["url"])
                == (&done["action"], &done["timestamp"], &done["url"])
        };
        if all.iter().any(same) {
            return;
        }
        all.push(done);
        record.set("activity", all);
        self.report(campaign, action, now);
    }

    fn report(&mut self, campaign: &str, action: &str, now: i64) {
        let report = self.record_mut("reports", campaign);
        let (group, last, total) = match action {
            "open" => ("opens", Some("last_open"), "opens_total"),
            "click" => ("clicks", Some("last_click"), "clicks_total"),
            _ => ("bounces", None, "hard_bounces"),
        };
        let mut counts = report.field(group).clone();
        counts[total] = json!(counts[total].as_u64().unwrap_or(0) + 1);
        if let Some(last) = last {
            counts[last] = json!(rfc3339(now));
        }
        report.set(group, counts);
    }

    /// Some record of a kind.
    pub fn any(&mut self, stream: &str) -> Option<String> {
        let mut random = self.random.clone();
        let found = self.shelves.some(stream, &mut random)?.id.clone();
        self.random = random;
        Some(found)
    }

    fn record_mut(&mut self, stream: &str, id: &str) -> &mut Record {
        self.shelves.get_mut(kind::named(stream).stream, id)
    }

    fn filled(&mut self, template: &Value, now: i64, owner: Option<&str>) -> Row {
        let mut random = self.random.clone();
        let refer = |kind: &str, random: &mut Random| {
            let found = self.shelves.some(kind, random);
            found.map_or(Value::Null, |record| record.field("id").clone())
        };
        let mut filler = Filler {
            random: &mut random,
            now,
            id: Value::Null,
            parent: owner.map_or(Value::Null, |owner| json!(owner)),
            refer: &refer,
        };
        let filled = filler.fill(template);
        self.random = random;
        filled.as_object().cloned().unwrap_or_default()
    }
}
