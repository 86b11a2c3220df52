//! Files that the configuration names, from keys of the Secret: those that start at the
//! configuration's folder beside it, the others where they are named.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tributary_config::{Outline, Start};

use super::disk::{WORK, absolute};
use super::labels::CONFIG;
use crate::names::{End, Names, Rule};

/// The configuration's folder.
pub(crate) const FOLDER: &str = "/etc/tributary";

/// What Kubernetes takes as a key of a Secret.
const KEYS: Rule = Rule {
    prefix: "",
    longest: 253,
    keeps: |c| (c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')).then_some(c),
    other: '_',
    end: End::Any,
};

/// The keys of the Secret that are files, by path in a pod.
#[derive(Debug)]
pub(crate) struct Files {
    keys: BTreeMap<PathBuf, String>,
    /// The names as written, by key.
    written: BTreeMap<String, String>,
    /// Names that a variable decides about, which is not known here.
    unknown: Vec<String>,
}

impl Files {
    pub(crate) fn of(outline: &Outline) -> Self {
        let mut names = Names::new(KEYS);
        for variable in outline.variables.keys() {
            names.give(variable);
        }
        let mut files = Self {
            keys: BTreeMap::new(),
            written: BTreeMap::new(),
            unknown: Vec::new(),
        };
        let secrets = outline.secret_files.iter().map(|name| (name, FOLDER));
        let others = outline.files.iter().map(|file| match file.from {
            Start::Configuration => (&file.name, FOLDER),
            Start::WorkingDirectory => (&file.name, WORK),
        });
        for (name, base) in secrets.chain(others) {
            if name.contains("${") {
                files.unknown.push(name.clone());
                continue;
            }
            let path = absolute(Path::new(base), Path::new(name));
            if files.keys.contains_key(&path) {
                continue;
            }
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            // Keys may not be `.` or begin with `..`.
            let key = names.give(file.trim_start_matches('.'));
            files.written.insert(key.clone(), name.clone());
            files.keys.insert(path, key);
        }
        files
    }

    /// Each key and the name that the configuration writes.
    pub(crate) fn written(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.written.iter();
        pairs.map(|(key, name)| (key.as_str(), name.as_str()))
    }

    /// Names of files that can't be mounted, because a variable decides about them.
    pub(crate) fn unknown(&self) -> &[String] {
        &self.unknown
    }

    /// The volume of the configuration's folder: the configuration, and the files beside it.
    pub(crate) fn folder(&self, secret: &str) -> Value {
        let beside: Vec<_> = self
            .keys
            .iter()
            .filter_map(|(path, key)| Some((path.strip_prefix(FOLDER).ok()?, key)))
            .map(|(path, key)| json!({ "key": key, "path": path.display().to_string() }))
            .collect();
        let mut sources = vec![json!({
            "configMap": {
                "name": CONFIG,
                "items": [{ "key": "tributary.yaml", "path": "tributary.yaml" }],
            },
        })];
        if !beside.is_empty() {
            sources.push(json!({ "secret": { "name": secret, "items": beside } }));
        }
        json!({ "name": "config", "projected": { "sources": sources } })
    }

    /// The mounts of files that are elsewhere, from the volume `files`.
    pub(crate) fn mounts(&self) -> Vec<Value> {
        let elsewhere = |path: &&PathBuf| !path.starts_with(FOLDER);
        self.keys
            .iter()
            .filter(|(path, _)| elsewhere(path))
            .map(|(path, key)| {
                json!({
                    "name": "files",
                    "mountPath": path.display().to_string(),
                    "subPath": key,
                    "readOnly": true,
                })
            })
            .collect()
    }
}
