//! An alert as the text that is posted.

use serde_json::{Value, json};
use tributary_config::{AlertEvent, AlertFormat};

use super::alert::Alert;

/// Characters that Slack takes in one block, less some room.
const BLOCK: usize = 2_800;
/// Changes and streams that a person is shown.
const LISTED: usize = 10;

/// The body that is posted.
pub(super) fn body(format: AlertFormat, alert: &Alert) -> String {
    match format {
        AlertFormat::Json => json!(alert).to_string(),
        AlertFormat::Slack => slack(alert).to_string(),
    }
}

/// As Slack's incoming webhooks take it: `text` for notifications, `blocks` for the eye.
fn slack(alert: &Alert) -> Value {
    let told = format!(
        "{} · {} · {}",
        alert.event.name(),
        alert.at.format("%Y-%m-%d %H:%M:%S UTC"),
        alert.id
    );
    json!({
        "text": format!("{} {}", sign(alert.event), escape(&alert.summary)),
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": cut(&text(alert))}},
            {"type": "context", "elements": [{"type": "mrkdwn", "text": told}]},
        ],
    })
}

fn text(alert: &Alert) -> String {
    let mut lines = vec![format!(
        "{} *{}*",
        sign(alert.event),
        escape(&alert.summary)
    )];
    if let Some(error) = &alert.error {
        let parts = [("Because", &error.why), ("Try", &error.fix)];
        for (name, said) in parts {
            lines.extend(said.iter().map(|said| format!("*{name}* {}", escape(said))));
        }
    }
    if alert.changes.len() > 1 {
        let changes = alert.changes.iter().take(LISTED);
        lines.extend(
            changes.map(|change| format!("• {}: {}", escape(&change.stream), escape(&change.what))),
        );
    }
    if alert.streams.len() > 1 || alert.event == AlertEvent::RowsRejected {
        let streams = alert.streams.iter().take(LISTED);
        lines.extend(streams.map(|stream| format!("• {}", escape(stream))));
    }
    lines.join("\n")
}

fn sign(event: AlertEvent) -> &'static str {
    match event {
        AlertEvent::Failed => ":red_circle:",
        AlertEvent::Recovered => ":large_green_circle:",
        AlertEvent::LagExceeded | AlertEvent::ObjectiveMissed => ":hourglass:",
        AlertEvent::SchemaChanged => ":pencil2:",
        AlertEvent::RowsRejected => ":warning:",
    }
}

/// Slack reads `&`, `<` and `>`: as links, and as mentions of everybody.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(BLOCK) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
