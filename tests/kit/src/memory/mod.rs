//! A destination in memory: the contract in its plainest form, for tests of the engine and as the
//! first subject of the conformance suite.
//!
//! Clones share one store, as two processes share a warehouse. It is strict: rows promised to be
//! `Presence::Absent` that are there after all fail the load.
//!
//! Deliberately absent: speed, SQL beyond `SELECT * FROM "schema"."table"` and `history`.

mod load;
mod table;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tributary_model::{
    Answer, Capabilities, ConnectionName, DataType, Destination, Error, ErrorKind, Existing, Fence,
    LoadPlan, LoadRecord, Mode, Rejection, Report, Result, State, TableName,
};

pub use load::MemoryLoad;
use table::Table;

/// A destination whose tables live as long as its clones.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Mutex<Store>>);

/// It has no settings.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MemoryConfig {}

#[derive(Debug, Default)]
struct Store {
    connections: BTreeMap<ConnectionName, Kept>,
    tables: BTreeMap<TableName, Table>,
    rejected: Vec<Rejection>,
}

/// What is kept of one connection.
#[derive(Clone, Debug)]
struct Kept {
    state: State,
    fence: Fence,
    loads: Vec<LoadRecord>,
}

impl Memory {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The rows of a table as canonical texts by column name, in no particular order; empty where
    /// the table does not exist.
    #[must_use]
    pub fn rows(&self, table: &TableName) -> Vec<BTreeMap<String, Option<String>>> {
        self.store()
            .tables
            .get(table)
            .map(Table::named_rows)
            .unwrap_or_default()
    }

    /// The rows that were rejected.
    #[must_use]
    pub fn rejected(&self) -> Vec<Rejection> {
        self.store().rejected.clone()
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        // A test that panicked with the lock in hand has failed already.
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Store {
    /// Fails unless `fence` belongs to the last opening and the last commit of its connection.
    fn check(&self, fence: &Fence) -> Result<()> {
        match self.connections.get(&fence.connection) {
            Some(kept) if kept.fence == *fence => Ok(()),
            _ => Err(Error::new(
                ErrorKind::Fenced,
                format!(
                    "connection {} was opened by another process",
                    fence.connection
                ),
            )),
        }
    }
}

#[async_trait]
impl Destination for Memory {
    const KIND: &'static str = "memory";
    const MODES: &'static [Mode] = &[Mode::Merge, Mode::Append, Mode::Replace];
    type Config = MemoryConfig;
    type Load = MemoryLoad;

    async fn connect(_: MemoryConfig) -> Result<Self> {
        Ok(Self::new())
    }

    async fn check(&self) -> Result<Report> {
        let mut report = Report::default();
        report.pass("memory", "there is some");
        Ok(report)
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            modes: Self::MODES,
            identifier_bytes: 255,
            case_insensitive: false,
            reserved: &[],
            schema: None,
            swaps: true,
            decimal_digits: 76,
        }
    }

    async fn open(&self, of: &ConnectionName) -> Result<(State, Fence)> {
        let mut store = self.store();
        let kept = store.connections.entry(of.clone()).or_insert_with(|| Kept {
            state: State::default(),
            fence: Fence {
                connection: of.clone(),
                epoch: 0,
                sequence: 0,
                last_load: None,
            },
            loads: Vec::new(),
        });
        kept.fence.epoch += 1;
        kept.state.epoch = kept.fence.epoch;
        Ok((kept.state.clone(), kept.fence.clone()))
    }

    async fn peek(&self, of: &ConnectionName) -> Result<Option<State>> {
        Ok(self
            .store()
            .connections
            .get(of)
            .map(|kept| kept.state.clone()))
    }

    async fn loads(&self, of: &ConnectionName, limit: usize) -> Result<Vec<LoadRecord>> {
        let store = self.store();
        let loads = store
            .connections
            .get(of)
            .map(|kept| &*kept.loads)
            .unwrap_or_default();
        Ok(loads.iter().rev().take(limit).cloned().collect())
    }

    async fn describe(&self, tables: &[TableName]) -> Result<Existing> {
        let store = self.store();
        let there = tables.iter().filter_map(|name| {
            store
                .tables
                .get(name)
                .map(|table| (name.clone(), table.columns.clone()))
        });
        Ok(there.collect())
    }

    async fn begin(&self, plan: &LoadPlan, fence: &Fence) -> Result<MemoryLoad> {
        self.store().check(fence)?;
        Ok(MemoryLoad::new(self.clone(), plan.clone(), fence.clone()))
    }

    async fn query(&self, sql: &str) -> Result<Answer> {
        let table = parse(sql).ok_or_else(|| {
            Error::new(
                ErrorKind::Config,
                format!("this is not SELECT * FROM \"schema\".\"table\": {sql}"),
            )
        })?;
        let store = self.store();
        if (table.schema.as_str(), table.table.as_str()) == ("_tributary", "rejected") {
            return Ok(rejected(&store.rejected));
        }
        let Some(table) = store.tables.get(&table) else {
            return Err(Error::new(
                ErrorKind::Config,
                format!("there is no table {table}"),
            ));
        };
        let types: Vec<_> = table
            .columns
            .iter()
            .map(|column| column.data_type)
            .collect();
        let values = |row: Vec<Option<String>>| types.iter().zip(row).map(value).collect();
        Ok(Answer {
            columns: table
                .columns
                .iter()
                .map(|column| column.name.clone())
                .collect(),
            rows: table.rows().map(values).collect(),
        })
    }
}

fn value((data_type, cell): (&DataType, Option<String>)) -> Value {
    match (data_type, cell) {
        (_, None) => Value::Null,
        (DataType::Bool, Some(text)) => Value::Bool(text == "true"),
        (_, Some(text)) => Value::String(text),
    }
}

fn rejected(rejections: &[Rejection]) -> Answer {
    let row = |rejection: &Rejection| {
        let column = rejection.column.clone().map_or(Value::Null, Value::String);
        let stream = rejection.stream.to_string().into();
        vec![
            stream,
            column,
            rejection.reason.clone().into(),
            rejection.row.clone(),
        ]
    };
    Answer {
        columns: ["stream", "column", "reason", "row"]
            .map(ToOwned::to_owned)
            .to_vec(),
        rows: rejections.iter().map(row).collect(),
    }
}

/// Reads `SELECT * FROM "schema"."table"`.
fn parse(sql: &str) -> Option<TableName> {
    let rest = sql
        .trim()
        .strip_prefix("SELECT * FROM \"")?
        .strip_suffix('"')?;
    let (schema, table) = rest.split_once("\".\"")?;
    let plain = |name: &str| name.replace("\"\"", "\"");
    Some(TableName {
        schema: plain(schema),
        table: plain(table),
    })
}
