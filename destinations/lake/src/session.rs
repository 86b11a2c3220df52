//! A load as the lake sees it: what its tables become, the entry that says so, and what follows.
//!
//! Invariant: up to the entry nothing is visible, and an upload is given up only where it is
//! certain that no entry names it. // G1 G2

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tributary_model::failpoint::reach;
use tributary_model::{
    Batch, Change, Commit, Context, Deletes, Error, ErrorKind, Fence, Mode, Receipt, Rejection,
    Result, StreamName, TableName, TablePlan, TruncateKind,
};
use tributary_sql::Within;

use crate::apply::apply;
use crate::error::fenced;
use crate::log::{Appended, Body, Committed, Entry, Log, SchemaChange, Snapshot};
use crate::maintain::meanwhile::{self, Next};
use crate::place;
use crate::rejected::Rejected;
use crate::screen::screen;
use crate::site::Site;
use crate::table::{DataFile, TableChange};
use crate::target::Target;
use crate::upload::give_up;
use tributary_store::{Pending, PutOutcome};

/// Memory of the open files of all tables. // G6
const MEMORY: usize = 48 << 20;

/// A load under way.
pub(crate) struct Session {
    pub(crate) site: Arc<Site>,
    log: Log,
    pub(crate) fence: Fence,
    pub(crate) snapshot: Snapshot,
    pub(crate) targets: BTreeMap<TableName, Target>,
    /// Tables that are no more.
    pub(crate) dropped: Vec<TableChange>,
    /// The tables that this load has begun beside others: their streams' rows go there.
    pub(crate) beside: BTreeMap<StreamName, TableName>,
    rejected: BTreeMap<StreamName, u64>,
    pub(crate) rejections: Rejected,
}

impl Session {
    /// Begins: sees that nobody has taken over, and brings the tables to their plans.
    pub(crate) fn begin(site: Site, log: Log, fence: Fence, snapshot: Snapshot) -> Result<Self> {
        let mut snapshot = snapshot;
        loop {
            match meanwhile::next(&site, &log, &fence.connection, fence.epoch, &mut snapshot)? {
                Next::End => break,
                Next::Rewritten(_) => {}
                Next::Taken => return Err(fenced(&fence.connection)),
            }
        }
        let rejections = Rejected::read(&site, &log, &fence, &snapshot)?;
        let mut session = Self {
            site: Arc::new(site),
            log,
            fence,
            snapshot,
            targets: BTreeMap::new(),
            dropped: Vec::new(),
            beside: BTreeMap::new(),
            rejected: BTreeMap::new(),
            rejections,
        };
        for plan in session.site.load.tables.clone() {
            session.target(&plan)?;
        }
        reach("load.after_begin")?;
        Ok(session)
    }

    /// Takes one change.
    pub(crate) fn write(&mut self, change: Change) -> Result<()> {
        match change {
            Change::Rows(batch) => self.write_rows(batch)?,
            Change::Truncate { plan, kind } => {
                self.target(&plan)?.truncate(kind)?;
                // What is kept whatever happens keeps what is missing of it.
                let keeps = plan.mode == Mode::Append || plan.deletes == Deletes::Ignore;
                if kind == TruncateKind::Restart || !keeps {
                    self.rejections.void(&plan.stream, &plan.table);
                }
            }
            Change::Clear { plan, of } => {
                let doing = || format!("clearing rows of {}", plan.table);
                self.rejections.cleared(&plan, &of);
                self.target(&plan)?.clear(&of).context(doing)?;
            }
            Change::Renew { plan, like } => self.renew(&plan, like.as_ref())?,
            Change::Swap { plan, beside, old } => {
                let doing = || format!("putting {beside} in the place of {}", plan.table);
                self.swap(&plan, &beside, &old).context(doing)?;
            }
            Change::Close { plan, .. } => {
                return Err(Error::bug(format!(
                    "{} was planned as a history, which this destination does not keep",
                    plan.table
                )));
            }
            Change::Rejected(rejections) => self.reject(rejections)?,
        }
        reach("load.after_stage")
    }

    /// Takes rejected rows of a stream out of where they wait.
    pub(crate) fn take_rejected(&mut self, of: &StreamName, most: usize) -> Result<Vec<Rejection>> {
        let plan = self.plan_of(of).ok_or_else(|| {
            Error::bug(format!(
                "rejected rows of {of} were to be taken into no table"
            ))
        })?;
        self.rejections.take(&plan, most)
    }

    fn write_rows(&mut self, batch: Batch) -> Result<()> {
        let (plan, presence) = (batch.plan.clone(), batch.presence);
        let (all, ops) = (batch.rows.clone(), batch.ops.clone());
        let rows = screen(batch)?;
        self.rejections.loaded(&plan, &ops, &all);
        if !rows.rejected.is_empty() {
            *self.rejected.entry(plan.stream.clone()).or_default() += rows.rejected.len() as u64;
            let within = Within {
                rows: &all,
                ops: &ops,
                at: &rows.at,
            };
            self.rejections
                .reject(&self.site, Some(&plan), &rows.rejected, Some(&within))?;
        }
        let doing = || format!("writing {}", plan.table);
        self.target(&plan)?.take(&rows, presence).context(doing)?;
        self.bound_memory()
    }

    /// Makes rows and state true.
    pub(crate) fn commit(mut self, commit: &Commit) -> Result<(Receipt, Snapshot)> {
        reach("load.before_merge")?;
        let committed = self.settle(commit)?;
        reach("load.before_commit")?;
        let entry = self.put(&Body::Commit(Box::new(committed)))?;
        reach("lake.after_log")?;
        self.follow(&entry)
    }

    /// Puts the entry behind all that upkeep has put since the load began.
    fn put(&mut self, body: &Body) -> Result<Arc<Entry>> {
        loop {
            let applied = self.snapshot.applied();
            let entry = Log::entry(&self.snapshot, self.fence.epoch, applied, body.clone());
            let entry = Arc::new(entry);
            if self.site.wait(self.log.append(&entry))? == Appended::Ours {
                return Ok(entry);
            }
            let (of, epoch) = (&self.fence.connection, self.fence.epoch);
            let next = meanwhile::next(&self.site, &self.log, of, epoch, &mut self.snapshot)?;
            let error = match next {
                Next::Rewritten(gone) if !removes_any(&entry, &gone) => continue,
                Next::Rewritten(_) => meanwhile::in_the_way(),
                Next::Taken | Next::End => fenced(of),
            };
            entry
                .uploads()
                .iter()
                .for_each(|pending| give_up(&self.site, &pending.upload));
            return Err(error);
        }
    }

    /// What is left to do once the entry is there. If it fails, the load has still committed; the
    /// next opening finds it and does the rest.
    fn follow(mut self, entry: &Arc<Entry>) -> Result<(Receipt, Snapshot)> {
        let of = &self.fence.connection;
        let (store, iceberg) = (&self.site.store, self.site.iceberg.as_deref());
        self.snapshot.replay(entry)?;
        let applied = apply(store, iceberg, of, entry, &self.snapshot);
        let gone = self.site.wait(applied)?;
        if !gone.is_empty() {
            // Somebody who took over has completed and replaced them, or will say what is wrong.
            return Err(Error::new(
                ErrorKind::Unavailable,
                format!("{} files were not there to be completed", gone.len()),
            ));
        }
        self.snapshot.unapplied.clear();
        self.site.wait(self.log.checkpoint(&self.snapshot))?;
        reach("load.after_commit")?;
        let receipt = Receipt {
            fence: Fence {
                sequence: self.snapshot.sequence,
                last_load: self.snapshot.last_load.clone(),
                ..self.fence.clone()
            },
            rejected: std::mem::take(&mut self.rejected),
        };
        Ok((receipt, self.snapshot))
    }

    /// Ends every table, and gathers what the log is to say.
    fn settle(&mut self, commit: &Commit) -> Result<Committed> {
        let mut tables = std::mem::take(&mut self.dropped);
        let mut schema_changes: Vec<SchemaChange> = Vec::new();
        let mut uploads: Vec<Pending> = Vec::new();
        for (name, target) in &mut self.targets {
            target.close().context(|| format!("writing {name}"))?;
        }
        for (name, target) in &mut self.targets {
            let outcome = target.finish().context(|| format!("writing {name}"))?;
            tables.extend(outcome.change);
            schema_changes.extend(outcome.schema_changes);
            uploads.extend(outcome.uploads);
        }
        let rejections = std::mem::take(&mut self.rejections);
        let left = rejections.finish(&self.site, &self.fence.connection)?;
        let rejected = left.upload.is_some();
        uploads.extend(left.upload);
        let mut streams = commit.streams.clone();
        for (stream, rows) in &self.rejected {
            let count = streams.entry(stream.clone()).or_default();
            count.rows_written = count.rows_written.saturating_sub(*rows);
            count.rows_rejected += rows;
        }
        Ok(Committed {
            load_id: self.site.load.load_id.clone(),
            sequence: self.site.sequence,
            started_at: self.site.load.started_at,
            committed_at: commit.committed_at,
            before: commit.before.clone(),
            state: commit.state.clone(),
            streams,
            tables,
            schema_changes,
            uploads,
            rejected,
            rejected_gone: left.gone,
        })
    }

    /// The table of `plan`, brought to that plan.
    fn target(&mut self, plan: &Arc<TablePlan>) -> Result<&mut Target> {
        match self.targets.entry(plan.table.clone()) {
            std::collections::btree_map::Entry::Occupied(known) => {
                let target = known.into_mut();
                if !Arc::ptr_eq(&target.plan, plan) && target.plan != *plan {
                    target.follow(plan)?;
                }
                Ok(target)
            }
            std::collections::btree_map::Entry::Vacant(place) => {
                let base = self.snapshot.tables.get(&plan.table).cloned();
                if base.is_none() {
                    claim(&self.site, &self.fence, plan)?;
                    if let Some(iceberg) = &self.site.iceberg {
                        let of = &self.fence.connection;
                        self.site.wait(iceberg.admit(of, &plan.table))?;
                    }
                }
                let target = Target::prepare(&self.site, plan, base)?;
                if let Some(iceberg) = &self.site.iceberg {
                    let of = &self.fence.connection;
                    self.site.wait(iceberg.place(of, &target.definition))?;
                }
                Ok(place.insert(target))
            }
        }
    }

    /// Rows that others have rejected, stream by stream.
    fn reject(&mut self, rejections: Vec<Rejection>) -> Result<()> {
        let mut streams: BTreeMap<StreamName, Vec<Rejection>> = BTreeMap::new();
        for rejection in rejections {
            let of = streams.entry(rejection.stream.clone()).or_default();
            of.push(rejection);
        }
        for (stream, rejections) in streams {
            let plan = self.plan_of(&stream);
            self.rejections
                .reject(&self.site, plan.as_deref(), &rejections, None)?;
        }
        Ok(())
    }

    /// The plan of a stream's table.
    fn plan_of(&self, stream: &StreamName) -> Option<Arc<TablePlan>> {
        let beside = self.beside.get(stream);
        if let Some(target) = beside.and_then(|name| self.targets.get(name)) {
            return Some(target.plan.clone());
        }
        let mut plans = self.targets.values().map(|target| &target.plan);
        plans.find(|plan| plan.stream == *stream).cloned()
    }

    fn bound_memory(&mut self) -> Result<()> {
        let total = |targets: &BTreeMap<TableName, Target>| -> usize {
            targets.values().map(Target::memory).sum()
        };
        while total(&self.targets) > MEMORY {
            let targets = self.targets.values_mut();
            let largest = targets.max_by_key(|target| target.memory());
            largest.map_or(Ok(()), Target::shed)?;
        }
        Ok(())
    }
}

/// Whether an entry takes out a file that is gone, or rows of one.
fn removes_any(entry: &Entry, gone: &BTreeSet<String>) -> bool {
    entry.tables().iter().any(|table| {
        let changes = |file: &DataFile| gone.contains(&file.key);
        !table.removed.is_disjoint(gone) || table.changed.iter().any(changes)
    })
}

/// Makes a new table this connection's own: nobody else may write into its folder.
pub(crate) fn claim(site: &Site, fence: &Fence, plan: &TablePlan) -> Result<()> {
    let key = place::owner(&plan.table);
    let name = serde_json::to_vec(fence.connection.as_str())
        .map_err(|cause| Error::bug("a name can't be written as JSON").because(cause))?;
    let folder = place::folder(&plan.table);
    let there = site.wait(site.store.list(&folder, None, 1))?;
    let put = match there.is_empty() {
        true => site.wait(site.store.put_if_absent(&key, name.clone().into()))?,
        false => PutOutcome::Exists,
    };
    match put {
        PutOutcome::Created => return Ok(()),
        PutOutcome::Unknown(error) => return Err(error),
        PutOutcome::Exists => {}
    }
    let owner = site.wait(site.store.get(&key))?.map(|object| object.bytes);
    let table = &plan.table;
    let (message, why) = match &owner {
        Some(owner) if *owner == name && there.is_empty() => return Ok(()),
        Some(owner) if *owner != name => (
            format!("the table {table} belongs to another connection"),
            format!("{key} says {}", String::from_utf8_lossy(owner)),
        ),
        Some(_) | None => (
            format!(
                "the folder of the table {table} is not empty, and the log knows no such table"
            ),
            format!(
                "there is {}",
                there.first().map_or("", |entry| entry.key.as_str())
            ),
        ),
    };
    Err(Error::new(ErrorKind::Incompatible, message).because(why).fix(format!(
        "Give the stream another table, e.g. `streams: {{{}: {{table: {}.{}_2}}}}`, or remove {} and {key}.",
        plan.stream,
        table.schema,
        table.table,
        site.store.address(&folder),
    )))
}
