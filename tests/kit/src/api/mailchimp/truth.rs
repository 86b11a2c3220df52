//! What each table must hold.

use serde_json::{Value, json};
use tributary_model::Row;

use super::Mailchimp;
use super::kind;
use crate::api::shelf::{Record, State};
use crate::api::truth::Truth;

impl Mailchimp {
    /// What the table of a stream must hold.
    ///
    /// # Panics
    /// Panics where there is no such stream.
    #[must_use]
    pub fn truth(&self, stream: &str) -> Truth {
        let kind = kind::named(stream);
        if stream == "email_activity" {
            return self.truth_of_activity();
        }
        let owners = kind.owners.iter().map(|(_, field)| *field);
        let key: Vec<_> = owners.chain([kind.id.field()]).collect();
        let mut truth = Truth::keyed(&key);
        for record in self.records(stream) {
            match record.state {
                // Deleted for some, a status for others.
                State::Archived => truth.add_perhaps(as_row(&record.fields)),
                State::Live | State::Deleted => truth.add(as_row(&record.fields)),
            }
        }
        truth
    }

    /// A row for each thing that a reader did.
    fn truth_of_activity(&self) -> Truth {
        let key = ["campaign_id", "email_id", "action", "timestamp", "url"];
        let mut truth = Truth::keyed(&key);
        for mail in self.records("email_activity") {
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
    for name in ["send_time", "timestamp_opt", "timestamp_signup"] {
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
