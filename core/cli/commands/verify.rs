//! `tributary verify`: whether destinations hold what their sources do, key by key.

mod report;

use std::collections::BTreeMap;

use serde::Serialize;
use tributary_config::Plan;
use tributary_engine::{Agreement, VerifyReport, VerifyRequest};
use tributary_model::{ErrorKind, Result, Selection};

use crate::args::VerifyArgs;
use crate::commands::target::Target;
use crate::exit::{Exit, Failure, exit_of};
use crate::output;
use crate::progress::Watch;
use crate::session::{self, Session};

#[derive(Debug, Serialize)]
struct Document {
    connections: Vec<VerifyReport>,
}

pub(crate) async fn run(args: &VerifyArgs, session: &Session) -> Result<Exit, Failure> {
    let plan = session.plan()?;
    let mut connections = Vec::new();
    for (name, only) in targets(args) {
        let request = VerifyRequest {
            only: Selection(only),
            repair: args.repair,
            limit: args.limit,
        };
        connections.push(one(&plan, &name, &request, session).await?);
    }
    session.bars.clear();
    let exit = exit(&connections);
    let document = Document { connections };
    output::present(args.output.output, &document, || {
        report::text(&document.connections)
    });
    Ok(exit)
}

/// The connections that were named, and which of their streams; none means all.
fn targets(args: &VerifyArgs) -> BTreeMap<String, Vec<String>> {
    let mut asked: BTreeMap<String, Option<Vec<String>>> = BTreeMap::new();
    for target in args.targets.iter().map(|text| Target::from(text.as_str())) {
        let streams = asked
            .entry(target.connection)
            .or_insert_with(|| Some(Vec::new()));
        match (streams.as_mut(), target.stream) {
            (Some(streams), Some(stream)) => streams.push(stream.to_string()),
            // The connection itself was named: all of it.
            (_, None) => *streams = None,
            (None, Some(_)) => {}
        }
    }
    let all = |streams: Option<Vec<String>>| streams.unwrap_or_default();
    asked.into_iter().map(|(n, s)| (n, all(s))).collect()
}

async fn one(
    plan: &Plan,
    name: &str,
    request: &VerifyRequest,
    session: &Session,
) -> Result<VerifyReport> {
    let connection = session::connection_plan(plan, name)?;
    let connection = session::connection(plan, connection).await?;
    let watch = Watch::new(connection.options.name.as_str(), &session.bars);
    let report = tributary_engine::verify(&connection, request, &watch).await;
    watch.finish();
    Ok(report)
}

fn exit(reports: &[VerifyReport]) -> Exit {
    let streams = || reports.iter().flat_map(|report| &report.streams);
    let is_bad = |status| matches!(status, Agreement::Different | Agreement::Failed);
    let was_compared = |status| !matches!(status, Agreement::Skipped | Agreement::Failed);
    let any_compared = streams().any(|stream| was_compared(stream.status));
    let any_bad = reports.iter().any(|report| report.error.is_some())
        || streams().any(|stream| is_bad(stream.status));
    if any_compared && !any_bad {
        return Exit::Done;
    }
    let of_streams = streams().map(|stream| stream.error.as_ref());
    let errors = of_streams.chain(reports.iter().map(|report| report.error.as_ref()));
    let mut errors = errors.flatten();
    // What was typed or configured can't be meant, and nothing else was found out.
    match !any_compared && errors.all(|error| error.kind == ErrorKind::Config) {
        true => exit_of(ErrorKind::Config),
        false => Exit::Failed,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn args(targets: &[&str]) -> VerifyArgs {
        use clap::Parser;
        let line = ["tributary", "verify"].iter().chain(targets);
        match crate::args::Cli::parse_from(line).command {
            crate::args::Command::Verify(args) => args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn streams_of_one_connection_are_compared_together() {
        let found = targets(&args(&["a:x.y", "b:z", "a:x.q", "b"]));
        let streams = |name: &str| found.get(name).unwrap().clone();
        assert_eq!(streams("a"), ["x.y", "x.q"]);
        assert!(streams("b").is_empty());
    }

    #[test]
    fn something_to_compare_must_be_named() {
        use clap::Parser;
        assert!(crate::args::Cli::try_parse_from(["tributary", "verify"]).is_err());
    }
}
