//! Lists: by cursor where that is asked for, else by numbered pages, which drift and end at some
//! depth although there is more.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::kind::{Kind, Paging};
use super::{Zendesk, error};
use crate::api::clock;
use crate::api::exchange::{Reply, Request};
use crate::api::shelf::{Record, State};

/// Records of one page at most.
const PAGE: usize = 100;

impl Zendesk {
    /// A page of a list.
    pub(super) fn list(
        &self,
        kind: &Kind,
        parent: Option<&str>,
        request: &Request,
        now: i64,
    ) -> Reply {
        let shelf = match kind.stream {
            "deleted_tickets" => "tickets",
            "deleted_users" => "users",
            named => named,
        };
        let records: Vec<_> = self
            .shelves
            .of(shelf)
            .filter(|record| {
                (parent.is_none() || record.parent.as_deref() == parent)
                    && self.is_listed(kind, record, request)
                    && in_window(kind, record, request, now)
            })
            .collect();
        let owner = parent.and_then(|id| self.shelves.get("tickets", id));
        if kind.stream == "ticket_audits" && owner.is_some_and(|it| it.state == State::Archived) {
            // Those of an archived ticket come all at once, however many are asked for.
            let rows: Vec<_> = records.iter().map(|record| &record.fields).collect();
            return Reply::json(200, &json!({ kind.items: rows }));
        }
        let by_cursor = request
            .param("page[size]")
            .or(request.param("page[after]"))
            .is_some();
        match kind.paging {
            Paging::Both if by_cursor => self.by_cursor(kind, &records, request),
            Paging::Both | Paging::Pages => self.by_page(kind, &records, request),
            _ => {
                let rows: Vec<_> = records.iter().map(|record| &record.fields).collect();
                Reply::json(200, &json!({ kind.items: rows }))
            }
        }
    }

    /// Whether a list shows it: none shows what is deleted, few show what is archived.
    fn is_listed(&self, kind: &Kind, record: &Record, request: &Request) -> bool {
        let of_ticket = kind.path.starts_with("/tickets/{parent}");
        let state = match kind.stream {
            "ticket_metrics" => {
                let owner = record.parent.as_ref();
                let owner = owner.and_then(|id| self.shelves.get("tickets", id));
                owner.map_or(State::Deleted, |owner| owner.state)
            }
            _ => record.state,
        };
        let of_deleted = matches!(kind.stream, "deleted_tickets" | "deleted_users");
        match state {
            _ if of_deleted => state == State::Deleted,
            State::Live => true,
            State::Archived => of_ticket,
            State::Deleted => {
                kind.stream == "groups" && request.param("exclude_deleted") == Some("false")
            }
        }
    }

    fn by_cursor(&self, kind: &Kind, records: &[&Record], request: &Request) -> Reply {
        let size = request.param("page[size]").map_or(Ok(PAGE), str::parse);
        let Ok(size) = size else {
            return error::invalid("page[size] must be a number");
        };
        let start = match request.param("page[after]") {
            None => 0,
            Some(cursor) => {
                let Some(id) = decode(cursor) else {
                    return error::invalid("page[after] is not valid");
                };
                // Records that have gone leave the cursor where it was.
                let passed = |record: &&&Record| rank(&record.id) <= rank(&id);
                records.iter().take_while(passed).count()
            }
        };
        let most = if kind.stream == "ticket_metric_events" {
            1000
        } else {
            PAGE
        };
        let mut size = size.clamp(1, most);
        if kind.stream == "ticket_metric_events" && size > 2 && start % 2 == 0 {
            size -= 1; // a short page in the middle means nothing
        }
        let page: Vec<_> = records.iter().skip(start).take(size).collect();
        let more = start + page.len() < records.len();
        let cursor = page
            .last()
            .map(|record| URL_SAFE_NO_PAD.encode(format!("after:{}", record.id)));
        let rows: Vec<_> = page.iter().map(|record| &record.fields).collect();
        let mut meta = Map::new();
        meta.insert("has_more".to_owned(), json!(more));
        if let Some(cursor) = &cursor {
            meta.insert("after_cursor".to_owned(), json!(cursor));
        }
        let next = cursor.filter(|_| more).map(|cursor| {
            self.vendor_url(
                request,
                &[("page[after]", &cursor), ("page[size]", &size.to_string())],
            )
        });
        let body = json!({kind.items: rows, "meta": meta, "links": {"next": next, "prev": null}});
        Reply::json(200, &body)
    }

    fn by_page(&self, kind: &Kind, records: &[&Record], request: &Request) -> Reply {
        let number = |name: &str, usual: usize| {
            request
                .param(name)
                .and_then(|text| text.parse().ok())
                .unwrap_or(usual)
        };
        let (page, size) = (
            number("page", 1).max(1),
            number("per_page", PAGE).clamp(1, PAGE),
        );
        if page > self.deepest_page {
            return error::too_deep();
        }
        let rows: Vec<_> = records.iter().skip((page - 1) * size).take(size).collect();
        let rows: Vec<_> = rows.iter().map(|record| &record.fields).collect();
        let next = (page * size < records.len()).then(|| {
            let next = (page + 1).to_string();
            self.vendor_url(request, &[("page", &next), ("per_page", &size.to_string())])
        });
        let body = json!({kind.items: rows, "next_page": next, "previous_page": null,
            "count": records.len()});
        Reply::json(200, &body)
    }

    /// An address at the vendor's own host, as answers contain them.
    pub(super) fn vendor_url(&self, request: &Request, replaced: &[(&str, &str)]) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in &request.query {
            if !replaced.iter().any(|(other, _)| other == name) {
                query.append_pair(name, value);
            }
        }
        query.extend_pairs(replaced);
        let host = format!("https://{}.zendesk.com", self.subdomain);
        format!("{host}{}?{}", request.path, query.finish())
    }
}

fn decode(cursor: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    text.strip_prefix("after:").map(str::to_owned)
}

/// Numbers sort as numbers, and before texts.
fn rank(id: &str) -> (u64, &str) {
    (id.parse().unwrap_or(u64::MAX), id)
}

/// Whether the parameters of a list that knows times let a record pass.
fn in_window(kind: &Kind, record: &Record, request: &Request, now: i64) -> bool {
    let time = |name: &str| request.param(name).and_then(clock::parse);
    let from = |name: &str, at: i64| time(name).is_none_or(|from| at >= from);
    match kind.stream {
        // What counts is when it was made, although the record shows when it changed.
        "satisfaction_ratings" => {
            from("start_time", record.made) && time("end_time").is_none_or(|to| record.made <= to)
        }
        "deleted_tickets" | "deleted_users" => record.touched > now - 30 * clock::DAY,
        "ticket_skips" => from("start_time", record.touched),
        "ticket_activities" => from("since", record.touched) && record.made > now - 30 * clock::DAY,
        "ticket_metric_events" => from("start_time", record.touched) && record.touched <= now - 60,
        "audit_logs" => {
            let bounds: Vec<_> = request
                .params("filter[created_at][]")
                .filter_map(clock::parse)
                .collect();
            match bounds[..] {
                [from, to] => (from..=to).contains(&record.made),
                _ => true,
            }
        }
        _ => true,
    }
}

/// A document with one object.
pub(super) fn one(name: &str, value: impl Into<Value>) -> Reply {
    Reply::json(200, &json!({ name: value.into() }))
}
