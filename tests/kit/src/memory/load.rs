//! A load that is kept aside until it commits.

use async_trait::async_trait;
use tributary_model::{Change, Commit, Error, Fence, Load, LoadPlan, LoadRecord, Receipt, Result};

use super::{Memory, Store};

/// One load of [`Memory`].
#[derive(Debug)]
pub struct MemoryLoad {
    memory: Memory,
    plan: LoadPlan,
    fence: Fence,
    changes: Vec<Change>,
}

impl MemoryLoad {
    pub(super) fn new(memory: Memory, plan: LoadPlan, fence: Fence) -> Self {
        Self {
            memory,
            plan,
            fence,
            changes: Vec::new(),
        }
    }

    fn apply(&self, store: &mut Store) -> Result<()> {
        let mut tables = store.tables.clone();
        let mut rejected = Vec::new();
        for plan in &self.plan.tables {
            tables.entry(plan.table.clone()).or_default().follow(plan)?;
        }
        for change in &self.changes {
            match change {
                Change::Rows(batch) => {
                    let table = tables.entry(batch.plan.table.clone()).or_default();
                    table.apply(batch, self.plan.started_at)?;
                }
                Change::Truncate { plan, kind } => {
                    let table = tables.entry(plan.table.clone()).or_default();
                    table.follow(plan)?;
                    table.truncate(plan, *kind);
                }
                Change::Clear { plan, of } => {
                    let table = tables.entry(plan.table.clone()).or_default();
                    table.follow(plan)?;
                    table.clear(plan, of);
                }
                Change::Rejected(rejections) => rejected.extend_from_slice(rejections),
            }
        }
        // Nothing of the above is seen if any of it fails.
        store.tables = tables;
        store.rejected.extend(rejected);
        Ok(())
    }

    fn record(&self, commit: &Commit) -> Result<LoadRecord> {
        let cursor = |state| {
            serde_json::to_value(state)
                .map_err(|cause| Error::bug("a state can't be written as JSON").because(cause))
        };
        Ok(LoadRecord {
            load_id: self.plan.load_id.clone(),
            connection: self.fence.connection.clone(),
            sequence: self.fence.sequence + 1,
            started_at: self.plan.started_at,
            committed_at: commit.committed_at,
            streams: commit.streams.clone(),
            from_cursor: cursor(&commit.before)?,
            to_cursor: cursor(&commit.state)?,
        })
    }
}

#[async_trait]
impl Load for MemoryLoad {
    async fn write(&mut self, change: Change) -> Result<()> {
        self.changes.push(change);
        Ok(())
    }

    async fn commit(self, commit: &Commit) -> Result<Receipt> {
        let record = self.record(commit)?;
        let mut store = self.memory.store();
        store.check(&self.fence)?;
        self.apply(&mut store)?;
        let Some(kept) = store.connections.get_mut(&self.fence.connection) else {
            return Err(Error::bug("a connection that was checked is gone"));
        };
        kept.state = commit.state.clone();
        kept.fence.sequence += 1;
        kept.fence.last_load = Some(self.plan.load_id.clone());
        kept.loads.push(record);
        Ok(Receipt {
            fence: kept.fence.clone(),
            rejected: std::collections::BTreeMap::new(),
        })
    }
}
