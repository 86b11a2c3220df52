//! A request as the manifest describes it.

use serde_json::{Map, Value};

use crate::fields::{Fields, entries, text};
use crate::path::Path;
use crate::problem::Log;
use crate::template::{Missing, Root, Scope, Template};
use crate::yaml::{Node, Yaml};

/// How it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
}

impl Method {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// Names and what is sent under them.
pub(crate) type Pairs = Vec<(String, Template)>;

/// A request with gaps.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RequestSpec {
    pub(crate) method: Method,
    /// Below the base, or a whole address that an answer named.
    pub(crate) path: Template,
    pub(crate) params: Pairs,
    pub(crate) headers: Pairs,
    pub(crate) body: Option<Body>,
}

/// What is sent along.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Body {
    Json(Part),
    Form(Pairs),
}

/// A JSON value with gaps.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Part {
    Value(Value),
    Gaps(Template),
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
}

/// Where in a request a value goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A parameter of the address.
    Param(String),
    /// A place in the JSON body: `body.page.after`.
    Body(Path),
}

impl Target {
    pub(crate) fn read(node: &Node, log: &mut Log) -> Option<Self> {
        let text = text(node, log)?;
        Some(match text.strip_prefix("body.") {
            Some(path) => Self::Body(Path::parse(path)),
            None => Self::Param(text),
        })
    }
}

impl RequestSpec {
    /// Takes a request out of a mapping that may hold more; `None` where it holds none.
    pub(crate) fn take(fields: &mut Fields<'_>, log: &mut Log) -> Option<Self> {
        let (get, post) = (fields.take("get"), fields.take("post"));
        let params = pairs(fields.take("params"), log);
        let headers = pairs(fields.take("headers"), log);
        let body = body(fields, log);
        let (method, node) = match (get, post) {
            (Some(node), None) => (Method::Get, node),
            (None, Some(node)) => (Method::Post, node),
            (Some(_), Some(node)) => {
                log.add(node.at, "a request is a `get` or a `post`, not both");
                return None;
            }
            (None, None) => return None,
        };
        let path = template(node, log)?;
        Some(Self {
            method,
            path,
            params,
            headers,
            body,
        })
    }

    /// Reads a mapping that is a request and nothing else.
    pub(crate) fn read(node: &Node, log: &mut Log) -> Option<Self> {
        let mut fields = Fields::open(node, "a request", log)?;
        let at = fields.at;
        let request = Self::take(&mut fields, log);
        fields.close(log);
        if request.is_none() && log.is_empty() {
            log.add(at, "a request needs `get` or `post`");
        }
        request
    }

    /// Every text with gaps in it.
    pub(crate) fn templates(&self) -> Vec<&Template> {
        let mut found = vec![&self.path];
        found.extend(self.params.iter().map(|(_, template)| template));
        found.extend(self.headers.iter().map(|(_, template)| template));
        match &self.body {
            Some(Body::Form(pairs)) => found.extend(pairs.iter().map(|(_, template)| template)),
            Some(Body::Json(part)) => part.collect(&mut found),
            None => {}
        }
        found
    }

    /// Whether it needs a value from `root`.
    pub(crate) fn uses(&self, root: Root) -> bool {
        self.templates().iter().any(|template| template.uses(root))
    }
}

impl Part {
    pub(crate) fn read(node: &Node, log: &mut Log) -> Option<Self> {
        Some(match &node.value {
            Yaml::Text(text) if text.contains('{') => {
                Self::Gaps(Template::parse(text, node.at, log)?)
            }
            Yaml::List(items) => Self::List(
                items
                    .iter()
                    .filter_map(|item| Self::read(item, log))
                    .collect(),
            ),
            Yaml::Map(fields) => {
                let read = fields
                    .iter()
                    .filter_map(|(key, value)| Some((key.name.clone(), Self::read(value, log)?)));
                Self::Map(read.collect())
            }
            _ => Self::Value(node.to_json()),
        })
    }

    /// The value; `None` where a gap that may be empty is.
    pub(crate) fn render(&self, scope: &Scope<'_>) -> Result<Option<Value>, Missing> {
        Ok(Some(match self {
            Self::Value(value) => value.clone(),
            Self::Gaps(template) => return template.value(scope),
            Self::List(parts) => {
                let mut items = Vec::new();
                for part in parts {
                    items.extend(part.render(scope)?);
                }
                Value::Array(items)
            }
            Self::Map(parts) => {
                let mut fields = Map::new();
                for (name, part) in parts {
                    if let Some(value) = part.render(scope)? {
                        fields.insert(name.clone(), value);
                    }
                }
                Value::Object(fields)
            }
        }))
    }

    fn collect<'t>(&'t self, found: &mut Vec<&'t Template>) {
        match self {
            Self::Value(_) => {}
            Self::Gaps(template) => found.push(template),
            Self::List(parts) => parts.iter().for_each(|part| part.collect(found)),
            Self::Map(parts) => parts.iter().for_each(|(_, part)| part.collect(found)),
        }
    }
}

fn body(fields: &mut Fields<'_>, log: &mut Log) -> Option<Body> {
    match (fields.take("body"), fields.take("form")) {
        (Some(node), None) => Part::read(node, log).map(Body::Json),
        (None, Some(node)) => Some(Body::Form(pairs(Some(node), log))),
        (Some(_), Some(node)) => {
            log.add(node.at, "a request sends a `body` or a `form`, not both");
            None
        }
        (None, None) => None,
    }
}

/// A text with gaps.
pub(crate) fn template(node: &Node, log: &mut Log) -> Option<Template> {
    let text = text(node, log)?;
    Template::parse(&text, node.at, log)
}

/// Names and texts with gaps; a list sends its name several times.
pub(crate) fn pairs(node: Option<&Node>, log: &mut Log) -> Pairs {
    let mut pairs = Vec::new();
    for (key, value) in node.map_or(&[][..], |node| entries(node, log)) {
        for item in crate::fields::items(value) {
            if item.value != Yaml::Null {
                pairs.extend(template(item, log).map(|template| (key.name.clone(), template)));
            }
        }
    }
    pairs
}
