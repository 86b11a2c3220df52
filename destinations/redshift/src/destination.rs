//! The contract, kept by a Redshift warehouse.

use std::sync::Arc;

use async_trait::async_trait;
use tributary_model::{
    Answer, Capabilities, ConnectionName, Destination, Existing, Fault, Fence, LoadPlan,
    LoadRecord, Mode, Report, Result, State, TableName, View,
};
use tributary_store::staging::{Compression, LEFT_BEHIND, Room, sweep};
use tributary_store::{S3Store, Store};

use crate::config::Config;
use crate::dialect::{DECIMAL_DIGITS, RESERVED};
use crate::load::{RedshiftLoad, explain_loss};
use crate::session::Sessions;
use crate::settings::{self, IDENTIFIER_BYTES, Settings};
use crate::system::Own;
use crate::transaction::Transaction;
use crate::verify::RedshiftView;
use crate::{check, describe, ledger, query, state, takeover};

/// A Redshift warehouse as a destination.
#[derive(Clone, Debug)]
pub struct Redshift {
    sessions: Sessions,
    store: Arc<dyn Store>,
}

/// A room for the files of one attempt. They are not compressed: what Redshift reads of Zstandard in
/// Parquet is not written anywhere, and files are there for minutes.
pub(crate) fn room(store: &Arc<dyn Store>, load_id: &str) -> Room {
    Room::new(store.clone(), load_id, Compression::None)
}

#[async_trait]
impl Destination for Redshift {
    const KIND: &'static str = "redshift";
    type Config = Config;
    type Load = RedshiftLoad;

    fn faults(settings: &Config) -> Vec<Fault> {
        settings::faults(settings)
    }

    async fn connect(config: Config) -> Result<Self> {
        let settings = Settings::from_config(&config)?;
        let store = S3Store::new(settings.staging.clone());
        Ok(Self {
            sessions: Sessions::new(settings),
            store: Arc::new(store),
        })
    }

    async fn check(&self) -> Result<Report> {
        Ok(check::check(&self.sessions.settings, &self.store).await)
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            modes: &[Mode::Merge, Mode::Append, Mode::Replace, Mode::History],
            identifier_bytes: IDENTIFIER_BYTES,
            case_insensitive: true,
            decimal_digits: DECIMAL_DIGITS,
            reserved: RESERVED,
            schema: self.sessions.settings.schema.clone(),
            swaps: true,
        }
    }

    async fn open(&self, of: &ConnectionName) -> Result<(State, Fence)> {
        let mut session = self.sessions.get().await?;
        let stored = takeover::open(&mut session, of).await?;
        self.sessions.keep(session);
        // What killed processes have left costs money, and nothing else.
        if let Err(error) = sweep(&*self.store, LEFT_BEHIND).await {
            tracing::debug!(%error, "old staged files were not removed");
        }
        let fence = Fence {
            connection: of.clone(),
            epoch: stored.state.epoch,
            sequence: stored.sequence,
            last_load: stored.last_load,
        };
        Ok((stored.state, fence))
    }

    async fn peek(&self, of: &ConnectionName) -> Result<Option<State>> {
        let mut session = self.sessions.get().await?;
        let stored = state::peek(&mut session, &Own::new(of)).await?;
        self.sessions.keep(session);
        Ok(stored.map(|stored| stored.state))
    }

    async fn loads(&self, of: &ConnectionName, limit: usize) -> Result<Vec<LoadRecord>> {
        let mut session = self.sessions.get().await?;
        let loads = ledger::loads(&mut session, of, limit).await?;
        self.sessions.keep(session);
        Ok(loads)
    }

    async fn describe(&self, tables: &[TableName]) -> Result<Existing> {
        let mut session = self.sessions.get().await?;
        let existing = describe::describe(&mut session, tables).await?;
        self.sessions.keep(session);
        Ok(existing)
    }

    async fn begin(&self, plan: &LoadPlan, fence: &Fence) -> Result<RedshiftLoad> {
        let session = self.sessions.get().await?;
        let way = (
            room(&self.store, &plan.load_id),
            self.sessions.settings.reader.clone(),
        );
        match Transaction::begin(session, plan.clone(), fence.clone(), way).await {
            Ok(transaction) => Ok(RedshiftLoad::new(transaction, self.sessions.clone())),
            Err(error) => Err(explain_loss(&self.sessions, fence, error).await),
        }
    }

    async fn query(&self, sql: &str) -> Result<Answer> {
        query::answer(&self.sessions.settings, sql).await
    }

    async fn maintain(&self) -> Result<Report> {
        let mut report = Report::default();
        let removed = sweep(&*self.store, LEFT_BEHIND).await?;
        report.pass(
            "staging",
            format!("{removed} files that ended processes had left were removed"),
        );
        Ok(report)
    }

    async fn view(&self, of: &ConnectionName) -> Result<Box<dyn View>> {
        Ok(Box::new(RedshiftView::open(&self.sessions, of).await?))
    }
}
