//! Where a load works: its store, its scratch folder, and the runtime that its requests run on.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tributary_model::{Error, LoadPlan, Result};

use crate::config::Config;
use crate::iceberg::Iceberg;
use tributary_store::Store;

/// What all tables of a load share.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) config: Arc<Config>,
    pub(crate) iceberg: Option<Arc<Iceberg>>,
    pub(crate) load: LoadPlan,
    /// The number that the load will have.
    pub(crate) sequence: u64,
    runtime: Handle,
    scratch: TempDir,
    /// Room for what is on its way up, in KiB.
    room: Arc<Semaphore>,
}

/// What all uploads of a load may hold on their way, KiB. // G6
const ROOM: u32 = 16 << 10;

impl Site {
    /// The site of one load; made inside the runtime.
    pub(crate) fn new(
        store: Arc<dyn Store>,
        config: Arc<Config>,
        iceberg: Option<Arc<Iceberg>>,
        load: LoadPlan,
        sequence: u64,
    ) -> Result<Self> {
        let scratch = tempfile::Builder::new().prefix("tributary-").tempdir();
        Ok(Self {
            store,
            config,
            iceberg,
            load,
            sequence,
            runtime: Handle::current(),
            scratch: scratch.map_err(|cause| no_scratch().because(cause))?,
            room: Arc::new(Semaphore::new(ROOM as usize)),
        })
    }

    /// A folder for files that go with the load.
    pub(crate) fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// Waits until there is room for `bytes` more on their way up; dropping it gives the room back.
    pub(crate) fn reserve(&self, bytes: usize) -> Result<OwnedSemaphorePermit> {
        let kibibytes = u32::try_from(bytes >> 10).map_or(ROOM, |kib| (kib + 1).min(ROOM));
        let room = self.room.clone().acquire_many_owned(kibibytes);
        self.wait(room)
            .map_err(|cause| Error::bug("there is no room for uploads any more").because(cause))
    }

    /// Waits for a request, on a thread that may wait.
    pub(crate) fn wait<T>(&self, request: impl Future<Output = T>) -> T {
        self.runtime.block_on(request)
    }

    /// Starts a request that goes on while this thread does.
    pub(crate) fn start<T: Send + 'static>(
        &self,
        request: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.runtime.spawn(request)
    }
}

fn no_scratch() -> Error {
    Error::new(
        tributary_model::ErrorKind::Unavailable,
        "no folder for temporary files can be made",
    )
    .fix("Free space on the disk of temporary files, or name another one by TMPDIR.")
}
