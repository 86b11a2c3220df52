//! `tributary state`: the cursors, where they are: in the destination.
//!
//! Reading only looks. Writing opens the connection, which fences off a run that may be under way,
//! and commits a load without rows.

mod write;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tributary_config::{ConnectionPlan, Plan};
use tributary_model::{Error, ErrorKind, State, StreamName};

use crate::args::{Format, StateAction};
use crate::commands::target::Target;
use crate::exit::{Exit, Failure};
use crate::session::{self, Session};
use crate::table::Table;
use crate::{neighbour, output};

/// The states of connections by name; `None` where a connection has none.
type States = BTreeMap<String, Option<State>>;

pub(crate) async fn run(action: &StateAction, session: &Session) -> Result<Exit, Failure> {
    let plan = session.plan()?;
    match action {
        StateAction::List {
            connections,
            output,
        } => {
            let states = read(&plan, connections).await?;
            list(&states, output.output);
        }
        StateAction::Get { target, .. } => {
            let document = get(&plan, &Target::from(target.as_str())).await?;
            output::print_json(&document);
        }
        StateAction::Export { connections, .. } => {
            let mut states = read(&plan, connections).await?;
            states.retain(|_, state| state.is_some());
            output::print_json(&states);
        }
        StateAction::Set {
            target,
            cursor,
            output,
        } => {
            write::set(&plan, &Target::from(target.as_str()), cursor).await?;
            output::present(output.output, &json!({ "set": target }), || {
                format!("set the cursor of {target}\n")
            });
        }
        StateAction::Reset { target, output } => {
            write::reset(&plan, &Target::from(target.as_str())).await?;
            output::present(output.output, &json!({ "reset": target }), || {
                format!("reset {target}: the next sync reads it from the beginning\n")
            });
        }
        StateAction::Import { file, output } => {
            let names = write::import(&plan, file).await?;
            output::present(output.output, &json!({ "imported": names }), || {
                format!("imported the state of {}\n", names.join(", "))
            });
        }
    }
    Ok(Exit::Done)
}

async fn read(plan: &Plan, names: &[String]) -> Result<States, Failure> {
    let mut states = States::new();
    for connection in session::connections(plan, names)? {
        let state = peek(plan, connection).await?;
        states.insert(connection.options.name.to_string(), state);
    }
    Ok(states)
}

async fn peek(plan: &Plan, connection: &ConnectionPlan) -> Result<Option<State>, Failure> {
    let destination = session::destination(plan, &connection.destination).await?;
    let peeked = destination.peek(&connection.options.name).await;
    if let Err(error) = &peeked {
        neighbour::tell(plan, connection, error.kind(), &error.to_string()).await;
    }
    Ok(peeked?)
}

async fn get(plan: &Plan, target: &Target) -> Result<Value, Failure> {
    let connection = session::connection_plan(plan, &target.connection)?;
    let state = peek(plan, connection).await?;
    let state =
        state.ok_or_else(|| nothing(format!("connection {} has no state", target.connection)))?;
    match &target.stream {
        None => Ok(json!(state)),
        Some(stream) => cursor_of(&state, stream).cloned(),
    }
}

fn cursor_of<'s>(state: &'s State, stream: &StreamName) -> Result<&'s Value, Failure> {
    let cursor = state.streams.get(stream);
    cursor.ok_or_else(|| nothing(format!("the stream {stream} has no cursor")))
}

fn nothing(message: String) -> Failure {
    Error::new(ErrorKind::Expired, message)
        .fix("`tributary state list` lists the cursors there are; a first sync makes one.")
        .into()
}

fn list(states: &States, format: Format) {
    let document: Vec<Value> = states
        .iter()
        .map(|(name, state)| json!({ "connection": name, "state": state }))
        .collect();
    output::present(format, &json!({ "connections": document }), || text(states));
}

fn text(states: &States) -> String {
    let mut table = Table::new(["connection", "stream", "epoch", "cursor"]);
    for (name, state) in states {
        let Some(state) = state else {
            table.row([name.as_str(), "", "", "none yet"]);
            continue;
        };
        let epoch = state.epoch.to_string();
        if let Some(shared) = &state.shared {
            table.row([name, "(all)", epoch.as_str(), &shared.to_string()]);
        }
        for (stream, cursor) in &state.streams {
            table.row([
                name,
                stream.to_string().as_str(),
                &epoch,
                &cursor.to_string(),
            ]);
        }
        if state.shared.is_none() && state.streams.is_empty() {
            table.row([name, "", epoch.as_str(), "none"]);
        }
    }
    table.render(0) + "\n`tributary state get CONNECTION[:STREAM]` prints a cursor whole.\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cursor_has_a_line() {
        let state = State {
            epoch: 3,
            shared: Some(json!({"gtid": "0-1-5"})),
            streams: [("shop.orders".to_owned().into(), json!("done"))].into(),
            ..State::default()
        };
        let states = States::from([("shop".to_owned(), Some(state)), ("new".to_owned(), None)]);
        insta::assert_snapshot!(text(&states), @r#"
        connection  stream       epoch  cursor
        new                             none yet
        shop        (all)        3      {"gtid":"0-1-5"}
        shop        shop.orders  3      "done"

        `tributary state get CONNECTION[:STREAM]` prints a cursor whole.
        "#);
    }
}
