//! What a request carries so that the API knows who asks.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{HeaderName, HeaderValue};
use tributary_model::{Error, ErrorKind, Result, Secret, Vault};

use crate::manifest::auth::AuthSpec;
use crate::manifest::request::Pairs;
use crate::template::Scope;

use super::call::missing;
use super::decide::Renewable;
use super::oauth::OAuth;
use super::origin::Origin;
use super::token::Token;

/// The way that applies, with the user's settings filled in.
#[derive(Debug)]
pub(crate) enum Auth {
    None,
    Headers(Vec<(String, Secret)>),
    Params(Vec<(String, Secret)>),
    Token(Box<OAuth>),
}

impl Auth {
    /// The first way whose settings are all there.
    pub(crate) fn choose(specs: &[AuthSpec], scope: &Scope<'_>, origin: &Origin) -> Result<Self> {
        let is_set = |name: &String| scope.config.is_some_and(|config| config.contains_key(name));
        let ready = |spec: &&AuthSpec| spec.settings().iter().all(is_set);
        match specs.iter().find(ready) {
            Some(spec) => Self::new(spec, scope, origin),
            None if specs.is_empty() => Ok(Self::None),
            None => Err(incomplete(specs)),
        }
    }

    fn new(spec: &AuthSpec, scope: &Scope<'_>, origin: &Origin) -> Result<Self> {
        let authorization =
            |text: String| Self::Headers(vec![("authorization".to_owned(), Secret::new(text))]);
        let text = |template: &crate::template::Template| {
            Ok::<_, Error>(template.render(scope).map_err(missing)?.unwrap_or_default())
        };
        Ok(match spec {
            AuthSpec::None => Self::None,
            AuthSpec::Bearer(token) => authorization(format!("Bearer {}", text(token)?)),
            AuthSpec::Basic(user, password) => {
                let pair = format!("{}:{}", text(user)?, text(password)?);
                authorization(format!("Basic {}", STANDARD.encode(pair)))
            }
            AuthSpec::Header(pairs) => Self::Headers(secrets(pairs, scope)?),
            AuthSpec::Query(pairs) => Self::Params(secrets(pairs, scope)?),
            AuthSpec::OAuth2(spec) => Self::Token(Box::new(OAuth::new(spec, scope, origin)?)),
        })
    }

    /// Takes the place where tokens that replace each other are kept.
    pub(crate) fn keep_in(&mut self, vault: Arc<dyn Vault>) {
        if let Self::Token(oauth) = self {
            oauth.keep_in(vault);
        }
    }

    pub(crate) fn renewable(&self) -> Renewable {
        match self {
            Self::Token(_) => Renewable::Yes,
            Self::None | Self::Headers(_) | Self::Params(_) => Renewable::No,
        }
    }

    /// The token to use now, where there is one; fetched where there is none that lasts.
    pub(crate) async fn token(&self, http: &reqwest::Client) -> Result<Option<Arc<Token>>> {
        match self {
            Self::Token(oauth) => oauth.token(http).await.map(Some),
            Self::None | Self::Headers(_) | Self::Params(_) => Ok(None),
        }
    }

    /// Fetches a token in place of one that the API no longer takes.
    pub(crate) async fn renew(&self, http: &reqwest::Client, stale: &Token) -> Result<()> {
        match self {
            Self::Token(oauth) => oauth.renew(http, stale).await,
            Self::None | Self::Headers(_) | Self::Params(_) => Ok(()),
        }
    }

    /// Puts it on a request.
    pub(crate) fn sign(&self, request: &mut reqwest::Request, token: Option<&Token>) -> Result<()> {
        match self {
            Self::None => {}
            Self::Headers(headers) => {
                for (name, value) in headers {
                    set_header(request, name, value)?;
                }
            }
            Self::Params(params) => {
                for (name, value) in params {
                    request
                        .url_mut()
                        .query_pairs_mut()
                        .append_pair(name, value.expose());
                }
            }
            Self::Token(_) => {
                if let Some(token) = token {
                    let bearer = Secret::new(format!("Bearer {}", token.access.expose()));
                    set_header(request, "authorization", &bearer)?;
                }
            }
        }
        Ok(())
    }
}

fn set_header(request: &mut reqwest::Request, name: &str, value: &Secret) -> Result<()> {
    let name = HeaderName::try_from(name);
    let value = HeaderValue::try_from(value.expose());
    let (Ok(name), Ok(mut value)) = (name, value) else {
        // G8: the value itself is not repeated.
        return Err(Error::new(
            ErrorKind::Config,
            "the credential holds a character that no header can carry",
        )
        .fix("Look for a line's end or a space that was copied along with it."));
    };
    value.set_sensitive(true);
    request.headers_mut().insert(name, value);
    Ok(())
}

fn secrets(pairs: &Pairs, scope: &Scope<'_>) -> Result<Vec<(String, Secret)>> {
    let mut secrets = Vec::new();
    for (name, template) in pairs {
        if let Some(text) = template.render(scope).map_err(missing)? {
            secrets.push((name.clone(), Secret::new(text)));
        }
    }
    Ok(secrets)
}

fn incomplete(specs: &[AuthSpec]) -> Error {
    let ways: Vec<String> = specs
        .iter()
        .map(|spec| spec.settings())
        .map(|names| {
            names
                .iter()
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(", ")
        })
        .collect();
    Error::new(ErrorKind::Config, "the source has no complete credential")
        .fix(format!("Set {}.", ways.join("; or ")))
}
