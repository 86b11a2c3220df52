//! The log of events.

use super::*;
use crate::api::stripe::{DELAY, RETENTION};
use serde_json::json;

fn kinds(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn an_event_holds_the_object_as_it_was() {
    let world = World::new(|account, now| {
        let id = account.create("customers", now - 300);
        account.update(
            "customers",
            &id,
            now - 200,
            json!({"name": "New", "email": "new@x"}),
        );
        account.delete("customers", &id, now - 100);
    });
    let events = world.walk("/v1/events", 1).await;
    let expected = ["customer.deleted", "customer.updated", "customer.created"];
    assert_eq!(kinds(&events), expected);
    let object = |index: usize| &events[index]["data"]["object"];
    assert_eq!(object(1)["name"], "New");
    assert_ne!(object(2)["name"], "New");
    let before = events[1]["data"]["previous_attributes"]
        .as_object()
        .unwrap();
    assert!(before.len() == 2 && before["name"] == object(2)["name"]);
    let id = object(0)["id"].as_str().unwrap();
    let stub = world.read(&format!("/v1/customers/{id}")).await;
    assert_eq!(
        stub,
        json!({"id": id, "object": "customer", "deleted": true})
    );
    assert_eq!(world.walk("/v1/customers", 10).await.len(), 0);
    let event = events[0]["id"].as_str().unwrap();
    assert_eq!(world.read(&format!("/v1/events/{event}")).await, events[0]);
}

#[tokio::test]
async fn what_is_deleted_is_missing_unless_it_is_a_customer() {
    let world = World::new(|account, now| {
        let id = account.create("coupons", now - 300);
        account.delete("coupons", &id, now - 200);
    });
    let events = world.walk("/v1/events", 10).await;
    assert_eq!(kinds(&events), ["coupon.deleted", "coupon.created"]);
    let id = events[0]["data"]["object"]["id"].as_str().unwrap();
    let answer = world.get(&format!("/v1/coupons/{id}")).await;
    assert_eq!(
        (answer.status, &answer.json()["error"]["code"]),
        (404, &json!("resource_missing"))
    );
}

#[tokio::test]
async fn events_are_written_in_the_accounts_own_version() {
    let world = World::new(|account, now| {
        account.version = Version::new("2025-03-31.basil");
        account.fill("subscriptions", 1, now - 300, now - 200);
    });
    let client = world.client.clone().with("stripe-version", "2024-06-20");
    let event = &client.read("/v1/events").await["data"][0];
    assert_eq!(event["api_version"], "2025-03-31.basil");
    assert!(event["data"]["object"].get("current_period_end").is_none());
    let id = event["data"]["object"]["id"].as_str().unwrap();
    let now = client.read(&format!("/v1/subscriptions/{id}")).await;
    assert!(now["current_period_end"].is_number());
}

#[tokio::test]
async fn types_narrow_the_list_up_to_twenty_of_them() {
    let world = World::new(|account, now| {
        account.fill("customers", 2, now - 300, now - 200);
        account.fill("coupons", 3, now - 300, now - 200);
    });
    let count = async |query: &str| world.walk(&format!("/v1/events?{query}"), 100).await.len();
    assert_eq!(count("type=customer.created").await, 2);
    assert_eq!(count("type=customer.*").await, 2);
    assert_eq!(
        count("types[]=customer.created&types[]=coupon.created").await,
        5
    );
    let delivered = count("delivery_success=true").await + count("delivery_success=false").await;
    assert_eq!(delivered, 5);
    let both = world.error("/v1/events?type=a.b&types[]=c.d").await;
    assert_eq!(
        both.1,
        "You may only specify one of these parameters: type, types."
    );
    let many: Vec<_> = (0..21).map(|n| format!("types[]=a.b{n}")).collect();
    assert_eq!(
        world
            .error(&format!("/v1/events?{}", many.join("&")))
            .await
            .0,
        400
    );
    assert_eq!(world.error("/v1/events?types[]=customer.*").await.0, 400);
}

#[tokio::test]
async fn events_age_out_even_under_a_reader() {
    let world = World::new(|account, now| {
        account.fill("coupons", 2, now - RETENTION - 500, now - RETENTION - 100);
        account.fill("coupons", 3, now - RETENTION + 100, now - RETENTION + 300);
    });
    let page = world.read("/v1/events?limit=2").await;
    let last = page["data"][1]["id"].as_str().unwrap().to_owned();
    assert_eq!(world.walk("/v1/events", 1).await.len(), 3);
    world.simulator.clock().advance(DAY);
    let (status, message) = world
        .error(&format!("/v1/events?starting_after={last}"))
        .await;
    assert!(
        status == 400 && message.contains("aged out of our retention policy"),
        "{message}"
    );
    assert_eq!(world.error(&format!("/v1/events/{last}")).await.0, 404);
    assert_eq!(world.walk("/v1/events", 1).await.len(), 0);
    assert_eq!(world.walk("/v1/coupons", 1).await.len(), 5);
}

#[tokio::test]
async fn events_come_late_and_in_no_order_within_a_second() {
    let world = World::new(|_, _| {});
    let made = world.simulator.with(|stripe, now| {
        for _ in 0..30 {
            stripe.account.create("coupons", now);
        }
        stripe.account.ids("coupons")
    });
    let soon = world.walk("/v1/events", 100).await.len();
    assert!(soon < 30, "all of {soon} can be seen at once");
    world.simulator.clock().advance(DELAY);
    let events = world.walk("/v1/events", 7).await;
    let objects = events
        .iter()
        .map(|event| event["data"]["object"]["id"].as_str().unwrap());
    let order: Vec<_> = objects.collect();
    assert!(
        order.len() == 30 && order != made,
        "events are in the order of the changes"
    );
}

#[tokio::test]
async fn children_tell_of_themselves_through_their_parents() {
    let world = World::new(|account, now| {
        let id = account.create_with("invoices", now - 300, json!({"status": "draft"}));
        account.create_in("invoice_line_items", &id, now - 200);
        account.create("customers", now - 190);
        account.create("customer_balance_transactions", now - 180);
    });
    let events = world.walk("/v1/events", 10).await;
    let expected = [
        "customer.updated",
        "customer.created",
        "invoice.updated",
        "invoice.created",
    ];
    assert_eq!(kinds(&events), expected);
    let lines = |index: usize| events[index]["data"]["object"]["lines"]["total_count"].as_u64();
    assert_eq!(lines(2).unwrap(), lines(3).unwrap() + 1);
}
