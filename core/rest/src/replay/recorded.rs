//! Exchanges from files: what was asked, and what was answered.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine;
use serde_json::{Map, Value};

use crate::fields::{Fields, entries, text};
use crate::http::{Call, Sent};
use crate::point::Point;
use crate::problem::Log;
use crate::yaml::{self, Node, Yaml};

/// What fixtures hold.
#[derive(Debug, Default)]
pub(super) struct Script {
    /// When the exchanges were recorded, milliseconds: it is that time again.
    pub(super) at: Option<Point>,
    pub(super) settings: Map<String, Value>,
    pub(super) exchanges: Vec<Exchange>,
    pub(super) expected: BTreeMap<String, Value>,
}

/// One question and its answer.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    method: &'static str,
    path: String,
    /// Parameters that must be there; others may.
    params: Vec<(String, String)>,
    /// Fields that must have been sent; others may.
    body: Option<Value>,
    status: u16,
    headers: Map<String, Value>,
    answer: Vec<u8>,
}

/// An answer that was told.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) headers: Map<String, Value>,
    pub(crate) body: Vec<u8>,
}

/// Exchanges, each of which is told once, in their order.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// The time that it is.
    pub(crate) at: Option<Point>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    exchanges: Vec<(Exchange, bool)>,
    unknown: Vec<String>,
}

impl Script {
    pub(super) fn extend(&mut self, more: Self) {
        self.at = self.at.max(more.at);
        self.settings.extend(more.settings);
        self.exchanges.extend(more.exchanges);
        self.expected.extend(more.expected);
    }
}

impl Recorded {
    pub(super) fn new(exchanges: Vec<Exchange>, at: Option<Point>) -> Self {
        let exchanges = exchanges
            .into_iter()
            .map(|exchange| (exchange, false))
            .collect();
        Self {
            at,
            kept: Mutex::new(Kept {
                exchanges,
                unknown: Vec::new(),
            }),
        }
    }

    /// The answer to a request: of the first exchange that fits and was not told yet.
    pub(crate) fn tell(&self, call: &Call) -> Told {
        let mut kept = self.kept();
        let asked = |name: &str, value: &str| {
            call.url
                .query_pairs()
                .any(|(key, has)| key == name && has == value)
        };
        let fits = |exchange: &Exchange| {
            exchange.method == call.method.as_str()
                && exchange.path == call.path
                && exchange
                    .params
                    .iter()
                    .all(|(name, value)| asked(name, value))
                && exchange
                    .body
                    .as_ref()
                    .is_none_or(|body| was_sent(body, call))
        };
        let found = kept
            .exchanges
            .iter_mut()
            .find(|(exchange, told)| !told && fits(exchange));
        if let Some((exchange, told)) = found {
            *told = true;
            return Told {
                status: exchange.status,
                headers: exchange.headers.clone(),
                body: exchange.answer.clone(),
            };
        }
        let query = call
            .url
            .query()
            .map_or_else(String::new, |query| format!("?{query}"));
        let asked = format!("{}{query}", call.label());
        kept.unknown.push(asked.clone());
        Told {
            status: 404,
            headers: Map::new(),
            body: format!("no recorded exchange fits {asked}").into_bytes(),
        }
    }

    /// Whether any exchange is about this path, whose gaps are stars.
    pub(crate) fn is_about(&self, path: &str) -> bool {
        let kept = self.kept();
        let mut exchanges = kept.exchanges.iter();
        exchanges.any(|(exchange, _)| tributary_model::matches(path, &exchange.path))
    }

    /// What did not go as the exchanges say.
    pub(super) fn complaints(&self) -> Vec<String> {
        let kept = self.kept();
        let unknown = kept
            .unknown
            .iter()
            .map(|asked| format!("no recorded exchange fits {asked}"));
        let untold = kept.exchanges.iter().filter(|(_, told)| !told);
        let untold = untold
            .map(|(exchange, _)| format!("nobody asked for {} {}", exchange.method, exchange.path));
        unknown.chain(untold).collect()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads one file of fixtures.
pub(super) fn read(text: &str, log: &mut Log) -> Option<Script> {
    let node = yaml::read(text, log)?;
    let mut fields = Fields::open(&node, "a fixture", log)?;
    let mut script = Script::default();
    if let Some(node) = fields.take("at") {
        script.at = time(node, log);
    }
    if let Some(node) = fields.take("settings") {
        for (key, value) in entries(node, log) {
            script.settings.insert(key.name.clone(), value.to_json());
        }
    }
    let exchanges = fields
        .take("exchanges")
        .map_or(&[][..], crate::fields::items);
    for node in exchanges {
        script.exchanges.extend(Exchange::read(node, log));
    }
    if let Some(node) = fields.take("expect") {
        for (key, value) in entries(node, log) {
            script.expected.insert(key.name.clone(), value.to_json());
        }
    }
    fields.close(log);
    Some(script)
}

impl Exchange {
    fn read(node: &Node, log: &mut Log) -> Option<Self> {
        let mut fields = Fields::open(node, "an exchange", log)?;
        let (get, post) = (fields.take("get"), fields.take("post"));
        let (method, path) = match (get, post) {
            (Some(node), None) => ("GET", text(node, log)?),
            (None, Some(node)) => ("POST", text(node, log)?),
            _ => {
                log.add(node.at, "an exchange is a `get` or a `post`");
                return None;
            }
        };
        let pairs = |node: Option<&Node>, log: &mut Log| {
            let entries = node.map_or(&[][..], |node| entries(node, log));
            let texts = entries.iter().filter_map(|(key, value)| {
                Some((key.name.clone(), text(value, &mut Log::default())?))
            });
            texts.collect::<Vec<_>>()
        };
        let params = pairs(fields.take("params"), log);
        let body = fields.take("body").map(Node::to_json);
        let headers = pairs(fields.take("headers"), log);
        let status = fields
            .take("status")
            .and_then(|node| node.to_json().as_u64());
        let packed = fields.take("base64").and_then(|node| packed(node, log));
        let answer = fields.take("answer").map_or_else(Vec::new, answer);
        fields.close(log);
        Some(Self {
            method,
            path,
            params,
            body,
            status: status
                .and_then(|status| u16::try_from(status).ok())
                .unwrap_or(200),
            headers: headers
                .into_iter()
                .map(|(name, value)| (name.to_lowercase(), Value::from(value)))
                .collect(),
            answer: packed.unwrap_or(answer),
        })
    }
}

fn time(node: &Node, log: &mut Log) -> Option<Point> {
    let read = crate::point::read(&text(node, log)?);
    if read.is_none() {
        log.add(node.at, "write a time such as `2024-06-01T00:00:00Z`");
    }
    read
}

/// Whether a request carried these fields.
fn was_sent(wanted: &Value, call: &Call) -> bool {
    match &call.sent {
        None => false,
        Some(Sent::Json(sent)) => holds(wanted, sent),
        Some(Sent::Form(pairs)) => {
            let sent = pairs
                .iter()
                .map(|(name, value)| (name.clone(), Value::from(value.as_str())));
            holds(wanted, &Value::Object(sent.collect()))
        }
    }
}

fn holds(wanted: &Value, sent: &Value) -> bool {
    match (wanted, sent) {
        (Value::Object(wanted), Value::Object(sent)) => wanted
            .iter()
            .all(|(name, value)| sent.get(name).is_some_and(|sent| holds(value, sent))),
        (wanted, sent) => wanted == sent,
    }
}

/// A body that is no text.
fn packed(node: &Node, log: &mut Log) -> Option<Vec<u8>> {
    let text: String = text(node, log)?.split_whitespace().collect();
    let bytes = base64::engine::general_purpose::STANDARD.decode(text);
    bytes
        .map_err(|why| log.add(node.at, format!("this is not Base64: {why}")))
        .ok()
}

/// A body: a text as it is, anything else as JSON.
fn answer(node: &Node) -> Vec<u8> {
    match &node.value {
        Yaml::Text(text) => text.clone().into_bytes(),
        _ => node.to_json().to_string().into_bytes(),
    }
}
