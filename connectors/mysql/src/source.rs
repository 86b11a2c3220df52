//! The source: connects the parts to the engine's contract.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use mysql_async::Conn;
use tributary_model::{
    Catalog, CursorSummary, Error, ErrorKind, Fault, Meter, Output, Phase, ReadRequest, Report,
    Result, ScanRequest, Scope, Source, State, Stream, StreamName, meter,
};

use crate::config::Config;
use crate::config::SnapshotMode;
use crate::cursor::{Begin, Cursor, LogCursor, TableCursor, TablePhase};
use crate::discover;
use crate::filter::Filter;
use crate::info::TableInfo;
use crate::log::stream::LogStream;
use crate::preflight;
use crate::reader::{Progress, Reader};
use crate::requirements::require;
use crate::server::{Server, status};
use crate::session;
use crate::settings::{self, Settings};
use crate::snapshot::Copier;
use crate::start::{Start, fresh, resume};
use crate::tables::{Table, Tables};
use crate::verify;

/// A MySQL or MariaDB server.
#[derive(Debug)]
pub struct MySql {
    settings: Arc<Settings>,
    /// Whoever wants to know where the reading stands in the log.
    meter: Arc<dyn Meter>,
    /// The tables as they were listed before a reading; it need not list them again.
    listed: Mutex<Option<Vec<TableInfo>>>,
}

#[async_trait]
impl Source for MySql {
    const KIND: &'static str = "mysql";
    type Config = Config;
    type Cursor = Cursor;
    const FILTERS: bool = true;
    // Each row event is read once, and its before image tells which row is gone.
    const COUNTS: bool = true;

    fn faults(settings: &Config) -> Vec<Fault> {
        settings::faults(settings)
    }

    fn filter_fault(filter: &str) -> Option<Error> {
        Filter::parse(filter).err()
    }

    fn summarize(cursor: &Cursor) -> Option<CursorSummary> {
        Some(cursor.summary())
    }

    async fn connect(config: Config) -> Result<Self> {
        Ok(Self {
            settings: Arc::new(Settings::from_config(config)?),
            meter: meter(),
            listed: Mutex::default(),
        })
    }

    async fn check(&self, streams: &[StreamName]) -> Result<Report> {
        preflight::check(&self.settings, streams).await
    }

    async fn discover(&self) -> Result<Catalog> {
        let mut conn = session::open(&self.settings).await?;
        let tables = discover::tables(&mut conn, &self.settings.databases).await?;
        let server = Server::read(&mut conn).await?;
        let catalog = discover::catalog(&tables, self.settings.values(server.flavor))?;
        *self.listed.lock().unwrap_or_else(PoisonError::into_inner) = Some(tables);
        Ok(catalog)
    }

    async fn read(&self, request: ReadRequest<'_, Cursor>, out: &Output<Cursor>) -> Result<()> {
        let mut conn = session::open(&self.settings).await?;
        let server = Arc::new(Server::read(&mut conn).await?);
        require(&server)?;
        let (log, cursors) = split(request.state)?;
        let unsettled = unsettled(log, &cursors, out).await?;
        let cursors = cursors
            .into_iter()
            .map(|(name, cursor)| (name, unsettled.get(name).unwrap_or(cursor)))
            .collect::<BTreeMap<_, _>>();
        let known = cursors.clone();
        let (start, cursors) = self.begin(&mut conn, &server, log, cursors).await?;
        forget(&known, &cursors, out).await?;
        let (mut tables, others) = self
            .tables(&mut conn, &server, request.streams, &cursors, out)
            .await?;
        if self.settings.snapshot == SnapshotMode::InitialOnly
            && !tables.iter().any(Table::is_copying)
        {
            return Ok(());
        }
        // Everything up to here is to be read; what comes later is for the next sync.
        let target = status(&mut conn, &server).await?.position;
        if !server.names_columns() {
            for table in &mut tables {
                table.certain_from = Some(target.clone());
            }
        }
        let stream = LogStream::open(&self.settings, &server, &start).await?;
        let tables = Tables::new(tables, others, server.ignores_case());
        let mut reader = Reader {
            settings: self.settings.clone(),
            options: self.settings.values(server.flavor),
            server: server.clone(),
            conn,
            out,
            until: request.until,
            tables,
            log: stream,
            copier: Copier::new(self.settings.clone(), server),
            meter: self.meter.clone(),
            progress: Progress::new(target, start.era),
        };
        reader.run().await
    }

    async fn scan(&self, request: ScanRequest<'_, Cursor>, out: &Output<Cursor>) -> Result<()> {
        verify::scan(&self.settings, request, out).await
    }

    async fn forward(&self, state: &State<Cursor>) -> Result<State<Cursor>> {
        verify::forward(&self.settings, state).await
    }
}

impl MySql {
    /// Where to begin in the log, and which tables' cursors still hold from there.
    async fn begin<'c>(
        &self,
        conn: &mut Conn,
        server: &Server,
        log: Option<&LogCursor>,
        cursors: BTreeMap<&'c StreamName, &'c TableCursor>,
    ) -> Result<(Start, BTreeMap<&'c StreamName, &'c TableCursor>)> {
        // A table's cursor means nothing without the log's: it would be the absence of changes.
        let Some(log) = log else {
            return Ok((fresh(conn, server).await?, BTreeMap::new()));
        };
        match resume(conn, server, log).await {
            Ok(start) => Ok((start, cursors)),
            Err(error)
                if error.kind() == ErrorKind::Expired
                    && self.settings.snapshot == SnapshotMode::WhenNeeded =>
            {
                tracing::warn!(%error, "all tables are copied anew");
                let start = Start {
                    era: log.era + 1,
                    ..fresh(conn, server).await?
                };
                Ok((start, BTreeMap::new()))
            }
            Err(error) => Err(error),
        }
    }

    /// The selected tables as they are now, and those that are not selected; one that can't be read
    /// fails alone.
    async fn tables(
        &self,
        conn: &mut Conn,
        server: &Server,
        streams: &[Stream],
        cursors: &BTreeMap<&StreamName, &TableCursor>,
        out: &Output<Cursor>,
    ) -> Result<(Vec<Table>, Vec<TableInfo>)> {
        let listed = self
            .listed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let infos = match listed {
            // A log that is gone on with tells what has changed since: it begins before that.
            Some(listed) if !cursors.is_empty() => listed,
            Some(_) | None => discover::tables(conn, &self.settings.databases).await?,
        };
        let mut infos: BTreeMap<StreamName, TableInfo> = infos
            .into_iter()
            .map(|info| (StreamName::within(&info.database, &info.name), info))
            .collect();
        let mut tables = Vec::new();
        for stream in streams {
            let cursor = cursors.get(&stream.name).copied();
            let Some(info) = infos.remove(&stream.name) else {
                // Gone since the streams were listed; should it come back, it has missed changes.
                give_up(&stream.name, cursor, "the table was dropped", out).await?;
                continue;
            };
            match self.table(stream, server, info, cursor) {
                Ok(table) => {
                    out.phase(&stream.name, phase_of(cursor)).await?;
                    tables.push(table);
                }
                Err(error) => {
                    give_up(&stream.name, cursor, &error.what(), out).await?;
                    out.failed(&stream.name, error).await?;
                }
            }
        }
        Ok((tables, infos.into_values().collect()))
    }

    fn table(
        &self,
        stream: &Stream,
        server: &Server,
        info: TableInfo,
        cursor: Option<&TableCursor>,
    ) -> Result<Table> {
        Table::new(stream, info, cursor, self.settings.values(server.flavor))
    }
}

/// Tables whose cursors are older than what the log's cursor has passed: they begin anew, and their
/// cursors say so before the log's forgets them. // G1
async fn unsettled(
    log: Option<&LogCursor>,
    cursors: &BTreeMap<&StreamName, &TableCursor>,
    out: &Output<Cursor>,
) -> Result<BTreeMap<StreamName, TableCursor>> {
    let mut begun = BTreeMap::new();
    for name in log.iter().flat_map(|log| &log.unsettled) {
        let Some(cursor) = cursors.get(name) else {
            continue;
        };
        let begin = match &cursor.phase {
            TablePhase::Pending {
                begin: Begin::Restart,
            } => Begin::Restart,
            TablePhase::Pending { .. }
            | TablePhase::Snapshot { .. }
            | TablePhase::Streaming
            | TablePhase::Stopped { .. } => Begin::Deleted,
        };
        let pending = TableCursor {
            phase: TablePhase::Pending { begin },
            ..(*cursor).clone()
        };
        out.checkpoint(Scope::Stream(name.clone()), &Cursor::Table(pending.clone()))
            .await?;
        begun.insert(name.clone(), pending);
    }
    Ok(begun)
}

/// Cursors that do not hold beside the log's new one must not stand there: a restart would go on from
/// them as if nothing lay between. // G1
async fn forget(
    known: &BTreeMap<&StreamName, &TableCursor>,
    kept: &BTreeMap<&StreamName, &TableCursor>,
    out: &Output<Cursor>,
) -> Result<()> {
    for (name, cursor) in known.iter().filter(|(name, _)| !kept.contains_key(*name)) {
        let phase = TablePhase::Pending {
            begin: Begin::Restart,
        };
        let pending = Cursor::Table(TableCursor {
            phase,
            ..(*cursor).clone()
        });
        out.checkpoint(Scope::Stream((*name).clone()), &pending)
            .await?;
    }
    Ok(())
}

/// The log's cursor moves on without this table: its own must say so.
async fn give_up(
    stream: &StreamName,
    cursor: Option<&TableCursor>,
    reason: &str,
    out: &Output<Cursor>,
) -> Result<()> {
    let Some(cursor) = cursor else { return Ok(()) };
    let phase = TablePhase::Stopped {
        reason: reason.to_owned(),
    };
    let stopped = Cursor::Table(TableCursor {
        phase,
        ..cursor.clone()
    });
    out.checkpoint(Scope::Stream(stream.clone()), &stopped)
        .await
}

fn phase_of(cursor: Option<&TableCursor>) -> Phase {
    cursor.map_or(Phase::Pending, |cursor| cursor.phase.phase())
}

pub(crate) type Parts<'a> = (
    Option<&'a LogCursor>,
    BTreeMap<&'a StreamName, &'a TableCursor>,
);

/// Tells the log's cursor from the tables'.
pub(crate) fn split(state: &State<Cursor>) -> Result<Parts<'_>> {
    let mixed = || {
        Error::new(
            ErrorKind::Incompatible,
            "the stored state has cursors in each other's place",
        )
        .fix("Start again with `tributary state reset CONNECTION`.")
    };
    let log = match &state.shared {
        None => None,
        Some(Cursor::Log(log)) => Some(log),
        Some(Cursor::Table(_)) => return Err(mixed()),
    };
    let mut tables = BTreeMap::new();
    for (stream, cursor) in &state.streams {
        let Cursor::Table(cursor) = cursor else {
            return Err(mixed());
        };
        tables.insert(stream, cursor);
    }
    Ok((log, tables))
}
