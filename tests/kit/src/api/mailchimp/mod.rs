//! Mailchimp Marketing: audiences, campaigns, and the traps between them.
//!
//! What the real one does and this one does too: offsets count in a set that changes under the
//! reader; `since` excludes its second and `before` includes it; members who were archived are in
//! no list that does not ask for them; a count may be wrong; an empty text stands for no time;
//! an invalid OAuth token is answered with 200; ten connections at once are the limit.
//! Deliberately absent: everything that writes, and batches.

mod change;
mod fields;
mod kind;
mod life;
mod list;
mod problem;
mod truth;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use self::kind::{Gated, Kind};
use super::exchange::{Reply, Request};
use super::limits::{Limit, Refusal};
use super::shelf::Shelves;
use super::simulator::Vendor;
use crate::random::Random;

static TEMPLATES: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("objects.json")).expect("the templates are JSON")
});

fn template(stream: &str) -> &'static Value {
    let found = TEMPLATES.get(stream);
    found.unwrap_or_else(|| panic!("{stream} have no template"))
}

/// An account.
#[derive(Clone, Debug)]
pub struct Mailchimp {
    /// The API key; its end names the data centre.
    pub api_key: String,
    /// Pages larger than this time out.
    pub slow_above: Option<usize>,
    /// Whether there are classic automations.
    pub automations: bool,
    /// Whether there is an inbox.
    pub inbox: bool,
    tokens: BTreeSet<String>,
    shelves: Shelves,
    random: Random,
    made: u64,
    /// Things that readers did.
    activities: u64,
}

impl Mailchimp {
    /// An account with nothing in it.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            api_key: format!("{seed:032x}-us21"),
            slow_above: None,
            automations: true,
            inbox: true,
            tokens: BTreeSet::new(),
            shelves: Shelves::default(),
            random: Random::new(seed),
            made: 0,
            activities: 0,
        }
    }

    /// A token of someone who let an app in; it never expires.
    pub fn token(&mut self) -> String {
        let token = format!("oauth{:032x}", self.random.next_u64());
        self.tokens.insert(token.clone());
        token
    }

    /// Ten connections at once.
    #[must_use]
    pub fn limits() -> Vec<Limit> {
        vec![Limit::concurrent("simultaneous connections", 10)]
    }

    /// How many records of a kind there are.
    #[must_use]
    pub fn count(&self, stream: &str) -> usize {
        self.shelves.count(stream)
    }

    /// What the records of a kind are known by here, oldest first.
    #[must_use]
    pub fn ids(&self, stream: &str) -> Vec<String> {
        self.shelves.ids(stream)
    }

    fn data_center(&self) -> &str {
        self.api_key.rsplit('-').next().unwrap_or_default()
    }

    /// An address at the vendor's own host, as answers contain them.
    fn address(&self, path: &str) -> String {
        format!("https://{}.api.mailchimp.com{path}", self.data_center())
    }

    fn may_read(&self, request: &Request) -> bool {
        let header = request.header("authorization").unwrap_or_default();
        let (scheme, value) = header.split_once(' ').unwrap_or_default();
        if scheme.eq_ignore_ascii_case("bearer") {
            return value == self.api_key || self.tokens.contains(value);
        }
        let pair = STANDARD
            .decode(value)
            .ok()
            .and_then(|pair| String::from_utf8(pair).ok());
        let password = pair.as_deref().and_then(|pair| pair.split_once(':'));
        password.is_some_and(|(_, password)| password == self.api_key)
    }

    /// Where the owner of a token has their data; always 200.
    fn metadata(&self, request: &Request) -> Reply {
        let header = request.header("authorization").unwrap_or_default();
        let token = header.strip_prefix("OAuth ").unwrap_or_default();
        if !self.tokens.contains(token) {
            let body = json!({"error": "invalid_token", "error_description": "expired or revoked"});
            return Reply::json(200, &body);
        }
        let endpoint = self.address("");
        let body = json!({"dc": self.data_center(), "role": "owner", "accountname": "acme",
            "user_id": 1, "login_url": "https://login.mailchimp.com", "api_endpoint": endpoint});
        Reply::json(200, &body)
    }

    fn read(&self, request: &Request) -> Reply {
        let segments = request.segments();
        match segments[1..] {
            [] => Reply::json(
                200,
                &json!({"account_id": "a", "account_name": "Acme", "role": "owner"}),
            ),
            ["ping"] => Reply::json(200, &json!({"health_status": "Everything's Chimpy!"})),
            ref path => match kind::at(path) {
                Some((kind, owners, id)) => self.read_kind(kind, &owners, id, request),
                None => problem::not_found(),
            },
        }
    }

    fn read_kind(
        &self,
        kind: &Kind,
        owners: &[&str],
        id: Option<&str>,
        request: &Request,
    ) -> Reply {
        let lacks = match kind.gated {
            Gated::No => false,
            Gated::Automations => !self.automations,
            Gated::Inbox => !self.inbox,
        };
        if lacks {
            let detail = "This feature is not available on your plan.";
            return problem::problem(403, "Forbidden", detail);
        }
        let there = kind.owners.iter().enumerate().all(|(index, (owner, _))| {
            self.shelves
                .get(owner, &owners[..=index].join("/"))
                .is_some()
        });
        if !there {
            return problem::not_found();
        }
        let Some(id) = id else {
            return self.list(kind, owners, request);
        };
        let whole = owners
            .iter()
            .copied()
            .chain([id])
            .collect::<Vec<_>>()
            .join("/");
        let Some(record) = self.shelves.get(kind.stream, &whole) else {
            return problem::not_found();
        };
        let mut body = json!(record.fields);
        list::trim(&mut body, request);
        Reply::json(200, &body)
    }
}

impl Vendor for Mailchimp {
    fn answer(&mut self, request: &Request, _now: i64) -> Reply {
        if request.path == "/oauth2/metadata" {
            return self.metadata(request);
        }
        if !request.path.starts_with("/3.0") || request.method != "GET" {
            return problem::not_found();
        }
        if !self.may_read(request) {
            return problem::planned(401);
        }
        self.read(request)
    }

    fn failure(&self, status: u16) -> Reply {
        problem::planned(status)
    }

    /// Nothing says how long to wait.
    fn throttled(&self, _refusal: Refusal) -> Reply {
        problem::too_many()
    }

    fn expire_tokens(&mut self) {
        self.tokens.clear();
    }
}

#[cfg(test)]
mod tests;
