//! What every command works with: the environment, the configuration, and connectors by name.

use std::path::PathBuf;
use std::sync::Arc;

use tributary_config::{ConnectionPlan, EndPlan, Environment, Plan, nearest};
use tributary_engine::Connection;
use tributary_model::{AnyDestination, AnySource, Context, Error, Result};
use tributary_telemetry::Traces;

use crate::args::{Cli, Command, LogFormat};
use crate::exit::{Failure, usage};
use crate::interruption::Interruption;
use crate::progress::Bars;
use crate::registry;
use crate::salt::salted;
use crate::vault;

/// One run of the program.
#[derive(Debug)]
pub(crate) struct Session {
    /// Where the configuration is.
    pub(crate) config: PathBuf,
    /// Whether progress is drawn.
    pub(crate) bars: Bars,
    /// Whether someone wants it to stop.
    pub(crate) interruption: Interruption,
    /// The variables that the program was started with.
    pub(crate) environment: Environment,
    /// Where spans go, once the configuration has said so.
    pub(crate) traces: Option<Traces>,
}

impl Session {
    pub(crate) fn new(cli: &Cli) -> Self {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self {
            config: cli.config.clone(),
            bars: match (&cli.command, cli.logging.log_format) {
                // Who runs for months tells in lines.
                (Command::Daemon, _) | (_, LogFormat::Json) => Bars::hidden(),
                (_, LogFormat::Text) => Bars::on_terminal(),
            },
            interruption: Interruption::new(),
            environment,
            traces: None,
        }
    }

    /// Sends spans from now on, where the configuration wants it.
    pub(crate) fn trace(&self, plan: &Plan) -> Result<()> {
        match (&self.traces, &plan.telemetry) {
            (Some(traces), Some(telemetry)) => traces.start(telemetry),
            (None, _) | (_, None) => Ok(()),
        }
    }

    /// Sends the spans that are left.
    pub(crate) fn stop_traces(&self) {
        self.traces.iter().for_each(Traces::stop);
    }

    /// Reads the configuration; contacts nothing. Doubts are told once, here.
    pub(crate) fn plan(&self) -> Result<Plan, Failure> {
        let plan = tributary_config::load(&self.config, &self.environment, &registry::kinds())?;
        vault::keep_as(&plan);
        let file = self.config.display().to_string();
        for doubt in &plan.doubts {
            tracing::warn!("{}", doubt.line(&file));
        }
        Ok(plan)
    }
}

/// Connects to a source of the plan.
pub(crate) async fn source(plan: &Plan, name: &str) -> Result<Arc<dyn AnySource>> {
    let end = end(&plan.sources, "source", name)?;
    registry::connect_source(&end.kind, end.settings.clone())
        .await
        .context(|| format!("source {name}"))
}

/// Connects to a destination of the plan.
pub(crate) async fn destination(plan: &Plan, name: &str) -> Result<Arc<dyn AnyDestination>> {
    let end = end(&plan.destinations, "destination", name)?;
    registry::connect_destination(&end.kind, end.settings.clone())
        .await
        .context(|| format!("destination {name}"))
}

/// Connects to both ends of a connection.
pub(crate) async fn connection(plan: &Plan, of: &ConnectionPlan) -> Result<Connection> {
    Ok(Connection {
        options: salted(of, &*vault::open()).await?,
        source: source(plan, &of.source).await?,
        destination: destination(plan, &of.destination).await?,
    })
}

/// The connections of these names, or all of them.
pub(crate) fn connections<'p>(plan: &'p Plan, names: &[String]) -> Result<Vec<&'p ConnectionPlan>> {
    if plan.connections.is_empty() {
        return Err(usage("the configuration has no connections")
            .fix("Add one under `connections`, with a `source` and a `destination`."));
    }
    match names {
        [] => Ok(plan.connections.values().collect()),
        names => names
            .iter()
            .map(|name| connection_plan(plan, name))
            .collect(),
    }
}

/// The connection of this name.
pub(crate) fn connection_plan<'p>(plan: &'p Plan, name: &str) -> Result<&'p ConnectionPlan> {
    let known = || plan.connections.keys().map(String::as_str);
    plan.connections
        .get(name)
        .ok_or_else(|| no_such("connection", name, known()))
}

fn end<'p>(
    ends: &'p std::collections::BTreeMap<String, EndPlan>,
    what: &str,
    name: &str,
) -> Result<&'p EndPlan> {
    let known = || ends.keys().map(String::as_str);
    ends.get(name).ok_or_else(|| no_such(what, name, known()))
}

fn no_such<'k>(what: &str, name: &str, known: impl Iterator<Item = &'k str> + Clone) -> Error {
    let error = usage(format!("there is no {what} `{name}`"));
    match nearest(name, known.clone()) {
        Some(near) => error.fix(format!("Did you mean `{near}`?")),
        None => match known.collect::<Vec<_>>().as_slice() {
            [] => error.fix(format!("The configuration has no {what} yet.")),
            names => error.fix(format!("Known are {}.", names.join(", "))),
        },
    }
}
