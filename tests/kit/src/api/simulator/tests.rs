#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use super::*;
use crate::api::client::{Answer, Client};
use crate::api::faults::When;
use crate::api::limits::Limit;

/// Counts its visitors.
#[derive(Debug, Default)]
struct Counter(u64);

impl Vendor for Counter {
    fn answer(&mut self, request: &Request, _now: i64) -> Reply {
        self.0 += 1;
        let name = request.param("name").unwrap_or("nobody");
        Reply::text(
            200,
            format!("{name} is number {} at {}", self.0, request.path),
        )
    }

    fn failure(&self, status: u16) -> Reply {
        Reply::json(status, &serde_json::json!({"error": status}))
    }

    fn throttled(&self, refusal: Refusal) -> Reply {
        let reply = Reply::text(429, "slow down");
        match refusal.wait {
            Some(wait) => reply.with("retry-after", wait),
            None => reply,
        }
    }

    fn allowance(&self, left: &[Allowance]) -> Vec<(&'static str, String)> {
        let told = |left: &Allowance| ("x-left", left.remaining.to_string());
        left.iter().map(told).collect()
    }
}

fn start() -> (Simulator<Counter>, Client) {
    let simulator = Simulator::start(Counter::default());
    let client = Client::new(&simulator.url());
    (simulator, client)
}

async fn ask(client: &Client) -> Answer {
    client.get("/visits?name=Jo%20Doe").await.unwrap()
}

#[tokio::test]
async fn it_answers_and_remembers() {
    let (simulator, client) = start();
    let answer = ask(&client).await;
    assert_eq!(answer.text(), "Jo Doe is number 1 at /visits");
    assert!(
        answer
            .header("date")
            .is_some_and(|date| date.ends_with("GMT"))
    );
    simulator.before_each(|counter, _, _| counter.0 += 10);
    assert_eq!(ask(&client).await.text(), "Jo Doe is number 12 at /visits");
    let requests = simulator.recorder().requests();
    assert_eq!(requests.len(), 2);
    assert!(
        requests
            .iter()
            .all(|request| request.whole && request.status == Some(200))
    );
    assert_eq!(simulator.with(|counter, _| counter.0), 12);
}

#[tokio::test]
async fn errors_come_as_planned() {
    let (simulator, client) = start();
    let faults = simulator.faults();
    faults.add(When::nth(1), Fault::Status(503));
    faults.add(When::nth(2), Fault::Page(502, "Bad gateway"));
    faults.add(When::nth(3), Fault::Throttled(Some(7)));
    let answer = ask(&client).await;
    assert_eq!((answer.status, answer.text()), (503, "{\"error\":503}"));
    let page = ask(&client).await;
    assert!(page.status == 502 && page.text().starts_with("<!DOCTYPE html>"));
    let throttled = ask(&client).await;
    assert_eq!(
        (throttled.status, throttled.header("retry-after")),
        (429, Some("7"))
    );
    assert_eq!(ask(&client).await.status, 200);
    assert_eq!(
        simulator.with(|counter, _| counter.0),
        1,
        "errors have no effect"
    );
}

#[tokio::test]
async fn connections_break_as_planned() {
    let (simulator, client) = start();
    simulator.faults().add(When::nth(1), Fault::Cut(4));
    simulator.faults().add(When::nth(2), Fault::Silent);
    let fault = client.get("/").await.unwrap_err();
    assert_eq!(fault.received, b"nobo");
    assert!(client.get("/").await.unwrap_err().received.is_empty());
    assert_eq!(
        client.get("/").await.unwrap().text(),
        "nobody is number 3 at /"
    );
    let fates: Vec<_> = simulator.recorder().requests();
    let fates: Vec<_> = fates.iter().map(|fate| (fate.status, fate.whole)).collect();
    assert_eq!(
        fates,
        [(Some(200), false), (None, false), (Some(200), true)]
    );
}

#[tokio::test]
async fn answers_can_be_slow_or_never_come() {
    let (simulator, client) = start();
    let pause = Duration::from_millis(50);
    simulator.faults().add(When::nth(1), Fault::Slow(pause));
    simulator.faults().add(When::nth(2), Fault::Hang);
    let began = Instant::now();
    assert_eq!(ask(&client).await.text(), "Jo Doe is number 1 at /visits");
    assert!(began.elapsed() >= pause);
    let hung = tokio::time::timeout(pause, ask(&client)).await;
    assert!(hung.is_err());
    simulator.recorder().arrived(2, pause).await;
    assert_eq!(ask(&client).await.status, 200);
    assert_eq!(
        simulator.recorder().peak(),
        1,
        "who hangs up is no longer under way"
    );
}

#[tokio::test]
async fn limits_are_enforced_and_counted() {
    let (simulator, client) = start();
    let second = Duration::from_secs(1);
    simulator
        .limits()
        .set(vec![Limit::rate("visits", 2, second)]);
    assert_eq!(ask(&client).await.header("x-left"), Some("1"));
    assert_eq!(ask(&client).await.header("x-left"), Some("0"));
    let refused = ask(&client).await;
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (429, Some("1"))
    );
    assert_eq!(simulator.recorder().refused(), 1);
    tokio::time::sleep(second).await;
    assert_eq!(ask(&client).await.status, 200);
}
