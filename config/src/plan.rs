//! The configuration as meant: defaults filled in, names resolved, everything checked.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};

use chrono_tz::Tz;
use serde_json::Value;
use tributary_model::{
    ColumnRule, ConnectionName, ConnectionOptions, FlushPolicy, Secret, Selection, StreamName,
    StreamOptions,
};

use crate::alerts::{self, AlertEntry, AlertPlan};
use crate::attempts::{self, Attempts};
use crate::error::Problem;
use crate::file::{ConnectionEntry, DaemonEntry, File, FlushEntry, StreamEntry};
use crate::schedule::Schedule;
use crate::table;
use crate::telemetry::{Lineage, Telemetry};
use crate::window::Window;

const MEMORY: u64 = 512 << 20;
const PORT: u16 = 8642;
const WORKERS: usize = 4;
const DRAIN: std::time::Duration = std::time::Duration::from_secs(30);

/// Everything that a configuration says.
#[derive(Debug)]
pub struct Plan {
    /// The sources by name.
    pub sources: BTreeMap<String, EndPlan>,
    /// The destinations by name.
    pub destinations: BTreeMap<String, EndPlan>,
    /// The connections by name.
    pub connections: BTreeMap<String, ConnectionPlan>,
    /// The long-running process.
    pub daemon: Daemon,
    /// Who is told when something happens, by name.
    pub alerts: Vec<AlertPlan>,
    /// The most bytes of rows in flight, over all connections that run at once.
    pub memory: usize,
    /// Where traces go.
    pub telemetry: Option<Telemetry>,
    /// Who is told what came from where.
    pub lineage: Option<Lineage>,
    /// What can't work here and now and may elsewhere, such as a file that is not there.
    pub doubts: Vec<Problem>,
}

/// A source or destination.
#[derive(Clone)]
pub struct EndPlan {
    /// Its `type:`.
    pub kind: String,
    /// Its other settings, as its connector takes them; secrets included.
    pub settings: Value,
}

impl fmt::Debug for EndPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // G8: the settings hold passwords.
        f.debug_struct("EndPlan")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// A connection.
#[derive(Clone, Debug)]
pub struct ConnectionPlan {
    /// What the engine needs to know.
    pub options: ConnectionOptions,
    /// The name of its source.
    pub source: String,
    /// The name of its destination.
    pub destination: String,
    /// When it runs.
    pub schedule: Schedule,
    /// Streams that run at other times.
    pub stream_schedules: BTreeMap<StreamName, Schedule>,
    /// How old data may be at most.
    pub freshness: Option<std::time::Duration>,
    /// The zone in which cron expressions and windows are meant.
    pub time_zone: Tz,
    /// When it may run; empty means always.
    pub windows: Vec<Window>,
    /// How another scheduler than the daemon runs it.
    pub attempts: Attempts,
}

/// The long-running process.
#[derive(Clone, Debug)]
pub struct Daemon {
    /// The address of its HTTP server.
    pub listen: SocketAddr,
    /// What a caller must show to change something.
    pub token: Option<Secret>,
    /// How many connections may run at once.
    pub workers: usize,
    /// How long runs may take to finish what they can when it is told to stop.
    pub drain: std::time::Duration,
    /// Where it keeps what it knows: a file, or an address of a Postgres database, which may hold
    /// a password.
    pub store: Option<Secret>,
}

/// Fills in what was left unsaid. The document has been checked: nothing can fail here.
pub(crate) fn fill_in(file: File) -> Plan {
    let memory = file.memory.map_or(MEMORY, |size| size.0);
    let memory = usize::try_from(memory).unwrap_or(usize::MAX);
    let zone = file.daemon.as_ref().and_then(|daemon| daemon.time_zone);
    let zone = zone.map_or(Tz::UTC, |zone| zone.0);
    let connections = file
        .connections
        .into_iter()
        .map(|(name, entry)| {
            let attempts = attempts::fill_in(entry.export, file.export);
            let time_zone = entry.time_zone.map_or(zone, |zone| zone.0);
            let plan = connection(&name, entry, memory, &file.salt);
            let plan = ConnectionPlan {
                attempts,
                time_zone,
                ..plan
            };
            (name, plan)
        })
        .collect();
    Plan {
        sources: ends(file.sources),
        destinations: ends(file.destinations),
        connections,
        daemon: daemon(file.daemon),
        alerts: alerts(file.alerts),
        memory,
        telemetry: file.telemetry.map(Telemetry::from),
        lineage: file.lineage.map(Lineage::from),
        doubts: Vec::new(),
    }
}

fn alerts(entries: BTreeMap<String, AlertEntry>) -> Vec<AlertPlan> {
    let entries = entries.into_iter();
    entries
        .map(|(name, entry)| alerts::fill_in(name, entry))
        .collect()
}

fn ends(entries: BTreeMap<String, Value>) -> BTreeMap<String, EndPlan> {
    entries
        .into_iter()
        .map(|(name, settings)| (name, end(settings)))
        .collect()
}

fn end(mut settings: Value) -> EndPlan {
    let kind = settings
        .as_object_mut()
        .and_then(|fields| fields.remove("type"));
    EndPlan {
        kind: kind
            .and_then(|kind| kind.as_str().map(ToOwned::to_owned))
            .unwrap_or_default(),
        settings,
    }
}

fn connection(
    name: &str,
    entry: ConnectionEntry,
    memory: usize,
    salt: &Option<Secret>,
) -> ConnectionPlan {
    let name = ConnectionName::new(name);
    let default_entry = entry.defaults.unwrap_or_default();
    let default_schedule = default_entry.schedule.clone();
    let defaults = overlay(&StreamOptions::default(), default_entry);
    let mut streams = BTreeMap::new();
    let mut stream_schedules = BTreeMap::new();
    for (stream, entry) in entry.streams {
        let stream = StreamName::from(stream);
        if let Some(schedule) = &entry.schedule {
            stream_schedules.insert(stream.clone(), schedule.clone());
        }
        let table = entry
            .table
            .as_deref()
            .and_then(|text| table::resolve(text, &stream, &name).ok());
        let options = StreamOptions {
            table,
            ..overlay(&defaults, entry)
        };
        streams.insert(stream, options);
    }
    let freshness = entry.freshness.map(|objective| objective.0);
    let written = entry.schedule.or(default_schedule);
    ConnectionPlan {
        source: entry.source,
        destination: entry.destination,
        // `freshness` alone is a schedule, too.
        schedule: written
            .or(freshness.map(Schedule::Fresh))
            .unwrap_or_default(),
        freshness,
        time_zone: Tz::UTC,
        windows: entry.windows,
        stream_schedules,
        attempts: attempts::fill_in(entry.export, None),
        options: ConnectionOptions {
            name,
            select: Selection(entry.select),
            defaults,
            streams,
            flush: flush(entry.flush),
            memory,
            salt: entry.salt.or_else(|| salt.clone()),
        },
    }
}

/// The choices of `entry`, those of `base` where it makes none; columns one by one.
fn overlay(base: &StreamOptions, entry: StreamEntry) -> StreamOptions {
    let mut columns = base.columns.clone();
    let own = entry
        .columns
        .into_iter()
        .map(|(name, rule)| (name, ColumnRule::from(rule)));
    columns.extend(own);
    StreamOptions {
        mode: entry.mode.unwrap_or(base.mode),
        deletes: entry.deletes.unwrap_or(base.deletes),
        columns,
        filter: entry.r#where.or_else(|| base.filter.clone()),
        schema_changes: entry.schema_changes.unwrap_or(base.schema_changes),
        table: None,
        max_rejected: entry
            .max_rejected
            .map_or(base.max_rejected, |limit| limit.0),
    }
}

fn flush(entry: Option<FlushEntry>) -> FlushPolicy {
    let default = FlushPolicy::default();
    let Some(entry) = entry else {
        return default;
    };
    FlushPolicy {
        rows: entry.rows.unwrap_or(default.rows),
        bytes: entry.bytes.map_or(default.bytes, |size| size.0),
        age: entry.every.map_or(default.age, |every| every.0),
    }
}

fn daemon(entry: Option<DaemonEntry>) -> Daemon {
    let default = Daemon {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)),
        token: None,
        workers: WORKERS,
        drain: DRAIN,
        store: None,
    };
    let Some(entry) = entry else {
        return default;
    };
    Daemon {
        listen: entry.listen.unwrap_or(default.listen),
        token: entry.token,
        workers: entry.workers.unwrap_or(default.workers),
        drain: entry.drain.map_or(default.drain, |drain| drain.0),
        store: entry.store,
    }
}
