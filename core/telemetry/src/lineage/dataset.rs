//! What others call a source's streams and a destination's tables: OpenLineage's conventions, by the
//! settings that say where something is.

use std::path::Path;

use serde_json::Value;
use tributary_config::EndPlan;
use url::Url;

/// The ports that the conventions write even where the settings leave them out.
const PORTS: [(&str, u16); 5] = [
    ("mysql", 3306),
    ("mariadb", 3306),
    ("postgres", 5432),
    ("postgresql", 5432),
    ("redshift", 5439),
];
/// Addresses of stores of files, in which a table is a folder.
const STORES: [&str; 4] = ["s3", "s3a", "gs", "abfss"];

/// Where something is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The namespace of its datasets.
    pub(crate) namespace: String,
    /// The folder in which each table has its own; `None` where tables are named `schema.table`.
    folder: Option<String>,
}

impl Place {
    /// Where a source or destination called `name` is. G8: no password of an address gets in.
    pub(crate) fn of(name: &str, end: &EndPlan) -> Self {
        let text = |key: &str| end.settings.get(key).and_then(Value::as_str);
        if let Some(url) = text("url") {
            return Self::at(name, end, url);
        }
        if let Some(host) = text("host") {
            let port = end.settings.get("port").and_then(Value::as_u64);
            let port = port.or_else(|| default_port(&end.kind).map(u64::from));
            return Self::server(&end.kind, host, port);
        }
        if text("socket").is_some() {
            return Self::server(
                &end.kind,
                "localhost",
                default_port(&end.kind).map(u64::from),
            );
        }
        if let Some(path) = text("path") {
            return Self::named(format!("{}://{}", end.kind, absolute(path)));
        }
        let api = text("api_url").and_then(|url| Url::parse(url).ok());
        match api.map(|url| url.origin().ascii_serialization()) {
            Some(origin) => Self::named(origin),
            None => Self::named(format!("{}://{name}", end.kind)),
        }
    }

    fn at(name: &str, end: &EndPlan, address: &str) -> Self {
        let Some((scheme, _)) = address.split_once("://") else {
            return Self::folder("file", &absolute(address));
        };
        let Ok(url) = Url::parse(address) else {
            return Self::named(format!("{}://{name}", end.kind));
        };
        let host = url.host_str().unwrap_or_default();
        match scheme {
            "file" => Self::folder("file", url.path()),
            _ if STORES.contains(&scheme) => {
                Self::folder(&format!("{scheme}://{host}"), url.path().trim_matches('/'))
            }
            _ => {
                let port = url.port().or_else(|| default_port(scheme));
                Self::server(scheme, host, port.map(u64::from))
            }
        }
    }

    fn server(scheme: &str, host: &str, port: Option<u64>) -> Self {
        let port = port.map_or_else(String::new, |port| format!(":{port}"));
        Self::named(format!("{scheme}://{host}{port}"))
    }

    fn named(namespace: String) -> Self {
        Self {
            namespace,
            folder: None,
        }
    }

    fn folder(namespace: &str, folder: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            folder: Some(folder.trim_end_matches('/').to_owned()),
        }
    }

    /// The name of a table.
    pub(crate) fn table(&self, schema: &str, table: &str) -> String {
        match self.folder.as_deref() {
            None => format!("{schema}.{table}"),
            Some("") => format!("{schema}/{table}"),
            Some(folder) => format!("{folder}/{schema}/{table}"),
        }
    }
}

fn default_port(kind: &str) -> Option<u16> {
    let known = PORTS.iter().find(|(known, _)| *known == kind);
    known.map(|(_, port)| *port)
}

fn absolute(path: &str) -> String {
    let path = Path::new(path);
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    // `./lake` and `lake` are one place.
    absolute
        .components()
        .collect::<std::path::PathBuf>()
        .display()
        .to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn place(kind: &str, settings: Value) -> (String, String) {
        let end = EndPlan {
            kind: kind.to_owned(),
            settings,
        };
        let place = Place::of("name", &end);
        (place.namespace.clone(), place.table("shop", "orders"))
    }

    #[test]
    fn places_are_called_what_others_call_them() {
        for (kind, settings, namespace, table) in [
            (
                "mysql",
                json!({"host": "db"}),
                "mysql://db:3306",
                "shop.orders",
            ),
            (
                "mysql",
                json!({"host": "db", "port": 3307}),
                "mysql://db:3307",
                "shop.orders",
            ),
            (
                "mysql",
                json!({"url": "mysql://u:hunter2@db/shop"}),
                "mysql://db:3306",
                "shop.orders",
            ),
            (
                "mysql",
                json!({"socket": "/run/x"}),
                "mysql://localhost:3306",
                "shop.orders",
            ),
            (
                "duckdb",
                json!({"path": "/d/./w.db"}),
                "duckdb:///d/w.db",
                "shop.orders",
            ),
            (
                "lake",
                json!({"url": "s3://acme/raw/"}),
                "s3://acme",
                "raw/shop/orders",
            ),
            (
                "lake",
                json!({"url": "s3://acme"}),
                "s3://acme",
                "shop/orders",
            ),
            (
                "lake",
                json!({"url": "/data/lake"}),
                "file",
                "/data/lake/shop/orders",
            ),
            (
                "lake",
                json!({"url": "file:///data/lake"}),
                "file",
                "/data/lake/shop/orders",
            ),
            ("stripe", json!({}), "stripe://name", "shop.orders"),
            (
                "stripe",
                json!({"api_url": "http://k:v@h:1/x"}),
                "http://h:1",
                "shop.orders",
            ),
        ] {
            let expected = (namespace.to_owned(), table.to_owned());
            assert_eq!(place(kind, settings), expected);
        }
    }
}
