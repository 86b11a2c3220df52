//! What comes of a source goes into the load in progress, one change after the other.

use std::time::Instant;

use tributary_model::{
    Change, ChangeBatch, Deletes, Error, ErrorKind, Mode, Positions, Rejection, Result, Rows,
    StreamCount, StreamName, TruncateKind,
};

use super::Loading;
use crate::ledger::{Ledger, add};
use crate::normalize::{Shaped, json_columns};
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
        let misfits = shaped.misfits();
        let count = shaped.batch.rows.num_rows() as u64 + misfits;
        self.observer.notice(&Event::Read {
            stream,
            rows: count,
            bytes,
        });
        let counts = self.connection.source.counts();
        self.make_beside(stream).await?;
        let open = self.open().await?;
        let Shaped {
            batch,
            rejected,
            overtaken,
        } = shaped;
        let batch = match counts {
            true => open.copies.number(batch, open.load.as_mut()).await?,
            false => batch,
        };
        // In source order for each key. // G4
        for change in [
            Change::Rejected(overtaken),
            Change::Rows(batch),
            Change::Rejected(rejected),
        ] {
            let is_empty = match &change {
                Change::Rejected(rejections) => rejections.is_empty(),
                Change::Rows(batch) => batch.ops.is_empty() && misfits > 0,
                _ => false,
            };
            if !is_empty {
                self.write(stream, change).await?;
            }
        }
        let open = self.open().await?;
        open.fill.add(stream, count, bytes, Instant::now());
        let more = StreamCount {
            rows_read: count,
            rows_written: count - misfits,
            rows_rejected: misfits,
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
        if self.begin_again(stream, kind).await? {
            self.mark_break(stream, positions).await?;
            if let (Some(open), Some(table)) = (&mut self.load, self.tables.get(stream)) {
                open.copies.emptied(&table.plan().table);
                open.fill.add(stream, 0, 0, Instant::now());
            }
            return Ok(());
        }
        self.empty(stream, kind, positions).await
    }

    /// Empties the table that the stream's rows go to.
    pub(super) async fn empty(
        &mut self,
        stream: &StreamName,
        kind: TruncateKind,
        positions: Positions,
    ) -> Result<()> {
        self.make_beside(stream).await?;
        let is_beside = self.beside.contains_key(stream);
        let table = self.tables.get(stream).ok_or_else(|| unknown(stream))?;
        if table.is_provisional() {
            return Ok(()); // there is no table that could be emptied
        }
        let plan = table.plan().clone();
        let (kind, at) = match kind {
            // Nobody has seen what was built beside so far.
            TruncateKind::Anew if is_beside => (TruncateKind::Restart, None),
            TruncateKind::Change | TruncateKind::Anew => {
                (TruncateKind::Change, positions.times(1).next().flatten())
            }
            TruncateKind::Restart => (TruncateKind::Restart, None),
        };
        if kind == TruncateKind::Restart
            && !is_beside
            && let Some(table) = self.tables.get_mut(stream)
        {
            table.emptied();
        }
        let table = self.tables.get(stream).ok_or_else(|| unknown(stream))?;
        let table_name = plan.table.clone();
        let marks = (is_beside && kind == TruncateKind::Restart).then(|| positions.clone());
        let change = match (kind, plan.mode, plan.deletes) {
            (TruncateKind::Change, Mode::History, Deletes::Ignore) => return Ok(()),
            (TruncateKind::Change, Mode::History, _) => Change::Close { plan, at },
            (TruncateKind::Change, Mode::Append, _) => match table.truncate_row(positions)? {
                Some(marker) => Change::Rows(marker),
                None => return Ok(()),
            },
            _ => Change::Truncate { plan, kind },
        };
        let open = self.open().await?;
        open.copies.emptied(&table_name);
        open.fill.add(stream, 0, 0, Instant::now());
        self.write(stream, change).await?;
        match marks {
            Some(positions) => self.mark_break(stream, positions).await,
            None => Ok(()),
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
        let table = table.plan().table.clone();
        self.make_beside(stream).await?;
        let open = self.open().await?;
        open.copies.unsure(&table);
        open.fill.add(stream, 0, 0, Instant::now());
        self.write(stream, change).await
    }

    /// What follows is the whole stream. It is in one load, so that nothing has to be built beside:
    /// except for a history, which a row that comes again must not end.
    pub(super) async fn generation(
        &mut self,
        stream: &StreamName,
        positions: Positions,
    ) -> Result<()> {
        match self.kind_of_generation(stream)? {
            TruncateKind::Anew => self.truncate(stream, TruncateKind::Anew, positions).await,
            _ if self.dropped.contains(stream) => Ok(()),
            kind => self.empty(stream, kind, positions).await,
        }
    }

    /// What a new generation does to the rows of earlier ones.
    pub(super) fn kind_of_generation(&self, stream: &StreamName) -> Result<TruncateKind> {
        let plan = self
            .tables
            .get(stream)
            .ok_or_else(|| unknown(stream))?
            .plan();
        Ok(match (plan.mode, plan.deletes) {
            (Mode::Append, _) | (Mode::Merge, Deletes::Ignore) => TruncateKind::Change,
            (Mode::History, _) => TruncateKind::Anew,
            (Mode::Merge, Deletes::Soft | Deletes::Hard) | (Mode::Replace, _) => {
                TruncateKind::Restart
            }
        })
    }

    /// Rows that the source rejected, as they may be kept.
    pub(super) async fn rejected(&mut self, rejections: Vec<Rejection>) -> Result<()> {
        let mut kept = Vec::with_capacity(rejections.len());
        for rejection in rejections {
            let stream = rejection.stream.clone();
            if self.dropped.contains(&stream) {
                continue; // as its rows
            }
            let table = self.tables.get(&stream).ok_or_else(|| unknown(&stream))?;
            kept.push(table.conceal(rejection)?);
            let (stream, rows, bytes) = (&stream, 1, 0);
            self.observer.notice(&Event::Read {
                stream,
                rows,
                bytes,
            });
        }
        if kept.is_empty() {
            return Ok(());
        }
        let open = self.open().await?;
        for rejection in &kept {
            open.fill.add(&rejection.stream, 1, 0, Instant::now());
            let count = open.counts.entry(rejection.stream.clone()).or_default();
            count.rows_read += 1;
            count.rows_rejected += 1;
        }
        open.load.write(Change::Rejected(kept)).await
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
