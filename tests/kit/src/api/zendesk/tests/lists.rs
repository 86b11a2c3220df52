//! Lists by cursor and by page, products, limits.

use super::*;
use crate::api::faults::{Fault, When};

#[tokio::test]
async fn a_cursor_survives_what_changes_behind_it() {
    let world = World::new(|desk, now| desk.fill("macros", 5, now - 900, now - 400));
    let first = world.read("/macros?page[size]=2").await;
    assert_eq!(
        (ids(&first, "macros").len(), &first["meta"]["has_more"]),
        (2, &true.into())
    );
    assert!(
        first["links"]["next"]
            .as_str()
            .unwrap()
            .starts_with("https://acme.zendesk.com/")
    );
    let cursor = first["meta"]["after_cursor"].as_str().unwrap();
    let gone = ids(&first, "macros")[1].to_string();
    world.simulator.with(|desk, _| desk.purge("macros", &gone));
    let next = world
        .read(&format!("/macros?page[size]=9&page[after]={cursor}"))
        .await;
    assert_eq!(ids(&next, "macros").len(), 3);
    assert_eq!(next["meta"]["has_more"], false);
    let empty = world.read("/views?page[size]=9").await;
    assert!(empty["meta"].get("after_cursor").is_none());
    assert_eq!(world.get("/macros?page[after]=x").await.status, 400);
}

#[tokio::test]
async fn numbered_pages_drift_and_end_too_soon() {
    let world = World::new(|desk, now| {
        desk.deepest_page = 2;
        desk.fill("macros", 7, now - 900, now - 400);
    });
    let first = world.read("/macros?per_page=3").await;
    assert_eq!(
        (first["count"].as_u64(), ids(&first, "macros").len()),
        (Some(7), 3)
    );
    let gone = ids(&first, "macros")[0].to_string();
    world.simulator.with(|desk, _| desk.purge("macros", &gone));
    let second = world.read("/macros?per_page=3&page=2").await;
    let seen = [ids(&first, "macros"), ids(&second, "macros")].concat();
    let missed = world.simulator.with(|desk, _| {
        let missed = |id: &&String| !seen.contains(&id.parse().unwrap());
        desk.ids("macros").iter().filter(missed).count()
    });
    assert_eq!(missed, 1, "one slipped between the pages");
    let deep = world.get("/macros?per_page=3&page=3").await;
    assert!(deep.status == 400 && deep.text().contains("InvalidPaginationDepth"));
}

#[tokio::test]
async fn times_narrow_the_lists_that_know_them() {
    let world = World::new(|desk, now| {
        desk.fill("audit_logs", 4, now - 400, now);
        desk.fill("satisfaction_ratings", 4, now - 400, now);
        let old = desk.ids("satisfaction_ratings")[0].clone();
        desk.update(
            "satisfaction_ratings",
            &old,
            now,
            serde_json::json!({"score": "bad"}),
        );
        desk.fill("ticket_activities", 1, now - 40 * 86_400, now);
    });
    let (from, to) = (world.now() - 310, world.now() - 50);
    let logs = format!(
        "/audit_logs?page[size]=9&filter[created_at][]={}&filter[created_at][]={}",
        crate::api::clock::rfc3339(from),
        crate::api::clock::rfc3339(to)
    );
    assert_eq!(ids(&world.read(&logs).await, "audit_logs").len(), 3);
    let ratings = format!("/satisfaction_ratings?page[size]=9&start_time={from}&end_time={to}");
    let ratings = world.read(&ratings).await;
    assert_eq!(
        ids(&ratings, "satisfaction_ratings").len(),
        3,
        "the old one changed, and is old"
    );
    assert_eq!(
        ids(&world.read("/activities?page[size]=9").await, "activities").len(),
        0
    );
}

#[tokio::test]
async fn short_pages_of_metric_events_are_not_the_last() {
    let world = World::new(|desk, now| desk.fill("tickets", 7, now - 900, now - 400));
    let path = format!(
        "/incremental/ticket_metric_events?start_time={}",
        world.now() - 1000
    );
    let page = world.read(&format!("{path}&page[size]=4")).await;
    let items = "ticket_metric_events";
    assert_eq!(
        (ids(&page, items).len(), &page["meta"]["has_more"]),
        (3, &true.into())
    );
}

#[tokio::test]
async fn what_a_plan_lacks_is_refused() {
    let world = World::new(|desk, _| desk.products.clear());
    let answer = world.get("/audit_logs").await;
    assert!(answer.status == 403 && answer.text().contains("do not have access to this page"));
    let answer = world.get("/community/posts").await;
    assert!(answer.status == 404 && answer.text().contains("<html>"));
    let answer = world.get("/queues").await;
    assert!(answer.status == 404 && answer.text().contains("InvalidEndpoint"));
    let settings = world.read("/account/settings").await;
    assert_eq!(
        settings["settings"]["side_conversations"]["show_in_context_panel"],
        false
    );
}

#[tokio::test]
async fn exports_share_a_limit_that_answers_in_plain_text() {
    let world = World::new(|_, _| {});
    world
        .simulator
        .limits()
        .set(Zendesk::limits(Duration::from_secs(60)));
    let start = world.now() - 1000;
    for path in [
        "tickets/cursor",
        "users/cursor",
        "organizations",
        "ticket_events",
    ] {
        for _ in 0..3 {
            world
                .get(&format!("/incremental/{path}?start_time={start}"))
                .await;
        }
    }
    assert_eq!(world.simulator.recorder().refused(), 2);
    let answer = world
        .get(&format!("/incremental/organizations?start_time={start}"))
        .await;
    assert_eq!(
        answer.text(),
        "Number of allowed API requests per minute exceeded"
    );
    assert!(answer.header("retry-after").is_some());
    let answer = world.get("/groups").await;
    assert_eq!(answer.header("x-rate-limit"), Some("700"));
    assert_eq!(answer.header("x-rate-limit-remaining"), Some("689"));
    assert_eq!(answer.header("ratelimit-reset"), Some("60"));
    let exports = "zendesk-ratelimit-incremental-exports";
    assert_eq!(answer.header(exports), None, "groups are no export");
}

#[tokio::test]
async fn records_tell_of_their_deletion_or_vanish() {
    let world = World::new(|desk, now| {
        desk.fill("groups", 2, now - 900, now - 400);
        desk.fill("tags", 2, now - 900, now - 400);
        let group = desk.ids("groups")[0].clone();
        desk.delete("groups", &group, now - 100);
        let tag = desk.ids("tags")[0].clone();
        desk.delete("tags", &tag, now - 100);
    });
    assert_eq!(rows(&world.read("/groups").await, "groups").len(), 1);
    let all = world
        .read("/groups?exclude_deleted=false&page[size]=9")
        .await;
    assert_eq!(
        rows(&all, "groups")
            .iter()
            .filter(|group| group["deleted"] == true)
            .count(),
        1
    );
    assert_eq!(rows(&world.read("/tags").await, "tags").len(), 1);
    world
        .simulator
        .faults()
        .add(When::nth(1), Fault::Status(503));
    assert_eq!(world.get("/tags").await.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn what_was_deleted_is_listed_for_thirty_days() {
    let world = World::new(|desk, now| {
        desk.fill("tickets", 3, now - 900, now - 400);
        for (index, id) in desk.ids("tickets").into_iter().take(2).enumerate() {
            let ago = if index == 0 {
                31 * crate::api::clock::DAY
            } else {
                60
            };
            desk.delete("tickets", &id, now - ago);
        }
    });
    let deleted = world.read("/deleted_tickets?page[size]=9").await;
    assert_eq!(ids(&deleted, "deleted_tickets").len(), 1);
    let tickets = world.read("/tickets?page[size]=9").await;
    assert_eq!(ids(&tickets, "tickets").len(), 1);
}

#[tokio::test]
async fn audits_of_an_archived_ticket_come_all_at_once() {
    let world = World::new(|desk, now| {
        let ticket = desk.create("tickets", now - 900);
        (0..150).for_each(|second| desk.comment(&ticket, now - 800 + second));
    });
    let ticket = world
        .simulator
        .with(|desk, _| desk.ids("tickets")[0].clone());
    let path = format!("/tickets/{ticket}/audits?page[size]=100");
    let live = world.read(&path).await;
    assert_eq!(
        (ids(&live, "audits").len(), &live["meta"]["has_more"]),
        (100, &true.into())
    );
    world.simulator.with(|desk, now| desk.archive(&ticket, now));
    let archived = world.read(&path).await;
    assert!(ids(&archived, "audits").len() > 300 && archived.get("meta").is_none());
}
