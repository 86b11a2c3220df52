//! What comes of a source goes into the load in progress, one change after the other.

use std::time::Instant;

use tributary_model::{
    Change, ChangeBatch, Deletes, Error, ErrorKind, Mode, Positions, Rejection, Result, Rows,
    StreamCount, StreamName, TruncateKind,
};

use super::Loading;
use crate::ledger::{Ledger, add};
use crate::normalize::json_columns;
use crate::observer::Event;

impl Loading<'_> {
    pub(super) async fn rows(
        &mut self,
        stream: &StreamName,
        rows: Rows,
        bytes: u64,
        ledger: &mut Ledger,
    ) -> Result<()> {
        if self.dropped.contains(stream) {
            return Ok(()); // its cursor does not move any more
        }
        let batch = self.columns(stream, rows)?;
        let table = self.tables.get_mut(stream).ok_or_else(|| unknown(stream))?;
        let shaped = match table.shape(&batch) {
            Ok(shaped) => shaped,
            Err(error) if concerns_one_stream(error.kind()) => {
                self.drop_stream(stream, &error, ledger);
                return self.do_without(stream, ledger);
            }
            Err(error) => return Err(error),
        };
        let count = shaped.rows.num_rows() as u64;
        self.observer.notice(&Event::Read {
            stream,
            rows: count,
            bytes,
        });
        let open = self.open().await?;
        open.load.write(Change::Rows(shaped)).await?;
        open.fill.add(stream, count, bytes, Instant::now());
        let more = StreamCount {
            rows_read: count,
            rows_written: count,
            rows_rejected: 0,
            bytes_read: bytes,
        };
        add(open.counts.entry(stream.clone()).or_default(), &more);
        Ok(())
    }

    pub(super) fn columns(&self, stream: &StreamName, rows: Rows) -> Result<ChangeBatch> {
        match rows {
            Rows::Arrow(batch) => Ok(batch),
            Rows::Json(rows) => {
                let declared = self.declared.get(stream).ok_or_else(|| unknown(stream))?;
                json_columns(&rows, declared)
            }
        }
    }

    pub(super) async fn truncate(
        &mut self,
        stream: &StreamName,
        kind: TruncateKind,
        positions: Positions,
    ) -> Result<()> {
        if self.dropped.contains(stream) {
            return Ok(()); // its rows would not come after it
        }
        let table = self.tables.get(stream).ok_or_else(|| unknown(stream))?;
        if table.is_provisional() {
            return Ok(()); // there is no table that could be emptied
        }
        let plan = table.plan().clone();
        let marker = match kind {
            TruncateKind::Change => table.truncate_row(positions)?,
            TruncateKind::Restart => None,
        };
        let open = self.open().await?;
        open.fill.add(stream, 0, 0, Instant::now());
        match marker {
            Some(marker) => open.load.write(Change::Rows(marker)).await,
            None => open.load.write(Change::Truncate { plan, kind }).await,
        }
    }

    pub(super) async fn clear(&mut self, stream: &StreamName, of: &ChangeBatch) -> Result<()> {
        if self.dropped.contains(stream) {
            return Ok(()); // the rows that are there instead would not come after it
        }
        let table = self.tables.get_mut(stream).ok_or_else(|| unknown(stream))?;
        let Some(change) = table.clear(of)? else {
            return Ok(());
        };
        let open = self.open().await?;
        open.fill.add(stream, 0, 0, Instant::now());
        open.load.write(change).await
    }

    /// What a new generation does to the rows of earlier ones.
    pub(super) fn kind_of_generation(&self, stream: &StreamName) -> Result<TruncateKind> {
        let plan = self
            .tables
            .get(stream)
            .ok_or_else(|| unknown(stream))?
            .plan();
        Ok(match (plan.mode, plan.deletes) {
            (Mode::Append | Mode::History, _) | (Mode::Merge, Deletes::Ignore) => {
                TruncateKind::Change
            }
            (Mode::Merge, Deletes::Soft | Deletes::Hard) | (Mode::Replace, _) => {
                TruncateKind::Restart
            }
        })
    }

    pub(super) async fn rejected(&mut self, rejections: Vec<Rejection>) -> Result<()> {
        let open = self.open().await?;
        for rejection in &rejections {
            open.fill.add(&rejection.stream, 1, 0, Instant::now());
            let count = open.counts.entry(rejection.stream.clone()).or_default();
            count.rows_read += 1;
            count.rows_rejected += 1;
        }
        open.load.write(Change::Rejected(rejections)).await
    }
}

fn concerns_one_stream(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Incompatible | ErrorKind::Config | ErrorKind::Rejected
    )
}

fn unknown(stream: &StreamName) -> Error {
    Error::bug(format!(
        "the source sent something of {stream}, which was not asked for"
    ))
}
