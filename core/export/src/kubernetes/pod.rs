//! The pod that both kinds of object run: not root, nothing of the image writable, secrets by
//! reference, as much memory as the configuration allows it.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tributary_config::{Need, Outline};

use super::disk::{Disks, WORK};
use super::files::{FOLDER, Files};
use super::{Cluster, Division};

/// The user of the image, who owns nothing in it.
const USER: u32 = 10_001;
/// What the program takes beside rows: itself, and what a destination's library takes.
const BASE_MIB: u64 = 256;
const MIB: u64 = 1 << 20;
/// How long a pod that must stop may take to finish its commit.
pub(crate) const GRACE_SECONDS: u32 = 90;

/// What pods are made from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pods<'p> {
    pub(crate) outline: &'p Outline,
    pub(crate) cluster: &'p Cluster,
    pub(crate) files: &'p Files,
    pub(crate) disks: &'p Disks,
    pub(crate) division: &'p Division,
}

/// What is special about one pod.
#[derive(Debug)]
pub(crate) struct Container<'c> {
    pub(crate) arguments: Vec<String>,
    /// The connections that it runs.
    pub(crate) connections: Vec<&'c str>,
    /// Variables besides those that the configuration names.
    pub(crate) variables: Vec<Value>,
    /// Fields of the container besides those of every one.
    pub(crate) more: Value,
}

impl Pods<'_> {
    /// The specification of a pod.
    pub(crate) fn spec(&self, container: Container<'_>, restart: &str) -> Value {
        let disks = self.mounts_of(&container.connections);
        let mut volumes = vec![
            self.files.folder(&self.cluster.secret),
            json!({ "name": "tmp", "emptyDir": {} }),
        ];
        let mut mounts = vec![
            json!({ "name": "config", "mountPath": FOLDER, "readOnly": true }),
            json!({ "name": "tmp", "mountPath": "/tmp" }),
        ];
        if !disks.iter().any(|(directory, _)| *directory == WORK) {
            volumes.push(json!({ "name": "work", "emptyDir": {} }));
            mounts.push(json!({ "name": "work", "mountPath": WORK }));
        }
        for (number, (directory, claim)) in disks.iter().enumerate() {
            let name = format!("disk-{number}");
            volumes.push(json!({ "name": name, "persistentVolumeClaim": { "claimName": claim } }));
            mounts.push(json!({ "name": name, "mountPath": directory }));
        }
        let elsewhere = self.files.mounts();
        if !elsewhere.is_empty() {
            let secret = json!({ "secretName": self.cluster.secret });
            volumes.push(json!({ "name": "files", "secret": secret }));
            mounts.extend(elsewhere);
        }
        json!({
            "restartPolicy": restart,
            "terminationGracePeriodSeconds": GRACE_SECONDS,
            "automountServiceAccountToken": false,
            "securityContext": {
                "runAsNonRoot": true,
                "runAsUser": USER,
                "runAsGroup": USER,
                "fsGroup": USER,
                "seccompProfile": { "type": "RuntimeDefault" },
            },
            "containers": [self.container(container, &mounts)],
            "volumes": volumes,
        })
    }

    fn container(&self, container: Container<'_>, mounts: &[Value]) -> Value {
        let mut fields = json!({
            "name": "tributary",
            "image": self.cluster.image,
            "args": container.arguments,
            "workingDir": WORK,
            "env": self.variables(container.variables),
            "resources": self.resources(),
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": { "drop": ["ALL"] },
            },
            "volumeMounts": mounts,
        });
        if let (Value::Object(fields), Value::Object(more)) = (&mut fields, container.more) {
            fields.extend(more);
        }
        fields
    }

    /// The variables of every pod: each `${NAME}` of the configuration from the Secret's key NAME.
    fn variables(&self, more: Vec<Value>) -> Vec<Value> {
        let plain = [
            ("HOME", "/tmp"),
            ("TMPDIR", "/tmp"),
            ("TRIBUTARY_CONFIG", "/etc/tributary/tributary.yaml"),
        ];
        let plain = plain.map(|(name, value)| json!({ "name": name, "value": value }));
        let named = self.outline.variables.iter();
        let named = named.map(|(name, need)| self.secret_variable(name, name, *need));
        plain.into_iter().chain(named).chain(more).collect()
    }

    /// The variable `name`, from a key of the Secret.
    pub(crate) fn secret_variable(&self, name: &str, key: &str, need: Need) -> Value {
        let mut reference = json!({ "name": self.cluster.secret, "key": key });
        if need == Need::Optional {
            reference["optional"] = json!(true);
        }
        json!({ "name": name, "valueFrom": { "secretKeyRef": reference } })
    }

    /// Rows may take what `memory` says; the program and its libraries need some more.
    fn resources(&self) -> Value {
        let connections = self.outline.plan.connections.values();
        let rows = connections.map(|c| c.options.memory as u64).max();
        let rows = rows.unwrap_or_default().div_ceil(MIB);
        json!({
            "requests": { "cpu": "100m", "memory": format!("{}Mi", BASE_MIB + rows / 2) },
            "limits": { "memory": format!("{}Mi", BASE_MIB + rows) },
        })
    }

    /// The directories of volumes that connections need, and their claims.
    fn mounts_of(&self, connections: &[&str]) -> Vec<(&str, &str)> {
        let plan = &self.outline.plan;
        let destinations: BTreeSet<&str> = connections
            .iter()
            .filter_map(|name| plan.connections.get(*name))
            .map(|connection| connection.destination.as_str())
            .collect();
        self.disks
            .mounts(destinations.into_iter())
            .into_iter()
            .collect()
    }
}

/// An argument that Kubernetes hands on as it is: `$(NAME)` would be replaced.
pub(crate) fn literal(argument: &str) -> String {
    argument.replace("$(", "$$(")
}
