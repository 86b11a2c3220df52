//! A manifest with its user's settings filled in, and the way to the API that it describes.

use serde_json::{Map, Value};
use tributary_model::{Error, ErrorKind, Result, Secret};

use crate::http::auth::Auth;
use crate::http::{Client, Limits, Origin, Parts, missing};
use crate::manifest::Manifest;
use crate::manifest::settings::{self, Kind, Setting};
use crate::manifest::stream::StreamSpec;
use crate::point::{self, Point};
use crate::replay::recorded::Recorded;
use crate::sheet::Layout;
use crate::template::Scope;

/// What reading needs.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) manifest: Manifest,
    pub(crate) client: Client,
    pub(crate) config: Map<String, Value>,
    /// What lies before this is not read, milliseconds.
    pub(crate) start: Point,
    /// Whose data it is.
    pub(crate) realm: Option<String>,
}

impl Ready {
    /// Fills a manifest in; contacts nothing. Recorded exchanges stand in the API's place, where
    /// there are some.
    pub(crate) fn new(
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
            start: start.and_then(point::read).unwrap_or(0),
            realm,
            client,
            config,
            manifest,
        })
    }

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

/// The way to the API, with its limits and credentials.
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
    let secret = |(_, setting): &&(String, Setting)| setting.kind == Kind::Secret;
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
