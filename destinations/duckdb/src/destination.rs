//! The contract, kept by a DuckDB file.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tributary_model::{
    Answer, Capabilities, ConnectionName, Destination, Error, ErrorKind, Existing, Fence, LoadPlan,
    LoadRecord, Place, Report, Result, State, TableName, View,
};

use crate::check;
use crate::config::Config;
use crate::dialect::DECIMAL_DIGITS;
use crate::file::{Database, File, lock};
use crate::load::{DuckLoad, Session, blocking};
use crate::transaction::Transaction;
use crate::verify::{DuckView, never_synced};
use crate::{describe, ledger, query, system};

/// DuckDB has no limit; names longer than this help nobody.
const IDENTIFIER_BYTES: usize = 1024;
/// How often an opening is tried again while another load is rolling back.
const OPENINGS: u32 = 50;
/// The pause between.
const PAUSE: Duration = Duration::from_millis(100);

/// A DuckDB file as a destination.
#[derive(Clone, Debug)]
pub struct DuckDb {
    config: Config,
    file: Arc<File>,
    /// Keeps the file open from the first `open` on.
    held: Arc<Mutex<Option<Arc<Database>>>>,
}

impl DuckDb {
    /// The open file, opened where it is not.
    fn database(&self) -> Result<Arc<Database>> {
        let mut held = lock(&self.held);
        if let Some(database) = held.as_ref().filter(|database| database.is_alive()) {
            return Ok(database.clone());
        }
        // Only a closed file can be opened anew.
        *held = None;
        let database = self.file.open(&self.config)?;
        *held = Some(database.clone());
        Ok(database)
    }

    fn open_now(&self, of: &ConnectionName) -> Result<(State, Fence)> {
        let database = self.database()?;
        let _opening = lock(&self.file.opening);
        let mut tries = 0;
        loop {
            self.file.fence_off(of);
            match system::open(&database.connect()?, of) {
                // A load of this connection claimed its number and is not yet known to the file.
                Err(error) if error.kind() == ErrorKind::Unavailable && tries < OPENINGS => {
                    tracing::debug!(%error, "opening again");
                    tries += 1;
                    std::thread::sleep(PAUSE);
                }
                opened => return opened,
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn file_for_tests(&self) -> Arc<Database> {
        self.database().expect("the file opens")
    }

    /// Asks something of the file without changing it; `None` where there is no file.
    async fn look<T: Send + 'static>(
        &self,
        at: impl FnOnce(&duckdb::Connection) -> Result<T> + Send + 'static,
    ) -> Result<Option<T>> {
        let this = self.clone();
        blocking(move || this.file.look(&this.config, at)).await
    }
}

#[async_trait]
impl Destination for DuckDb {
    const KIND: &'static str = "duckdb";
    type Config = Config;
    type Load = DuckLoad;

    fn place(settings: &Config) -> Option<Place> {
        Some(Place::File(settings.path.clone()))
    }

    async fn connect(config: Config) -> Result<Self> {
        config.validate()?;
        Ok(Self {
            file: File::at(&config.path),
            config,
            held: Arc::default(),
        })
    }

    async fn check(&self) -> Result<Report> {
        let this = self.clone();
        blocking(move || Ok(check::check(&this.file, &this.config))).await
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            modes: Self::MODES,
            identifier_bytes: IDENTIFIER_BYTES,
            case_insensitive: true,
            decimal_digits: DECIMAL_DIGITS,
            reserved: &[],
            schema: None,
            swaps: true,
        }
    }

    async fn open(&self, of: &ConnectionName) -> Result<(State, Fence)> {
        let (this, of) = (self.clone(), of.clone());
        blocking(move || this.open_now(&of)).await
    }

    async fn peek(&self, of: &ConnectionName) -> Result<Option<State>> {
        let of = of.clone();
        let seen = self
            .look(move |connection| system::peek(connection, &of))
            .await?;
        Ok(seen.flatten())
    }

    async fn loads(&self, of: &ConnectionName, limit: usize) -> Result<Vec<LoadRecord>> {
        let of = of.clone();
        let seen = self
            .look(move |connection| ledger::loads(connection, &of, limit))
            .await?;
        Ok(seen.unwrap_or_default())
    }

    async fn describe(&self, tables: &[TableName]) -> Result<Existing> {
        let tables = tables.to_vec();
        let seen = self
            .look(move |connection| describe::describe(connection, &tables))
            .await?;
        Ok(seen.unwrap_or_default())
    }

    async fn begin(&self, plan: &LoadPlan, fence: &Fence) -> Result<DuckLoad> {
        let turn = self.file.turn.clone().lock_owned().await;
        let (this, plan, fence) = (self.clone(), plan.clone(), fence.clone());
        blocking(move || {
            let of = fence.connection.clone();
            let transaction = Transaction::begin(this.database()?, turn, plan, fence)?;
            let session = Arc::new(Mutex::new(Session::Live(Box::new(transaction))));
            this.file.set_ongoing(of, &session);
            Ok(DuckLoad::new(session))
        })
        .await
    }

    async fn query(&self, sql: &str) -> Result<Answer> {
        let sql = sql.to_owned();
        let answer = self
            .look(move |connection| query::answer(connection, &sql))
            .await?;
        answer.ok_or_else(|| {
            Error::new(
                ErrorKind::Config,
                format!("there is no file {} yet", self.file.path().display()),
            )
            .fix("Run `tributary sync` first, or correct `path` of the destination.")
        })
    }

    async fn view(&self, of: &ConnectionName) -> Result<Box<dyn View>> {
        let (this, of) = (self.clone(), of.clone());
        blocking(move || {
            // Opening would make a file that is not there.
            if !this.file.path().exists() {
                return Err(never_synced(&of));
            }
            let view = DuckView::open(this.database()?, &of)?;
            Ok(Box::new(view) as Box<dyn View>)
        })
        .await
    }
}
