//! From a request to its answer: the key, the account, the version, the path.

use serde_json::Value;

use super::access::{self, Key};
use super::account::Account;
use super::error::Failure;
use super::resource::{Gone, Resource, Retrieval, Versions};
use super::version::Version;
use super::{Stripe, resources};
use crate::api::exchange::{Reply, Request};
use crate::api::path;

/// What a path leads to.
enum Target<'a> {
    Own,
    Events,
    Event(&'a str),
    Summaries(&'a str),
    List(&'static Resource, Option<&'a str>),
    One(&'static Resource, Option<&'a str>, &'a str),
}

impl Stripe {
    pub(super) fn respond(&mut self, request: &Request, now: i64) -> Reply {
        let version = match self.version(request) {
            Ok(version) => version,
            Err(failure) => return failure.reply(),
        };
        let outcome = self.outcome(request, &version, now);
        self.asked = Some(version.clone());
        let reply = match outcome {
            Ok(body) => Reply::json(200, &body),
            Err(failure) => failure.reply(),
        };
        reply.with("stripe-version", version.text())
    }

    /// The first page, whatever cursor was sent, and a promise of more.
    pub(super) fn respond_in_circles(&mut self, request: &Request, now: i64) -> Reply {
        let mut first = request.clone();
        first
            .query
            .retain(|(name, _)| name != "starting_after" && name != "ending_before");
        let mut reply = self.respond(&first, now);
        if let Ok(mut body) = serde_json::from_slice::<Value>(&reply.body) {
            body["has_more"] = true.into();
            reply.body = body.to_string().into_bytes();
        }
        reply
    }

    fn version(&self, request: &Request) -> Result<Version, Failure> {
        let Some(text) = request.header("stripe-version") else {
            return Ok(self.account.version.clone());
        };
        let wrong = || Failure::invalid(400, format!("Invalid Stripe API version: {text}"));
        Version::parse(text).ok_or_else(wrong)
    }

    fn outcome(&self, request: &Request, version: &Version, now: i64) -> Result<Value, Failure> {
        let text = access::key_of(request).ok_or_else(access::no_key)?;
        let key = self
            .keys
            .get(&text)
            .ok_or_else(|| access::wrong_key(&text))?;
        let account = self.account_of(request, &text)?;
        let unrecognized = || Failure::unrecognized(&request.method, &request.path);
        let path = request.path.strip_prefix("/v1").ok_or_else(unrecognized)?;
        if request.method != "GET" {
            return Err(unrecognized());
        }
        let segments: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
        let target = target(&segments).ok_or_else(unrecognized)?;
        let caller = Caller { key, text: &text };
        caller.may(&target, account, path, version, unrecognized)?;
        match target {
            Target::Own => Ok(Value::Object(account.own.clone())),
            Target::Events => account.list_events(request, now),
            Target::Event(id) => account.event(id, now),
            Target::Summaries(meter) => account.event_summaries(meter, request, now),
            Target::List(resource, parent) => account.list(resource, parent, request, version),
            Target::One(resource, parent, id) => {
                account.one(resource, parent, id, request, version)
            }
        }
    }

    fn account_of(&self, request: &Request, key: &str) -> Result<&Account, Failure> {
        match request.header("stripe-account") {
            None => Ok(&self.account),
            Some(id) if id == self.account.id => Ok(&self.account),
            Some(id) => self
                .connected
                .get(id)
                .ok_or_else(|| access::no_such_account(key, id)),
        }
    }
}

/// Who asks.
struct Caller<'a> {
    key: &'a Key,
    text: &'a str,
}

impl Caller<'_> {
    /// Refuses what the version does not know, the key may not see, or the account does not have.
    fn may(
        &self,
        target: &Target<'_>,
        account: &Account,
        path: &str,
        version: &Version,
        unrecognized: impl Fn() -> Failure,
    ) -> Result<(), Failure> {
        let resource = match target {
            Target::Own => return self.key.check(self.text, "account", "rak_account_read"),
            Target::Events | Target::Event(_) => {
                return self.key.check(self.text, "events", "rak_event_read");
            }
            Target::Summaries(_) => resources::named("billing_meters"),
            Target::List(resource, _) | Target::One(resource, _, _) => resource,
        };
        let known = match resource.versions {
            Versions::All => true,
            Versions::Since(since) => !version.is_before(since),
            Versions::Before(until) => version.is_before(until),
        };
        if !known {
            return Err(unrecognized());
        }
        self.key
            .check(self.text, resource.stream, &resource.permission())?;
        match account.lacks(resource) {
            Some(feature) => {
                let (status, message) = feature.refusal(path);
                Err(Failure::invalid(status, message))
            }
            None => Ok(()),
        }
    }
}

fn target<'a>(segments: &[&'a str]) -> Option<Target<'a>> {
    match segments {
        ["account"] => return Some(Target::Own),
        ["events"] => return Some(Target::Events),
        ["events", id] => return Some(Target::Event(id)),
        ["billing", "meters", id, "event_summaries"] => return Some(Target::Summaries(id)),
        _ => {}
    }
    let lists = || resources::all().flat_map(|of| of.lists.iter().map(move |list| (of, *list)));
    let whole = lists().find_map(|(resource, list)| {
        let parent = fits(list, segments)?;
        Some(Target::List(resource, parent))
    });
    whole.or_else(|| {
        let (id, rest) = segments.split_last()?;
        lists().find_map(|(resource, list)| {
            let parent = fits(list, rest)?;
            let by_id = resource.retrieval == Retrieval::ById;
            by_id.then_some(Target::One(resource, parent, id))
        })
    })
}

/// The parent in the path of a list, where it is that list's.
fn fits<'a>(list: &str, segments: &[&'a str]) -> Option<Option<&'a str>> {
    Some(path::places(list, segments)?.last().copied())
}

impl Account {
    fn one(
        &self,
        resource: &Resource,
        parent: Option<&str>,
        id: &str,
        request: &Request,
        version: &Version,
    ) -> Result<Value, Failure> {
        if resource.stream == "accounts" && id == self.id {
            return Ok(Value::Object(self.own.clone()));
        }
        let object = self.object(resource.stream, id);
        let object = object.filter(|object| {
            let here = parent.is_none() || object.parent.as_deref() == parent;
            here && self.can_be_seen(resource, object)
        });
        let Some(object) = object else {
            return self.missing(resource, id);
        };
        let mut shown = Value::Object(self.shown(resource, object, version));
        for (name, path) in &request.query {
            if name.split('[').next() != Some("expand") {
                return Err(super::list::unknown(name));
            }
            self.expand(&mut shown, path, version)?;
        }
        Ok(shown)
    }

    fn missing(&self, resource: &Resource, id: &str) -> Result<Value, Failure> {
        let stub = resource.gone == Gone::Stub && self.gone.contains_key(id);
        if !stub {
            return Err(Failure::missing(404, resource.object, id, "id"));
        }
        Ok(serde_json::json!({"id": id, "object": resource.object, "deleted": true}))
    }
}
