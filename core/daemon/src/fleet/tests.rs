#![allow(clippy::unwrap_used)]

use super::*;
use crate::keeper::Order;
use crate::testing::{Fake, until};
use crate::view::{ConnectionState, ConnectionView, RunStatus, Trigger};

fn connection(name: &str, rest: &str) -> String {
    format!("connections: {{{name}: {{source: s, destination: d, {rest}}}}}\n")
}

fn succeeded(view: &ConnectionView) -> bool {
    view.state != ConnectionState::Running
        && view.last_run.as_ref().and_then(|run| run.status) == Some(RunStatus::Succeeded)
}

#[tokio::test]
async fn what_is_scheduled_runs_and_is_written_down() {
    let fake = Fake::new(&connection("a", "schedule: 1h"));
    let (shared, fleet) = fake.fleet().await;
    let view = until(&shared, "a", succeeded).await;
    let run = view.last_run.unwrap();
    assert_eq!(
        (run.trigger, run.records_read, run.records_written),
        (Trigger::Schedule, 2, 2)
    );
    assert_eq!(
        (view.streams.len(), view.streams[0].records_written),
        (1, 2)
    );
    assert_eq!(view.position.as_deref(), Some("step 2"));
    assert_eq!(
        (view.loads.len(), view.rows.buckets.iter().sum::<u64>()),
        (1, 2)
    );
    let kept = shared.store.histories().await.unwrap();
    assert_eq!(kept["a"].runs.len(), 1);
    assert!(kept["a"].last_starts.contains_key(""));
    let text = shared.metrics.render(&[], tributary_model::now());
    let line = "tributary_records_written_total{connection=\"a\",stream=\"shop.orders\"} 2";
    assert!(text.contains(line), "{text}");
    assert_eq!(fleet.drain(Duration::from_secs(30)).await, 0);
}

#[tokio::test]
async fn what_needs_a_person_waits_for_one() {
    let fake = Fake::new(&connection("a", "schedule: 1s"));
    fake.fail(Some(ErrorKind::Access));
    let (shared, fleet) = fake.fleet().await;
    let view = until(&shared, "a", |view| view.state == ConnectionState::Stuck).await;
    let error = view.error.unwrap();
    assert_eq!(
        (error.kind.as_str(), error.fix.as_deref()),
        ("access", Some("Ask nicely."))
    );
    assert!(view.reason.contains("credentials"), "{}", view.reason);
    let ahead = view.next_run_at.unwrap() - tributary_model::now();
    assert!(ahead.num_minutes() > 50, "{ahead}");
    assert_eq!(fake.connects(), 1);
    fake.fail(None);
    fleet.ask("a", Command::Resume).await.unwrap().unwrap();
    let view = until(&shared, "a", succeeded).await;
    assert_eq!((view.failures_in_a_row, view.error), (0, None));
}

#[tokio::test]
async fn what_is_away_is_tried_again_by_itself() {
    let fake = Fake::new(&connection("a", "schedule: 1h"));
    fake.fail(Some(ErrorKind::Unavailable));
    let (shared, _fleet) = fake.fleet().await;
    let view = until(&shared, "a", |view| {
        view.state == ConnectionState::BackingOff
    })
    .await;
    let ahead = view.next_run_at.unwrap() - view.last_run.unwrap().ended_at.unwrap();
    assert!((5..=6).contains(&ahead.num_seconds()), "{ahead}");
}

#[tokio::test]
async fn a_paused_connection_takes_no_orders() {
    let fake = Fake::new(&connection("a", "schedule: manual"));
    let (shared, fleet) = fake.fleet().await;
    until(&shared, "a", |view| view.state == ConnectionState::Manual).await;
    fleet.ask("a", Command::Pause).await.unwrap().unwrap();
    let view = until(&shared, "a", |view| view.state == ConnectionState::Paused).await;
    assert!(view.paused_at.is_some());
    let order = |answer| Command::Sync(Order::default(), answer);
    let refused = fleet.ask("a", order).await.unwrap().unwrap_err();
    assert!(refused.to_string().contains("paused"), "{refused}");
    assert!(
        shared.store.histories().await.unwrap()["a"]
            .paused_at
            .is_some()
    );
    fleet.ask("a", Command::Resume).await.unwrap().unwrap();
    fleet.ask("a", order).await.unwrap().unwrap();
    let view = until(&shared, "a", succeeded).await;
    assert_eq!(view.last_run.unwrap().trigger, Trigger::Asked);
    assert!(fleet.ask("b", Command::Pause).await.is_none());
}

#[tokio::test]
async fn a_reset_connection_reads_everything_again() {
    let fake = Fake::new(&connection("a", "schedule: manual"));
    let (shared, fleet) = fake.fleet().await;
    let order = |answer| Command::Sync(Order::default(), answer);
    fleet.ask("a", order).await.unwrap().unwrap();
    until(&shared, "a", succeeded).await;
    fleet
        .ask("a", |answer| Command::Reset(None, answer))
        .await
        .unwrap()
        .unwrap();
    fleet.ask("a", order).await.unwrap().unwrap();
    let again = |view: &ConnectionView| view.runs.len() == 2 && succeeded(view);
    let view = until(&shared, "a", again).await;
    assert_eq!(view.last_run.unwrap().records_read, 2);
}

#[tokio::test]
async fn a_new_configuration_touches_only_what_it_changes() {
    let two = |a: &str, b: &str| {
        let of = |name: &str, rest: &str| format!("{name}: {{source: s, destination: d, {rest}}}");
        format!("connections: {{{}, {}}}\n", of("a", a), of("b", b))
    };
    let fake = Fake::new(&two("schedule: continuous", "schedule: 1h"));
    let (shared, fleet) = fake.fleet().await;
    let follows = |view: &ConnectionView| {
        view.state == ConnectionState::Following && view.last_commit_at.is_some()
    };
    let before = until(&shared, "a", follows).await.run.unwrap();
    until(&shared, "b", succeeded).await;
    let plan = fake.plan();
    *fake.yaml.lock().unwrap() = two("schedule: continuous", "schedule: 2h");
    shared.configure(&plan, &fake.plan());
    fleet.apply(Job::all(&fake.plan()), BTreeMap::new());
    until(&shared, "b", |view| view.schedule == "2h").await;
    let after = until(&shared, "a", follows).await.run.unwrap();
    assert_eq!(before.id, after.id);
    *fake.yaml.lock().unwrap() = connection("a", "schedule: continuous");
    fleet.apply(Job::all(&fake.plan()), BTreeMap::new());
    assert_eq!(shared.board.all().len(), 1);
    assert_eq!(fleet.drain(Duration::from_secs(30)).await, 0);
}

#[tokio::test]
async fn told_to_stop_a_run_commits_the_load_that_is_complete() {
    // A load would commit by itself after an hour.
    let fake = Fake::new(&connection("a", "schedule: continuous, flush: {every: 1h}"));
    let (shared, fleet) = fake.fleet().await;
    let rows = |name: &str| {
        let text = shared.metrics.render(&[], tributary_model::now());
        text.contains(&format!(
            "{name}{{connection=\"a\",stream=\"shop.orders\"}} 2"
        ))
    };
    while !rows("tributary_records_read_total") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!rows("tributary_records_written_total"));
    fleet.ask("a", Command::Pause).await.unwrap().unwrap();
    let view = until(&shared, "a", |view| view.state == ConnectionState::Paused).await;
    assert_eq!(view.last_run.unwrap().status, Some(RunStatus::Interrupted));
    assert!(rows("tributary_records_written_total"));
}

#[tokio::test]
async fn a_cursor_that_moves_without_rows_is_stored_all_the_same() {
    let fake = Fake::idle(&connection(
        "a",
        "schedule: continuous, flush: {every: 10ms}",
    ));
    let (shared, fleet) = fake.fleet().await;
    let view = until(&shared, "a", |view| {
        view.position.as_deref() == Some("step 4")
    })
    .await;
    assert_eq!(view.run.unwrap().records_written, 2);
    assert_eq!(fleet.drain(Duration::from_secs(30)).await, 0);
}
