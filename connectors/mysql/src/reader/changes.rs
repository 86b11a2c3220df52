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
use crate::layout::Layout;
use crate::log::rows::{RowsEvent, decode};
use crate::log::table_map::{Head, TableMap};
use crate::rejections::{rejections, remark};
use crate::tables::{Pending, Phase, TableIndex};

use super::Reader;

/// What a table id of the log stands for.
pub(crate) struct Mapped {
    /// Its map behind the id, to know it again.
    identity: Vec<u8>,
    /// The table and its layout; `None` for one that nobody selected.
    selected: Option<(TableIndex, Arc<Layout>)>,
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
        let selected = match self.tables.find(head.database, head.table) {
            None => None,
            Some(index) => {
                let map = TableMap::parse(raw.data(), self.server.flavor)?;
                let table = &self.tables[index];
                let info = Some(table.info.as_ref());
                match Layout::from_table_map(&map, info, &table.excluded, self.options) {
                    Ok(layout) => Some((index, Arc::new(layout))),
                    Err(error) => {
                        self.stop_alone(index, error).await?;
                        None
                    }
                }
            }
        };
        let mapped = Mapped {
            identity: head.identity.to_vec(),
            selected,
        };
        self.progress.mapped.insert(head.table_id, mapped);
        Ok(())
    }

    /// Takes a row event.
    pub(super) async fn rows(&mut self, raw: &Raw) -> Result<()> {
        let id = RowsEvent::table_id(raw.data())?;
        let mapped = self.progress.mapped.get(&id).ok_or_else(unmapped)?;
        let Some((index, layout)) = mapped.selected.clone() else {
            return Ok(());
        };
        let event = match RowsEvent::parse(raw.header().event_type_raw(), raw.data()) {
            Ok(event) => event,
            Err(error) => return self.stop_alone(index, error).await,
        };
        if !self.takes_changes(index) {
            self.progress.left_out = true;
            return Ok(());
        }
        if self.tables[index]
            .pending
            .as_ref()
            .is_some_and(|p| !Arc::ptr_eq(&p.layout, &layout))
        {
            self.send_changes(index).await?;
            self.tables[index].pending = None; // its builder knows the old layout only
        }
        let run = self.run_at(self.progress.ordinal);
        let options = self.options;
        let pending = match &mut self.tables[index].pending {
            Some(pending) => pending,
            empty => empty.insert(Pending {
                builder: RowBuilder::new(layout.clone(), options)?,
                layout,
                runs: Vec::new(),
            }),
        };
        let before = pending.builder.len();
        pending.runs.push(PositionRun {
            start: before,
            ..run
        });
        decode(&event, &mut pending.builder)?;
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
        let is_watched = self
            .progress
            .jobs
            .values()
            .any(|running| running.table == index);
        if is_watched && !layout.key.is_empty() {
            let keys = KeyEncoder::new(layout, self.options)?.keys(&columns)?;
            let watching = self
                .progress
                .jobs
                .values_mut()
                .filter(|running| running.table == index);
            for running in watching {
                running
                    .touched
                    .extend(keys.iter().map(|key| Box::from(key.data())));
            }
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
