//! `tributary sync --dry-run`: what would be read, and into which tables.

use serde::Serialize;
use tributary_config::Plan;
use tributary_engine::{ErrorReport, PlannedStream};
use tributary_model::{Error, Result};

use super::Run;
use crate::args::Format;
use crate::exit::{Exit, Failure, exit_of};
use crate::table::{Table, thousands};
use crate::{output, session};

#[derive(Debug, Serialize)]
struct Document {
    dry_run: bool,
    connections: Vec<Planned>,
}

#[derive(Debug, Serialize)]
struct Planned {
    connection: String,
    streams: Vec<PlannedStream>,
    error: Option<ErrorReport>,
}

pub(super) async fn run(plan: &Plan, runs: &[Run<'_>], format: Format) -> Result<Exit, Failure> {
    let mut connections = Vec::new();
    for run in runs {
        let (streams, error) = match look(plan, run).await {
            Ok(streams) => (streams, None),
            Err(error) => (Vec::new(), Some(ErrorReport::from(&error))),
        };
        connections.push(Planned {
            connection: run.connection.options.name.to_string(),
            streams,
            error,
        });
    }
    let document = Document {
        dry_run: true,
        connections,
    };
    output::present(format, &document, || text(&document));
    Ok(exit(&document))
}

async fn look(plan: &Plan, run: &Run<'_>) -> Result<Vec<PlannedStream>, Error> {
    let connection = session::connection(plan, run.connection).await?;
    Ok(tributary_engine::plan(&connection, &run.request)
        .await?
        .streams)
}

/// The exit code that a sync would end with, as far as can be told.
fn exit(document: &Document) -> Exit {
    let connections = &document.connections;
    let error = connections.iter().find_map(|one| one.error.as_ref());
    if let Some(error) = error {
        return exit_of(error.kind);
    }
    let streams = || connections.iter().flat_map(|one| &one.streams);
    let refused = streams().filter(|stream| stream.error.is_some()).count();
    match refused {
        0 => Exit::Done,
        all if all == streams().count() => Exit::Failed,
        _ => Exit::Partial,
    }
}

fn text(document: &Document) -> String {
    let mut text = String::new();
    for connection in &document.connections {
        text += &format!(
            "{}: would be read as follows; nothing was changed\n",
            connection.connection
        );
        if let Some(error) = &connection.error {
            text += &format!("  error: {}\n", error.message);
            continue;
        }
        let mut table = Table::new(["stream", "table", "mode", "from", "rows", ""]).numbers([4]);
        for stream in &connection.streams {
            let from = if stream.has_cursor {
                "where it stands"
            } else {
                "the beginning"
            };
            let new = if stream.table_exists { "" } else { "new table" };
            table.row([
                stream.stream.to_string(),
                stream.table.clone(),
                format!("{:?}", stream.mode).to_lowercase(),
                from.to_owned(),
                stream
                    .estimated_rows
                    .map(|rows| format!("~{}", thousands(rows)))
                    .unwrap_or_default(),
                match &stream.error {
                    Some(_) => "can't be read".to_owned(),
                    None => new.to_owned(),
                },
            ]);
        }
        text += &table.render(2);
        for stream in &connection.streams {
            if let Some(error) = &stream.error {
                text += &format!("  {}: {}\n", stream.stream, error.message);
            }
            if let Some(change) = &stream.change {
                text += &format!("  {}: {change}\n", stream.stream);
            }
        }
        text.push('\n');
    }
    text
}
