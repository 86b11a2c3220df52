//! `tributary connectors test`: a manifest tried out on recorded exchanges.

use std::path::Path;

use serde_json::{Value, json};
use tributary_rest_connector::{Trial, Tried, rehearse};

use crate::args::Format;
use crate::exit::{Exit, Failure};
use crate::output;
use crate::table::Table;

pub(crate) async fn run(manifest: &Path, fixtures: &Path, format: Format) -> Result<Exit, Failure> {
    let trial = rehearse(manifest, fixtures).await?;
    let passed = trial.mistakes.is_empty();
    output::present(format, &document(manifest, &trial), || text(&trial));
    Ok(if passed { Exit::Done } else { Exit::Failed })
}

fn document(manifest: &Path, trial: &Trial) -> Value {
    let stream = |tried: &Tried| {
        json!({"stream": tried.stream, "rows": tried.rows, "deletes": tried.deletes,
            "columns": tried.columns})
    };
    let streams: Vec<Value> = trial.streams.iter().map(stream).collect();
    json!({
        "manifest": manifest.display().to_string(),
        "status": if trial.mistakes.is_empty() { "passed" } else { "failed" },
        "streams": streams,
        "mistakes": trial.mistakes,
    })
}

fn text(trial: &Trial) -> String {
    let mut table = Table::new(["stream", "rows", "deletes", "columns"]).whole();
    for tried in &trial.streams {
        let columns = tried
            .columns
            .iter()
            .map(|(name, data_type)| format!("{name} {data_type}"));
        let columns = columns.collect::<Vec<_>>().join(", ");
        let (rows, deletes) = (tried.rows.to_string(), tried.deletes.to_string());
        table.row([tried.stream.as_str(), &rows, &deletes, &columns]);
    }
    let mut text = table.render(0);
    for mistake in &trial.mistakes {
        text += &format!("\nFAIL  {mistake}");
    }
    match trial.mistakes.len() {
        0 => text + "\nPASS  everything was asked and read as recorded\n",
        _ => text + "\n",
    }
}
