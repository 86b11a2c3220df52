//! Copies pieces of tables side by side, each in a task and on a connection of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tributary_model::{Error, ErrorKind, Result, StreamName};

use crate::column::ValueOptions;
use crate::failure::classify;
use crate::info::TableInfo;
use crate::layout::Layout;
use crate::link::{self, Link};
use crate::names::quote;
use crate::position::LogPosition;
use crate::server::{Server, status};
use crate::settings::Settings;

pub(crate) use super::fence::Low;
use super::fence::{Fence, View};
use super::pace::Pace;
use super::query::{Locking, all_rows, next_rows};
use super::segment::{KeyStyle, Segment};
pub(crate) use super::view::Batch;
use super::view::{Arriving, Shape};

/// One piece to copy.
#[derive(Debug)]
pub(crate) struct Job {
    /// Its stream.
    pub(crate) stream: StreamName,
    /// Its table.
    pub(crate) table: Arc<TableInfo>,
    /// The columns to select and their decoding.
    pub(crate) layout: Arc<Layout>,
    /// Which of its rows, as SQL; all where it is `None`.
    pub(crate) filter: Option<String>,
    /// What to copy of it.
    pub(crate) piece: Piece,
}

/// How much of a table a job copies.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    /// The next rows of a range, in key order.
    Range {
        /// The range.
        segment: Segment,
        /// How to hand its key back.
        styles: Vec<KeyStyle>,
        /// How many rows at most.
        limit: u64,
    },
    /// Everything, in no order.
    Whole,
}

/// The name of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct JobId(u64);

/// What a job says.
#[derive(Debug)]
pub(crate) enum Copied {
    /// It has a connection, and the server is calm: it waits to be told what its view must show. From
    /// that place on the keys count that the log touches, and so not through a pause of hours. // G6
    Ready,
    /// Its view is open; rows wait until the log's reader has reached this place.
    Opened(LogPosition),
    /// Rows.
    Rows(Batch),
    /// That was all of it, or `limit` rows.
    Done {
        /// Whether the piece ended before the limit.
        exhausted: bool,
    },
    /// It failed.
    Failed(Error),
}

/// Rows that are read under locks are held in memory until they may go: fewer at a time.
const LOCKED_ROWS: u64 = 10_000;
/// Batches that wait between all copiers and the reader.
const WAITING: usize = 4;

/// The copiers.
pub(crate) struct Copier {
    shared: Arc<Shared>,
    inbox: mpsc::Receiver<(JobId, Copied)>,
    running: BTreeMap<JobId, Running>,
    next: u64,
}

struct Shared {
    settings: Arc<Settings>,
    server: Arc<Server>,
    options: ValueOptions,
    outbox: mpsc::Sender<(JobId, Copied)>,
    idle: Mutex<Vec<Link>>,
    pace: Pace,
}

struct Running {
    low: Option<oneshot::Sender<Low>>,
    go: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

/// What a job is told.
struct Told {
    low: oneshot::Receiver<Low>,
    go: oneshot::Receiver<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Copier {
    /// No copiers yet.
    pub(crate) fn new(settings: Arc<Settings>, server: Arc<Server>) -> Self {
        let (outbox, inbox) = mpsc::channel(WAITING);
        let options = settings.values(server.flavor);
        let idle = Mutex::default();
        let pace = Pace::new(settings.limits);
        let shared = Arc::new(Shared {
            settings,
            server,
            options,
            outbox,
            idle,
            pace,
        });
        Self {
            shared,
            inbox,
            running: BTreeMap::new(),
            next: 0,
        }
    }

    /// Starts a job.
    pub(crate) fn start(&mut self, job: Job) -> JobId {
        let id = JobId(self.next);
        self.next += 1;
        let ((low, mark), (go, wait)) = (oneshot::channel(), oneshot::channel());
        let told = Told {
            low: mark,
            go: wait,
        };
        let shared = self.shared.clone();
        let task = tokio::spawn(async move {
            let last = match run(&shared, id, &job, told).await {
                Ok(exhausted) => Copied::Done { exhausted },
                Err(error) => Copied::Failed(error),
            };
            let _ = shared.outbox.send((id, last)).await;
        });
        let (low, go) = (Some(low), Some(go));
        self.running.insert(id, Running { low, go, task });
        id
    }

    /// Tells a job that is ready what its view must show.
    pub(crate) fn mark(&mut self, id: JobId, low: Low) {
        let running = self.running.get_mut(&id);
        if let Some(mark) = running.and_then(|running| running.low.take()) {
            let _ = mark.send(low);
        }
    }

    /// Lets a job send its rows.
    pub(crate) fn release(&mut self, id: JobId) {
        if let Some(go) = self
            .running
            .get_mut(&id)
            .and_then(|running| running.go.take())
        {
            let _ = go.send(());
        }
    }

    /// Ends a job.
    pub(crate) fn cancel(&mut self, id: JobId) {
        self.running.remove(&id);
    }

    /// How many jobs go on.
    pub(crate) fn running(&self) -> usize {
        self.running.len()
    }

    /// What a job says next; never ends, and is safe to drop while it waits.
    pub(crate) async fn next(&mut self) -> (JobId, Copied) {
        loop {
            match self.inbox.recv().await {
                // What a cancelled job still had to say is of no interest.
                Some((id, _)) if !self.running.contains_key(&id) => {}
                Some((id, copied)) => {
                    if matches!(copied, Copied::Done { .. } | Copied::Failed(_)) {
                        self.running.remove(&id);
                    }
                    return (id, copied);
                }
                None => std::future::pending().await,
            }
        }
    }
}

/// Copies one piece; tells whether it ended before its limit.
async fn run(shared: &Shared, id: JobId, job: &Job, told: Told) -> Result<bool> {
    let idle = shared
        .idle
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .pop();
    let mut link = match idle {
        Some(link) => link,
        None => link::open(&shared.settings).await?,
    };
    shared.pace.wait_for_calm(&mut link, &shared.server).await?;
    // Rows that a cancelled job has read are waited for all the same.
    shared.pace.read(0).await;
    shared.say(id, Copied::Ready).await?;
    let low = told.low.await.map_err(|_| forgotten())?;
    let fence = Fence::of(&shared.server);
    let view = fence
        .open(&mut link, &shared.server, &job.table, &low)
        .await?;
    let exhausted = match view {
        View::Open(high) => {
            let limit = job.limit();
            shared.say(id, Copied::Opened(high)).await?;
            told.go.await.map_err(|_| forgotten())?;
            let count = send_rows(shared, id, job, &mut link, limit).await?;
            link.run("COMMIT")
                .await
                .map_err(|error| classify(error, "ending a consistent view"))?;
            count < limit
        }
        View::Locks if job.is_too_large_for_locks() => return Err(no_fence(job)),
        View::Locks => {
            let limit = job.locked_limit();
            let (count, batches) = hold_rows(shared, job, &mut link, limit).await?;
            // Behind the last row: nothing that was read is later than this.
            let high = status(&mut link, &shared.server).await?.position;
            shared.say(id, Copied::Opened(high)).await?;
            told.go.await.map_err(|_| forgotten())?;
            for batch in batches {
                shared.say(id, Copied::Rows(batch)).await?;
            }
            count < limit
        }
    };
    shared
        .idle
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(link);
    Ok(exhausted)
}

fn forgotten() -> Error {
    Error::bug("a copier was forgotten")
}

async fn send_rows(
    shared: &Shared,
    id: JobId,
    job: &Job,
    link: &mut Link,
    limit: u64,
) -> Result<u64> {
    let query = job.query(limit, Locking::None);
    let shape = job.shape(shared.options);
    let mut arriving = Arriving::open(link, &query, &shape).await?;
    while let Some(batch) = arriving.next().await? {
        let rows = batch.rows.num_rows();
        shared.say(id, Copied::Rows(batch)).await?;
        shared.pace.read(rows).await;
    }
    Ok(arriving.count())
}

async fn hold_rows(
    shared: &Shared,
    job: &Job,
    link: &mut Link,
    limit: u64,
) -> Result<(u64, Vec<Batch>)> {
    let query = job.query(limit, Locking::Share);
    let shape = job.shape(shared.options);
    let mut arriving = Arriving::open(link, &query, &shape).await?;
    let mut held = Vec::new();
    while let Some(batch) = arriving.next().await? {
        held.push(batch);
    }
    // Behind the last row: the locks are gone by then.
    shared
        .pace
        .read(held.iter().map(|batch| batch.rows.num_rows()).sum())
        .await;
    Ok((arriving.count(), held))
}

impl Shared {
    async fn say(&self, id: JobId, what: Copied) -> Result<()> {
        let gone = |_| Error::bug("the log's reader has gone");
        self.outbox.send((id, what)).await.map_err(gone)
    }
}

impl Job {
    /// Without a key, rows can't be read a few at a time under locks.
    fn is_too_large_for_locks(&self) -> bool {
        matches!(self.piece, Piece::Whole) && self.table.estimated_rows > LOCKED_ROWS
    }

    fn limit(&self) -> u64 {
        match &self.piece {
            Piece::Range { limit, .. } => *limit,
            Piece::Whole => u64::MAX,
        }
    }

    fn query(&self, limit: u64, locking: Locking) -> super::query::Query {
        let columns = self.layout.select_list();
        let filter = self.filter.as_deref();
        match &self.piece {
            Piece::Range {
                segment, styles, ..
            } => next_rows(
                &self.table,
                &columns,
                filter,
                styles,
                segment,
                limit,
                locking,
            ),
            Piece::Whole => all_rows(&self.table, &columns, filter, locking),
        }
    }

    fn locked_limit(&self) -> u64 {
        match self.piece {
            Piece::Range { limit, .. } => limit.min(LOCKED_ROWS),
            Piece::Whole => u64::MAX,
        }
    }

    fn shape(&self, options: ValueOptions) -> Shape {
        let columns = &self.layout.columns;
        let key = match &self.piece {
            Piece::Range { styles, .. } => self
                .table
                .key
                .iter()
                .zip(styles)
                .filter_map(|(name, style)| {
                    let index = columns.iter().position(|column| column.name == *name)?;
                    Some((index, *style))
                })
                .collect(),
            Piece::Whole => Vec::new(),
        };
        Shape {
            stream: self.stream.clone(),
            layout: self.layout.clone(),
            options,
            key,
        }
    }
}

/// All rows of a large table under locks would stop every writer.
fn no_fence(job: &Job) -> Error {
    Error::new(
        ErrorKind::Access,
        format!(
            "{} has no key, and without GTIDs its copy needs a moment's table lock",
            job.stream
        ),
    )
    .fix(format!(
        "Run GRANT LOCK TABLES ON {}.* for the user, or give the table a primary key, or switch \
         gtid_mode on.",
        quote(&job.table.database)
    ))
}
