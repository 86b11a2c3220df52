//! How a load begins and commits.
//!
//! The order is the guarantee, and stands in [`Loading::commit`]: rows and state commit in one
//! step in the destination (G1, G2); only what has committed is counted and told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tracing::Instrument;
use tributary_model::{
    Commit, Error, ErrorKind, Fence, LoadPlan, RejectLimit, Remembered, Result, StreamCount,
    StreamName, Until, failpoint, now,
};

use super::copies::Copies;
use super::{Loading, Open};
use crate::attempt::{Progress, tell_layout};
use crate::changes;
use crate::flush::Fill;
use crate::ledger::{InDoubt, Ledger};
use crate::normalize::{set_beside, set_void};
use crate::observer::Event;
use crate::spans;

impl Loading<'_> {
    /// The load in progress; begins one where there is none.
    pub(super) async fn open(&mut self) -> Result<&mut Open> {
        if self.load.is_none() {
            let plan = LoadPlan {
                connection: self.connection.options.name.clone(),
                load_id: new_load_id(&self.fence),
                started_at: now(),
                tables: self
                    .tables
                    .iter()
                    .filter(|(_, table)| !table.is_provisional())
                    // What is made anew beside another table comes as a change.
                    .filter(|(stream, _)| self.beside.get(stream).is_none_or(|b| b.is_made))
                    .map(|(_, table)| Arc::clone(table.plan()))
                    .collect(),
            };
            failpoint::reach("engine.before_begin")?;
            let span = spans::load(&self.fence, &plan.load_id, self.until);
            let load = self.begin(&plan).instrument(span.clone()).await?;
            let fill = Fill::new(self.connection.options.flush);
            self.load = Some(Open {
                _hold: self.stop.hold(),
                load,
                plan,
                counts: BTreeMap::new(),
                copies: Copies::default(),
                fill,
                span,
            });
        }
        self.load
            .as_mut()
            .ok_or_else(|| Error::bug("a load was begun and is not there"))
    }

    /// Commits what is left, where there is anything: rows, a moved cursor or a table to make.
    pub(crate) async fn finish(
        mut self,
        ledger: &mut Ledger,
        progress: &mut Progress,
    ) -> Result<()> {
        let finished = self.commit_the_rest(ledger, progress).await;
        if let Err(error) = &finished {
            self.leave_out_misfits(error, ledger);
        }
        finished
    }

    async fn commit_the_rest(
        &mut self,
        ledger: &mut Ledger,
        progress: &mut Progress,
    ) -> Result<()> {
        self.all_of_all_sent();
        self.remember();
        let has_work = self.has_work || self.has_complete();
        if self.load.is_none() && !has_work && self.state == self.stored {
            return Ok(());
        }
        let open = self.open().await?;
        if !open.fill.is_covered() {
            return Err(Error::bug(
                "the source ended without a checkpoint for its last rows",
            ));
        }
        self.commit(ledger, progress).await
    }

    /// The commit protocol: data, then state, then whoever is told.
    pub(super) async fn commit(
        &mut self,
        ledger: &mut Ledger,
        progress: &mut Progress,
    ) -> Result<()> {
        if self.load.is_none() {
            return Ok(());
        }
        let told = self.swap_complete().await?;
        self.remember();
        let Some(Open {
            load,
            plan,
            mut counts,
            _hold,
            span,
            ..
        }) = self.load.take()
        else {
            return Ok(());
        };
        let begun = Instant::now();
        let commit = Commit {
            state: self.state.clone(),
            before: self.stored.clone(),
            streams: counts.clone(),
            committed_at: now(),
        };
        failpoint::reach("engine.before_commit")?;
        // Until the reply is here nobody knows how it ended; `open` will tell.
        let load_id = plan.load_id.clone();
        ledger.in_doubt = Some(InDoubt {
            load_id,
            started_at: plan.started_at,
            counts: counts.clone(),
        });
        let committing = load.commit(&commit).instrument(span.clone());
        let receipt = committing.await?; // 1. rows and state, in one step // G1 G2
        failpoint::reach("engine.after_commit")?;
        ledger.in_doubt = None;
        self.fence = receipt.fence;
        self.stored = commit.state; // 2. what the next load starts from // G3
        self.has_work = false;
        self.moved = None;
        progress.refresh = false;
        progress.has_committed = true;
        for (stream, rows) in receipt.rejected {
            let count = counts.entry(stream).or_default();
            count.rows_rejected += rows;
            count.rows_written = count.rows_written.saturating_sub(rows);
        }
        ledger.book(&counts); // 3. the counters
        self.stop_what_rejects(&counts, ledger);
        let rows: u64 = counts.values().map(|count| count.rows_read).sum();
        let took = begun.elapsed();
        span.record("rows", rows);
        tracing::debug!(load_id = plan.load_id, rows, "committed");
        self.observer.notice(&Event::Committed {
            rows,
            load_id: &plan.load_id,
            took,
            started_at: plan.started_at,
            streams: &counts,
            state: &self.stored,
        });
        self.tell_layouts();
        for (stream, what) in &told {
            let (stream, what) = (stream, what.as_str());
            self.observer.notice(&Event::SchemaChanged { stream, what });
        }
        self.tell_complete();
        Ok(())
    }

    /// Takes what the next run is to know of the tables into the state. Of one that is being built
    /// beside, the one that readers see still counts, and which that is.
    fn remember(&mut self) {
        for (stream, table) in self.tables.iter().filter(|(_, t)| !t.is_provisional()) {
            let mut known = match self.beside.get(stream) {
                None => table.remember(),
                Some(beside) => {
                    let (live, known) = (beside.live.to_string(), self.state.tables.get(stream));
                    let known = known.filter(|known| known.table == live).cloned();
                    let mut known = known.unwrap_or_else(|| Remembered {
                        table: live,
                        ..Remembered::default()
                    });
                    // Until it is made, what is said stands for one of an earlier run.
                    if beside.is_made {
                        set_beside(&mut known, table.hiding());
                    }
                    known
                }
            };
            set_void(&mut known, self.void.contains(stream));
            self.state.tables.insert(stream.clone(), known);
        }
    }

    /// Gives up streams that reject more than they may. What was rejected is there to be looked at.
    fn stop_what_rejects(
        &mut self,
        counts: &BTreeMap<StreamName, StreamCount>,
        ledger: &mut Ledger,
    ) {
        for (stream, load) in counts.iter().filter(|(_, count)| count.rows_rejected > 0) {
            let count = match self.until {
                Until::Now => ledger.count(stream),
                Until::Stopped => load.clone(),
            };
            let limit = self.connection.options.of(stream).max_rejected;
            let too_many = limit.is_passed(count.rows_read, count.rows_rejected);
            if too_many && !self.dropped.contains(stream) {
                let error = rejects_too_much(stream, &count, limit);
                self.drop_stream(stream, &error, ledger);
            }
        }
    }

    /// Whether a stream has rejected too much already, so that the load should end soon.
    pub(super) fn has_too_many(&self) -> bool {
        let is_over = |(stream, count): (&StreamName, &StreamCount)| {
            let limit = self.connection.options.of(stream).max_rejected;
            limit.is_passed(count.rows_read, count.rows_rejected)
        };
        let open = self.load.as_ref();
        open.is_some_and(|open| open.counts.iter().any(is_over))
    }

    /// Says up to when the destination is complete, where the source has said so.
    pub(super) fn tell_complete(&mut self) {
        if let Some(as_of) = self.complete.take() {
            self.observer.notice(&Event::Complete { as_of });
        }
    }

    /// Says how the load that has committed changed tables that were there.
    pub(super) fn tell_layouts(&mut self) {
        for (stream, table) in &self.tables {
            let plan = table.plan();
            if self.beside.contains_key(stream) {
                continue; // nobody looks at it yet
            }
            let before = self.layouts.get(&plan.table);
            if before.is_some_and(|columns| *columns == plan.columns) {
                continue;
            }
            tell_layout(self.observer, stream, table);
            for what in before
                .into_iter()
                .flat_map(|old| changes::between(old, plan))
            {
                self.observer.notice(&Event::SchemaChanged {
                    stream,
                    what: &what,
                });
            }
            self.layouts
                .insert(plan.table.clone(), plan.columns.clone());
        }
    }
}

fn rejects_too_much(stream: &StreamName, count: &StreamCount, limit: RejectLimit) -> Error {
    Error::new(
        ErrorKind::Rejected,
        format!(
            "{} of {} rows of {stream} were rejected, which is more than `max_rejected: {limit}` \
             allows",
            count.rows_rejected, count.rows_read
        ),
    )
    .fix(format!(
        "`SELECT * FROM _tributary.rejected WHERE stream = '{stream}'` says why. Correct the values \
         in the source, give the columns another `type`, or raise `max_rejected` of the stream."
    ))
}

/// A name for a load that no other load has: time, epoch, and a counter of this process.
pub(crate) fn new_load_id(fence: &Fence) -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    format!(
        "{}-{}-{count}",
        now().format("%Y%m%dT%H%M%S%.6f"),
        fence.epoch
    )
}
