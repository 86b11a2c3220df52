//! The right to ask a catalog: none, a token, a token that is asked for, or a signature of AWS's.

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use reqwest::{Client, Method, Request};
use serde::Deserialize;
use tokio::sync::{Mutex, OnceCell};
use tokio::time::Instant;
use tributary_model::{Error, ErrorKind, Result, Secret};

use super::http::run;
use tributary_store::Settings;

/// How long before its end a token is asked for anew.
const MARGIN: Duration = Duration::from_secs(60);
/// How long a token lasts of which nothing is said.
const USUALLY: Duration = Duration::from_secs(3600);

/// Who we are to a catalog.
#[derive(Debug)]
pub(crate) enum Auth {
    /// Nobody.
    None,
    /// Someone with a token.
    Token(Secret),
    /// Someone who is given tokens.
    Client(OAuth),
    /// Someone AWS knows.
    Aws(Box<Aws>),
}

/// Whether a right that is there may be used once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refresh {
    Yes,
    No,
}

/// Tokens for a client's credentials.
#[derive(Debug)]
pub(crate) struct OAuth {
    /// Where tokens are given; by default the catalog itself gives them.
    server: Option<String>,
    id: String,
    secret: Secret,
    scope: String,
    current: Mutex<Option<(Secret, Instant)>>,
}

#[derive(Deserialize)]
struct Given {
    access_token: Secret,
    expires_in: Option<u64>,
}

/// Signatures.
#[derive(Debug)]
pub(crate) struct Aws {
    settings: Settings,
    service: &'static str,
    region: Option<String>,
    shared: OnceCell<SdkConfig>,
}

impl OAuth {
    /// `credential` is `id:secret`.
    pub(crate) fn new(
        server: Option<String>,
        credential: &Secret,
        scope: Option<String>,
    ) -> Result<Self> {
        let (id, secret) = credential.expose().split_once(':').ok_or_else(|| {
            Error::new(
                ErrorKind::Config,
                "`credential` of the catalog is not an identity and a secret",
            )
            .fix("Write `credential: ${CATALOG_CREDENTIAL}` with `id:secret` in the variable.")
        })?;
        Ok(Self {
            server,
            id: id.to_owned(),
            secret: Secret::new(secret),
            scope: scope.unwrap_or_else(|| "catalog".to_owned()),
            current: Mutex::new(None),
        })
    }

    async fn token(&self, client: &Client, uri: &str, refresh: Refresh) -> Result<Secret> {
        let mut current = self.current.lock().await;
        match &*current {
            Some((token, end)) if refresh == Refresh::No && Instant::now() < *end => {
                Ok(token.clone())
            }
            _ => {
                let given = self.ask(client, uri).await?;
                let lasts = given.expires_in.map_or(USUALLY, Duration::from_secs);
                let end = Instant::now() + lasts.saturating_sub(MARGIN);
                *current = Some((given.access_token.clone(), end));
                Ok(given.access_token)
            }
        }
    }

    async fn ask(&self, client: &Client, uri: &str) -> Result<Given> {
        let own = format!("{uri}/v1/oauth/tokens");
        let server = self.server.as_deref().unwrap_or(&own);
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &self.id),
            ("client_secret", self.secret.expose()),
            ("scope", &self.scope),
        ];
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let request = client
            .request(Method::POST, server)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
            .build()
            .map_err(|_| {
                Error::new(
                    ErrorKind::Config,
                    "`oauth2_server_uri` of the catalog is not an address",
                )
                .fix("Write the whole address at which tokens are given.")
            })?;
        let reply = run(client, request).await?;
        if !reply.status.is_success() {
            let kind = match reply.status.as_u16() {
                429 => ErrorKind::Throttled(None),
                500.. => ErrorKind::Unavailable,
                _ => ErrorKind::Access,
            };
            let message = format!("{server} gave no token ({})", reply.status);
            return Err(Error::new(kind, message)
                .because(reply.message())
                .fix("Correct `credential`, `scope` and `oauth2_server_uri` of the catalog."));
        }
        serde_json::from_slice(&reply.body).map_err(|_| {
            // What it says may be a secret.
            Error::new(
                ErrorKind::Malformed,
                format!("what {server} gave is no token"),
            )
        })
    }
}

impl Aws {
    pub(crate) fn new(settings: Settings, service: &'static str, region: Option<String>) -> Self {
        Self {
            settings,
            service,
            region,
            shared: OnceCell::new(),
        }
    }

    async fn sign(&self, request: &mut Request) -> Result<()> {
        let shared = self
            .shared
            .get_or_init(|| tributary_store::shared(&self.settings))
            .await;
        let region = self
            .region
            .clone()
            .or_else(|| Some(shared.region()?.to_string()));
        let region = region.ok_or_else(|| {
            Error::new(ErrorKind::Config, "the region of the catalog is not known")
                .fix("Set `region`.")
        })?;
        let nobody = || {
            Error::new(
                ErrorKind::Access,
                "there are no credentials for the catalog",
            )
            .fix("Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or attach a role.")
        };
        let provider = shared.credentials_provider().ok_or_else(nobody)?;
        let credentials = provider.provide_credentials().await;
        let identity = credentials.map_err(|cause| nobody().because(cause))?.into();
        let mistake = || Error::bug("a request to the catalog can't be signed");
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&region)
            .name(self.service)
            .time(SystemTime::from(tributary_model::now()))
            .settings(SigningSettings::default())
            .build()
            .map_err(|cause| mistake().because(cause))?;
        let headers = request.headers().iter();
        let headers =
            headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let body = request
            .body()
            .and_then(|body| body.as_bytes())
            .unwrap_or_default();
        let (method, url) = (request.method().as_str(), request.url().as_str());
        let signable = SignableRequest::new(method, url, headers, SignableBody::Bytes(body));
        let signable = signable.map_err(|cause| mistake().because(cause))?;
        let signed = sign(signable, &params.into()).map_err(|cause| mistake().because(cause))?;
        let (instructions, _) = signed.into_parts();
        for (name, value) in instructions.headers() {
            let name = HeaderName::try_from(name).map_err(|cause| mistake().because(cause))?;
            let value = HeaderValue::try_from(value).map_err(|cause| mistake().because(cause))?;
            request.headers_mut().insert(name, value);
        }
        Ok(())
    }
}

impl Auth {
    pub(super) fn can_refresh(&self) -> bool {
        match self {
            Self::Client(_) => true,
            // Signatures are made anew each time; the chain renews what they are made with.
            Self::None | Self::Token(_) | Self::Aws(_) => false,
        }
    }

    /// Gives a request the right to be answered.
    pub(super) async fn authorize(
        &self,
        client: &Client,
        uri: &str,
        request: &mut Request,
        refresh: Refresh,
    ) -> Result<()> {
        let token = match self {
            Self::None => return Ok(()),
            Self::Aws(aws) => return aws.sign(request).await,
            Self::Token(token) => token.clone(),
            Self::Client(client_credentials) => {
                client_credentials.token(client, uri, refresh).await?
            }
        };
        let mut value =
            HeaderValue::try_from(format!("Bearer {}", token.expose())).map_err(|_| {
                Error::new(
                    ErrorKind::Config,
                    "`token` of the catalog holds characters that no token has",
                )
                .fix("Look for a line break at its end.")
            })?;
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
        Ok(())
    }
}
