//! The contract of sources, kept by a spreadsheet.

use std::sync::Arc;

use async_trait::async_trait;
use tributary_model::{
    Catalog, CursorSummary, Error, Fault, Output, ReadRequest, Report, Result, Source, State,
    StreamName, Vault,
};
use tributary_rest::{Http, Manifest};

use crate::config::{Config, Settings};
use crate::cursor::Cursor;
use crate::google::DRIVE;
use crate::spreadsheet::Spreadsheet;
use crate::{check, discover, read};

const MANIFEST: &str = include_str!("../api.yaml");

/// A spreadsheet of Google Sheets.
#[derive(Debug)]
pub struct GoogleSheets(Spreadsheet);

#[async_trait]
impl Source for GoogleSheets {
    const KIND: &'static str = "google_sheets";
    type Config = Config;
    type Cursor = Cursor;

    fn faults(settings: &Config) -> Vec<Fault> {
        settings.faults()
    }

    fn summarize(cursor: &Cursor) -> Option<CursorSummary> {
        Some(cursor.summary())
    }

    async fn connect(config: Config) -> Result<Self> {
        let manifest = Manifest::parse("google_sheets", MANIFEST)
            .map_err(|why| Error::bug("the manifest of Google Sheets has mistakes").because(why))?;
        let (settings, given) = Settings::new(config)?;
        let http = Http::new(&manifest, &given, &[DRIVE])?;
        Ok(Self(Spreadsheet::new(http, settings)))
    }

    fn with_vault(self, vault: Arc<dyn Vault>) -> Self {
        Self(self.0.with_vault(vault))
    }

    async fn check(&self, streams: &[StreamName]) -> Result<Report> {
        check::check(&self.0, streams).await
    }

    async fn discover(&self) -> Result<Catalog> {
        discover::discover(&self.0).await
    }

    async fn discover_after(&self, state: &State<Cursor>) -> Result<Catalog> {
        self.0.streams(state).await
    }

    async fn read(&self, request: ReadRequest<'_, Cursor>, out: &Output<Cursor>) -> Result<()> {
        read::read(&self.0, request, out).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_has_no_mistakes() {
        if let Err(problems) = Manifest::parse("api.yaml", MANIFEST) {
            panic!("{problems}");
        }
    }
}
