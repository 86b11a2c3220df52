//! The contract, kept by a lake.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use tributary_model::{
    Answer, Capabilities, ConnectionName, Destination, Error, ErrorKind, Existing, Fault, Fence,
    LoadPlan, LoadRecord, Mode, Place, Report, Result, State, TableName, View, now,
};

use crate::apply::{Gone, apply_all, lost};
use crate::check;
use crate::config::{Config, Format, Location};
use crate::error::{blocking, fenced};
use crate::folder::Folder;
use crate::iceberg::{self, Iceberg};
use crate::load::LakeLoad;
use crate::log::{Appended, Body, Log, Snapshot};
use crate::maintain;
use crate::place;
use crate::query;
use crate::session::Session;
use crate::site::Site;
use crate::table::DECIMAL_DIGITS;
use crate::verify::LakeView;
use tributary_store::Store;
use tributary_store::{S3Store, Settings};

/// How often an opening is tried again because somebody else wrote at that moment. // G6
const OPENINGS: usize = 50;
/// After this long an upload that no log names is taken for forgotten.
const FORGOTTEN: Duration = Duration::from_hours(48);
/// Connections that one listing shows.
const CONNECTIONS: usize = 1000;
/// Logs that are read at the same time. // G6
const READERS: usize = 8;

/// A lake as a destination.
#[derive(Clone, Debug)]
pub struct Lake {
    pub(crate) config: Arc<Config>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) iceberg: Option<Arc<Iceberg>>,
    ledgers: Ledgers,
}

/// The connections that this process has opened, as of their last entries.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledgers(Arc<Mutex<HashMap<ConnectionName, Snapshot>>>);

impl Ledgers {
    pub(crate) fn set(&self, of: &ConnectionName, snapshot: Snapshot) {
        self.lock().insert(of.clone(), snapshot);
    }

    fn get(&self, of: &ConnectionName) -> Option<Snapshot> {
        self.lock().get(of).cloned()
    }

    fn all(&self) -> Vec<Snapshot> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<ConnectionName, Snapshot>> {
        // What is in it is only ever replaced.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lake {
    pub(crate) fn log(&self, of: &ConnectionName) -> Log {
        Log::new(self.store.clone(), of.clone())
    }

    /// Raises the epoch, after everything that the log asks for has been done. // G7
    async fn raise(&self, of: &ConnectionName) -> Result<Snapshot> {
        self.store.prove().await?;
        let log = self.log(of);
        for _ in 0..OPENINGS {
            let mut snapshot = match log.read().await? {
                Some(snapshot) => snapshot,
                None => {
                    self.note(of).await?;
                    Snapshot::default()
                }
            };
            let gone = self.apply_all(of, &snapshot).await?;
            let epoch = snapshot.epoch + 1;
            let entry = Arc::new(Log::entry(&snapshot, epoch, snapshot.number, Body::Epoch));
            match log.append(&entry).await? {
                Appended::Taken => continue,
                Appended::Ours if gone.is_empty() => {}
                // Nobody else was at it: they are really gone.
                Appended::Ours => return Err(lost(of, &gone)),
            }
            snapshot.replay(&entry)?;
            log.checkpoint(&snapshot).await?;
            return Ok(snapshot);
        }
        Err(Error::new(
            ErrorKind::Unavailable,
            format!("the connection `{of}` is opened again and again by others"),
        ))
    }

    /// Does what entries ask for and nobody has done.
    async fn apply_all(&self, of: &ConnectionName, snapshot: &Snapshot) -> Result<Gone> {
        apply_all(&self.store, self.iceberg.as_deref(), of, snapshot).await
    }

    /// Leaves a note that the connection is here.
    async fn note(&self, of: &ConnectionName) -> Result<()> {
        let name = serde_json::to_vec(of.as_str())
            .map_err(|cause| Error::bug("a name can't be written as JSON").because(cause))?;
        self.store.put(&place::connection(of), name.into()).await
    }

    /// Gives uploads up that were begun long ago and that no log names. Only those of this
    /// connection: others may have committed some that wait to be completed.
    pub(crate) async fn collect(&self, of: &ConnectionName, snapshot: &Snapshot) -> Result<()> {
        let rejected = place::system("rejected", of, 0);
        let rejected = rejected
            .rsplit_once('/')
            .map_or("", |(folder, _)| folder)
            .to_owned()
            + "/";
        let tables = snapshot.tables.values();
        let tables = tables.map(|table| table.definition.folder());
        let own: Vec<String> = tables
            .chain([rejected, place::TEMPORARY.to_owned()])
            .collect();
        let oldest = now() - FORGOTTEN;
        for started in self.store.uploads("").await? {
            let is_own = own
                .iter()
                .any(|folder| started.upload.key.starts_with(folder.as_str()));
            if is_own && started.at < oldest {
                self.store.abort(&started.upload).await?;
            }
        }
        Ok(())
    }

    /// The connections that were ever opened.
    async fn connections(&self) -> Result<Vec<ConnectionName>> {
        let mut names = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let notes = self
                .store
                .list(place::CONNECTIONS, after.as_deref(), CONNECTIONS)
                .await?;
            let Some(last) = notes.last() else {
                return Ok(names);
            };
            after = Some(last.key.clone());
            for note in &notes {
                let object = self.store.get(&note.key).await?;
                let name =
                    object.and_then(|object| serde_json::from_slice::<String>(&object.bytes).ok());
                names.extend(name.map(ConnectionName::new));
            }
        }
    }

    /// All connections as they are now.
    pub(crate) async fn snapshots(&self) -> Result<BTreeMap<ConnectionName, Snapshot>> {
        let names = self.connections().await?;
        stream::iter(names)
            .map(|name| async move { Ok::<_, Error>((self.log(&name).read().await?, name)) })
            .buffer_unordered(READERS)
            .try_filter_map(
                |(snapshot, name)| async move { Ok(snapshot.map(|found| (name, found))) },
            )
            .try_collect()
            .await
    }

    /// Does what the logs ask for and nobody has done; what is gone meanwhile is somebody's newer
    /// work.
    pub(crate) async fn catch_up(&self, of: &ConnectionName, snapshot: &Snapshot) -> Result<()> {
        self.apply_all(of, snapshot).await.map(drop)
    }
}

#[async_trait]
impl Destination for Lake {
    const MODES: &'static [Mode] = &[Mode::Merge, Mode::Append, Mode::Replace];
    const KIND: &'static str = "lake";
    type Config = Config;
    type Load = LakeLoad;

    fn faults(settings: &Config) -> Vec<Fault> {
        settings.faults()
    }

    fn place(settings: &Config) -> Option<Place> {
        match settings.location().ok()? {
            Location::Folder(path) => Some(Place::Folder(path)),
            Location::Bucket { .. } => None,
        }
    }

    async fn connect(config: Config) -> Result<Self> {
        if let Some(fault) = config.faults().into_iter().next() {
            return Err(fault.error);
        }
        let store: Arc<dyn Store> = match config.location()? {
            Location::Folder(path) => Arc::new(Folder::new(path)),
            Location::Bucket { .. } => Arc::new(S3Store::new(Settings::new(&config.access())?)),
        };
        let iceberg = match config.format {
            Format::Parquet => None,
            Format::Iceberg => Some(Arc::new(iceberg::connect(&config, &store)?)),
        };
        let store = iceberg.as_ref().map_or(store, |iceberg| iceberg.store());
        Ok(Self {
            config: Arc::new(config),
            store,
            iceberg,
            ledgers: Ledgers::default(),
        })
    }

    async fn check(&self) -> Result<Report> {
        check::check(self).await
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            modes: Self::MODES,
            identifier_bytes: place::IDENTIFIER_BYTES,
            case_insensitive: true,
            reserved: &[],
            schema: None,
            swaps: true,
            decimal_digits: DECIMAL_DIGITS,
        }
    }

    async fn open(&self, of: &ConnectionName) -> Result<(State, Fence)> {
        let snapshot = self.raise(of).await?;
        if let Err(error) = self.collect(of, &snapshot).await {
            tracing::debug!(%error, "forgotten uploads were not collected");
        }
        let fence = Fence {
            connection: of.clone(),
            epoch: snapshot.epoch,
            sequence: snapshot.sequence,
            last_load: snapshot.last_load.clone(),
        };
        let state = snapshot.state.clone();
        self.ledgers.set(of, snapshot);
        Ok((state, fence))
    }

    async fn peek(&self, of: &ConnectionName) -> Result<Option<State>> {
        let snapshot = self.log(of).read().await?;
        Ok(snapshot.map(|snapshot| snapshot.state))
    }

    async fn loads(&self, of: &ConnectionName, limit: usize) -> Result<Vec<LoadRecord>> {
        self.log(of).loads(limit).await
    }

    async fn describe(&self, tables: &[TableName]) -> Result<Existing> {
        let mut known = self.ledgers.all();
        if known.is_empty() {
            known = self.snapshots().await?.into_values().collect();
        }
        let find = |name: &TableName| {
            let table = known
                .iter()
                .find_map(|snapshot| snapshot.tables.get(name))?;
            Some((name.clone(), table.definition.columns().to_vec()))
        };
        Ok(tables.iter().filter_map(find).collect())
    }

    async fn begin(&self, plan: &LoadPlan, fence: &Fence) -> Result<LakeLoad> {
        let of = &fence.connection;
        let current = |snapshot: &Snapshot| {
            (snapshot.epoch, snapshot.sequence) == (fence.epoch, fence.sequence)
        };
        let snapshot = self
            .ledgers
            .get(of)
            .filter(current)
            .ok_or_else(|| fenced(of))?;
        let (store, config) = (self.store.clone(), self.config.clone());
        let iceberg = self.iceberg.clone();
        let site = Site::new(store, config, iceberg, plan.clone(), fence.sequence + 1)?;
        let (log, fence) = (self.log(of), fence.clone());
        let session = blocking(move || Session::begin(site, log, fence, snapshot)).await?;
        Ok(LakeLoad::new(session, self.ledgers.clone()))
    }

    async fn query(&self, sql: &str) -> Result<Answer> {
        query::answer(self, sql).await
    }

    async fn maintain(&self) -> Result<Report> {
        maintain::maintain(self).await
    }

    async fn view(&self, of: &ConnectionName) -> Result<Box<dyn View>> {
        Ok(Box::new(LakeView::open(self, of).await?))
    }
}
