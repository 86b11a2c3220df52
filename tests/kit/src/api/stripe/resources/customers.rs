//! Customers and what hangs on them.

use crate::api::stripe::resource::{Gone, Resource, Window, expanded, plain, timed};

pub(super) const RESOURCES: &[Resource] = &[
    Resource {
        gone: Gone::Stub,
        ..timed("customers", "customer", "cus", &["/customers"])
            .filters(&["email", "test_clock"])
            .created("customer.created")
            .updated(&["customer.updated"])
            .deleted("customer.deleted")
            .embeds(&[
                expanded("sources", "sources"),
                expanded("tax_ids", "tax_ids"),
            ])
    },
    // Cards and bank accounts, one list for both.
    plain("sources", "card", "card", &["/customers/{parent}/sources"])
        .of("customers", "customer")
        .filters(&["object"])
        .created("customer.source.created")
        .updated(&["customer.source.updated"])
        .deleted("customer.source.deleted"),
    // What tells of a new one is that the customer's balance moved.
    Resource {
        window: Window::Since("2026-01-28.clover"),
        ..plain(
            "customer_balance_transactions",
            "customer_balance_transaction",
            "cbtxn",
            &["/customers/{parent}/balance_transactions"],
        )
        .dated()
        .of("customers", "customer")
        .filters(&["invoice"])
    },
    plain(
        "customer_cash_balance_transactions",
        "customer_cash_balance_transaction",
        "ccsbtxn",
        &["/customers/{parent}/cash_balance_transactions"],
    )
    .dated()
    .of("customers", "customer")
    .created("customer_cash_balance_transaction.created"),
    plain(
        "tax_ids",
        "tax_id",
        "txi",
        &["/customers/{parent}/tax_ids", "/tax_ids"],
    )
    .dated()
    .of("customers", "customer")
    .created("customer.tax_id.created")
    .updated(&["customer.tax_id.updated"])
    .deleted("customer.tax_id.deleted"),
    plain(
        "payment_methods",
        "payment_method",
        "pm",
        &["/payment_methods", "/customers/{parent}/payment_methods"],
    )
    .dated()
    .of("customers", "customer")
    .filters(&["type", "allow_redisplay"])
    .created("payment_method.attached")
    .updated(&[
        "payment_method.updated",
        "payment_method.automatically_updated",
    ]),
    plain(
        "active_entitlements",
        "entitlements.active_entitlement",
        "ent",
        &["/entitlements/active_entitlements"],
    )
    .of("customers", "customer")
    .required(&["customer"]),
    plain(
        "entitlement_features",
        "entitlements.feature",
        "feat",
        &["/entitlements/features"],
    )
    .filters(&["archived", "lookup_key"]),
];
