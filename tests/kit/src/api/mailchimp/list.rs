//! Lists by count and offset, over a set that may change between two pages.

use serde_json::{Value, json};

use super::Mailchimp;
use super::fields;
use super::kind::{Kind, Paging};
use super::problem;
use crate::api::clock;
use crate::api::exchange::{Reply, Request};
use crate::api::shelf::{Record, State};

const USUAL: usize = 10;
const MOST: usize = 1000;
/// Fields that lists can be sorted by.
const SORTED: [&str; 6] = [
    "last_changed",
    "create_time",
    "send_time",
    "date_created",
    "timestamp_opt",
    "updated_at",
];

impl Mailchimp {
    /// A page of a list.
    pub(super) fn list(&self, kind: &Kind, owners: &[&str], request: &Request) -> Reply {
        let number = |name: &str, usual: usize| match request.param(name) {
            None => Some(usual),
            Some(text) => text.parse().ok(),
        };
        let (Some(count), Some(offset)) = (number("count", USUAL), number("offset", 0)) else {
            return problem::invalid("count and offset must be numbers");
        };
        if request
            .param("fields")
            .and(request.param("exclude_fields"))
            .is_some()
        {
            return problem::invalid("fields and exclude_fields can not be used together");
        }
        // What comes all at once is small.
        let is_slow = self.slow_above.is_some_and(|limit| count > limit);
        if is_slow && kind.paging == Paging::Offset {
            return problem::planned(504);
        }
        let owner = owners.join("/");
        let mut records: Vec<_> = self
            .shelves
            .of(kind.stream)
            .filter(|record| owners.is_empty() || record.parent.as_deref() == Some(&*owner))
            .filter(|record| is_listed(kind, record, request) && in_window(record, request))
            .collect();
        self.sort(kind, &mut records, request);
        let total = if kind.stream == "segment_members" {
            // Counts those who are subscribed only, whatever was asked for.
            records
                .iter()
                .filter(|record| record.field("status") == "subscribed")
                .count()
        } else {
            records.len()
        };
        let page: Vec<_> = match kind.paging {
            Paging::Offset => records
                .into_iter()
                .skip(offset)
                .take(count.min(MOST))
                .collect(),
            Paging::Whole => records,
            Paging::One => return one(&records, owners, kind, request),
        };
        let rows: Vec<_> = page
            .iter()
            .map(|record| row(kind, record, request))
            .collect();
        let mut body = json!({kind.items: rows, "total_items": total});
        for ((_, field), id) in kind.owners.iter().zip(owners) {
            body[*field] = json!(id);
        }
        body["_links"] = json!([{"rel": "self", "href": self.address(&request.path)}]);
        trim(&mut body, request);
        Reply::json(200, &body)
    }

    fn sort(&self, kind: &Kind, records: &mut [&Record], request: &Request) {
        if kind.stream == "email_activity" {
            // In an order that is another one as soon as anything happens.
            let salt = self.activities;
            records.sort_by_key(|record| scatter(&record.id, salt));
        }
        let Some(field) = request
            .param("sort_field")
            .filter(|field| SORTED.contains(field))
        else {
            return;
        };
        records.sort_by_key(|record| record.field(field).as_str().and_then(clock::parse));
        if request
            .param("sort_dir")
            .is_some_and(|way| way.eq_ignore_ascii_case("desc"))
        {
            records.reverse();
        }
    }
}

fn is_listed(kind: &Kind, record: &Record, request: &Request) -> bool {
    let says = |name: &str| request.param(name) == Some("true");
    let status = record.field("status").as_str().unwrap_or_default();
    match kind.stream {
        "list_members" => match request.param("status") {
            None => record.state != State::Archived,
            Some(wanted) => status == wanted,
        },
        "segment_members" => match status {
            "unsubscribed" => says("include_unsubscribed"),
            "cleaned" => says("include_cleaned"),
            "transactional" => says("include_transactional"),
            _ => true,
        },
        "campaigns" | "automations" => request
            .param("status")
            .is_none_or(|wanted| status == wanted),
        _ => true,
    }
}

/// Later than `since_..`, and not later than `before_..`: the first is excluded, the last is not.
fn in_window(record: &Record, request: &Request) -> bool {
    request.query.iter().all(|(name, value)| {
        let (bound, field) = name.split_once('_').unwrap_or((name, ""));
        let at = record.field(field).as_str().filter(|text| !text.is_empty());
        let (Some(at), Some(limit)) = (at.and_then(clock::parse), clock::parse(value)) else {
            // A campaign that was never sent has no time to be compared.
            return !matches!(bound, "since" | "before") || record.fields.get(field).is_none();
        };
        match bound {
            "since" => at > limit,
            "before" => at <= limit,
            _ => true,
        }
    })
}

fn row(kind: &Kind, record: &Record, request: &Request) -> Value {
    let mut row = json!(record.fields);
    let since = request.param("since").and_then(clock::parse);
    let later = |time: &Value| {
        let at = time["timestamp"].as_str().and_then(clock::parse);
        since.is_none_or(|since| at.is_some_and(|at| at > since))
    };
    // Rows stay, even those that nothing is left of.
    let inner = match kind.stream {
        "email_activity" => row["activity"].as_array_mut(),
        "open_details" => row["opens"].as_array_mut(),
        _ => None,
    };
    if let Some(inner) = inner {
        inner.retain(later);
    }
    row["_links"] = json!([{"rel": "self", "href": "https://us21.api.mailchimp.com/3.0/x",
        "method": "GET", "targetSchema": "https://us21.api.mailchimp.com/schema"}]);
    row
}

/// The one object that an owner has; where nothing is known of it yet, its name alone.
fn one(records: &[&Record], owners: &[&str], kind: &Kind, request: &Request) -> Reply {
    let named = json!({ kind.id.field(): owners.last() });
    let mut body = records.first().map_or(named, |one| row(kind, one, request));
    if let ("campaign_content", Some(fields)) = (kind.stream, body.as_object_mut()) {
        // What a campaign says does not say whose it is.
        fields.shift_remove(kind.id.field());
    }
    trim(&mut body, request);
    Reply::json(200, &body)
}

/// Leaves out what a request does not want.
pub(super) fn trim(body: &mut Value, request: &Request) {
    if let Some(wanted) = request.param("fields") {
        fields::keep(body, &fields::paths(wanted));
    }
    for path in request
        .param("exclude_fields")
        .map(fields::paths)
        .unwrap_or_default()
    {
        fields::exclude(body, &path);
    }
}

/// A number that looks like chance.
fn scatter(text: &str, salt: u64) -> u64 {
    text.bytes()
        .fold(0xCBF2_9CE4_8422_2325 ^ salt, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        })
}
