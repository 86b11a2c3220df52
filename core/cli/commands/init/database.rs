//! The address of a database to write to, turned into settings.

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tributary_model::Result;
use url::Url;

use super::address::{DestinationAddress, variable_in};
use crate::exit::usage;

const HELP: &str = "Write it like `postgres://loader@db.internal:5432/analytics`.";

/// The password that a destination needs, which stands in a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DestinationPassword {
    /// Which one.
    pub(super) variable: String,
    /// Whether the address holds the password itself; it is not written anywhere.
    pub(super) was_shown: bool,
}

/// Whether an address is one of PostgreSQL.
pub(super) fn is_postgres(text: &str) -> bool {
    text.starts_with("postgres:") || text.starts_with("postgresql:")
}

/// Reads it. Errors never repeat it: it may hold a password. // G8
pub(super) fn postgres(text: &str) -> Result<DestinationAddress> {
    let wrong = |what: &str| usage(format!("the destination's address {what}")).fix(HELP);
    let url = Url::parse(text).map_err(|why| wrong("can't be read").because(why))?;
    let decode = |text: &str| {
        let decoded = percent_decode_str(text).decode_utf8();
        let decoded = decoded.map(std::borrow::Cow::into_owned);
        decoded.map_err(|_| wrong("holds a `%` that does not stand for UTF-8"))
    };
    let host = decode(url.host_str().unwrap_or_default().trim_matches(['[', ']']))?;
    let user = decode(url.username())?;
    if host.is_empty() || user.is_empty() {
        return Err(wrong("needs a user and a host"));
    }
    let database = decode(url.path().trim_matches('/'))?;
    let mut written: Vec<(&'static str, Value)> = match url.query() {
        None => vec![
            ("host", json!(host)),
            ("port", json!(url.port().unwrap_or(5432))),
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
    let database = match database.is_empty() {
        true => user,
        false => database,
    };
    written.push(("database", json!(database)));
    let named = url.password().and_then(variable_in);
    Ok(DestinationAddress {
        kind: "postgres",
        written,
        shown: format!("{database} at {host}"),
        password: Some(DestinationPassword {
            variable: named.unwrap_or("WAREHOUSE_PASSWORD").to_owned(),
            was_shown: url.password().is_some() && named.is_none(),
        }),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

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
}
