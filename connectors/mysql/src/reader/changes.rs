//! Changes from the log: decoded into batches for each table, and remembered for its copies.

use std::sync::Arc;

use mysql_common::binlog::events::Event as Raw;
use tokio::time::Instant;
use tributary_model::{
    ChangeBatch, Error, ErrorKind, PositionRun, Positions, Presence, Result, Rows,
};

use crate::cursor::Begin;
use crate::decode::KeyEncoder;
use crate::decode::RowBuilder;
use crate::filter::Bound;
use crate::layout::Layout;
use crate::log::rows::{RowsEvent, decode};
use crate::log::table_map::{Head, TableMap};
use crate::rejections::{rejections, remark};
use crate::tables::{Pending, Phase, TableIndex};

use super::Reader;
use super::touched::Touched;

/// What a table id of the log stands for.
pub(crate) struct Mapped {
    /// Its map behind the id, to know it again.
    identity: Vec<u8>,
    /// The table; `None` for one that nobody selected.
    pub(super) table: Option<TableIndex>,
    /// The layout of its rows; `None` where they are left out.
    layout: Option<Arc<Layout>>,
}

/// Bytes of one table's changes that are sent even in the middle of a transaction. // G6
const TABLE_BYTES: usize = 8 << 20;
/// The same for rows.
const TABLE_ROWS: usize = 65_536;

impl Reader<'_> {
    /// Takes a table map: most of them have been seen before.
    pub(super) async fn map(&mut self, raw: &Raw) -> Result<()> {
        let head = Head::parse(raw.data())?;
        let known = self.progress.mapped.get(&head.table_id);
        if known.is_some_and(|known| known.identity == head.identity) {
            return Ok(());
        }
        let table = self.tables.find(head.database, head.table);
        let layout = match table {
            None => None,
            Some(index) => self.layout(index, raw).await?,
        };
        let mapped = Mapped {
            identity: head.identity.to_vec(),
            table,
            layout,
        };
        self.progress.mapped.insert(head.table_id, mapped);
        Ok(())
    }

    /// The layout of the rows behind a map of a selected table; `None` where they are left out.
    async fn layout(&mut self, index: TableIndex, raw: &Raw) -> Result<Option<Arc<Layout>>> {
        let map = TableMap::parse(raw.data(), self.server.flavor)?;
        self.progress.has_unnamed |= !map.is_named();
        let table = &self.tables[index];
        // Nothing of it is taken before its columns are noted anew, which forgets this map.
        let is_left_out = matches!(
            table.phase,
            Phase::Waiting(Begin::Restart | Begin::Deleted) | Phase::Stopped(_)
        );
        if is_left_out && !map.is_named() {
            return Ok(None);
        }
        let (now, known) = (table.info.clone(), table.declared.as_ref());
        let info = match (map.is_named(), known) {
            (true, _) => now,
            (false, Some(declared)) => Arc::new(declared.info(&now)),
            (false, None) => {
                // Its place in the log is behind what is known of it: begin where both meet.
                self.relayout_and_copy_anew(index, Begin::Deleted).await?;
                return Ok(None);
            }
        };
        let excluded = &table.excluded;
        match Layout::from_table_map(&map, Some(&info), excluded, self.options) {
            Ok(layout) => Ok(Some(Arc::new(layout))),
            Err(error) => {
                self.stop_alone(index, error).await?;
                Ok(None)
            }
        }
    }

    /// Takes a row event.
    pub(super) async fn rows(&mut self, raw: &Raw) -> Result<()> {
        let id = RowsEvent::table_id(raw.data())?;
        let mapped = self.progress.mapped.get(&id).ok_or_else(unmapped)?;
        let Some(index) = mapped.table else {
            return Ok(());
        };
        if self.log.is_two_phase() {
            self.log.withhold();
            return Ok(());
        }
        let layout = mapped.layout.clone();
        let event = match RowsEvent::parse(raw.header().event_type_raw(), raw.data()) {
            Ok(event) => event,
            Err(error) => return self.stop_alone(index, error).await,
        };
        let (true, Some(layout)) = (self.takes_changes(index), layout) else {
            return Ok(());
        };
        self.progress.touched.insert(index);
        if self.tables[index]
            .pending
            .as_ref()
            .is_some_and(|p| !Arc::ptr_eq(&p.layout, &layout))
        {
            self.send_changes(index).await?;
            self.tables[index].pending = None; // its builder knows the old layout only
        }
        if self.tables[index].pending.is_none() {
            let table = &self.tables[index];
            let bound = table
                .filter
                .as_ref()
                .map(|filter| Bound::new(filter, &layout, &table.info, self.server.flavor));
            let filter = match bound.transpose() {
                Ok(filter) => filter,
                Err(error) => return self.stop_alone(index, error).await,
            };
            self.tables[index].pending = Some(Pending {
                builder: RowBuilder::new(layout.clone(), self.options)?,
                layout,
                runs: Vec::new(),
                filter,
            });
        }
        let run = self.change_at(self.progress.ordinal);
        let Some(pending) = &mut self.tables[index].pending else {
            return Err(Error::bug("changes have no place to wait in"));
        };
        let event = event.whole(&pending.layout)?;
        if let Some(filter) = &mut pending.filter
            && let Err(error) = filter.learn(&event, &mut self.conn).await
        {
            return self.stop_alone(index, error).await;
        }
        let before = pending.builder.len();
        pending.runs.push(PositionRun {
            start: before,
            ..run
        });
        decode(&event, &mut pending.builder, pending.filter.as_mut())?;
        let rows = pending.builder.len() - before;
        let is_large =
            pending.builder.bytes() >= TABLE_BYTES || pending.builder.len() >= TABLE_ROWS;
        self.progress.ordinal += rows as u64;
        self.progress.waiting.0 += rows;
        self.progress.waiting.1.get_or_insert_with(Instant::now);
        if is_large {
            self.send_changes(index).await?;
        }
        Ok(())
    }

    /// Gives a table up whose changes can't be followed; what is wrong with the log itself is
    /// wrong for all.
    async fn stop_alone(&mut self, index: TableIndex, error: Error) -> Result<()> {
        if error.kind() != ErrorKind::Incompatible {
            return Err(error);
        }
        if matches!(self.tables[index].phase, Phase::Stopped(_)) {
            return Ok(());
        }
        self.stop(index, error).await
    }

    /// Whether changes of a table are sent; notes that there was one.
    fn takes_changes(&mut self, index: TableIndex) -> bool {
        for running in self
            .progress
            .jobs
            .values_mut()
            .filter(|running| running.table == index)
        {
            running.disturbed = true;
        }
        // Rows that are kept for a new copy depend on the log to tell of those that go.
        matches!(
            self.tables[index].phase,
            Phase::Waiting(Begin::Kept) | Phase::Copying { .. } | Phase::Streaming
        )
    }

    /// Sends a table's waiting changes, and records their keys for its copies.
    pub(super) async fn send_changes(&mut self, index: TableIndex) -> Result<()> {
        if self.tables[index]
            .pending
            .as_ref()
            .is_none_or(|pending| pending.runs.is_empty())
        {
            return Ok(());
        }
        let Some(mut pending) = self.tables[index].pending.take() else {
            return Ok(());
        };
        let stream = self.tables[index].stream.clone();
        let rejections = rejections(&stream, pending.builder.drain_refusals());
        let (columns, ops) = pending.builder.finish()?;
        remark(&stream, &pending.builder);
        self.note_change(index).await?;
        let layout = &pending.layout;
        let jobs = self.progress.jobs.values_mut();
        let watching: Vec<&mut Touched> = jobs
            .filter(|running| running.table == index)
            .filter_map(|running| running.touched.as_mut())
            .collect();
        if !watching.is_empty() && !layout.key.is_empty() {
            let keys = KeyEncoder::new(layout, self.options)?.keys(&columns)?;
            for touched in watching {
                keys.iter().for_each(|key| touched.insert(key.data()));
            }
            self.begin_overfull_again();
        }
        if !rejections.is_empty() {
            self.out.rejected(rejections).await?;
        }
        let batch = ChangeBatch {
            schema: layout.schema.clone(),
            ops,
            positions: Positions(std::mem::take(&mut pending.runs)),
            presence: Presence::Possible,
            columns,
        };
        self.tables[index].pending = Some(pending);
        self.out.rows(&stream, Rows::Arrow(batch)).await
    }

    /// From the first change on, copies can no longer promise that a key is not there. The cursor
    /// says so before the change leaves: a restart in between must not promise it either. // G2
    pub(super) async fn note_change(&mut self, index: TableIndex) -> Result<()> {
        if let Phase::Copying { changed, .. } = &mut self.tables[index].phase
            && !*changed
        {
            *changed = true;
            self.emit_cursor(index).await?;
        }
        Ok(())
    }
}

fn unmapped() -> Error {
    Error::new(
        ErrorKind::Malformed,
        "rows came from the log without the layout of their table",
    )
}
