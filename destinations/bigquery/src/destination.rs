//! The contract, kept by a BigQuery project.

use async_trait::async_trait;
use tributary_model::{
    Answer, Capabilities, ConnectionName, Destination, Existing, Fault, Fence, LoadPlan,
    LoadRecord, Mode, Report, Result, State, TableName, View,
};

use crate::client::Client;
use crate::config::Config;
use crate::dialect::DECIMAL_DIGITS;
use crate::load::BigQueryLoad;
use crate::names::COLUMN_CHARACTERS;
use crate::settings::{self, Settings};
use crate::transaction::Transaction;
use crate::verify::BigQueryView;
use crate::{check, ledger, query, system};

/// A BigQuery project as a destination.
#[derive(Clone, Debug)]
pub struct BigQuery {
    client: Client,
}

#[async_trait]
impl Destination for BigQuery {
    const KIND: &'static str = "bigquery";
    type Config = Config;
    type Load = BigQueryLoad;

    fn faults(settings: &Config) -> Vec<Fault> {
        settings::faults(settings)
    }

    async fn connect(config: Config) -> Result<Self> {
        let client = Client::new(Settings::from_config(&config)?)?;
        Ok(Self { client })
    }

    async fn check(&self) -> Result<Report> {
        Ok(check::check(&self.client).await)
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            modes: &[Mode::Merge, Mode::Append, Mode::Replace, Mode::History],
            identifier_bytes: COLUMN_CHARACTERS,
            case_insensitive: true,
            decimal_digits: DECIMAL_DIGITS,
            reserved: &[],
            schema: self.client.settings.dataset.clone(),
            swaps: true,
        }
    }

    async fn open(&self, of: &ConnectionName) -> Result<(State, Fence)> {
        system::open(&self.client, of).await
    }

    async fn peek(&self, of: &ConnectionName) -> Result<Option<State>> {
        system::peek(&self.client, of).await
    }

    async fn loads(&self, of: &ConnectionName, limit: usize) -> Result<Vec<LoadRecord>> {
        ledger::loads(&self.client, of, limit).await
    }

    async fn describe(&self, tables: &[TableName]) -> Result<Existing> {
        self.client.tables.describe(tables).await
    }

    async fn begin(&self, plan: &LoadPlan, fence: &Fence) -> Result<BigQueryLoad> {
        let transaction = Transaction::begin(self.client.clone(), plan.clone(), fence.clone());
        Ok(BigQueryLoad::new(transaction.await?))
    }

    async fn query(&self, sql: &str) -> Result<Answer> {
        query::answer(&self.client, sql).await
    }

    async fn view(&self, of: &ConnectionName) -> Result<Box<dyn View>> {
        Ok(Box::new(BigQueryView::open(&self.client, of).await?))
    }
}
