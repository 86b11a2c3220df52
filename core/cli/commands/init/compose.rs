//! The text of a first configuration.

use std::fmt::Write;

use serde_json::Value;
use tributary_model::{Catalog, Stream};

use super::address::{DestinationAddress, SourceAddress};
use crate::table::count;

/// The destination's name in the file.
const WAREHOUSE: &str = "warehouse";
const HEAD: &str = "\
# Written by `tributary init`. `tributary validate` reads it, `tributary check` tests it,
# `tributary sync` moves the data; `tributary connectors TYPE` lists every setting.
";
const CONNECTION: &str = "    # How streams are kept:
    # defaults:
    #   mode: merge                  # merge | append | replace | history
    #   deletes: soft                # soft | hard | ignore
    # streams:
    #   shop.customers:
    #     columns: {email: hash, phone: {mask: {keep_last: 3}}}   # hash needs a `salt`
";

pub(super) fn compose(
    source: &SourceAddress,
    destination: &DestinationAddress,
    catalog: &Catalog,
) -> String {
    let mut text = HEAD.to_owned();
    let name = &source.name;
    let _ = writeln!(
        text,
        "\nsources:\n  {}:\n    type: {}",
        word(name),
        source.kind
    );
    settings(&mut text, &source.written);
    if source.password.is_some() {
        let variable = source.variable();
        let _ = writeln!(
            text,
            "    password: ${{{variable}}}   # export {variable}=..."
        );
    }
    let _ = writeln!(
        text,
        "\ndestinations:\n  {WAREHOUSE}:\n    type: {}",
        destination.kind
    );
    settings(&mut text, &destination.written);
    let _ = writeln!(
        text,
        "\nconnections:\n  {}:\n    source: {}",
        word(name),
        word(name)
    );
    let _ = writeln!(text, "    destination: {WAREHOUSE}");
    text += "    schedule: manual                 # for the daemon: 5m | 1h | \"*/15 * * * *\" | continuous\n";
    text += "    select:                          # take a line out to leave a stream out; \"*\" reads all,\n";
    text += "                                     # those that are made later included\n";
    let width = catalog
        .streams
        .iter()
        .map(|stream| item(stream).chars().count())
        .max();
    for stream in &catalog.streams {
        let width = width.unwrap_or(0);
        let _ = writeln!(
            text,
            "      - {:<width$}   # {}",
            item(stream),
            about(stream)
        );
    }
    text + CONNECTION
}

fn settings(text: &mut String, settings: &[(&str, Value)]) {
    for (key, value) in settings {
        let value = match value {
            Value::String(value) => word(value),
            other => other.to_string(),
        };
        let _ = writeln!(text, "    {key}: {value}");
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
    use tributary_model::{StreamName, StreamSchema};

    use super::super::address;
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
        }
    }

    #[test]
    fn a_first_configuration_reads_well_and_holds_no_password() {
        let source = address::source("mysql://reader:hunter2@db.internal/shop").unwrap();
        let destination = address::destination("duckdb:my warehouse.duckdb").unwrap();
        let catalog = Catalog {
            streams: vec![
                stream("orders", &["id"], Some(12_345)),
                stream("log: odd", &[], None),
                stream("${x}", &["a", "b"], Some(0)),
            ],
        };
        let text = compose(&source, &destination, &catalog);
        assert!(!text.contains("hunter2"));
        insta::assert_snapshot!(text);
    }
}
