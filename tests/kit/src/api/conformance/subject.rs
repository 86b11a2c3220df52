//! What the suites need to know of a vendor.

use serde_json::{Value, json};
use tributary_model::Source;

use crate::api::clock::{self, DAY};
use crate::api::mailchimp::Mailchimp;
use crate::api::sheets::{Cell, Sheets};
use crate::api::simulator::{Simulator, Vendor};
use crate::api::stripe::Stripe;
use crate::api::truth::Truth;
use crate::api::zendesk::Zendesk;

/// A vendor that connectors are held to.
pub trait Api: Vendor + Sized {
    /// The `type:` of its sources.
    const KIND: &'static str;
    /// Seconds until a change can be seen by everyone.
    const SETTLES: i64;
    /// The streams whose tables are compared.
    const STREAMS: &'static [&'static str];

    /// One with nothing in it.
    fn begin(now: i64) -> Self;
    /// The settings of a source that reads it at `url`.
    fn settings(&mut self, url: &str) -> Value;
    /// Files that the settings name: name and content.
    fn files(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
    /// What the table of a stream must hold.
    fn truth_of(&self, stream: &str, now: i64) -> Truth;
    /// Makes what was there before: `count` records of each kind.
    fn populate_all(&mut self, count: usize, now: i64);
    /// Makes `count` changes that a reader can find, evenly from `from` on up to `to`.
    fn change_some(&mut self, count: usize, from: i64, to: i64);
}

/// One with `count` records of each kind.
#[must_use]
pub fn simulated<A: Api>(count: usize) -> Simulator<A> {
    let now = tributary_model::now().timestamp();
    let mut model = A::begin(now);
    model.populate_all(count, now);
    Simulator::start(model)
}

/// The connector `S`, reading `simulator`; `more` are settings beside those of the vendor.
///
/// # Panics
/// Panics where these are no settings of it.
pub async fn connected<S: Source, A: Api>(simulator: &Simulator<A>, more: &Value) -> S {
    let url = simulator.url();
    let mut settings = simulator.with(|model, _| model.settings(&url));
    merge(&mut settings, more);
    let config = serde_json::from_value(settings).expect("these are settings");
    S::connect(config).await.expect("it can be configured")
}

/// Sets what `more` says; a null takes a setting away.
pub(super) fn merge(settings: &mut Value, more: &Value) {
    for (name, value) in more.as_object().into_iter().flatten() {
        if value.is_null() {
            settings
                .as_object_mut()
                .map(|fields| fields.shift_remove(name));
        } else {
            settings[name.as_str()] = value.clone();
        }
    }
}

/// Seed of what chance decides.
const SEED: u64 = 7;

fn start_date(now: i64) -> String {
    clock::format(now - 400 * DAY, "%Y-%m-%d")
}

impl Api for Stripe {
    const KIND: &'static str = "stripe";
    const SETTLES: i64 = 120;
    const STREAMS: &'static [&'static str] = &[
        "accounts",
        "active_entitlements",
        "application_fee_refunds",
        "application_fees",
        "balance_transactions",
        "bank_accounts",
        "billing_credit_grants",
        "billing_meter_event_summaries",
        "cards",
        "charges",
        "checkout_session_line_items",
        "checkout_sessions",
        "coupons",
        "credit_note_line_items",
        "credit_notes",
        "customer_balance_transactions",
        "customer_cash_balance_transactions",
        "customers",
        "discounts",
        "disputes",
        "early_fraud_warnings",
        "invoice_items",
        "invoice_line_items",
        "invoices",
        "issuing_authorizations",
        "issuing_cards",
        "payment_intents",
        "payment_link_line_items",
        "payment_links",
        "payment_methods",
        "payout_balance_transactions",
        "payouts",
        "plans",
        "prices",
        "products",
        "promotion_codes",
        "quote_line_items",
        "quotes",
        "refunds",
        "reviews",
        "setup_attempts",
        "setup_intents",
        "subscription_items",
        "subscription_schedules",
        "subscriptions",
        "tax_codes",
        "tax_ids",
        "tax_rates",
        "topups",
        "transfer_reversals",
        "transfers",
        "treasury_financial_accounts",
        "treasury_transactions",
    ];

    fn begin(now: i64) -> Self {
        Self::new(SEED, now - 300 * DAY)
    }

    fn settings(&mut self, url: &str) -> Value {
        let start = start_date(tributary_model::now().timestamp());
        json!({"api_key": self.secret_key(), "api_url": url, "start_date": start,
            "requests_per_second": 1000})
    }

    fn truth_of(&self, stream: &str, now: i64) -> Truth {
        self.truth(stream, now)
    }

    fn populate_all(&mut self, count: usize, now: i64) {
        self.account.populate(count, now);
    }

    fn change_some(&mut self, count: usize, from: i64, to: i64) {
        self.account.live(count, from, to);
    }
}

impl Api for Zendesk {
    const KIND: &'static str = "zendesk";
    const SETTLES: i64 = 120;
    const STREAMS: &'static [&'static str] = &[
        "account_attributes",
        "article_attachments",
        "article_comments",
        "article_translations",
        "article_votes",
        "articles",
        "audit_logs",
        "automations",
        "brands",
        "call_legs",
        "calls",
        "categories",
        "custom_object_records",
        "custom_objects",
        "custom_roles",
        "custom_statuses",
        "dynamic_content_items",
        "group_memberships",
        "groups",
        "job_statuses",
        "locales",
        "macros",
        "organization_fields",
        "organization_memberships",
        "organization_subscriptions",
        "organizations",
        "post_comment_votes",
        "post_comments",
        "post_votes",
        "posts",
        "queues",
        "satisfaction_ratings",
        "schedule_holidays",
        "schedules",
        "sections",
        "side_conversation_events",
        "side_conversations",
        "sla_policies",
        "suspended_tickets",
        "tags",
        "targets",
        "ticket_activities",
        "ticket_audits",
        "ticket_comments",
        "ticket_events",
        "ticket_fields",
        "ticket_forms",
        "ticket_metric_events",
        "ticket_metrics",
        "ticket_skips",
        "ticket_trigger_categories",
        "tickets",
        "topics",
        "triggers",
        "user_fields",
        "user_identities",
        "users",
        "views",
    ];

    fn begin(_now: i64) -> Self {
        Self::new(SEED)
    }

    fn settings(&mut self, url: &str) -> Value {
        let start = start_date(tributary_model::now().timestamp());
        json!({"subdomain": self.subdomain, "email": self.email, "api_token": self.api_token,
            "api_url": url, "start_date": start, "requests_per_minute": 100_000,
            "exports_per_minute": 100_000})
    }

    fn truth_of(&self, stream: &str, _now: i64) -> Truth {
        self.truth(stream)
    }

    fn populate_all(&mut self, count: usize, now: i64) {
        self.populate(count, now);
    }

    fn change_some(&mut self, count: usize, from: i64, to: i64) {
        self.live(count, from, to);
    }
}

impl Api for Mailchimp {
    const KIND: &'static str = "mailchimp";
    const SETTLES: i64 = 120;
    const STREAMS: &'static [&'static str] = &[
        "abuse_reports",
        "authorized_apps",
        "automation_emails",
        "automation_queue",
        "automation_removed_subscribers",
        "automations",
        "batches",
        "campaign_advice",
        "campaign_content",
        "campaign_feedback",
        "campaign_folders",
        "campaign_locations",
        "campaigns",
        "carts",
        "click_details",
        "click_members",
        "conversation_messages",
        "conversations",
        "customers",
        "domain_performance",
        "ecommerce_product_activity",
        "eepurl",
        "email_activity",
        "facebook_ad_reports",
        "facebook_ads",
        "file_manager_files",
        "growth_history",
        "interest_categories",
        "interests",
        "landing_page_reports",
        "landing_pages",
        "list_activity",
        "list_clients",
        "list_locations",
        "list_members",
        "list_surveys",
        "lists",
        "member_activity",
        "member_events",
        "member_goals",
        "member_notes",
        "merge_fields",
        "open_details",
        "orders",
        "products",
        "promo_codes",
        "promo_rules",
        "reports",
        "segment_members",
        "segments",
        "sent_to",
        "signup_forms",
        "stores",
        "sub_reports",
        "survey_reports",
        "tags",
        "template_folders",
        "templates",
        "unsubscribes",
        "verified_domains",
        "webhooks",
    ];

    fn begin(_now: i64) -> Self {
        Self::new(SEED)
    }

    /// Also what is off by default.
    fn settings(&mut self, url: &str) -> Value {
        json!({"api_key": self.api_key, "api_url": url, "per_member": true, "per_campaign": true})
    }

    fn truth_of(&self, stream: &str, _now: i64) -> Truth {
        self.truth(stream)
    }

    fn populate_all(&mut self, count: usize, now: i64) {
        self.populate(count, now);
    }

    fn change_some(&mut self, count: usize, from: i64, to: i64) {
        self.live(count, from, to);
    }
}

/// The one spreadsheet of the suites has an id that is known in advance.
const BOOK: &str = "10000000000000000000000000000000000000000001";
const KEY_FILE: &str = "service-account.json";

impl Api for Sheets {
    const KIND: &'static str = "google_sheets";
    const SETTLES: i64 = 600;
    const STREAMS: &'static [&'static str] = &["Orders", "People"];

    fn begin(_now: i64) -> Self {
        Self::new(SEED)
    }

    fn settings(&mut self, url: &str) -> Value {
        json!({"spreadsheet_id": BOOK, "credentials_file": KEY_FILE, "api_url": url,
            "requests_per_minute": 60_000})
    }

    fn files(&self) -> Vec<(&'static str, String)> {
        vec![(KEY_FILE, self.key_file().to_string())]
    }

    fn truth_of(&self, stream: &str, _now: i64) -> Truth {
        self.truth(BOOK, stream)
    }

    fn populate_all(&mut self, count: usize, now: i64) {
        let id = self.create_book("Plans", now - DAY);
        for title in Self::STREAMS {
            let header = ["id", "name", "amount", "paid"].map(Cell::from).to_vec();
            let rows = (0..count).map(|row| line(row, now));
            let rows: Vec<_> = std::iter::once(header).chain(rows).collect();
            self.book(&id).add_sheet(title, &rows, now - DAY);
        }
    }

    fn change_some(&mut self, count: usize, from: i64, to: i64) {
        for index in 0..count {
            let share = i64::try_from(index).unwrap_or(0) * (to - from);
            let at = from + share / i64::try_from(count.max(1)).unwrap_or(1);
            let title = Self::STREAMS[index % Self::STREAMS.len()];
            let book = self.book(BOOK);
            match index % 3 {
                0 => book.append(title, &line(1000 + index, at), at),
                1 => book.set(title, (1, 1), &*format!("changed at {at}"), at),
                _ => book.delete_row(title, 2, at),
            }
        }
    }
}

#[allow(clippy::cast_precision_loss)] // small numbers
fn line(row: usize, now: i64) -> Vec<Cell> {
    let name = format!("row {row} of {now}");
    vec![
        (row as f64).into(),
        (&*name).into(),
        (row as f64 + 0.5).into(),
        row.is_multiple_of(2).into(),
    ]
}
