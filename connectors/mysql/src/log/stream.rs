//! The server's log as a sequence of steps, with the position behind each.
//!
//! Invariant: [`LogStream::position`] and [`LogStream::gtids`] are those of the last transaction
//! boundary whenever [`LogStream::is_boundary`] holds. A transaction's name joins the set when the
//! transaction ends, never when it begins: a cursor taken in between would skip it.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::{FutureExt, StreamExt};
use mysql_async::prelude::Queryable;
use mysql_async::{BinlogStream, BinlogStreamRequest};
use mysql_common::binlog::events::Event as Raw;
use tributary_model::{Error, ErrorKind, Result, now};

use crate::failure::{classify, server_code};
use crate::gtid::{DomainGtid, Gtids, Source};
use crate::log::event::{self, Event, Query};
use crate::position::LogPosition;
use crate::server::{Flavor, Server};
use crate::session;
use crate::settings::Settings;
use crate::start::Start;

/// Heartbeats every five seconds (in nanoseconds), so that either side notices when the other has
/// gone; and on MariaDB the wish to get GTID events as they are.
const DUMP_SESSION: &str = "SET @master_heartbeat_period = 5000000000, \
     @source_heartbeat_period = 5000000000, @mariadb_slave_capability = 4";

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
    /// A two-phase transaction is prepared, its outcome is open.
    Prepared,
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
    name: Option<Name>,
    /// The two-phase transaction that goes on.
    xid: Option<String>,
    prepared: BTreeSet<String>,
    last_prepared: Option<String>,
    /// Up to when the log has been read, once an event has told.
    read_up_to: Option<DateTime<Utc>>,
}

impl LogStream {
    /// Asks the server for its log from a boundary on.
    pub(crate) async fn open(settings: &Settings, server: &Server, start: &Start) -> Result<Self> {
        let (position, gtids) = (&start.position, start.gtids.clone());
        let mut conn = session::open(settings).await?;
        conn.query_drop(DUMP_SESSION)
            .await
            .map_err(|error| classify(error, "preparing to read the change log"))?;
        let request = BinlogStreamRequest::new(settings.server_id);
        let request = match &gtids {
            Some(Gtids::Mysql(set)) => request.with_gtid().with_gtid_set(set.to_sids()),
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
            is_located: !matches!(start.gtids, Some(Gtids::Mysql(_))),
            name: None,
            xid: None,
            prepared: start.prepared.clone(),
            last_prepared: None,
            read_up_to: None,
        })
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

    /// XA transactions that are prepared; the reader has refused those with rows of interest.
    pub(crate) fn prepared(&self) -> &BTreeSet<String> {
        &self.prepared
    }

    /// Makes a prepared transaction one whose rows were not read: its commit has consequences.
    pub(crate) fn forget_prepared(&mut self) {
        if let Some(xid) = self.last_prepared.take() {
            self.prepared.remove(&xid);
        }
    }

    /// Whether the position is one that a cursor may hold.
    pub(crate) fn is_boundary(&self) -> bool {
        self.group == Group::Outside && self.is_located
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

    /// Follows the position.
    fn move_on(&mut self, raw: &Raw, event: &Event) -> Result<()> {
        if let Event::Rotate { file, offset } = event {
            self.position = LogPosition::new(self.file_name(raw, file)?, *offset);
            self.is_located = true;
        } else if !event::is_artificial(raw) || matches!(event, Event::Heartbeat) {
            self.position.offset = unwrapped(self.position.offset, raw.header().log_pos());
        }
        Ok(())
    }

    /// The file that a rotate names. The first, made-up one of MariaDB carries four bytes of a
    /// checksum behind the name that nobody has announced yet.
    fn file_name(&self, raw: &Raw, file: &[u8]) -> Result<String> {
        const CHECKSUM: usize = 4;
        let asked = self.position.file.as_bytes();
        let is_padded = self.flavor == Flavor::MariaDb
            && event::is_artificial(raw)
            && file.len() == asked.len() + CHECKSUM
            && file.starts_with(asked);
        let name = if is_padded { asked } else { file };
        String::from_utf8(name.to_vec()).map_err(|cause| {
            Error::new(
                ErrorKind::Malformed,
                "the log's next file has an unreadable name",
            )
            .because(cause)
        })
    }

    fn interpret(&mut self, raw: Raw, event: Event) -> Step {
        match event {
            Event::Gtid(source, number) => {
                self.begin(Group::Announced, Some(Name::MySql(source, number)))
            }
            Event::AnonymousGtid => self.begin(Group::Announced, None),
            Event::MariaGtid { gtid, standalone } => {
                let group = if standalone {
                    Group::Announced
                } else {
                    Group::Inside
                };
                self.begin(group, Some(Name::MariaDb(gtid)))
            }
            Event::Xid => self.end(Step::Committed),
            Event::XaPrepare { one_phase: true } => self.end(Step::Committed),
            Event::XaPrepare { one_phase: false } => {
                self.last_prepared = self.xid.take();
                self.prepared.extend(self.last_prepared.clone());
                self.end(Step::Prepared)
            }
            Event::TableMap => Step::TableMap(raw),
            Event::Rows => Step::Rows(raw),
            Event::Query(query) => self.statement(query),
            Event::Rotate { .. } | Event::Heartbeat | Event::Other => Step::Nothing,
        }
    }

    fn begin(&mut self, group: Group, name: Option<Name>) -> Step {
        self.group = group;
        self.name = name;
        Step::Nothing
    }

    fn end(&mut self, step: Step) -> Step {
        match (self.name.take(), &mut self.gtids) {
            (Some(Name::MySql(source, number)), Some(Gtids::Mysql(set))) => {
                set.add(&source, number);
            }
            (Some(Name::MariaDb(gtid)), Some(Gtids::Mariadb(position))) => position.set(gtid),
            _ => {}
        }
        self.group = Group::Outside;
        step
    }

    fn statement(&mut self, query: Query) -> Step {
        let text = query.sql.trim().trim_end_matches(';').trim_end();
        let is = |keyword: &str| text.eq_ignore_ascii_case(keyword);
        if is("BEGIN") {
            self.group = Group::Inside;
            return Step::Nothing;
        }
        if is("COMMIT") {
            return self.end(Step::Committed);
        }
        if is("ROLLBACK") {
            return self.end(Step::RolledBack);
        }
        if text
            .get(..3)
            .is_some_and(|start| start.eq_ignore_ascii_case("XA "))
        {
            return self.two_phase(&text[3..].trim_start().to_ascii_uppercase());
        }
        match self.group {
            // Inside a transaction a statement ends nothing.
            Group::Inside => Step::Statement(query),
            Group::Outside | Group::Announced => self.end(Step::Statement(query)),
        }
    }

    /// `XA START` opens a group, `XA END` belongs to it; commit and rollback stand alone, and tell
    /// of a transaction that was prepared before: without its rows, or it would have been refused;
    /// unless that was before this log was followed.
    fn two_phase(&mut self, what: &str) -> Step {
        let (verb, xid) = what.split_once(' ').unwrap_or((what, ""));
        let xid = xid.split_whitespace().collect::<String>();
        match verb {
            "START" | "BEGIN" => {
                self.group = Group::Inside;
                self.xid = Some(xid);
                Step::Nothing
            }
            "END" => Step::Nothing,
            "COMMIT" if !self.prepared.remove(&xid) => self.end(Step::UnknownXa),
            _ => {
                self.prepared.remove(&xid);
                self.end(Step::Nothing)
            }
        }
    }
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
