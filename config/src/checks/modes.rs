//! Modes that a connection's destination does not have.

use serde_json::{Map, Value};
use tributary_model::Mode;

use crate::error::{At, Issue};
use crate::kinds::KindSpec;
use crate::path::Path;

/// Every `mode` that a destination of this kind does not keep tables in.
pub(crate) fn check(connection: &Map<String, Value>, path: &Path, kind: &KindSpec) -> Vec<Issue> {
    let defaults = connection
        .get("defaults")
        .map(|defaults| (path.key("defaults"), defaults));
    let streams = connection.get("streams").and_then(Value::as_object);
    let streams = streams.into_iter().flatten();
    let streams = streams.map(|(name, stream)| (path.key("streams").key(name), stream));
    let refused = |(path, options): (Path, &Value)| {
        let mode: Mode = serde_json::from_value(options.get("mode")?.clone()).ok()?;
        if kind.modes.contains(&mode) {
            return None;
        }
        let what = format!(
            "`mode: {}` is not available: a destination of type {} does not keep tables so",
            word(mode),
            kind.name
        );
        let words: Vec<&str> = kind.modes.iter().map(|mode| word(*mode)).collect();
        let help = format!(
            "It keeps them as {}: choose one of these.",
            words.join(", ")
        );
        Some(Issue::new(At::Value(path.key("mode")), what).help(help))
    };
    defaults
        .into_iter()
        .chain(streams)
        .filter_map(refused)
        .collect()
}

fn word(mode: Mode) -> &'static str {
    match mode {
        Mode::Merge => "merge",
        Mode::Append => "append",
        Mode::Replace => "replace",
        Mode::History => "history",
    }
}
