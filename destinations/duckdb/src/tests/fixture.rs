//! A file in a folder of its own, and short ways to load and ask it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use chrono::DateTime;
use serde_json::Value;
use tempfile::TempDir;
use tributary_model::{
    Batch, Change, Commit, ConnectionName, DataType, Deletes, Destination, Fence, Load, LoadPlan,
    Mode, Op, Presence, Result, State, StreamCount, StreamName, TableColumn, TableName, TablePlan,
    TruncateKind,
};

use crate::append::batch_of;
use crate::{Config, DuckDb, DuckLoad};

pub(crate) struct Fixture {
    pub(crate) dir: TempDir,
    pub(crate) db: DuckDb,
    pub(crate) fence: Fence,
}

pub(crate) fn shop() -> ConnectionName {
    ConnectionName::new("shop")
}

pub(crate) async fn at(dir: &TempDir) -> DuckDb {
    DuckDb::connect(Config::new(dir.path().join("warehouse.duckdb")))
        .await
        .unwrap()
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let db = at(&dir).await;
        let (_, fence) = db.open(&shop()).await.unwrap();
        Self { dir, db, fence }
    }

    pub(crate) async fn begin(&self, id: &str, plans: &[&Arc<TablePlan>]) -> Result<DuckLoad> {
        self.db.begin(&load_plan(id, plans), &self.fence).await
    }

    /// A whole load of `changes`; the fence moves on with it.
    pub(crate) async fn load(&mut self, plans: &[&Arc<TablePlan>], changes: Vec<Change>) {
        self.try_load(plans, changes).await.unwrap();
    }

    pub(crate) async fn try_load(
        &mut self,
        plans: &[&Arc<TablePlan>],
        changes: Vec<Change>,
    ) -> Result<()> {
        let id = format!("load-{}", self.fence.sequence + 1);
        let mut load = self.begin(&id, plans).await?;
        for change in changes {
            load.write(change).await?;
        }
        self.fence = load.commit(&commit(State::default())).await?.fence;
        Ok(())
    }

    pub(crate) async fn rows(&self, sql: &str) -> Vec<Vec<Value>> {
        self.db.query(sql).await.unwrap().rows
    }

    /// Rows as text, which is short to compare.
    pub(crate) async fn text(&self, sql: &str) -> String {
        let rows = self.rows(sql).await;
        let row = |row: Vec<Value>| {
            let cells = row.iter().map(|cell| match cell {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            });
            cells.collect::<Vec<_>>().join(" ")
        };
        rows.into_iter().map(row).collect::<Vec<_>>().join("; ")
    }

    pub(crate) fn execute(&self, sql: &str) {
        let connection = self.db.file_for_tests().connect().unwrap();
        connection.execute_batch(sql).unwrap();
    }
}

pub(crate) fn load_plan(id: &str, plans: &[&Arc<TablePlan>]) -> LoadPlan {
    LoadPlan {
        connection: shop(),
        load_id: id.to_owned(),
        started_at: DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap(),
        tables: plans.iter().map(|plan| Arc::clone(plan)).collect(),
    }
}

pub(crate) fn commit(state: State) -> Commit {
    let count = StreamCount {
        rows_read: 10,
        rows_written: 10,
        rows_rejected: 0,
        bytes_read: 640,
    };
    Commit {
        state,
        before: State::default(),
        streams: BTreeMap::from([(StreamName::within("shop", "orders"), count)]),
        committed_at: DateTime::from_timestamp_micros(1_700_000_002_123_456).unwrap(),
    }
}

pub(crate) fn column(name: &str, data_type: DataType) -> TableColumn {
    TableColumn {
        name: name.to_owned(),
        data_type,
        default: None,
    }
}

/// `shop.orders(id, note)`.
pub(crate) fn orders(mode: Mode, deletes: Deletes) -> TablePlan {
    TablePlan {
        stream: StreamName::within("shop", "orders"),
        table: TableName {
            schema: "shop".to_owned(),
            table: "orders".to_owned(),
        },
        mode,
        deletes,
        columns: vec![
            column("id", DataType::Int64),
            column("note", DataType::Text),
        ],
        key: vec!["id".to_owned()],
    }
}

pub(crate) fn batch(
    plan: &Arc<TablePlan>,
    presence: Presence,
    ops: Vec<Op>,
    columns: Vec<ArrayRef>,
) -> Change {
    let names = plan.columns.iter().map(|column| column.name.as_str());
    let rows: RecordBatch = batch_of(names.zip(columns)).unwrap();
    Change::Rows(Batch {
        plan: plan.clone(),
        ops,
        presence,
        rows,
    })
}

pub(crate) fn op(letter: char) -> Op {
    match letter {
        'r' => Op::Read,
        'c' => Op::Create,
        'u' => Op::Update,
        'd' => Op::Delete,
        _ => Op::Truncate,
    }
}

/// Rows of [`orders`], written as `(op, id, note)`.
pub(crate) fn rows(plan: &Arc<TablePlan>, rows: &[(char, i64, &str)]) -> Change {
    let presence = if rows.iter().all(|row| row.0 == 'r') {
        Presence::Absent
    } else {
        Presence::Possible
    };
    let ids: Int64Array = rows.iter().map(|row| row.1).collect::<Vec<_>>().into();
    let notes: StringArray = rows.iter().map(|row| Some(row.2)).collect();
    let ops = rows.iter().map(|row| op(row.0)).collect();
    batch(plan, presence, ops, vec![Arc::new(ids), Arc::new(notes)])
}

pub(crate) fn truncate(plan: &Arc<TablePlan>, kind: TruncateKind) -> Change {
    Change::Truncate {
        plan: plan.clone(),
        kind,
    }
}
