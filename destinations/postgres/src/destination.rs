//! The contract, kept by a PostgreSQL database.

use async_trait::async_trait;
use tributary_model::{
    Answer, Capabilities, ConnectionName, Destination, Existing, Fault, Fence, LoadPlan,
    LoadRecord, Mode, Report, Result, State, TableName, View,
};

use crate::config::Config;
use crate::dialect::{DECIMAL_DIGITS, RESERVED};
use crate::load::{PostgresLoad, explain_loss};
use crate::session::Sessions;
use crate::settings::{self, IDENTIFIER_BYTES, Settings};
use crate::transaction::Transaction;
use crate::verify::PgView;
use crate::{check, describe, ledger, query, system};

/// A PostgreSQL database as a destination.
#[derive(Clone, Debug)]
pub struct Postgres {
    pub(crate) sessions: Sessions,
}

#[async_trait]
impl Destination for Postgres {
    const KIND: &'static str = "postgres";
    type Config = Config;
    type Load = PostgresLoad;

    fn faults(settings: &Config) -> Vec<Fault> {
        settings::faults(settings)
    }

    async fn connect(config: Config) -> Result<Self> {
        let settings = Settings::from_config(&config)?;
        Ok(Self {
            sessions: Sessions::new(settings),
        })
    }

    async fn check(&self) -> Result<Report> {
        Ok(check::check(&self.sessions.settings).await)
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            modes: &[Mode::Merge, Mode::Append, Mode::Replace, Mode::History],
            identifier_bytes: IDENTIFIER_BYTES,
            case_insensitive: false,
            decimal_digits: DECIMAL_DIGITS,
            reserved: RESERVED,
            schema: self.sessions.settings.schema.clone(),
            swaps: true,
        }
    }

    async fn open(&self, of: &ConnectionName) -> Result<(State, Fence)> {
        let mut session = self.sessions.get().await?;
        let opened = system::open(&mut session, of).await?;
        self.sessions.keep(session);
        Ok(opened)
    }

    async fn peek(&self, of: &ConnectionName) -> Result<Option<State>> {
        let mut session = self.sessions.reading().await?;
        let state = system::peek(&mut session, of).await?;
        self.sessions.done(session).await?;
        Ok(state)
    }

    async fn loads(&self, of: &ConnectionName, limit: usize) -> Result<Vec<LoadRecord>> {
        let mut session = self.sessions.reading().await?;
        let loads = ledger::loads(&mut session, of, limit).await?;
        self.sessions.done(session).await?;
        Ok(loads)
    }

    async fn describe(&self, tables: &[TableName]) -> Result<Existing> {
        let mut session = self.sessions.reading().await?;
        let existing = describe::describe(&mut session, tables).await?;
        self.sessions.done(session).await?;
        Ok(existing)
    }

    async fn begin(&self, plan: &LoadPlan, fence: &Fence) -> Result<PostgresLoad> {
        let session = self.sessions.get().await?;
        match Transaction::begin(session, plan.clone(), fence.clone()).await {
            Ok(transaction) => Ok(PostgresLoad::new(transaction, self.sessions.clone())),
            Err(error) => Err(explain_loss(&self.sessions, fence, error).await),
        }
    }

    async fn query(&self, sql: &str) -> Result<Answer> {
        query::answer(&self.sessions.settings, sql).await
    }

    async fn view(&self, of: &ConnectionName) -> Result<Box<dyn View>> {
        Ok(Box::new(PgView::open(&self.sessions, of).await?))
    }
}
