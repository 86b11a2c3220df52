//! `tributary sync`: one run of each connection, or what such a run would do.

mod dry;
mod report;

use serde::Serialize;
use tributary_config::{ConnectionPlan, Plan};
use tributary_engine::{Connection, Status, SyncReport, SyncRequest};
use tributary_model::{ErrorKind, Result, Selection, Until};
use tributary_telemetry::{Lineage, Processing, Tracked};

use crate::args::{Format, SyncArgs};
use crate::commands::target::asked;
use crate::exit::{Exit, Failure};
use crate::progress::Watch;
use crate::session::{self, Session};
use crate::{neighbour, output};

#[derive(Debug, Serialize)]
struct Document {
    connections: Vec<SyncReport>,
}

/// A connection, and which of its streams.
struct Run<'p> {
    connection: &'p ConnectionPlan,
    request: SyncRequest,
    /// Whether nothing is read and rejected rows are tried again.
    retries: bool,
}

pub(crate) async fn run(args: &SyncArgs, session: &Session) -> Result<Exit, Failure> {
    let plan = session.plan()?;
    let runs = runs(args, &plan)?;
    if args.dry_run {
        return dry::run(&plan, &runs, args.output.output).await;
    }
    session.trace(&plan)?;
    let lineage = plan.lineage.as_ref().map(Lineage::new).transpose()?;
    let mut connections = Vec::new();
    for run in &runs {
        let report = sync(&plan, run, session, lineage.as_ref()).await;
        if let Some(error) = &report.error {
            neighbour::tell(&plan, run.connection, error.kind, &error.message).await;
        }
        connections.push(report);
    }
    if let Some(lineage) = lineage {
        lineage.close().await;
    }
    session.bars.clear();
    let document = Document { connections };
    if args.output.output == Format::Json {
        complain(&document);
    }
    output::present(args.output.output, &document, || {
        report::text(&document.connections)
    });
    Ok(exit(&document.connections))
}

/// What was asked for, connection by connection.
fn runs<'p>(args: &SyncArgs, plan: &'p Plan) -> Result<Vec<Run<'p>>> {
    let mut asked = asked(&args.targets);
    let names: Vec<String> = asked.keys().cloned().collect();
    let connections = session::connections(plan, &names)?;
    Ok(connections
        .into_iter()
        .map(|connection| {
            let streams = asked.remove(connection.options.name.as_str());
            let mut only = streams.unwrap_or_default();
            only.extend(args.select.iter().cloned());
            let request = SyncRequest {
                only: Selection(only),
                full_refresh: args.full_refresh,
                until: Until::Now,
            };
            Run {
                connection,
                request,
                retries: args.retry_rejected,
            }
        })
        .collect())
}

async fn sync(
    plan: &Plan,
    run: &Run<'_>,
    session: &Session,
    lineage: Option<&Lineage>,
) -> SyncReport {
    let name = &run.connection.options.name;
    if session.interruption.is_asked() {
        return SyncReport::interrupted(name.clone());
    }
    let told = lineage.map(|lineage| lineage.begin(plan, run.connection, Processing::Batch));
    let report = match session::connection(plan, run.connection).await {
        Ok(connection) => watched(&connection, run, session, told.as_ref()).await,
        Err(error) => SyncReport::failed(name.clone(), &error),
    };
    if let Some(told) = told {
        told.end(&report);
    }
    report
}

async fn watched(
    connection: &Connection,
    run: &Run<'_>,
    session: &Session,
    told: Option<&Tracked>,
) -> SyncReport {
    let stop = session.interruption.asked(1);
    let watch = Watch::new(connection.options.name.as_str(), &session.bars);
    let observer = (&watch, told);
    let report = match run.retries {
        true => tributary_engine::retry_rejected(connection, &run.request, &observer).await,
        false => tributary_engine::sync_until(connection, &run.request, &observer, stop).await,
    };
    watch.finish();
    report
}

/// Whoever reads the document is a program; people read the log.
fn complain(document: &Document) {
    for report in &document.connections {
        if let Some(error) = &report.error {
            tracing::error!(connection = %report.connection, error = error.message, "sync failed");
        }
    }
}

fn exit(reports: &[SyncReport]) -> Exit {
    let all = |status| reports.iter().all(|report| report.status == status);
    let misconfigured = |report: &SyncReport| {
        report
            .error
            .as_ref()
            .is_some_and(|error| error.kind == ErrorKind::Config)
    };
    let any = |status| reports.iter().any(|report| report.status == status);
    match () {
        () if any(Status::Interrupted) => Exit::Interrupted,
        () if all(Status::Succeeded) => Exit::Done,
        () if !all(Status::Failed) => Exit::Partial,
        () if reports.iter().all(misconfigured) => Exit::BadInput,
        () => Exit::Failed,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tributary_model::{ConnectionName, Error};

    use super::*;

    fn report(status: Status, kind: Option<ErrorKind>) -> SyncReport {
        SyncReport {
            connection: ConnectionName::new("c"),
            status,
            duration_seconds: 1.0,
            loads: 0,
            streams: Vec::new(),
            error: kind.map(|kind| (&Error::new(kind, "x")).into()),
        }
    }

    #[test]
    fn the_exit_code_says_how_much_succeeded() {
        use Status::{Failed, Interrupted, Partial, Succeeded};
        let away = Some(ErrorKind::Unavailable);
        let wrong = Some(ErrorKind::Config);
        for (reports, expected) in [
            (vec![(Succeeded, None)], Exit::Done),
            (vec![(Succeeded, None), (Failed, away)], Exit::Partial),
            (vec![(Partial, None)], Exit::Partial),
            (vec![(Failed, away), (Failed, wrong)], Exit::Failed),
            (vec![(Failed, wrong)], Exit::BadInput),
            (
                vec![(Succeeded, None), (Interrupted, None)],
                Exit::Interrupted,
            ),
            (vec![(Failed, away), (Interrupted, None)], Exit::Interrupted),
            (vec![], Exit::Done),
        ] {
            let reports: Vec<_> = reports.into_iter().map(|(s, k)| report(s, k)).collect();
            assert_eq!(exit(&reports), expected, "{reports:?}");
        }
    }
}
