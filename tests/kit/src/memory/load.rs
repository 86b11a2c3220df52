//! A load that is kept aside until it commits.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use tributary_model::{
    Change, Commit, Error, Fence, Load, LoadPlan, LoadRecord, Old, Receipt, Result, TableName,
    TablePlan,
};

use super::table::Table;
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
        let tables = self.tables(&store.tables)?;
        // Nothing of it is seen if any of it fails.
        store.tables = tables;
        let rejected = self.changes.iter().filter_map(|change| match change {
            Change::Rejected(rejections) => Some(rejections.clone()),
            Change::Rows(_)
            | Change::Truncate { .. }
            | Change::Clear { .. }
            | Change::Close { .. }
            | Change::Renew { .. }
            | Change::Swap { .. } => None,
        });
        store.rejected.extend(rejected.flatten());
        Ok(())
    }

    /// The tables as they are with what this load has taken.
    fn tables(&self, before: &BTreeMap<TableName, Table>) -> Result<BTreeMap<TableName, Table>> {
        let mut tables = before.clone();
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
                Change::Renew { plan, like } => {
                    let like = like.as_ref().and_then(|name| tables.get(name));
                    let table = Table::beside(plan, like)?;
                    tables.insert(plan.table.clone(), table);
                }
                Change::Swap { plan, beside, old } => {
                    let new = tables.remove(beside).ok_or_else(|| {
                        Error::bug(format!("there is no {beside} to take the place"))
                    })?;
                    let before = tables.insert(plan.table.clone(), new);
                    if let (Old::Kept(name), Some(before)) = (old, before) {
                        tables.insert(name.clone(), before);
                    }
                }
                Change::Close { plan, .. } => {
                    return Err(Error::bug(format!("{} is no history", plan.table)));
                }
                Change::Rejected(_) => {}
            }
        }
        Ok(tables)
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

    async fn copies(
        &mut self,
        plan: &Arc<TablePlan>,
        hashes: &[String],
    ) -> Result<Option<Vec<u64>>> {
        let tables = self.tables(&self.memory.store().tables)?;
        let table = tables.get(&plan.table);
        let count = |hash: &String| table.map_or(0, |table| table.copies(hash));
        Ok(Some(hashes.iter().map(count).collect()))
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
