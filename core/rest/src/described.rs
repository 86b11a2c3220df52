//! The frame of a connector that is a manifest and some settings.
//!
//! What is special about such a connector is how its user's settings become those of its manifest.
//! All else is the same for each, and stands here once. The API is made at the first request: what
//! has to be asked before it (where the owner of a token has their data) is asked once, and only by
//! who contacts the API at all.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::sync::OnceCell;
use tributary_model::{
    Catalog, CursorSummary, Error, Fault, Output, ReadRequest, Report, Result, Source, StreamName,
    Vault,
};

use crate::api::Api;
use crate::cursor::Cursor;
use crate::manifest::Manifest;

/// The settings of a connector that is described.
#[async_trait]
pub trait Settings: Clone + Debug + DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// The `type:` in the configuration.
    const KIND: &'static str;
    /// The manifest, where it comes with the program.
    const MANIFEST: &'static str = "";

    /// The manifest.
    ///
    /// # Errors
    /// What is wrong with it.
    fn manifest(&self) -> Result<Manifest> {
        Manifest::parse(Self::KIND, Self::MANIFEST).map_err(|why| {
            let what = format!("the manifest of {} has mistakes", Self::KIND);
            Error::bug(what).because(why)
        })
    }

    /// What can't be meant; contacts nothing.
    fn faults(&self) -> Vec<Fault> {
        Vec::new()
    }

    /// What the manifest's `config` gets.
    ///
    /// # Errors
    /// What can't be meant.
    fn settings(&self) -> Result<Map<String, Value>>;

    /// Puts in what only the vendor knows. Asked once, before the first request.
    ///
    /// # Errors
    /// What keeps the vendor from telling.
    async fn learn(&self, _settings: &mut Map<String, Value>) -> Result<()> {
        Ok(())
    }

    /// Whether a stream is there only for who asks for it by a setting, and nobody did.
    fn leaves_out(&self, _stream: &str) -> bool {
        false
    }
}

/// A connector that is described.
#[derive(Debug)]
pub struct Described<C> {
    config: C,
    vault: Option<Arc<dyn Vault>>,
    api: OnceCell<Api>,
}

impl<C: Settings> Described<C> {
    async fn api(&self) -> Result<&Api> {
        self.api
            .get_or_try_init(async || {
                let mut settings = self.config.settings()?;
                self.config.learn(&mut settings).await?;
                let api = self.filled_in(&settings)?;
                Ok(match &self.vault {
                    Some(vault) => api.with_vault(vault.clone()),
                    None => api,
                })
            })
            .await
    }

    fn filled_in(&self, settings: &Map<String, Value>) -> Result<Api> {
        Api::new(self.config.manifest()?, settings)
    }

    /// What can be known without asking anybody.
    fn plain(&self) -> Result<Api> {
        self.filled_in(&self.config.settings()?)
    }
}

#[async_trait]
impl<C: Settings> Source for Described<C> {
    const KIND: &'static str = C::KIND;
    type Config = C;
    type Cursor = Cursor;

    fn faults(settings: &C) -> Vec<Fault> {
        settings.faults()
    }

    fn summarize(cursor: &Cursor) -> Option<CursorSummary> {
        Some(cursor.summary())
    }

    async fn connect(config: C) -> Result<Self> {
        let (vault, api) = (None, OnceCell::new());
        let connector = Self { config, vault, api };
        connector.plain()?;
        Ok(connector)
    }

    fn with_vault(mut self, vault: Arc<dyn Vault>) -> Self {
        self.vault = Some(vault);
        self
    }

    async fn check(&self, streams: &[StreamName]) -> Result<Report> {
        self.api().await?.check(streams).await
    }

    async fn discover(&self) -> Result<Catalog> {
        let mut catalog = self.plain()?.discover();
        let streams = &mut catalog.streams;
        streams.retain(|stream| !self.config.leaves_out(&stream.name.name));
        Ok(catalog)
    }

    async fn read(&self, request: ReadRequest<'_, Cursor>, out: &Output<Cursor>) -> Result<()> {
        self.api().await?.read(request, out).await
    }
}
