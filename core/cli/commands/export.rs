//! `tributary export`: the same connections for Airflow or Kubernetes.

use std::path::Path;

use tributary_config::{Kinds, Outline};
use tributary_export::{Cluster, Dag};
use tributary_model::{Error, ErrorKind, Result};

use crate::args::{AirflowArgs, ExportTo, KubernetesArgs};
use crate::exit::{Exit, Failure, usage};
use crate::session::Session;
use crate::{output, registry};

pub(crate) fn run(to: &ExportTo, session: &Session) -> Result<Exit, Failure> {
    let kinds = registry::kinds();
    let outline = tributary_config::outline(&session.config, &session.environment, &kinds)?;
    if outline.plan.connections.is_empty() {
        let fix = "Add one under `connections`, with a `source` and a `destination`.";
        return Err(usage("the configuration has no connections")
            .fix(fix)
            .into());
    }
    for warning in tributary_export::advice(&outline.plan) {
        tracing::warn!("{warning}");
    }
    let (text, file) = match to {
        ExportTo::Airflow(args) => (airflow(args, session, &outline, &kinds)?, &args.output),
        ExportTo::Kubernetes(args) => (kubernetes(args, &outline, &kinds)?, &args.output),
    };
    match file.as_deref().filter(|file| *file != Path::new("-")) {
        None => output::print(&text),
        Some(file) => write(file, &text)?,
    }
    Ok(Exit::Done)
}

fn airflow(
    args: &AirflowArgs,
    session: &Session,
    outline: &Outline,
    kinds: &Kinds,
) -> Result<String> {
    if args.pools {
        let pools = tributary_export::pools(&outline.plan, kinds);
        return Ok(format!("{pools:#}\n"));
    }
    // A worker runs in a directory of its own.
    let config = std::path::absolute(&session.config).map_err(|why| {
        let what = format!("{} has no absolute path", session.config.display());
        Error::new(ErrorKind::Config, what).because(why)
    })?;
    Ok(tributary_export::dag(&Dag {
        plan: &outline.plan,
        kinds,
        config: &config,
    }))
}

fn kubernetes(args: &KubernetesArgs, outline: &Outline, kinds: &Kinds) -> Result<String> {
    let cluster = Cluster {
        image: args.image.clone(),
        namespace: args.namespace.clone(),
        secret: args.secret.clone(),
        storage: args.storage.clone(),
    };
    let manifests = tributary_export::kubernetes(outline, kinds, &cluster)?;
    for warning in &manifests.warnings {
        tracing::warn!("{warning}");
    }
    Ok(manifests.text)
}

fn write(file: &Path, text: &str) -> Result<()> {
    std::fs::write(file, text).map_err(|why| {
        let what = format!("{} can't be written", file.display());
        Error::new(ErrorKind::Access, what)
            .because(why)
            .fix("Name another file with `--output FILE`.")
    })
}
