//! A lake of Iceberg in a folder, how to load into it, and what pyiceberg finds there.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use tributary_lake::{Config, Lake};
use tributary_model::{
    Batch, Change, Commit, ConnectionName, DataType, Deletes, Destination, Fence, Load, LoadPlan,
    Mode, Op, Presence, Result, State, StreamName, TableColumn, TableName, TablePlan, now,
};
use tributary_testkit::{cells, python};

/// What pyiceberg finds in a table, and its rows as a file of Parquet.
const READ: &str = r#"
import json, sys
import pyarrow.parquet as pq
from pyiceberg.catalog.sql import SqlCatalog
spec = json.load(sys.stdin)
catalog = SqlCatalog("tributary", uri="sqlite:///" + spec["catalog"])
table = catalog.load_table(tuple(spec["table"]))
rows = table.scan().to_arrow()
pq.write_table(rows, spec["into"])
tasks = list(table.scan().plan_files())
print(json.dumps({
    "rows": rows.num_rows,
    "fields": [[f.field_id, f.name, str(f.field_type)] for f in table.schema().fields],
    "partition": [[f.name, str(f.transform)] for f in table.spec().fields],
    "parts": sorted({str(task.file.partition) for task in tasks}),
    "files": len(tasks),
    "deletes": sum(len(task.delete_files) for task in tasks),
    "summaries": [dict(s.summary.additional_properties, operation=s.summary.operation.value)
                  for s in sorted(table.metadata.snapshots, key=lambda s: s.sequence_number)],
    "properties": dict(table.properties),
    "location": table.location(),
}))
"#;

/// All tables of the catalog.
const TABLES: &str = r#"
import json, sys
from pyiceberg.catalog.sql import SqlCatalog
spec = json.load(sys.stdin)
catalog = SqlCatalog("tributary", uri="sqlite:///" + spec["catalog"])
print(json.dumps([list(t) for n in catalog.list_namespaces() for t in catalog.list_tables(n)]))
"#;

/// A lake in a folder of its own.
pub struct World {
    dir: TempDir,
    more: Value,
}

/// An opened connection.
pub struct Opened {
    pub lake: Lake,
    pub fence: Fence,
    pub state: State,
}

impl World {
    /// A lake with more settings than `format`.
    pub fn new(more: Value) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        Self { dir, more }
    }

    /// Changes the settings besides `format`.
    pub fn set(&mut self, more: Value) {
        self.more = more;
    }

    /// The settings as written.
    pub fn settings(&self) -> Value {
        let mut settings = json!({"url": self.root().display().to_string(), "format": "iceberg"});
        for (key, value) in self.more.as_object().into_iter().flatten() {
            settings[key] = value.clone();
        }
        settings
    }

    pub fn config(&self) -> Config {
        serde_json::from_value(self.settings()).expect("the settings are good")
    }

    pub fn root(&self) -> PathBuf {
        self.dir.path().join("lake")
    }

    pub fn catalog(&self) -> String {
        self.root()
            .join("_tributary/iceberg.db")
            .display()
            .to_string()
    }

    pub async fn lake(&self) -> Lake {
        Lake::connect(self.config())
            .await
            .expect("a lake can be connected to")
    }

    /// Opens the connection `shop` as a new process would.
    pub async fn open(&self) -> Opened {
        let lake = self.lake().await;
        let (state, fence) = lake
            .open(&ConnectionName::new("shop"))
            .await
            .expect("it opens");
        Opened { lake, fence, state }
    }

    /// What pyiceberg finds in a table. Its rows are compared with what the lake says.
    pub async fn read(&self, table: &[&str]) -> Value {
        let into = self.dir.path().join("read.parquet").display().to_string();
        let input = json!({"catalog": self.catalog(), "table": table, "into": into});
        let found = python::run(READ, &input);
        let quoted = |name: &&str| format!("\"{}\"", name.replace('"', "\"\""));
        let name: Vec<String> = table.iter().map(quoted).collect();
        let name = name.join(".");
        let sql = format!(
            "SELECT count(*) FROM (
                (SELECT * FROM {name} EXCEPT ALL SELECT * FROM read_parquet('{into}'))
                UNION ALL
                (SELECT * FROM read_parquet('{into}') EXCEPT ALL SELECT * FROM {name}))"
        );
        let answer = self
            .lake()
            .await
            .query(&sql)
            .await
            .expect("the lake can be asked");
        assert_eq!(
            answer.rows,
            [[json!(0)]],
            "pyiceberg reads other rows of {name} than the lake"
        );
        found
    }

    /// The tables that pyiceberg finds.
    pub fn tables(&self) -> Vec<Vec<String>> {
        let found = python::run(TABLES, &json!({"catalog": self.catalog()}));
        serde_json::from_value(found).expect("tables are lists of names")
    }

    /// The rows of the table `shop.t` in the lake, as texts, in order.
    pub async fn rows(&self, columns: &str) -> Vec<String> {
        let sql = format!("SELECT {columns} FROM shop.t ORDER BY ALL");
        let answer = self
            .lake()
            .await
            .query(&sql)
            .await
            .expect("the lake can be asked");
        let text = |value: &Value| match value {
            Value::Null => "~".to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let row = |row: &Vec<Value>| row.iter().map(text).collect::<Vec<_>>().join(" ");
        answer.rows.iter().map(row).collect()
    }
}

impl Opened {
    pub async fn begin(&self, plan: &Arc<TablePlan>) -> Result<<Lake as Destination>::Load> {
        let plan = LoadPlan {
            connection: ConnectionName::new("shop"),
            load_id: format!("load-{}", self.fence.sequence + 1),
            started_at: now(),
            tables: vec![plan.clone()],
        };
        self.lake.begin(&plan, &self.fence).await
    }

    pub fn commit(&self) -> Commit {
        Commit {
            state: State {
                epoch: self.fence.epoch,
                shared: Some(json!({"step": self.fence.sequence + 1})),
                ..State::default()
            },
            before: self.state.clone(),
            streams: Default::default(),
            committed_at: now(),
        }
    }

    /// Loads rows and goes on with the new fence.
    pub async fn load(&mut self, plan: &Arc<TablePlan>, changes: Vec<Change>) {
        let mut load = self.begin(plan).await.expect("a load can begin");
        for change in changes {
            load.write(change).await.expect("a load takes changes");
        }
        let receipt = load
            .commit(&self.commit())
            .await
            .expect("a load can commit");
        self.fence = receipt.fence;
    }
}

/// A plan of the table `shop.t` with the key `id`; columns are written `name type`, a default
/// after them.
pub fn plan(mode: Mode, columns: &[&str]) -> Arc<TablePlan> {
    let column = |text: &&str| {
        let mut words = text.split(' ');
        let (name, data_type) = (words.next().unwrap(), words.next().unwrap());
        TableColumn {
            name: name.to_owned(),
            data_type: data_type.parse::<DataType>().unwrap(),
            default: words.next().map(str::to_owned),
        }
    };
    Arc::new(TablePlan {
        stream: StreamName::within("shop", "t"),
        table: TableName {
            schema: "shop".to_owned(),
            table: "t".to_owned(),
        },
        mode,
        deletes: Deletes::Hard,
        columns: columns.iter().map(column).collect(),
        key: if mode == Mode::Append {
            Vec::new()
        } else {
            vec!["id".to_owned()]
        },
    })
}

/// Rows written as `u 1 ann ~`: the letter of the operation, then the cells.
pub fn rows(plan: &Arc<TablePlan>, lines: &[&str]) -> Change {
    batch(plan, Presence::Possible, lines)
}

/// Rows of a first copy.
pub fn absent(plan: &Arc<TablePlan>, lines: &[&str]) -> Change {
    batch(plan, Presence::Absent, lines)
}

fn batch(plan: &Arc<TablePlan>, presence: Presence, lines: &[&str]) -> Change {
    let columns: Vec<_> = plan
        .columns
        .iter()
        .map(|column| (column.name.as_str(), column.data_type))
        .collect();
    let split: Vec<Vec<&str>> = lines.iter().map(|line| line.split(' ').collect()).collect();
    let cells: Vec<cells::Cells<'_>> = split
        .iter()
        .map(|words| {
            words[1..]
                .iter()
                .map(|&word| (word != "~").then_some(word))
                .collect()
        })
        .collect();
    let ops = split.iter().map(|words| match words[0] {
        "d" => Op::Delete,
        "u" => Op::Update,
        "c" => Op::Create,
        _ => Op::Read,
    });
    Change::Rows(Batch {
        plan: plan.clone(),
        ops: ops.collect(),
        presence,
        rows: cells::batch(&columns, &cells),
    })
}
