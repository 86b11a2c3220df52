//! What each table must hold.

use serde_json::{Value, json};
use tributary_model::Row;

use super::Zendesk;
use super::kind;
use crate::api::shelf::{Record, State};
use crate::api::truth::Truth;

impl Zendesk {
    /// What the table of a stream must hold, once the last minute has passed.
    ///
    /// # Panics
    /// Panics where there is no such stream.
    #[must_use]
    pub fn truth(&self, stream: &str) -> Truth {
        match stream {
            "tags" => self.truth_by(stream, &["name"], &[]),
            "custom_objects" => self.truth_by(stream, &["key"], &[]),
            // The same as `custom_fields`.
            "tickets" => self.truth_by(stream, &["id"], &["fields", "metric_set"]),
            "ticket_comments" => self.truth_of_comments(),
            "ticket_events" => self.truth_by(stream, &["id"], &["child_events"]),
            "account_settings" => Truth::keyed(&["id"]),
            named => self.truth_by(named, &["id"], &[]),
        }
    }

    fn truth_by(&self, stream: &str, key: &[&'static str], ignored: &[&'static str]) -> Truth {
        let kind = kind::named(stream);
        let mut truth = Truth::keyed(key).ignoring(ignored);
        for record in self.shelves.of(stream) {
            let owner = kind.parent.zip(record.parent.as_deref());
            let orphan = owner.is_some_and(|(parents, id)| match self.shelves.get(parents, id) {
                Some(owner) => owner.state == State::Deleted,
                None => true,
            });
            match record.state {
                State::Live | State::Archived if !orphan => truth.add(record.fields.clone()),
                State::Live | State::Archived => truth.add_perhaps(last_known(record)),
                // A deleted ticket is gone; others are shown as deleted, in a way of their own.
                State::Deleted if stream == "tickets" => {}
                State::Deleted => truth.add_perhaps(record.fields.clone()),
            }
        }
        truth
    }

    /// What both roads to comments agree on: the events of tickets, and the tickets themselves.
    fn truth_of_comments(&self) -> Truth {
        let mut truth = Truth::keyed(&["id"]);
        for record in self.shelves.of("ticket_comments") {
            let row = comment(record);
            let ticket = record
                .parent
                .as_deref()
                .and_then(|id| self.shelves.get("tickets", id));
            match ticket.map(|ticket| ticket.state) {
                Some(State::Live | State::Archived) => truth.add(row),
                Some(State::Deleted) | None => truth.add_perhaps(row),
            }
        }
        truth
    }
}

fn comment(record: &Record) -> Row {
    let shared = [
        "id",
        "author_id",
        "body",
        "html_body",
        "public",
        "attachments",
        "created_at",
    ];
    let mut row: Row = shared
        .iter()
        .map(|name| ((*name).to_owned(), record.field(name).clone()))
        .collect();
    let ticket = record
        .parent
        .as_deref()
        .and_then(|id| id.parse::<u64>().ok());
    row.insert(
        "ticket_id".to_owned(),
        ticket.map_or(Value::Null, |id| json!(id)),
    );
    row
}

/// What is known of a record whose owner is gone: that it was there. What happened to it between the
/// last reading and the end nobody can tell any more.
fn last_known(record: &Record) -> Row {
    let names = ["id", "ticket_id", "user_id"];
    let known = names.iter().map(|name| (*name, record.field(name)));
    known
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .collect()
}
