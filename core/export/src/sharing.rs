//! Who must take turns: connections that log in as the same user, write the same file, or are
//! several runs of one connection.
//!
//! Rate limits are kept by a process, for each credential; a database file takes one process at a
//! time; and a second run of a connection fences off the first. The daemon is one process and knows
//! all that. Where each run is a process of its own, whoever starts them must see to it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tributary_config::{EndPlan, Kinds, Plan};
use tributary_model::Place;

use crate::runs::runs;

/// Settings that say where a source is and who logs in.
const WHO: [&str; 17] = [
    "access_key_id",
    "account",
    "api_key",
    "api_token",
    "api_url",
    "client_id",
    "credentials_file",
    "email",
    "host",
    "manifest",
    "password",
    "port",
    "refresh_token",
    "socket",
    "subdomain",
    "url",
    "user",
];

/// The name of the first connection of those that share something, for each that does.
pub(crate) fn groups(plan: &Plan, kinds: &Kinds) -> BTreeMap<String, String> {
    let mut first: BTreeMap<String, String> = BTreeMap::new();
    let mut groups = Groups::default();
    for (name, connection) in &plan.connections {
        groups.0.insert(name.clone(), name.clone());
        let source = plan.sources.get(&connection.source);
        let credential = source.map(|end| format!("source {}", who(&connection.source, end)));
        let file = file(plan, kinds, &connection.destination).map(|path| format!("file {path}"));
        for shared in credential.into_iter().chain(file) {
            let other = first.entry(shared).or_insert_with(|| name.clone()).clone();
            groups.join(&other, name);
        }
    }
    let shared = groups.shared();
    let parts: BTreeSet<_> = runs(plan)
        .iter()
        .filter(|run| run.connection.options.name.as_str() != run.title())
        .map(|run| run.name().to_owned())
        .collect();
    groups
        .0
        .keys()
        .map(|name| (name.clone(), groups.root(name)))
        .filter(|(name, root)| shared.contains(root) || parts.contains(name))
        .collect()
}

/// The credential of a source, as the settings write it.
fn who(name: &str, end: &EndPlan) -> String {
    let known: Vec<_> = WHO
        .iter()
        .filter_map(|key| Some((key, end.settings.get(key)?)))
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    match known.is_empty() {
        true => format!("named {name}"),
        false => format!("{} {}", end.kind, known.join(" ")),
    }
}

/// The file that one process at a time may write, of a destination that is one.
pub(crate) fn file(plan: &Plan, kinds: &Kinds, destination: &str) -> Option<String> {
    match place(plan, kinds, destination)? {
        Place::File(path) => Some(path.display().to_string()),
        Place::Folder(_) => None,
    }
}

/// Where a destination keeps its data on the machine's own disk, where it does.
pub(crate) fn place(plan: &Plan, kinds: &Kinds, destination: &str) -> Option<Place> {
    let end = plan.destinations.get(destination)?;
    let kind = kinds
        .destinations
        .iter()
        .find(|kind| kind.name == end.kind)?;
    kind.place(&Value::clone(&end.settings))
}

/// Each connection and one that it shares with; the last of a chain names the group.
#[derive(Default)]
struct Groups(BTreeMap<String, String>);

impl Groups {
    fn root(&self, name: &str) -> String {
        let mut at = name;
        while let Some(next) = self.0.get(at).filter(|next| *next != at) {
            at = next;
        }
        at.to_owned()
    }

    /// Puts two groups together, under the name that comes first.
    fn join(&mut self, one: &str, other: &str) {
        let (one, other) = (self.root(one), self.root(other));
        let (first, second) = if one <= other {
            (one, other)
        } else {
            (other, one)
        };
        self.0.insert(second, first);
    }

    /// The names of groups with more than one member.
    fn shared(&self) -> BTreeSet<String> {
        let others = self.0.keys().filter(|name| self.root(name) != **name);
        others.map(|name| self.root(name)).collect()
    }
}
