//! Follows the log and lets copies in between: the one place where rows leave in order.
//!
//! Invariant: whatever is sent is true as of the boundary that the log's reader has reached, and
//! the shared cursor is sent before anything that relies on it. The argument for copies stands in
//! [`crate::snapshot`]; this file is its step 4, with [`changes`] recording `K` and [`copying`]
//! starting and receiving copies.

mod changes;
mod copying;
mod follow;
mod history;
mod newcomers;
mod replay;
pub(crate) mod standing;
mod touched;
mod turns;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use mysql_async::Conn;
use tokio::time::Instant;
use tributary_model::{Error, Meter, Output, Positions, Result, Scope, StreamName, Until};

use crate::column::ValueOptions;
use crate::config::SnapshotMode;
use crate::cursor::{Cursor, LogCursor};
use crate::log::stream::{LogStream, Step};
use crate::position::LogPosition;
use crate::requirements::Retention;
use crate::server::Server;
use crate::settings::Settings;
use crate::snapshot::{Copier, JobId};
use crate::tables::{Phase, TableIndex, Tables};

use changes::Mapped;
use touched::Touched;
use turns::Turns;

/// Changes wait at most so long for company before they are sent.
const LINGER: Duration = Duration::from_millis(200);
/// Whoever follows the log says at least so often how far it is, also while nothing concerns it: its
/// cursor must not stay behind in a log that is purged.
const TELL: Duration = Duration::from_secs(5);
/// While the log has no pause, copies get their turn after so many of its events.
const TURN: u32 = 64;
/// The clock is asked after so many only: events are many.
const LOOK: u32 = 256;

/// A copy that goes on.
pub(crate) struct Running {
    table: TableIndex,
    /// `H`, once the view is open.
    high: Option<LogPosition>,
    released: bool,
    /// `K`: keys that the log has touched since the copy was registered; `None` before that.
    touched: Option<Touched>,
    /// Whether the log has touched the table at all since then.
    disturbed: bool,
    /// Whether rows of it have left.
    sent: bool,
}

impl Running {
    /// Of this table, not yet registered.
    fn new(table: TableIndex) -> Self {
        Self {
            table,
            high: None,
            released: false,
            touched: None,
            disturbed: false,
            sent: false,
        }
    }
}

/// What a reading needs from outside.
pub(crate) struct Reader<'a> {
    pub(crate) settings: Arc<Settings>,
    pub(crate) server: Arc<Server>,
    /// For questions on the side.
    pub(crate) conn: Conn,
    pub(crate) out: &'a Output<Cursor>,
    pub(crate) until: Until,
    pub(crate) options: ValueOptions,
    pub(crate) tables: Tables,
    pub(crate) log: LogStream,
    pub(crate) copier: Copier,
    pub(crate) meter: Arc<dyn Meter>,
    pub(crate) progress: Progress,
}

/// What a reading keeps for itself.
pub(crate) struct Progress {
    /// Where a reading of what is there ends.
    target: LogPosition,
    era: u32,
    /// The shared cursor sent last.
    sent: Option<LogPosition>,
    /// Whether its file and offset say as much as its GTIDs.
    sent_placed: bool,
    /// Tables that a statement has changed and whose cursors have not been sent since.
    unsettled: BTreeSet<StreamName>,
    /// Whether the shared cursor sent last names some of them.
    sent_unsettled: bool,
    jobs: BTreeMap<JobId, Running>,
    /// The copy whose rows are about to leave.
    in_hand: Option<JobId>,
    /// The copy that everything else waits for.
    exclusive: Option<JobId>,
    /// Whether all copies are complete; looked up again only after something begins anew.
    all_copied: bool,
    mapped: HashMap<u64, Mapped>,
    /// Rows of this transaction so far.
    ordinal: u64,
    /// The tables that it has rows of.
    touched: BTreeSet<TableIndex>,
    /// Copied rows that no table's cursor counts.
    copied: u64,
    /// Changed rows that wait, and since when.
    waiting: (usize, Option<Instant>),
    /// When copies get their turn.
    turns: Turns,
    /// When the clock is asked.
    looks: Turns,
    /// When it was last said how far the log has been read.
    told: Instant,
    /// When it was last said where the reading stands in the log.
    stood: Option<Instant>,
    /// How long the server keeps its log, once it has been asked.
    retention: Option<Retention>,
    /// When this reading began.
    began: Instant,
    /// Whether there is a table that was not there then.
    has_newcomer: bool,
    /// Whether a map of the log did not name its columns.
    has_unnamed: bool,
}

impl Progress {
    /// Before the first event.
    pub(crate) fn new(target: LogPosition, era: u32) -> Self {
        Self {
            target,
            era,
            sent: None,
            sent_placed: true,
            unsettled: BTreeSet::new(),
            sent_unsettled: false,
            jobs: BTreeMap::new(),
            in_hand: None,
            exclusive: None,
            all_copied: false,
            mapped: HashMap::new(),
            ordinal: 0,
            touched: BTreeSet::new(),
            copied: 1,
            waiting: (0, None),
            turns: Turns::every(TURN),
            looks: Turns::every(LOOK),
            told: Instant::now(),
            stood: None,
            retention: None,
            began: Instant::now(),
            has_newcomer: false,
            has_unnamed: false,
        }
    }
}

impl Reader<'_> {
    /// Reads until everything that was asked for has been sent.
    pub(crate) async fn run(&mut self) -> Result<()> {
        loop {
            if let Some(birth) = self.log.unproved() {
                birth.prove(&self.settings).await?;
            }
            if self.log.is_boundary() {
                if self.progress.sent.is_none() {
                    self.send_position().await?;
                }
                // A place that says less than its GTIDs is no low mark.
                if self.log.is_placed() && !self.is_all_copied() {
                    self.start_copies().await?;
                    self.release_copies().await?;
                }
                if self.is_done() {
                    break;
                }
            }
            self.advance().await?;
        }
        self.send_everything().await
    }

    /// Takes one event of the log, or one message of a copy.
    async fn advance(&mut self) -> Result<()> {
        if self.progress.exclusive.is_some() {
            let (id, copied) = self.copier.next().await;
            return self.copied(id, copied).await;
        }
        let may_copy = self.log.is_boundary() && self.copier.running() > 0;
        self.progress.turns.count();
        self.progress.looks.count();
        if may_copy && self.progress.turns.take() {
            let ready = tokio::task::unconstrained(self.copier.next()).now_or_never();
            if let Some((id, copied)) = ready {
                return self.copied(id, copied).await;
            }
        }
        if let Some(step) = self.log.ready() {
            self.step(step?).await?;
            return self.send_if_full().await;
        }
        let deadline = self.progress.waiting.1.map(|since| since + LINGER);
        let linger = async {
            match deadline {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            step = self.log.next() => {
                self.step(step?).await?;
                self.tell().await
            }
            (id, copied) = self.copier.next(), if may_copy => self.copied(id, copied).await,
            () = linger, if self.log.is_boundary() => self.send_everything().await,
        }
    }

    /// Whether nothing is left that was asked for.
    fn is_done(&mut self) -> bool {
        match (self.until, self.settings.snapshot) {
            (_, SnapshotMode::InitialOnly) => self.is_all_copied(),
            // The end says that all was sent: not while a copy is under way.
            (Until::Stopped, _) => self.should_look_again() && self.is_all_copied(),
            (Until::Now, _) => self.is_all_copied() && *self.log.position() >= self.progress.target,
        }
    }

    /// Whether no copy is to be done or going on. Asked at every boundary, so it has to be quick.
    fn is_all_copied(&mut self) -> bool {
        if !self.progress.all_copied {
            self.progress.all_copied = !self.tables.iter().any(|(_, table)| table.is_copying());
        }
        self.progress.all_copied
    }

    async fn step(&mut self, step: Step) -> Result<()> {
        match step {
            Step::TableMap(raw) => self.map(&raw).await,
            Step::Rows(raw) => self.rows(&raw).await,
            Step::Statement(query) => self.statement(&query).await,
            Step::Committed | Step::Nothing | Step::Prepared => {
                if self.log.is_boundary() {
                    self.end_transaction();
                }
                Ok(())
            }
            Step::RolledBackTo => self.doubt().await,
            Step::RolledBack => {
                self.doubt().await?;
                self.end_transaction();
                Ok(())
            }
            Step::Replay(from) => {
                self.replay(from).await?;
                self.end_transaction();
                Ok(())
            }
            Step::UnknownXa => self.copy_all_anew().await,
        }
    }

    fn end_transaction(&mut self) {
        self.progress.ordinal = 0;
        self.progress.touched.clear();
    }

    async fn send_if_full(&mut self) -> Result<()> {
        const ROWS: usize = 32_768;
        let (rows, since) = self.progress.waiting;
        if !self.log.is_boundary() {
            return Ok(());
        }
        let looks = self.progress.looks.take();
        let is_due = looks && since.is_some_and(|since| since.elapsed() >= LINGER);
        if rows >= ROWS || is_due {
            self.send_everything().await?;
        }
        if looks {
            return self.tell().await;
        }
        Ok(())
    }

    /// Says how far the log has been read, if it is time to.
    async fn tell(&mut self) -> Result<()> {
        let is_time = self.until == Until::Stopped
            && self.log.is_boundary()
            && self.progress.told.elapsed() >= TELL;
        if !is_time {
            return Ok(());
        }
        self.progress.told = Instant::now();
        self.send_everything().await?;
        self.tell_standing().await;
        match self.log.read_up_to() {
            Some(as_of) if self.is_all_copied() => self.out.complete(as_of).await,
            Some(_) | None => Ok(()),
        }
    }

    /// Sends all waiting changes and the cursor that covers them. Only at a boundary.
    async fn send_everything(&mut self) -> Result<()> {
        for index in 0..self.tables.len() {
            self.send_changes(index).await?;
        }
        self.progress.waiting = (0, None);
        self.send_position().await
    }

    /// Sends the shared cursor if it has moved.
    async fn send_position(&mut self) -> Result<()> {
        let position = self.log.position();
        let is_placed = self.log.is_placed();
        if self.progress.sent.as_ref() == Some(position) && self.progress.sent_placed == is_placed {
            return Ok(());
        }
        let cursor = LogCursor {
            server: self.server.identity.to_string(),
            position: position.clone(),
            gtid: self.log.gtids().map(ToString::to_string),
            era: self.progress.era,
            prepared: self.log.prepared().clone(),
            withheld: self.log.withheld().clone(),
            unsettled: self.progress.unsettled.clone(),
            born: self.log.born(),
            by_gtid: !self.log.is_placed(),
        };
        self.progress.sent = Some(position.clone());
        self.progress.sent_placed = is_placed;
        self.progress.sent_unsettled = !cursor.unsettled.is_empty();
        self.out
            .checkpoint(Scope::Shared, &Cursor::Log(cursor))
            .await
    }

    /// Sends a table's cursor; at a boundary behind everything else: the engine takes it as cover for
    /// all rows of the table so far, so the log's cursor must not be older than those. // G2
    ///
    /// The two may be stored one without the other. The log's says so: a table that it names begins
    /// anew, unless its own cursor and then the log's without the name have followed. // G1
    async fn send_cursor(&mut self, index: TableIndex) -> Result<()> {
        let stream = self.tables[index].stream.clone();
        if self.log.is_boundary() {
            self.progress.unsettled.insert(stream.clone());
            self.send_everything().await?;
        }
        self.emit_cursor(index).await?;
        self.progress.unsettled.remove(&stream);
        if self.progress.sent_unsettled && self.log.is_boundary() {
            self.progress.sent = None;
            self.send_position().await?;
        }
        Ok(())
    }

    /// Sends a table's cursor where none of its rows has been sent since the log's cursor.
    async fn emit_cursor(&mut self, index: TableIndex) -> Result<()> {
        let table = &self.tables[index];
        let Some(cursor) = table.cursor() else {
            return Ok(());
        };
        let scope = Scope::Stream(table.stream.clone());
        self.out.checkpoint(scope, &Cursor::Table(cursor)).await
    }

    /// Gives a table up; the others go on. Its cursor says that it missed changes from here on.
    async fn stop(&mut self, index: TableIndex, error: Error) -> Result<()> {
        self.cancel_jobs(index);
        let table = &mut self.tables[index];
        table.pending = None;
        table.phase = Phase::Stopped(error.what());
        let stream = table.stream.clone();
        self.out.failed(&stream, error).await?;
        self.send_cursor(index).await
    }

    fn cancel_jobs(&mut self, index: TableIndex) {
        self.progress.all_copied = false;
        let copier = &mut self.copier;
        self.progress.jobs.retain(|id, running| {
            if running.table == index {
                copier.cancel(*id);
            }
            running.table != index
        });
        if let Phase::Copying { parts, .. } = &mut self.tables[index].phase {
            for part in parts {
                part.job = None;
            }
        }
        if let Phase::CopyingWhole(id, begin) = self.tables[index].phase {
            if self.progress.exclusive == Some(id) {
                self.progress.exclusive = None;
            }
            self.tables[index].phase = Phase::Waiting(begin);
        }
    }

    /// The place of `rows` copied rows of a table in the source's order.
    fn copied_positions(&mut self, index: TableIndex, rows: usize) -> Positions {
        let count = match &mut self.tables[index].phase {
            // Kept in the cursor: a copy that goes on after a restart counts on.
            Phase::Copying { copied, .. } => copied,
            // Such a copy leaves in one load.
            Phase::Waiting(_) | Phase::CopyingWhole(..) | Phase::Streaming | Phase::Stopped(_) => {
                &mut self.progress.copied
            }
        };
        let ordinal = *count;
        *count += rows as u64;
        Positions(vec![self.run_at(ordinal)])
    }

    /// The same for a change of the log, which says when it happened.
    fn change_at(&self, ordinal: u64) -> tributary_model::PositionRun {
        let told = self.log.read_up_to();
        tributary_model::PositionRun {
            committed_at: told.map(|at| at.timestamp_micros()),
            ..self.run_at(ordinal)
        }
    }

    fn run_at(&self, ordinal: u64) -> tributary_model::PositionRun {
        let position = self.log.position();
        let file = position.number().unwrap_or_default();
        tributary_model::PositionRun {
            start: 0,
            // Files of another server's log come after all files of this one's.
            major: (u64::from(self.progress.era) << 32) + file,
            minor: position.offset,
            ordinal,
            committed_at: None,
        }
    }
}
