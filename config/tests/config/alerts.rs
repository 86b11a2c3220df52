//! Webhooks, as written and as meant.

use std::time::Duration;

use tributary_config::{AlertEvent, AlertFormat};
use tributary_model::StreamName;

use crate::kinds::read;

const MINIMAL: &str = "
sources:
  shop: {type: mysql, host: localhost}
destinations:
  warehouse: {type: duckdb, path: w.duckdb}
connections:
  shop: {source: shop, destination: warehouse}
";

fn with(alerts: &str) -> String {
    format!("{MINIMAL}\nalerts:\n{alerts}")
}

#[test]
fn what_is_left_unsaid_means_everything() {
    let plan = read(&with("  ops: {url: 'https://example.com/hook'}"), []).unwrap();
    let ops = &plan.alerts[0];
    assert_eq!((ops.name.as_str(), ops.format), ("ops", AlertFormat::Json));
    assert_eq!(ops.url.expose(), "https://example.com/hook");
    assert_eq!(ops.events.len(), AlertEvent::ALL.len());
    assert!(
        ops.connections
            .contains(&StreamName::from("shop".to_owned()))
    );
    assert!(ops.secret.is_none() && ops.lag.is_none());
}

#[test]
fn choices_are_taken() {
    let text = with(
        "  ops: {url: '${HOOK}', format: slack, secret: s, events: [failed], connections: ['*', '!shop'], lag: 90s}",
    );
    let plan = read(&text, [("HOOK", "http://localhost:9/x")]).unwrap();
    let ops = &plan.alerts[0];
    assert_eq!(ops.format, AlertFormat::Slack);
    assert_eq!(ops.events, [AlertEvent::Failed].into());
    assert_eq!(ops.lag, Some(Duration::from_secs(90)));
    assert!(
        !ops.connections
            .contains(&StreamName::from("shop".to_owned()))
    );
    assert!(
        ops.connections
            .contains(&StreamName::from("billing".to_owned()))
    );
}

#[test]
fn an_address_that_is_none_is_refused_without_being_shown() {
    for url in [
        "ftp://hunter2.example.com",
        "hunter2",
        "https://",
        "https://hunter2 x",
    ] {
        let text = with(&format!("  ops: {{url: '{url}'}}"));
        let why = read(&text, []).unwrap_err().to_string();
        assert!(why.contains("an address is written like https://"), "{why}");
        assert!(!why.contains("hunter2"), "{why}");
    }
    let why = read(&with("  ops: {url: 'https://x', event: [failed]}"), []).unwrap_err();
    assert!(why.to_string().contains("did you mean `events`?"), "{why}");
    let why = read(&with("  ops: {url: 'https://x', events: [fail]}"), []).unwrap_err();
    assert!(why.to_string().contains("failed"), "{why}");
}
