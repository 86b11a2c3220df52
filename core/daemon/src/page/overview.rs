//! The page at `/`: what needs somebody first, then every connection on a line.
//!
//! A line stands for one connection and is one live fragment. Lines keep their order while a page
//! is open: what moves under the pointer can't be pressed.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::chart::sparkline;
use super::fragment::Fragment;
use super::frame::{Frame, address, ago, next, objective, problem, segment, state, total};
use super::standing::{Group, Standing};
use super::words;
use crate::board::Configuration;
use crate::view::{ConnectionView, ErrorView};

/// So many problems are told in full; the filter finds the others. // G6
const PROBLEMS: usize = 3;

/// What the page shows.
#[derive(Debug)]
pub(super) struct Overview {
    /// By name.
    pub(super) connections: Vec<ConnectionView>,
    pub(super) configuration: Configuration,
    pub(super) now: DateTime<Utc>,
}

/// The whole page.
pub(super) fn page(overview: &Overview) -> Markup {
    let frame = Frame {
        title: "Connections",
        events: Some("/events"),
        now: overview.now,
    };
    frame.around(&html! {
        (summary(overview))
        (care(overview))
        @if overview.connections.is_empty() { (empty()) } @else { (list(overview)) }
    })
}

/// What stands above the lines, for whoever looks at the page already.
pub(super) fn head_fragments(overview: &Overview) -> Vec<Fragment> {
    vec![
        Fragment::new("summary", summary(overview)),
        Fragment::new("care", care(overview)),
    ]
}

/// The line of one connection, likewise.
pub(super) fn line_fragment(view: &ConnectionView, now: DateTime<Utc>) -> Fragment {
    Fragment::new(&line_id(&view.connection), line(view, now))
}

/// How many there are of what.
fn summary(overview: &Overview) -> Markup {
    let tally = |group: Group| {
        let all = overview.connections.iter();
        all.filter(|view| Standing::of(view).group() == group)
            .count() as u64
    };
    html! {
        div #summary .lead {
            h1 { "Connections" }
            @if !overview.connections.is_empty() {
                p {
                    (words::counted(overview.connections.len() as u64, "connection", "connections"))
                    @for group in Group::ALL {
                        @if tally(group) > 0 {
                            " · " (words::count(tally(group))) " " (group.word().to_lowercase())
                        }
                    }
                }
            }
        }
    }
}

/// Everything that waits for a person.
fn care(overview: &Overview) -> Markup {
    let troubled: Vec<(&ConnectionView, Option<&str>, &ErrorView)> = overview
        .connections
        .iter()
        .filter(|view| Standing::of(view).group() == Group::Care)
        .filter_map(|view| worst(view).map(|(stream, error)| (view, stream, error)))
        .collect();
    html! {
        section #care .care-list aria-label="What needs a look" {
            (refused(&overview.configuration, overview.now))
            @for (view, stream, error) in troubled.iter().take(PROBLEMS) {
                @let standing = Standing::of(view);
                @let heading = html! {
                    h2 {
                        a.name href=(address(&view.connection)) { (view.connection) }
                        @if let Some(stream) = stream { span.soft { (stream) } }
                        (state(standing))
                    }
                };
                (problem(&heading, error, standing.tone(), overview.now))
            }
            @if troubled.len() > PROBLEMS {
                p.note { "And " (words::count((troubled.len() - PROBLEMS) as u64)) " more, in the list below." }
            }
        }
    }
}

/// The error that is told first: the connection's own, else that of its first failed stream.
fn worst(view: &ConnectionView) -> Option<(Option<&str>, &ErrorView)> {
    if let Some(error) = &view.error {
        return Some((None, error));
    }
    let mut streams = view.streams.iter();
    streams.find_map(|stream| Some((Some(stream.stream.as_str()), stream.error.as_ref()?)))
}

/// A changed configuration that is not in use.
fn refused(configuration: &Configuration, now: DateTime<Utc>) -> Markup {
    html! {
        @if let Some(at) = configuration.refused_at {
            article.card.problem.bad {
                h2 { "The changed configuration was refused" }
                p { "The one before it stays in use until the file is right again." }
                pre { (configuration.text) }
                p.meta { "Read " (ago(at, now)) }
            }
        }
    }
}

fn empty() -> Markup {
    html! {
        section.card.empty {
            h2 { "There are no connections yet" }
            p { "The configuration names none. This writes a first one, with every stream listed:" }
            pre { "tributary init mysql://reader@db.internal/shop duckdb:warehouse.duckdb" }
            p { "The daemon takes a changed file up by itself." }
        }
    }
}

fn list(overview: &Overview) -> Markup {
    html! {
        section aria-labelledby="all" {
            h2 #all .unseen { "All connections" }
            (finder(overview.connections.len()))
            div.card {
                table.cards role="table" {
                    thead role="rowgroup" {
                        tr role="row" {
                            th role="columnheader" scope="col" { "Connection" }
                            th role="columnheader" scope="col" { "State" }
                            th role="columnheader" scope="col" { "Fresh as of" }
                            th role="columnheader" scope="col" { "Next run" }
                            th.num role="columnheader" scope="col" { "Rows, last 24 h" }
                        }
                    }
                    tbody role="rowgroup" {
                        @for view in &overview.connections { (line(view, overview.now)) }
                    }
                }
                p #none-found .note hidden { "No connection fits the filter." }
            }
        }
    }
}

/// The filter. It needs the script, which shows it.
fn finder(connections: usize) -> Markup {
    html! {
        div #finder .find hidden role="search" {
            label.unseen for="find" { "Find connections by name, source, destination or state" }
            input #find type="search" placeholder="Find a connection" autocomplete="off" spellcheck="false";
            fieldset.chips {
                legend.unseen { "Show" }
                button.chip type="button" data-group="all" aria-pressed="true" {
                    "All " b { (words::count(connections as u64)) }
                }
                @for group in Group::ALL {
                    button.chip type="button" data-group=(group.name()) aria-pressed="false" {
                        (group.word())
                    }
                }
            }
            span #shown .unseen role="status" {}
        }
    }
}

fn line_id(connection: &str) -> String {
    format!("line-{}", segment(connection))
}

/// A connection on a line.
fn line(view: &ConnectionView, now: DateTime<Utc>) -> Markup {
    let standing = Standing::of(view);
    let rows = total(view);
    let said = format!(
        "{} in the last 24 hours",
        words::counted(rows, "row", "rows")
    );
    html! {
        tr role="row" id=(line_id(&view.connection)) data-group=(standing.group().name())
            data-words=(sought(view, standing)) {
            td role="cell" {
                a.name href=(address(&view.connection)) { (view.connection) }
                div.way { (view.source) " → " (view.destination) }
            }
            td.end role="cell" { (state(standing)) }
            td role="cell" data-label="Fresh as of" { (freshness(view, now)) }
            td role="cell" data-label="Next run" {
                (next(view, now))
                span.under { (view.schedule) }
            }
            td.wide role="cell" data-label="Rows, last 24 h" {
                div.spark {
                    (sparkline(&view.rows.buckets, &said))
                    span.sum title=(said) { (words::short_count(rows)) }
                }
            }
        }
    }
}

/// How fresh the destination is.
fn freshness(view: &ConnectionView, now: DateTime<Utc>) -> Markup {
    html! {
        @match view.complete_as_of {
            Some(moment) => { (ago(moment, now)) }
            None => { span.soft { "not yet complete" } }
        }
        @if let Some((tone, said)) = objective(view) {
            span class=(format!("under ink {tone}")) { (said) }
        }
    }
}

/// What the filter looks at.
fn sought(view: &ConnectionView, standing: Standing) -> String {
    let parts = [
        view.connection.as_str(),
        &view.source,
        &view.source_type,
        &view.destination,
        &view.destination_type,
        standing.word(),
    ];
    parts.join(" ").to_lowercase()
}
