//! The contract of a destination connector.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    ConnectionName, DataType, Error, ErrorKind, Fault, Op, Presence, Rejection, Report, Result,
    State, StreamName, TableName, TruncateKind, View, verify::not_comparable,
};

/// How a stream is kept as a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// One row for each key; the newest wins.
    #[default]
    Merge,
    /// Every change is a row.
    Append,
    /// The whole stream anew each time, swapped in atomically.
    Replace,
    /// Every version of every row, with the time it was valid (SCD type 2).
    History,
}

/// What a delete in the source does to the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Deletes {
    /// The row stays with `_tributary_deleted` true and its last values.
    #[default]
    Soft,
    /// The row goes.
    Hard,
    /// Nothing happens.
    Ignore,
}

/// What a destination can do: facts that the engine plans with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The modes it can keep a table in.
    pub modes: &'static [Mode],
    /// The longest identifier, in bytes.
    pub identifier_bytes: usize,
    /// Whether names that differ only in case are the same name.
    pub case_insensitive: bool,
    /// The most digits of a decimal; wider ones arrive as text.
    pub decimal_digits: u8,
    /// Names that no column can have there; case does not matter.
    pub reserved: &'static [&'static str],
    /// Whether it builds tables beside others and swaps them in: [`Change::Renew`], [`Change::Swap`].
    pub swaps: bool,
    /// The schema of tables for which the user names none; by default the stream's namespace.
    pub schema: Option<String>,
}

/// One column of a table, in the destination's terms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableColumn {
    /// The legal, collision-free name.
    pub name: String,
    /// The type the table's column must have, or be widened to.
    pub data_type: DataType,
    /// What existing rows hold when the column is added, as text that casts to the type.
    pub default: Option<String>,
}

/// How one stream is kept: decided by the engine, carried out by the destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TablePlan {
    /// The stream.
    pub stream: StreamName,
    /// Its table.
    pub table: TableName,
    /// How the table is kept.
    pub mode: Mode,
    /// What deletes do.
    pub deletes: Deletes,
    /// Every column that batches carry, in their order: the stream's own, then those of the system
    /// that the engine fills (`_tributary_id`, `_tributary_op`, `_tributary_position`,
    /// `_tributary_valid_from`, which is NULL where only the load's time is known). The destination
    /// itself adds `_tributary_synced_at`, `_tributary_deleted` for soft deletes, and for `history`
    /// `_tributary_valid_to` and `_tributary_is_current`.
    /// All are nullable in the table. A table may hold more columns than its plan.
    pub columns: Vec<TableColumn>,
    /// The names of the key's columns; empty in `append` without a key.
    pub key: Vec<String>,
}

/// What one load is about to do.
#[derive(Clone, Debug)]
pub struct LoadPlan {
    /// The connection.
    pub connection: ConnectionName,
    /// A new identity for this load: found again in the state when a commit's reply was lost.
    pub load_id: String,
    /// When it began; also `_tributary_synced_at` of its rows.
    pub started_at: DateTime<Utc>,
    /// The tables that must exist with these columns once it has committed.
    pub tables: Vec<Arc<TablePlan>>,
}

/// Rows ready for a table.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The plan they are shaped for. A batch may bring a newer plan than the load began with.
    pub plan: Arc<TablePlan>,
    /// What happened to each row.
    pub ops: Vec<Op>,
    /// Whether the table may hold these keys already.
    pub presence: Presence,
    /// One array for each column of the plan, in order, of its Arrow type.
    pub rows: RecordBatch,
}

/// What a load takes, in order.
#[derive(Clone, Debug)]
pub enum Change {
    /// Rows.
    Rows(Batch),
    /// All rows of the table so far, those of this load included, are gone.
    Truncate {
        /// The table.
        plan: Arc<TablePlan>,
        /// `Change`: as a delete of every row, by the plan's `deletes`. `Restart`: really empty it.
        kind: TruncateKind,
    },
    /// Rows of the table so far, those of this load included, are gone where they agree with one of
    /// these on all of its columns: as a delete of each of them, by the plan's `deletes`. A table in
    /// `append` keeps them; the change itself comes as a row.
    Clear {
        /// The table.
        plan: Arc<TablePlan>,
        /// Some of the plan's columns, under their names and of their Arrow types; no NULLs.
        of: RecordBatch,
    },
    /// Of a table in `history`: every version that is current so far ends, as by a delete.
    Close {
        /// The table.
        plan: Arc<TablePlan>,
        /// When, microseconds since 1970; `None` means when the load began.
        at: Option<i64>,
    },
    /// A table is to be built beside another one: it is made anew, empty, whatever has its name. Only
    /// for destinations that say so (`Capabilities::swaps`). A load names such a table here first, not in its plan.
    Renew {
        /// The table beside.
        plan: Arc<TablePlan>,
        /// The table whose columns it begins with, where there is one: all but those of the system
        /// that the plan does not ask for.
        like: Option<TableName>,
    },
    /// The table that was built beside takes its place. The last change of its load for either.
    Swap {
        /// The plan that the table beside was built by, under the name of the table whose place it takes.
        plan: Arc<TablePlan>,
        /// The table beside; afterwards it is not there.
        beside: TableName,
        /// What becomes of the table that has that place.
        old: Old,
    },
    /// Rows for `_tributary.rejected`.
    Rejected(Vec<Rejection>),
}

/// What becomes of a table whose place is taken by one that was built beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Old {
    /// It goes, where there is one.
    Gone,
    /// It stays under another name, which is free.
    Kept(TableName),
    /// What it has besides goes on; only for destinations that keep histories. In `history` the versions
    /// beside continue it: a key that is not among them ends, one whose first version beside is what is
    /// current goes on as it is. In `append` all of its rows stay. In `merge` those of keys that are not
    /// beside stay, with `deletes: soft` as deleted ones.
    Continued,
}

/// The right to write: proof of having opened the connection last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence {
    /// The connection.
    pub connection: ConnectionName,
    /// Raised by each `open`; a commit with a lower one fails with `ErrorKind::Fenced`.
    pub epoch: u64,
    /// The number of the last commit; each commit is the next one.
    pub sequence: u64,
    /// The load that made that commit.
    pub last_load: Option<String>,
}

/// What one stream had in a load.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamCount {
    /// Rows that the source sent.
    pub rows_read: u64,
    /// Rows that the load took.
    pub rows_written: u64,
    /// Rows that went to `_tributary.rejected`.
    pub rows_rejected: u64,
    /// Their size in memory.
    pub bytes_read: u64,
}

/// A row of `_tributary.loads`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadRecord {
    /// The load's identity.
    pub load_id: String,
    /// The connection.
    pub connection: ConnectionName,
    /// Its number.
    pub sequence: u64,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it committed.
    pub committed_at: DateTime<Utc>,
    /// Counts for each stream.
    pub streams: BTreeMap<StreamName, StreamCount>,
    /// The state before.
    pub from_cursor: Value,
    /// The state after.
    pub to_cursor: Value,
}

/// What commits together with the rows.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The whole state that is true with these rows in place.
    pub state: State,
    /// The state before.
    pub before: State,
    /// Counts for each stream.
    pub streams: BTreeMap<StreamName, StreamCount>,
    /// Changes of table layout made by this load are recorded by the destination itself.
    pub committed_at: DateTime<Utc>,
}

/// A commit that is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The fence for the next load.
    pub fence: Fence,
    /// Rows that the load took as written and then put among the rejected ones.
    pub rejected: BTreeMap<StreamName, u64>,
}

/// The columns a table has now, as far as they can be expressed in our types.
pub type Existing = BTreeMap<TableName, Vec<TableColumn>>;

/// A place on the machine's own disk.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A file that one process at a time may write.
    File(std::path::PathBuf),
    /// A folder that several processes may write.
    Folder(std::path::PathBuf),
}

/// The answer to a query.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The rows; numbers too wide for JSON, dates and bytes are text.
    pub rows: Vec<Vec<Value>>,
}

/// A destination connector. Authors implement this; the engine sees [`AnyDestination`].
#[async_trait]
pub trait Destination: Sized + Send + Sync + 'static {
    /// The `type:` in the configuration.
    const KIND: &'static str;
    /// Its settings; `deny_unknown_fields`.
    type Config: DeserializeOwned + JsonSchema + Send;
    /// Its load.
    type Load: Load;
    /// The modes it can keep a table in, whatever its settings; [`Capabilities::modes`] are these.
    const MODES: &'static [Mode] = &[Mode::Merge, Mode::Append, Mode::Replace, Mode::History];

    /// What can't be meant in the settings, all of it; contacts nothing.
    fn faults(_settings: &Self::Config) -> Vec<Fault> {
        Vec::new()
    }
    /// Where on this machine's own disk it keeps its data, where it does; contacts nothing.
    fn place(_settings: &Self::Config) -> Option<Place> {
        None
    }
    /// Checks the settings and makes a connector; contacts the destination only if it must.
    async fn connect(config: Self::Config) -> Result<Self>;
    /// Preflight: every right, proved by using it.
    async fn check(&self) -> Result<Report>;
    /// What it can do.
    fn capabilities(&self) -> Capabilities;
    /// The stored state; raises the epoch, so that any older writer is fenced off.
    async fn open(&self, of: &ConnectionName) -> Result<(State, Fence)>;
    /// The stored state without touching anything; `None` where there is none.
    async fn peek(&self, of: &ConnectionName) -> Result<Option<State>>;
    /// The last commits of a connection, the newest first.
    async fn loads(&self, of: &ConnectionName, limit: usize) -> Result<Vec<LoadRecord>>;
    /// Which of these tables exist, and their columns, the system's included.
    async fn describe(&self, tables: &[TableName]) -> Result<Existing>;
    /// Starts a load over all tables of the connection.
    async fn begin(&self, plan: &LoadPlan, fence: &Fence) -> Result<Self::Load>;
    /// Asks a question, where the destination can be asked.
    async fn query(&self, sql: &str) -> Result<Answer>;
    /// Upkeep that no load does by itself; says what was done. Safe at any time, also beside loads.
    async fn maintain(&self) -> Result<Report> {
        let mut report = Report::default();
        report.pass(Self::KIND, "there is nothing to tidy");
        Ok(report)
    }
    /// Opens a view of its tables and of a connection's state, all as of one moment, without touching
    /// anything: for a comparison.
    async fn view(&self, _of: &ConnectionName) -> Result<Box<dyn View>> {
        Err(not_comparable(Self::KIND))
    }
}

/// One load: invisible until it commits.
#[async_trait]
pub trait Load: Send + 'static {
    /// Takes rows; spills, never grows without bound.
    async fn write(&mut self, change: Change) -> Result<()>;
    /// Takes rejected rows of a stream that earlier loads left, at most so many, as a part of this
    /// load: once it has committed they are in `_tributary.rejected` no more, unless it rejected
    /// them again. None are left where there are none in the answer. Never given are rows whose key
    /// a later load has changed, and those of a table that was emptied since.
    async fn take_rejected(
        &mut self,
        _stream: &StreamName,
        _most: usize,
    ) -> Result<Vec<Rejection>> {
        Err(keeps_rejected())
    }
    /// How many rows the table, which is one without a key, has for each of these hashes: rows that
    /// are not marked as deleted and whose `_tributary_id` is the hash, or the hash, `-` and a number.
    /// What this load has taken so far is counted too. `None` where the destination can't tell: rows
    /// that are equal are one row there.
    async fn copies(
        &mut self,
        _plan: &Arc<TablePlan>,
        _hashes: &[String],
    ) -> Result<Option<Vec<u64>>> {
        Ok(None)
    }
    /// Makes rows and state true in one step; `Ok` means durable. Dropping the load abandons it.
    async fn commit(self, commit: &Commit) -> Result<Receipt>;
}

fn keeps_rejected() -> Error {
    Error::new(
        ErrorKind::Config,
        "this destination can't give rejected rows back",
    )
    .fix("Read the streams anew: `tributary sync --full-refresh CONNECTION:STREAM`.")
}

/// A load with its type erased.
#[async_trait]
pub trait AnyLoad: Send {
    /// See [`Load::write`].
    async fn write(&mut self, change: Change) -> Result<()>;
    /// See [`Load::take_rejected`].
    async fn take_rejected(
        &mut self,
        _stream: &StreamName,
        _most: usize,
    ) -> Result<Vec<Rejection>> {
        Err(keeps_rejected())
    }
    /// See [`Load::copies`].
    async fn copies(
        &mut self,
        _plan: &Arc<TablePlan>,
        _hashes: &[String],
    ) -> Result<Option<Vec<u64>>> {
        Ok(None)
    }
    /// See [`Load::commit`].
    async fn commit(self: Box<Self>, commit: &Commit) -> Result<Receipt>;
}

#[async_trait]
impl<L: Load> AnyLoad for L {
    async fn write(&mut self, change: Change) -> Result<()> {
        Load::write(self, change).await
    }

    async fn take_rejected(&mut self, stream: &StreamName, most: usize) -> Result<Vec<Rejection>> {
        Load::take_rejected(self, stream, most).await
    }

    async fn copies(
        &mut self,
        plan: &Arc<TablePlan>,
        hashes: &[String],
    ) -> Result<Option<Vec<u64>>> {
        Load::copies(self, plan, hashes).await
    }

    async fn commit(self: Box<Self>, commit: &Commit) -> Result<Receipt> {
        Load::commit(*self, commit).await
    }
}

/// A destination with its types erased: what the engine holds.
#[async_trait]
pub trait AnyDestination: Send + Sync {
    /// See [`Destination::check`].
    async fn check(&self) -> Result<Report>;
    /// See [`Destination::capabilities`].
    fn capabilities(&self) -> Capabilities;
    /// See [`Destination::open`].
    async fn open(&self, of: &ConnectionName) -> Result<(State, Fence)>;
    /// See [`Destination::peek`].
    async fn peek(&self, of: &ConnectionName) -> Result<Option<State>>;
    /// See [`Destination::loads`].
    async fn loads(&self, of: &ConnectionName, limit: usize) -> Result<Vec<LoadRecord>>;
    /// See [`Destination::describe`].
    async fn describe(&self, tables: &[TableName]) -> Result<Existing>;
    /// See [`Destination::begin`].
    async fn begin(&self, plan: &LoadPlan, fence: &Fence) -> Result<Box<dyn AnyLoad>>;
    /// See [`Destination::query`].
    async fn query(&self, sql: &str) -> Result<Answer>;
    /// See [`Destination::maintain`].
    async fn maintain(&self) -> Result<Report>;
    /// See [`Destination::view`].
    async fn view(&self, _of: &ConnectionName) -> Result<Box<dyn View>> {
        Err(not_comparable("destination"))
    }
}

#[async_trait]
impl<D: Destination> AnyDestination for D {
    async fn check(&self) -> Result<Report> {
        Destination::check(self).await
    }

    fn capabilities(&self) -> Capabilities {
        Destination::capabilities(self)
    }

    async fn open(&self, of: &ConnectionName) -> Result<(State, Fence)> {
        Destination::open(self, of).await
    }

    async fn peek(&self, of: &ConnectionName) -> Result<Option<State>> {
        Destination::peek(self, of).await
    }

    async fn loads(&self, of: &ConnectionName, limit: usize) -> Result<Vec<LoadRecord>> {
        Destination::loads(self, of, limit).await
    }

    async fn describe(&self, tables: &[TableName]) -> Result<Existing> {
        Destination::describe(self, tables).await
    }

    async fn begin(&self, plan: &LoadPlan, fence: &Fence) -> Result<Box<dyn AnyLoad>> {
        Ok(Box::new(Destination::begin(self, plan, fence).await?))
    }

    async fn query(&self, sql: &str) -> Result<Answer> {
        Destination::query(self, sql).await
    }

    async fn maintain(&self) -> Result<Report> {
        Destination::maintain(self).await
    }

    async fn view(&self, of: &ConnectionName) -> Result<Box<dyn View>> {
        Destination::view(self, of).await
    }
}
