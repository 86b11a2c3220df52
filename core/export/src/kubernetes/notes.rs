//! What a reader of the manifests must know, as comments at their top; and what can't work.

use std::collections::BTreeMap;

use super::objects::TOKEN;
use super::pod::Pods;

/// Comments and warnings.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) comment: String,
    pub(crate) warnings: Vec<String>,
}

const BEGINNING: &str = "\
Tributary on Kubernetes 1.27 or later. Written by `tributary export kubernetes`: write it anew when
the configuration changes.

A `sync` keeps nothing on disk that must survive: how far it came is in the destination.";

pub(crate) fn notes(pods: &Pods<'_>) -> Notes {
    let mut paragraphs = vec![BEGINNING.to_owned(), secrets(pods)];
    let files: Vec<_> = pods.files.written().map(file).collect();
    if !files.is_empty() {
        let lines = files.join("\n");
        paragraphs.push(format!("Files, from keys of the same Secret:\n{lines}"));
    }
    let manual: Vec<_> = pods
        .division
        .jobs
        .iter()
        .filter(|job| job.suspended)
        .map(|job| format!("  kubectl create job --from=cronjob/{0} {0}-now", job.name))
        .collect();
    if !manual.is_empty() {
        paragraphs.push(format!(
            "`schedule: manual` is a suspended CronJob:\n{}",
            manual.join("\n")
        ));
    }
    let deployed: Vec<_> = pods
        .division
        .deployed
        .iter()
        .map(|(name, why)| format!("  {name}: {why}"))
        .collect();
    if !deployed.is_empty() {
        let lines = deployed.join("\n");
        paragraphs.push(format!(
            "In the Deployment, which runs the daemon:\n{lines}"
        ));
    }
    paragraphs.extend(disks(pods));
    let warnings = warnings(pods);
    paragraphs.extend(warnings.iter().map(|text| format!("WARNING: {text}")));
    Notes {
        comment: comment(&paragraphs.join("\n\n")),
        warnings,
    }
}

fn secrets(pods: &Pods<'_>) -> String {
    let outline = pods.outline;
    let mut keys: Vec<String> = outline
        .variables
        .keys()
        .map(|name| match outline.moved.get(name) {
            None => format!("  {name}"),
            Some(place) => format!("  {name}: what stands in clear at {place}"),
        })
        .collect();
    if !pods.division.deployed.is_empty() && outline.plan.daemon.token.is_none() {
        keys.push(format!(
            "  {TOKEN}: what callers of the daemon must show; choose one"
        ));
    }
    let secret = &pods.cluster.secret;
    match keys.is_empty() {
        true => "The configuration needs no variables.".to_owned(),
        false => format!(
            "The Secret `{secret}` must be there, with these keys:\n{}",
            keys.join("\n")
        ),
    }
}

fn file((key, name): (&str, &str)) -> String {
    // A name may hold anything.
    format!("  {key}: the file {name:?}")
}

fn disks(pods: &Pods<'_>) -> Option<String> {
    let lines: Vec<_> = pods
        .disks
        .all()
        .map(|(claim, directory, destinations)| {
            format!(
                "  {}: {directory:?}, volume claim {claim}",
                destinations.join(", ")
            )
        })
        .collect();
    let sentence = "Destinations on a disk. Their data is in the volume and nowhere else: keep it, and \
                    back it up.";
    (!lines.is_empty()).then(|| format!("{sentence}\n{}", lines.join("\n")))
}

/// One process at a time can mount such a volume everywhere, or write a database file at all.
fn warnings(pods: &Pods<'_>) -> Vec<String> {
    let mut users: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let connections = &pods.outline.plan.connections;
    let jobs = pods.division.jobs.iter().map(|job| job.connection.as_str());
    let daemon = pods.division.deployed.keys().map(String::as_str);
    for name in jobs.chain(daemon) {
        if let Some(connection) = connections.get(name) {
            users.entry(&connection.destination).or_default().push(name);
        }
    }
    let in_jobs = |name: &&str| !pods.division.deployed.contains_key(*name);
    let unknown = pods.files.unknown().iter();
    let mut warnings: Vec<_> = unknown
        .map(|name| format!("the file {name:?} is named by a variable: mount it yourself."))
        .collect();
    for (claim, _, destinations) in pods.disks.all() {
        let names: Vec<&str> = destinations
            .iter()
            .filter_map(|destination| users.get(destination.as_str()))
            .flatten()
            .copied()
            .collect();
        // All within the one daemon is one process.
        if names.len() > 1 && names.iter().any(in_jobs) {
            warnings.push(format!(
                "{} share the volume {claim}, which one pod at a time can use: their runs may fail and \
                 are tried again. Give them destinations of their own, one that is not a local disk, or \
                 `schedule: continuous`.",
                names.join(", ")
            ));
        }
    }
    warnings
}

/// Lines of a comment: nothing can end it but the end of a line, and all of these are known.
fn comment(text: &str) -> String {
    let line = |line: &str| {
        let safe: String = line.chars().filter(|c| !c.is_control()).collect();
        format!("# {safe}").trim_end().to_owned() + "\n"
    };
    text.split('\n').map(line).collect()
}
