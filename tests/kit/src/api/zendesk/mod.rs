//! Zendesk Support: exports, lists, and the traps between them.
//!
//! What the real one does and this one does too: exports leave the last minute out and refuse to
//! start in it; a ticket's place in its export moves without its `updated_at`; deleted tickets are
//! scrubbed, archived ones are in exports only; addresses in answers are the vendor's own, whatever
//! host was asked; being throttled is plain text; a refresh token works once. Parameters that it
//! does not know it ignores. Deliberately absent: everything that writes, and search.

mod auth;
mod change;
mod error;
mod export;
mod kind;
mod life;
mod list;
mod truth;

use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::Duration;

use serde_json::{Value, json};

pub use self::auth::Scope;
use self::auth::{Caller, OAuth};
pub use self::kind::Product;
use self::kind::{Kind, Paging};
use super::exchange::{Reply, Request};
use super::limits::{Allowance, Limit, Refusal};
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

/// A help desk.
#[derive(Clone, Debug)]
pub struct Zendesk {
    /// Its name at `zendesk.com`.
    pub subdomain: String,
    /// Who owns the API token.
    pub email: String,
    /// The API token.
    pub api_token: String,
    /// Whether API tokens are switched on.
    pub token_access: bool,
    /// What the plan includes; everything at first.
    pub products: BTreeSet<Product>,
    /// The last page that numbers reach; 100 at the vendor.
    pub deepest_page: usize,
    /// Exports whose pages are larger than this time out.
    pub slow_above: Option<usize>,
    /// Whether exports put an empty page that is not the last one before each other.
    pub quiet: bool,
    /// Whether metrics stand beside their tickets instead of inside them.
    pub beside: bool,
    /// What cursors carry; those of another era are not known any more.
    pub era: String,
    /// Whether exports show the first record of a page twice, the old state first.
    pub stutters: bool,
    oauth: OAuth,
    shelves: Shelves,
    random: Random,
    made: u64,
}

impl Zendesk {
    /// An empty help desk.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            subdomain: "acme".to_owned(),
            email: "etl@acme.com".to_owned(),
            api_token: format!("api-token-{seed}"),
            token_access: true,
            products: Product::ALL.into_iter().collect(),
            deepest_page: 100,
            slow_above: None,
            quiet: false,
            beside: false,
            era: String::new(),
            stutters: false,
            oauth: OAuth::new(seed),
            shelves: Shelves::default(),
            random: Random::new(seed),
            made: 0,
        }
    }

    /// The OAuth client's id, its secret, and the refresh token that works now.
    #[must_use]
    pub fn oauth(&self) -> (String, String, String) {
        let OAuth {
            client_id,
            client_secret,
            refresh,
            ..
        } = &self.oauth;
        (client_id.clone(), client_secret.clone(), refresh.clone())
    }

    /// What tokens issued from now on may do.
    pub fn grant(&mut self, scope: Scope) {
        self.oauth.scope = scope;
    }

    /// Makes the refresh token worthless, as an administrator does.
    pub fn revoke(&mut self) {
        self.oauth.refresh.push_str("-revoked");
        self.oauth.expire();
    }

    /// The limits of an Enterprise account: requests a minute, and exports a minute for all of
    /// them. A test may give a shorter minute.
    #[must_use]
    pub fn limits(minute: Duration) -> Vec<Limit> {
        vec![
            Limit::rate("account", 700, minute),
            Limit::rate("exports", 10, minute).on("/api/v2/incremental/*"),
        ]
    }

    /// How many records of a kind there are, deleted ones included.
    #[must_use]
    pub fn count(&self, stream: &str) -> usize {
        self.shelves.count(stream)
    }

    /// The ids of all records of a kind, oldest first.
    #[must_use]
    pub fn ids(&self, stream: &str) -> Vec<String> {
        self.shelves.ids(stream)
    }

    fn read(&self, request: &Request, now: i64) -> Reply {
        let Some(path) = request.path.strip_prefix("/api/v2/") else {
            return error::no_page();
        };
        let path = path.strip_suffix(".json").unwrap_or(path);
        let segments: Vec<_> = path.split('/').collect();
        match segments[..] {
            ["account", "settings"] => return self.settings(),
            // Anonymous users may ask who they are, and are told that they are nobody.
            ["users", "me"] => {
                return list::one("user", json!({"id": null, "name": "Anonymous user"}));
            }
            [list, id] => {
                if let Some(record) =
                    kind::at(&[list]).and_then(|(of, _)| self.shelves.get(of.stream, id))
                {
                    let name = list.strip_suffix('s').unwrap_or(list);
                    return list::one(name, record.fields.clone());
                }
            }
            _ => {}
        }
        let Some((kind, parent)) = kind::at(&segments) else {
            return error::no_endpoint();
        };
        self.read_kind(kind, parent, request, now)
    }

    fn read_kind(&self, kind: &Kind, parent: Option<&str>, request: &Request, now: i64) -> Reply {
        if let Some(product) = kind
            .product
            .filter(|needed| !self.products.contains(needed))
        {
            return match product {
                Product::Guide | Product::Gather | Product::Talk => error::no_page(),
                Product::Routing => error::no_endpoint(),
                Product::Enterprise
                | Product::Growth
                | Product::Satisfaction
                | Product::SideConversations => error::no_access(),
            };
        }
        if let (Some(parents), Some(id)) = (kind.parent, parent) {
            let alive = self
                .shelves
                .get(parents, id)
                .filter(|record| record.state != super::shelf::State::Deleted);
            if alive.is_none() {
                return error::not_found();
            }
        }
        match kind.paging {
            Paging::Both | Paging::Pages | Paging::None => self.list(kind, parent, request, now),
            _ => self.export(kind, parent, request, now),
        }
    }

    fn settings(&self) -> Reply {
        let beside = self.products.contains(&Product::SideConversations);
        let settings = json!({
            "active_features": {"customer_satisfaction": true, "on_hold_status": true},
            "side_conversations": {"show_in_context_panel": beside},
            "tickets": {"comments_public_by_default": true},
        });
        list::one("settings", settings)
    }
}

impl Vendor for Zendesk {
    fn answer(&mut self, request: &Request, now: i64) -> Reply {
        if request.path == "/oauth/tokens" && request.method == "POST" {
            return self.oauth.token(request, now);
        }
        let anonymous = request.path.starts_with("/api/v2/users/me");
        match self.caller(request, now) {
            Caller::Reader if request.method == "GET" => self.read(request, now),
            Caller::Nobody if anonymous => self.read(request, now),
            Caller::Reader => error::not_found(),
            Caller::WithoutScope => error::no_scope(),
            Caller::Nobody => error::unauthenticated(),
        }
    }

    fn failure(&self, status: u16) -> Reply {
        error::planned(status)
    }

    fn throttled(&self, refusal: Refusal) -> Reply {
        error::throttled(refusal.wait)
    }

    /// One account, one budget, whoever asks.
    fn credential(&self, _request: &Request) -> String {
        self.subdomain.clone()
    }

    /// The account's in headers of their own, each twice; an endpoint's in one.
    fn allowance(&self, left: &[Allowance]) -> Vec<(&'static str, String)> {
        let mut told = Vec::new();
        for left in left {
            let Allowance {
                limit, remaining, ..
            } = left;
            match left.name {
                "exports" => told.push((
                    "zendesk-ratelimit-incremental-exports",
                    format!(
                        "total={limit}; remaining={remaining}; resets={}",
                        left.reset
                    ),
                )),
                _ => told.extend([
                    ("x-rate-limit", limit.to_string()),
                    ("ratelimit-limit", limit.to_string()),
                    ("x-rate-limit-remaining", remaining.to_string()),
                    ("ratelimit-remaining", remaining.to_string()),
                    ("ratelimit-reset", left.reset.to_string()),
                ]),
            }
        }
        told
    }

    fn expire_tokens(&mut self) {
        self.oauth.expire();
    }
}

#[cfg(test)]
mod tests;
