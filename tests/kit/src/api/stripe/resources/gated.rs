//! Products that an account has to be set up for.

use crate::api::stripe::features::Feature;
use crate::api::stripe::resource::{Resource, Window, plain, timed};

pub(super) const RESOURCES: &[Resource] = &[
    timed(
        "issuing_authorizations",
        "issuing.authorization",
        "iauth",
        &["/issuing/authorizations"],
    )
    .filters(&["card", "cardholder", "status"])
    .needs(Feature::Issuing)
    .created("issuing_authorization.created")
    .updated(&["issuing_authorization.updated"]),
    timed(
        "issuing_cardholders",
        "issuing.cardholder",
        "ich",
        &["/issuing/cardholders"],
    )
    .filters(&["email", "phone_number", "status", "type"])
    .needs(Feature::Issuing)
    .created("issuing_cardholder.created")
    .updated(&["issuing_cardholder.updated"]),
    timed("issuing_cards", "issuing.card", "ic", &["/issuing/cards"])
        .filters(&["cardholder", "last4", "status", "type"])
        .needs(Feature::Issuing)
        .created("issuing_card.created")
        .updated(&["issuing_card.updated"]),
    timed(
        "issuing_disputes",
        "issuing.dispute",
        "idp",
        &["/issuing/disputes"],
    )
    .filters(&["status", "transaction"])
    .needs(Feature::Issuing)
    .created("issuing_dispute.created")
    .updated(&["issuing_dispute.updated", "issuing_dispute.closed"]),
    timed(
        "issuing_transactions",
        "issuing.transaction",
        "ipi",
        &["/issuing/transactions"],
    )
    .filters(&["card", "cardholder", "type"])
    .needs(Feature::Issuing)
    .created("issuing_transaction.created")
    .updated(&["issuing_transaction.updated"]),
    timed(
        "issuing_tokens",
        "issuing.token",
        "intok",
        &["/issuing/tokens"],
    )
    .of("issuing_cards", "card")
    .required(&["card"])
    .filters(&["status"])
    .needs(Feature::Issuing)
    .created("issuing_token.created")
    .updated(&["issuing_token.updated"]),
    timed(
        "identity_verification_sessions",
        "identity.verification_session",
        "vs",
        &["/identity/verification_sessions"],
    )
    .filters(&["client_reference_id", "status"])
    .needs(Feature::Identity)
    .created("identity.verification_session.created")
    .updated(&["identity.verification_session.verified"]),
    timed(
        "identity_verification_reports",
        "identity.verification_report",
        "vr",
        &["/identity/verification_reports"],
    )
    .filters(&["client_reference_id", "type", "verification_session"])
    .needs(Feature::Identity),
    plain(
        "scheduled_query_runs",
        "scheduled_query_run",
        "sqr",
        &["/sigma/scheduled_query_runs"],
    )
    .dated()
    .needs(Feature::Sigma)
    .created("sigma.scheduled_query_run.created"),
    plain(
        "financial_connections_accounts",
        "financial_connections.account",
        "fca",
        &["/financial_connections/accounts"],
    )
    .dated()
    .filters(&["account_holder", "session"])
    .needs(Feature::FinancialConnections)
    .created("financial_connections.account.created"),
    timed(
        "treasury_financial_accounts",
        "treasury.financial_account",
        "fa",
        &["/treasury/financial_accounts"],
    )
    .filters(&["status"])
    .needs(Feature::Treasury)
    .created("treasury.financial_account.created"),
];

/// Lists of flows, each of one financial account.
pub(super) const TREASURY: &[Resource] = &[
    flow(
        "treasury_credit_reversals",
        "treasury.credit_reversal",
        "credrev",
        &["/treasury/credit_reversals"],
    ),
    flow(
        "treasury_debit_reversals",
        "treasury.debit_reversal",
        "debrev",
        &["/treasury/debit_reversals"],
    ),
    flow(
        "treasury_inbound_transfers",
        "treasury.inbound_transfer",
        "ibt",
        &["/treasury/inbound_transfers"],
    ),
    flow(
        "treasury_outbound_transfers",
        "treasury.outbound_transfer",
        "obt",
        &["/treasury/outbound_transfers"],
    ),
    windowed(flow(
        "treasury_outbound_payments",
        "treasury.outbound_payment",
        "obp",
        &["/treasury/outbound_payments"],
    )),
    flow(
        "treasury_received_credits",
        "treasury.received_credit",
        "rc",
        &["/treasury/received_credits"],
    ),
    flow(
        "treasury_received_debits",
        "treasury.received_debit",
        "rd",
        &["/treasury/received_debits"],
    ),
    windowed(flow(
        "treasury_transactions",
        "treasury.transaction",
        "trxn",
        &["/treasury/transactions"],
    )),
    windowed(flow(
        "treasury_transaction_entries",
        "treasury.transaction_entry",
        "trxne",
        &["/treasury/transaction_entries"],
    )),
];

const fn windowed(mut resource: Resource) -> Resource {
    resource.window = Window::Always;
    resource
}

const fn flow(
    stream: &'static str,
    object: &'static str,
    prefix: &'static str,
    lists: &'static [&'static str],
) -> Resource {
    plain(stream, object, prefix, lists)
        .dated()
        .of("treasury_financial_accounts", "financial_account")
        .required(&["financial_account"])
        .filters(&["status"])
        .needs(Feature::Treasury)
}
