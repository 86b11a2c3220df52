//! Exchanges from files: what was asked, and what was answered.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};

use crate::fields::{Fields, entries, text};
use crate::http::Call;
use crate::problem::Log;
use crate::yaml::{self, Node, Yaml};

/// What fixtures hold.
#[derive(Debug, Default)]
pub(super) struct Script {
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
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    exchanges: Vec<(Exchange, bool)>,
    unknown: Vec<String>,
}

impl Script {
    pub(super) fn extend(&mut self, more: Self) {
        self.settings.extend(more.settings);
        self.exchanges.extend(more.exchanges);
        self.expected.extend(more.expected);
    }
}

impl Recorded {
    pub(super) fn new(exchanges: Vec<Exchange>) -> Self {
        let exchanges = exchanges
            .into_iter()
            .map(|exchange| (exchange, false))
            .collect();
        Self {
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
        let headers = pairs(fields.take("headers"), log);
        let status = fields
            .take("status")
            .and_then(|node| node.to_json().as_u64());
        let answer = fields.take("answer").map_or_else(Vec::new, answer);
        fields.close(log);
        Some(Self {
            method,
            path,
            params,
            status: status
                .and_then(|status| u16::try_from(status).ok())
                .unwrap_or(200),
            headers: headers
                .into_iter()
                .map(|(name, value)| (name.to_lowercase(), Value::from(value)))
                .collect(),
            answer,
        })
    }
}

/// A body: a text as it is, anything else as JSON.
fn answer(node: &Node) -> Vec<u8> {
    match &node.value {
        Yaml::Text(text) => text.clone().into_bytes(),
        _ => node.to_json().to_string().into_bytes(),
    }
}
