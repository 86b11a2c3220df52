//! `tributary verify`: whether destinations hold what their sources do, key by key.

mod report;

use serde::Serialize;
use tributary_config::Plan;
use tributary_engine::{Agreement, VerifyReport, VerifyRequest};
use tributary_model::{ErrorKind, Result, Selection};

use crate::args::VerifyArgs;
use crate::commands::target::asked;
use crate::exit::{Exit, Failure, exit_of};
use crate::progress::Watch;
use crate::session::{self, Session};
use crate::{neighbour, output};

#[derive(Debug, Serialize)]
struct Document {
    connections: Vec<VerifyReport>,
}

pub(crate) async fn run(args: &VerifyArgs, session: &Session) -> Result<Exit, Failure> {
    let plan = session.plan()?;
    let mut connections = Vec::new();
    for (name, only) in asked(&args.targets) {
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

async fn one(
    plan: &Plan,
    name: &str,
    request: &VerifyRequest,
    session: &Session,
) -> Result<VerifyReport> {
    let of = session::connection_plan(plan, name)?;
    let connection = session::connection(plan, of).await?;
    let watch = Watch::new(connection.options.name.as_str(), &session.bars);
    let report = tributary_engine::verify(&connection, request, &watch).await;
    watch.finish();
    if let Some(error) = &report.error {
        neighbour::tell(plan, of, error.kind, &error.message).await;
    }
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
mod tests {
    use clap::Parser;

    use crate::args::Cli;

    #[test]
    fn something_to_compare_must_be_named() {
        assert!(Cli::try_parse_from(["tributary", "verify"]).is_err());
        assert!(Cli::try_parse_from(["tributary", "verify", "shop"]).is_ok());
    }
}
