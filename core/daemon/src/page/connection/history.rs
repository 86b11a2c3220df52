//! What a connection did: its last loads as a chart and a list, its last runs, rows that were
//! rejected, and how layouts changed.

use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};

use super::super::chart::{Bar, bars};
use super::super::frame::ago;
use super::super::icon::{Shape, icon};
use super::super::words;
use crate::view::{ConnectionView, KEPT, LoadView, RunRecord, RunStatus, StreamView};

/// How long the last loads took.
pub(super) fn loads(view: &ConnectionView, now: DateTime<Utc>) -> Markup {
    html! {
        section #loads .section aria-labelledby="loads-title" {
            header {
                h2 #loads-title { "Last loads" }
                @if !view.loads.is_empty() { p { "from the first row to the commit" } }
            }
            div.card {
                @if view.loads.is_empty() { p.note { "Nothing has been loaded yet." } }
                @else {
                    (chart(&view.loads, now))
                    details #loads-list {
                        summary { "The same as a list" }
                        (load_table(&view.loads, now))
                    }
                }
            }
        }
    }
}

fn chart(loads: &[LoadView], now: DateTime<Utc>) -> Markup {
    let drawn: Vec<Bar> = loads.iter().rev().map(bar).collect();
    let longest = loads.iter().map(|load| load.duration_seconds);
    let longest = words::length(longest.fold(0.0, f64::max));
    let rows = loads
        .iter()
        .fold(0u64, |sum, load| sum.saturating_add(load.records));
    let said = format!(
        "{} with {}; the longest took {longest}",
        words::counted(loads.len() as u64, "load", "loads"),
        words::counted(rows, "row", "rows"),
    );
    html! {
        figure.chart {
            figcaption {
                span { (longest) }
                @if drawn.iter().any(|bar| bar.marked) { span.ink.care { "■ with rejected rows" } }
            }
            (bars(&drawn, KEPT, &said))
            (span_of(loads, now))
        }
    }
}

/// From when to when. Few loads leave room on their right, where the last one is not.
fn span_of(loads: &[LoadView], now: DateTime<Utc>) -> Markup {
    html! {
        @if let (Some(oldest), Some(newest)) = (loads.last(), loads.first()) {
            div.axis {
                @if loads.len() >= KEPT {
                    span { (ago(oldest.committed_at, now)) }
                    span { (ago(newest.committed_at, now)) }
                } @else if loads.len() > 1 {
                    span { "from " (ago(oldest.committed_at, now)) " to " (ago(newest.committed_at, now)) }
                } @else {
                    span { (ago(newest.committed_at, now)) }
                }
            }
        }
    }
}

fn bar(load: &LoadView) -> Bar {
    Bar {
        height: words::millis(load.duration_seconds),
        marked: load.records_rejected > 0,
        said: format!(
            "{}: {} in {}{}",
            words::exact(load.committed_at),
            words::counted(load.records, "row", "rows"),
            words::length(load.duration_seconds),
            match load.records_rejected {
                0 => String::new(),
                rejected => format!(", {} rejected", words::count(rejected)),
            },
        ),
    }
}

fn load_table(loads: &[LoadView], now: DateTime<Utc>) -> Markup {
    html! {
        div.scroll {
            table.tight {
                thead {
                    tr {
                        th scope="col" { "Committed" }
                        th.num scope="col" { "Took" }
                        th.num scope="col" { "Rows" }
                        th.num scope="col" { "Rejected" }
                        th scope="col" { "Load" }
                    }
                }
                tbody {
                    @for load in loads {
                        tr {
                            td { (ago(load.committed_at, now)) }
                            td.num { (words::length(load.duration_seconds)) }
                            td.num { (words::count(load.records)) }
                            td.num { (words::count(load.records_rejected)) }
                            td { code { (load.load_id) } }
                        }
                    }
                }
            }
        }
    }
}

/// How the last runs ended.
pub(super) fn runs(view: &ConnectionView, now: DateTime<Utc>) -> Markup {
    html! {
        section #runs .section aria-labelledby="runs-title" {
            header { h2 #runs-title { "Last runs" } }
            div.card {
                @if view.runs.is_empty() { p.note { "Nothing has run yet." } }
                @else { div.scroll { (run_table(&view.runs, now)) } }
            }
        }
    }
}

fn run_table(runs: &[RunRecord], now: DateTime<Utc>) -> Markup {
    let failed = runs.iter().any(|run| run.error.is_some());
    html! {
        table.tight {
            thead {
                tr {
                    th scope="col" { "Began" }
                    th scope="col" { "Ended" }
                    th.num scope="col" { "Took" }
                    th.num scope="col" { "Read" }
                    th.num scope="col" { "Written" }
                    @if failed { th scope="col" { "Why it ended so" } }
                }
            }
            tbody {
                @for run in runs {
                    tr {
                        td { (ago(run.started_at, now)) span.under { (super::trigger(run.trigger)) } }
                        td { (ended(run.status)) }
                        td.num { (took(run)) }
                        td.num { (words::count(run.records_read)) }
                        td.num { (words::count(run.records_written)) }
                        @if failed { td.cursor { @if let Some(error) = &run.error { (error.what) } } }
                    }
                }
            }
        }
    }
}

fn ended(status: Option<RunStatus>) -> Markup {
    let (shape, tone, word) = match status {
        None => (Shape::Ring, "busy", "goes on"),
        Some(RunStatus::Succeeded) => (Shape::Tick, "good", "succeeded"),
        Some(RunStatus::Partial) => (Shape::Triangle, "care", "partly failed"),
        Some(RunStatus::Failed) => (Shape::Cross, "bad", "failed"),
        Some(RunStatus::Interrupted) => (Shape::Pause, "wait", "interrupted"),
    };
    html! { span class=(format!("state {tone}")) { (icon(shape)) (word) } }
}

fn took(run: &RunRecord) -> String {
    let time = run.ended_at.map(|ended| ended - run.started_at);
    time.map(|time: TimeDelta| words::span(time))
        .unwrap_or_default()
}

/// Rows that could not be loaded, and where they are.
pub(super) fn rejected(view: &ConnectionView) -> Markup {
    let streams = view.streams.iter();
    let streams: Vec<&StreamView> = streams
        .filter(|stream| stream.records_rejected > 0)
        .collect();
    html! {
        section #rejected .section[!streams.is_empty()] aria-label="Rejected rows" {
            @if !streams.is_empty() {
                header {
                    h2 { "Rejected rows" }
                    p { "kept with the reason, ready to be replayed" }
                }
                ul.card.lines {
                    @for stream in streams {
                        li {
                            strong.ink.care { (words::counted(stream.records_rejected, "row", "rows")) }
                            span { (stream.stream) }
                        }
                    }
                    li.look { code { (question(view)) } }
                }
            }
        }
    }
}

/// What shows the rejected rows. Only destinations that can be asked here have a command for it.
fn question(view: &ConnectionView) -> String {
    let name = view.connection.replace('\'', "''");
    let statement = format!("SELECT * FROM _tributary.rejected WHERE connection = '{name}'");
    match view.destination_type.as_str() {
        "duckdb" | "lake" => format!("tributary query {} \"{statement}\"", view.destination),
        _ => statement,
    }
}

/// How layouts changed.
pub(super) fn changes(view: &ConnectionView, now: DateTime<Utc>) -> Markup {
    let any = !view.schema_changes.is_empty();
    html! {
        section #changes .section[any] aria-label="Schema changes" {
            @if any {
                header { h2 { "Schema changes" } }
                ol.card.lines {
                    @for change in &view.schema_changes {
                        li {
                            (ago(change.at, now))
                            span { strong { (change.stream) } ": " (change.what) }
                        }
                    }
                }
            }
        }
    }
}
