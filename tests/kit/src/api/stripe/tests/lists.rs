//! Lists, their pages, windows and parameters.

use super::*;
use crate::api::stripe::resource::{Paging, Retrieval, Versions};
use serde_json::json;

#[tokio::test]
async fn every_list_holds_what_the_truth_says() {
    let world = World::new(|account, now| {
        account.populate(3, now);
        account.live(300, now - 20 * DAY, now - 60);
    });
    for resource in resources::all() {
        if matches!(resource.versions, Versions::Since(_)) || resource.stream == "payment_methods" {
            continue;
        }
        let (truth, parents) = world.simulator.with(|stripe, now| {
            let truth = stripe.truth(resource.stream, now);
            (
                truth,
                resource
                    .parent
                    .map_or(Vec::new(), |of| stripe.account.ids(of)),
            )
        });
        let path = format!("/v1{}", resource.lists[0]);
        let size = if resource.paging == Paging::None {
            ""
        } else {
            "?limit=100"
        };
        let mut rows = Vec::new();
        if path.contains("{parent}") || !resource.required.is_empty() {
            for parent in parents {
                let url = render::url_of(resource, &parent);
                rows.extend(world.walk(&url, 2).await);
            }
        } else if resource.stream == "subscriptions" {
            rows = world.walk("/v1/subscriptions?status=all", 2).await;
        } else if size.is_empty() {
            rows = world.read(&path).await["data"].as_array().unwrap().clone();
        } else {
            rows = world.walk(&path, 2).await;
        }
        let rows: Vec<_> = rows
            .iter()
            .map(|row| row.as_object().unwrap().clone())
            .collect();
        assert_eq!(
            truth.differences(&rows),
            Vec::<String>::new(),
            "{}",
            resource.stream
        );
        assert!(
            rows.len() >= 2,
            "{} has {} rows",
            resource.stream,
            rows.len()
        );
        if resource.retrieval == Retrieval::ById && !path.contains("{parent}") {
            let id = rows[0]["id"].as_str().unwrap();
            assert_eq!(world.read(&format!("{path}/{id}")).await["id"], json!(id));
        }
    }
}

#[tokio::test]
async fn pages_go_from_the_newest_to_the_oldest_and_back() {
    let world = World::new(|account, now| account.fill("charges", 7, now - 700, now));
    let all = world.walk("/v1/charges", 3).await;
    let made: Vec<_> = all
        .iter()
        .map(|row| row["created"].as_i64().unwrap())
        .collect();
    assert!(all.len() == 7 && made.is_sorted_by(|a, b| a > b));
    let oldest = all[6]["id"].as_str().unwrap();
    let back = world
        .read(&format!("/v1/charges?limit=2&ending_before={oldest}"))
        .await;
    assert_eq!(ids(back["data"].as_array().unwrap()), ids(&all[4..6]));
    assert_eq!(back["has_more"], json!(true));
    assert_eq!(
        (&back["object"], &back["url"]),
        (&json!("list"), &json!("/v1/charges"))
    );
    assert_eq!(
        world.read("/v1/charges").await["data"]
            .as_array()
            .unwrap()
            .len(),
        7
    );
}

#[tokio::test]
async fn windows_are_inclusive_or_not_as_they_say() {
    let world = World::new(|account, now| account.fill("charges", 5, now - 500, now));
    let all = world.walk("/v1/charges", 100).await;
    let at = all[2]["created"].as_i64().unwrap();
    let count = async |window: String| {
        world
            .walk(&format!("/v1/charges?{window}"), 100)
            .await
            .len()
    };
    assert_eq!(count(format!("created[gte]={at}")).await, 3);
    assert_eq!(count(format!("created[gt]={at}")).await, 2);
    assert_eq!(count(format!("created[lt]={at}")).await, 2);
    assert_eq!(count(format!("created%5Blte%5D={at}")).await, 3);
    assert_eq!(count(format!("created={at}")).await, 1);
}

#[tokio::test]
async fn ended_subscriptions_are_shown_to_those_who_ask() {
    let world = World::new(|account, now| {
        account.fill("subscriptions", 3, now - 300, now);
        let ended = account.ids("subscriptions")[0].clone();
        account.update_as(
            "subscriptions",
            &ended,
            "customer.subscription.deleted",
            now,
        );
    });
    let statuses = async |query: &str| {
        let rows = world.walk(&format!("/v1/subscriptions{query}"), 100).await;
        rows.iter()
            .filter(|row| row["status"] == "canceled")
            .count()
    };
    assert_eq!(statuses("").await, 0);
    assert_eq!(statuses("?status=all").await, 1);
    assert_eq!(statuses("?status=canceled").await, 1);
}

#[tokio::test]
async fn embedded_lists_stop_at_ten_and_say_where_they_go_on() {
    let world = World::new(|account, now| {
        account.fill("subscriptions", 1, now - 300, now);
        let id = account.ids("subscriptions")[0].clone();
        for _ in 0..11 {
            account.create_in("subscription_items", &id, now - 100);
        }
    });
    let items = &world.read("/v1/subscriptions?status=all").await["data"][0]["items"];
    assert_eq!(items["data"].as_array().unwrap().len(), 10);
    assert_eq!(items["has_more"], json!(true));
    let url = items["url"].as_str().unwrap();
    assert!(url.starts_with("/v1/subscription_items?subscription=sub_"));
    let all = world.walk(url, 5).await;
    assert_eq!(items["total_count"], json!(all.len()));
    let last = items["data"][9]["id"].as_str().unwrap();
    let rest = world.read(&format!("{url}&starting_after={last}")).await;
    assert_eq!(ids(rest["data"].as_array().unwrap()), ids(&all[10..]));
}

#[tokio::test]
async fn more_is_shown_where_it_is_asked_for() {
    let world = World::new(|account, now| {
        account.fill("customers", 2, now - 900, now - 500);
        account.fill("charges", 2, now - 400, now);
        account.fill("refunds", 4, now - 300, now);
    });
    let plain = world.read("/v1/charges").await;
    assert!(plain["data"][0].get("refunds").is_none() && plain["data"][0]["customer"].is_string());
    let more = world
        .read("/v1/charges?expand[]=data.refunds&expand[1]=data.customer")
        .await;
    assert_eq!(more["data"][0]["customer"]["object"], "customer");
    let counts = more["data"].as_array().unwrap().iter();
    let counts: usize = counts
        .map(|row| row["refunds"]["data"].as_array().unwrap().len())
        .sum();
    assert_eq!(counts, 4);
    let deep = world.error("/v1/charges?expand[]=data.a.b.c.d.e").await;
    assert!(
        deep.0 == 400 && deep.1.contains("more than 4 levels"),
        "{deep:?}"
    );
    let unknown = world.error("/v1/charges?expand[]=data.nonsense").await;
    assert_eq!(unknown.1, "This property cannot be expanded (nonsense).");
}

#[tokio::test]
async fn a_list_that_changes_under_a_reader_loses_nothing_but_its_cursor() {
    let world = World::new(|account, now| account.fill("coupons", 4, now - 400, now));
    let first = world.read("/v1/coupons?limit=2").await;
    let last = first["data"][1]["id"].as_str().unwrap().to_owned();
    world.simulator.with(|stripe, now| {
        stripe.account.create("coupons", now);
        stripe.account.delete("coupons", &last, now);
    });
    let (status, message) = world
        .error(&format!("/v1/coupons?starting_after={last}"))
        .await;
    assert_eq!(
        (status, message),
        (400, format!("No such coupon: '{last}'"))
    );
    let before = first["data"][0]["id"].as_str().unwrap();
    let rest = world
        .read(&format!("/v1/coupons?starting_after={before}"))
        .await;
    assert_eq!(rest["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn payouts_have_transactions_if_they_are_automatic() {
    let world = World::new(|account, now| {
        account.fill("balance_transactions", 5, now - 500, now - 100);
        account.create("payouts", now - 50);
        account.create_with("payouts", now - 40, json!({"automatic": false}));
    });
    let payouts = world.walk("/v1/payouts", 100).await;
    let list = |index: usize| format!("/v1/balance_transactions?payout={}", ids(&payouts)[index]);
    assert_eq!(world.walk(&list(1), 100).await.len(), 3);
    assert!(
        world
            .error(&list(0))
            .await
            .1
            .contains("automatic transfers, not manual")
    );
    let truth = world
        .simulator
        .with(|stripe, now| stripe.truth("payout_balance_transactions", now));
    assert_eq!((truth.len(), truth.key.len()), (3, 2));
}

#[tokio::test]
async fn payment_methods_are_listed_by_customer_only() {
    let world = World::new(|account, now| {
        account.fill("customers", 1, now - 900, now - 500);
        account.fill("payment_methods", 2, now - 400, now - 100);
    });
    assert_eq!(world.walk("/v1/payment_methods", 100).await.len(), 0);
    let customer = world.walk("/v1/customers", 1).await[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let list = format!("/v1/customers/{customer}/payment_methods");
    assert_eq!(world.walk(&list, 1).await.len(), 2);
    world
        .simulator
        .with(|stripe, now| stripe.account.delete("customers", &customer, now));
    assert_eq!(
        world.error(&list).await,
        (404, format!("No such customer: '{customer}'"))
    );
    assert_eq!(world.walk("/v1/payment_methods", 100).await.len(), 2);
}
