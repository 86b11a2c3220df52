//! The streams of a connection, each on a line.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::super::chart::progress;
use super::super::frame::ago;
use super::super::icon::{Shape, icon};
use super::super::words;
use crate::view::{ConnectionView, StreamPhase, StreamView};

/// So many lines are shown; more would make the page slow and nobody wiser. // G6
const MOST: usize = 1_000;

/// The section of streams.
pub(super) fn section(view: &ConnectionView, now: DateTime<Utc>) -> Markup {
    html! {
        section #streams .section aria-labelledby="streams-title" {
            header {
                h2 #streams-title { "Streams" }
                @if let Some(position) = &view.position { p { "Read up to " (position) } }
            }
            div.card {
                @if view.streams.is_empty() {
                    p.note { "None is known yet. The first run finds them." }
                } @else { (table(view, now)) }
                @if view.streams.len() > MOST {
                    p.note {
                        "The first " (words::count(MOST as u64)) " of "
                        (words::count(view.streams.len() as u64)) " are shown."
                    }
                }
            }
        }
    }
}

fn table(view: &ConnectionView, now: DateTime<Utc>) -> Markup {
    html! {
        table.cards role="table" {
            thead role="rowgroup" {
                tr role="row" {
                    th role="columnheader" scope="col" { "Stream" }
                    th role="columnheader" scope="col" { "Phase" }
                    th.num role="columnheader" scope="col" { "Rows written" }
                    th.num role="columnheader" scope="col" { "Rejected" }
                    th role="columnheader" scope="col" { "Last commit" }
                    th role="columnheader" scope="col" { "Cursor" }
                    th role="columnheader" scope="col" { span.unseen { "Actions" } }
                }
            }
            tbody role="rowgroup" {
                @for stream in view.streams.iter().take(MOST) { (line(&view.connection, stream, now)) }
            }
        }
    }
}

fn line(connection: &str, stream: &StreamView, now: DateTime<Utc>) -> Markup {
    html! {
        tr role="row" {
            td.wide role="cell" {
                span.name { (stream.stream) }
                @if let Some(schedule) = &stream.schedule { div.way { "on its own: " (schedule) } }
                @for warning in &stream.warnings { div.way { (warning) } }
            }
            td.wide role="cell" { (phase(stream)) }
            td.num role="cell" data-label="Rows written" { (words::count(stream.records_written)) }
            td.num role="cell" data-label="Rejected" {
                @if stream.records_rejected == 0 { span.soft { "0" } }
                @else { strong.ink.care { (words::count(stream.records_rejected)) } }
            }
            td role="cell" data-label="Last commit" {
                @match stream.last_commit_at {
                    Some(moment) => { (ago(moment, now)) }
                    None => { span.soft { "not yet" } }
                }
            }
            td.wide.later role="cell" data-label="Cursor" {
                div.cursor { (stream.position.as_deref().unwrap_or("none yet")) }
            }
            td.end role="cell" { (reset(connection, &stream.stream)) }
        }
    }
}

fn phase(stream: &StreamView) -> Markup {
    let (shape, tone, word) = match (&stream.error, stream.phase) {
        (Some(_), _) => (Shape::Triangle, "care", "Failed"),
        (None, _) if !stream.warnings.is_empty() => (Shape::Triangle, "care", "To be looked at"),
        (None, Some(StreamPhase::Snapshot)) => (Shape::Ring, "busy", "Copying"),
        (None, Some(StreamPhase::Streaming)) => (Shape::Tick, "good", "Complete"),
        (None, Some(StreamPhase::Pending) | None) => (Shape::Clock, "wait", "Not begun"),
    };
    html! {
        span class=(format!("state {tone}")) { (icon(shape)) (word) }
        @if stream.phase == Some(StreamPhase::Snapshot) {
            (copied(stream.snapshot_rows_done.unwrap_or(0), stream.snapshot_rows_estimate))
        }
    }
}

/// How far a copy is. An estimate is one: with more rows done than were expected, it is left out.
fn copied(done: u64, estimate: Option<u64>) -> Markup {
    html! {
        @match estimate.filter(|whole| *whole >= done && *whole > 0) {
            Some(whole) => {
                (progress(done, whole))
                span.under {
                    (words::percent(done, whole)) "%, " (words::count(done)) " of about " (words::count(whole)) " rows"
                }
            }
            None => { span.under { (words::counted(done, "row", "rows")) " so far" } }
        }
    }
}

fn reset(connection: &str, stream: &str) -> Markup {
    let body = serde_json::json!({ "stream": stream }).to_string();
    let sure = format!(
        "The cursor of {stream} is forgotten, and the next run reads the stream anew from its beginning."
    );
    html! {
        button.btn.quiet type="button" hidden data-act=(super::api(connection, "reset"))
            data-body=(body) data-sure=(sure)
            data-done=(format!("The next run reads {stream} anew."))
            aria-label=(format!("Reset {stream}")) { "Reset" }
    }
}
