//! `tributary check`: every requirement of both ends of connections.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;
use tributary_config::{ConnectionPlan, Plan};
use tributary_engine::SyncRequest;
use tributary_model::{AnySource, Error, Report, Result, StreamName, Verdict};

use crate::args::CheckArgs;
use crate::exit::{Exit, Failure};
use crate::output;
use crate::session::{self, Session};
use crate::table::count;

/// What was found at one end.
#[derive(Clone, Debug, Serialize)]
struct EndReport {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    findings: Report,
}

/// What was found for one connection.
#[derive(Debug, Serialize)]
struct ConnectionReport {
    connection: String,
    verdict: Verdict,
    source: EndReport,
    destination: EndReport,
    /// How the streams would be kept; nothing where an end is not as it must be.
    streams: Report,
}

#[derive(Debug, Serialize)]
struct Document {
    connections: Vec<ConnectionReport>,
}

pub(crate) async fn run(args: &CheckArgs, session: &Session) -> Result<Exit, Failure> {
    let plan = session.plan()?;
    let mut document = Document {
        connections: Vec::new(),
    };
    // Connections often share a destination; one look is enough.
    let mut seen = BTreeMap::new();
    for connection in session::connections(&plan, &args.connections)? {
        document
            .connections
            .push(check(&plan, connection, &mut seen).await);
    }
    let worst = document
        .connections
        .iter()
        .map(|connection| connection.verdict)
        .max();
    output::present(args.output.output, &document, || text(&document));
    Ok(match worst {
        Some(Verdict::Fail) => Exit::Failed,
        Some(Verdict::Pass | Verdict::Warn) | None => Exit::Done,
    })
}

async fn check(
    plan: &Plan,
    connection: &ConnectionPlan,
    seen: &mut BTreeMap<String, Report>,
) -> ConnectionReport {
    let source = settle(check_source(plan, connection).await);
    let name = &connection.destination;
    let destination = match seen.get(name) {
        Some(report) => report.clone(),
        None => settle(check_destination(plan, name).await),
    };
    seen.insert(name.clone(), destination.clone());
    let ends = source.verdict().max(destination.verdict());
    let streams = match ends {
        Verdict::Fail => Report::default(),
        Verdict::Pass | Verdict::Warn => settle(check_streams(plan, connection).await),
    };
    ConnectionReport {
        connection: connection.options.name.to_string(),
        verdict: ends.max(streams.verdict()),
        streams,
        source: EndReport {
            kind: plan
                .sources
                .get(&connection.source)
                .map(|end| end.kind.clone())
                .unwrap_or_default(),
            name: connection.source.clone(),
            findings: source,
        },
        destination: EndReport {
            kind: plan
                .destinations
                .get(name)
                .map(|end| end.kind.clone())
                .unwrap_or_default(),
            name: name.clone(),
            findings: destination,
        },
    }
}

async fn check_source(plan: &Plan, connection: &ConnectionPlan) -> Result<Report> {
    let source = session::source(plan, &connection.source).await?;
    let (streams, trouble) = selected(source.as_ref(), connection).await;
    let mut report = source.check(&streams).await?;
    match trouble {
        // A source that fails its preflight has said why it can't be looked into.
        Some(error) if report.verdict() != Verdict::Fail => add(&mut report, "streams", &error),
        None if streams.is_empty() && report.verdict() != Verdict::Fail => report.fail(
            "streams",
            "the connection selects no stream of the source",
            "Correct `select`; `tributary discover SOURCE` lists what there is.",
        ),
        Some(_) | None => {}
    }
    Ok(report)
}

/// The streams of the connection, as far as they can be known.
async fn selected(
    source: &dyn AnySource,
    connection: &ConnectionPlan,
) -> (Vec<StreamName>, Option<Error>) {
    match source.discover().await {
        Ok(catalog) => {
            let names = catalog.streams.into_iter().map(|stream| stream.name);
            (
                names
                    .filter(|name| connection.options.select.contains(name))
                    .collect(),
                None,
            )
        }
        Err(error) => (Vec::new(), Some(error)),
    }
}

async fn check_destination(plan: &Plan, name: &str) -> Result<Report> {
    session::destination(plan, name).await?.check().await
}

/// Whether each stream can be kept as it was asked for.
async fn check_streams(plan: &Plan, connection: &ConnectionPlan) -> Result<Report> {
    let connection = session::connection(plan, connection).await?;
    let planned = tributary_engine::plan(&connection, &SyncRequest::default()).await?;
    let mut report = Report::default();
    for stream in &planned.streams {
        if let Some(error) = &stream.error {
            let found = match &error.why {
                Some(why) => format!("{} ({why})", error.what),
                None => error.what.clone(),
            };
            let fix = error.fix.as_deref().unwrap_or("See the message.");
            report.fail(format!("stream {}", stream.stream), found, fix);
        }
    }
    if report.verdict() == Verdict::Pass {
        let streams = count(planned.streams.len() as u64, "stream");
        report.pass("streams", format!("{streams} can be kept as asked"));
    }
    Ok(report)
}

/// An error on the way is a finding too.
fn settle(outcome: Result<Report>) -> Report {
    outcome.unwrap_or_else(|error| {
        let mut report = Report::default();
        add(&mut report, "connect", &error);
        report
    })
}

fn add(report: &mut Report, requirement: &str, error: &Error) {
    let found = match error.why() {
        Some(why) => format!("{} ({why})", error.what()),
        None => error.what(),
    };
    report.fail(
        requirement,
        found,
        error.help().unwrap_or("See the message."),
    );
}

fn text(document: &Document) -> String {
    let mut text = String::new();
    for connection in &document.connections {
        let name = &connection.connection;
        for (role, end) in [
            ("source", &connection.source),
            ("destination", &connection.destination),
        ] {
            let _ = writeln!(text, "{name}: {role} {} ({})", end.name, end.kind);
            findings(&mut text, &end.findings);
        }
        if !connection.streams.findings.is_empty() {
            let _ = writeln!(text, "{name}: streams");
            findings(&mut text, &connection.streams);
        }
        let _ = match connection.verdict {
            Verdict::Pass => writeln!(text, "{name}: ready\n"),
            Verdict::Warn => writeln!(text, "{name}: ready, with warnings\n"),
            Verdict::Fail => writeln!(text, "{name}: not ready\n"),
        };
    }
    text
}

fn findings(text: &mut String, report: &Report) {
    let width = report
        .findings
        .iter()
        .map(|finding| finding.requirement.chars().count())
        .max();
    let width = width.unwrap_or(0);
    for finding in &report.findings {
        let verdict = match finding.verdict {
            Verdict::Pass => "PASS",
            Verdict::Warn => "WARN",
            Verdict::Fail => "FAIL",
        };
        let _ = writeln!(
            text,
            "  {verdict}  {:<width$}  {}",
            finding.requirement, finding.found
        );
        for line in finding.fix.iter().flat_map(|fix| fix.lines()) {
            let _ = writeln!(text, "        {:<width$}  fix: {line}", "");
        }
    }
}
