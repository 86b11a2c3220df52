//! Stripe's connector, held to the simulator's truth.

use serde_json::json;
use tributary_model::{AnySource, Source};
use tributary_stripe::Stripe;
use tributary_testkit::api::conformance::{Api, Reading};
use tributary_testkit::api::simulator::Simulator;
use tributary_testkit::api::stripe::Stripe as Simulated;

fn simulated(count: usize) -> Simulator<Simulated> {
    let now = tributary_model::now().timestamp();
    let mut model = Simulated::new(7, now - 300 * 86_400);
    model.populate_all(count, now);
    Simulator::start(model)
}

async fn source(simulator: &Simulator<Simulated>) -> Stripe {
    let url = simulator.url();
    let mut settings = simulator.with(|model, _| model.settings(&url));
    settings["requests_per_second"] = json!(1000);
    let config = serde_json::from_value(settings).expect("these are settings");
    Stripe::connect(config).await.expect("it can be configured")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_is_complete() {
    let simulator = simulated(12);
    let source = source(&simulator).await;
    Reading::new(&simulator, &source as &dyn AnySource)
        .await
        .is_complete()
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_survives_being_cut() {
    let simulator = simulated(6);
    let source = source(&simulator).await;
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    let some = [
        "charges",
        "customers",
        "payment_methods",
        "invoices",
        "invoice_line_items",
        "payouts",
        "payout_balance_transactions",
        "balance_transactions",
        "subscriptions",
        "tax_codes",
        "quotes",
    ];
    reading.only(&some).survives_cuts(40).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_survives_drift() {
    let simulator = simulated(10);
    let source = source(&simulator).await;
    Reading::new(&simulator, &source as &dyn AnySource)
        .await
        .survives_drift()
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_survives_storms() {
    let simulator = simulated(3);
    let source = source(&simulator).await;
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    reading
        .only(&["charges", "customers", "refunds", "tax_codes"])
        .survives_storms()
        .await;
}
