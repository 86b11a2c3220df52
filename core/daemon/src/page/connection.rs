//! The page of one connection: how it is, what it is doing, what it did, what it could not do.
//!
//! Each section is a live fragment with an id of its own. The buttons of the connection are outside
//! of them. Buttons are shown by the script, which they need.

mod history;
mod streams;

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::fragment::Fragment;
use super::frame::{Frame, address, ago, next, objective, problem, segment, state, total};
use super::standing::Standing;
use super::{chart, words};
use crate::view::{ConnectionState, ConnectionView, Trigger};

/// The whole page.
pub(super) fn page(view: &ConnectionView, now: DateTime<Utc>) -> Markup {
    let events = format!("{}/events", address(&view.connection));
    let frame = Frame {
        title: &view.connection,
        events: Some(&events),
        now,
    };
    frame.around(&html! {
        nav.crumbs aria-label="Where you are" { a href="/" { "Connections" } " /" }
        div.title {
            (head(view))
            (acts(view))
            p #said .said role="status" {}
        }
        @for fragment in sections(view, now) { (fragment.html) }
        (dialogs())
    })
}

/// What there is of no such connection.
pub(super) fn missing(name: &str, now: DateTime<Utc>) -> Markup {
    let frame = Frame {
        title: "No such connection",
        events: None,
        now,
    };
    frame.around(&html! {
        section.card.empty {
            h1 { "There is no connection " (name) }
            p { "The configuration in use has none of this name." }
            p { a href="/" { "All connections" } }
        }
    })
}

/// Everything that changes, for whoever looks at the page already.
pub(super) fn fragments(view: &ConnectionView, now: DateTime<Utc>) -> Vec<Fragment> {
    let mut all = vec![
        Fragment::new("head", head(view)),
        Fragment::new("acts", acts(view)),
    ];
    all.extend(sections(view, now));
    all
}

/// The sections in their order.
fn sections(view: &ConnectionView, now: DateTime<Utc>) -> Vec<Fragment> {
    vec![
        Fragment::new("facts", facts(view, now)),
        Fragment::new("trouble", trouble(view, now)),
        Fragment::new("streams", streams::section(view, now)),
        Fragment::new("loads", history::loads(view, now)),
        Fragment::new("runs", history::runs(view, now)),
        Fragment::new("rejected", history::rejected(view)),
        Fragment::new("changes", history::changes(view, now)),
    ]
}

/// Name, state, and from where to where.
fn head(view: &ConnectionView) -> Markup {
    html! {
        div #head {
            h1 { (view.connection) }
            (state(Standing::of(view)))
            p.way {
                (view.source) " (" (view.source_type) ") → "
                (view.destination) " (" (view.destination_type) ")"
            }
        }
    }
}

/// The address that a button posts to.
fn api(connection: &str, verb: &str) -> String {
    format!("/api/v1/connections/{}/{verb}", segment(connection))
}

fn acts(view: &ConnectionView) -> Markup {
    let paused = view.state == ConnectionState::Paused;
    let name = &view.connection;
    html! {
        div #acts .acts {
            button #sync .btn.main type="button" hidden data-act=(api(name, "sync"))
                data-done="Asked for. It runs as soon as a worker is free." { "Sync now" }
            @if paused {
                button #resume .btn type="button" hidden data-act=(api(name, "resume"))
                    data-done="Resumed." { "Resume" }
            } @else {
                button #pause .btn type="button" hidden data-act=(api(name, "pause"))
                    data-done="Paused. It stays so until somebody resumes it." { "Pause" }
            }
        }
    }
}

/// The figures that are asked for first.
fn facts(view: &ConnectionView, now: DateTime<Utc>) -> Markup {
    html! {
        dl #facts .card.facts {
            div {
                dt { "Fresh as of" }
                dd.big {
                    @match view.complete_as_of {
                        Some(moment) => { (ago(moment, now)) }
                        None => { "not yet complete" }
                    }
                }
                @if let Some((tone, said)) = objective(view) { dd class=(format!("ink {tone}")) { (said) } }
            }
            div {
                dt { "Last commit" }
                dd.big {
                    @match view.last_commit_at {
                        Some(moment) => { (ago(moment, now)) }
                        None => { "never" }
                    }
                }
                @if let Some(moment) = view.last_commit_at { dd { (words::exact(moment)) } }
            }
            div {
                dt { "Next run" }
                dd.big { (next(view, now)) }
                dd { (view.schedule) @if view.time_zone != "UTC" { ", " (view.time_zone) } }
            }
            div {
                dt { "Rows, last 24 h" }
                dd.big { (words::count(total(view))) }
                dd { div.spark { (chart::sparkline(&view.rows.buckets, "rows by half hours")) } }
            }
            div.wide {
                dt { "Now" }
                dd.now { (view.reason) (running(view, now)) }
            }
        }
    }
}

/// The run that goes on.
fn running(view: &ConnectionView, now: DateTime<Utc>) -> Markup {
    html! {
        @if let Some(run) = &view.run {
            span.under {
                "Began " (ago(run.started_at, now)) ", " (trigger(run.trigger)) " · "
                (words::counted(run.records_read, "row", "rows")) " read, "
                (words::count(run.records_written)) " written in "
                (words::counted(run.loads, "load", "loads"))
            }
        }
    }
}

/// Why a run began.
fn trigger(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::Schedule => "on schedule",
        Trigger::CatchUp => "to catch up",
        Trigger::Retry => "to try again",
        Trigger::Asked => "asked for",
    }
}

/// What is wrong with the connection and its streams.
fn trouble(view: &ConnectionView, now: DateTime<Utc>) -> Markup {
    let standing = Standing::of(view);
    html! {
        section #trouble .care-list aria-label="Problems" {
            @if let Some(error) = &view.error {
                (problem(&html! { h2 { (said_of(standing)) } }, error, tone(standing), now))
            }
            @for stream in &view.streams {
                @if let Some(error) = &stream.error {
                    (problem(&html! { h2 { "The stream " (stream.stream) " failed" } }, error, "care", now))
                }
            }
        }
    }
}

fn said_of(standing: Standing) -> &'static str {
    match standing {
        Standing::Stuck => "It can't go on by itself",
        Standing::Retrying => "The last run failed, and is tried again",
        Standing::Failed => "The last run failed",
        Standing::New
        | Standing::Queued
        | Standing::Running
        | Standing::Stopping
        | Standing::Following
        | Standing::Fine
        | Standing::Doubtful
        | Standing::Late
        | Standing::Partial
        | Standing::Interrupted
        | Standing::Paused => "The last error",
    }
}

/// An error of what goes on since is no alarm any more.
fn tone(standing: Standing) -> &'static str {
    match standing.tone() {
        alarm @ ("bad" | "care") => alarm,
        _ => "wait",
    }
}

fn dialogs() -> Markup {
    html! {
        dialog #token-dialog aria-labelledby="token-title" {
            form method="dialog" {
                h2 #token-title { "The daemon's token" }
                p { "Changes need the token of the configuration (" code { "daemon.token" } "). This tab remembers it until it is closed." }
                label for="token" { "Token" }
                input #token type="password" autocomplete="off" spellcheck="false" required;
                div.acts {
                    button.btn type="submit" value="cancel" formnovalidate { "Cancel" }
                    button #token-go .btn.main type="submit" value="go" { "Use it" }
                }
            }
        }
        dialog #sure-dialog aria-labelledby="sure-title" {
            form method="dialog" {
                h2 #sure-title { "Are you sure?" }
                p #sure-what {}
                div.acts {
                    button.btn type="submit" value="cancel" { "Cancel" }
                    button #sure-go .btn.main type="submit" value="go" { "Read it anew" }
                }
            }
        }
    }
}
