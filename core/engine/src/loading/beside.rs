//! Building tables beside those that readers see, and swapping them in: see [`crate::beside`].
//!
//! A swap is a change of a load like any other: it commits with the rows before it and the cursors
//! that cover them. So the cursors of a stream are always those of the table that its rows go to. // G1

use tributary_model::{
    Change, Mode, Old, Phase, Positions, Result, StreamName, TablePlan, TruncateKind,
};

use super::Loading;
use crate::beside::{Facts, next_to};

impl Loading<'_> {
    /// Begins to build a table beside that of the stream, where the destination can and there is
    /// something that readers should see until the end. Says whether rows go beside now.
    pub(super) async fn go_beside(&mut self, stream: &StreamName) -> Result<bool> {
        let capabilities = self.connection.destination.capabilities();
        let Some(table) = self.tables.get_mut(stream) else {
            return Ok(false);
        };
        let TablePlan { mode, deletes, .. } = **table.plan();
        let name = table.plan().table.clone();
        let is_there = self.layouts.contains_key(&name);
        if !capabilities.swaps || table.is_provisional() || !(is_there || mode == Mode::Replace) {
            return Ok(false);
        }
        let facts = Facts {
            table: &name,
            mode,
            deletes,
            existing: &self.layouts,
            has_cursor: false,
            begins: true,
            is_void: self.void.contains(stream),
            is_hidden_alike: true,
        };
        let beside = facts.beside(&capabilities);
        table.move_to(next_to(&name, &capabilities));
        self.beside.insert(stream.clone(), beside);
        self.make_beside(stream).await?;
        Ok(true)
    }

    /// Makes the table beside, where the stream's rows go to one that is not there yet.
    pub(super) async fn make_beside(&mut self, stream: &StreamName) -> Result<()> {
        let (Some(beside), Some(table)) = (self.beside.get(stream), self.tables.get(stream)) else {
            return Ok(());
        };
        if beside.is_made || table.is_provisional() {
            return Ok(());
        }
        let change = Change::Renew {
            plan: table.plan().clone(),
            like: beside.like.clone(),
        };
        self.write(stream, change).await?;
        if let Some(beside) = self.beside.get_mut(stream) {
            beside.is_made = true;
        }
        Ok(())
    }

    /// Says in the changes of a stream that those which follow begin with all of its rows, where they
    /// follow earlier ones in the end.
    pub(super) async fn mark_break(
        &mut self,
        stream: &StreamName,
        positions: Positions,
    ) -> Result<()> {
        let (Some(beside), Some(table)) = (self.beside.get(stream), self.tables.get(stream)) else {
            return Ok(());
        };
        if beside.old != Old::Continued || !beside.is_made {
            return Ok(());
        }
        if let Some(marker) = table.truncate_row(positions)? {
            self.write(stream, Change::Rows(marker)).await?;
        }
        Ok(())
    }

    /// Notes that the source has sent all of a stream.
    pub(super) fn all_sent(&mut self, stream: &StreamName) {
        if self.failed.contains(stream) {
            return;
        }
        match self.beside.get_mut(stream) {
            Some(beside) => beside.is_complete = true,
            None => drop(self.void.remove(stream)),
        }
    }

    /// Notes that a stream can't be completed in this attempt.
    pub(super) fn not_all_sent(&mut self, stream: &StreamName) {
        self.failed.insert(stream.clone());
        self.begins_again(stream);
    }

    /// Notes that what the source sends of a stream is not all of it yet.
    pub(super) fn begins_again(&mut self, stream: &StreamName) {
        if let Some(beside) = self.beside.get_mut(stream) {
            beside.is_complete = false;
        }
    }

    /// Notes that the source has ended. A stream that it has left out, skipped or given up on the way
    /// is not complete by that: where phases are told, its own was never the last one.
    pub(super) fn all_of_all_sent(&mut self) {
        let is_told = |stream: &StreamName| {
            self.phases.is_empty() || self.phases.get(stream) == Some(&Phase::Streaming)
        };
        let streams = self.beside.keys().chain(&self.void).filter(|s| is_told(s));
        let streams: Vec<_> = streams.cloned().collect();
        for stream in streams {
            self.all_sent(&stream);
        }
    }

    /// Whether so much of a stream was rejected in this load that it is to be stopped: then what was
    /// there before is better than what is beside.
    fn rejects_too_much(&self, stream: &StreamName) -> bool {
        let counts = self.load.as_ref().and_then(|open| open.counts.get(stream));
        let limit = self.connection.options.of(stream).max_rejected;
        counts.is_some_and(|count| limit.is_passed(count.rows_read, count.rows_rejected))
    }

    /// Whether a table waits to be swapped in.
    pub(super) fn has_complete(&self) -> bool {
        self.beside.values().any(|beside| beside.is_complete)
    }

    /// Swaps in what is complete, in the load in progress; later rows go to the table itself. What is
    /// to be told of it once the load has committed comes back.
    pub(super) async fn swap_complete(&mut self) -> Result<Vec<(StreamName, String)>> {
        let mut told = Vec::new();
        let complete = self.beside.iter();
        let complete =
            complete.filter(|(stream, it)| it.is_complete && !self.rejects_too_much(stream));
        let streams: Vec<_> = complete.map(|(stream, _)| stream.clone()).collect();
        for stream in streams {
            self.make_beside(&stream).await?;
            let Some(mut beside) = self.beside.remove(&stream) else {
                continue;
            };
            let Some(table) = self.tables.get_mut(&stream) else {
                continue;
            };
            let capabilities = self.connection.destination.capabilities();
            beside.keep_without_key(table.plan(), &self.layouts, &capabilities);
            if !beside.is_made {
                // There was no row to make a table for; later ones go to the table itself.
                table.move_to(beside.live);
                continue;
            }
            let from = table.plan().table.clone();
            told.extend(
                beside
                    .says(table.plan().mode)
                    .map(|said| (stream.clone(), said)),
            );
            table.move_to(beside.live.clone());
            if beside.old != Old::Continued {
                table.emptied();
            }
            self.void.remove(&stream);
            if let (Old::Kept(name), Some(old)) = (&beside.old, self.layouts.get(&beside.live)) {
                let old = old.clone();
                self.layouts.insert(name.clone(), old); // the name is taken from now on
            }
            let change = Change::Swap {
                plan: table.plan().clone(),
                beside: from,
                old: beside.old,
            };
            self.write(&stream, change).await?;
        }
        Ok(told)
    }

    /// Empties what is being built beside, or begins to build it; `false` where the table itself is
    /// to be emptied.
    pub(super) async fn begin_again(
        &mut self,
        stream: &StreamName,
        kind: TruncateKind,
    ) -> Result<bool> {
        let Some(table) = self.tables.get(stream) else {
            return Ok(false);
        };
        let continues = table.plan().mode == Mode::History;
        if kind != TruncateKind::Change {
            self.begins_again(stream);
        }
        match (kind, self.beside.get(stream).map(|beside| beside.is_made)) {
            (TruncateKind::Change, _) => Ok(false),
            (TruncateKind::Anew | TruncateKind::Restart, Some(false)) => {
                self.make_beside(stream).await?;
                Ok(true)
            }
            (TruncateKind::Anew | TruncateKind::Restart, Some(true)) => Ok(false),
            (TruncateKind::Anew, None) if !continues => Ok(false),
            (TruncateKind::Anew | TruncateKind::Restart, None) => self.go_beside(stream).await,
        }
    }
}
