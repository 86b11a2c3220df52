//! A manifest: an API, described. Read from YAML, checked whole, every mistake at once.
//!
//! The vocabulary is closed: a word that is not known is a mistake, with its place and the word that
//! was probably meant. Deliberately absent: expressions, and the schemas of records, which come from
//! the records.

pub(crate) mod auth;
pub(crate) mod cursor;
pub(crate) mod each;
pub(crate) mod feed;
pub(crate) mod job;
pub(crate) mod limit;
pub(crate) mod pager;
pub(crate) mod request;
pub(crate) mod rule;
pub(crate) mod settings;
pub(crate) mod stream;
mod vet;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cond::Cond;
use crate::fields::{Fields, entries, text, texts};
use crate::problem::{Log, Problems, instead};
use crate::template::Template;
use crate::yaml::{self, Node, Yaml};

use auth::AuthSpec;
use feed::FeedSpec;
use limit::LimitSpec;
use request::{Pairs, RequestSpec, pairs, template};
use rule::Rule;
use settings::Setting;
use stream::StreamSpec;

/// An API, described.
#[derive(Clone, Debug)]
pub struct Manifest {
    pub(crate) name: String,
    pub(crate) settings: Vec<(String, Setting)>,
    pub(crate) base: Template,
    /// Other hosts that answers may lead to; credentials never go there.
    pub(crate) hosts: Vec<String>,
    pub(crate) auth: Vec<AuthSpec>,
    pub(crate) headers: Pairs,
    pub(crate) limits: Vec<LimitSpec>,
    pub(crate) errors: Vec<Rule>,
    pub(crate) check: Vec<Probe>,
    /// Whose data it is: cursors of one realm never serve another.
    pub(crate) realm: Option<Template>,
    pub(crate) feeds: BTreeMap<String, FeedSpec>,
    pub(crate) streams: BTreeMap<String, Arc<StreamSpec>>,
}

/// A request that tells whether the source can be read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Probe {
    pub(crate) request: RequestSpec,
    pub(crate) expect: Option<Cond>,
    /// What it proves, for people.
    pub(crate) proves: String,
}

/// Levels of `is`. // G6
const MAX_KINDS: usize = 4;

impl Manifest {
    /// Reads a manifest; `file` is its name in reports.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn parse(file: &str, text: &str) -> Result<Self, Problems> {
        let mut log = Log::default();
        let manifest = yaml::read(text, &mut log).and_then(|node| Self::read(&node, &mut log));
        match manifest {
            Some(manifest) if log.is_empty() => Ok(manifest),
            _ => Err(log.close(file)),
        }
    }

    fn read(node: &Node, log: &mut Log) -> Option<Self> {
        let mut fields = Fields::open(node, "a manifest", log)?;
        let name = fields.need("name", log).and_then(|node| text(node, log));
        let base = fields
            .need("base", log)
            .and_then(|node| template(node, log));
        let settings = read_settings(fields.take("config"), log);
        let kinds = fields.take("kinds");
        let feeds = read_feeds(fields.take("feeds"), kinds, log);
        let mut streams = read_streams(fields.need("streams", log), kinds, log);
        name_the_only_feed(&mut streams, &feeds);
        let manifest = Self {
            name: name.unwrap_or_default(),
            settings,
            hosts: fields
                .take("hosts")
                .map_or_else(Vec::new, |node| texts(node, log)),
            auth: fields
                .take("auth")
                .map_or_else(Vec::new, |node| AuthSpec::read_all(node, log)),
            headers: pairs(fields.take("headers"), log),
            limits: list(fields.take("limits"), log, LimitSpec::read),
            errors: list(fields.take("errors"), log, Rule::read),
            check: list(fields.take("check"), log, Probe::read),
            realm: fields.take("realm").and_then(|node| template(node, log)),
            feeds,
            streams,
            // The last, since all words must have been asked for before any is said to be unknown.
            base: match base {
                Some(base) => base,
                None => {
                    fields.close(log);
                    return None;
                }
            },
        };
        fields.close(log);
        vet::vet(&manifest, log);
        Some(manifest)
    }

    /// The stream of this name.
    pub(crate) fn stream(&self, name: &str) -> Option<&Arc<StreamSpec>> {
        self.streams.get(name)
    }
}

fn list<T>(
    node: Option<&Node>,
    log: &mut Log,
    read: impl Fn(&Node, &mut Log) -> Option<T>,
) -> Vec<T> {
    let items = node.map_or(&[][..], crate::fields::items);
    items.iter().filter_map(|item| read(item, log)).collect()
}

fn read_settings(node: Option<&Node>, log: &mut Log) -> Vec<(String, Setting)> {
    let mut settings = settings::everywhere();
    for (key, value) in node.map_or(&[][..], |node| entries(node, log)) {
        let Some(setting) = Setting::read(value, log) else {
            continue;
        };
        settings.retain(|(had, _)| *had != key.name);
        settings.push((key.name.clone(), setting));
    }
    settings
}

fn read_feeds(
    node: Option<&Node>,
    kinds: Option<&Node>,
    log: &mut Log,
) -> BTreeMap<String, FeedSpec> {
    let mut feeds = BTreeMap::new();
    for (key, value) in node.map_or(&[][..], |node| entries(node, log)) {
        let whole = with_kinds(value.clone(), kinds, log, 0);
        if let Some(feed) = FeedSpec::read(&key.name, &whole, log) {
            feeds.insert(key.name.clone(), feed);
        }
    }
    feeds
}

fn read_streams(
    node: Option<&Node>,
    kinds: Option<&Node>,
    log: &mut Log,
) -> BTreeMap<String, Arc<StreamSpec>> {
    let mut streams = BTreeMap::new();
    for (key, value) in node.map_or(&[][..], |node| entries(node, log)) {
        let whole = with_items(with_kinds(value.clone(), kinds, log, 0));
        let mut inner = Vec::new();
        let own = StreamSpec::read(&key.name, &whole, log, &mut inner);
        for spec in own.into_iter().chain(inner) {
            if streams.contains_key(&spec.name) {
                log.add(key.at, format!("there are two streams `{}`", spec.name));
            }
            streams.insert(spec.name.clone(), Arc::new(spec));
        }
    }
    streams
}

/// A stream that follows a feed need not say which where there is only one.
fn name_the_only_feed(
    streams: &mut BTreeMap<String, Arc<StreamSpec>>,
    feeds: &BTreeMap<String, FeedSpec>,
) {
    let mut names = feeds.keys();
    let (Some(only), None) = (names.next(), names.next()) else {
        return;
    };
    for spec in streams.values_mut() {
        let unnamed = spec.feed.as_ref().is_some_and(|feed| feed.of.is_empty());
        if unnamed && let Some(feed) = &mut Arc::make_mut(spec).feed {
            feed.of.clone_from(only);
        }
    }
}

/// Puts every mapping with `is:` over the kind that it names.
fn with_kinds(node: Node, kinds: Option<&Node>, log: &mut Log, depth: usize) -> Node {
    let Yaml::Map(entries) = node.value else {
        return node;
    };
    let inner = |name: &str| matches!(name, "nested" | "also");
    let entries = entries.into_iter().map(|(key, value)| match &value.value {
        Yaml::Map(_) if inner(&key.name) => (key, each_with_kinds(value, kinds, log)),
        _ => (key, value),
    });
    let node = Node {
        at: node.at,
        value: Yaml::Map(entries.collect()),
    };
    let Some(is) = node.get("is") else {
        return node;
    };
    let Some(name) = is.text() else {
        log.add(is.at, "`is` names a kind");
        return node;
    };
    let names = kinds.map_or(&[][..], |kinds| match &kinds.value {
        Yaml::Map(entries) => entries,
        _ => &[],
    });
    let Some(kind) = kinds.and_then(|kinds| kinds.get(name)) else {
        let known = names.iter().map(|(key, _)| key.name.as_str());
        log.help(
            is.at,
            format!("there is no kind `{name}`"),
            instead(name, known),
        );
        return node;
    };
    if depth >= MAX_KINDS {
        log.add(
            is.at,
            "kinds build on each other too deeply, or in a circle",
        );
        return node;
    }
    let base = with_kinds(kind.clone(), kinds, log, depth + 1);
    node.over(&base)
}

fn each_with_kinds(node: Node, kinds: Option<&Node>, log: &mut Log) -> Node {
    let Yaml::Map(entries) = node.value else {
        return node;
    };
    let entries = entries
        .into_iter()
        .map(|(key, value)| (key, with_kinds(value, kinds, log, 0)));
    Node {
        at: node.at,
        value: Yaml::Map(entries.collect()),
    }
}

/// Puts the name of the list that the records are in where a parameter says `{items}`: so that a kind
/// can name it for all its streams.
fn with_items(mut node: Node) -> Node {
    let records = node.get("records").and_then(Node::text).unwrap_or_default();
    let list = records.split("[]").next().unwrap_or_default().to_owned();
    let Yaml::Map(entries) = &mut node.value else {
        return node;
    };
    let params = entries.iter_mut().find(|(key, _)| key.name == "params");
    if let Some((
        _,
        Node {
            value: Yaml::Map(params),
            ..
        },
    )) = params
    {
        for (_, param) in params {
            if let Yaml::Text(text) = &mut param.value {
                *text = text.replace("{items}", &list);
            }
        }
    }
    node
}

impl Probe {
    fn read(node: &Node, log: &mut Log) -> Option<Self> {
        let mut fields = Fields::open(node, "a check", log)?;
        let at = fields.at;
        let request = RequestSpec::take(&mut fields, log);
        let expect = fields.take("expect").and_then(|node| Cond::read(node, log));
        let proves = fields.take("proves").and_then(|node| text(node, log));
        fields.close(log);
        if request.is_none() {
            log.add(at, "a check needs `get` or `post`");
        }
        Some(Self {
            request: request?,
            expect,
            proves: proves.unwrap_or_else(|| "the API answers".to_owned()),
        })
    }
}
