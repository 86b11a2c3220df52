//! The address of a destination as typed, turned into settings.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use tributary_model::Result;

use super::server::{Form, Password, Server};
use super::unaddressed;
use crate::exit::usage;
use crate::registry;

const FORM: Form = Form {
    end: "destination",
    help: "Write it like `duckdb:warehouse.duckdb`, `postgres://loader@db.internal/analytics`, `./lake` or `s3://bucket/prefix`.",
    port: 0,
};
const POSTGRES: Form = Form {
    end: "destination",
    help: "Write it like `postgres://loader@db.internal:5432/analytics`.",
    port: 5432,
};
/// The variable that a password is left to where the address names none.
const VARIABLE: &str = "WAREHOUSE_PASSWORD";

/// A destination to write down.
#[derive(Debug)]
pub(super) struct DestinationAddress {
    pub(super) kind: &'static str,
    pub(super) written: Vec<(&'static str, Value)>,
    /// For the closing words.
    pub(super) shown: String,
    /// The password that it needs, where it needs one.
    pub(super) password: Option<DestinationPassword>,
}

impl DestinationAddress {
    /// What to connect with.
    pub(super) fn settings(&self) -> Value {
        let written = self.written.iter();
        written
            .map(|(key, value)| ((*key).to_owned(), value.clone()))
            .collect::<Map<String, Value>>()
            .into()
    }
}

/// The password that a destination needs, which stands in a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DestinationPassword {
    /// Which one.
    pub(super) variable: String,
    /// Whether the address holds the password itself; it is not written anywhere.
    pub(super) was_shown: bool,
}

/// Reads a destination's address.
pub(super) fn read(text: &str) -> Result<DestinationAddress> {
    if text.starts_with("postgres:") || text.starts_with("postgresql:") {
        return postgres(text);
    }
    if is_duckdb_file(text) {
        return Ok(duckdb(text.to_owned()));
    }
    if let Some(url) = lake(text) {
        return Ok(DestinationAddress {
            kind: "lake",
            written: vec![("url", json!(url))],
            shown: url.to_owned(),
            password: None,
        });
    }
    let (scheme, rest) = text
        .split_once(':')
        .ok_or_else(|| usage("the destination's address can't be read").fix(FORM.help))?;
    if scheme != "duckdb" {
        return Err(unaddressed(&FORM, scheme, &registry::kinds().destinations));
    }
    let path = rest.strip_prefix("//").unwrap_or(rest);
    let path = percent_decode_str(path)
        .decode_utf8()
        .map_err(|why| usage("the destination's address is not UTF-8").because(why))?;
    if path.is_empty() {
        return Err(usage("the destination's address names no file").fix(FORM.help));
    }
    Ok(duckdb(path.into_owned()))
}

fn duckdb(path: String) -> DestinationAddress {
    DestinationAddress {
        kind: "duckdb",
        written: vec![("path", json!(path))],
        shown: path,
        password: None,
    }
}

/// Whether a path alone says that it is a database file: nobody calls a lake's folder so.
fn is_duckdb_file(text: &str) -> bool {
    let ends = [".duckdb", ".ddb", ".db"];
    !text.contains(':')
        && ends
            .iter()
            .any(|end| text.len() > end.len() && text.ends_with(end))
}

/// The `url` of a lake, where the address is one: a bucket, or a path that can be nothing else.
fn lake(text: &str) -> Option<&str> {
    let url = text.strip_prefix("lake:").unwrap_or(text);
    let is_place = |start: &&str| url.len() > start.len() && url.starts_with(*start);
    let starts = ["./", "../", "/", "file:///", "s3://"];
    let is_lake = url.len() < text.len() && !url.is_empty();
    (is_lake || starts.iter().any(is_place)).then_some(url)
}

/// Reads the address of a PostgreSQL database.
fn postgres(text: &str) -> Result<DestinationAddress> {
    let server = Server::read(text, &POSTGRES)?;
    let mut written = server.written();
    let database = match server.database.is_empty() {
        true => server.user,
        false => server.database,
    };
    written.push(("database", json!(database)));
    let was_shown = matches!(server.password, Password::Given(_));
    Ok(DestinationAddress {
        kind: "postgres",
        written,
        shown: format!("{database} at {}", server.host),
        password: Some(DestinationPassword {
            variable: match server.password {
                Password::Variable(name) => name,
                Password::Given(_) | Password::Unsaid => VARIABLE.to_owned(),
            },
            was_shown,
        }),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_duckdb_address_is_a_path() {
        for (text, path) in [
            ("duckdb:w.duckdb", "w.duckdb"),
            ("duckdb:///data/w.duckdb", "/data/w.duckdb"),
            ("duckdb:/data/w.duckdb", "/data/w.duckdb"),
            ("duckdb://folder/w.duckdb", "folder/w.duckdb"),
            ("w.duckdb", "w.duckdb"),
            ("./w.db", "./w.db"),
            ("/data/w.duckdb", "/data/w.duckdb"),
        ] {
            let address = read(text).unwrap();
            assert_eq!((address.kind, address.shown.as_str()), ("duckdb", path));
        }
        for text in [
            ".duckdb",
            "warehouse",
            "duckdb:",
            "duckdb://",
            "sqlite:x",
            "s3://",
            "./",
            "lake:",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_bucket_or_a_folder_is_a_lake() {
        for (text, url) in [
            ("./lake", "./lake"),
            ("/data/lake", "/data/lake"),
            ("file:///data/lake", "file:///data/lake"),
            ("s3://acme/raw", "s3://acme/raw"),
            ("lake:folder", "folder"),
        ] {
            let address = read(text).unwrap();
            assert_eq!((address.kind, address.shown.as_str()), ("lake", url));
        }
    }

    #[test]
    fn a_database_address_becomes_settings_without_its_password() {
        let address = postgres("postgres://loader:p%40ss@db.internal/analytics").unwrap();
        assert_eq!(
            address.settings(),
            json!({"host": "db.internal", "port": 5432, "user": "loader", "database": "analytics"})
        );
        let password = address.password.unwrap();
        assert_eq!(
            (password.variable.as_str(), password.was_shown),
            ("WAREHOUSE_PASSWORD", true)
        );
        let address = postgres("postgresql://me:${PG}@[::1]:5433?sslmode=disable").unwrap();
        assert_eq!(
            address.settings()["url"],
            "postgresql://me@[::1]:5433?sslmode=disable"
        );
        assert_eq!(address.settings()["database"], "me");
        assert_eq!(address.password.unwrap().variable, "PG");
    }

    #[test]
    fn a_bad_address_is_refused_without_repeating_it() {
        for text in [
            "postgres:",
            "postgres://db/x",
            "postgres://:hunter2@db",
            "postgres://u:hunter2@",
        ] {
            let error = postgres(text).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_kind_without_an_address_is_told_how_it_is_written_down() {
        let error = read("snowflake://me:hunter2@x").unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
        let error = read("sqlite:x.db").unwrap_err().to_string();
        assert!(error.contains("duckdb:warehouse.duckdb"), "{error}");
    }
}
