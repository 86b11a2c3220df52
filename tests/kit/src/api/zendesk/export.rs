//! Exports: everything that changed since, in the order in which it changed.
//!
//! What changed within the last minute is left out, for the export of time as for that of cursors.
//! A page by time begins with the second that the page before it ended with, so that at least one
//! record comes again, and so that a second with a whole page of records is never left.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tributary_model::Row;

use super::kind::{Kind, Paging};
use super::{Zendesk, error};
use crate::api::exchange::{Reply, Request};
use crate::api::shelf::{Record, State};

/// Records of one page at most.
const PAGE: usize = 1000;
/// Seconds that a record must be old.
const AGE: i64 = 60;

/// A place in an export: a second and an id, and whether a quiet page has been seen there.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    at: i64,
    id: u64,
    quiet: bool,
}

impl Place {
    fn write(&self, era: &str) -> String {
        let quiet = if self.quiet { "q" } else { "" };
        STANDARD.encode(format!("{}.0|{era}|{}|{quiet}", self.at, self.id))
    }

    fn read(text: &str, era: &str) -> Option<Self> {
        let text = String::from_utf8(STANDARD.decode(text).ok()?).ok()?;
        let (at, rest) = text.split_once(&format!(".0|{era}|"))?;
        let (id, quiet) = rest.split_once('|')?;
        Some(Self {
            at: at.parse().ok()?,
            id: id.parse().ok()?,
            quiet: quiet == "q",
        })
    }

    fn of(record: &Record) -> Self {
        Self {
            at: record.touched,
            id: record.id.trim_start_matches('R').parse().unwrap_or(0),
            quiet: false,
        }
    }
}

impl Zendesk {
    /// A page of an export.
    pub(super) fn export(
        &self,
        kind: &Kind,
        parent: Option<&str>,
        request: &Request,
        now: i64,
    ) -> Reply {
        let size = request.param("per_page").and_then(|text| text.parse().ok());
        let size = size.unwrap_or(PAGE).clamp(1, PAGE);
        if self.slow_above.is_some_and(|limit| size > limit) {
            return error::planned(504);
        }
        let mut records: Vec<_> = self
            .shelves
            .of(kind.stream)
            .filter(|record| record.touched <= now - AGE)
            .filter(|record| parent.is_none() || record.parent.as_deref() == parent)
            .filter(|record| !(excludes_deleted(request) && record.state == State::Deleted))
            .collect();
        records.sort_by_key(|record| Place::of(record));
        match kind.paging {
            Paging::CursorExport => self.by_place(kind, &records, request, size, now),
            _ => self.by_time(kind, &records, request, size, now),
        }
    }

    fn by_place(
        &self,
        kind: &Kind,
        records: &[&Record],
        request: &Request,
        size: usize,
        now: i64,
    ) -> Reply {
        let place = match (request.param("cursor"), start_time(request, now)) {
            (Some(cursor), _) => Place::read(cursor, &self.era),
            (None, Ok(at)) => Some(Place {
                at,
                id: 0,
                quiet: false,
            }),
            (None, Err(reply)) => return reply,
        };
        let Some(place) = place else {
            return error::invalid("cursor is not valid");
        };
        let quiet = self.quiet && !place.quiet;
        let after = Place {
            quiet: false,
            ..place.clone()
        };
        let start = records.partition_point(|record| Place::of(record) <= after);
        let page = if quiet { &[][..] } else { &records[start..] };
        let page = &page[..page.len().min(size)];
        let end = !quiet && start + page.len() == records.len();
        let last = page.last().map_or(after, |record| Place::of(record));
        let cursor = Place { quiet, ..last }.write(&self.era);
        let url = self.vendor_url(request, &[("cursor", &cursor)]);
        let mut body = self.answer_with(kind, page, request);
        body["after_cursor"] = json!(cursor);
        body["after_url"] = json!(url);
        body["before_cursor"] = Value::Null;
        body["end_of_stream"] = json!(end);
        Reply::json(200, &body)
    }

    fn by_time(
        &self,
        kind: &Kind,
        records: &[&Record],
        request: &Request,
        size: usize,
        now: i64,
    ) -> Reply {
        let from = match start_time(request, now) {
            Ok(from) => from,
            Err(reply) => return reply,
        };
        let start = records.partition_point(|record| record.touched < from);
        let page = &records[start..];
        let end = page.len() <= size;
        let page = &page[..page.len().min(size)];
        let until = page.last().map(|record| record.touched);
        let next =
            until.map(|until| self.vendor_url(request, &[("start_time", &until.to_string())]));
        let mut body = self.answer_with(kind, page, request);
        body["count"] = json!(page.len());
        body["end_time"] = json!(until);
        body["next_page"] = json!(next);
        if kind.paging == Paging::TimeExport {
            body["end_of_stream"] = json!(end);
        } else if end {
            body["next_page"] = Value::Null;
        }
        Reply::json(200, &body)
    }

    /// The records, and what comes along with them where that is asked for.
    fn answer_with(&self, kind: &Kind, page: &[&Record], request: &Request) -> Value {
        let wanted = request.param("include").unwrap_or_default();
        let wants = |name: &str| wanted.split(',').any(|part| part == name);
        let mut rows = Vec::with_capacity(page.len() + 1);
        if let (true, Some(first)) = (self.stutters, page.first()) {
            // The same record twice in a page: the last one counts.
            let mut stale = first.fields.clone();
            stale.insert("updated_at".to_owned(), json!("2001-01-01T00:00:00Z"));
            stale.insert("name".to_owned(), json!("stale"));
            rows.push(stale);
        }
        for record in page {
            let mut row = record.fields.clone();
            match kind.stream {
                "tickets" if wants("metric_sets") && !self.beside => {
                    row.insert("metric_set".to_owned(), self.metric_set(record));
                }
                "ticket_events" if !wants("comment_events") => drop_comments(&mut row),
                _ => {}
            }
            rows.push(row);
        }
        let mut body = json!({ kind.items: rows });
        if kind.stream == "tickets" && wants("metric_sets") && self.beside {
            let sets = page.iter().map(|ticket| self.metric_set(ticket));
            body["metric_sets"] = sets.filter(|set| !set.is_null()).collect();
        }
        if kind.stream == "users" && wants("identities") {
            let of_page = |identity: &&Record| {
                let parent = identity.parent.as_ref();
                page.iter().any(|user| Some(&user.id) == parent)
            };
            let identities = self.shelves.of("user_identities").filter(of_page);
            body["identities"] = identities.map(|record| json!(record.fields)).collect();
        }
        body
    }

    /// The metrics of a ticket; a deleted one has none.
    fn metric_set(&self, ticket: &Record) -> Value {
        let mut metrics = self.shelves.of("ticket_metrics");
        let metrics = metrics.find(|metrics| metrics.parent.as_ref() == Some(&ticket.id));
        match metrics {
            Some(metrics) if ticket.state != State::Deleted => json!(metrics.fields),
            Some(_) | None => Value::Null,
        }
    }
}

fn excludes_deleted(request: &Request) -> bool {
    request.param("exclude_deleted") == Some("true")
}

fn drop_comments(event: &mut Row) {
    if let Some(Value::Array(children)) = event.get_mut("child_events") {
        children.retain(|child| child["event_type"] != "Comment");
    }
}

fn start_time(request: &Request, now: i64) -> Result<i64, Reply> {
    let start = request
        .param("start_time")
        .and_then(|text| text.parse().ok());
    match start {
        None => Err(error::invalid("start_time is required")),
        Some(start) if start > now - AGE => Err(error::too_recent()),
        Some(start) => Ok(start),
    }
}
