//! Exports by cursor and by time.

use super::*;
use serde_json::json;

/// Walks an export by cursor to its end; returns the rows and the last cursor.
async fn walk(world: &World, first: &str) -> (Vec<Value>, String) {
    let (mut all, mut page) = (Vec::new(), world.read(first).await);
    loop {
        all.extend(rows(&page, "tickets"));
        let cursor = page["after_cursor"].as_str().unwrap().to_owned();
        if page["end_of_stream"] == true {
            return (all, cursor);
        }
        let next = format!(
            "/incremental/tickets/cursor?cursor={}&per_page=2",
            encoded(&cursor)
        );
        page = world.read(&next).await;
    }
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[tokio::test]
async fn a_cursor_goes_on_where_it_was_even_at_the_end() {
    let world = World::new(|desk, now| {
        desk.quiet = true;
        desk.fill("tickets", 5, now - 900, now - 400);
        desk.create("tickets", now - 10);
    });
    let first = format!(
        "/incremental/tickets/cursor?start_time={}&per_page=2",
        world.now() - 1000
    );
    let (all, cursor) = walk(&world, &first).await;
    assert_eq!(all.len(), 5, "the last minute is left out");
    let again = format!("/incremental/tickets/cursor?cursor={}", encoded(&cursor));
    assert_eq!(walk(&world, &again).await.0.len(), 0);
    world.simulator.clock().advance(60);
    assert_eq!(walk(&world, &again).await.0.len(), 1);
}

#[tokio::test]
async fn the_last_minute_can_not_be_asked_for() {
    let world = World::new(|_, _| {});
    let path = format!(
        "/incremental/tickets/cursor?start_time={}",
        world.now() - 30
    );
    let answer = world.get(&path).await;
    assert!(answer.status == 400 && answer.text().contains("Too recent start_time"));
    assert_eq!(world.get("/incremental/tickets/cursor").await.status, 400);
}

#[tokio::test]
async fn the_system_moves_a_ticket_without_saying_so() {
    let world = World::new(|desk, now| {
        desk.fill("tickets", 2, now - 900, now - 800);
        let first = desk.ids("tickets")[0].clone();
        desk.system_update(&first, now - 100, json!({"priority": "urgent"}));
    });
    let path = format!(
        "/incremental/tickets/cursor?start_time={}",
        world.now() - 300
    );
    let tickets = rows(&world.read(&path).await, "tickets");
    assert_eq!(tickets.len(), 1);
    let updated = tickets[0]["updated_at"].as_str().unwrap();
    let generated = tickets[0]["generated_timestamp"].as_i64().unwrap();
    assert!(crate::api::clock::parse(updated).unwrap() < world.now() - 300);
    assert!(generated > world.now() - 300);
}

#[tokio::test]
async fn deleted_tickets_are_scrubbed_and_archived_ones_only_exported() {
    let world = World::new(|desk, now| {
        desk.fill("tickets", 4, now - 900, now - 400);
        let ids = desk.ids("tickets");
        desk.delete("tickets", &ids[0], now - 200);
        desk.archive(&ids[1], now - 190);
        desk.purge("tickets", &ids[2]);
    });
    let path = format!(
        "/incremental/tickets/cursor?start_time={}&include=metric_sets",
        world.now() - 1000
    );
    let exported = rows(&world.read(&path).await, "tickets");
    let status = |index: usize| exported[index]["status"].as_str().unwrap();
    assert_eq!(
        (exported.len(), status(1), status(2)),
        (3, "deleted", "closed")
    );
    assert!(exported[1]["metric_set"].is_null() && exported[1]["subject"] == "SCRUBBED");
    assert_eq!(exported[2]["metric_set"]["ticket_id"], exported[2]["id"]);
    assert_eq!(rows(&world.read("/tickets").await, "tickets").len(), 1);
    assert_eq!(
        rows(&world.read("/ticket_metrics").await, "ticket_metrics").len(),
        1
    );
    let audits = format!("/tickets/{}/audits?page[size]=10", exported[2]["id"]);
    assert_eq!(rows(&world.read(&audits).await, "audits").len(), 2);
    assert_eq!(
        world
            .get(&format!("/tickets/{}/audits", exported[1]["id"]))
            .await
            .status,
        404
    );
    assert_eq!(
        world.simulator.with(|desk, _| desk.truth("tickets")).len(),
        2
    );
}

#[tokio::test]
async fn a_page_by_time_repeats_the_second_that_the_last_one_ended_with() {
    let world = World::new(|desk, now| desk.fill("organizations", 5, now - 900, now - 400));
    let mut start = world.now() - 1000;
    let mut seen = Vec::new();
    for _ in 0..9 {
        let path = format!("/incremental/organizations?start_time={start}&per_page=3");
        let page = world.read(&path).await;
        seen.extend(ids(&page, "organizations"));
        let next = page["next_page"]
            .as_str()
            .expect("it is there on the last page too");
        assert!(next.starts_with("https://acme.zendesk.com/api/v2/incremental/organizations?"));
        if page["end_of_stream"] == true {
            break;
        }
        start = page["end_time"].as_i64().unwrap();
    }
    assert_eq!(seen.len(), 6, "one came twice");
}

#[tokio::test]
async fn a_second_with_a_whole_page_of_records_is_never_left() {
    let world = World::new(|desk, now| {
        for _ in 0..4 {
            desk.create("organizations", now - 500);
        }
    });
    let path = format!(
        "/incremental/organizations?start_time={}&per_page=3",
        world.now() - 520
    );
    let page = world.read(&path).await;
    assert_eq!(page["end_of_stream"], false);
    let end = page["end_time"].as_i64().unwrap();
    let stuck = format!("/incremental/organizations?start_time={end}&per_page=3");
    assert_eq!(world.read(&stuck).await["end_time"], end);
}

#[tokio::test]
async fn calls_do_not_say_whether_they_are_all() {
    let world = World::new(|desk, now| desk.fill("calls", 3, now - 900, now - 400));
    let path = "/channels/voice/stats/incremental/calls?per_page=2&start_time=";
    let page = world.read(&format!("{path}{}", world.now() - 1000)).await;
    assert!(page.get("end_of_stream").is_none() && page["next_page"].is_string());
    let end = page["end_time"].as_i64().unwrap();
    let last = world.read(&format!("{path}{end}")).await;
    assert!(last["next_page"].is_null() && last["count"] == 2);
}

#[tokio::test]
async fn what_comes_along_must_be_asked_for() {
    let world = World::new(|desk, now| {
        desk.stutters = true;
        desk.fill("users", 2, now - 900, now - 400);
        desk.fill("tickets", 1, now - 300, now - 200);
    });
    let start = world.now() - 1000;
    let users = format!("/incremental/users/cursor?start_time={start}");
    assert!(world.read(&users).await.get("identities").is_none());
    let page = world.read(&format!("{users}&include=identities")).await;
    assert_eq!(
        (rows(&page, "users").len(), rows(&page, "identities").len()),
        (3, 2)
    );
    assert_eq!(page["users"][0]["name"], "stale");
    assert_eq!(page["users"][0]["id"], page["users"][1]["id"]);
    let events = format!("/incremental/ticket_events?start_time={start}");
    let children = |page: &Value| {
        page["ticket_events"][1]["child_events"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(children(&world.read(&events).await), 0);
    assert_eq!(
        children(
            &world
                .read(&format!("{events}&include=comment_events"))
                .await
        ),
        1
    );
}

#[tokio::test]
async fn large_pages_time_out_in_plain_text() {
    let world = World::new(|desk, now| {
        desk.slow_above = Some(100);
        desk.fill("users", 1, now - 900, now - 400);
    });
    let path = format!(
        "/incremental/users/cursor?start_time={}",
        world.now() - 1000
    );
    let answer = world.get(&path).await;
    assert_eq!(
        (answer.status, answer.text()),
        (504, "upstream request timeout")
    );
    assert_eq!(world.get(&format!("{path}&per_page=100")).await.status, 200);
}

#[tokio::test]
async fn a_week_leaves_a_truth_that_exports_show() {
    let world = World::new(|desk, now| {
        desk.populate(3, now);
        desk.live(200, now - 7 * crate::api::clock::DAY, now - 100);
    });
    let start = world.now() - 30 * crate::api::clock::DAY;
    let path = format!("/incremental/tickets/cursor?start_time={start}&include=metric_sets");
    let exported = rows(&world.read(&path).await, "tickets");
    let kept = exported
        .iter()
        .filter(|ticket| ticket["status"] != "deleted");
    let kept: Vec<_> = kept
        .map(|ticket| ticket.as_object().unwrap().clone())
        .collect();
    let truth = world.simulator.with(|desk, _| desk.truth("tickets"));
    assert_eq!(truth.differences(&kept), Vec::<String>::new());
    let metrics = kept
        .iter()
        .map(|ticket| ticket["metric_set"].as_object().unwrap().clone());
    let truth = world.simulator.with(|desk, _| desk.truth("ticket_metrics"));
    assert_eq!(
        truth.differences(&metrics.collect::<Vec<_>>()),
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn a_cursor_of_another_era_is_unknown() {
    let world = World::new(|desk, now| desk.fill("users", 3, now - 900, now - 400));
    let start = world.now() - 1000;
    let path = "/incremental/users/cursor";
    let page = world.read(&format!("{path}?start_time={start}")).await;
    let cursor = page["after_cursor"].as_str().unwrap();
    assert_eq!(
        world.get(&format!("{path}?cursor={cursor}")).await.status,
        200
    );
    world.simulator.with(|desk, _| desk.era = "2".to_owned());
    assert_eq!(
        world.get(&format!("{path}?cursor={cursor}")).await.status,
        400
    );
}

#[tokio::test]
async fn metrics_stand_inside_tickets_or_beside_them() {
    let world = World::new(|desk, now| desk.fill("tickets", 2, now - 900, now - 400));
    let start = world.now() - 1000;
    let path = format!("/incremental/tickets/cursor?start_time={start}&include=metric_sets");
    let inside = world.read(&path).await;
    assert!(inside["tickets"][0]["metric_set"].is_object() && inside.get("metric_sets").is_none());
    world.simulator.with(|desk, _| desk.beside = true);
    let beside = world.read(&path).await;
    assert!(beside["tickets"][0].get("metric_set").is_none());
    assert_eq!(rows(&beside, "metric_sets").len(), 2);
}
