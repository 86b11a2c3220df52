//! Where syncs go on from when the log no longer reaches back: its present end, with the tables as they
//! are there.

use std::collections::{BTreeMap, BTreeSet};

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tributary_model::{Error, Result, State, StreamName};

use crate::cursor::{Cursor, LogCursor, TableCursor, TablePhase};
use crate::discover;
use crate::failure::{classify, server_code};
use crate::history::Declared;
use crate::info::TableInfo;
use crate::names::quote;
use crate::requirements::require;
use crate::server::Server;
use crate::session;
use crate::settings::Settings;
use crate::source::split;
use crate::start::{Start, fresh};

/// The server's code for a table that is not there.
const NO_SUCH_TABLE: u16 = 1146;
/// The same, where its database has gone with it.
const NO_SUCH_DATABASE: u16 = 1049;

/// The state that goes on from the end of the log with the tables that `state` has.
pub(crate) async fn forward(settings: &Settings, state: &State<Cursor>) -> Result<State<Cursor>> {
    let mut conn = session::open(settings).await?;
    let server = Server::read(&mut conn).await?;
    require(&server)?;
    let (log, cursors) = split(state)?;
    let log = log.ok_or_else(|| Error::bug("a state without a place in the log was to go on"))?;
    let is_followed = |cursor: &TableCursor| matches!(cursor.phase, TablePhase::Streaming);
    let followed: BTreeMap<_, _> = cursors
        .into_iter()
        .filter(|(_, cursor)| is_followed(cursor))
        .collect();
    let holder = match server.names_columns() {
        true => None,
        false => Some(hold_layouts(settings, followed.keys().copied()).await?),
    };
    let now = fresh(&mut conn, &server).await?;
    // What the log has said of their columns up to here is passed over.
    let mut declared = match &holder {
        None => BTreeMap::new(),
        Some(_) => declared(&mut conn, settings, &now).await?,
    };
    drop(holder);
    let streams = followed
        .into_iter()
        .map(|(name, cursor)| {
            let cursor = TableCursor {
                declared: declared.remove(name),
                ..cursor.clone()
            };
            (name.clone(), Cursor::Table(cursor))
        })
        .collect();
    let is_same = log.server == server.identity.to_string();
    let shared = LogCursor {
        server: server.identity.to_string(),
        position: now.position,
        gtid: now.gtids.map(|gtids| gtids.to_string()),
        era: if is_same { log.era } else { log.era + 1 },
        prepared: now.prepared,
        withheld: now.withheld,
        unsettled: BTreeSet::new(),
        born: None,
        by_gtid: false,
    };
    Ok(State {
        epoch: state.epoch,
        shared: Some(Cursor::Log(shared)),
        streams,
        tables: state.tables.clone(),
    })
}

/// Keeps tables what they are for as long as the connection lives.
///
/// A transaction that has looked at a table holds its name until it ends: no statement that would change
/// its columns gets through, however busy the server is. One that was ahead of us has been waited for, and
/// is in the log. So a place in the log that is asked for meanwhile, and columns that are, belong together.
async fn hold_layouts(
    settings: &Settings,
    streams: impl Iterator<Item = &StreamName>,
) -> Result<Conn> {
    let mut conn = session::open(settings).await?;
    let doing = "keeping tables as they are for a moment";
    let begun = conn.query_drop("START TRANSACTION").await;
    begun.map_err(|error| classify(error, doing))?;
    for stream in streams {
        let table = match &stream.namespace {
            Some(database) => format!("{}.{}", quote(database), quote(&stream.name)),
            None => quote(&stream.name),
        };
        let looked = conn.query_drop(format!("SELECT 1 FROM {table} LIMIT 0"));
        match looked.await.map_err(|error| classify(error, doing)) {
            // What is not there any more has no columns.
            Err(error) if !is_gone(server_code(&error)) => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(conn)
}

fn is_gone(code: Option<u16>) -> bool {
    matches!(code, Some(NO_SUCH_TABLE | NO_SUCH_DATABASE))
}

/// The columns of all tables at a place in a log that does not name them.
async fn declared(
    conn: &mut Conn,
    settings: &Settings,
    at: &Start,
) -> Result<BTreeMap<StreamName, Declared>> {
    let infos = discover::tables(conn, &settings.databases).await?;
    let of = |info: &TableInfo| {
        let name = StreamName::within(&info.database, &info.name);
        (name, Declared::of(info, at.position.clone()))
    };
    Ok(infos.iter().map(of).collect())
}
