//! The kinds of records: where they are listed and what tells them apart.

use crate::api::path;

/// One kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub(super) stream: &'static str,
    /// Where it is listed, after `/3.0`; each `{}` stands for an owner's id.
    pub(super) path: &'static str,
    /// The field of the answer that holds the records.
    pub(super) items: &'static str,
    /// Kinds of the owners in the path, and the fields in which records name them.
    pub(super) owners: &'static [(&'static str, &'static str)],
    /// What tells records of one owner apart.
    pub(super) id: Id,
    pub(super) paging: Paging,
    /// Whether an account may lack it.
    pub(super) gated: Gated,
}

/// What tells records apart, and what it looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Id {
    /// A short text.
    Text(&'static str),
    /// A number.
    Number(&'static str),
    /// As long as a hash.
    Hash(&'static str),
}

impl Id {
    pub(super) const fn field(self) -> &'static str {
        match self {
            Self::Text(name) | Self::Number(name) | Self::Hash(name) => name,
        }
    }
}

/// How a list comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paging {
    /// `count` and `offset`.
    Offset,
    /// All at once.
    Whole,
    /// One object, and no list.
    One,
}

/// Whether an account may lack it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gated {
    No,
    /// Refused where the account has no classic automations.
    Automations,
    /// Refused where the account has no inbox.
    Inbox,
}

const LIST: &[(&str, &str)] = &[("lists", "list_id")];
// Only what was sent has a report; its id is the campaign's.
const CAMPAIGN: &[(&str, &str)] = &[("reports", "campaign_id")];
const DRAFT: &[(&str, &str)] = &[("campaigns", "campaign_id")];
const WORKFLOW: &[(&str, &str)] = &[("automations", "workflow_id")];
const MEMBER: &[(&str, &str)] = &[("lists", "list_id"), ("list_members", "email_id")];
const STORE: &[(&str, &str)] = &[("stores", "store_id")];

const fn kind(
    stream: &'static str,
    path: &'static str,
    items: &'static str,
    owners: &'static [(&'static str, &'static str)],
) -> Kind {
    Kind {
        stream,
        path,
        items,
        owners,
        id: Id::Text("id"),
        paging: Paging::Offset,
        gated: Gated::No,
    }
}

impl Kind {
    const fn known_by(mut self, id: Id) -> Self {
        self.id = id;
        self
    }

    const fn whole(mut self) -> Self {
        self.paging = Paging::Whole;
        self
    }

    const fn one(mut self) -> Self {
        self.paging = Paging::One;
        self
    }

    const fn gated(mut self, gated: Gated) -> Self {
        self.gated = gated;
        self
    }
}

/// All kinds.
pub(super) const KINDS: &[Kind] = &[
    kind("lists", "/lists", "lists", &[]),
    kind("list_members", "/lists/{}/members", "members", LIST).known_by(Id::Hash("id")),
    kind(
        "member_notes",
        "/lists/{}/members/{}/notes",
        "notes",
        MEMBER,
    )
    .known_by(Id::Number("id")),
    kind(
        "member_events",
        "/lists/{}/members/{}/events",
        "events",
        MEMBER,
    )
    .known_by(Id::Text("occurred_at")),
    kind(
        "member_activity",
        "/lists/{}/members/{}/activity-feed",
        "activity",
        MEMBER,
    )
    .known_by(Id::Text("created_at_timestamp")),
    kind(
        "member_goals",
        "/lists/{}/members/{}/goals",
        "goals",
        MEMBER,
    )
    .known_by(Id::Number("goal_id"))
    .whole(),
    kind("segments", "/lists/{}/segments", "segments", LIST).known_by(Id::Number("id")),
    kind(
        "segment_members",
        "/lists/{}/segments/{}/members",
        "members",
        &[("lists", "list_id"), ("segments", "segment_id")],
    )
    .known_by(Id::Hash("id")),
    kind("tags", "/lists/{}/tag-search", "tags", LIST).known_by(Id::Number("id")),
    kind(
        "interest_categories",
        "/lists/{}/interest-categories",
        "categories",
        LIST,
    ),
    kind(
        "interests",
        "/lists/{}/interest-categories/{}/interests",
        "interests",
        &[("lists", "list_id"), ("interest_categories", "category_id")],
    ),
    kind(
        "merge_fields",
        "/lists/{}/merge-fields",
        "merge_fields",
        LIST,
    )
    .known_by(Id::Number("merge_id")),
    kind(
        "growth_history",
        "/lists/{}/growth-history",
        "history",
        LIST,
    )
    .known_by(Id::Text("month")),
    kind("list_activity", "/lists/{}/activity", "activity", LIST).known_by(Id::Text("day")),
    kind("list_locations", "/lists/{}/locations", "locations", LIST)
        .known_by(Id::Text("country"))
        .whole(),
    kind("list_clients", "/lists/{}/clients", "clients", LIST)
        .known_by(Id::Text("client"))
        .whole(),
    kind(
        "abuse_reports",
        "/lists/{}/abuse-reports",
        "abuse_reports",
        LIST,
    )
    .known_by(Id::Number("id")),
    kind("webhooks", "/lists/{}/webhooks", "webhooks", LIST).whole(),
    kind(
        "signup_forms",
        "/lists/{}/signup-forms",
        "signup_forms",
        LIST,
    )
    .whole(),
    kind("list_surveys", "/lists/{}/surveys", "surveys", LIST).whole(),
    kind("campaigns", "/campaigns", "campaigns", &[]),
    // What a campaign says; its id is the campaign's.
    kind("campaign_content", "/campaigns/{}/content", "", DRAFT)
        .known_by(Id::Text("campaign_id"))
        .one(),
    kind(
        "campaign_feedback",
        "/campaigns/{}/feedback",
        "feedback",
        DRAFT,
    )
    .known_by(Id::Number("feedback_id"))
    .whole(),
    kind("reports", "/reports", "reports", &[]),
    kind(
        "email_activity",
        "/reports/{}/email-activity",
        "emails",
        CAMPAIGN,
    )
    .known_by(Id::Hash("email_id")),
    kind(
        "open_details",
        "/reports/{}/open-details",
        "members",
        CAMPAIGN,
    )
    .known_by(Id::Hash("email_id")),
    kind(
        "click_details",
        "/reports/{}/click-details",
        "urls_clicked",
        CAMPAIGN,
    ),
    kind(
        "click_members",
        "/reports/{}/click-details/{}/members",
        "members",
        &[("reports", "campaign_id"), ("click_details", "url_id")],
    )
    .known_by(Id::Hash("email_id")),
    kind("sent_to", "/reports/{}/sent-to", "sent_to", CAMPAIGN).known_by(Id::Hash("email_id")),
    kind(
        "unsubscribes",
        "/reports/{}/unsubscribed",
        "unsubscribes",
        CAMPAIGN,
    )
    .known_by(Id::Hash("email_id")),
    kind(
        "campaign_locations",
        "/reports/{}/locations",
        "locations",
        CAMPAIGN,
    )
    .known_by(Id::Text("region")),
    kind(
        "domain_performance",
        "/reports/{}/domain-performance",
        "domains",
        CAMPAIGN,
    )
    .known_by(Id::Text("domain"))
    .whole(),
    kind("campaign_advice", "/reports/{}/advice", "advice", CAMPAIGN)
        .known_by(Id::Text("message"))
        .whole(),
    kind(
        "sub_reports",
        "/reports/{}/sub-reports",
        "reports",
        CAMPAIGN,
    )
    .whole(),
    kind("eepurl", "/reports/{}/eepurl", "", CAMPAIGN)
        .known_by(Id::Text("campaign_id"))
        .one(),
    kind(
        "ecommerce_product_activity",
        "/reports/{}/ecommerce-product-activity",
        "products",
        CAMPAIGN,
    )
    .known_by(Id::Text("sku")),
    kind("automations", "/automations", "automations", &[]).gated(Gated::Automations),
    kind(
        "automation_emails",
        "/automations/{}/emails",
        "emails",
        WORKFLOW,
    )
    .whole()
    .gated(Gated::Automations),
    kind(
        "automation_removed_subscribers",
        "/automations/{}/removed-subscribers",
        "subscribers",
        WORKFLOW,
    )
    .known_by(Id::Hash("id"))
    .whole()
    .gated(Gated::Automations),
    kind(
        "automation_queue",
        "/automations/{}/emails/{}/queue",
        "queue",
        &[
            ("automations", "workflow_id"),
            ("automation_emails", "email_id"),
        ],
    )
    .known_by(Id::Hash("id"))
    .whole()
    .gated(Gated::Automations),
    kind("templates", "/templates", "templates", &[]).known_by(Id::Number("id")),
    kind("template_folders", "/template-folders", "folders", &[]),
    kind("campaign_folders", "/campaign-folders", "folders", &[]),
    kind("file_manager_files", "/file-manager/files", "files", &[]).known_by(Id::Number("id")),
    kind("landing_pages", "/landing-pages", "landing_pages", &[]),
    kind("conversations", "/conversations", "conversations", &[]).gated(Gated::Inbox),
    kind(
        "conversation_messages",
        "/conversations/{}/messages",
        "conversation_messages",
        &[("conversations", "conversation_id")],
    )
    .whole()
    .gated(Gated::Inbox),
    kind("facebook_ads", "/facebook-ads", "facebook_ads", &[]),
    kind(
        "facebook_ad_reports",
        "/reporting/facebook-ads",
        "facebook_ads",
        &[],
    ),
    kind(
        "landing_page_reports",
        "/reporting/landing-pages",
        "landing_pages",
        &[],
    ),
    kind("survey_reports", "/reporting/surveys", "surveys", &[]),
    kind("batches", "/batches", "batches", &[]),
    kind("stores", "/ecommerce/stores", "stores", &[]),
    kind(
        "customers",
        "/ecommerce/stores/{}/customers",
        "customers",
        STORE,
    ),
    kind("orders", "/ecommerce/stores/{}/orders", "orders", STORE),
    kind("carts", "/ecommerce/stores/{}/carts", "carts", STORE),
    kind(
        "products",
        "/ecommerce/stores/{}/products",
        "products",
        STORE,
    ),
    kind(
        "promo_rules",
        "/ecommerce/stores/{}/promo-rules",
        "promo_rules",
        STORE,
    ),
    kind(
        "promo_codes",
        "/ecommerce/stores/{}/promo-rules/{}/promo-codes",
        "promo_codes",
        &[("stores", "store_id"), ("promo_rules", "promo_rule_id")],
    ),
    kind("verified_domains", "/verified-domains", "domains", &[])
        .known_by(Id::Text("domain"))
        .whole(),
    kind("authorized_apps", "/authorized-apps", "apps", &[]).known_by(Id::Number("id")),
];

/// A kind by the name of its stream.
pub(super) fn named(stream: &str) -> &'static Kind {
    let found = KINDS.iter().find(|kind| kind.stream == stream);
    found.unwrap_or_else(|| panic!("Mailchimp has no {stream}"))
}

/// The kind at a path, and its owners' ids; where one more segment is left, the id of one record.
pub(super) fn at<'a>(
    segments: &[&'a str],
) -> Option<(&'static Kind, Vec<&'a str>, Option<&'a str>)> {
    let list = KINDS
        .iter()
        .find_map(|kind| Some((kind, path::places(kind.path, segments)?, None)));
    list.or_else(|| {
        let (id, rest) = segments.split_last()?;
        KINDS
            .iter()
            .find_map(|kind| Some((kind, path::places(kind.path, rest)?, Some(*id))))
    })
}
