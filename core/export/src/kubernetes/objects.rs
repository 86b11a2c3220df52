//! The objects themselves.

use serde_json::{Value, json};
use tributary_config::{Need, Outline};
use tributary_model::Result;

use super::labels::{CONFIG, labels};
use super::pod::{Container, Pods, literal};
use super::{Job, refused};

/// The Deployment and its Service.
const DAEMON: &str = "tributary";
const PORT: u16 = 8642;
/// A run that could not begin within this long is left out; the next one brings its rows.
const STARTING_SECONDS: u32 = 600;
/// What `tributary` exits with where trying again would not help.
const BAD_INPUT: u8 = 2;

pub(crate) fn config_map(outline: &Outline) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": CONFIG, "labels": labels("config") },
        "data": { "tributary.yaml": outline.text },
    })
}

pub(crate) fn cron_job(job: &Job, pods: &Pods<'_>) -> Value {
    let plan = &pods.outline.plan;
    let attempts = plan.connections.get(&job.connection).map(|c| &c.attempts);
    let arguments = [
        "--log-format",
        "json",
        "sync",
        "--",
        &literal(&job.connection),
    ];
    let pod = pods.spec(
        Container {
            arguments: arguments.map(ToOwned::to_owned).to_vec(),
            connections: vec![&job.connection],
            variables: Vec::new(),
            more: json!({}),
        },
        "Never",
    );
    let mut work = json!({
        "backoffLimit": attempts.map_or(0, |attempts| attempts.retries),
        "podFailurePolicy": {
            "rules": [{
                "action": "FailJob",
                "onExitCodes": {
                    "containerName": "tributary",
                    "operator": "In",
                    "values": [BAD_INPUT],
                },
                // Says nothing; the schemas of older versions want it there.
                "onPodConditions": [],
            }],
        },
        "template": { "metadata": { "labels": labels("sync") }, "spec": pod },
    });
    if let Some(timeout) = attempts.and_then(|attempts| attempts.timeout) {
        work["activeDeadlineSeconds"] = json!(timeout.as_secs().max(1));
    }
    json!({
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {
            "name": job.name,
            "labels": labels("sync"),
            "annotations": { "tributary/connection": job.connection },
        },
        "spec": {
            "schedule": job.cron,
            "timeZone": job.zone,
            "suspend": job.suspended,
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": STARTING_SECONDS,
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 3,
            "jobTemplate": {
                "metadata": { "labels": labels("sync") },
                "spec": work,
            },
        },
    })
}

/// The daemon, with the connections that no CronJob runs.
pub(crate) fn deployment(pods: &Pods<'_>) -> Result<Value> {
    let probe = |path: &str| json!({ "httpGet": { "path": path, "port": "http" } });
    let mut live = probe("/healthz");
    live["periodSeconds"] = json!(20);
    live["failureThreshold"] = json!(6);
    let connections = pods.division.deployed.keys().map(String::as_str).collect();
    let pod = pods.spec(
        Container {
            arguments: ["--log-format", "json", "daemon"]
                .map(ToOwned::to_owned)
                .to_vec(),
            connections,
            variables: daemon_variables(pods)?,
            more: json!({
                "ports": [{ "name": "http", "containerPort": PORT }],
                "livenessProbe": live,
                "readinessProbe": probe("/readyz"),
            }),
        },
        "Always",
    );
    Ok(json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": DAEMON, "labels": labels("daemon") },
        "spec": {
            "replicas": 1,
            // Two would only fence each other off.
            "strategy": { "type": "Recreate" },
            "selector": { "matchLabels": {
                "app.kubernetes.io/name": "tributary",
                "app.kubernetes.io/component": "daemon",
            } },
            "template": { "metadata": { "labels": labels("daemon") }, "spec": pod },
        },
    }))
}

/// What the daemon's configuration says otherwise in a cluster: probes come from outside the pod,
/// so it listens there, with a token; and what CronJobs run is left to them.
fn daemon_variables(pods: &Pods<'_>) -> Result<Vec<Value>> {
    let plain = |name: String, value: &str| json!({ "name": name, "value": value });
    let listen = format!("0.0.0.0:{PORT}");
    let mut variables = vec![plain("TRIBUTARY__DAEMON__LISTEN".to_owned(), &listen)];
    if pods.outline.plan.daemon.token.is_none() {
        let name = "TRIBUTARY__DAEMON__TOKEN";
        variables.push(pods.secret_variable(name, TOKEN, Need::Required));
    }
    for job in &pods.division.jobs {
        let name = &job.connection;
        // `__` separates the keys of such a variable.
        if name.contains("__") || name.starts_with('_') || name.ends_with('_') {
            return Err(refused(format!(
                "connection {name} runs as a CronJob, and no variable can keep the daemon from it"
            ))
            .fix("Give it a name without `__`, and without `_` at its ends."));
        }
        let variable = format!("TRIBUTARY__CONNECTIONS__{name}__SCHEDULE");
        variables.push(plain(variable, "manual"));
    }
    Ok(variables)
}

/// The Secret's key for the daemon's token, where the configuration names no variable for it.
pub(crate) const TOKEN: &str = "TRIBUTARY_TOKEN";

pub(crate) fn service() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": DAEMON, "labels": labels("daemon") },
        "spec": {
            "selector": {
                "app.kubernetes.io/name": "tributary",
                "app.kubernetes.io/component": "daemon",
            },
            "ports": [{ "name": "http", "port": PORT, "targetPort": "http" }],
        },
    })
}
