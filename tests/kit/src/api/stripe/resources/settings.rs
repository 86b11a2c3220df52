//! Lists that are small, change without a word, and are read whole.

use crate::api::stripe::features::Feature;
use crate::api::stripe::resource::{Paging, Resource, plain, shown, timed};

pub(super) const RESOURCES: &[Resource] = &[
    timed(
        "radar_value_lists",
        "radar.value_list",
        "rsl",
        &["/radar/value_lists"],
    )
    .filters(&["alias", "contains"])
    .embeds(&[shown("list_items", "radar_value_list_items")]),
    timed(
        "radar_value_list_items",
        "radar.value_list_item",
        "rsli",
        &["/radar/value_list_items"],
    )
    .of("radar_value_lists", "value_list")
    .required(&["value_list"])
    .filters(&["value"]),
    plain("exchange_rates", "exchange_rate", "", &["/exchange_rates"]),
    timed("files", "file", "file", &["/files"])
        .filters(&["purpose"])
        .created("file.created"),
    timed("file_links", "file_link", "link", &["/file_links"]).filters(&["expired", "file"]),
    timed(
        "report_runs",
        "reporting.report_run",
        "frr",
        &["/reporting/report_runs"],
    )
    .updated(&[
        "reporting.report_run.succeeded",
        "reporting.report_run.failed",
    ]),
    Resource {
        paging: Paging::None,
        ..plain(
            "report_types",
            "reporting.report_type",
            "",
            &["/reporting/report_types"],
        )
    },
    timed(
        "shipping_rates",
        "shipping_rate",
        "shr",
        &["/shipping_rates"],
    )
    .filters(&["active", "currency"]),
    plain("tax_codes", "tax_code", "txcd", &["/tax_codes"]),
    plain(
        "tax_registrations",
        "tax.registration",
        "taxreg",
        &["/tax/registrations"],
    )
    .dated()
    .filters(&["status"]),
    plain(
        "webhook_endpoints",
        "webhook_endpoint",
        "we",
        &["/webhook_endpoints"],
    )
    .dated(),
    plain(
        "apple_pay_domains",
        "apple_pay_domain",
        "apwc",
        &["/apple_pay/domains"],
    )
    .dated()
    .filters(&["domain_name"]),
    plain(
        "payment_method_domains",
        "payment_method_domain",
        "pmd",
        &["/payment_method_domains"],
    )
    .dated()
    .filters(&["domain_name", "enabled"]),
    plain(
        "billing_portal_configurations",
        "billing_portal.configuration",
        "bpc",
        &["/billing_portal/configurations"],
    )
    .dated()
    .filters(&["active", "is_default"]),
    plain(
        "terminal_configurations",
        "terminal.configuration",
        "tmc",
        &["/terminal/configurations"],
    )
    .filters(&["is_account_default"]),
    plain(
        "terminal_locations",
        "terminal.location",
        "tml",
        &["/terminal/locations"],
    ),
    plain(
        "terminal_readers",
        "terminal.reader",
        "tmr",
        &["/terminal/readers"],
    )
    .filters(&["device_type", "location", "serial_number", "status"]),
    plain("country_specs", "country_spec", "", &["/country_specs"]),
    plain(
        "climate_orders",
        "climate.order",
        "climorder",
        &["/climate/orders"],
    )
    .dated(),
    plain(
        "climate_products",
        "climate.product",
        "climsku",
        &["/climate/products"],
    )
    .dated(),
    plain(
        "climate_suppliers",
        "climate.supplier",
        "climsup",
        &["/climate/suppliers"],
    ),
    timed(
        "forwarding_requests",
        "forwarding.request",
        "fwdreq",
        &["/forwarding/requests"],
    )
    .needs(Feature::Forwarding),
    plain(
        "test_clocks",
        "test_helpers.test_clock",
        "clock",
        &["/test_helpers/test_clocks"],
    )
    .dated()
    .needs(Feature::TestMode),
];
