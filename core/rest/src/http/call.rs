//! One request, filled in.

use serde_json::{Map, Value};
use tributary_model::{Error, ErrorKind, Result};
use url::Url;

use crate::manifest::request::{Body, Method, Pairs, RequestSpec, Target};
use crate::path::Path;
use crate::template::{Missing, Scope};

use super::origin::Origin;

/// A request that can be sent.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) url: Url,
    /// Whether it goes to the API itself, which gets the credential.
    pub(crate) is_own: bool,
    /// The path below the base, for limits and messages.
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) sent: Option<Sent>,
    pub(crate) refusals: Refusals,
}

/// What becomes of an answer by which the API refuses a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusals {
    /// An error, which is all that the one who asks learns.
    Fail,
    /// It is handed to the one who asks, like a page.
    Told,
}

/// What is sent along.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Sent {
    Json(Value),
    Form(Vec<(String, String)>),
}

impl Call {
    /// Fills a request in.
    pub(crate) fn new(origin: &Origin, spec: &RequestSpec, scope: &Scope<'_>) -> Result<Self> {
        let path = spec
            .path
            .render_path(scope)
            .map_err(missing)?
            .unwrap_or_default();
        let mut call = Self::to(origin, spec.method, &path)?;
        call.headers = render(&spec.headers, scope)?;
        for (name, value) in render(&spec.params, scope)? {
            call.url.query_pairs_mut().append_pair(&name, &value);
        }
        call.sent = match &spec.body {
            None => None,
            Some(Body::Form(pairs)) => Some(Sent::Form(render(pairs, scope)?)),
            Some(Body::Json(part)) => {
                let value = part.render(scope).map_err(missing)?;
                Some(Sent::Json(
                    value.unwrap_or_else(|| Value::Object(Map::new())),
                ))
            }
        };
        Ok(call)
    }

    /// A bare request.
    pub(crate) fn to(origin: &Origin, method: Method, path: &str) -> Result<Self> {
        let allowed = origin.resolve(path)?;
        let shown = match path.contains("://") {
            true => allowed.url.path().to_owned(),
            false => path.split(['?', '#']).next().unwrap_or(path).to_owned(),
        };
        Ok(Self {
            method,
            url: allowed.url,
            is_own: allowed.is_own,
            path: shown,
            headers: Vec::new(),
            sent: None,
            refusals: Refusals::Fail,
        })
    }

    /// The same request at an address that an answer named.
    pub(crate) fn go_to(&mut self, origin: &Origin, url: &str) -> Result<()> {
        let whole = match self.url.join(url) {
            Ok(joined) if !url.contains("://") => joined.to_string(),
            _ => url.to_owned(),
        };
        let allowed = origin.resolve(&whole)?;
        self.url = allowed.url;
        self.is_own = allowed.is_own;
        Ok(())
    }

    /// Sends parameters besides those there are.
    pub(crate) fn add(&mut self, pairs: &Pairs, scope: &Scope<'_>) -> Result<()> {
        for (name, value) in render(pairs, scope)? {
            self.url.query_pairs_mut().append_pair(&name, &value);
        }
        Ok(())
    }

    /// Puts a value where `target` says, beside those that are there.
    pub(crate) fn append(&mut self, target: &Target, value: &str) {
        match target {
            Target::Param(name) => {
                self.url.query_pairs_mut().append_pair(name, value);
            }
            Target::Body(path) => self.set_in_body(path, value),
        }
    }

    /// Puts a value where `target` says, in place of what is there.
    pub(crate) fn set(&mut self, target: &Target, value: &str) {
        if let Target::Param(name) = target {
            let kept: Vec<(String, String)> = self
                .url
                .query_pairs()
                .filter(|(had, _)| had != name)
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect();
            self.url.set_query(None);
            for (name, value) in kept {
                self.url.query_pairs_mut().append_pair(&name, &value);
            }
        }
        self.append(target, value);
    }

    fn set_in_body(&mut self, path: &Path, text: &str) {
        let number = text.parse::<u64>().ok().map(Value::from);
        match self
            .sent
            .get_or_insert_with(|| Sent::Json(Value::Object(Map::new())))
        {
            Sent::Form(pairs) => pairs.push((path.to_string(), text.to_owned())),
            Sent::Json(body) => {
                let mut at = body;
                for step in path.steps() {
                    if !at.is_object() {
                        *at = Value::Object(Map::new());
                    }
                    at = &mut at[step.as_str()];
                }
                *at = number.unwrap_or_else(|| Value::from(text));
            }
        }
    }

    /// What is said of it in messages: never a parameter, which may be secret. // G8
    pub(crate) fn label(&self) -> String {
        format!("{} {}", self.method.as_str(), self.path)
    }
}

fn render(pairs: &Pairs, scope: &Scope<'_>) -> Result<Vec<(String, String)>> {
    let mut rendered = Vec::with_capacity(pairs.len());
    for (name, template) in pairs {
        if let Some(text) = template.render(scope).map_err(missing)? {
            rendered.push((name.clone(), text));
        }
    }
    Ok(rendered)
}

/// The error of a gap without a value.
pub(crate) fn missing(missing: Missing) -> Error {
    let Missing(name) = missing;
    match name.strip_prefix("config.") {
        Some(setting) => Error::new(
            ErrorKind::Config,
            format!("the setting `{setting}` is missing"),
        )
        .fix(format!("Set `{setting}` on the source.")),
        None => Error::new(
            ErrorKind::Malformed,
            format!("a request needs `{name}`, and there is no such value"),
        ),
    }
}
