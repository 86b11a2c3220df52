//! Stripe's connector, held to the simulator's truth.

use serde_json::json;
use tributary_model::AnySource;
use tributary_stripe::Stripe;
use tributary_testkit::api::conformance::{Reading, connected, simulated};
use tributary_testkit::api::simulator::Simulator;
use tributary_testkit::api::stripe::Stripe as Simulated;

async fn source(simulator: &Simulator<Simulated>) -> Stripe {
    connected(simulator, &json!({})).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_is_complete() {
    let simulator = simulated(12);
    let source = source(&simulator).await;
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    reading.is_complete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_stream_is_read() {
    let simulator = simulated::<Simulated>(12);
    simulator.with(|stripe, now| {
        let customer = stripe.account.ids("customers")[0].clone();
        stripe.account.give_discount(&customer, now - 200);
    });
    let source = source(&simulator).await;
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    // Of a later version than the one that is read.
    reading
        .without(&["invoice_payments"])
        .misses_no_stream()
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
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    reading.survives_drift().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_survives_storms() {
    let simulator = simulated(3);
    let source = source(&simulator).await;
    let reading = Reading::new(&simulator, &source as &dyn AnySource).await;
    let some = ["charges", "customers", "refunds", "tax_codes"];
    reading.only(&some).survives_storms().await;
}
