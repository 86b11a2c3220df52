//! How the suite talks to a destination: plans and rows as short texts, `~` for NULL.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tributary_model::{
    Batch, Change, Commit, ConnectionName, DataType, Deletes, Destination, Fence, Load, LoadPlan,
    Mode, Op, Presence, Receipt, Result, State, StreamCount, StreamName, TableColumn, TableName,
    TablePlan, now,
};

use crate::cells::{self, Cells};

type Making<D> = Pin<Box<dyn Future<Output = Result<D>> + Send>>;

/// The destination under test.
pub(super) struct Subject<D> {
    make: Box<dyn Fn() -> Making<D> + Send + Sync>,
    /// The most bytes of a text.
    pub(super) text_bytes: usize,
}

/// One opened connection of it.
pub(super) struct Opened<D> {
    pub(super) destination: D,
    pub(super) name: ConnectionName,
    pub(super) state: State,
    pub(super) fence: Fence,
}

impl<D: Destination> Subject<D> {
    pub(super) fn new<F>(text_bytes: usize, make: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<D>> + Send + 'static,
    {
        Self {
            make: Box::new(move || Box::pin(make())),
            text_bytes,
        }
    }

    /// Connects as a new process would.
    pub(super) async fn connect(&self) -> D {
        (self.make)()
            .await
            .expect("the destination can be connected to")
    }

    /// Connects and opens the connection `name`.
    pub(super) async fn open(&self, name: &str) -> Opened<D> {
        let destination = self.connect().await;
        let name = ConnectionName::new(name);
        let (state, fence) = destination
            .open(&name)
            .await
            .expect("a connection can be opened");
        Opened {
            destination,
            name,
            state,
            fence,
        }
    }
}

impl<D: Destination> Opened<D> {
    /// Begins a load over `plans`.
    pub(super) async fn begin(&self, plans: &[&Arc<TablePlan>]) -> Result<D::Load> {
        static LOADS: AtomicU64 = AtomicU64::new(1);
        let load_id = format!("{}-{}", self.name, LOADS.fetch_add(1, Ordering::Relaxed));
        self.begin_as(&load_id, plans).await
    }

    /// Begins a load with a given identity.
    pub(super) async fn begin_as(
        &self,
        load_id: &str,
        plans: &[&Arc<TablePlan>],
    ) -> Result<D::Load> {
        let plan = LoadPlan {
            connection: self.name.clone(),
            load_id: load_id.to_owned(),
            started_at: now(),
            tables: plans.iter().map(|&plan| plan.clone()).collect(),
        };
        self.destination.begin(&plan, &self.fence).await
    }

    /// Commits `load` with the cursor at `step`.
    pub(super) async fn commit(&self, load: D::Load, step: u64) -> Result<Receipt> {
        load.commit(&self.commit_of(step)).await
    }

    /// What commits at `step`: the shared cursor and that of one stream.
    pub(super) fn commit_of(&self, step: u64) -> Commit {
        let mut state = State {
            epoch: self.fence.epoch,
            ..State::default()
        };
        state.shared = Some(json!({"step": step, "file": "binlog.000001", "text": "it's \"☕\""}));
        state
            .streams
            .insert(stream("orders"), json!([step, u64::MAX]));
        let count = StreamCount {
            rows_read: step,
            rows_written: step,
            rows_rejected: 0,
            bytes_read: 7,
        };
        Commit {
            state,
            before: self.state.clone(),
            streams: BTreeMap::from([(stream("orders"), count)]),
            committed_at: now(),
        }
    }

    /// Loads `changes` and goes on with the new fence.
    pub(super) async fn load(&mut self, plans: &[&Arc<TablePlan>], changes: Vec<Change>) {
        self.load_at(now(), plans, changes).await;
    }

    /// The same, as if it had begun at `began`.
    pub(super) async fn load_at(
        &mut self,
        began: DateTime<Utc>,
        plans: &[&Arc<TablePlan>],
        changes: Vec<Change>,
    ) {
        let step = self.fence.sequence + 1;
        let plan = LoadPlan {
            connection: self.name.clone(),
            load_id: format!("{}-at-{step}", self.name),
            started_at: began,
            tables: plans.iter().map(|&plan| plan.clone()).collect(),
        };
        let begun = self.destination.begin(&plan, &self.fence).await;
        let mut load = begun.expect("a load can begin");
        for change in changes {
            load.write(change).await.expect("a load takes changes");
        }
        let receipt = self.commit(load, step).await.expect("a load can commit");
        assert_eq!(receipt.fence.sequence, step, "each commit is the next one");
        assert_eq!(
            receipt.fence.epoch, self.fence.epoch,
            "a commit does not raise the epoch"
        );
        self.state = self.commit_of(step).state;
        self.fence = receipt.fence;
    }

    /// The rows of a table in the columns of `plan`, sorted, each as `a b ~`; for soft deletes with
    /// `live` or `gone` after them.
    pub(super) async fn rows(&self, plan: &TablePlan) -> Vec<String> {
        let rows = self.cells(plan).await;
        let word = |cell: Option<String>| cell.unwrap_or_else(|| "~".to_owned());
        let mut rows: Vec<_> = rows
            .into_iter()
            .map(|row| row.into_iter().map(word).collect::<Vec<_>>().join(" "))
            .collect();
        rows.sort();
        rows
    }

    /// The same in no order, with NULL kept apart.
    pub(super) async fn cells(&self, plan: &TablePlan) -> Vec<Vec<Option<String>>> {
        let answer = self.query(&plan.table).await;
        let place = |name: &str| {
            let mut columns = answer.columns.iter();
            let place = columns.position(|column| self.same_name(column, name));
            place.unwrap_or_else(|| {
                panic!("{} has no column {name}: {:?}", plan.table, answer.columns)
            })
        };
        let columns: Vec<_> = plan
            .columns
            .iter()
            .map(|column| (place(&column.name), column.data_type))
            .collect();
        let synced = place("_tributary_synced_at");
        let soft = plan.mode == Mode::Merge && plan.deletes == Deletes::Soft;
        let deleted = soft.then(|| place("_tributary_deleted"));
        let cells = |row: &Vec<Value>| {
            assert!(
                !row[synced].is_null(),
                "{}: _tributary_synced_at is NULL",
                plan.table
            );
            let own = columns
                .iter()
                .map(|&(at, data_type)| cell(data_type, &row[at]));
            let mark = deleted.map(|at| {
                if row[at] == Value::Bool(true) {
                    "gone"
                } else {
                    "live"
                }
            });
            own.chain(mark.map(|mark| Some(mark.to_owned()))).collect()
        };
        answer.rows.iter().map(cells).collect()
    }

    /// The versions that a history has, sorted, each as its columns, from when, until when (both with
    /// a `T`), whether it is current, and for soft deletes `live` or `gone`.
    pub(super) async fn versions(&self, plan: &TablePlan) -> Vec<String> {
        let answer = self.query(&plan.table).await;
        let place = |name: &str| {
            let place = answer.columns.iter().position(|column| column == name);
            place.unwrap_or_else(|| panic!("{} has no column {name}", plan.table))
        };
        let mut columns: Vec<_> = plan
            .columns
            .iter()
            .map(|column| (place(&column.name), column.data_type))
            .collect();
        columns.push((place("_tributary_valid_to"), DataType::TimestampTz));
        columns.push((place("_tributary_is_current"), DataType::Bool));
        let marked = (plan.deletes == Deletes::Soft).then(|| place("_tributary_deleted"));
        let told = |row: &Vec<Value>| {
            let cells = columns.iter().map(|&(at, data_type)| {
                let cell = cell(data_type, &row[at]);
                cell.map_or_else(|| "~".to_owned(), |cell| cell.replace(' ', "T"))
            });
            let mark = marked.map(|at| match &row[at] {
                Value::Bool(true) => "gone".to_owned(),
                _ => "live".to_owned(),
            });
            cells.chain(mark).collect::<Vec<_>>().join(" ")
        };
        let mut rows: Vec<String> = answer.rows.iter().map(told).collect();
        rows.sort();
        rows
    }

    /// Whether two names mean the same thing there.
    fn same_name(&self, one: &str, other: &str) -> bool {
        match self.destination.capabilities().case_insensitive {
            true => one.eq_ignore_ascii_case(other),
            false => one == other,
        }
    }

    async fn query(&self, table: &TableName) -> tributary_model::Answer {
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let sql = format!(
            "SELECT * FROM {}.{}",
            quoted(&table.schema),
            quoted(&table.table)
        );
        self.destination
            .query(&sql)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// How many rows a table of the system has for which `wanted` is found in some cell.
    pub(super) async fn system_rows(&self, table: &str, wanted: &str) -> usize {
        let table = TableName {
            schema: "_tributary".to_owned(),
            table: table.to_owned(),
        };
        let answer = self.query(&table).await;
        let has = |value: &Value| value.to_string().contains(wanted);
        answer.rows.iter().filter(|row| row.iter().any(has)).count()
    }

    /// Asserts what [`Self::rows`] gives.
    #[track_caller]
    pub(super) fn assert_rows<'a>(
        &'a self,
        plan: &'a TablePlan,
        expected: &'a [&'a str],
    ) -> impl Future<Output = ()> + 'a {
        let caller = std::panic::Location::caller();
        async move {
            let found = self.rows(plan).await;
            let mut expected: Vec<_> = expected.iter().map(|&row| row.to_owned()).collect();
            expected.sort();
            assert_eq!(
                found, expected,
                "{} of {:?}, asked at {caller}",
                plan.table, plan.mode
            );
        }
    }
}

fn stream(name: &str) -> StreamName {
    StreamName::within("shop", name)
}

/// A cell of an answer in its canonical text.
fn cell(data_type: DataType, value: &Value) -> Option<String> {
    let text = match value {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Some(cells::canonical(data_type, &text))
}

/// A table with an `id` that is its key and more columns, written `name type`.
pub(super) fn plan(
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
        stream: StreamName::within("conformance", table),
        table: TableName {
            schema: "conformance".to_owned(),
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

/// The mode in which a check that is about something else keeps its table.
pub(super) fn any_mode<D: Destination>(destination: &D) -> Mode {
    destination.capabilities().modes[0]
}

/// Rows written as `c 1 ann ~`: the letter of the operation, then the cells.
pub(super) fn rows(plan: &Arc<TablePlan>, lines: &[&str]) -> Change {
    let split: Vec<Vec<&str>> = lines.iter().map(|line| line.split(' ').collect()).collect();
    let cells: Vec<Cells<'_>> = split
        .iter()
        .map(|words| {
            words[1..]
                .iter()
                .map(|&word| (word != "~").then_some(word))
                .collect()
        })
        .collect();
    let ops = split.iter().map(|words| op(words[0])).collect();
    batch(plan, Presence::Possible, ops, &cells)
}

/// Rows of a snapshot, which are not there yet.
pub(super) fn absent(plan: &Arc<TablePlan>, cells: &[Cells<'_>]) -> Change {
    batch(plan, Presence::Absent, vec![Op::Read; cells.len()], cells)
}

fn batch(plan: &Arc<TablePlan>, presence: Presence, ops: Vec<Op>, cells: &[Cells<'_>]) -> Change {
    let columns: Vec<_> = plan
        .columns
        .iter()
        .map(|column| (column.name.as_str(), column.data_type))
        .collect();
    Change::Rows(Batch {
        plan: plan.clone(),
        ops,
        presence,
        rows: cells::batch(&columns, cells),
    })
}

fn op(letter: &str) -> Op {
    [Op::Read, Op::Create, Op::Update, Op::Delete]
        .into_iter()
        .find(|op| op.letter() == letter)
        .unwrap_or_else(|| panic!("`{letter}` is no operation on a row"))
}
