//! What each table must hold.

use serde_json::{Value, json};
use tributary_model::Row;

use super::Mailchimp;
use super::kind::{self, Kind};
use crate::api::shelf::{Record, State};
use crate::api::truth::Truth;

impl Mailchimp {
    /// What the table of a stream must hold.
    ///
    /// # Panics
    /// Panics where there is no such stream.
    #[must_use]
    pub fn truth(&self, stream: &str) -> Truth {
        match stream {
            "email_activity" => return self.truth_of_activity(),
            "member_tags" => return self.truth_of_tags(),
            _ => {}
        }
        let kind = kind::named(stream);
        let owners = kind.owners.iter().map(|(_, field)| *field);
        let key: Vec<_> = owners.chain([kind.id.field()]).collect();
        // Signed anew for each answer.
        let mut truth = Truth::keyed(&key).ignoring(&["response_body_url"]);
        for record in self.shelves.of(stream) {
            match self.state_of(kind, record) {
                // Deleted for some, a status for others; and what belongs to someone who is.
                State::Archived => truth.add_perhaps(as_row(&record.fields)),
                State::Live | State::Deleted => truth.add(as_row(&record.fields)),
            }
        }
        truth
    }

    /// The state of a record, or of whom it belongs to.
    fn state_of(&self, kind: &Kind, record: &Record) -> State {
        let owner = kind.owners.last().zip(record.parent.as_deref());
        let owner = owner.and_then(|((owners, _), id)| self.shelves.get(owners, id));
        match owner.map(|owner| owner.state) {
            Some(State::Archived) => State::Archived,
            Some(State::Live | State::Deleted) | None => record.state,
        }
    }

    /// A row for each tag that a member has now.
    fn truth_of_tags(&self) -> Truth {
        let mut truth = Truth::keyed(&["list_id", "email_id", "id"]);
        let members = self.shelves.of("list_members");
        for member in members.filter(|member| member.state != State::Archived) {
            for tag in member.field("tags").as_array().into_iter().flatten() {
                let mut row = tag.as_object().cloned().unwrap_or_default();
                row.insert("list_id".to_owned(), member.field("list_id").clone());
                row.insert("email_id".to_owned(), member.field("id").clone());
                truth.add(row);
            }
        }
        truth
    }

    /// A row for each thing that a reader did.
    fn truth_of_activity(&self) -> Truth {
        let key = ["campaign_id", "email_id", "action", "timestamp", "url"];
        let mut truth = Truth::keyed(&key);
        for mail in self.shelves.of("email_activity") {
            for done in mail.field("activity").as_array().into_iter().flatten() {
                truth.add(activity(mail, done));
            }
        }
        truth
    }
}

/// A record as a row: an empty text that stands for no time is null.
pub(super) fn as_row(fields: &Row) -> Row {
    let mut row = fields.clone();
    let times = [
        "last_open",
        "published_time",
        "send_time",
        "timestamp_opt",
        "timestamp_signup",
    ];
    for name in times {
        if row.get(name).is_some_and(|value| value == "") {
            row.insert(name.to_owned(), Value::Null);
        }
    }
    row
}

fn activity(mail: &Record, done: &Value) -> Row {
    let mut row = done.as_object().cloned().unwrap_or_default();
    for name in ["campaign_id", "list_id", "email_id", "email_address"] {
        row.insert(name.to_owned(), mail.field(name).clone());
    }
    // What tells rows apart is never null.
    row.entry("url").or_insert(json!(""));
    row
}
