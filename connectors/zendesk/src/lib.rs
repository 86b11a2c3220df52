//! Zendesk Support: a manifest, and the few settings that are special about it.
//!
//! How Zendesk is read stands in `manifest.yaml`; the engine that reads it is `tributary-rest`.

mod config;

use std::sync::Arc;

use async_trait::async_trait;
use tributary_model::{
    Catalog, CursorSummary, Error, Fault, Output, ReadRequest, Report, Result, Source, StreamName,
    Vault,
};
use tributary_rest::{Api, Cursor, Manifest};

pub use config::Config;

const MANIFEST: &str = include_str!("../manifest.yaml");

/// A help desk.
#[derive(Debug)]
pub struct Zendesk(Api);

#[async_trait]
impl Source for Zendesk {
    const KIND: &'static str = "zendesk";
    type Config = Config;
    type Cursor = Cursor;

    fn faults(settings: &Config) -> Vec<Fault> {
        settings.faults()
    }

    fn summarize(cursor: &Cursor) -> Option<CursorSummary> {
        Some(cursor.summary())
    }

    async fn connect(config: Config) -> Result<Self> {
        let manifest = Manifest::parse("zendesk", MANIFEST)
            .map_err(|why| Error::bug("the manifest of Zendesk has mistakes").because(why))?;
        Ok(Self(Api::new(manifest, &config.into_settings()?)?))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_has_no_mistakes_and_stays_readable() {
        if let Err(problems) = Manifest::parse("manifest.yaml", MANIFEST) {
            panic!("{problems}");
        }
        assert!(MANIFEST.lines().count() < 170);
    }
}
