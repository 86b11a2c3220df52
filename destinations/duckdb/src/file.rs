//! Database files: opened once in a process, however many destinations name them.
//!
//! Invariant: of one file there is at most one DuckDB instance in the process. Whoever writes holds
//! a [`Database`]; with the last one the file is closed. Whoever only looks while nobody holds one
//! opens the file read-only for that moment, and a file that is not there is never made.
//!
//! A load takes its `turn` for as long as it lives: loads of one file follow one another.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

use duckdb::{AccessMode, Connection};
use tributary_model::{ConnectionName, Error, ErrorKind, Result};

use crate::config::Config;
use crate::error::Explain;
use crate::load::Session;

static FILES: LazyLock<Mutex<HashMap<PathBuf, Weak<File>>>> = LazyLock::new(Mutex::default);

/// A session of a load, as seen by someone who may have to end it.
type Ongoing = (ConnectionName, Weak<Mutex<Session>>);

/// A database file, whether it is open or not.
#[derive(Debug)]
pub(crate) struct File {
    path: PathBuf,
    opened: Mutex<Weak<Database>>,
    ongoing: Mutex<Option<Ongoing>>,
    /// Held by the load that is under way.
    pub(crate) turn: Arc<tokio::sync::Mutex<()>>,
    /// Held while a fence row is looked for and made, since no index keeps it single.
    pub(crate) opening: Mutex<()>,
}

/// An open file that can be written.
#[derive(Debug)]
pub(crate) struct Database {
    root: Mutex<Connection>,
    /// The memory that DuckDB may use, megabytes; `None` where the user has set it.
    megabytes: Mutex<Option<usize>>,
}

impl Database {
    /// A connection of its own for one task.
    pub(crate) fn connect(&self) -> Result<Connection> {
        lock(&self.root)
            .try_clone()
            .explain("connecting to the DuckDB file")
    }

    /// Lets DuckDB use the memory that a table of so many columns needs, unless the user has said
    /// how much it may use: for each column it pins blocks where the column is read and written.
    pub(crate) fn make_room(&self, columns: usize) -> Result<()> {
        let needed = megabytes(columns);
        match &mut *lock(&self.megabytes) {
            Some(limit) if *limit < needed => {
                let set = format!("SET GLOBAL memory_limit = '{needed}MB'");
                lock(&self.root)
                    .execute_batch(&set)
                    .explain("making room for wide tables")?;
                *limit = needed;
                Ok(())
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Whether DuckDB still serves the file; after some errors it does not until it is reopened.
    pub(crate) fn is_alive(&self) -> bool {
        lock(&self.root).execute_batch("SELECT 1").is_ok()
    }
}

impl File {
    /// The file at `path`, the same one for every way to write the path.
    pub(crate) fn at(path: &Path) -> Arc<Self> {
        let path = identity(path);
        let mut files = lock(&FILES);
        if let Some(file) = files.get(&path).and_then(Weak::upgrade) {
            return file;
        }
        files.retain(|_, file| file.strong_count() > 0);
        let file = Arc::new(Self {
            path: path.clone(),
            opened: Mutex::default(),
            ongoing: Mutex::default(),
            turn: Arc::default(),
            opening: Mutex::default(),
        });
        files.insert(path, Arc::downgrade(&file));
        file
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens it to write, or joins those who have.
    pub(crate) fn open(&self, config: &Config) -> Result<Arc<Database>> {
        let mut opened = lock(&self.opened);
        if let Some(database) = opened.upgrade() {
            if database.is_alive() {
                return Ok(database);
            }
            return Err(Error::new(
                ErrorKind::Unavailable,
                "DuckDB gave the file up, and it is not yet closed everywhere",
            ));
        }
        let connection = connect(&self.path, config, AccessMode::ReadWrite)?;
        let database = Arc::new(Database {
            root: Mutex::new(connection),
            megabytes: Mutex::new(config.memory_limit.is_none().then(|| megabytes(0))),
        });
        *opened = Arc::downgrade(&database);
        Ok(database)
    }

    /// Looks at it, without changing anything; `None` where there is no such file.
    pub(crate) fn look<T>(
        &self,
        config: &Config,
        at: impl FnOnce(&Connection) -> Result<T>,
    ) -> Result<Option<T>> {
        let opened = lock(&self.opened);
        if let Some(database) = opened.upgrade() {
            drop(opened);
            return at(&database.connect()?).map(Some);
        }
        if !self.path.exists() {
            return Ok(None);
        }
        // `opened` stays locked: a second instance must not come up meanwhile.
        let connection = connect(&self.path, config, AccessMode::ReadOnly)?;
        let seen = at(&connection).map(Some);
        drop(connection);
        seen
    }

    /// Notes the load that is under way.
    pub(crate) fn set_ongoing(&self, of: ConnectionName, session: &Arc<Mutex<Session>>) {
        *lock(&self.ongoing) = Some((of, Arc::downgrade(session)));
    }

    /// Ends the load under way if it is one of `of`: someone else has taken the connection over.
    pub(crate) fn fence_off(&self, of: &ConnectionName) {
        let session = match &*lock(&self.ongoing) {
            Some((connection, session)) if connection == of => session.upgrade(),
            _ => None,
        };
        if let Some(session) = session {
            lock(&session).fence_off();
        }
    }
}

/// Locks; what a panic left behind is only ever dropped or replaced.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn identity(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute.canonicalize().unwrap_or_else(|_| {
        let parent = absolute
            .parent()
            .and_then(|parent| parent.canonicalize().ok());
        match (parent, absolute.file_name()) {
            (Some(parent), Some(name)) => parent.join(name),
            _ => absolute,
        }
    })
}

/// What DuckDB needs for tables of so many columns, megabytes. Measured: a merge into a table of
/// texts pins up to 1.3 MB for each column; what is allowed is mostly not used.
fn megabytes(columns: usize) -> usize {
    72 + columns.saturating_sub(16) * 3 / 2
}

/// Opens a DuckDB instance on `path`.
pub(crate) fn connect(path: &Path, config: &Config, mode: AccessMode) -> Result<Connection> {
    let mut overflow = path.as_os_str().to_owned();
    overflow.push(".tmp");
    let doing = format!("opening {}", path.display());
    let automatic = format!("{}MB", megabytes(0));
    let memory_limit = config.memory_limit.as_deref().unwrap_or(&automatic);
    let settings = duckdb::Config::default()
        .access_mode(mode)
        .and_then(|settings| settings.max_memory(memory_limit))
        .and_then(|settings| settings.threads(i64::from(config.threads.get())))
        .and_then(|settings| settings.with("temp_directory", overflow.to_string_lossy()))
        .and_then(|settings| settings.with("preserve_insertion_order", "false"))
        .and_then(|settings| settings.with("allocator_flush_threshold", "16MB"))
        // For files that are made now; one that is there keeps the version it has.
        .and_then(|settings| {
            settings.with("storage_compatibility_version", &config.storage_version)
        })
        // What deletes leave behind is cleared away little by little: by default a checkpoint
        // writes a whole table anew when a third of its rows have changed.
        .and_then(|settings| settings.with("max_vacuum_tasks", "4"))
        // Nothing is ever fetched from the network behind the user's back.
        .and_then(|settings| settings.with("autoinstall_known_extensions", "false"))
        .and_then(|settings| settings.with("autoload_known_extensions", "false"))
        .explain(&doing)?;
    let connection = Connection::open_with_flags(path, settings).explain(&doing)?;
    // Instants are shown in UTC. A DuckDB without time zones refuses this, and knows UTC only.
    let _ = connection.execute_batch("SET GLOBAL TimeZone = 'UTC'");
    Ok(connection)
}
