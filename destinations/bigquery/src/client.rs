//! Everything that talks to one project, put together.

use std::sync::Arc;

use tributary_model::{ErrorKind, Result};

use crate::api::Api;
use crate::dialect::BigQueryDialect;
use crate::job::{Ended, Jobs};
use crate::settings::Settings;
use crate::tables::Tables;
use crate::write::Writer;

/// How often a statement is tried that another job's change of the same table may undo. // G6
const TRIES: u32 = 5;

/// The clients of a destination.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) settings: Arc<Settings>,
    pub(crate) dialect: BigQueryDialect,
    pub(crate) jobs: Jobs,
    pub(crate) tables: Tables,
    pub(crate) writer: Writer,
}

impl Client {
    pub(crate) fn new(settings: Settings) -> Result<Self> {
        let api = Api::new(&settings)?;
        Ok(Self {
            dialect: BigQueryDialect {
                project: settings.project.clone(),
            },
            jobs: Jobs::new(&settings, api.clone()),
            writer: Writer::new(&settings, api.tokens().clone())?,
            tables: Tables::new(api),
            settings: Arc::new(settings),
        })
    }

    /// Runs a statement that may fail because of another one: again, but once only.
    pub(crate) async fn change(&self, sql: &str, doing: &str) -> Result<()> {
        let base = uuid::Uuid::new_v4().simple();
        let (mut tried, mut attempt) = (0, 0);
        loop {
            tried += 1;
            let id = format!("tributary_{base}_{attempt}");
            let error = match self.jobs.run_as(&id, sql, doing).await {
                Ok(Ended::Done) => return Ok(()),
                // Another one runs only where this one did nothing: else both might.
                Ok(Ended::Failed(error)) => {
                    attempt += 1;
                    error
                }
                Ok(Ended::Late(error)) => return Err(error),
                Err(error) => error,
            };
            if error.kind() != ErrorKind::Unavailable || tried >= TRIES {
                return Err(error);
            }
            tracing::debug!(%error, "trying again");
            tokio::time::sleep(std::time::Duration::from_millis(200) * tried).await;
        }
    }
}
