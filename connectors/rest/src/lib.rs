//! Any API: the manifest is a file of the user's own.

mod config;
mod rehearse;

use std::sync::Arc;

use async_trait::async_trait;
use tributary_model::{
    Catalog, CursorSummary, Fault, Output, ReadRequest, Report, Result, Source, StreamName, Vault,
};
use tributary_rest::{Api, Cursor, Manifest};

pub use config::Config;
pub use rehearse::rehearse;
pub use tributary_rest::{Trial, Tried};

/// An API that its user has described.
#[derive(Debug)]
pub struct Rest(Api);

#[async_trait]
impl Source for Rest {
    const KIND: &'static str = "rest";
    type Config = Config;
    type Cursor = Cursor;

    fn faults(settings: &Config) -> Vec<Fault> {
        settings.faults()
    }

    fn summarize(cursor: &Cursor) -> Option<CursorSummary> {
        Some(cursor.summary())
    }

    async fn connect(config: Config) -> Result<Self> {
        let text = config.read_manifest()?;
        let manifest = Manifest::parse(&config::shown(&config.manifest), &text)?;
        Ok(Self(Api::new(manifest, &config.settings())?))
    }

    fn with_vault(self, vault: Arc<dyn Vault>) -> Self {
        Self(self.0.with_vault(vault))
    }

    async fn check(&self, streams: &[StreamName]) -> Result<Report> {
        self.0.check(streams).await
    }

    async fn discover(&self) -> Result<Catalog> {
        Ok(self.0.discover())
    }

    async fn read(&self, request: ReadRequest<'_, Cursor>, out: &Output<Cursor>) -> Result<()> {
        self.0.read(request, out).await
    }
}
