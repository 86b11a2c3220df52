//! What is sold, and how it is billed.

use crate::api::stripe::resource::{Resource, Versions, Window, expanded, plain, shown, timed};

const BASIL: &str = "2025-03-31.basil";

pub(super) const RESOURCES: &[Resource] = &[
    timed("products", "product", "prod", &["/products"])
        .filters(&["active", "shippable", "url"])
        .created("product.created")
        .updated(&["product.updated"])
        .deleted("product.deleted"),
    timed("prices", "price", "price", &["/prices"])
        .filters(&["active", "currency", "product", "type"])
        .created("price.created")
        .updated(&["price.updated"])
        .deleted("price.deleted"),
    timed("plans", "plan", "plan", &["/plans"])
        .filters(&["active", "product"])
        .created("plan.created")
        .updated(&["plan.updated"])
        .deleted("plan.deleted"),
    timed("coupons", "coupon", "coup", &["/coupons"])
        .created("coupon.created")
        .updated(&["coupon.updated"])
        .deleted("coupon.deleted"),
    timed(
        "promotion_codes",
        "promotion_code",
        "promo",
        &["/promotion_codes"],
    )
    .filters(&["active", "code", "coupon", "customer"])
    .created("promotion_code.created")
    .updated(&["promotion_code.updated"]),
    timed("subscriptions", "subscription", "sub", &["/subscriptions"])
        .filters(&["customer", "collection_method", "status"])
        .created("customer.subscription.created")
        .updated(&[
            "customer.subscription.updated",
            "customer.subscription.paused",
            "customer.subscription.resumed",
            // The end of a subscription, not of its object.
            "customer.subscription.deleted",
        ])
        .embeds(&[shown("items", "subscription_items")]),
    plain(
        "subscription_items",
        "subscription_item",
        "si",
        &["/subscription_items"],
    )
    .dated()
    .of("subscriptions", "subscription")
    .required(&["subscription"]),
    timed(
        "subscription_schedules",
        "subscription_schedule",
        "sub_sched",
        &["/subscription_schedules"],
    )
    .filters(&["customer", "scheduled"])
    .created("subscription_schedule.created")
    .updated(&[
        "subscription_schedule.updated",
        "subscription_schedule.released",
    ]),
    Resource {
        versions: Versions::Before(BASIL),
        ..plain(
            "usage_record_summaries",
            "usage_record_summary",
            "sis",
            &["/subscription_items/{parent}/usage_record_summaries"],
        )
        .of("subscription_items", "subscription_item")
        .unretrievable()
    },
    timed("invoices", "invoice", "in", &["/invoices"])
        .filters(&["collection_method", "customer", "status", "subscription"])
        .created("invoice.created")
        .updated(&[
            "invoice.updated",
            "invoice.finalized",
            "invoice.paid",
            "invoice.voided",
        ])
        .deleted("invoice.deleted")
        .embeds(&[shown("lines", "invoice_line_items")]),
    plain(
        "invoice_line_items",
        "line_item",
        "il",
        &["/invoices/{parent}/lines"],
    )
    .of("invoices", "invoice")
    .unretrievable(),
    Resource {
        dated: Some("date"),
        ..timed("invoice_items", "invoiceitem", "ii", &["/invoiceitems"])
            .filters(&["customer", "invoice", "pending"])
            .created("invoiceitem.created")
            .deleted("invoiceitem.deleted")
    },
    Resource {
        versions: Versions::Since(BASIL),
        ..timed(
            "invoice_payments",
            "invoice_payment",
            "inpay",
            &["/invoice_payments"],
        )
        .filters(&["invoice", "status"])
        .updated(&["invoice_payment.paid"])
    },
    Resource {
        window: Window::Since(BASIL),
        ..timed("credit_notes", "credit_note", "cn", &["/credit_notes"])
            .filters(&["customer", "invoice"])
            .created("credit_note.created")
            .updated(&["credit_note.updated", "credit_note.voided"])
            .embeds(&[shown("lines", "credit_note_line_items")])
    },
    plain(
        "credit_note_line_items",
        "credit_note_line_item",
        "cnli",
        &["/credit_notes/{parent}/lines"],
    )
    .inside("credit_notes")
    .unretrievable(),
    plain("quotes", "quote", "qt", &["/quotes"])
        .dated()
        .filters(&["customer", "status", "test_clock"])
        .created("quote.created")
        .updated(&["quote.finalized", "quote.accepted", "quote.canceled"])
        .embeds(&[expanded("line_items", "quote_line_items")]),
    plain(
        "quote_line_items",
        "item",
        "li",
        &["/quotes/{parent}/line_items"],
    )
    .inside("quotes")
    .unretrievable(),
    timed("tax_rates", "tax_rate", "txr", &["/tax_rates"])
        .filters(&["active", "inclusive"])
        .created("tax_rate.created")
        .updated(&["tax_rate.updated"]),
    plain(
        "billing_credit_grants",
        "billing.credit_grant",
        "credgr",
        &["/billing/credit_grants"],
    )
    .dated()
    .filters(&["customer"])
    .created("billing.credit_grant.created")
    .updated(&["billing.credit_grant.updated"]),
    plain(
        "billing_alerts",
        "billing.alert",
        "alrt",
        &["/billing/alerts"],
    )
    .filters(&["alert_type", "meter"]),
    plain(
        "billing_meters",
        "billing.meter",
        "mtr",
        &["/billing/meters"],
    )
    .dated()
    .filters(&["status"])
    .created("billing.meter.created")
    .updated(&["billing.meter.updated", "billing.meter.deactivated"]),
];
