//! The document as written: nothing filled in, nothing resolved.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tributary_model::{Deletes, Mode, SchemaChanges, Secret};

use crate::alerts::AlertEntry;
use crate::attempts::ExportEntry;
use crate::column::ColumnEntry;
use crate::duration::Duration;
use crate::rejections::MaxRejected;
use crate::schedule::Schedule;
use crate::size::Size;
use crate::telemetry::{LineageEntry, TelemetryEntry};
use crate::window::Window;
use crate::zone::TimeZone;

/// The configuration of Tributary.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    /// The systems that records are read from, by name.
    #[serde(default)]
    pub(crate) sources: BTreeMap<String, Value>,
    /// The systems that records are written to, by name.
    #[serde(default)]
    pub(crate) destinations: BTreeMap<String, Value>,
    /// Which source goes to which destination, by name.
    #[serde(default)]
    pub(crate) connections: BTreeMap<String, ConnectionEntry>,
    /// The long-running process.
    pub(crate) daemon: Option<DaemonEntry>,
    /// Who is told when something happens, by name.
    #[serde(default)]
    pub(crate) alerts: BTreeMap<String, AlertEntry>,
    /// The most memory that rows on their way may take; 512MiB if not given.
    pub(crate) memory: Option<Size>,
    /// The secret key of `hash`, for connections that have none of their own.
    pub(crate) salt: Option<Secret>,
    /// Traces, sent to an OpenTelemetry collector; none if not given.
    pub(crate) telemetry: Option<TelemetryEntry>,
    /// What came from where, told in OpenLineage; to nobody if not given.
    pub(crate) lineage: Option<LineageEntry>,
    /// How Airflow or Kubernetes run connections that say nothing else.
    pub(crate) export: Option<ExportEntry>,
}

/// One source paired with one destination.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConnectionEntry {
    /// A name under `sources`.
    pub(crate) source: String,
    /// A name under `destinations`.
    pub(crate) destination: String,
    /// When the daemon runs it: `5m`, `1h`, a cron expression, `continuous` or `manual`.
    pub(crate) schedule: Option<Schedule>,
    /// How old data may be at most. Without a schedule the daemon chooses when to run so that this
    /// holds; with one it only tells whether it does.
    pub(crate) freshness: Option<Duration>,
    /// The zone in which cron expressions and windows are meant, such as `Europe/Berlin`; that of
    /// `daemon` if not given.
    pub(crate) time_zone: Option<TimeZone>,
    /// When the daemon may run it, such as `22:00-06:00` or `mon-fri 18:00-24:00`; always if not
    /// given.
    #[serde(default)]
    pub(crate) windows: Vec<Window>,
    /// Which streams: patterns with `*` and `?`, `!` takes away, later ones win; all if not given.
    #[serde(default)]
    pub(crate) select: Vec<String>,
    /// Choices for streams that make none of their own.
    pub(crate) defaults: Option<StreamEntry>,
    /// Choices for single streams, by name.
    #[serde(default)]
    pub(crate) streams: BTreeMap<String, StreamEntry>,
    /// When rows that have arrived are committed.
    pub(crate) flush: Option<FlushEntry>,
    /// The secret key of `hash`.
    pub(crate) salt: Option<Secret>,
    /// How Airflow or Kubernetes run it, see `tributary export`.
    pub(crate) export: Option<ExportEntry>,
}

/// The choices for a stream.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StreamEntry {
    /// How the table is kept; `merge` if not given.
    pub(crate) mode: Option<Mode>,
    /// What a delete in the source does; `soft` if not given.
    pub(crate) deletes: Option<Deletes>,
    /// What happens to single columns, by the source's name.
    #[serde(default)]
    pub(crate) columns: BTreeMap<String, ColumnEntry>,
    /// A row filter in the source's language.
    pub(crate) r#where: Option<String>,
    /// What happens when the stream's layout changes; `follow` if not given.
    pub(crate) schema_changes: Option<SchemaChanges>,
    /// How many rows may be rejected before the stream is stopped: rows in a run, a share such as
    /// `0.1%`, or `unlimited`; 1000 if not given.
    pub(crate) max_rejected: Option<MaxRejected>,
    /// A schedule of its own.
    pub(crate) schedule: Option<Schedule>,
    /// The table: `name` or `schema.name`.
    #[schemars(extend("format" = crate::table::FORMAT))]
    pub(crate) table: Option<String>,
}

/// When rows that have arrived are committed: whichever comes first.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FlushEntry {
    /// So many rows.
    #[schemars(range(min = 1))]
    pub(crate) rows: Option<u64>,
    /// So many bytes in memory.
    pub(crate) bytes: Option<Size>,
    /// So long after the first row.
    pub(crate) every: Option<Duration>,
}

/// The long-running process.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DaemonEntry {
    /// The address of its HTTP server; 127.0.0.1:8642 if not given.
    #[schemars(with = "Option<String>", extend("format" = crate::validate::SOCKET_ADDRESS))]
    pub(crate) listen: Option<SocketAddr>,
    /// What a caller must show to change something.
    pub(crate) token: Option<Secret>,
    /// How many connections may run at once; 4 if not given.
    #[schemars(range(min = 1, max = 256))]
    pub(crate) workers: Option<usize>,
    /// The zone of connections that name none of their own; UTC if not given.
    pub(crate) time_zone: Option<TimeZone>,
    /// How long runs may take to finish what they can when it is told to stop; 30s if not given.
    pub(crate) drain: Option<Duration>,
    /// Where it keeps its history, pauses and tokens: a file, or postgres://user:password@host/db;
    /// a SQLite file in the user's state folder if not given.
    pub(crate) store: Option<Secret>,
}
