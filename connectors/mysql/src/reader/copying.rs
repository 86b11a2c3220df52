//! Starts copies, lets their rows go when the log has caught up, and sends them.

use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use tributary_model::{
    ChangeBatch, Error, ErrorKind, Op, Positions, Presence, Result, Rows, TruncateKind,
};

use crate::config::SnapshotMode;
use crate::cursor::Begin;
use crate::decode::KeyEncoder;
use crate::failure::{is_definition_changed, server_code};
use crate::snapshot::{Batch, Copied, Job, JobId, Low, Piece, segments};
use crate::tables::{Part, Phase, Table, TableIndex};

use super::touched::{Touched, overfull};
use super::{Reader, Running};

/// What the touched keys of all copies may take together. // G6
const TOUCHED_BYTES: usize = 128 << 20;

/// That bound; a test can make it one that it reaches.
fn touched_bytes() -> usize {
    fail::fail_point!("mysql.touched_bytes", |bytes| {
        let bytes = bytes.and_then(|bytes| bytes.parse().ok());
        bytes.unwrap_or(TOUCHED_BYTES)
    });
    TOUCHED_BYTES
}

impl Reader<'_> {
    /// Starts as many copies as there may be. Only at a boundary.
    pub(super) async fn start_copies(&mut self) -> Result<()> {
        while self.copier.running() < self.settings.parallelism && self.progress.exclusive.is_none()
        {
            let Some(index) = self.next_to_copy() else {
                return Ok(());
            };
            if matches!(self.tables[index].phase, Phase::Waiting(_)) {
                self.declare(index);
            }
            if let Phase::Waiting(begin) = self.tables[index].phase {
                if self.settings.snapshot == SnapshotMode::NoData {
                    self.skip_copy(index, begin).await?;
                    continue;
                }
                if self.tables[index].walk().is_some() {
                    self.begin_walk(index, begin).await?;
                }
            }
            self.start_job(index);
        }
        Ok(())
    }

    /// A table with something to copy that no job is at.
    fn next_to_copy(&self) -> Option<TableIndex> {
        let here = self.log.position();
        let has_work = |table: &Table| match &table.phase {
            Phase::Waiting(_) => table.is_certain(here),
            Phase::Copying { parts, .. } => parts.iter().any(|part| part.job.is_none()),
            Phase::CopyingWhole(..) | Phase::Streaming | Phase::Stopped(_) => false,
        };
        // What has begun is finished first: fewer tables are half there.
        let begun = self
            .tables
            .iter()
            .find(|(_, table)| has_work(table) && !matches!(table.phase, Phase::Waiting(_)));
        begun
            .or_else(|| self.tables.iter().find(|(_, table)| has_work(table)))
            .map(|(i, _)| i)
    }

    /// Begins the copy of a table.
    async fn begin_walk(&mut self, index: TableIndex, begin: Begin) -> Result<()> {
        let info = self.tables[index].info.clone();
        let pieces = segments(&mut self.conn, &info, self.settings.chunk_rows).await?;
        self.tables[index].rebase();
        self.make_room(index, begin).await?;
        self.tables[index].phase = Phase::Copying {
            parts: pieces.into_iter().map(Part::from).collect(),
            // Only an emptied table is known not to have a key.
            changed: begin != Begin::Restart,
            copied: 1,
        };
        self.emit_cursor(index).await
    }

    /// `snapshot: no_data`: what is there is left out, changes from here on are followed.
    async fn skip_copy(&mut self, index: TableIndex, begin: Begin) -> Result<()> {
        if begin != Begin::Restart {
            let stream = &self.tables[index].stream;
            tracing::warn!(
                %stream,
                "changes may be missing, and `snapshot: no_data` forbids to copy the table"
            );
        }
        self.send_everything().await?;
        self.tables[index].rebase();
        self.tables[index].phase = Phase::Streaming;
        self.send_cursor(index).await?;
        let stream = self.tables[index].stream.clone();
        self.out
            .phase(&stream, tributary_model::Phase::Streaming)
            .await
    }

    /// Does with the rows that the destination has what the copy's beginning asks for.
    async fn make_room(&mut self, index: TableIndex, begin: Begin) -> Result<()> {
        self.send_everything().await?;
        let stream = self.tables[index].stream.clone();
        let positions = Positions(vec![self.run_at(0)]); // before all copied rows
        self.out
            .phase(&stream, tributary_model::Phase::Snapshot)
            .await?;
        match begin {
            Begin::Kept => Ok(()),
            Begin::Deleted => {
                self.out
                    .truncate(&stream, TruncateKind::Anew, positions)
                    .await
            }
            Begin::Restart => {
                self.out
                    .truncate(&stream, TruncateKind::Restart, positions)
                    .await
            }
        }
    }

    fn start_job(&mut self, index: TableIndex) {
        let styles = self.tables[index].walk();
        let limit = self.settings.chunk_rows;
        let table = &mut self.tables[index];
        let free = match &table.phase {
            Phase::Copying { parts, .. } => parts.iter().position(|part| part.job.is_none()),
            _ => None,
        };
        let piece = match (&table.phase, free, styles) {
            (Phase::Copying { parts, .. }, Some(free), Some(styles)) => Piece::Range {
                segment: parts[free].segment.clone(),
                styles,
                limit,
            },
            _ => Piece::Whole,
        };
        let job = Job {
            stream: table.stream.clone(),
            table: table.info.clone(),
            layout: table.layout.clone(),
            filter: table.wanted(),
            piece,
        };
        let id = self.copier.start(job);
        match (&mut table.phase, free) {
            (Phase::Copying { parts, .. }, Some(free)) => parts[free].job = Some(id),
            (phase, _) => {
                let begin = match *phase {
                    Phase::Waiting(begin) => begin,
                    _ => Begin::Deleted,
                };
                *phase = Phase::CopyingWhole(id, begin);
            }
        }
        self.progress.jobs.insert(id, Running::new(index));
    }

    /// Registers a copy that may begin: its low mark is here. Only at a boundary.
    fn register(&mut self, id: JobId) {
        let low = Low {
            position: self.log.position().clone(),
            gtids: self.log.gtids().cloned(),
        };
        let Some(running) = self.progress.jobs.get_mut(&id) else {
            return;
        };
        // Rows of a whole table go out all or not at all: nothing of them may be left out.
        let is_part = matches!(self.tables[running.table].phase, Phase::Copying { .. });
        running.touched = is_part.then(Touched::default);
        // What came before will show.
        running.disturbed = false;
        self.copier.mark(id, low);
    }

    /// Begins copies again whose touched keys have become too many: behind the place that has been
    /// reached, and without these. Rows that have left have moved their part on, and a copy whose rows
    /// are in hand sends them first: so this comes to an end.
    pub(super) fn begin_overfull_again(&mut self) {
        let jobs = self.progress.jobs.iter();
        let sizes = jobs
            .filter_map(|(id, running)| Some((*id, running.touched.as_ref()?.bytes())))
            .collect();
        for id in overfull(sizes, touched_bytes(), self.progress.in_hand) {
            let Some(Running { table, sent, .. }) = self.progress.jobs.remove(&id) else {
                continue;
            };
            self.copier.cancel(id);
            let index = table;
            let stream = &self.tables[index].stream;
            if sent {
                tracing::debug!(%stream, "too many keys change while a part is copied; it begins again");
            } else {
                tracing::warn!(
                    %stream,
                    "so many keys change that a part of the copy begins again before a row of it was \
                     sent; if this goes on, copy at a quieter time"
                );
            }
            if let Phase::Copying { parts, .. } = &mut self.tables[index].phase {
                for part in parts.iter_mut().filter(|part| part.job == Some(id)) {
                    part.job = None;
                }
            }
        }
    }

    /// Lets rows go where the log has reached their high mark. Only at a boundary.
    pub(super) async fn release_copies(&mut self) -> Result<()> {
        let position = self.log.position().clone();
        let is_due = |running: &Running| {
            !running.released && running.high.as_ref().is_some_and(|high| position >= *high)
        };
        let due: Vec<JobId> = self
            .progress
            .jobs
            .iter()
            .filter(|(_, job)| is_due(job))
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            let Some(running) = self.progress.jobs.get_mut(&id) else {
                continue;
            };
            running.released = true;
            let (index, disturbed) = (running.table, running.disturbed);
            if let Phase::CopyingWhole(_, begin) = self.tables[index].phase {
                if disturbed {
                    // The view may or may not show that change: open another.
                    self.cancel_jobs(index);
                    continue;
                }
                self.progress.exclusive = Some(id);
                self.tables[index].rebase();
                // Rows without a key that stay can't be written again: they would be twice there.
                let begin = if begin == Begin::Kept {
                    Begin::Deleted
                } else {
                    begin
                };
                self.make_room(index, begin).await?;
                self.copier.release(id);
                return Ok(());
            }
            self.copier.release(id);
        }
        Ok(())
    }

    /// Takes what a copy says. Only at a boundary.
    pub(super) async fn copied(&mut self, id: JobId, copied: Copied) -> Result<()> {
        let Some(running) = self.progress.jobs.get_mut(&id) else {
            return Ok(());
        };
        let index = running.table;
        match copied {
            Copied::Ready => {
                self.register(id);
                Ok(())
            }
            Copied::Opened(high) => {
                running.high = Some(high);
                Ok(())
            }
            Copied::Rows(batch) => self.send_copy(id, index, batch).await,
            Copied::Done { exhausted } => self.end_job(id, index, exhausted).await,
            Copied::Failed(error) => self.fail_job(id, index, error).await,
        }
    }

    /// Sends copied rows as of this boundary, without those that the log has touched.
    async fn send_copy(&mut self, id: JobId, index: TableIndex, batch: Batch) -> Result<()> {
        self.progress.in_hand = Some(id);
        self.send_everything().await?; // K is complete up to here, and so is the cursor
        let Some(running) = self.progress.jobs.get_mut(&id) else {
            return Ok(());
        };
        running.sent = true;
        let table = &self.tables[index];
        let rows = match &running.touched {
            Some(touched) if !touched.is_empty() => {
                let keys = KeyEncoder::new(&table.layout, self.options)?;
                without(&batch.rows, &keys, touched)?
            }
            Some(_) | None => batch.rows,
        };
        let presence = match table.phase {
            Phase::Copying { changed: false, .. } => Presence::Absent,
            // Without a walk by its key a table may have the same row twice.
            _ => Presence::Possible,
        };
        let (stream, schema) = (table.stream.clone(), table.layout.schema.clone());
        if !batch.rejections.is_empty() {
            self.out.rejected(batch.rejections).await?;
        }
        let count = rows.num_rows();
        let positions = self.copied_positions(index, count);
        let batch_out = ChangeBatch {
            schema,
            ops: vec![Op::Read; count],
            positions,
            presence,
            columns: rows,
        };
        self.out.rows(&stream, Rows::Arrow(batch_out)).await?;
        if let (Some(last), Phase::Copying { parts, .. }) =
            (batch.last, &mut self.tables[index].phase)
        {
            let own = parts.iter_mut().find(|part| part.job == Some(id));
            if let Some(part) = own {
                part.segment.after = Some(last);
            }
            self.send_cursor(index).await?;
        }
        self.progress.in_hand = None;
        self.begin_overfull_again();
        Ok(())
    }

    async fn end_job(&mut self, id: JobId, index: TableIndex, exhausted: bool) -> Result<()> {
        self.progress.jobs.remove(&id);
        if self.progress.exclusive == Some(id) {
            self.progress.exclusive = None;
        }
        let table = &mut self.tables[index];
        let is_complete = match &mut table.phase {
            Phase::Copying { parts, .. } => {
                if exhausted {
                    parts.retain(|part| part.job != Some(id));
                }
                for part in parts.iter_mut().filter(|part| part.job == Some(id)) {
                    part.job = None;
                }
                parts.is_empty()
            }
            Phase::CopyingWhole(..) => true,
            Phase::Waiting(_) | Phase::Streaming | Phase::Stopped(_) => false,
        };
        if !is_complete {
            return Ok(());
        }
        table.phase = Phase::Streaming;
        let stream = table.stream.clone();
        self.send_everything().await?;
        self.send_cursor(index).await?;
        // Last: a table that is built beside another takes its place once this is said.
        self.out
            .phase(&stream, tributary_model::Phase::Streaming)
            .await
    }

    async fn fail_job(&mut self, id: JobId, index: TableIndex, error: Error) -> Result<()> {
        const UNKNOWN_COLUMN: u16 = 1054;
        const NO_TABLE: u16 = 1146;
        let code = server_code(&error);
        self.progress.jobs.remove(&id);
        if is_definition_changed(&error) || code == Some(UNKNOWN_COLUMN) || code == Some(NO_TABLE) {
            return self.relayout_and_copy_anew(index, Begin::Kept).await;
        }
        match error.kind() {
            // Somebody must act for this table; the others need not wait for it.
            ErrorKind::Access
            | ErrorKind::Config
            | ErrorKind::Incompatible
            | ErrorKind::Rejected => self.stop(index, error).await,
            ErrorKind::Throttled(_)
            | ErrorKind::Unavailable
            | ErrorKind::Expired
            | ErrorKind::Malformed
            | ErrorKind::Fenced
            | ErrorKind::Bug => Err(error),
        }
    }
}

/// The rows whose keys are not among `touched`.
fn without(rows: &RecordBatch, keys: &KeyEncoder, touched: &Touched) -> Result<RecordBatch> {
    let keys = keys.keys(rows)?;
    let keep: BooleanArray = keys
        .iter()
        .map(|key| Some(!touched.contains(key.data())))
        .collect();
    filter_record_batch(rows, &keep)
        .map_err(|cause| Error::bug("copied rows can't be filtered").because(cause))
}

/// An empty batch of a table's current layout: the destination learns of new columns from it.
pub(super) fn empty(schema: &std::sync::Arc<tributary_model::StreamSchema>) -> ChangeBatch {
    let fields = schema
        .columns
        .iter()
        .map(|column| arrow_schema::Field::new(&column.name, column.data_type.to_arrow(), true));
    let arrow = arrow_schema::Schema::new(fields.collect::<Vec<_>>());
    ChangeBatch {
        schema: schema.clone(),
        ops: Vec::new(),
        positions: Positions::default(),
        presence: Presence::Possible,
        columns: RecordBatch::new_empty(arrow.into()),
    }
}
