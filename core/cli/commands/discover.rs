//! `tributary discover`: the streams of a source with keys, columns and types.

use serde_json::{Value, json};
use tributary_model::{Catalog, Column, Stream};

use crate::args::DiscoverArgs;
use crate::exit::{Exit, Failure};
use crate::output;
use crate::session::{self, Session};
use crate::table::{Table, count};

pub(crate) async fn run(args: &DiscoverArgs, session: &Session) -> Result<Exit, Failure> {
    let plan = session.plan()?;
    let source = session::source(&plan, &args.source).await?;
    let catalog = source.discover().await?;
    if catalog.streams.is_empty() {
        tracing::warn!(
            source = args.source,
            "the source has no streams, or none that may be seen"
        );
    }
    output::present(args.output.output, &document(&catalog), || text(&catalog));
    Ok(Exit::Done)
}

/// The catalog in the words of other documents.
fn document(catalog: &Catalog) -> Value {
    let column = |column: &Column| {
        json!({
            "name": column.name,
            "type": column.data_type.to_string(),
            "nullable": column.nullable,
        })
    };
    let stream = |stream: &Stream| {
        json!({
            "stream": stream.name,
            "key": stream.schema.key,
            "estimated_rows": stream.estimated_rows,
            "needs": stream.needs,
            "columns": stream.schema.columns.iter().map(column).collect::<Vec<_>>(),
        })
    };
    json!({ "streams": catalog.streams.iter().map(stream).collect::<Vec<_>>() })
}

fn text(catalog: &Catalog) -> String {
    let mut text = String::new();
    for stream in &catalog.streams {
        text += &heading(stream);
        let mut table = Table::new(["column", "type", ""]);
        for column in &stream.schema.columns {
            let null = if column.nullable { "" } else { "not null" };
            table.row([column.name.as_str(), &column.data_type.to_string(), null]);
        }
        text += &table.render(2);
        text.push('\n');
    }
    text + &format!("{}\n", count(catalog.streams.len() as u64, "stream"))
}

fn heading(stream: &Stream) -> String {
    let key = match stream.schema.key.as_slice() {
        [] => "no key".to_owned(),
        key => format!("key {}", key.join(", ")),
    };
    let needs = stream.needs.as_ref();
    let needs = needs.map_or_else(String::new, |needs| format!(", needs {needs}"));
    match stream.estimated_rows {
        Some(rows) => format!(
            "{} ({key}, about {}){needs}\n",
            stream.name,
            count(rows, "row")
        ),
        None => format!("{} ({key}){needs}\n", stream.name),
    }
}
