//! What is told, when, and how often.

use serde_json::json;
use tributary_config::{AlertEvent, AlertPlan};

use super::{error, load, noon, run, target, view};
use crate::alerts::alert::Alert;
use crate::alerts::watch::{Memory, look};
use crate::view::ConnectionView;

/// What one webhook is told, look after look.
struct Told {
    target: AlertPlan,
    memory: Memory,
}

impl Told {
    fn new() -> Self {
        Self {
            target: target("ops", "http://localhost/"),
            memory: Memory::new(noon(0)),
        }
    }

    fn at(&mut self, seconds: i64, view: &ConnectionView) -> Vec<Alert> {
        // As after a restart: what is remembered went through the store.
        let stored = serde_json::to_string(&self.memory).unwrap();
        self.memory = serde_json::from_str(&stored).unwrap();
        let now = noon(seconds);
        look(&self.target, &view.as_of(now), &mut self.memory, now)
    }

    fn events(&mut self, seconds: i64, view: &ConnectionView) -> Vec<AlertEvent> {
        let alerts = self.at(seconds, view);
        alerts.iter().map(|alert| alert.event).collect()
    }
}

#[test]
fn a_clock_that_was_ahead_silences_nobody() {
    const YEAR: i64 = 365 * 86_400;
    let mut told = Told::new();
    let ahead = view(&json!({"runs": [run(YEAR, "failed")]}));
    assert_eq!(told.events(YEAR + 1, &ahead), [AlertEvent::Failed]);
    // The clock is put right.
    let well = view(&json!({"runs": [run(YEAR, "failed"), run(20, "succeeded")]}));
    assert_eq!(told.events(10, &ahead), []);
    assert_eq!(told.events(21, &well), [AlertEvent::Recovered]);
    let failed = json!({"runs": [run(YEAR, "failed"), run(30, "failed"), run(20, "succeeded")]});
    assert_eq!(told.events(31, &view(&failed)), [AlertEvent::Failed]);
    assert_eq!(told.events(32, &view(&failed)), []);
}

#[test]
fn a_failure_is_told_once_and_so_is_its_end() {
    let mut told = Told::new();
    let failed = view(&json!({"runs": [run(10, "failed")]}));
    let alerts = told.at(11, &failed);
    assert_eq!(alerts.len(), 1);
    assert_eq!(alerts[0].event, AlertEvent::Failed);
    assert_eq!(
        alerts[0].summary,
        "shop failed: the server refused the password"
    );
    assert_eq!(alerts[0].since, Some(noon(10)));
    assert_eq!(told.events(12, &failed), []);
    let again = view(&json!({"runs": [run(20, "failed"), run(10, "failed")]}));
    assert_eq!(told.events(21, &again), []);
    let running = view(&json!({"state": "running", "runs": [run(20, "failed")]}));
    assert_eq!(told.events(22, &running), []);
    let well = view(&json!({"runs": [run(30, "succeeded"), run(20, "failed")]}));
    let alerts = told.at(31, &well);
    assert_eq!(alerts.len(), 1);
    assert_eq!(alerts[0].event, AlertEvent::Recovered);
    assert_eq!(alerts[0].after, Some(AlertEvent::Failed));
    assert_eq!(alerts[0].since, Some(noon(10)));
    assert_eq!(told.events(32, &well), []);
}

#[test]
fn what_failed_and_recovered_between_two_looks_is_told_as_both() {
    let mut told = Told::new();
    let runs = json!([
        run(30, "succeeded"),
        run(20, "failed"),
        run(10, "succeeded")
    ]);
    let seen = view(&json!({"runs": runs}));
    assert_eq!(
        told.events(31, &seen),
        [AlertEvent::Failed, AlertEvent::Recovered]
    );
}

#[test]
fn what_was_before_the_webhook_is_not_told_but_what_still_is() {
    let before = view(&json!({
        "runs": [run(-20, "failed")],
        "loads": [load(-5, 7)],
        "schema_changes": [{"stream": "shop.orders", "what": "column x added", "at": noon(-5)}],
    }));
    assert_eq!(Told::new().events(1, &before), []);
    let stuck = view(&json!({"state": "stuck", "error": error("no rights", -20)}));
    let alerts = Told::new().at(1, &stuck);
    assert_eq!(alerts.len(), 1);
    assert_eq!(alerts[0].summary, "shop failed: no rights");
}

#[test]
fn streams_that_failed_alone_are_named() {
    let mut told = Told::new();
    let stream = |name: &str| {
        json!({"stream": name, "records_written": 0, "records_rejected": 0,
               "error": error("its key is gone", 10)})
    };
    let partial = view(&json!({
        "runs": [run(10, "partial")],
        "streams": [stream("shop.orders"), stream("shop.users")],
    }));
    let alerts = told.at(11, &partial);
    assert_eq!(alerts[0].summary, "shop: 2 streams failed: its key is gone");
    assert_eq!(alerts[0].streams, ["shop.orders", "shop.users"]);
}

#[test]
fn following_alone_is_no_recovery() {
    let mut told = Told::new();
    let backing_off = view(&json!({"state": "backing_off", "error": error("gone", 10)}));
    assert_eq!(told.events(10, &backing_off), [AlertEvent::Failed]);
    let follows = view(&json!({"state": "following", "complete_as_of": noon(5)}));
    assert_eq!(told.events(12, &follows), []);
    let caught_up = view(&json!({"state": "following", "complete_as_of": noon(14)}));
    assert_eq!(told.events(15, &caught_up), [AlertEvent::Recovered]);
}

#[test]
fn lag_is_told_against_the_webhooks_own_limit() {
    let mut told = Told::new();
    let seen = view(&json!({"complete_as_of": noon(0)}));
    assert_eq!(told.events(10_000, &seen), [], "it has no limit");
    told.target.lag = Some(std::time::Duration::from_secs(60));
    assert_eq!(told.events(60, &seen), []);
    let alerts = told.at(61, &seen);
    assert_eq!(alerts[0].event, AlertEvent::LagExceeded);
    assert_eq!(
        (alerts[0].age_seconds, alerts[0].limit_seconds),
        (Some(61), Some(60))
    );
    assert_eq!(told.events(90, &seen), []);
    let fresh = view(&json!({"complete_as_of": noon(95)}));
    let alerts = told.at(100, &fresh);
    assert_eq!(alerts[0].after, Some(AlertEvent::LagExceeded));
    let paused = view(&json!({"state": "paused", "complete_as_of": noon(95)}));
    assert_eq!(told.events(10_000, &paused), [], "somebody wanted it so");
}

#[test]
fn a_missed_objective_is_told_and_so_is_its_end() {
    let mut told = Told::new();
    let aim = json!({"objective_seconds": 600, "met": false});
    let seen = view(&json!({"complete_as_of": noon(0), "freshness": aim}));
    assert_eq!(told.events(600, &seen), []);
    assert_eq!(told.events(601, &seen), [AlertEvent::ObjectiveMissed]);
    assert_eq!(told.events(700, &seen), []);
    let fresh = view(&json!({"complete_as_of": noon(690), "freshness": aim}));
    assert_eq!(told.events(701, &fresh), [AlertEvent::Recovered]);
    let never = view(&json!({"freshness": aim}));
    assert_eq!(
        Told::new().events(9_999, &never),
        [],
        "the first run decides"
    );
}

#[test]
fn changes_of_layout_are_told_together_and_once() {
    let mut told = Told::new();
    let change = |at| json!({"stream": "shop.orders", "what": format!("column c{at} added"), "at": noon(at)});
    let seen = view(&json!({"schema_changes": [change(20), change(10), change(-10)]}));
    let alerts = told.at(30, &seen);
    assert_eq!(alerts.len(), 1);
    let names: Vec<&str> = alerts[0]
        .changes
        .iter()
        .map(|change| change.what.as_str())
        .collect();
    assert_eq!(names, ["column c10 added", "column c20 added"]);
    assert_eq!(told.events(31, &seen), []);
}

#[test]
fn rejected_rows_are_added_up_and_not_told_all_the_time() {
    let mut told = Told::new();
    let first = view(&json!({"loads": [load(10, 2), load(5, 1)]}));
    let alerts = told.at(11, &first);
    assert_eq!(alerts[0].rows_rejected, Some(3));
    assert_eq!(alerts[0].summary, "shop: 3 rows were rejected");
    let more = view(&json!({"loads": [load(30, 4), load(20, 3), load(10, 2)]}));
    assert_eq!(told.events(31, &more), [], "told a moment ago");
    let alerts = told.at(11 + 600, &more);
    assert_eq!(alerts[0].rows_rejected, Some(7));
    assert_eq!(told.events(2_000, &more), []);
}

#[test]
fn a_webhook_hears_only_what_it_asked_for() {
    let mut told = Told::new();
    told.target.events = [AlertEvent::Recovered].into();
    let failed = view(&json!({"runs": [run(10, "failed")], "loads": [load(9, 1)]}));
    assert_eq!(told.events(11, &failed), []);
    let well = view(&json!({"runs": [run(30, "succeeded")]}));
    assert_eq!(told.events(31, &well), [AlertEvent::Recovered]);
}
