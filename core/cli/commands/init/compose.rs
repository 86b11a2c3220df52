//! The text of a first configuration.

use std::fmt::Write;

use serde_json::Value;
use tributary_model::Stream;
use unicode_width::UnicodeWidthStr;

use super::First;
use crate::table::count;

/// The destination's name in the file.
const WAREHOUSE: &str = "warehouse";
const HEAD: &str = "\
# Written by `tributary init`. `tributary validate` reads it, `tributary check` tests it,
# `tributary sync` moves the data; `tributary connectors TYPE` lists every setting.
";

pub(super) fn compose(first: &First) -> String {
    let mut text = HEAD.to_owned();
    ends(&mut text, first);
    let name = word(&first.source.name);
    let _ = writeln!(text, "\nconnections:\n  {name}:\n    source: {name}");
    let _ = writeln!(text, "    destination: {WAREHOUSE}");
    text += "    schedule: manual                 # for the daemon: 5m | 1h | \"*/15 * * * *\" | continuous\n";
    text += "    select:                          # take a line out to leave a stream out; \"*\" reads all,\n";
    text += "                                     # those that are made later included\n";
    let streams = &first.catalog.streams;
    let width = streams.iter().map(|stream| item(stream).width()).max();
    for stream in streams {
        let item = item(stream);
        let space = " ".repeat(width.unwrap_or(0) - item.width());
        let _ = writeln!(text, "      - {item}{space}   # {}", about(stream));
    }
    options(&mut text, first);
    text
}

/// The source and the destination.
fn ends(text: &mut String, first: &First) {
    let (source, destination) = (&first.source, &first.destination);
    let name = word(&source.name);
    let _ = writeln!(text, "\nsources:\n  {name}:\n    type: {}", source.kind);
    settings(text, &source.written);
    let variable = source.variable();
    let _ = match first.password {
        Some(_) => writeln!(
            text,
            "    password: ${{{variable}}}   # export {variable}=..."
        ),
        None => writeln!(text, "    # password: ${{{variable}}}"),
    };
    let kind = destination.kind;
    let _ = writeln!(text, "\ndestinations:\n  {WAREHOUSE}:\n    type: {kind}");
    settings(text, &destination.written);
    if let Some(password) = &destination.password {
        let variable = &password.variable;
        let _ = writeln!(
            text,
            "    password: ${{{variable}}}   # export {variable}=..."
        );
    }
}

/// What can be chosen for streams, as comments.
fn options(text: &mut String, first: &First) {
    let modes: Vec<String> = first
        .modes
        .iter()
        .map(|mode| format!("{mode:?}").to_lowercase())
        .collect();
    let modes = modes.join(" | ");
    let stream = first.catalog.streams.first().map(item).unwrap_or_default();
    // A name may hold a line's end, which would end the comment.
    let stream = stream.replace(['\n', '\r'], " ");
    let _ = write!(
        text,
        "    \
    # How streams are kept:
    # defaults:
    #   mode: merge                  # {modes}
    #   deletes: soft                # soft | hard | ignore
    # streams:
    #   {stream}:
    #     columns: {{email: hash, phone: {{mask: {{keep_last: 3}}}}}}   # hash needs a `salt`
"
    );
}

fn settings(text: &mut String, settings: &[(&str, Value)]) {
    for (key, value) in settings {
        let value = written(value);
        let _ = writeln!(text, "    {key}: {value}");
    }
}

fn written(value: &Value) -> String {
    match value {
        Value::String(text) => word(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(written).collect();
            format!("[{}]", items.join(", "))
        }
        other => other.to_string(),
    }
}

fn item(stream: &Stream) -> String {
    word(&stream.name.to_string())
}

fn about(stream: &Stream) -> String {
    let key = match stream.schema.key.as_slice() {
        [] => "no key: told apart by a hash of the whole row".to_owned(),
        key => format!("key {}", key.join(", ")),
    };
    // A name may hold a line's end, which would end the comment.
    let key = key.replace(['\n', '\r'], " ");
    match stream.estimated_rows {
        Some(rows) => format!("{key}; about {}", count(rows, "row")),
        None => key,
    }
}

/// A text as YAML: bare where it can't be mistaken, else in quotes.
fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | '-');
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '/'));
    let reserved = ["true", "false", "null", "yes", "no", "on", "off"];
    let bare =
        begins && text.chars().all(plain) && !reserved.contains(&text.to_lowercase().as_str());
    match bare {
        true => text.to_owned(),
        // `${` would be filled in.
        false => Value::from(text.replace("${", "$${")).to_string(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tributary_model::{Catalog, Mode, Secret, StreamName, StreamSchema};

    use super::super::{destination, source};
    use super::*;

    fn stream(name: &str, key: &[&str], rows: Option<u64>) -> Stream {
        Stream {
            name: StreamName::within("shop", name),
            schema: StreamSchema {
                columns: Vec::new(),
                key: key.iter().map(|&key| key.to_owned()).collect(),
            },
            estimated_rows: rows,
            filter: None,
            excluded: Vec::new(),
            cursor: Vec::new(),
            is_open: false,
            needs: None,
        }
    }

    #[test]
    fn a_first_configuration_reads_well_and_holds_no_password() {
        let first = First {
            source: source::read("mysql://reader:hunter2@db.internal/shop").unwrap(),
            destination: destination::read("duckdb:my warehouse.duckdb").unwrap(),
            catalog: Catalog {
                streams: vec![
                    stream("orders", &["id"], Some(12_345)),
                    stream("log: odd", &[], None),
                    stream("${x}", &["a", "b"], Some(0)),
                ],
            },
            password: Some(Secret::new("hunter2")),
            modes: &[Mode::Merge, Mode::Append],
        };
        let text = compose(&first);
        assert!(!text.contains("hunter2"));
        insta::assert_snapshot!(text);
    }
}
