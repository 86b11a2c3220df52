//! Who asks: an API token, or OAuth with refresh tokens that live for one use.
//!
//! A refresh makes both the old access token and the old refresh token worthless, whether or not
//! its answer arrives.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::Zendesk;
use crate::api::exchange::{Reply, Request};

/// The only client and its tokens.
#[derive(Clone, Debug)]
pub(super) struct OAuth {
    pub(super) client_id: String,
    pub(super) client_secret: String,
    /// The one refresh token that works.
    pub(super) refresh: String,
    /// Access tokens, when they expire and what they may do.
    access: BTreeMap<String, (i64, Scope)>,
    issued: u64,
    /// What tokens issued from now on may do.
    pub(super) scope: Scope,
}

/// What a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Read everything.
    Read,
    /// Write tickets, and read nothing.
    TicketsWrite,
}

/// Whether a request may read.
pub(super) enum Caller {
    Reader,
    WithoutScope,
    Nobody,
}

const SHORTEST: i64 = 300;
const LONGEST: i64 = 172_800;
const USUAL: i64 = 1_800;

impl OAuth {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            client_id: format!("tributary_{seed}"),
            client_secret: format!("client-secret-{seed}"),
            refresh: format!("refresh-{seed}-0"),
            access: BTreeMap::new(),
            issued: 0,
            scope: Scope::Read,
        }
    }

    pub(super) fn expire(&mut self) {
        self.access.clear();
    }

    /// Answers a request for a token.
    pub(super) fn token(&mut self, request: &Request, now: i64) -> Reply {
        let field = |name: &str| request.field(name).unwrap_or_default();
        if (field("client_id"), field("client_secret"))
            != (self.client_id.clone(), self.client_secret.clone())
        {
            return refused(401, "invalid_client", "Client authentication failed.");
        }
        let refreshed = match field("grant_type").as_str() {
            "refresh_token" => {
                if field("refresh_token") != self.refresh {
                    let why = "The provided authorization grant is invalid, expired or revoked.";
                    return refused(400, "invalid_grant", why);
                }
                true
            }
            "client_credentials" => false,
            _ => return refused(400, "unsupported_grant_type", "No such grant."),
        };
        let lasts = field("expires_in").parse().unwrap_or(USUAL);
        if !(SHORTEST..=LONGEST).contains(&lasts) {
            return refused(400, "invalid_request", "expires_in is out of range.");
        }
        self.issue(now, lasts, refreshed)
    }

    fn issue(&mut self, now: i64, lasts: i64, refreshed: bool) -> Reply {
        self.issued += 1;
        let access = format!("access-{}-{}", self.client_id, self.issued);
        if refreshed {
            self.access.clear();
            self.refresh = format!("refresh-{}-{}", self.client_id, self.issued);
        }
        self.access
            .insert(access.clone(), (now + lasts, self.scope));
        let scope = match self.scope {
            Scope::Read => "read",
            Scope::TicketsWrite => "tickets:write",
        };
        let mut body = json!({"access_token": access, "token_type": "bearer", "scope": scope,
            "expires_in": lasts});
        if refreshed {
            body["refresh_token"] = json!(self.refresh);
            body["refresh_token_expires_in"] = json!(2_592_000);
        }
        Reply::json(200, &body)
    }
}

fn refused(status: u16, error: &str, description: &str) -> Reply {
    let body = json!({"error": error, "error_description": description});
    Reply::json(status, &body)
}

impl Zendesk {
    pub(super) fn caller(&self, request: &Request, now: i64) -> Caller {
        let header = request.header("authorization").unwrap_or_default();
        if let Some(token) = header.strip_prefix("Bearer ") {
            return match self.oauth.access.get(token) {
                Some((until, Scope::Read)) if now < *until => Caller::Reader,
                Some((until, Scope::TicketsWrite)) if now < *until => Caller::WithoutScope,
                Some(_) | None => Caller::Nobody,
            };
        }
        let pair = header
            .strip_prefix("Basic ")
            .and_then(|text| STANDARD.decode(text).ok());
        let right = format!("{}/token:{}", self.email, self.api_token);
        match pair {
            Some(pair) if self.token_access && pair == right.as_bytes() => Caller::Reader,
            Some(_) | None => Caller::Nobody,
        }
    }
}
