//! The list of events.

use serde_json::Value;

use super::account::Account;
use super::collection::Object;
use super::error::Failure;
use super::event::{Age, age};
use super::list::{Allowed, Question, document, rows};
use super::resource::Paging;
use crate::api::exchange::Request;

/// Types that one request may name.
const TYPES: usize = 20;

impl Account {
    /// A page of events.
    pub(super) fn list_events(&self, request: &Request, now: i64) -> Result<Value, Failure> {
        let allowed = Allowed {
            filters: vec!["type", "types", "delivery_success"],
            window: true,
            paging: Paging::Cursors,
        };
        let question = Question::parse(request, &allowed)?;
        let types = types(&question)?;
        let walk = question.walk(Some(&self.events), |id, param| {
            Failure::missing(400, "event", id, param)
        })?;
        self.check_cursor(request, now)?;
        let objects = self.events.walk(None, walk);
        let delivered = question.filter("delivery_success");
        let passing = objects.filter(|event| {
            age(event, now) == Age::Visible
                && question.in_window(event.made)
                && (types.is_empty() || types.iter().any(|wanted| is_a(event, wanted)))
                && delivered.is_none_or(|wanted| was_delivered(event) == (wanted == "true"))
        });
        let (page, more) = question.page(passing);
        Ok(document(rows(&page), more, &request.path))
    }

    /// One event.
    pub(super) fn event(&self, id: &str, now: i64) -> Result<Value, Failure> {
        let event = self
            .events
            .get(id)
            .filter(|event| age(event, now) == Age::Visible);
        let event = event.ok_or_else(|| Failure::missing(404, "event", id, "id"))?;
        Ok(Value::Object(event.fields.clone()))
    }

    fn check_cursor(&self, request: &Request, now: i64) -> Result<(), Failure> {
        let cursor = request
            .param("starting_after")
            .and_then(|id| self.events.get(id));
        match cursor {
            Some(event) if age(event, now) == Age::Aged => Err(Failure::invalid(
                400,
                format!(
                    "The event {} is no longer available because it's aged out of our retention \
                     policy.",
                    event.id
                ),
            )
            .about("starting_after")),
            _ => Ok(()),
        }
    }
}

fn types(question: &Question) -> Result<Vec<&str>, Failure> {
    let all = |name: &str| {
        let filters = question.filters.iter().filter(move |(key, _)| key == name);
        filters.map(|(_, value)| value.as_str()).collect::<Vec<_>>()
    };
    let (one, many) = (all("type"), all("types"));
    if !one.is_empty() && !many.is_empty() {
        let text = "You may only specify one of these parameters: type, types.";
        return Err(Failure::invalid(400, text));
    }
    if many.len() > TYPES {
        let text = format!("You may specify at most {TYPES} event types.");
        return Err(Failure::invalid(400, text).about("types"));
    }
    if let Some(wildcard) = many.iter().find(|name| name.contains('*')) {
        let text = format!("Invalid event type: {wildcard}");
        return Err(Failure::invalid(400, text).about("types"));
    }
    Ok(if many.is_empty() { one } else { many })
}

fn is_a(event: &Object, wanted: &str) -> bool {
    let kind = event.field("type").as_str().unwrap_or_default();
    match wanted.strip_suffix('*') {
        Some(group) => kind.starts_with(group),
        None => kind == wanted,
    }
}

fn was_delivered(event: &Object) -> bool {
    event.field("pending_webhooks").as_u64() == Some(0)
}
