//! Tables and rows as short texts, and loads of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::json;
use tributary_model::{
    Batch, Change, Commit, ConnectionName, DataType, Deletes, Destination, Fence, Load, LoadPlan,
    Mode, Op, Presence, Receipt, Result, State, StreamName, TableColumn, TableName, TablePlan,
};
use tributary_snowflake::{Snowflake, SnowflakeLoad};
use tributary_testkit::cells::{self, Cells};

/// A table `shop.NAME` with an `id` that is its key, and more columns.
pub(crate) fn plan(
    table: &str,
    mode: Mode,
    deletes: Deletes,
    columns: &[(&str, DataType)],
) -> TablePlan {
    let column = |(name, data_type): &(&str, DataType)| TableColumn {
        name: (*name).to_owned(),
        data_type: *data_type,
        default: None,
    };
    let id = [("id", DataType::Int64)];
    TablePlan {
        stream: StreamName::within("shop", table),
        table: TableName {
            schema: "shop".to_owned(),
            table: table.to_owned(),
        },
        mode,
        deletes,
        columns: id.iter().chain(columns).map(column).collect(),
        key: if mode == Mode::Append {
            Vec::new()
        } else {
            vec!["id".to_owned()]
        },
    }
}

/// Rows written as `c 1 ann ~`: the letter of the operation, then the cells, `~` for NULL.
pub(crate) fn rows(plan: &Arc<TablePlan>, lines: &[&str]) -> Change {
    let split: Vec<Vec<&str>> = lines.iter().map(|line| line.split(' ').collect()).collect();
    let cells: Vec<Cells<'_>> = split
        .iter()
        .map(|words| {
            let words = words[1..].iter();
            words.map(|&word| (word != "~").then_some(word)).collect()
        })
        .collect();
    let op = |letter: &str| {
        let mut ops = [Op::Read, Op::Create, Op::Update, Op::Delete].into_iter();
        ops.find(|op| op.letter() == letter).unwrap()
    };
    let columns: Vec<_> = plan
        .columns
        .iter()
        .map(|c| (c.name.as_str(), c.data_type))
        .collect();
    Change::Rows(Batch {
        plan: plan.clone(),
        ops: split.iter().map(|words| op(words[0])).collect(),
        presence: Presence::Possible,
        rows: cells::batch(&columns, &cells),
    })
}

/// An opened connection.
pub(crate) struct Opened {
    pub(crate) destination: Snowflake,
    pub(crate) name: ConnectionName,
    pub(crate) fence: Fence,
}

impl Opened {
    pub(crate) async fn new(destination: Snowflake) -> Self {
        let name = ConnectionName::new("main");
        let (_, fence) = destination.open(&name).await.unwrap();
        Self {
            destination,
            name,
            fence,
        }
    }

    /// A moment that is the same in every run.
    pub(crate) fn began() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    pub(crate) async fn begin(&self, plans: &[&Arc<TablePlan>]) -> Result<SnowflakeLoad> {
        let plan = LoadPlan {
            connection: self.name.clone(),
            load_id: format!("load-{}", self.fence.sequence + 1),
            started_at: Self::began(),
            tables: plans.iter().map(|&plan| plan.clone()).collect(),
        };
        self.destination.begin(&plan, &self.fence).await
    }

    pub(crate) async fn commit(&self, load: SnowflakeLoad) -> Result<Receipt> {
        let state = State {
            epoch: self.fence.epoch,
            shared: Some(json!({"step": self.fence.sequence + 1})),
            ..State::default()
        };
        let commit = Commit {
            before: State::default(),
            state,
            streams: BTreeMap::new(),
            committed_at: Self::began(),
        };
        load.commit(&commit).await
    }

    /// Tries a load.
    pub(crate) async fn attempt(
        &self,
        plans: &[&Arc<TablePlan>],
        changes: Vec<Change>,
    ) -> Result<Receipt> {
        let mut load = self.begin(plans).await?;
        for change in changes {
            load.write(change).await?;
        }
        self.commit(load).await
    }

    /// A load that must succeed.
    pub(crate) async fn load(&mut self, plans: &[&Arc<TablePlan>], changes: Vec<Change>) {
        self.fence = self.attempt(plans, changes).await.unwrap().fence;
    }

    /// The rows of a question, as lines.
    pub(crate) async fn ask(&self, sql: &str) -> Vec<String> {
        let answer = self.destination.query(sql).await.unwrap();
        let cell = |value: &serde_json::Value| match value {
            serde_json::Value::Null => "~".to_owned(),
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let row = |row: &Vec<serde_json::Value>| row.iter().map(cell).collect::<Vec<_>>().join(" ");
        answer.rows.iter().map(row).collect()
    }
}
