//! Destinations on the machine's own disk become volumes that outlive their pods.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde_json::{Value, json};
use tributary_config::{Kinds, Plan};
use tributary_model::{Place, Result};

use super::labels::labels;
use super::{LABELS, refused};
use crate::names::Names;
use crate::sharing;

/// The directory that the program runs in; the image's own.
pub(crate) const WORK: &str = "/var/lib/tributary";

/// The volumes of all destinations.
#[derive(Debug)]
pub(crate) struct Disks {
    /// By the directory where it is mounted.
    volumes: BTreeMap<String, Volume>,
    /// The volume of a destination, as its directory.
    of: BTreeMap<String, String>,
}

/// One volume.
#[derive(Debug)]
struct Volume {
    claim: String,
    destinations: Vec<String>,
}

impl Disks {
    pub(crate) fn of(plan: &Plan, kinds: &Kinds) -> Result<Self> {
        let mut names = Names::new(LABELS);
        let mut disks = Self {
            volumes: BTreeMap::new(),
            of: BTreeMap::new(),
        };
        for name in plan.destinations.keys() {
            let Some(place) = sharing::place(plan, kinds, name) else {
                continue;
            };
            let used = plan.connections.values().any(|c| c.destination == *name);
            if !used {
                continue;
            }
            let directory = directory(&place).ok_or_else(|| {
                refused(format!(
                    "destination {name} is kept where no volume can be mounted"
                ))
                .fix("Give it a folder of its own, such as /data/warehouse.duckdb.")
            })?;
            let volume = disks.volumes.entry(directory.clone());
            let volume = volume.or_insert_with(|| Volume {
                claim: names.give(name),
                destinations: Vec::new(),
            });
            volume.destinations.push(name.clone());
            disks.of.insert(name.clone(), directory);
        }
        Ok(disks)
    }

    /// The claims, one for each volume.
    pub(crate) fn claims(&self, size: &str) -> Vec<Value> {
        let claim = |volume: &Volume| {
            json!({
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {
                    "name": volume.claim,
                    "labels": labels("storage"),
                    "annotations": {
                        "tributary/destination": volume.destinations.join(","),
                    },
                },
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "resources": { "requests": { "storage": size } },
                },
            })
        };
        self.volumes.values().map(claim).collect()
    }

    /// Where the volumes of these destinations are mounted, and their claims.
    pub(crate) fn mounts<'d>(
        &'d self,
        destinations: impl Iterator<Item = &'d str>,
    ) -> BTreeMap<&'d str, &'d str> {
        destinations
            .filter_map(|name| self.of.get(name))
            .filter_map(|directory| Some((directory, self.volumes.get(directory)?)))
            .map(|(directory, volume)| (directory.as_str(), volume.claim.as_str()))
            .collect()
    }

    /// Each volume's claim, directory and destinations.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &str, &[String])> {
        self.volumes.iter().map(|(directory, volume)| {
            let destinations = volume.destinations.as_slice();
            (volume.claim.as_str(), directory.as_str(), destinations)
        })
    }
}

/// The directory that must be a volume; `None` where none can be mounted.
fn directory(place: &Place) -> Option<String> {
    let path = match place {
        Place::File(path) => path.parent().unwrap_or(Path::new("")),
        Place::Folder(path) => path,
    };
    let path = absolute(Path::new(WORK), path);
    // A volume's name in a pod must be told from others by the colon-free path.
    let text = path.to_str().filter(|text| !text.contains(':'))?;
    (path != Path::new("/")).then(|| text.to_owned())
}

/// A path without `.` and `..`, beginning at `base` where it is relative.
pub(crate) fn absolute(base: &Path, path: &Path) -> PathBuf {
    let mut whole = PathBuf::new();
    for part in base.join(path).components() {
        match part {
            Component::ParentDir => {
                whole.pop();
            }
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) | Component::Normal(_) => whole.push(part),
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_directory_to_mount() {
        let file = |path: &str| directory(&Place::File(path.into()));
        let folder = |path: &str| directory(&Place::Folder(path.into()));
        assert_eq!(file("warehouse.duckdb").as_deref(), Some(WORK));
        assert_eq!(
            file("./a/../b/w.db").as_deref(),
            Some("/var/lib/tributary/b")
        );
        assert_eq!(file("/data/w.db").as_deref(), Some("/data"));
        assert_eq!(folder("./lake").as_deref(), Some("/var/lib/tributary/lake"));
        assert_eq!((file("/w.db"), folder("/")), (None, None));
    }
}
