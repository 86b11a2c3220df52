//! The kinds of records: where they are listed and how.

use crate::api::path;

/// One kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub(super) stream: &'static str,
    /// Where it is listed, after `/api/v2`; `{parent}` stands for the id of a parent.
    pub(super) path: &'static str,
    /// The field of the answer that holds the records.
    pub(super) items: &'static str,
    pub(super) paging: Paging,
    pub(super) parent: Option<&'static str>,
    pub(super) product: Option<Product>,
    pub(super) clock: Clock,
}

/// How a list comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paging {
    /// By cursor where that is asked for, else by pages.
    Both,
    /// By pages only.
    Pages,
    /// All at once.
    None,
    /// An export that goes on from a cursor.
    CursorExport,
    /// An export that goes on from a time, and says whether it is at its end.
    TimeExport,
    /// An export that goes on from a time, and does not say whether it is at its end.
    TalkExport,
}

/// Which times a record shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    /// `created_at` and `updated_at`.
    Both,
    /// `created_at`; `updated_at` is null.
    Created,
    /// `time`.
    Time,
    None,
}

/// What a plan may not include.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Product {
    /// Audit logs, custom roles.
    Enterprise,
    /// Forms, service levels, business hours.
    Growth,
    /// Asking customers whether they were content.
    Satisfaction,
    /// The help centre.
    Guide,
    /// The community.
    Gather,
    /// Calls.
    Talk,
    /// Conversations beside a ticket.
    SideConversations,
    /// Queues and skills.
    Routing,
}

impl Product {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Enterprise,
        Self::Growth,
        Self::Satisfaction,
        Self::Guide,
        Self::Gather,
        Self::Talk,
        Self::SideConversations,
        Self::Routing,
    ];
}

const fn kind(stream: &'static str, path: &'static str, items: &'static str) -> Kind {
    Kind {
        stream,
        path,
        items,
        paging: Paging::Both,
        parent: None,
        product: None,
        clock: Clock::Both,
    }
}

impl Kind {
    const fn by(mut self, paging: Paging) -> Self {
        self.paging = paging;
        self
    }

    const fn of(mut self, parent: &'static str) -> Self {
        self.parent = Some(parent);
        self
    }

    const fn needs(mut self, product: Product) -> Self {
        self.product = Some(product);
        self
    }

    const fn shows(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }
}

/// All kinds; one stream may be listed at several places.
pub(super) const KINDS: &[Kind] = &[
    kind("tickets", "/incremental/tickets/cursor", "tickets").by(Paging::CursorExport),
    kind("tickets", "/incremental/tickets", "tickets").by(Paging::TimeExport),
    kind("tickets", "/tickets", "tickets"),
    kind("ticket_metrics", "/ticket_metrics", "ticket_metrics").of("tickets"),
    kind(
        "ticket_events",
        "/incremental/ticket_events",
        "ticket_events",
    )
    .by(Paging::TimeExport)
    .shows(Clock::None),
    kind("ticket_audits", "/tickets/{parent}/audits", "audits")
        .of("tickets")
        .shows(Clock::None),
    kind("ticket_comments", "/tickets/{parent}/comments", "comments")
        .of("tickets")
        .shows(Clock::None),
    kind(
        "ticket_metric_events",
        "/incremental/ticket_metric_events",
        "ticket_metric_events",
    )
    .of("tickets")
    .shows(Clock::Time),
    kind("users", "/incremental/users/cursor", "users").by(Paging::CursorExport),
    kind("users", "/incremental/users", "users").by(Paging::TimeExport),
    kind("users", "/users", "users"),
    kind(
        "user_identities",
        "/users/{parent}/identities",
        "identities",
    )
    .of("users"),
    kind(
        "organizations",
        "/incremental/organizations",
        "organizations",
    )
    .by(Paging::TimeExport),
    kind("organizations", "/organizations", "organizations"),
    kind("groups", "/groups", "groups"),
    // When it changed may be unknown.
    kind(
        "group_memberships",
        "/group_memberships",
        "group_memberships",
    )
    .shows(Clock::Created),
    kind(
        "organization_memberships",
        "/organization_memberships",
        "organization_memberships",
    ),
    kind(
        "organization_subscriptions",
        "/organization_subscriptions",
        "organization_subscriptions",
    )
    .shows(Clock::Created),
    kind("brands", "/brands", "brands"),
    kind("ticket_fields", "/ticket_fields", "ticket_fields"),
    kind("user_fields", "/user_fields", "user_fields"),
    kind(
        "organization_fields",
        "/organization_fields",
        "organization_fields",
    ),
    kind("ticket_forms", "/ticket_forms", "ticket_forms")
        .by(Paging::Pages)
        .needs(Product::Growth),
    kind("custom_statuses", "/custom_statuses", "custom_statuses").by(Paging::None),
    kind("custom_roles", "/custom_roles", "custom_roles")
        .by(Paging::Pages)
        .needs(Product::Enterprise),
    kind("macros", "/macros", "macros"),
    kind("triggers", "/triggers", "triggers"),
    kind("automations", "/automations", "automations"),
    kind("views", "/views", "views"),
    kind("sla_policies", "/slas/policies", "sla_policies")
        .by(Paging::Pages)
        .needs(Product::Growth),
    kind("schedules", "/business_hours/schedules", "schedules")
        .by(Paging::None)
        .needs(Product::Growth),
    kind(
        "schedule_holidays",
        "/business_hours/schedules/{parent}/holidays",
        "holidays",
    )
    .by(Paging::None)
    .of("schedules")
    .needs(Product::Growth)
    .shows(Clock::None),
    kind("tags", "/tags", "tags").shows(Clock::None),
    kind(
        "satisfaction_ratings",
        "/satisfaction_ratings",
        "satisfaction_ratings",
    )
    .needs(Product::Satisfaction),
    kind("ticket_skips", "/skips", "skips"),
    kind("ticket_activities", "/activities", "activities"),
    kind("audit_logs", "/audit_logs", "audit_logs")
        .needs(Product::Enterprise)
        .shows(Clock::Created),
    kind(
        "suspended_tickets",
        "/suspended_tickets",
        "suspended_tickets",
    ),
    // Those of the last thirty days, from the shelves of tickets and users.
    kind("deleted_tickets", "/deleted_tickets", "deleted_tickets").shows(Clock::None),
    kind("deleted_users", "/deleted_users", "deleted_users").shows(Clock::None),
    kind("targets", "/targets", "targets").shows(Clock::Created),
    kind("queues", "/queues", "queues").needs(Product::Routing),
    kind("account_attributes", "/routing/attributes", "attributes")
        .by(Paging::Pages)
        .needs(Product::Routing),
    kind("job_statuses", "/job_statuses", "job_statuses").shows(Clock::None),
    kind("locales", "/locales", "locales").by(Paging::None),
    kind("dynamic_content_items", "/dynamic_content/items", "items"),
    kind(
        "ticket_trigger_categories",
        "/trigger_categories",
        "trigger_categories",
    ),
    kind(
        "side_conversations",
        "/tickets/{parent}/side_conversations",
        "side_conversations",
    )
    .of("tickets")
    .needs(Product::SideConversations),
    kind(
        "side_conversation_events",
        "/tickets/{parent}/side_conversations/{parent}/events",
        "events",
    )
    .of("side_conversations")
    .needs(Product::SideConversations)
    .shows(Clock::Created),
    kind("calls", "/channels/voice/stats/incremental/calls", "calls")
        .by(Paging::TalkExport)
        .needs(Product::Talk),
    kind(
        "call_legs",
        "/channels/voice/stats/incremental/legs",
        "legs",
    )
    .by(Paging::TalkExport)
    .needs(Product::Talk),
    kind("articles", "/help_center/incremental/articles", "articles")
        .by(Paging::TimeExport)
        .needs(Product::Guide),
    kind(
        "article_comments",
        "/help_center/articles/{parent}/comments",
        "comments",
    )
    .of("articles")
    .needs(Product::Guide),
    kind(
        "article_votes",
        "/help_center/articles/{parent}/votes",
        "votes",
    )
    .of("articles")
    .needs(Product::Guide),
    kind(
        "article_attachments",
        "/help_center/articles/{parent}/attachments",
        "article_attachments",
    )
    .of("articles")
    .needs(Product::Guide),
    kind(
        "article_translations",
        "/help_center/articles/{parent}/translations",
        "translations",
    )
    .of("articles")
    .needs(Product::Guide),
    kind("categories", "/help_center/categories", "categories").needs(Product::Guide),
    kind("sections", "/help_center/sections", "sections").needs(Product::Guide),
    kind("topics", "/community/topics", "topics").needs(Product::Gather),
    kind("posts", "/community/posts", "posts").needs(Product::Gather),
    kind(
        "post_comments",
        "/community/posts/{parent}/comments",
        "comments",
    )
    .of("posts")
    .needs(Product::Gather),
    kind("post_votes", "/community/posts/{parent}/votes", "votes")
        .of("posts")
        .needs(Product::Gather),
    kind(
        "post_comment_votes",
        "/community/posts/{parent}/comments/{parent}/votes",
        "votes",
    )
    .of("post_comments")
    .needs(Product::Gather),
    kind("custom_objects", "/custom_objects", "custom_objects").by(Paging::None),
    kind(
        "custom_object_records",
        "/incremental/custom_objects/{parent}/cursor",
        "custom_object_records",
    )
    .by(Paging::CursorExport)
    .of("custom_objects"),
];

/// A kind by the name of its stream.
pub(super) fn named(stream: &str) -> &'static Kind {
    let found = KINDS.iter().find(|kind| kind.stream == stream);
    found.unwrap_or_else(|| panic!("Zendesk has no {stream}"))
}

/// The kind that is listed at a path, and the parent in it, the nearest of several.
pub(super) fn at<'a>(segments: &[&'a str]) -> Option<(&'static Kind, Option<&'a str>)> {
    KINDS.iter().find_map(|kind| {
        let parents = path::places(kind.path, segments)?;
        Some((kind, parents.last().copied()))
    })
}
