//! Platforms: accounts of others, and what flows between them.

use crate::api::stripe::features::Feature;
use crate::api::stripe::resource::{Resource, plain, shown, timed};

pub(super) const RESOURCES: &[Resource] = &[
    timed("accounts", "account", "acct", &["/accounts"])
        .updated(&["account.updated"])
        .needs(Feature::Connect)
        .embeds(&[shown("external_accounts", "external_accounts")]),
    plain(
        "persons",
        "person",
        "person",
        &["/accounts/{parent}/persons"],
    )
    .dated()
    .of("accounts", "account")
    .filters(&["relationship"])
    .needs(Feature::Connect)
    .created("person.created")
    .updated(&["person.updated"])
    .deleted("person.deleted"),
    // Cards and bank accounts, one list for both.
    plain(
        "external_accounts",
        "bank_account",
        "ba",
        &["/accounts/{parent}/external_accounts"],
    )
    .of("accounts", "account")
    .filters(&["object"])
    .needs(Feature::Connect)
    .created("account.external_account.created")
    .updated(&["account.external_account.updated"])
    .deleted("account.external_account.deleted"),
    timed(
        "application_fees",
        "application_fee",
        "fee",
        &["/application_fees"],
    )
    .filters(&["charge"])
    .created("application_fee.created")
    .updated(&["application_fee.refunded"])
    .embeds(&[shown("refunds", "application_fee_refunds")]),
    plain(
        "application_fee_refunds",
        "fee_refund",
        "fr",
        &["/application_fees/{parent}/refunds"],
    )
    .dated()
    .of("application_fees", "fee")
    .updated(&["application_fee.refund.updated"]),
    timed("transfers", "transfer", "tr", &["/transfers"])
        .filters(&["destination", "transfer_group"])
        .created("transfer.created")
        .updated(&["transfer.updated", "transfer.reversed"])
        .embeds(&[shown("reversals", "transfer_reversals")]),
    plain(
        "transfer_reversals",
        "transfer_reversal",
        "trr",
        &["/transfers/{parent}/reversals"],
    )
    .dated()
    .of("transfers", "transfer"),
];
