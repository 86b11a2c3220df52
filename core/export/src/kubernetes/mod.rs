//! Kubernetes manifests: a CronJob for each connection that cron can schedule, and one Deployment of
//! the daemon for the others.

mod disk;
mod files;
mod labels;
mod notes;
mod objects;
mod pod;
mod yaml;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tributary_config::{Kinds, Outline, Schedule};
use tributary_model::{Error, ErrorKind, Result};

use crate::cron;
use crate::names::{End, Names, Rule};
use crate::runs::{Part, Run, runs};
use disk::Disks;
use files::Files;
use pod::Pods;

/// Names of objects: DNS labels that begin with a letter. A CronJob's leaves room for what
/// Kubernetes adds to the names of its Jobs.
const LABELS: Rule = Rule {
    prefix: "tributary-",
    longest: 52,
    keeps: |c| (c.is_ascii_alphanumeric() || c == '-').then(|| c.to_ascii_lowercase()),
    other: '-',
    end: End::Alphanumeric,
};

/// What the cluster calls things.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// The program's image.
    pub image: String,
    /// The namespace of all objects; that of `kubectl` where there is none.
    pub namespace: Option<String>,
    /// The Secret whose keys are the variables and files that the configuration names.
    pub secret: String,
    /// The size of a volume for a destination on disk, such as `10Gi`.
    pub storage: String,
}

/// The result.
#[derive(Debug)]
pub struct Manifests {
    /// YAML, for `kubectl apply -f`.
    pub text: String,
    /// What can't work as it is, a sentence each.
    pub warnings: Vec<String>,
}

/// A run as a CronJob.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) name: String,
    pub(crate) connection: String,
    pub(crate) cron: String,
    pub(crate) zone: String,
    /// Whether nothing but a person starts it.
    pub(crate) suspended: bool,
}

/// Who runs where.
#[derive(Debug, Default)]
pub(crate) struct Division {
    pub(crate) jobs: Vec<Job>,
    /// Connections of the Deployment, each with the reason why it is there.
    pub(crate) deployed: BTreeMap<String, &'static str>,
}

/// The manifests of a configuration.
///
/// # Errors
/// `Config` where a destination's place on disk can't be a volume, or a name can't be overridden.
pub fn kubernetes(outline: &Outline, kinds: &Kinds, cluster: &Cluster) -> Result<Manifests> {
    let plan = &outline.plan;
    let division = divide(outline);
    let files = Files::of(outline);
    let disks = Disks::of(plan, kinds)?;
    let pods = Pods {
        outline,
        cluster,
        files: &files,
        disks: &disks,
        division: &division,
    };
    let mut objects = vec![objects::config_map(outline)];
    objects.extend(disks.claims(&cluster.storage));
    objects.extend(
        division
            .jobs
            .iter()
            .map(|job| objects::cron_job(job, &pods)),
    );
    if !division.deployed.is_empty() {
        objects.push(objects::deployment(&pods)?);
        objects.push(objects::service());
    }
    let notes = notes::notes(&pods);
    let documents: Vec<_> = objects
        .into_iter()
        .map(|object| yaml::document(&placed(object, cluster)))
        .collect();
    Ok(Manifests {
        text: format!("{}{}", notes.comment, documents.join("---\n")),
        warnings: notes.warnings,
    })
}

/// The object in its namespace.
fn placed(mut object: Value, cluster: &Cluster) -> Value {
    if let Some(namespace) = &cluster.namespace {
        object["metadata"]["namespace"] = json!(namespace);
    }
    object
}

/// Decides who runs where.
fn divide(outline: &Outline) -> Division {
    let mut names = Names::new(LABELS);
    let mut division = Division::default();
    for run in runs(&outline.plan) {
        let connection = run.name().to_owned();
        if let Some(why) = beyond_cron(&run) {
            division.deployed.insert(connection, why);
            continue;
        }
        let mut job = |cron: String, suspended| Job {
            name: names.give(&connection),
            connection: connection.clone(),
            cron,
            zone: zone(run.connection.time_zone.name()).to_owned(),
            suspended,
        };
        match run.schedule {
            Schedule::Manual => division.jobs.push(job(NEVER.to_owned(), true)),
            Schedule::Cron(cron) => division.jobs.push(job(cron::plain(cron), false)),
            Schedule::Every(every) => match cron::of_interval(*every) {
                Some(cron) => division.jobs.push(Job {
                    zone: UTC.to_owned(),
                    ..job(cron, false)
                }),
                None => {
                    let why = "no cron expression says its interval";
                    division.deployed.insert(connection, why);
                }
            },
            Schedule::Continuous | Schedule::Fresh(_) => {
                division.deployed.insert(connection, "it is continuous");
            }
        }
    }
    division
}

const UTC: &str = "Etc/UTC";

/// A zone by the name that every list of zones has.
fn zone(name: &str) -> &str {
    if name == "UTC" { UTC } else { name }
}

/// A schedule that has to be there and, suspended, means nothing.
const NEVER: &str = "0 0 1 1 *";

/// Why the daemon alone can run it as it should, where that is so.
fn beyond_cron(run: &Run<'_>) -> Option<&'static str> {
    match (&run.part, run.schedule) {
        (Part::Rest(_) | Part::Only(_), _) => Some("streams of it have schedules of their own"),
        (Part::Whole, Schedule::Fresh(_)) => Some("it has a freshness objective"),
        (Part::Whole, _) if !run.connection.windows.is_empty() => Some("it has windows"),
        (Part::Whole, _) => None,
    }
}

/// A mistake of the configuration for Kubernetes alone.
pub(crate) fn refused(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, what)
}

#[cfg(test)]
mod tests;
