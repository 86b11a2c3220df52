//! What every page has around it, and the parts that several pages use.

use chrono::{DateTime, TimeDelta, Utc};
use maud::{DOCTYPE, Markup, html};

use super::assets;
use super::icon::{icon, mark};
use super::standing::{Standing, who};
use super::words;
use crate::view::{ConnectionState, ConnectionView, ErrorView};

/// A page, and where its live fragments come from.
pub(super) struct Frame<'a> {
    pub(super) title: &'a str,
    pub(super) events: Option<&'a str>,
    pub(super) now: DateTime<Utc>,
}

impl Frame<'_> {
    pub(super) fn around(&self, main: &Markup) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" data-now=(self.now.to_rfc3339()) data-events=[self.events] {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) " · Tributary" }
                    link rel="icon" href=(assets::icon().address()) type="image/svg+xml";
                    link rel="stylesheet" href=(assets::style().address());
                    script src=(assets::script().address()) defer {}
                }
                body {
                    a.unseen.skip href="#main" { "Skip to the content" }
                    header.bar {
                        a.brand href="/" { (mark()) "Tributary" }
                        p #live .live data-live="off" role="status" {
                            i aria-hidden="true" {}
                            span { "As of " (words::exact(self.now)) }
                        }
                    }
                    main #main { (main) }
                    footer.foot {
                        span { "Tributary " (env!("CARGO_PKG_VERSION")) }
                        a href="/metrics" { "Metrics" }
                        a href="/readyz" { "Readiness" }
                        a href="/openapi.json" { "API" }
                    }
                }
            }
        }
    }
}

/// The address of a connection's page.
pub(super) fn address(connection: &str) -> String {
    format!("/connections/{}", segment(connection))
}

/// A name as one part of an address.
pub(super) fn segment(name: &str) -> String {
    const KEPT: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_');
    percent_encoding::utf8_percent_encode(name, KEPT).to_string()
}

/// A moment as its distance from now, which the script keeps true, and exactly for who asks.
pub(super) fn ago(moment: DateTime<Utc>, now: DateTime<Utc>) -> Markup {
    html! {
        time datetime=(words::iso(moment)) title=(words::exact(moment)) data-from-now {
            (words::distance(moment, now))
        }
    }
}

/// A state as shape and word.
pub(super) fn state(standing: Standing) -> Markup {
    html! {
        span class=(format!("state pill {}", standing.tone())) {
            (icon(standing.shape())) (standing.word())
        }
    }
}

/// When the next run is.
pub(super) fn next(view: &ConnectionView, now: DateTime<Utc>) -> Markup {
    html! {
        @match (view.state, view.next_run_at) {
            (ConnectionState::Running | ConnectionState::Following, _) => { "running now" }
            (ConnectionState::Draining, _) => { "stopping" }
            (ConnectionState::Queued, _) => { "waits for a worker" }
            (ConnectionState::Paused, _) => { "when resumed" }
            (_, Some(moment)) => { (ago(moment, now)) }
            (ConnectionState::Stuck, None) => { "once it is fixed" }
            (ConnectionState::Idle | ConnectionState::BackingOff | ConnectionState::Manual, None) => {
                "on request"
            }
        }
    }
}

/// Whether the objective is kept, as a class and words.
pub(super) fn objective(view: &ConnectionView) -> Option<(&'static str, String)> {
    let aim = view.freshness?;
    let within = i64::try_from(aim.objective_seconds).ok();
    let within = words::span(
        within
            .and_then(TimeDelta::try_seconds)
            .unwrap_or(TimeDelta::MAX),
    );
    Some(match (aim.met, aim.age_seconds) {
        (true, _) => ("good", format!("✓ within {within}")),
        (false, Some(_)) => ("bad", format!("✕ objective is {within}")),
        (false, None) => ("wait", format!("objective is {within}")),
    })
}

/// The rows of the last day.
pub(super) fn total(view: &ConnectionView) -> u64 {
    let buckets = view.rows.buckets.iter();
    buckets.fold(0, |sum, rows| sum.saturating_add(*rows))
}

/// What went wrong, why, and what helps, under a heading that says where.
pub(super) fn problem(
    heading: &Markup,
    error: &ErrorView,
    tone: &str,
    now: DateTime<Utc>,
) -> Markup {
    html! {
        article class=(format!("card problem {tone}")) {
            (heading)
            dl {
                dt { "What" }
                dd { (error.what) }
                @if let Some(why) = &error.why {
                    dt { "Because" }
                    dd { (why) }
                }
                @if let Some(fix) = &error.fix {
                    dt { "Try" }
                    dd { (fix) }
                }
            }
            p.meta { (who(error.who)) " · " (ago(error.at, now)) }
        }
    }
}
