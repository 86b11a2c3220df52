//! The log of events: what happened, with the object as it was then.
//!
//! Events of one second come in no particular order, and one can be seen a few seconds after the
//! change that it tells of, as the real log behaves.

use serde_json::{Value, json};
use tributary_model::Row;

use super::account::Account;
use super::collection::Object;
use crate::api::clock::DAY;

/// How long an event can be read.
pub const RETENTION: i64 = 30 * DAY;
/// The seconds after which every event can be seen.
pub const DELAY: i64 = 6;

impl Account {
    /// Writes an event; returns its id.
    pub(super) fn emit(&mut self, kind: &str, object: Row, before: Row, now: i64) -> String {
        let id = self.id_for("evt");
        let mut data = json!({"object": object});
        if !before.is_empty() {
            data["previous_attributes"] = Value::Object(before);
        }
        let event = json!({
            "id": id,
            "object": "event",
            "api_version": self.version.text(),
            "created": now,
            "data": data,
            "livemode": self.livemode,
            "pending_webhooks": self.random.below(2),
            "request": {"id": null, "idempotency_key": null},
            "type": kind,
        });
        let Value::Object(fields) = event else {
            unreachable!("an object was written");
        };
        let rank = scatter(&id);
        let event = Object {
            id: id.clone(),
            made: now,
            parent: None,
            fields,
            hidden: Default::default(),
        };
        self.events.insert(event, rank);
        id
    }

    /// How many events were ever written.
    #[must_use]
    pub fn events(&self) -> usize {
        self.events.len()
    }
}

/// What became of an event by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    /// It happened, and can't be seen yet.
    Hidden,
    Visible,
    /// Its time is over.
    Aged,
}

pub(super) fn age(event: &Object, now: i64) -> Age {
    if now - event.made > RETENTION {
        return Age::Aged;
    }
    let delay = i64::try_from(scatter(&event.id) % DELAY.unsigned_abs()).unwrap_or(0);
    if now < event.made + delay {
        Age::Hidden
    } else {
        Age::Visible
    }
}

/// A number that looks like chance, and is the same for the same text: FNV-1a.
fn scatter(text: &str) -> u64 {
    text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    })
}
