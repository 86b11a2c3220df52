//! `tributary validate`: reads the configuration and contacts nothing.

use serde_json::json;
use tributary_config::Plan;

use crate::args::ValidateArgs;
use crate::exit::{Exit, Failure};
use crate::output;
use crate::session::Session;
use crate::table::{Table, count};

pub(crate) fn run(args: &ValidateArgs, session: &Session) -> Result<Exit, Failure> {
    let plan = session.plan()?;
    let file = session.config.display().to_string();
    let document = json!({
        "valid": true,
        "file": file,
        "sources": plan.sources.keys().collect::<Vec<_>>(),
        "destinations": plan.destinations.keys().collect::<Vec<_>>(),
        "connections": plan.connections.keys().collect::<Vec<_>>(),
        "doubts": plan.doubts,
    });
    output::present(args.output.output, &document, || text(&file, &plan));
    Ok(Exit::Done)
}

fn text(file: &str, plan: &Plan) -> String {
    let mut text = format!(
        "{file} is valid: {}, {}, {}\n",
        count(plan.sources.len() as u64, "source"),
        count(plan.destinations.len() as u64, "destination"),
        count(plan.connections.len() as u64, "connection"),
    );
    if plan.connections.is_empty() {
        return text;
    }
    let mut table = Table::new(["connection", "source", "destination", "schedule", "streams"]);
    for (name, connection) in &plan.connections {
        let end = |name: &str, ends: &std::collections::BTreeMap<_, tributary_config::EndPlan>| {
            let kind = ends.get(name).map_or("", |end| end.kind.as_str());
            format!("{name} ({kind})")
        };
        let select = &connection.options.select.0;
        table.row([
            name.clone(),
            end(&connection.source, &plan.sources),
            end(&connection.destination, &plan.destinations),
            connection.schedule.to_string(),
            if select.is_empty() {
                "all".to_owned()
            } else {
                select.join(" ")
            },
        ]);
    }
    text.push('\n');
    text + &table.render(2)
}
