//! The contract, kept by a database in Snowflake.

use async_trait::async_trait;
use tributary_model::{
    Answer, Capabilities, ConnectionName, Destination, Existing, Fault, Fence, LoadPlan,
    LoadRecord, Report, Result, State, TableName, View,
};

use crate::client::Client;
use crate::config::{Config, Identifiers};
use crate::dialect::DECIMAL_DIGITS;
use crate::load::SnowflakeLoad;
use crate::settings::{self, IDENTIFIER_BYTES, Settings};
use crate::site::Place;
use crate::transaction::Transaction;
use crate::verify::SnowView;
use crate::{check, describe, ledger, leftovers, query, system};

/// A database in Snowflake as a destination.
#[derive(Clone, Debug)]
pub struct Snowflake {
    place: Place,
}

#[async_trait]
impl Destination for Snowflake {
    const KIND: &'static str = "snowflake";
    type Config = Config;
    type Load = SnowflakeLoad;

    fn faults(settings: &Config) -> Vec<Fault> {
        settings::faults(settings)
    }

    async fn connect(config: Config) -> Result<Self> {
        let client = Client::new(Settings::from_config(&config)?)?;
        Ok(Self {
            place: Place::new(client),
        })
    }

    async fn check(&self) -> Result<Report> {
        Ok(check::check(&self.place).await)
    }

    fn capabilities(&self) -> Capabilities {
        let settings = &self.place.client.settings;
        Capabilities {
            modes: Self::MODES,
            identifier_bytes: IDENTIFIER_BYTES,
            case_insensitive: settings.identifiers == Identifiers::Upper,
            decimal_digits: DECIMAL_DIGITS,
            reserved: &[],
            schema: settings.schema.clone(),
            swaps: true,
        }
    }

    async fn open(&self, of: &ConnectionName) -> Result<(State, Fence)> {
        let place = self.place.of(of);
        let opened = system::open(&place.client, place.dialect, of).await?;
        leftovers::sweep_quietly(&place).await;
        Ok(opened)
    }

    async fn peek(&self, of: &ConnectionName) -> Result<Option<State>> {
        system::peek(&self.place.client, self.place.dialect, of, None).await
    }

    async fn loads(&self, of: &ConnectionName, limit: usize) -> Result<Vec<LoadRecord>> {
        ledger::loads(&self.place.client, self.place.dialect, of, limit).await
    }

    async fn describe(&self, tables: &[TableName]) -> Result<Existing> {
        describe::describe(&self.place.client, self.place.dialect, tables).await
    }

    async fn begin(&self, plan: &LoadPlan, fence: &Fence) -> Result<SnowflakeLoad> {
        let place = self.place.of(&plan.connection);
        let transaction = Transaction::begin(place, plan.clone(), fence.clone()).await?;
        Ok(SnowflakeLoad::new(transaction))
    }

    async fn query(&self, sql: &str) -> Result<Answer> {
        query::answer(&self.place.client, sql).await
    }

    async fn maintain(&self) -> Result<Report> {
        leftovers::tidy(&self.place).await
    }

    async fn view(&self, of: &ConnectionName) -> Result<Box<dyn View>> {
        let place = self.place.of(of);
        Ok(Box::new(
            SnowView::open(&place.client, place.dialect, of).await?,
        ))
    }
}
