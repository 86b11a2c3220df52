//! Money that moves.

use crate::api::stripe::resource::{Resource, expanded, plain, timed};

pub(super) const RESOURCES: &[Resource] = &[
    timed(
        "balance_transactions",
        "balance_transaction",
        "txn",
        &["/balance_transactions"],
    )
    .filters(&["currency", "payout", "source", "type"]),
    timed("charges", "charge", "ch", &["/charges"])
        .filters(&["customer", "payment_intent", "transfer_group"])
        .created("charge.succeeded")
        .updated(&[
            "charge.updated",
            "charge.captured",
            "charge.refunded",
            "charge.failed",
        ])
        .embeds(&[expanded("refunds", "refunds")]),
    timed(
        "refunds",
        "refund",
        "re",
        &["/refunds", "/charges/{parent}/refunds"],
    )
    .of("charges", "charge")
    .filters(&["charge", "payment_intent"])
    .created("refund.created")
    .updated(&["refund.updated", "charge.refund.updated", "refund.failed"]),
    timed("disputes", "dispute", "dp", &["/disputes"])
        .filters(&["charge", "payment_intent"])
        .created("charge.dispute.created")
        .updated(&["charge.dispute.updated", "charge.dispute.closed"]),
    timed(
        "payment_intents",
        "payment_intent",
        "pi",
        &["/payment_intents"],
    )
    .filters(&["customer"])
    .created("payment_intent.created")
    .updated(&[
        "payment_intent.succeeded",
        "payment_intent.canceled",
        "payment_intent.processing",
        "payment_intent.payment_failed",
    ]),
    timed("setup_intents", "setup_intent", "seti", &["/setup_intents"])
        .filters(&["attach_to_self", "customer", "payment_method"])
        .created("setup_intent.created")
        .updated(&["setup_intent.succeeded", "setup_intent.canceled"]),
    timed(
        "setup_attempts",
        "setup_attempt",
        "setatt",
        &["/setup_attempts"],
    )
    .of("setup_intents", "setup_intent")
    .required(&["setup_intent"])
    .unretrievable(),
    timed("payouts", "payout", "po", &["/payouts"])
        .filters(&["arrival_date", "destination", "status"])
        .created("payout.created")
        .updated(&[
            "payout.updated",
            "payout.paid",
            "payout.reconciliation_completed",
        ]),
    timed("topups", "topup", "tu", &["/topups"])
        .filters(&["amount", "status"])
        .created("topup.created")
        .updated(&["topup.succeeded", "topup.failed"]),
    timed(
        "early_fraud_warnings",
        "radar.early_fraud_warning",
        "issfr",
        &["/radar/early_fraud_warnings"],
    )
    .filters(&["charge", "payment_intent"])
    .created("radar.early_fraud_warning.created")
    .updated(&["radar.early_fraud_warning.updated"]),
    timed("reviews", "review", "prv", &["/reviews"])
        .created("review.opened")
        .updated(&["review.closed"]),
    // Nothing tells that one was opened: only its end is an event.
    timed(
        "checkout_sessions",
        "checkout.session",
        "cs",
        &["/checkout/sessions"],
    )
    .filters(&[
        "customer",
        "payment_intent",
        "payment_link",
        "status",
        "subscription",
    ])
    .updated(&["checkout.session.completed", "checkout.session.expired"])
    .embeds(&[expanded("line_items", "checkout_session_line_items")]),
    plain(
        "checkout_session_line_items",
        "item",
        "li",
        &["/checkout/sessions/{parent}/line_items"],
    )
    .inside("checkout_sessions")
    .unretrievable(),
    plain(
        "payment_links",
        "payment_link",
        "plink",
        &["/payment_links"],
    )
    .filters(&["active"])
    .created("payment_link.created")
    .updated(&["payment_link.updated"])
    .embeds(&[expanded("line_items", "payment_link_line_items")]),
    plain(
        "payment_link_line_items",
        "item",
        "li",
        &["/payment_links/{parent}/line_items"],
    )
    .inside("payment_links")
    .unretrievable(),
];
