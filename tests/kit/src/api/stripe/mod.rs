//! Stripe: lists, events, and the traps between them.
//!
//! What the real one does and this one does too: lists come newest first in pages of at most 100;
//! events are written in the account's own API version whatever a request asks for, come in any
//! order within a second and a little late, and are gone after thirty days; some changes have no
//! event at all; the end of a subscription is called its deletion; parameters that a version does
//! not know are errors. Deliberately absent: everything that writes.

mod access;
mod account;
mod answer;
mod change;
mod collection;
mod effect;
mod error;
mod event;
mod features;
mod feed;
mod life;
mod list;
mod refusal;
mod render;
mod resource;
mod resources;
mod truth;
mod usage;
mod version;

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use serde_json::Value;

use self::access::{Key, Rights};
pub use self::account::Account;
use self::error::Failure;
pub use self::event::{DELAY, RETENTION};
pub use self::features::Feature;
pub use self::version::Version;
use super::exchange::{Reply, Request};
use super::limits::{Limit, Refusal};
use super::simulator::Vendor;

static TEMPLATES: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("objects.json")).expect("the templates are JSON")
});

/// The template of a kind.
fn template(stream: &str) -> &'static Value {
    let own = TEMPLATES.get(stream);
    let shared = || {
        stream
            .strip_prefix("treasury_")
            .and(TEMPLATES.get("treasury_flows"))
    };
    own.or_else(shared)
        .unwrap_or_else(|| panic!("{stream} have no template"))
}

/// Stripe, as one of its users sees it.
#[derive(Clone, Debug)]
pub struct Stripe {
    /// The user's own account.
    pub account: Account,
    /// Accounts that are connected to it, by id.
    pub connected: BTreeMap<String, Account>,
    /// A list whose cursors lead nowhere: each page is the first one again.
    pub stuck: Option<&'static str>,
    keys: BTreeMap<String, Key>,
    /// The version that was asked for last.
    asked: Option<Version>,
    seed: u64,
}

impl Stripe {
    /// An account with nothing in it, opened at `now`.
    #[must_use]
    pub fn new(seed: u64, now: i64) -> Self {
        let account = Account::new(&format!("acct_{seed}"), seed, now);
        Self {
            account,
            connected: BTreeMap::new(),
            stuck: None,
            keys: BTreeMap::new(),
            asked: None,
            seed,
        }
    }

    /// A key that may read everything.
    pub fn secret_key(&mut self) -> String {
        self.issue("sk", Rights::All)
    }

    /// A key that may read these streams only; `account` and `events` count as such.
    pub fn restricted_key(&mut self, streams: &[&str]) -> String {
        let streams = streams.iter().map(|&stream| stream.to_owned()).collect();
        self.issue("rk", Rights::Only(streams))
    }

    /// Makes a key worthless.
    pub fn revoke(&mut self, key: &str) {
        self.keys.remove(key);
    }

    /// Connects an empty account; returns its id.
    pub fn connect(&mut self, now: i64) -> String {
        let number = self.connected.len() + 1;
        let id = format!("acct_{}c{number}", self.seed);
        let account = Account::new(&id, self.seed + number as u64, now);
        self.connected.insert(id.clone(), account);
        id
    }

    /// The limits of the mode that the account is in.
    #[must_use]
    pub fn limits(&self) -> Vec<Limit> {
        let second = Duration::from_secs(1);
        let all = if self.account.livemode { 100 } else { 25 };
        vec![
            Limit::rate("global-rate", all, second),
            Limit::rate("endpoint-rate", 20, second).on("/v1/files*"),
        ]
    }

    fn issue(&mut self, prefix: &str, rights: Rights) -> String {
        let mode = if self.account.livemode {
            "live"
        } else {
            "test"
        };
        let text = self.account.id_for(&format!("{prefix}_{mode}"));
        let account = self.account.id.clone();
        self.keys.insert(text.clone(), Key { account, rights });
        text
    }
}

impl Vendor for Stripe {
    fn answer(&mut self, request: &Request, now: i64) -> Reply {
        let id = self.account.id_for("req");
        let mut reply = match self.stuck {
            Some(path) if path == request.path => self.respond_in_circles(request, now),
            Some(_) | None => self.respond(request, now),
        };
        reply = reply.with("request-id", id);
        if let Some(key) = request.header("idempotency-key") {
            reply = reply.with("idempotency-key", key);
        }
        reply
    }

    fn failure(&self, status: u16) -> Reply {
        Failure::planned(status)
            .reply()
            .with("request-id", "req_planned")
    }

    fn throttled(&self, refusal: Refusal) -> Reply {
        let reply = Failure::planned(429)
            .reply()
            .with("request-id", "req_throttled");
        let reply = reply.with("stripe-rate-limited-reason", refusal.limit);
        match refusal.wait {
            Some(wait) => reply.with("retry-after", wait),
            None => reply,
        }
    }

    fn expire_tokens(&mut self) {
        self.keys.clear();
    }
}

#[cfg(test)]
mod tests;
