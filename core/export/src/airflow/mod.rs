//! An Airflow DAG for each connection: a fixed program in Python, `dag.py`, and a list that says what
//! is special about each.

mod python;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tributary_config::{ConnectionPlan, Kinds, Plan, Schedule};

use crate::cron;
use crate::names::{End, Names, Rule};
use crate::runs::{Run, runs};
use crate::sharing;

const PROGRAM: &str = include_str!("dag.py");
const CONFIG: &str = "@CONFIG@";
const SYNCS: &str = "@SYNCS@";

/// The pool of connections that share nothing.
const POOL: &str = "tributary";
/// What Airflow's scheduler can keep up with.
const SHORTEST: Duration = Duration::from_secs(60);

/// Minutes of a day.
const MINUTES: u32 = 24 * 60;

/// What Airflow takes as the id of a DAG, a task or a pool.
const IDS: Rule = Rule {
    prefix: "tributary_",
    longest: 200,
    keeps: |c| (c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')).then_some(c),
    other: '_',
    end: End::Any,
};

/// What a DAG is made from.
#[derive(Debug)]
pub struct Dag<'p> {
    /// The configuration.
    pub plan: &'p Plan,
    /// The kinds of source and destination there are.
    pub kinds: &'p Kinds,
    /// Where the configuration is on a worker that doesn't say otherwise.
    pub config: &'p Path,
}

/// The file for Airflow's folder of DAGs.
#[must_use]
pub fn dag(of: &Dag<'_>) -> String {
    let groups = pool_names(of.plan, of.kinds);
    let mut ids = Names::new(IDS);
    let specs: String = runs(of.plan)
        .iter()
        .map(|run| spec(run, &ids.give(&run.title()), &groups))
        .collect();
    let config = python::text(&of.config.display().to_string());
    // Split before anything is put in: what is put in may hold the markers.
    let (head, rest) = PROGRAM.split_once(CONFIG).unwrap_or((PROGRAM, ""));
    let (middle, tail) = rest.split_once(SYNCS).unwrap_or((rest, ""));
    format!("{head}{config}{middle}[\n{specs}]{tail}")
}

/// The pools that the DAGs use, for `airflow pools import`.
#[must_use]
pub fn pools(plan: &Plan, kinds: &Kinds) -> Value {
    let groups = pool_names(plan, kinds);
    let pool = |slots: usize, description: String| json!({ "slots": slots, "description": description, "include_deferred": false });
    let mut members: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (connection, pool) in &groups {
        members.entry(pool).or_default().push(connection);
    }
    let mut pools = serde_json::Map::new();
    let workers = "Tributary's `workers`: connections that run at once";
    pools.insert(
        POOL.to_owned(),
        pool(plan.daemon.workers, workers.to_owned()),
    );
    for (name, connections) in members {
        let text = format!("One at a time: {}", connections.join(", "));
        pools.insert(name.to_owned(), pool(1, text));
    }
    Value::Object(pools)
}

/// The pools of the connections that must take turns.
fn pool_names(plan: &Plan, kinds: &Kinds) -> BTreeMap<String, String> {
    let groups = sharing::groups(plan, kinds);
    let mut names = Names::new(IDS);
    let mut pools: BTreeMap<String, String> = BTreeMap::new();
    groups
        .into_iter()
        .map(|(connection, root)| {
            let pool = pools
                .entry(root.clone())
                .or_insert_with(|| names.give(&root));
            (connection, pool.clone())
        })
        .collect()
}

/// What is special about one DAG.
fn spec(run: &Run<'_>, id: &str, pools: &BTreeMap<String, String>) -> String {
    let (options, targets) = run.arguments();
    let connection = run.connection;
    let attempts = &connection.attempts;
    let task = id.strip_prefix(IDS.prefix).unwrap_or(id);
    let pool = pools.get(run.name()).map_or(POOL, String::as_str);
    let description = format!(
        "Tributary: {} to {}",
        connection.source, connection.destination
    );
    let fields = [
        ("dag_id", python::text(id)),
        ("task_id", python::text(task)),
        ("description", python::text(&description)),
        ("options", python::list(&options)),
        ("targets", python::list(&targets)),
        ("schedule", schedule(run)),
        ("timezone", python::text(connection.time_zone.name())),
        ("windows", windows(connection)),
        ("pool", python::text(pool)),
        ("retries", attempts.retries.to_string()),
        ("retry_delay", python::timedelta(attempts.retry_delay)),
        (
            "timeout",
            attempts
                .timeout
                .map_or("None".to_owned(), python::timedelta),
        ),
    ];
    let lines: String = fields
        .iter()
        .map(|(name, value)| format!("        \"{name}\": {value},\n"))
        .collect();
    format!("    {{\n{lines}    }},\n")
}

/// When it runs.
fn schedule(run: &Run<'_>) -> String {
    let every = |every: Duration| python::timedelta(every.max(SHORTEST));
    match run.schedule {
        Schedule::Manual => "None".to_owned(),
        Schedule::Continuous => every(SHORTEST),
        Schedule::Every(length) => every(*length),
        // Fresh enough even where a run takes as long as the pause before it.
        Schedule::Fresh(objective) => every(*objective / 2),
        Schedule::Cron(cron) => python::text(&cron::plain(cron)),
    }
}

/// The minutes of each day of the week, from Sunday on, at which it may run: `None` for any.
fn windows(connection: &ConnectionPlan) -> String {
    if connection.windows.is_empty() {
        return "None".to_owned();
    }
    let days: Vec<_> = (0..7)
        .map(|day| python::pairs(&open(connection, day)))
        .collect();
    format!("[{}]", days.join(", "))
}

/// The spans of a day at which any window is open, their ends excluded.
fn open(connection: &ConnectionPlan, weekday: u32) -> Vec<(u32, u32)> {
    let is_open = |minute| {
        connection
            .windows
            .iter()
            .any(|w| w.contains(weekday, minute))
    };
    let mut spans: Vec<(u32, u32)> = Vec::new();
    for minute in (0..MINUTES).filter(|minute| is_open(*minute)) {
        match spans.last_mut() {
            Some((_, end)) if *end == minute => *end += 1,
            _ => spans.push((minute, minute + 1)),
        }
    }
    spans
}

#[cfg(test)]
mod tests;
