//! Moving cursors by hand: the one exception to "cursors only move forward" (G3).

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use serde_json::Value;
use tributary_config::{ConnectionPlan, Plan};
use tributary_model::{Result, State};

use crate::commands::target::Target;
use crate::exit::{Failure, usage};
use crate::{registry, session};

pub(super) async fn set(plan: &Plan, target: &Target, text: &str) -> Result<(), Failure> {
    let connection = session::connection_plan(plan, &target.connection)?;
    let cursor: Value = serde_json::from_str(text).map_err(|why| {
        usage("the cursor is not JSON")
            .because(why)
            .fix("Write it as `tributary state get` prints it, in single quotes.")
    })?;
    registry::check_cursor(kind(plan, connection), &cursor)?;
    let stream = target.stream.clone();
    let change = |state: &mut State| match stream {
        Some(stream) => drop(state.streams.insert(stream, cursor)),
        None => state.shared = Some(cursor),
    };
    Ok(rewrite(plan, connection, change).await?)
}

pub(super) async fn reset(plan: &Plan, target: &Target) -> Result<(), Failure> {
    let connection = session::connection_plan(plan, &target.connection)?;
    let state = super::peek(plan, connection).await?.unwrap_or_default();
    if let Some(stream) = &target.stream {
        super::cursor_of(&state, stream)?;
    }
    let stream = target.stream.clone();
    let change = |state: &mut State| match stream {
        Some(stream) => drop(state.streams.remove(&stream)),
        None => {
            state.shared = None;
            state.streams.clear();
        }
    };
    Ok(rewrite(plan, connection, change).await?)
}

/// Returns the names of the connections whose state was replaced.
pub(super) async fn import(plan: &Plan, file: &Path) -> Result<Vec<String>, Failure> {
    let text = read(file)
        .map_err(|why| usage(format!("{} can't be read", file.display())).because(why))?;
    let states: BTreeMap<String, State> = serde_json::from_str(&text).map_err(|why| {
        usage(format!("{} holds no states", file.display()))
            .because(why)
            .fix("It must be a document that `tributary state export` printed.")
    })?;
    // Nothing is written before every name and cursor is known.
    for (name, state) in &states {
        let connection = session::connection_plan(plan, name)?;
        for cursor in state.shared.iter().chain(state.streams.values()) {
            registry::check_cursor(kind(plan, connection), cursor)?;
        }
    }
    let mut names = Vec::new();
    for (name, imported) in states {
        let connection = session::connection_plan(plan, &name)?;
        let change = |state: &mut State| {
            state.shared = imported.shared;
            state.streams = imported.streams;
        };
        rewrite(plan, connection, change).await?;
        names.push(name);
    }
    Ok(names)
}

/// The kind of a connection's source.
fn kind<'p>(plan: &'p Plan, connection: &ConnectionPlan) -> &'p str {
    let source = plan.sources.get(&connection.source);
    source.map_or("", |source| source.kind.as_str())
}

fn read(file: &Path) -> std::io::Result<String> {
    if file != Path::new("-") {
        return std::fs::read_to_string(file);
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    Ok(text)
}

/// Changes the stored state in a load without rows.
async fn rewrite(
    plan: &Plan,
    connection: &ConnectionPlan,
    change: impl FnOnce(&mut State),
) -> Result<()> {
    let destination = session::destination(plan, &connection.destination).await?;
    tributary_engine::rewrite_state(destination.as_ref(), &connection.options.name, change).await
}
