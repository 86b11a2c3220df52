//! Mailchimp Marketing: a manifest, its settings, and the question where an account's data is.
//!
//! How Mailchimp is read stands in `manifest.yaml`; the engine that reads it is `tributary-rest`. An
//! API key names its data centre; the owner of an OAuth token has to be asked for theirs, once.

mod config;
mod data_center;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::OnceCell;
use tributary_model::{
    Catalog, CursorSummary, Error, Fault, Output, ReadRequest, Report, Result, Source, StreamName,
    Vault,
};
use tributary_rest::{Api, Cursor, Manifest};

pub use config::Config;
use config::Credential;
use data_center::DataCenter;

const MANIFEST: &str = include_str!("../manifest.yaml");
/// What is read with a request for each member that changed.
const OF_MEMBERS: &str = "member_";

/// A Mailchimp account.
#[derive(Debug)]
pub struct Mailchimp {
    config: Config,
    api: OnceCell<Api>,
}

impl Mailchimp {
    /// The API, once it is known where that is.
    async fn api(&self) -> Result<&Api> {
        self.api
            .get_or_try_init(|| async {
                let at = match self.config.credential()? {
                    Credential::Key { data_center, .. } => data_center,
                    Credential::Token(token) => {
                        data_center::of_token(token, self.config.api_url.as_deref()).await?
                    }
                };
                self.api_at(&at)
            })
            .await
    }

    fn api_at(&self, at: &DataCenter) -> Result<Api> {
        let manifest = Manifest::parse("mailchimp", MANIFEST)
            .map_err(|why| Error::bug("the manifest of Mailchimp has mistakes").because(why))?;
        Api::new(manifest, &self.config.settings(at)?)
    }
}

#[async_trait]
impl Source for Mailchimp {
    const KIND: &'static str = "mailchimp";
    type Config = Config;
    type Cursor = Cursor;

    fn faults(settings: &Config) -> Vec<Fault> {
        settings.faults()
    }

    fn summarize(cursor: &Cursor) -> Option<CursorSummary> {
        Some(cursor.summary())
    }

    async fn connect(config: Config) -> Result<Self> {
        config.credential()?;
        let api = OnceCell::new();
        Ok(Self { config, api })
    }

    /// Neither kind of credential is ever replaced by another.
    fn with_vault(self, _vault: Arc<dyn Vault>) -> Self {
        self
    }

    async fn check(&self, streams: &[StreamName]) -> Result<Report> {
        self.api().await?.check(streams).await
    }

    async fn discover(&self) -> Result<Catalog> {
        // The streams are the same everywhere: nobody needs to be asked for them.
        let mut catalog = self.api_at(&DataCenter::any())?.discover();
        let of_members = |name: &StreamName| name.name.starts_with(OF_MEMBERS);
        let wanted = self.config.per_member == Some(true);
        catalog
            .streams
            .retain(|stream| wanted || !of_members(&stream.name));
        Ok(catalog)
    }

    async fn read(&self, request: ReadRequest<'_, Cursor>, out: &Output<Cursor>) -> Result<()> {
        self.api().await?.read(request, out).await
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_manifest_has_no_mistakes_and_stays_readable() {
        if let Err(problems) = Manifest::parse("manifest.yaml", MANIFEST) {
            panic!("{problems}");
        }
        assert!(MANIFEST.lines().count() < 170);
    }

    #[tokio::test]
    async fn what_costs_a_request_for_each_member_is_read_on_demand_only() {
        let streams = async |config| {
            let config = serde_json::from_value(config).unwrap();
            let catalog = Mailchimp::connect(config).await.unwrap().discover().await;
            let names = catalog.unwrap().streams;
            let mut names = names.iter().map(|stream| stream.name.name.clone());
            names.any(|name| name == "member_notes")
        };
        assert!(!streams(json!({"api_key": "x-us1"})).await);
        assert!(streams(json!({"api_key": "x-us1", "per_member": true})).await);
    }
}
