//! The configuration as meant: defaults filled in, names resolved, everything checked.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};

use serde_json::Value;
use tributary_model::{
    ColumnRule, ConnectionName, ConnectionOptions, FlushPolicy, Secret, Selection, StreamName,
    StreamOptions,
};

use crate::error::Problem;
use crate::file::{ConnectionEntry, DaemonEntry, File, FlushEntry, StreamEntry};
use crate::schedule::Schedule;
use crate::table;

const MEMORY: u64 = 512 << 20;
const PORT: u16 = 8642;
const WORKERS: usize = 4;

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
}

/// Fills in what was left unsaid. The document has been checked: nothing can fail here.
pub(crate) fn fill_in(file: File) -> Plan {
    let memory = file.memory.map_or(MEMORY, |size| size.0);
    let memory = usize::try_from(memory).unwrap_or(usize::MAX);
    let connections = file
        .connections
        .into_iter()
        .map(|(name, entry)| (name.clone(), connection(&name, entry, memory, &file.salt)))
        .collect();
    Plan {
        sources: ends(file.sources),
        destinations: ends(file.destinations),
        connections,
        daemon: daemon(file.daemon),
        doubts: Vec::new(),
    }
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
    ConnectionPlan {
        source: entry.source,
        destination: entry.destination,
        schedule: entry.schedule.or(default_schedule).unwrap_or_default(),
        stream_schedules,
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
    };
    let Some(entry) = entry else {
        return default;
    };
    Daemon {
        listen: entry.listen.unwrap_or(default.listen),
        token: entry.token,
        workers: entry.workers.unwrap_or(default.workers),
    }
}
