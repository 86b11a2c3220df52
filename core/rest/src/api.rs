//! An API that can be read: a manifest with its user's settings filled in.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tributary_model::{
    Catalog, Error, ErrorKind, Output, ReadRequest, Report, Result, Secret, State, StreamName,
    Until, Vault, now,
};

use crate::cursor::Cursor;
use crate::http::auth::Auth;
use crate::http::{Client, Limits, Origin, Parts, missing};
use crate::manifest::Manifest;
use crate::manifest::settings::{self, Kind};
use crate::manifest::stream::{self, StreamSpec};
use crate::point::{self, Point};
use crate::read::Reader;
use crate::replay::Recorded;
use crate::sheet::Layout;
use crate::template::Scope;

/// How long a reading that goes on rests between two rounds.
const ROUND: Duration = Duration::from_secs(60);

/// An API that can be read.
#[derive(Debug)]
pub struct Api {
    inner: Inner,
}

/// What reading needs.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) manifest: Manifest,
    pub(crate) client: Client,
    pub(crate) config: Map<String, Value>,
    /// What lies before this is not read, milliseconds.
    pub(crate) start: Point,
    /// Whose data it is.
    pub(crate) realm: Option<String>,
}

impl Api {
    /// Fills a manifest in; contacts nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] where settings are missing or can't be meant.
    pub fn new(manifest: Manifest, given: &Map<String, Value>) -> Result<Self> {
        Self::made(manifest, given, None)
    }

    /// The same, with recorded exchanges in the API's place.
    pub(crate) fn replaying(
        mut manifest: Manifest,
        given: &Map<String, Value>,
        recorded: Recorded,
    ) -> Result<Self> {
        (manifest.auth, manifest.limits) = (Vec::new(), Vec::new());
        Self::made(manifest, given, Some(recorded))
    }

    fn made(
        manifest: Manifest,
        given: &Map<String, Value>,
        recorded: Option<Recorded>,
    ) -> Result<Self> {
        let config = settings::fill_in(&manifest.settings, given).map_err(|mistakes| {
            let what = format!("the settings do not fit the manifest of {}", manifest.name);
            Error::new(ErrorKind::Config, what).because(mistakes.join("; "))
        })?;
        let scope = Scope {
            config: Some(&config),
            ..Scope::default()
        };
        let client = client(&manifest, &config, &scope, recorded)?;
        let start = config.get("start_date").and_then(Value::as_str);
        let realm = match &manifest.realm {
            Some(realm) => realm.render(&scope).map_err(missing)?,
            None => None,
        };
        Ok(Self {
            inner: Inner {
                start: start.and_then(point::read).unwrap_or(0),
                realm,
                client,
                config,
                manifest,
            },
        })
    }

    /// Gives it a place for tokens that replace each other.
    #[must_use]
    pub fn with_vault(mut self, vault: Arc<dyn Vault>) -> Self {
        self.inner.client.auth.keep_in(vault);
        self
    }

    /// The exchanges that stand in for the API, where some do.
    pub(crate) fn recorded(&self) -> Option<&Recorded> {
        self.inner.client.recorded()
    }

    /// Whether exchanges tell of a stream, so that it makes sense to read it.
    pub(crate) fn is_told_of(&self, stream: &str, recorded: &Recorded) -> bool {
        let manifest = &self.inner.manifest;
        let mut at = manifest.stream(stream);
        while let Some(spec) = at {
            let request = spec
                .job
                .as_ref()
                .map(|job| &job.start)
                .or(spec.request.as_ref());
            if spec.origin == stream::Origin::Own
                && let Some(request) = request
            {
                return recorded.is_about(&request.path.as_pattern());
            }
            at = spec.driver().and_then(|name| manifest.stream(name));
        }
        false
    }

    /// Preflight: whether the credential is taken, and whether each stream can be read.
    ///
    /// # Errors
    /// What keeps the questions from being asked.
    pub async fn check(&self, streams: &[StreamName]) -> Result<Report> {
        crate::check::check(&self.inner, streams).await
    }

    /// The streams that the manifest describes; contacts nothing.
    #[must_use]
    pub fn discover(&self) -> Catalog {
        crate::discover::discover(&self.inner)
    }

    /// Sends everything after the request's state.
    ///
    /// # Errors
    /// What concerns the API as a whole; what concerns one stream is sent as its failure.
    pub async fn read(&self, request: ReadRequest<'_, Cursor>, out: &Output<Cursor>) -> Result<()> {
        let mut state: State<Cursor> = request.state.clone();
        loop {
            let round = ReadRequest {
                streams: request.streams,
                state: &state,
                until: Until::Now,
            };
            let begun = now();
            let reader = Reader::new(&self.inner, out).await?;
            let cursors = reader.read(&round).await?;
            if request.until == Until::Now {
                return Ok(());
            }
            state.streams.extend(cursors);
            out.complete(begun).await?;
            tokio::time::sleep(ROUND).await;
        }
    }
}

impl Inner {
    /// The time that it is, milliseconds: for a replay that of the recording.
    pub(crate) fn now(&self) -> Point {
        let recorded = self.client.recorded().and_then(|recorded| recorded.at);
        recorded.unwrap_or_else(|| tributary_model::now().timestamp_millis())
    }

    /// What a sheet of a stream is told.
    pub(crate) fn layout(&self, spec: &StreamSpec) -> Layout {
        Layout {
            key: spec.key.clone(),
            types: spec.types.clone(),
            dropped: spec.drop.clone(),
            null_empty: spec.null_empty.clone(),
        }
    }
}

pub(crate) fn client(
    manifest: &Manifest,
    config: &Map<String, Value>,
    scope: &Scope<'_>,
    recorded: Option<Recorded>,
) -> Result<Client> {
    let base = manifest
        .base
        .render(scope)
        .map_err(missing)?
        .unwrap_or_default();
    let api_url = config.get("api_url").and_then(Value::as_str);
    let origin = Origin::new(&base, api_url, &manifest.hosts)?;
    let auth = Auth::choose(&manifest.auth, scope, &origin)?;
    let secrets = secrets(manifest, config);
    let mut headers = Vec::new();
    for (name, template) in &manifest.headers {
        if let Some(value) = template.render(scope).map_err(missing)? {
            headers.push((name.clone(), value));
        }
    }
    Client::new(Parts {
        limits: Limits::of(
            &credential(&base, api_url, &secrets),
            &manifest.limits,
            scope,
        )?,
        origin,
        auth,
        headers,
        rules: manifest.errors.clone(),
        secrets,
        recorded,
    })
}

fn secrets(manifest: &Manifest, config: &Map<String, Value>) -> Vec<Secret> {
    let secret = |(_, setting): &&(String, settings::Setting)| setting.kind == Kind::Secret;
    let values = manifest
        .settings
        .iter()
        .filter(secret)
        .filter_map(|(name, _)| config.get(name));
    values.filter_map(Value::as_str).map(Secret::new).collect()
}

/// What names a credential without telling it.
fn credential(base: &str, api_url: Option<&str>, secrets: &[Secret]) -> String {
    let mut hasher = blake3::Hasher::new();
    let texts = [base, api_url.unwrap_or_default()];
    for text in texts.into_iter().chain(secrets.iter().map(Secret::expose)) {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}
