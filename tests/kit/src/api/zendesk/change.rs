//! What people, and the system, do to a help desk.

use serde_json::{Value, json};
use tributary_model::Row;

use super::kind::{self, Clock};
use super::{Zendesk, template};
use crate::api::clock::rfc3339;
use crate::api::shelf::{Record, State};
use crate::api::template::Filler;
use crate::random::Random;

impl Zendesk {
    /// Makes a record of a kind, with a parent by chance where it needs one; returns its id.
    ///
    /// # Panics
    /// Panics where there is no such kind, or no parent yet.
    pub fn create(&mut self, stream: &str, now: i64) -> String {
        let parent = kind::named(stream).parent.map(|parents| {
            self.any(parents)
                .unwrap_or_else(|| panic!("{stream} need {parents}"))
        });
        self.make(stream, parent, now, json!({}))
    }

    /// Makes a record whose fields are what the template says, and then what `fields` says.
    ///
    /// # Panics
    /// Panics where there is no such kind.
    pub fn create_with(&mut self, stream: &str, now: i64, fields: Value) -> String {
        self.make(stream, None, now, fields)
    }

    /// Makes a record that belongs to `parent`.
    ///
    /// # Panics
    /// Panics where there is no such kind.
    pub fn create_in(&mut self, stream: &str, parent: &str, now: i64) -> String {
        self.make(stream, Some(parent.to_owned()), now, json!({}))
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

    fn make(&mut self, stream: &str, parent: Option<String>, now: i64, changes: Value) -> String {
        let id = self.add(stream, parent, now, changes);
        match stream {
            "tickets" => {
                self.add("ticket_metrics", Some(id.clone()), now, json!({}));
                self.add("ticket_metric_events", Some(id.clone()), now, json!({}));
                self.audit(&id, now, Said::Comment);
            }
            "users" => {
                self.add("user_identities", Some(id.clone()), now, json!({}));
            }
            _ => {}
        }
        id
    }

    /// Adds a record and nothing else.
    fn add(&mut self, stream: &str, parent: Option<String>, now: i64, changes: Value) -> String {
        let kind = kind::named(stream);
        let id = self.next_id(stream, &changes);
        let shown = match &parent {
            Some(parent) => number_or_text(parent),
            None => Value::Null,
        };
        let mut fields = Row::new();
        if stream != "tags" && stream != "custom_objects" {
            fields.insert("id".to_owned(), number_or_text(&id));
        }
        fields.extend(self.filled(template(stream), &id, shown.clone(), now));
        match stream {
            "ticket_metrics" => drop(fields.insert("ticket_id".to_owned(), shown)),
            "user_identities" => drop(fields.insert("user_id".to_owned(), shown)),
            "tags" => drop(fields.insert("name".to_owned(), json!(id))),
            "custom_objects" => drop(fields.insert("key".to_owned(), json!(id))),
            "tickets" => drop(fields.insert("generated_timestamp".to_owned(), json!(now))),
            _ => {}
        }
        show_times(kind.clock, &mut fields, now);
        if let Value::Object(changes) = changes {
            fields.extend(changes);
        }
        let record = Record {
            id: id.clone(),
            parent,
            made: now,
            touched: now,
            fields,
            state: State::Live,
        };
        self.shelves.add(kind.stream, record);
        id
    }

    fn next_id(&mut self, stream: &str, changes: &Value) -> String {
        if let Some(id) = changes.get("id") {
            return id.as_str().map_or_else(|| id.to_string(), str::to_owned);
        }
        self.made += 1;
        match stream {
            "side_conversations" => format!("8566255a-ece5-11e8-857d-{:012}", self.made),
            "tags" => format!("tag_{}", self.made),
            "custom_objects" => format!("object_{}", self.made),
            "custom_object_records" | "queues" | "account_attributes" | "job_statuses" => {
                format!("R{}", 360_000_000_000 + self.made)
            }
            // Numbers that need more than 32 bits.
            _ => (360_000_000_000 + self.made).to_string(),
        }
    }

    /// Someone changes a ticket's or another record's fields.
    ///
    /// # Panics
    /// Panics where there is no such record.
    pub fn update(&mut self, stream: &str, id: &str, now: i64, fields: Value) {
        let shows = kind::named(stream).clock == Clock::Both;
        let record = self.record_mut(stream, id);
        if let Value::Object(fields) = fields {
            record.fields.extend(fields);
        }
        record.touched = now;
        if shows {
            record.set("updated_at", rfc3339(now));
        }
        if stream == "tickets" {
            record.set("generated_timestamp", now);
            self.audit(id, now, Said::Change);
            self.measure(id, now);
        }
    }

    /// The system changes a ticket: an automation, a computed field. Only the export tells.
    ///
    /// # Panics
    /// Panics where there is no such ticket.
    pub fn system_update(&mut self, ticket: &str, now: i64, fields: Value) {
        let record = self.record_mut("tickets", ticket);
        if let Value::Object(fields) = fields {
            record.fields.extend(fields);
        }
        record.touched = now;
        record.set("generated_timestamp", now);
    }

    /// Someone answers a ticket.
    pub fn comment(&mut self, ticket: &str, now: i64) {
        self.update("tickets", ticket, now, json!({"status": "open"}));
        self.audit(ticket, now, Said::Comment);
    }

    /// Someone deletes a record, and the vendor still shows that it was there.
    ///
    /// # Panics
    /// Panics where there is no such record.
    pub fn delete(&mut self, stream: &str, id: &str, now: i64) {
        let record = self.record_mut(stream, id);
        record.state = State::Deleted;
        record.touched = now;
        record.set("updated_at", rfc3339(now));
        match stream {
            "tickets" => {
                record.set("generated_timestamp", now);
                record.set("status", "deleted");
                for name in ["subject", "raw_subject", "description"] {
                    record.set(name, "SCRUBBED");
                }
            }
            "users" => drop(record.set("active", false)),
            "organizations" => drop(record.set("deleted_at", rfc3339(now))),
            "groups" => drop(record.set("deleted", true)),
            "brands" => drop(record.set("is_deleted", true)),
            _ => drop(self.purge(stream, id)),
        }
    }

    /// A record vanishes, and nothing tells that it was there.
    pub fn purge(&mut self, stream: &str, id: &str) -> bool {
        let stream = kind::named(stream).stream;
        self.shelves.remove(stream, id).is_some()
    }

    /// A closed ticket leaves the ordinary lists.
    ///
    /// # Panics
    /// Panics where there is no such ticket.
    pub fn archive(&mut self, ticket: &str, now: i64) {
        self.update("tickets", ticket, now, json!({"status": "closed"}));
        self.record_mut("tickets", ticket).state = State::Archived;
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

    fn measure(&mut self, ticket: &str, now: i64) {
        let mut all = self.shelves.of("ticket_metrics");
        let metrics = all.find(|metrics| metrics.parent.as_deref() == Some(ticket));
        let Some(id) = metrics.map(|metrics| metrics.id.clone()) else {
            return;
        };
        drop(all);
        let record = self.record_mut("ticket_metrics", &id);
        let replies = record.field("replies").as_u64().unwrap_or(0) + 1;
        record.set("replies", replies);
        record.set("updated_at", rfc3339(now));
        record.touched = now;
    }

    /// What was done to a ticket, as its audits, comments and events tell it.
    fn audit(&mut self, ticket: &str, now: i64, said: Said) {
        let (audit, child) = (self.next_number(), self.next_number());
        let text = self.filled(
            &json!({"text": "$text", "author": "$ref:users"}),
            "",
            Value::Null,
            now,
        );
        let (body, author) = (text["text"].clone(), text["author"].clone());
        let (id, at) = (number_or_text(ticket), rfc3339(now));
        let via = json!({"channel": "web", "source": {"from": {}, "rel": null, "to": {}}});
        let mut happened = json!({"id": child, "type": "Change", "field_name": "status",
            "value": "open", "previous_value": "new"});
        let mut told = json!({"id": child, "event_type": "Change", "via": "Web form",
            "via_reference_id": null, "status": "open", "previous_value": "new"});
        if said == Said::Comment {
            let comment = json!({"id": child, "type": "Comment", "author_id": author, "body": body,
                "html_body": body, "plain_body": body, "public": true, "attachments": [],
                "audit_id": audit, "via": via, "created_at": at, "metadata": {}});
            happened = comment.clone();
            told = json!({"id": child, "event_type": "Comment", "type": "Comment", "body": body,
                "html_body": body, "author_id": author, "public": true, "attachments": [],
                "comment_present": true, "comment_public": true, "via": via,
                "via_reference_id": 5, "created_at": at});
            self.note("ticket_comments", child, Some(ticket), now, comment);
        }
        let whole = json!({"id": audit, "ticket_id": id, "created_at": at, "author_id": author,
            "metadata": {"system": {"client": "x"}}, "events": [happened], "via": via});
        self.note("ticket_audits", audit, Some(ticket), now, whole);
        let event = json!({"id": audit, "ticket_id": id, "timestamp": now, "created_at": at,
            "updater_id": author, "via": "Web form", "system": {"location": null},
            "event_type": "Audit", "child_events": [told]});
        self.note("ticket_events", audit, None, now, event);
    }

    fn note(&mut self, stream: &'static str, id: u64, parent: Option<&str>, now: i64, row: Value) {
        let Value::Object(fields) = row else {
            unreachable!("an object was written");
        };
        let record = Record {
            id: id.to_string(),
            parent: parent.map(str::to_owned),
            made: now,
            touched: now,
            fields,
            state: State::Live,
        };
        self.shelves.add(stream, record);
    }

    fn next_number(&mut self) -> u64 {
        self.made += 1;
        360_000_000_000 + self.made
    }

    fn filled(&mut self, template: &Value, id: &str, parent: Value, now: i64) -> Row {
        let mut random = self.random.clone();
        let refer = |kind: &str, random: &mut Random| {
            let found = self.shelves.some(kind, random);
            found.map_or(Value::Null, |record| number_or_text(&record.id))
        };
        let mut filler = Filler {
            random: &mut random,
            now,
            id: number_or_text(id),
            parent,
            refer: &refer,
        };
        let filled = filler.fill(template);
        self.random = random;
        filled.as_object().cloned().unwrap_or_default()
    }
}

/// What someone did to a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Comment,
    Change,
}

fn number_or_text(id: &str) -> Value {
    id.parse::<u64>()
        .map_or_else(|_| json!(id), |number| json!(number))
}

fn show_times(clock: Clock, fields: &mut Row, now: i64) {
    let at = json!(rfc3339(now));
    match clock {
        Clock::Both => {
            fields.insert("created_at".to_owned(), at.clone());
            fields.insert("updated_at".to_owned(), at);
        }
        Clock::Created => {
            fields.insert("created_at".to_owned(), at);
            fields.insert("updated_at".to_owned(), Value::Null);
        }
        Clock::Time => drop(fields.insert("time".to_owned(), at)),
        Clock::None => {}
    }
}
