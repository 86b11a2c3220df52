//! One request and one reply, taken apart for a simulator.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::Value;

/// What a client asked.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// `GET`, in capitals.
    pub method: String,
    /// The path, decoded, without the query.
    pub path: String,
    /// The query's pairs in their order, decoded; names may repeat.
    pub query: Vec<(String, String)>,
    /// Headers, names in small letters.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// A header, by its name in small letters.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The first parameter of this name.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        find(&self.query, name)
    }

    /// All parameters of this name.
    pub fn params<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.query.iter().filter(move |(key, _)| key == name);
        named.map(|(_, value)| value.as_str())
    }

    /// The parts of the path between slashes.
    #[must_use]
    pub fn segments(&self) -> Vec<&str> {
        self.path
            .split('/')
            .filter(|part| !part.is_empty())
            .collect()
    }

    /// The body's field, whether it came as a form or as JSON.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<String> {
        if let Ok(Value::Object(fields)) = serde_json::from_slice(&self.body) {
            return match fields.get(name)? {
                Value::String(text) => Some(text.clone()),
                other => Some(other.to_string()),
            };
        }
        let mut pairs = url::form_urlencoded::parse(&self.body);
        pairs
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }
}

fn find<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = pairs.iter().find(|(key, _)| key == name);
    found.map(|(_, value)| value.as_str())
}

/// How a reply leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    /// All of it.
    #[default]
    Whole,
    /// The connection breaks after this many bytes of the body, which says it is longer.
    Cut(usize),
    /// In two halves with a pause between them.
    Slow(Duration),
    /// The connection breaks without an answer.
    Silent,
}

/// What a simulator answers.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Headers, names in small letters.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// How it leaves.
    pub manner: Manner,
}

impl Reply {
    /// A JSON document.
    #[must_use]
    pub fn json(status: u16, body: &Value) -> Self {
        let bytes = serde_json::to_vec(body).expect("a value can be written");
        Self::new(status, "application/json; charset=utf-8", bytes)
    }

    /// Plain text, as gateways and limiters answer.
    #[must_use]
    pub fn text(status: u16, body: impl Into<Cow<'static, str>>) -> Self {
        let body = body.into().into_owned().into_bytes();
        Self::new(status, "text/plain; charset=utf-8", body)
    }

    /// A page for people, as proxies and firewalls answer.
    #[must_use]
    pub fn html(status: u16, body: &str) -> Self {
        let page = format!("<!DOCTYPE html><html><body><h1>{body}</h1></body></html>");
        Self::new(status, "text/html; charset=utf-8", page.into_bytes())
    }

    /// Any body.
    #[must_use]
    pub fn new(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self {
            status,
            headers,
            body,
            manner: Manner::Whole,
        }
    }

    /// The same with a header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// The same, leaving in another manner.
    #[must_use]
    pub fn leaving(mut self, manner: Manner) -> Self {
        self.manner = manner;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_in_a_form_and_in_json() {
        let request = |body: &str| Request {
            body: body.as_bytes().to_vec(),
            ..Request::default()
        };
        let form = request("grant_type=refresh_token&refresh_token=a%2Bb");
        assert_eq!(form.field("refresh_token").as_deref(), Some("a+b"));
        let json = request(r#"{"refresh_token": "a+b", "expires_in": 300}"#);
        assert_eq!(json.field("refresh_token").as_deref(), Some("a+b"));
        assert_eq!(json.field("expires_in").as_deref(), Some("300"));
        assert_eq!(json.field("scope"), None);
    }
}
