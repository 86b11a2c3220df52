//! The address of a database's server as typed: who, where, which database.
//!
//! Invariant: no error repeats an address, which may hold a password. // G8

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tributary_model::{Error, Result, Secret};
use url::Url;

use crate::exit::usage;

/// How the address of an end is written.
#[derive(Debug)]
pub(super) struct Form {
    /// `source` or `destination`.
    pub(super) end: &'static str,
    pub(super) help: &'static str,
    /// Where a server listens that the address says no port of.
    pub(super) port: u16,
}

/// A server and how to log in to it.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) host: String,
    pub(super) user: String,
    /// Empty where the address names none.
    pub(super) database: String,
    pub(super) password: Password,
    port: u16,
    url: Url,
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

impl Server {
    pub(super) fn read(text: &str, form: &Form) -> Result<Self> {
        let url = Url::parse(text).map_err(|why| form.wrong("can't be read").because(why))?;
        let decode = |text: &str| form.decode(text);
        let host = decode(url.host_str().unwrap_or_default().trim_matches(['[', ']']))?;
        let user = decode(url.username())?;
        if host.is_empty() || user.is_empty() {
            return Err(form.wrong("needs a user and a host"));
        }
        let password = match url.password() {
            None => Password::Unsaid,
            Some(written) => match variable_in(written) {
                Some(name) => Password::Variable(name.to_owned()),
                None => Password::Given(Secret::new(decode(written)?)),
            },
        };
        Ok(Self {
            host,
            user,
            password,
            database: decode(url.path().trim_matches('/'))?,
            port: url.port().unwrap_or(form.port),
            url,
        })
    }

    /// What to write down of it besides the password and the database.
    pub(super) fn written(&self) -> Vec<(&'static str, Value)> {
        if self.url.query().is_none() {
            return vec![
                ("host", json!(self.host)),
                ("port", json!(self.port)),
                ("user", json!(self.user)),
            ];
        }
        // Its options are the connector's to read.
        let mut bare = self.url.clone();
        let _ = bare.set_password(None);
        bare.set_path("");
        vec![("url", json!(bare.as_str()))]
    }
}

impl Form {
    fn wrong(&self, what: &str) -> Error {
        usage(format!("the {}'s address {what}", self.end)).fix(self.help)
    }

    fn decode(&self, text: &str) -> Result<String> {
        let decoded = percent_decode_str(text).decode_utf8();
        let decoded = decoded.map(std::borrow::Cow::into_owned);
        decoded.map_err(|_| self.wrong("holds a `%` that does not stand for UTF-8"))
    }
}

/// The name in `${NAME}`, as it stands in a parsed address: with its braces in hexadecimal. A
/// password that begins so is written with `%24` for its `$`.
fn variable_in(written: &str) -> Option<&str> {
    let name = written.strip_prefix("$%7B")?.strip_suffix("%7D")?;
    let proper = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    proper.then_some(name)
}
