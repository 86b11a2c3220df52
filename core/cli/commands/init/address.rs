//! Addresses as typed on the command line, turned into settings.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use tributary_config::Environment;
use tributary_model::{Result, Secret};
use url::Url;

use super::database::{self, DestinationPassword};
use crate::exit::usage;

/// A source to write down.
#[derive(Debug)]
pub(super) struct SourceAddress {
    pub(super) kind: &'static str,
    /// What to call it.
    pub(super) name: String,
    /// What to connect with, without the password.
    settings: Value,
    /// What to write down besides the password, in order.
    pub(super) written: Vec<(&'static str, Value)>,
    pub(super) password: Password,
}

/// Where the password is.
#[derive(Debug)]
pub(super) enum Password {
    /// In the address itself.
    Given(Secret),
    /// In this variable, which the address names.
    Variable(String),
    /// Not in the address.
    Unsaid,
}

/// A variable that holds the password, whatever the source is called.
const ANY_SOURCE: &str = "TRIBUTARY_SOURCE_PASSWORD";

impl SourceAddress {
    /// The variable that the file leaves the password to.
    pub(super) fn variable(&self) -> String {
        if let Password::Variable(name) = &self.password {
            return name.clone();
        }
        let name = self.name.to_uppercase().replace('-', "_");
        let name = if name.starts_with(|c: char| c.is_ascii_digit()) {
            format!("_{name}")
        } else {
            name
        };
        format!("{name}_PASSWORD")
    }

    /// The password, from the address or from the environment.
    pub(super) fn secret(&self, environment: &Environment) -> Result<Option<Secret>> {
        let of = |name: &str| {
            environment
                .get(name)
                .map(|value| Secret::new(value.clone()))
        };
        match &self.password {
            Password::Given(secret) => Ok(Some(secret.clone())),
            Password::Variable(name) => of(name).map(Some).ok_or_else(|| {
                usage(format!("the environment variable {name} is not set"))
                    .fix(format!("Set it: export {name}='the password'"))
            }),
            Password::Unsaid => Ok(of(&self.variable()).or_else(|| of(ANY_SOURCE))),
        }
    }

    /// What to connect with.
    pub(super) fn connecting(&self, password: Option<&Secret>) -> Value {
        let mut settings = self.settings.clone();
        if let Some(password) = password {
            settings["password"] = json!(password.expose());
        }
        settings
    }

    /// What to do where the server refuses a login without a password.
    pub(super) fn how_to_give_a_password(&self) -> String {
        format!(
            "Set the password in the environment: export {}='the password' (or {ANY_SOURCE}).",
            self.variable()
        )
    }
}

/// The name in `${NAME}`, as it stands in a parsed address: with its braces in hexadecimal. A
/// password that begins so is written with `%24` for its `$`.
pub(super) fn variable_in(written: &str) -> Option<&str> {
    let name = written.strip_prefix("$%7B")?.strip_suffix("%7D")?;
    let proper = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    proper.then_some(name)
}

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

/// Reads a source's address. Errors never repeat it: it may hold a password. // G8
pub(super) fn source(text: &str) -> Result<SourceAddress> {
    let help = "Write it like `mysql://reader@db.internal:3306/shop`.";
    let url = Url::parse(text).map_err(|why| {
        usage("the source's address can't be read")
            .because(why)
            .fix(help)
    })?;
    match url.scheme() {
        "mysql" | "mariadb" => mysql(&url),
        other => Err(usage(format!(
            "there is no source whose address begins with `{other}:`"
        ))
        .fix(help)),
    }
}

fn mysql(url: &Url) -> Result<SourceAddress> {
    let host = url
        .host_str()
        .unwrap_or_default()
        .trim_matches(['[', ']'])
        .to_owned();
    let user = decode(url.username())?;
    if host.is_empty() || user.is_empty() {
        return Err(usage("the source's address needs a user and a host")
            .fix("Write it like `mysql://reader@db.internal:3306/shop`."));
    }
    let database = decode(url.path().trim_matches('/'))?;
    let password = match url.password() {
        None => Password::Unsaid,
        Some(written) => match variable_in(written) {
            Some(name) => Password::Variable(name.to_owned()),
            None => Password::Given(Secret::new(decode(written)?)),
        },
    };
    let mut written: Vec<(&'static str, Value)> = match url.query() {
        None => vec![
            ("host", json!(host)),
            ("port", json!(url.port().unwrap_or(3306))),
            ("user", json!(user)),
        ],
        // Its options are the connector's to read.
        Some(_) => {
            let mut bare = url.clone();
            let _ = bare.set_password(None);
            bare.set_path("");
            vec![("url", json!(bare.as_str()))]
        }
    };
    if !database.is_empty() {
        written.push(("databases", json!([database])));
    }
    let settings: Map<String, Value> = written
        .iter()
        .map(|(key, value)| ((*key).to_owned(), value.clone()))
        .collect();
    let name = [
        database.as_str(),
        host.split('.').next().unwrap_or_default(),
    ]
    .into_iter()
    .map(proper_name)
    .find(|name| !name.is_empty());
    Ok(SourceAddress {
        kind: "mysql",
        name: name.unwrap_or_else(|| "source".to_owned()),
        settings: Value::Object(settings),
        written,
        password,
    })
}

fn decode(text: &str) -> Result<String> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| usage("the source's address holds a `%` that does not stand for UTF-8"))
}

/// What of `text` can be in a name.
fn proper_name(text: &str) -> String {
    let kept = text
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
    kept.collect::<String>().trim_matches('_').to_lowercase()
}

/// Reads a destination's address.
pub(super) fn destination(text: &str) -> Result<DestinationAddress> {
    let help = "Write it like `duckdb:warehouse.duckdb`, `postgres://loader@db.internal/analytics`, `./lake` or `s3://bucket/prefix`.";
    if database::is_postgres(text) {
        return database::postgres(text);
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
        .ok_or_else(|| usage("the destination's address can't be read").fix(help))?;
    if scheme != "duckdb" {
        return Err(usage(format!(
            "there is no destination whose address begins with `{scheme}:`"
        ))
        .fix(help));
    }
    let path = rest.strip_prefix("//").unwrap_or(rest);
    let path = percent_decode_str(path)
        .decode_utf8()
        .map_err(|why| usage("the destination's address is not UTF-8").because(why))?;
    if path.is_empty() {
        return Err(usage("the destination's address names no file").fix(help));
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_mysql_address_becomes_settings() {
        let nothing = Environment::new();
        let address = source("mysql://me:p%40ss@db.internal/shop-eu").unwrap();
        assert_eq!(
            (address.name.as_str(), address.variable().as_str()),
            ("shop_eu", "SHOP_EU_PASSWORD")
        );
        let password = address.secret(&nothing).unwrap();
        assert_eq!(
            address.connecting(password.as_ref()),
            json!({"host": "db.internal", "port": 3306, "user": "me", "databases": ["shop-eu"], "password": "p@ss"})
        );
        assert!(!format!("{address:?}", address = address.written).contains("p@ss"));
        let address = source("mariadb://me@10.0.0.1:3307?ssl-mode=DISABLED").unwrap();
        assert_eq!(address.name, "10");
        assert_eq!(address.variable(), "_10_PASSWORD");
        assert_eq!(
            address.settings["url"],
            "mariadb://me@10.0.0.1:3307?ssl-mode=DISABLED"
        );
    }

    #[test]
    fn a_password_comes_from_the_environment() {
        let environment: Environment = [
            ("SHOP_PASSWORD", "own"),
            ("DB_PASSWORD", "p@s/s"),
            ("TRIBUTARY_SOURCE_PASSWORD", "any"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let found = |text: &str| {
            let address = source(text).unwrap();
            let secret = address.secret(&environment).unwrap();
            (address.variable(), secret.unwrap().expose().to_owned())
        };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(found("mysql://me@db/shop"), pair("SHOP_PASSWORD", "own"));
        assert_eq!(found("mysql://me@db/other"), pair("OTHER_PASSWORD", "any"));
        let named = found("mysql://me:${DB_PASSWORD}@db/shop");
        assert_eq!(named, pair("DB_PASSWORD", "p@s/s"));
        let literal = found("mysql://me:%24%7BDB_PASSWORD%7D@db/shop");
        assert_eq!(literal, pair("SHOP_PASSWORD", "${DB_PASSWORD}"));
        let unset = source("mysql://me:${NO_SUCH}@db/shop").unwrap();
        let error = unset.secret(&environment).unwrap_err().to_string();
        assert!(error.contains("NO_SUCH is not set"), "{error}");
        let none = source("mysql://me@db/shop").unwrap();
        assert!(none.secret(&Environment::new()).unwrap().is_none());
    }

    #[test]
    fn a_bad_address_is_refused_without_repeating_it() {
        for text in [
            "",
            "shop",
            "postgres://me:hunter2@db",
            "mysql://db",
            "mysql://:hunter2@db",
            "mysql://me:hunter2@",
        ] {
            let error = source(text).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

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
            let address = destination(text).unwrap();
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
            assert!(destination(text).is_err(), "{text}");
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
            let address = destination(text).unwrap();
            assert_eq!((address.kind, address.shown.as_str()), ("lake", url));
        }
    }
}
