//! `tributary sync --dry-run`: what would be read, and into which tables.

use serde::Serialize;
use tributary_config::Plan;
use tributary_engine::{ErrorReport, PlannedStream};
use tributary_model::{Error, ErrorKind, Result};

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

fn exit(document: &Document) -> Exit {
    let kinds: Vec<ErrorKind> = document
        .connections
        .iter()
        .filter_map(|connection| connection.error.as_ref().map(|error| error.kind))
        .collect();
    let refused = document.connections.iter().any(|connection| {
        connection
            .streams
            .iter()
            .any(|stream| stream.error.is_some())
    });
    match kinds.first() {
        Some(kind) => exit_of(*kind),
        None if refused => Exit::Failed,
        None => Exit::Done,
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
                stream.error.clone().unwrap_or_else(|| new.to_owned()),
            ]);
        }
        text += &table.render(2);
        text.push('\n');
    }
    text
}
