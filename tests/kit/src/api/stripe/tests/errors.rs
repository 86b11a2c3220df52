//! Keys, permissions, versions, features, and requests that are wrong.

use super::*;
use crate::api::faults::{Fault, When};

#[tokio::test]
async fn a_key_is_needed_and_must_be_right() {
    let world = World::new(|_, _| {});
    let url = world.simulator.url();
    let nobody = message(&Client::new(&url).get("/v1/customers").await.unwrap());
    assert!(nobody.0 == 401 && nobody.1.starts_with("You did not provide an API key"));
    let wrong = Client::new(&url).with("authorization", "Bearer sk_test_0123456789abcdef");
    let wrong = message(&wrong.get("/v1/customers").await.unwrap());
    assert_eq!(
        wrong.1,
        "Invalid API Key provided: sk_test_************cdef"
    );
    let key = world.simulator.with(|stripe, _| stripe.secret_key());
    let user = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        format!("{key}:"),
    );
    let basic = Client::new(&url).with("authorization", format!("Basic {user}"));
    assert_eq!(basic.get("/v1/customers").await.unwrap().status, 200);
    world.simulator.with(|stripe, _| stripe.revoke(&key));
    assert_eq!(basic.get("/v1/customers").await.unwrap().status, 401);
}

#[tokio::test]
async fn a_restricted_key_is_told_what_it_lacks() {
    let world = World::new(|account, now| account.fill("charges", 1, now - 9, now));
    let key = world
        .simulator
        .with(|stripe, _| stripe.restricted_key(&["charges"]));
    let client = Client::new(&world.simulator.url()).with("authorization", format!("Bearer {key}"));
    assert_eq!(client.get("/v1/charges").await.unwrap().status, 200);
    for (path, permission) in [
        ("/v1/customers", "rak_customer_read"),
        ("/v1/events", "rak_event_read"),
        ("/v1/account", "rak_account_read"),
        ("/v1/issuing/cards", "rak_issuing_card_read"),
    ] {
        let (status, message) = message(&client.get(path).await.unwrap());
        assert!(status == 403 && message.contains(permission), "{message}");
        assert!(!message.contains(&key), "the key is shown");
    }
}

#[tokio::test]
async fn wrong_requests_say_what_is_wrong() {
    let world = World::new(|_, _| {});
    for (path, status, text) in [
        (
            "/v1/customers?limit=101",
            400,
            "This value must be less than or equal to 100.",
        ),
        (
            "/v1/customers?limit=0",
            400,
            "This value must be greater than or equal to 1.",
        ),
        ("/v1/customers?limit=ten", 400, "Invalid integer: ten"),
        (
            "/v1/quotes?created[gte]=1",
            400,
            "Received unknown parameter: created",
        ),
        (
            "/v1/customers?created[since]=1",
            400,
            "Received unknown parameter: created[since]",
        ),
        (
            "/v1/customers?order=asc",
            400,
            "Received unknown parameter: order",
        ),
        (
            "/v1/reporting/report_types?limit=3",
            400,
            "Received unknown parameter: limit",
        ),
        (
            "/v1/subscription_items",
            400,
            "Missing required param: subscription.",
        ),
        ("/v1/customers/cus_x", 404, "No such customer: 'cus_x'"),
        (
            "/v1/customers?starting_after=cus_x",
            400,
            "No such customer: 'cus_x'",
        ),
        (
            "/v1/invoices/invalid_id/lines",
            404,
            "No such invoice: 'invalid_id'",
        ),
    ] {
        assert_eq!(world.error(path).await, (status, text.to_owned()), "{path}");
    }
    let both = world
        .error("/v1/customers?starting_after=a&ending_before=b")
        .await;
    assert!(both.1.contains("only specify one"));
    let nowhere = world.error("/v1/customer").await;
    assert!(
        nowhere.0 == 404
            && nowhere
                .1
                .starts_with("Unrecognized request URL (GET: /v1/cu")
    );
}

#[tokio::test]
async fn a_version_decides_what_is_shown_and_known() {
    let world = World::new(|account, now| account.fill("subscriptions", 1, now - 9, now));
    let asking = |version: &str| world.client.clone().with("stripe-version", version);
    let old = asking("2024-06-20").get("/v1/subscriptions").await.unwrap();
    assert_eq!(old.header("stripe-version"), Some("2024-06-20"));
    assert!(old.json()["data"][0]["current_period_end"].is_number());
    let new = asking("2025-03-31.basil")
        .get("/v1/subscriptions")
        .await
        .unwrap();
    assert!(new.json()["data"][0].get("current_period_end").is_none());
    assert_eq!(
        asking("2024-06-20")
            .get("/v1/invoice_payments")
            .await
            .unwrap()
            .status,
        404
    );
    assert_eq!(
        asking("2025-03-31.basil")
            .get("/v1/invoice_payments")
            .await
            .unwrap()
            .status,
        200
    );
    let windowed = "/v1/credit_notes?created[gte]=0";
    assert_eq!(
        asking("2024-06-20").get(windowed).await.unwrap().status,
        400
    );
    assert_eq!(
        asking("2025-03-31.basil")
            .get(windowed)
            .await
            .unwrap()
            .status,
        200
    );
    let wrong = message(&asking("soon").get("/v1/account").await.unwrap());
    assert_eq!(wrong, (400, "Invalid Stripe API version: soon".to_owned()));
}

#[tokio::test]
async fn what_an_account_lacks_is_refused_in_words() {
    let world = World::new(|account, _| account.features.clear());
    for (path, status, text) in [
        (
            "/v1/issuing/cards",
            400,
            "Your account is not set up to use Issuing",
        ),
        (
            "/v1/identity/verification_sessions",
            400,
            "Your account is not set up to use Identity",
        ),
        (
            "/v1/treasury/financial_accounts",
            404,
            "Have you onboarded to Treasury",
        ),
        (
            "/v1/sigma/scheduled_query_runs",
            403,
            "API surface is not enabled",
        ),
        ("/v1/accounts", 403, "do not have Platform Controls"),
        (
            "/v1/test_helpers/test_clocks",
            400,
            "only available in testmode",
        ),
        (
            "/v1/forwarding/requests",
            403,
            "not authorized to send Forwarding requests",
        ),
    ] {
        let (found, message) = world.error(path).await;
        assert!(
            found == status && message.contains(text),
            "{path}: {found} {message}"
        );
    }
}

#[tokio::test]
async fn a_platform_reads_the_accounts_of_others() {
    let world = World::new(|account, now| account.fill("charges", 3, now - 9, now));
    let id = world.simulator.with(|stripe, now| {
        let id = stripe.connect(now - 100);
        let account = stripe.connected.get_mut(&id).unwrap();
        account.fill("charges", 1, now - 9, now);
        id
    });
    let other = world.client.clone().with("stripe-account", &id);
    assert_eq!(
        other.read("/v1/charges").await["data"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(other.read("/v1/account").await["id"], id.as_str());
    let nobody = world.client.clone().with("stripe-account", "acct_x");
    let (status, message) = message(&nobody.get("/v1/charges").await.unwrap());
    assert!(status == 403 && message.contains("does not have access to account 'acct_x'"));
}

#[tokio::test]
async fn planned_faults_speak_stripes_language() {
    let world = World::new(|_, _| {});
    let faults = world.simulator.faults();
    faults.add(When::nth(1), Fault::Throttled(None));
    faults.add(When::nth(2), Fault::Status(409));
    faults.add(When::nth(3), Fault::Status(500));
    let throttled = world.get("/v1/customers").await;
    assert!(throttled.status == 429 && throttled.header("stripe-rate-limited-reason").is_some());
    assert_eq!(throttled.header("retry-after"), None);
    assert_eq!(throttled.json()["error"]["code"], "rate_limit");
    assert_eq!(
        world.get("/v1/customers").await.json()["error"]["code"],
        "lock_timeout"
    );
    assert_eq!(
        world.get("/v1/customers").await.json()["error"]["type"],
        "api_error"
    );
    let fine = world.get("/v1/customers").await;
    assert!(
        fine.header("request-id")
            .is_some_and(|id| id.starts_with("req_"))
    );
}

#[tokio::test]
async fn the_rate_of_the_mode_is_enforced() {
    let world = World::new(|_, _| {});
    let limits = world.simulator.with(|stripe, _| stripe.limits());
    world.simulator.limits().set(limits);
    let mut statuses = Vec::new();
    for _ in 0..30 {
        statuses.push(world.get("/v1/account").await.status);
    }
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 5);
    assert_eq!(world.simulator.recorder().refused(), 5);
}

#[tokio::test]
async fn lists_refuse_for_reasons_of_their_own() {
    let world = World::new(|account, now| {
        account.fill("checkout_sessions", 1, now - 9, now);
        account.create_with(
            "accounts",
            now,
            serde_json::json!({
                "id": "acct_x", "controller": {"requirement_collection": "stripe"}
            }),
        );
        let session = account.ids("checkout_sessions")[0].clone();
        account.lose_line_items(&session);
    });
    let session = world.walk("/v1/checkout/sessions", 1).await[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let (_, lost) = world
        .error(&format!("/v1/checkout/sessions/{session}/line_items"))
        .await;
    assert!(lost.starts_with("Could not find line items for this Checkout Session"));
    let (status, persons) = world.error("/v1/accounts/acct_x/persons").await;
    assert!(status == 403 && persons.contains("does not have the required permissions"));
}
