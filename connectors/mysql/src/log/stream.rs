//! The server's log as a sequence of steps, with the position behind each.
//!
//! Invariant: [`LogStream::position`] and [`LogStream::gtids`] are those of the last transaction
//! boundary whenever [`LogStream::is_boundary`] holds. A transaction's name joins the set when the
//! transaction ends, never when it begins: a cursor taken in between would skip it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::{FutureExt, StreamExt};
use mysql_async::prelude::Queryable;
use mysql_async::{BinlogStream, BinlogStreamRequest};
use mysql_common::binlog::events::Event as Raw;
use tributary_model::{Error, ErrorKind, Result, now};

use crate::failure::{classify, server_code};
use crate::gtid::{DomainGtid, Gtids, Source};
use crate::log::approach::Approach;
use crate::log::birth::Birth;
use crate::log::event::{self, Event, Query};
use crate::position::LogPosition;
use crate::server::{Flavor, Server, log_files};
use crate::session;
use crate::settings::Settings;
use crate::start::{Road, Start};

mod steps;

/// Heartbeats every five seconds (in nanoseconds), so that either side notices when the other has
/// gone; and on MariaDB the wish to get GTID events as they are.
const DUMP_SESSION: &str = "SET @master_heartbeat_period = 5000000000, \
     @source_heartbeat_period = 5000000000, @mariadb_slave_capability = 4";

/// Where the events of a file begin.
const BEGINNING: u64 = 4;
/// The event at the beginning of each file.
const FORMAT: u8 = 15;

/// A server that has nothing to tell says so every five seconds; after this long it is away. // G6
const SILENCE: Duration = Duration::from_secs(60);

/// What one event of the log amounts to.
#[derive(Debug)]
pub(crate) enum Step {
    /// A table's layout.
    TableMap(Raw),
    /// Rows of a table.
    Rows(Raw),
    /// A statement that may change a table's layout or contents without row events.
    Statement(Query),
    /// The rows of this transaction so far never happened.
    RolledBack,
    /// Some of them did not; it goes on.
    RolledBackTo,
    /// A two-phase transaction is prepared, its outcome is open.
    Prepared,
    /// A two-phase transaction has committed whose rows are to be read from there.
    Replay(LogPosition),
    /// A two-phase transaction has committed whose rows were never seen.
    UnknownXa,
    /// A transaction ended well.
    Committed,
    /// Nothing that concerns rows.
    Nothing,
}

/// Where the group of events stands that a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    /// Between transactions.
    Outside,
    /// Announced: `BEGIN` opens it, any other statement is all of it.
    Announced,
    /// Inside: its commit ends it.
    Inside,
}

/// The name of the transaction that goes on.
#[derive(Debug)]
enum Name {
    MySql(Source, u64),
    MariaDb(DomainGtid),
}

/// The log.
pub(crate) struct LogStream {
    stream: BinlogStream,
    flavor: Flavor,
    position: LogPosition,
    gtids: Option<Gtids>,
    group: Group,
    /// Whether the server has said where it begins. By GTID it chooses itself, and until then a
    /// position of before, perhaps of another server, must not be taken for one of this log.
    is_located: bool,
    approach: Approach,
    name: Option<Name>,
    /// The two-phase transaction that goes on.
    xid: Option<String>,
    prepared: BTreeSet<String>,
    /// Where those of them begin that have rows of selected tables.
    withheld: BTreeMap<String, LogPosition>,
    /// Where the transaction begins that goes on, and whether it has such rows.
    began: u64,
    holds_rows: bool,
    /// Up to when the log has been read, once an event has told.
    read_up_to: Option<DateTime<Utc>>,
    /// When the server began the file, seconds since 1970, once the file has told.
    born: Option<u32>,
    /// What the first file must say, if it is the one where the last reading ended.
    expected: Option<Birth>,
    /// The files of the log, where it is not known with which one the server begins.
    names: Vec<String>,
}

impl LogStream {
    /// Asks the server for its log from a boundary on.
    pub(crate) async fn open(settings: &Settings, server: &Server, start: &Start) -> Result<Self> {
        Self::open_as(settings.server_id, settings, server, start).await
    }

    /// The same under another replica id.
    pub(crate) async fn open_as(
        server_id: u32,
        settings: &Settings,
        server: &Server,
        start: &Start,
    ) -> Result<Self> {
        let (position, gtids) = (&start.position, start.gtids.clone());
        let mut conn = session::open(settings).await?;
        let by_gtid = match &gtids {
            Some(Gtids::Mysql(_)) => true,
            Some(Gtids::Mariadb(_)) | None => start.road == Road::Gtid,
        };
        let names = match (&gtids, by_gtid) {
            (Some(Gtids::Mariadb(_)), true) => {
                let files = log_files(&mut conn, server).await?;
                files.into_iter().map(|file| file.name).collect()
            }
            _ => Vec::new(),
        };
        for statement in session_of(gtids.as_ref().filter(|_| by_gtid)) {
            conn.query_drop(statement)
                .await
                .map_err(|error| classify(error, "preparing to read the change log"))?;
        }
        let request = BinlogStreamRequest::new(server_id);
        let request = match &gtids {
            Some(Gtids::Mysql(set)) => request.with_gtid().with_gtid_set(set.to_sids()),
            // The server looks for the place by what the session was told.
            Some(Gtids::Mariadb(_)) if by_gtid => request.with_pos(BEGINNING),
            Some(Gtids::Mariadb(_)) | None => request
                .with_filename(position.file.as_bytes())
                .with_pos(position.offset),
        };
        let stream = conn
            .get_binlog_stream(request)
            .await
            .map_err(|error| refused(classify(error, "asking for the change log"), server))?;
        Ok(Self {
            stream,
            flavor: server.flavor,
            position: position.clone(),
            gtids,
            group: Group::Outside,
            is_located: !by_gtid,
            approach: match &start.gtids {
                Some(Gtids::Mariadb(_)) if by_gtid => Approach::begin(),
                Some(Gtids::Mariadb(_) | Gtids::Mysql(_)) | None => Approach::default(),
            },
            name: None,
            xid: None,
            prepared: start.prepared.clone(),
            withheld: start.withheld.clone(),
            began: 0,
            holds_rows: false,
            read_up_to: None,
            born: None,
            expected: start.birth.clone(),
            names,
        })
    }

    /// When the server began the file that is read, once the file has told.
    pub(crate) fn born(&self) -> Option<u32> {
        self.born
    }

    /// What the last reading's file should have said, where the server has begun with another.
    pub(crate) fn unproved(&mut self) -> Option<Birth> {
        match self.born {
            Some(_) => self.expected.take(),
            None => None,
        }
    }

    /// Up to when the log has been read, once an event has told.
    pub(crate) fn read_up_to(&self) -> Option<DateTime<Utc>> {
        self.read_up_to
    }

    /// The position behind the last event.
    pub(crate) fn position(&self) -> &LogPosition {
        &self.position
    }

    /// The transactions sent so far, where the server names them.
    pub(crate) fn gtids(&self) -> Option<&Gtids> {
        self.gtids.as_ref()
    }

    /// XA transactions that are prepared.
    pub(crate) fn prepared(&self) -> &BTreeSet<String> {
        &self.prepared
    }

    /// Where those of them begin that have rows of selected tables.
    pub(crate) fn withheld(&self) -> &BTreeMap<String, LogPosition> {
        &self.withheld
    }

    /// Whether it is not known yet what becomes of the rows that come.
    pub(crate) fn is_two_phase(&self) -> bool {
        self.xid.is_some()
    }

    /// Notes that the transaction that goes on has rows of a selected table.
    pub(crate) fn withhold(&mut self) {
        self.holds_rows = true;
    }

    /// Whether the file and the offset stand for the same transactions as the GTIDs do.
    pub(crate) fn is_placed(&self) -> bool {
        self.approach.is_over()
    }

    /// Whether the position is one that a cursor may hold.
    pub(crate) fn is_boundary(&self) -> bool {
        self.group == Group::Outside && self.is_located && self.born.is_some()
    }

    /// The next step if it has already arrived.
    pub(crate) fn ready(&mut self) -> Option<Result<Step>> {
        // Outside the scheduler's budget: "none" must mean that nothing has arrived.
        let raw = tokio::task::unconstrained(self.stream.next()).now_or_never()?;
        Some(self.step(raw))
    }

    /// The next step; waits for the server. Safe to drop while it waits.
    pub(crate) async fn next(&mut self) -> Result<Step> {
        let raw = tokio::time::timeout(SILENCE, self.stream.next())
            .await
            .map_err(|_| {
                Error::new(
                    ErrorKind::Unavailable,
                    format!(
                        "the change log has been silent for {} seconds",
                        SILENCE.as_secs()
                    ),
                )
                .fix("Look whether the server hangs or the network swallows what it sends.")
            })?;
        self.step(raw)
    }

    fn step(&mut self, raw: Option<mysql_async::Result<Raw>>) -> Result<Step> {
        let raw = raw
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::Unavailable,
                    "the server ended the change log's connection",
                )
            })?
            .map_err(|error| classify(error, "reading the change log"))?;
        event::verify(&raw)?;
        let event = event::read(&raw)?;
        self.move_on(&raw, &event)?;
        self.note_birth(&raw)?;
        self.note_time(&raw, &event);
        Ok(self.interpret(raw, event))
    }

    /// An event tells when it was written; a heartbeat, that the server has nothing else to send.
    fn note_time(&mut self, raw: &Raw, event: &Event) {
        if matches!(event, Event::Heartbeat) {
            self.read_up_to = Some(now());
        } else if !event::is_artificial(raw) {
            self.read_up_to = DateTime::from_timestamp(i64::from(raw.header().timestamp()), 0);
        }
    }

    /// Each file begins by saying when. The same name with another birthday is another log.
    fn note_birth(&mut self, raw: &Raw) -> Result<()> {
        if raw.header().event_type_raw() != FORMAT {
            return Ok(());
        }
        let born = raw.header().timestamp();
        self.born = Some(born);
        match self
            .expected
            .take_if(|birth| birth.file == self.position.file)
        {
            Some(birth) => birth.compare(born),
            None => Ok(()),
        }
    }

    /// Follows the position.
    fn move_on(&mut self, raw: &Raw, event: &Event) -> Result<()> {
        // A compressed transaction that can't be unpacked comes as none at all.
        if matches!(event, Event::Gtid(..) | Event::AnonymousGtid) && self.group == Group::Announced
        {
            return Err(Error::new(
                ErrorKind::Malformed,
                format!("the transaction before {} did not come", self.position),
            ));
        }
        if self.is_boundary() {
            self.began = self.position.offset;
            self.holds_rows = false;
        }
        if let Event::Rotate { file, offset } = event {
            let file = self.file_name(raw, file)?;
            if file != self.position.file {
                self.born = None;
            }
            self.position = LogPosition::new(file, *offset);
            // MariaDB says nothing of what it passes over: its next event tells where we are.
            self.is_located |= self.names.is_empty();
        } else if !event::is_artificial(raw) || matches!(event, Event::Heartbeat) {
            self.position.offset = unwrapped(self.position.offset, raw.header().log_pos());
            self.is_located = true;
        }
        match event {
            Event::GtidList(list) => self.approach(raw, list),
            // Whoever waits for new events has passed over everything.
            Event::Heartbeat => self.approach.end(),
            _ => {}
        }
        Ok(())
    }

    /// The log says what it holds here.
    fn approach(&mut self, raw: &Raw, list: &[DomainGtid]) {
        if self.approach.is_over() {
            return;
        }
        // Also where it is in no file: it says how far the server has passed over it.
        if raw.header().log_pos() != 0 {
            self.position.offset = unwrapped(self.position.offset, raw.header().log_pos());
            self.is_located = true;
        }
        self.approach.meet(list, self.gtids.as_ref());
    }

    /// The file that a rotate names. The first, made-up one of MariaDB carries four bytes of a
    /// checksum behind the name that nobody has announced yet.
    fn file_name(&self, raw: &Raw, file: &[u8]) -> Result<String> {
        const CHECKSUM: usize = 4;
        let is_padded = |asked: &&String| {
            let asked = asked.as_bytes();
            file.len() == asked.len() + CHECKSUM && file.starts_with(asked)
        };
        let mut asked = self.names.iter().chain([&self.position.file]);
        let padded = asked
            .find(is_padded)
            .filter(|_| self.flavor == Flavor::MariaDb && event::is_artificial(raw));
        let name = padded.map_or(file, |asked| asked.as_bytes());
        String::from_utf8(name.to_vec()).map_err(|cause| {
            Error::new(
                ErrorKind::Malformed,
                "the log's next file has an unreadable name",
            )
            .because(cause)
        })
    }
}

/// What is said before the log is asked for. MariaDB takes a place by GTID from the session; strict,
/// so that it refuses a place that is not in its log.
fn session_of(gtids: Option<&Gtids>) -> Vec<String> {
    let mut statements = vec![DUMP_SESSION.to_owned()];
    if let Some(Gtids::Mariadb(position)) = gtids {
        statements.push(format!(
            "SET @slave_connect_state = '{position}', @slave_gtid_strict_mode = 1, \
             @slave_gtid_ignore_duplicates = 0"
        ));
    }
    statements
}

/// The server answers a missing privilege as if the password were wrong.
fn refused(error: Error, server: &Server) -> Error {
    match server_code(&error) {
        Some(1045 | 1227) => Error::new(
            ErrorKind::Access,
            format!("{} may not read the change log", server.account),
        )
        .because(error)
        .fix(format!("Run on the server: {}", server.replica_grant())),
        _ => error,
    }
}

/// The full offset behind an event whose header has only its low 32 bits. // files beyond 4 GiB
fn unwrapped(before: u64, low: u32) -> u64 {
    const WRAP: u64 = 1 << 32;
    let same = (before & !(WRAP - 1)) | u64::from(low);
    if same < before { same + WRAP } else { same }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_go_on_beyond_four_gibibytes() {
        assert_eq!(unwrapped(4, 120), 120);
        assert_eq!(unwrapped(0xFFFF_FFF0, 0x10), 0x1_0000_0010);
        assert_eq!(unwrapped(0x1_0000_0010, 0x40), 0x1_0000_0040);
        assert_eq!(unwrapped(77, 77), 77);
    }
}
