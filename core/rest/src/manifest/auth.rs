//! How a request proves who asks.

use crate::fields::{Fields, duration, items, word, wrong};
use crate::problem::Log;
use crate::template::{Root, Template};
use crate::yaml::{Node, Yaml};

use super::request::{Pairs, pairs, template};

/// One way to prove it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum AuthSpec {
    None,
    Bearer(Template),
    Basic(Template, Template),
    Header(Pairs),
    Query(Pairs),
    OAuth2(Box<OAuthSpec>),
}

/// A token that is fetched, and renewed before it expires.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OAuthSpec {
    pub(crate) token_url: Template,
    pub(crate) grant: Grant,
    pub(crate) client_id: Option<Template>,
    pub(crate) client_secret: Option<Template>,
    pub(crate) client_in: ClientIn,
    pub(crate) send: Send,
    pub(crate) scope: Option<Template>,
    pub(crate) extra: Pairs,
    /// How long a token is used where the answer does not say, milliseconds.
    pub(crate) lasts: Option<i64>,
}

/// What is given for a token.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Grant {
    /// A token that may be replaced by a new one each time.
    RefreshToken(Template),
    /// The client's own name and secret.
    ClientCredentials,
    /// A statement signed with a private key: of a service account.
    JwtBearer { key: Template, claims: Pairs },
}

/// Where the client's name and secret go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ClientIn {
    #[default]
    Body,
    Basic,
}

/// How the request for a token is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Send {
    #[default]
    Form,
    Json,
}

impl AuthSpec {
    /// Reads one way or a list of ways, of which the first applies whose settings are all there.
    pub(crate) fn read_all(node: &Node, log: &mut Log) -> Vec<Self> {
        items(node)
            .iter()
            .filter_map(|item| Self::read(item, log))
            .collect()
    }

    fn read(node: &Node, log: &mut Log) -> Option<Self> {
        if node.text() == Some("none") {
            return Some(Self::None);
        }
        let mut fields = Fields::open(node, "`auth`", log)?;
        let ways = fields.any_of(&["bearer", "basic", "header", "query", "oauth2"]);
        let read = match ways.as_slice() {
            ["bearer"] => {
                let node = fields.take("bearer")?;
                template(node, log).map(Self::Bearer)
            }
            ["basic"] => basic(fields.take("basic")?, log),
            ["header"] => Some(Self::Header(pairs(fields.take("header"), log))),
            ["query"] => Some(Self::Query(pairs(fields.take("query"), log))),
            ["oauth2"] => {
                let node = fields.take("oauth2")?;
                OAuthSpec::read(node, log).map(|spec| Self::OAuth2(Box::new(spec)))
            }
            _ => wrong(node, "one of bearer, basic, header, query, oauth2", log),
        };
        fields.close(log);
        read
    }

    /// Every text with gaps in it.
    pub(crate) fn templates(&self) -> Vec<&Template> {
        match self {
            Self::None => Vec::new(),
            Self::Bearer(one) => vec![one],
            Self::Basic(user, password) => vec![user, password],
            Self::Header(pairs) | Self::Query(pairs) => pairs.iter().map(|(_, t)| t).collect(),
            Self::OAuth2(spec) => spec.templates(),
        }
    }

    /// The settings that it can't do without.
    pub(crate) fn settings(&self) -> Vec<String> {
        let templates = self.templates();
        let gaps = templates.iter().flat_map(|template| template.gaps());
        gaps.filter(|gap| gap.root == Root::Config && !gap.is_optional())
            .filter_map(|gap| gap.path.steps().first().cloned())
            .collect()
    }
}

fn basic(node: &Node, log: &mut Log) -> Option<AuthSpec> {
    let Yaml::List(parts) = &node.value else {
        return wrong(node, "a list of user and password", log);
    };
    let [user, password] = parts.as_slice() else {
        return wrong(node, "a list of user and password", log);
    };
    Some(AuthSpec::Basic(
        template(user, log)?,
        template(password, log)?,
    ))
}

impl OAuthSpec {
    fn read(node: &Node, log: &mut Log) -> Option<Self> {
        let mut fields = Fields::open(node, "`oauth2`", log)?;
        let token_url = fields
            .need("token_url", log)
            .and_then(|node| template(node, log));
        let grant = grant(&mut fields, log);
        let mut gaps = |key| fields.take(key).and_then(|node| template(node, log));
        let (client_id, client_secret) = (gaps("client_id"), gaps("client_secret"));
        let scope = gaps("scope");
        let places = [("body", ClientIn::Body), ("basic", ClientIn::Basic)];
        let client_in = fields
            .take("client_in")
            .and_then(|node| word(node, &places, log));
        let ways = [("form", Send::Form), ("json", Send::Json)];
        let send = fields.take("send").and_then(|node| word(node, &ways, log));
        let extra = pairs(fields.take("extra"), log);
        let lasts = fields.take("lasts").and_then(|node| duration(node, log));
        fields.close(log);
        Some(Self {
            token_url: token_url?,
            grant: grant?,
            client_id,
            client_secret,
            client_in: client_in.unwrap_or_default(),
            send: send.unwrap_or_default(),
            scope,
            extra,
            lasts,
        })
    }

    fn templates(&self) -> Vec<&Template> {
        let mut found = vec![&self.token_url];
        found.extend(&self.client_id);
        found.extend(&self.client_secret);
        found.extend(&self.scope);
        found.extend(self.extra.iter().map(|(_, template)| template));
        match &self.grant {
            Grant::RefreshToken(token) => found.push(token),
            Grant::ClientCredentials => {}
            Grant::JwtBearer { key, claims } => {
                found.push(key);
                found.extend(claims.iter().map(|(_, template)| template));
            }
        }
        found
    }
}

fn grant(fields: &mut Fields<'_>, log: &mut Log) -> Option<Grant> {
    let words = [
        ("refresh_token", 0),
        ("client_credentials", 1),
        ("jwt_bearer", 2),
    ];
    let node = fields.need("grant", log)?;
    match word(node, &words, log)? {
        0 => {
            let token = fields.need("refresh_token", log)?;
            template(token, log).map(Grant::RefreshToken)
        }
        1 => Some(Grant::ClientCredentials),
        _ => {
            let key = fields.need("key", log)?;
            Some(Grant::JwtBearer {
                key: template(key, log)?,
                claims: pairs(fields.take("claims"), log),
            })
        }
    }
}
