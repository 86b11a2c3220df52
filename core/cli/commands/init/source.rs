//! The address of a source as typed, turned into settings.

use serde_json::{Map, Value, json};
use tributary_config::Environment;
use tributary_model::{Result, Secret};

use super::server::{Form, Password, Server};
use super::unaddressed;
use crate::exit::usage;
use crate::registry;

const HELP: &str = "Write it like `mysql://reader@db.internal:3306/shop`.";
const MYSQL: Form = Form {
    end: "source",
    help: HELP,
    port: 3306,
};

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

/// Reads a source's address. Errors never repeat it: it may hold a password. // G8
pub(super) fn read(text: &str) -> Result<SourceAddress> {
    let (scheme, _) = text
        .split_once(':')
        .ok_or_else(|| usage("the source's address can't be read").fix(HELP))?;
    match scheme.trim().to_ascii_lowercase().as_str() {
        "mysql" | "mariadb" => mysql(Server::read(text, &MYSQL)?),
        other => Err(unaddressed(&MYSQL, other, &registry::kinds().sources)),
    }
}

fn mysql(server: Server) -> Result<SourceAddress> {
    let mut written = server.written();
    if !server.database.is_empty() {
        written.push(("databases", json!([server.database])));
    }
    let settings: Map<String, Value> = written
        .iter()
        .map(|(key, value)| ((*key).to_owned(), value.clone()))
        .collect();
    let host = server.host.split('.').next().unwrap_or_default();
    let name = [server.database.as_str(), host]
        .into_iter()
        .map(proper_name);
    let name = name.into_iter().find(|name| !name.is_empty());
    Ok(SourceAddress {
        kind: "mysql",
        name: name.unwrap_or_else(|| "source".to_owned()),
        settings: Value::Object(settings),
        written,
        password: server.password,
    })
}

/// What of `text` can be in a name.
fn proper_name(text: &str) -> String {
    let kept = text
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
    kept.collect::<String>().trim_matches('_').to_lowercase()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_mysql_address_becomes_settings() {
        let nothing = Environment::new();
        let address = read("mysql://me:p%40ss@db.internal/shop-eu").unwrap();
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
        let address = read("mariadb://me@10.0.0.1:3307?ssl-mode=DISABLED").unwrap();
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
            let address = read(text).unwrap();
            let secret = address.secret(&environment).unwrap();
            (address.variable(), secret.unwrap().expose().to_owned())
        };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(found("mysql://me@db/shop"), pair("SHOP_PASSWORD", "own"));
        assert_eq!(found("mysql://me@db/other"), pair("OTHER_PASSWORD", "any"));
        let named = found("mysql://me:${DB_PASSWORD}@db/shop");
        assert_eq!(named, pair("DB_PASSWORD", "p@s/s"));
        assert_eq!(found("MySQL://me@db/shop"), pair("SHOP_PASSWORD", "own"));
        let literal = found("mysql://me:%24%7BDB_PASSWORD%7D@db/shop");
        assert_eq!(literal, pair("SHOP_PASSWORD", "${DB_PASSWORD}"));
        let unset = read("mysql://me:${NO_SUCH}@db/shop").unwrap();
        let error = unset.secret(&environment).unwrap_err().to_string();
        assert!(error.contains("NO_SUCH is not set"), "{error}");
        let none = read("mysql://me@db/shop").unwrap();
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
            let error = read(text).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_kind_without_an_address_is_told_how_it_is_written_down() {
        let error = read("stripe:sk_live_hunter2").unwrap_err().to_string();
        assert!(error.contains("`tributary connectors stripe`"), "{error}");
        let error = read("strype://sk_live_hunter2").unwrap_err().to_string();
        assert!(error.contains("mysql://"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
