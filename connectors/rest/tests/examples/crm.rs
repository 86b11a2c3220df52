//! A cursor-paged API with OAuth2: `rest-crm.manifest.yaml`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use tributary_model::{Row, Secret, Source, Vault};
use tributary_testkit::api::clock;
use tributary_testkit::api::conformance::{Api, Reading};
use tributary_testkit::api::exchange::{Reply, Request};
use tributary_testkit::api::limits::Refusal;
use tributary_testkit::api::simulator::Vendor;
use tributary_testkit::api::truth::Truth;

use super::vault::Memory;
use super::{TURN, holds, object, settings, simulated, source};

/// A CRM.
#[derive(Debug)]
struct Crm {
    contacts: BTreeMap<u64, Row>,
    deals: BTreeMap<u64, Row>,
    activities: Vec<Row>,
    campaigns: BTreeMap<u64, Row>,
    refresh_token: String,
    access_token: String,
    made: u64,
}

impl Crm {
    fn new() -> Self {
        Self {
            contacts: BTreeMap::new(),
            deals: BTreeMap::new(),
            activities: Vec::new(),
            campaigns: BTreeMap::new(),
            refresh_token: "refresh-0".to_owned(),
            access_token: "none".to_owned(),
            made: 0,
        }
    }

    fn next(&mut self) -> u64 {
        self.made += 1;
        self.made
    }

    fn log_in(&mut self, request: &Request) -> Reply {
        let field = |name: &str| request.field(name).unwrap_or_default();
        if field("client_id") != "tributary" || field("client_secret") != "client-secret" {
            return Reply::json(401, &json!({"error": "invalid_client"}));
        }
        if field("refresh_token") != self.refresh_token {
            return Reply::json(400, &json!({"error": "invalid_grant"}));
        }
        let number = self.next();
        self.refresh_token = format!("refresh-{number}");
        self.access_token = format!("access-{number}");
        Reply::json(
            200,
            &json!({"access_token": self.access_token, "token_type": "bearer",
            "expires_in": 3600, "refresh_token": self.refresh_token}),
        )
    }

    fn contacts(&self, request: &Request) -> Reply {
        let param = |name: &str| request.param(name).and_then(clock::parse);
        let (from, to) = (param("updated_since").unwrap_or(0), param("updated_before"));
        let archived = request.param("archived") == Some("true");
        let wanted = |row: &&Row| row["archived"] == json!(archived) && within(row, from, to);
        let rows: Vec<&Row> = self.contacts.values().filter(wanted).collect();
        let cursor = request.param("cursor");
        let (page, next) = page(rows, cursor, request.param("limit"));
        let companies: BTreeMap<String, Value> = page
            .iter()
            .map(|row| company(row["company"].as_u64().unwrap_or(0)))
            .map(|company| (company["id"].to_string(), company))
            .collect();
        let companies: Vec<Value> = companies.into_values().collect();
        Reply::json(
            200,
            &json!({"items": page, "included": {"companies": companies},
            "paging": {"next": next}}),
        )
    }

    fn deals(&self, request: &Request) -> Reply {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let bound = |name: &str| {
            let text = body
                .pointer(&format!("/filter/updated_at/{name}"))?
                .as_str()?;
            clock::parse(text)
        };
        let (Some(from), Some(to)) = (bound("gte"), bound("lt")) else {
            return Reply::json(400, &json!({"code": "bad_filter", "message": "no range"}));
        };
        let rows = self
            .deals
            .values()
            .filter(|row| within(row, from, Some(to)))
            .collect();
        let (page, next) = page(rows, body["cursor"].as_str(), request.param("limit"));
        Reply::json(200, &json!({"items": page, "paging": {"next": next}}))
    }

    fn activities(&self, request: &Request) -> Reply {
        let from: usize = request
            .param("cursor")
            .and_then(|text| text.parse().ok())
            .unwrap_or(0);
        let page: Vec<_> = self.activities.iter().skip(from).take(7).collect();
        let next = from + page.len();
        Reply::json(
            200,
            &json!({"items": page, "cursor": next.to_string(),
            "caught_up": next == self.activities.len()}),
        )
    }

    fn campaigns(&self, request: &Request) -> Reply {
        let rows = self.campaigns.values().collect();
        let (page, next) = page(rows, request.param("cursor"), request.param("limit"));
        Reply::json(200, &json!({"items": page, "paging": {"next": next}}))
    }

    fn add(&mut self, at: i64) {
        let id = self.next();
        let company = id % 5;
        self.contacts.insert(
            id,
            object(json!({"id": id, "name": format!("contact {id}"),
            "company": company, "archived": false, "updated_at": clock::rfc3339(at),
            "custom": {"n": id}})),
        );
        let id = self.next();
        self.deals.insert(
            id,
            object(json!({"id": id, "amount": id * 100,
            "updated_at": clock::rfc3339(at)})),
        );
        let id = self.next();
        self.activities
            .push(object(json!({"id": id, "kind": "call", "at": at})));
        self.activities
            .push(object(json!({"id": id + 1_000_000, "kind": "heartbeat"})));
    }

    fn change(&mut self, at: i64) {
        let picked = self.next();
        let nth = |rows: &BTreeMap<u64, Row>| {
            let place = usize::try_from(picked).unwrap_or(0) % rows.len().max(1);
            rows.keys().nth(place).copied()
        };
        let (contact, deal) = (nth(&self.contacts), nth(&self.deals));
        if let Some(row) = contact.and_then(|id| self.contacts.get_mut(&id)) {
            row.insert("name".to_owned(), json!(format!("renamed at {at}")));
            row.insert("updated_at".to_owned(), json!(clock::rfc3339(at)));
            if picked.is_multiple_of(4) {
                row.insert("archived".to_owned(), json!(true));
            }
        }
        if let Some(row) = deal.and_then(|id| self.deals.get_mut(&id)) {
            row.insert("amount".to_owned(), json!(picked));
            row.insert("updated_at".to_owned(), json!(clock::rfc3339(at)));
        }
        if picked.is_multiple_of(3) {
            self.campaigns.pop_first();
        }
        self.add(at);
    }
}

fn within(row: &Row, from: i64, to: Option<i64>) -> bool {
    let at = row["updated_at"]
        .as_str()
        .and_then(clock::parse)
        .unwrap_or(0);
    at >= from && to.is_none_or(|to| at < to)
}

fn company(id: u64) -> Value {
    json!({"id": id, "name": format!("company {id}")})
}

/// A page in the order of time, and what names the next. The cursor is the last row's place in that
/// order, so that rows which move do not shift others.
fn page<'r>(
    mut rows: Vec<&'r Row>,
    cursor: Option<&str>,
    limit: Option<&str>,
) -> (Vec<&'r Row>, Option<String>) {
    let place = |row: &Row| {
        let at = row.get("updated_at").and_then(Value::as_str).unwrap_or("");
        format!("{at}/{:012}", row["id"].as_u64().unwrap_or(0))
    };
    rows.sort_by_key(|row| place(row));
    rows.retain(|row| cursor.is_none_or(|cursor| *place(row) > *cursor));
    let limit: usize = limit.and_then(|text| text.parse().ok()).unwrap_or(10);
    let more = rows.len() > limit.min(10);
    rows.truncate(limit.min(10));
    let next = rows.last().filter(|_| more).map(|row| place(row));
    (rows, next)
}

impl Vendor for Crm {
    fn answer(&mut self, request: &Request, _now: i64) -> Reply {
        if request.path == "/oauth/token" {
            return self.log_in(request);
        }
        let bearer = format!("Bearer {}", self.access_token);
        if request.header("authorization") != Some(&bearer) {
            return Reply::json(
                401,
                &json!({"code": "token_expired", "message": "log in again"}),
            );
        }
        match request.path.as_str() {
            "/v2/me" => Reply::json(200, &json!({"id": 1})),
            "/v2/contacts" => self.contacts(request),
            "/v2/deals/search" => self.deals(request),
            "/v2/activities/stream" => self.activities(request),
            "/v2/campaigns" => self.campaigns(request),
            _ => Reply::json(404, &json!({"message": "no such path"})),
        }
    }

    fn failure(&self, status: u16) -> Reply {
        Reply::json(status, &json!({"message": "planned"}))
    }

    fn throttled(&self, refusal: Refusal) -> Reply {
        let reply = Reply::text(429, "slow down");
        match refusal.wait {
            Some(wait) => reply.with("retry-after", wait),
            None => reply,
        }
    }

    fn expire_tokens(&mut self) {
        self.access_token = "none".to_owned();
    }
}

impl Api for Crm {
    const KIND: &'static str = "rest";
    const SETTLES: i64 = 90;
    const STREAMS: &'static [&'static str] =
        &["activities", "campaigns", "companies", "contacts", "deals"];

    fn begin(_now: i64) -> Self {
        Self::new()
    }

    fn settings(&mut self, url: &str) -> Value {
        settings(
            "rest-crm.manifest.yaml",
            url,
            json!({"client_id": "tributary",
            "client_secret": "client-secret", "refresh_token": self.refresh_token}),
        )
    }

    fn truth_of(&self, stream: &str, _now: i64) -> Truth {
        let mut truth = Truth::keyed(&["id"]);
        match stream {
            "contacts" => {
                let live = self
                    .contacts
                    .values()
                    .filter(|row| row["archived"] == false);
                live.for_each(|row| truth.add(row.clone()));
            }
            "deals" => self.deals.values().for_each(|row| truth.add(row.clone())),
            "campaigns" => self
                .campaigns
                .values()
                .for_each(|row| truth.add(row.clone())),
            "companies" => {
                (0..5).for_each(|id| truth.add_perhaps(object(company(id))));
            }
            _ => {
                let told = self.activities.iter().filter(|row| row["kind"] == "call");
                told.for_each(|row| truth.add(row.clone()));
            }
        }
        truth
    }

    fn populate_all(&mut self, count: usize, now: i64) {
        for index in 0..count {
            self.add(now - 86_400 + i64::try_from(index).unwrap_or(0) / 3);
            let id = self.next();
            self.campaigns.insert(
                id,
                object(json!({"id": id, "title": format!("campaign {id}")})),
            );
        }
    }

    fn change_some(&mut self, count: usize, from: i64, to: i64) {
        let steps = i64::try_from(count.max(1)).unwrap_or(1);
        for index in 0..count {
            self.change(from + i64::try_from(index).unwrap_or(0) * (to - from) / steps);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crm_is_read() {
    holds::<Crm>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_may_expire_at_any_time() {
    let _turn = TURN.lock().await;
    let simulator = simulated::<Crm>(20);
    let read = source(&simulator).await;
    Reading::new(&simulator, &read)
        .await
        .survives_expiry()
        .await;
}

/// A token that replaced another is kept before it is used: a later run goes on with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_token_outlives_the_process() {
    let _turn = TURN.lock().await;
    let simulator = simulated::<Crm>(5);
    let vault = Arc::new(Memory::default());
    let first = simulator.with(|model, _| model.refresh_token.clone());
    for _ in 0..3 {
        let mut settings = simulator.with(|model, _| model.settings("http://x"));
        settings["api_url"] = json!(simulator.url());
        settings["settings"]["refresh_token"] = json!(first);
        let config = serde_json::from_value(settings).expect("these are settings");
        let read = tributary_rest_connector::Rest::connect(config)
            .await
            .expect("it connects");
        let read = read.with_vault(vault.clone());
        let report = Source::check(&read, &[]).await.expect("it can be checked");
        assert_eq!(
            report.verdict(),
            tributary_model::Verdict::Pass,
            "{report:?}"
        );
    }
    let kept: Vec<Secret> = vault.all();
    let now = simulator.with(|model, _| model.refresh_token.clone());
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].expose(), now);
    assert_ne!(now, first);
    let name = vault.names().remove(0);
    assert!(vault.get(&name).await.is_ok_and(|kept| kept.is_some()));
    assert!(!name.contains(&first));
}
