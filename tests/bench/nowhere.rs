//! A destination that counts rows, keeps the state, and forgets the rest.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use tributary_model::{
    Answer, Capabilities, Change, Commit, ConnectionName, DataType, Destination, Error, Existing,
    Fence, Load, LoadPlan, LoadRecord, Receipt, Report, Result, State, TableColumn, TableName,
};

/// It; clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Nowhere(Arc<Kept>);

#[derive(Debug, Default)]
struct Kept {
    rows: AtomicU64,
    first: Mutex<Option<Instant>>,
    state: Mutex<Option<(State, Fence)>>,
    /// Tables as they would be: one that is not there would be read anew.
    tables: Mutex<Existing>,
}

/// It has no settings.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub struct Nothing {}

/// A load of it.
#[derive(Debug)]
pub struct Passing {
    to: Nowhere,
    fence: Fence,
    load_id: String,
}

impl Nowhere {
    /// Begins to count anew.
    pub fn forget(&self) {
        self.0.rows.store(0, Ordering::Relaxed);
        *lock(&self.0.first) = None;
    }

    /// Rows that came.
    pub fn rows(&self) -> u64 {
        self.0.rows.load(Ordering::Relaxed)
    }

    /// When the first of them came.
    pub fn first(&self) -> Option<Instant> {
        *lock(&self.0.first)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Destination for Nowhere {
    const KIND: &'static str = "nowhere";
    type Config = Nothing;
    type Load = Passing;

    async fn connect(_: Nothing) -> Result<Self> {
        Ok(Self::default())
    }

    async fn check(&self) -> Result<Report> {
        Ok(Report::default())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            modes: Self::MODES,
            identifier_bytes: 255,
            case_insensitive: false,
            decimal_digits: 76,
            reserved: &[],
            swaps: false,
            schema: None,
        }
    }

    async fn open(&self, of: &ConnectionName) -> Result<(State, Fence)> {
        let mut kept = lock(&self.0.state);
        let (state, fence) = kept.get_or_insert_with(|| {
            let fence = Fence {
                connection: of.clone(),
                epoch: 0,
                sequence: 0,
                last_load: None,
            };
            (State::default(), fence)
        });
        fence.epoch += 1;
        state.epoch = fence.epoch;
        Ok((state.clone(), fence.clone()))
    }

    async fn peek(&self, _: &ConnectionName) -> Result<Option<State>> {
        Ok(lock(&self.0.state).as_ref().map(|(state, _)| state.clone()))
    }

    async fn loads(&self, _: &ConnectionName, _: usize) -> Result<Vec<LoadRecord>> {
        Ok(Vec::new())
    }

    async fn describe(&self, tables: &[TableName]) -> Result<Existing> {
        let mut kept = lock(&self.0.tables).clone();
        kept.retain(|name, _| tables.contains(name));
        Ok(kept)
    }

    async fn begin(&self, plan: &LoadPlan, fence: &Fence) -> Result<Passing> {
        let made = plan.tables.iter().map(|plan| {
            let own = [
                ("_tributary_synced_at", DataType::TimestampTz),
                ("_tributary_deleted", DataType::Bool),
            ];
            let own = own.map(|(name, data_type)| TableColumn {
                name: name.to_owned(),
                data_type,
                default: None,
            });
            let columns = plan.columns.iter().cloned().chain(own);
            (plan.table.clone(), columns.collect())
        });
        lock(&self.0.tables).extend(made);
        Ok(Passing {
            to: self.clone(),
            fence: fence.clone(),
            load_id: plan.load_id.clone(),
        })
    }

    async fn query(&self, _: &str) -> Result<Answer> {
        Err(Error::bug("nothing is kept that could be asked for"))
    }
}

#[async_trait]
impl Load for Passing {
    async fn write(&mut self, change: Change) -> Result<()> {
        if let Change::Rows(batch) = change {
            let kept = &self.to.0;
            lock(&kept.first).get_or_insert_with(Instant::now);
            let rows = batch.rows.num_rows() as u64;
            kept.rows.fetch_add(rows, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn commit(self, commit: &Commit) -> Result<Receipt> {
        let fence = Fence {
            sequence: self.fence.sequence + 1,
            last_load: Some(self.load_id),
            ..self.fence
        };
        *lock(&self.to.0.state) = Some((commit.state.clone(), fence.clone()));
        Ok(Receipt {
            fence,
            rejected: std::collections::BTreeMap::new(),
        })
    }
}
