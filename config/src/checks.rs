//! What no schema says: references between parts, and choices that don't go together.
//!
//! Works on the document as it is, mistakes included, so that everything is found in one go.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use tributary_model::{ConnectionName, StreamName};

use crate::error::{At, Issue};
use crate::interpolate::Filled;
use crate::kinds::{KindSpec, Kinds, Misfit};
use crate::path::{Path, section};
use crate::redact::redact;
use crate::suggest;
use crate::table::{self, RESERVED};
use crate::validate::Verdict;

mod modes;
mod streams;

/// Settings that fit their schema and are still refused by their kind; bad names.
pub(crate) fn settings(
    value: &Value,
    kinds: &Kinds,
    filled: &Filled,
    verdict: &Verdict,
) -> Vec<Issue> {
    let mut issues = Vec::new();
    for (name, kinds) in [
        ("sources", &kinds.sources),
        ("destinations", &kinds.destinations),
    ] {
        for (end, settings) in section(value, name).into_iter().flatten() {
            let path = Path::of([name, end]);
            issues.extend(bad_name(end, &path));
            // What is known to be wrong needs no second complaint.
            let clean = !verdict.touches(&path) && !filled.touches(&path);
            if clean {
                let doubtful =
                    |at: &Path| filled.loose.contains(at) || !verdict.harmless.contains(at);
                issues.extend(refused(settings, kinds, &path, &doubtful));
            }
        }
    }
    issues
}

fn refused(
    settings: &Value,
    kinds: &[KindSpec],
    path: &Path,
    doubtful: &dyn Fn(&Path) -> bool,
) -> Vec<Issue> {
    let mut settings = settings.clone();
    let kind = settings
        .as_object_mut()
        .and_then(|fields| fields.remove("type"));
    let Some(kind) = kind.and_then(|kind| find(kinds, &kind)) else {
        return Vec::new();
    };
    let redact = |text: &str| redact(text, &settings, path, doubtful);
    let issue = |misfit: Misfit| {
        let at = misfit.keys.iter().fold(path.clone(), |at, key| at.key(key));
        Issue {
            message: match misfit.help {
                // The words are those of whoever reads settings, and name no key.
                None => format!("{} is refused: {}", at.label(), redact(&misfit.message)),
                Some(_) => redact(&misfit.message),
            },
            help: misfit.help.as_deref().map(redact),
            severity: misfit.severity,
            at: match misfit.keys.is_empty() {
                true => At::Key(at),
                false => At::Value(at),
            },
        }
    };
    kind.accept(&settings).into_iter().map(issue).collect()
}

/// The kind that a `type:` names.
fn find<'k>(kinds: &'k [KindSpec], name: &Value) -> Option<&'k KindSpec> {
    kinds.iter().find(|kind| Some(kind.name) == name.as_str())
}

fn bad_name(name: &str, path: &Path) -> Option<Issue> {
    let proper = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    let what = match proper {
        false => "takes letters, digits, `_` and `-` only",
        true if name.starts_with(RESERVED) => "may not begin with `_tributary`",
        true => return None,
    };
    Some(Issue::new(
        At::Key(path.clone()),
        format!("the name `{name}` {what}"),
    ))
}

/// Everything about connections.
pub(crate) fn connections(value: &Value, kinds: &Kinds, filled: &Filled) -> Vec<Issue> {
    let mut issues = Vec::new();
    let mut tables = BTreeMap::new();
    for (name, connection) in section(value, "connections").into_iter().flatten() {
        let path = Path::of(["connections", name]);
        issues.extend(bad_name(name, &path));
        let Some(connection) = connection.as_object() else {
            continue;
        };
        for (key, ends) in [("source", "sources"), ("destination", "destinations")] {
            issues.extend(dangling(
                connection,
                key,
                section(value, ends),
                &path,
                filled,
            ));
        }
        issues.extend(patterns(connection, &path));
        issues.extend(streams::check(connection, &path));
        match kind_of(connection, value, ("source", "sources"), kinds) {
            Some(kind) if kind.filters => {
                issues.extend(streams::filters(connection, &path, kind.filter_fault));
            }
            Some(kind) => issues.extend(streams::unfiltered(connection, &path, kind.name)),
            None => {}
        }
        if let Some(kind) = kind_of(connection, value, ("destination", "destinations"), kinds) {
            issues.extend(modes::check(connection, &path, kind));
        }
        issues.extend(shared_tables(name, connection, &path, &mut tables));
    }
    issues.extend(empty_salts(value));
    issues.extend(open_daemon(value, filled));
    issues
}

/// The kind of a connection's end, where that is known.
fn kind_of<'k>(
    connection: &Map<String, Value>,
    value: &Value,
    (end, ends): (&str, &str),
    kinds: &'k Kinds,
) -> Option<&'k KindSpec> {
    let found = section(value, ends)?.get(connection.get(end)?.as_str()?)?;
    let known = match end {
        "source" => &kinds.sources,
        _ => &kinds.destinations,
    };
    find(known, found.get("type")?)
}

/// A reference to something that isn't there.
fn dangling(
    connection: &Map<String, Value>,
    key: &str,
    ends: Option<&Map<String, Value>>,
    path: &Path,
    filled: &Filled,
) -> Option<Issue> {
    let name = connection.get(key)?.as_str()?;
    let path = path.key(key);
    if filled.broken.contains(&path) || ends.is_some_and(|ends| ends.contains_key(name)) {
        return None;
    }
    let known = ends
        .into_iter()
        .flat_map(|ends| ends.keys().map(String::as_str));
    let instead = match known.clone().next() {
        Some(_) => suggest::instead(name, known),
        None => format!("; `{key}s` is empty"),
    };
    let shown = match filled.loose.contains(&path) {
        true => "of that name".to_owned(),
        false => format!("`{name}`"),
    };
    Some(Issue::new(
        At::Value(path),
        format!("there is no {key} {shown}{instead}"),
    ))
}

fn patterns(connection: &Map<String, Value>, path: &Path) -> Vec<Issue> {
    let path = path.key("select");
    let items = connection.get("select").and_then(Value::as_array);
    let empty = |item: &Value| matches!(item.as_str().map(str::trim), Some("" | "!"));
    items
        .into_iter()
        .flatten()
        .enumerate()
        .filter(|(_, item)| empty(item))
        .map(|(index, _)| {
            Issue::new(
                At::Value(path.index(index)),
                "an empty pattern selects nothing",
            )
            .help("Write a name, or a pattern such as `shop.*` or `!shop.sessions`.")
        })
        .collect()
}

/// Tables by destination, and the stream that has each.
type Tables = BTreeMap<(String, String), String>;

/// Two streams in one table. Names that differ only in case are the same in most destinations.
fn shared_tables(
    name: &str,
    connection: &Map<String, Value>,
    path: &Path,
    tables: &mut Tables,
) -> Vec<Issue> {
    let mut issues = Vec::new();
    let destination = connection
        .get("destination")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let streams = connection.get("streams").and_then(Value::as_object);
    let of = ConnectionName::new(name);
    for (stream, options) in streams.into_iter().flatten() {
        let stream_name = StreamName::from(stream.clone());
        let written = options.get("table").and_then(Value::as_str);
        let table = match written {
            Some(text) => match table::resolve(text, &stream_name, &of) {
                Ok(table) => table,
                Err(_) => continue,
            },
            None => table::default(&stream_name, &of),
        };
        let key = (destination.to_owned(), table.to_string().to_lowercase());
        let at = path.key("streams").key(stream);
        if let Some(other) = tables.get(&key) {
            let what = format!("the stream `{stream}` would share the table {table} with {other}");
            let at = if written.is_some() {
                At::Value(at.key("table"))
            } else {
                At::Key(at)
            };
            issues.push(Issue::new(at, what).help("Give one of them another `table`."));
        } else {
            tables.insert(key, format!("`{stream}` of connection {name}"));
        }
    }
    issues
}

/// Salts that hide nothing: with an empty one whoever reads a hash can try values until one fits.
fn empty_salts(value: &Value) -> Vec<Issue> {
    let connections = section(value, "connections").into_iter().flatten();
    let connections = connections.map(|(name, connection)| {
        let path = Path::of(["connections", name]).key("salt");
        (path, connection.get("salt"))
    });
    let top = (Path::of(["salt"]), value.get("salt"));
    let is_empty = |salt: &Value| salt.as_str().is_some_and(|text| text.trim().is_empty());
    std::iter::once(top)
        .chain(connections)
        .filter(|(_, salt)| salt.is_some_and(is_empty))
        .map(|(path, _)| {
            Issue::new(
                At::Value(path),
                "the `salt` is empty, and would hide nothing",
            )
            .help("Give it a long random text, such as `openssl rand -hex 32` prints.")
        })
        .collect()
}

/// A server that anyone could command.
fn open_daemon(value: &Value, filled: &Filled) -> Option<Issue> {
    let daemon = section(value, "daemon")?;
    let listen = daemon.get("listen")?.as_str()?;
    let address: std::net::SocketAddr = listen.parse().ok()?;
    let path = Path::of(["daemon", "listen"]);
    let token = daemon
        .get("token")
        .is_some_and(|token| token.as_str() != Some(""));
    let safe = address.ip().is_loopback() || token || filled.broken.contains(&path);
    (!safe).then(|| {
        Issue::new(
            At::Value(path),
            "listening beyond this machine needs a `token`",
        )
        .help("Add `token: ${TRIBUTARY_TOKEN}` to `daemon`, or listen on 127.0.0.1.")
    })
}
