//! Addresses as typed on the command line, turned into settings.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use tributary_model::{Result, Secret};
use url::Url;

use crate::exit::usage;

/// A source to write down.
#[derive(Debug)]
pub(super) struct SourceAddress {
    pub(super) kind: &'static str,
    /// What to call it.
    pub(super) name: String,
    /// What to connect with, the password included.
    pub(super) settings: Value,
    /// What to write down besides the password, in order.
    pub(super) written: Vec<(&'static str, Value)>,
    pub(super) password: Option<Secret>,
}

impl SourceAddress {
    /// The variable that the password is left to.
    pub(super) fn variable(&self) -> String {
        let name = self.name.to_uppercase().replace('-', "_");
        let name = if name.starts_with(|c: char| c.is_ascii_digit()) {
            format!("_{name}")
        } else {
            name
        };
        format!("{name}_PASSWORD")
    }
}

/// A destination to write down.
#[derive(Debug)]
pub(super) struct DestinationAddress {
    pub(super) kind: &'static str,
    pub(super) written: Vec<(&'static str, Value)>,
    /// For the closing words.
    pub(super) shown: String,
}

/// Reads a source's address. Errors never repeat it: it may hold a password. // G8
pub(super) fn source(text: &str) -> Result<SourceAddress> {
    let help = "Write it like `mysql://reader:password@db.internal:3306/shop`.";
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
            .fix("Write it like `mysql://reader:password@db.internal:3306/shop`."));
    }
    let database = decode(url.path().trim_matches('/'))?;
    let password = url.password().map(decode).transpose()?.map(Secret::new);
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
    let mut settings: Map<String, Value> = written
        .iter()
        .map(|(key, value)| ((*key).to_owned(), value.clone()))
        .collect();
    if let Some(password) = &password {
        settings.insert("password".to_owned(), json!(password.expose()));
    }
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
    let help = "Write it like `duckdb:warehouse.duckdb` or `duckdb:///data/warehouse.duckdb`.";
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
    Ok(DestinationAddress {
        kind: "duckdb",
        written: vec![("path", json!(path))],
        shown: path.into_owned(),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_mysql_address_becomes_settings() {
        let address = source("mysql://me:p%40ss@db.internal/shop-eu").unwrap();
        assert_eq!(
            (address.name.as_str(), address.variable().as_str()),
            ("shop_eu", "SHOP_EU_PASSWORD")
        );
        assert_eq!(
            address.settings,
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
        ] {
            assert_eq!(destination(text).unwrap().shown, path);
        }
        for text in ["w.duckdb", "duckdb:", "duckdb://", "sqlite:x"] {
            assert!(destination(text).is_err(), "{text}");
        }
    }
}
