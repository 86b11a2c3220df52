//! What goes wrong between us and BigQuery, and what becomes of a load then.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use tributary_bigquery::{BigQuery, Config};
use tributary_model::{
    Batch, Change, Commit, ConnectionName, DataType, Deletes, Destination, Fence, Load, LoadPlan,
    Mode, Op, Presence, Receipt, Result, Secret, State, StreamName, TableColumn, TableName,
    TablePlan, Verdict, now,
};
use tributary_standins::bigquery::{Emulator, Fault, Proxy};

/// What every script of a load has, and nothing else.
const COMMIT: &str = "BEGIN TRANSACTION";

struct World {
    proxy: Proxy,
    bigquery: BigQuery,
    name: ConnectionName,
    plan: Arc<TablePlan>,
}

impl World {
    async fn new(name: &str) -> Self {
        Self::with(name, None).await
    }

    async fn with(name: &str, credentials: Option<fn(&Proxy) -> String>) -> Self {
        let emulator = Emulator::shared();
        let proxy = Proxy::start(emulator.clone());
        let bigquery = BigQuery::connect(Config {
            project: Some("p".to_owned()),
            credentials: credentials.map(|text| Secret::new(text(&proxy))),
            api_endpoint: Some(proxy.url()),
            storage_endpoint: Some(emulator.storage()),
            ..Config::default()
        });
        let plan = TablePlan {
            stream: StreamName::within("faults", name),
            table: TableName {
                schema: "faults".to_owned(),
                table: name.to_owned(),
            },
            mode: Mode::Merge,
            deletes: Deletes::Hard,
            columns: vec![TableColumn {
                name: "id".to_owned(),
                data_type: DataType::Int64,
                default: None,
            }],
            key: vec!["id".to_owned()],
        };
        Self {
            bigquery: bigquery.await.expect("the settings are right"),
            proxy,
            name: ConnectionName::new(format!("faults-{name}")),
            plan: Arc::new(plan),
        }
    }

    async fn open(&self) -> Fence {
        let opened = self.bigquery.open(&self.name).await;
        opened.expect("a connection can be opened").1
    }

    /// Loads rows with these ids.
    async fn load(&self, fence: &Fence, id: &str, ids: &[i64]) -> Result<Receipt> {
        let plan = LoadPlan {
            connection: self.name.clone(),
            load_id: id.to_owned(),
            started_at: now(),
            tables: vec![self.plan.clone()],
        };
        let mut load = self.bigquery.begin(&plan, fence).await?;
        let column: ArrayRef = Arc::new(Int64Array::from(ids.to_vec()));
        let rows = RecordBatch::try_from_iter([("id", column)]).expect("one column");
        let batch = Batch {
            plan: self.plan.clone(),
            ops: vec![Op::Create; ids.len()],
            presence: Presence::Possible,
            rows,
        };
        load.write(Change::Rows(batch)).await?;
        let commit = Commit {
            state: State {
                shared: Some(serde_json::json!({"load": id})),
                ..State::default()
            },
            before: State::default(),
            streams: Default::default(),
            committed_at: now(),
        };
        load.commit(&commit).await
    }

    /// The ids in the table, and the loads that there were.
    async fn assert(&self, ids: &[i64], loads: &[&str]) {
        let sql = format!(
            "SELECT id FROM `p.faults.{}` ORDER BY id",
            self.plan.table.table
        );
        let answer = self
            .bigquery
            .query(&sql)
            .await
            .expect("the table can be read");
        let found: Vec<_> = answer
            .rows
            .iter()
            .map(|row| row[0].as_i64().unwrap_or(-1))
            .collect();
        assert_eq!(found, ids);
        let records = self
            .bigquery
            .loads(&self.name, 10)
            .await
            .expect("loads can be read");
        let found: Vec<_> = records
            .iter()
            .rev()
            .map(|record| record.load_id.as_str())
            .collect();
        assert_eq!(found, loads);
        assert!(self.proxy.has_failed(), "what was to fail has failed");
    }

    /// The ids of the jobs that were to commit.
    fn commits(&self) -> Vec<String> {
        let jobs = self.proxy.jobs();
        let is_commit = |job: &&serde_json::Value| job.to_string().contains(COMMIT);
        let id = |job: &serde_json::Value| job["jobReference"]["jobId"].as_str().map(str::to_owned);
        jobs.iter().filter(is_commit).filter_map(id).collect()
    }
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_found_by_its_id() {
    for (name, fault) in [("before", Fault::LostBefore), ("after", Fault::LostAfter)] {
        let world = World::new(name).await;
        let fence = world.open().await;
        world.proxy.fail("POST", COMMIT, fault, 1);
        let receipt = world
            .load(&fence, "one", &[1, 2])
            .await
            .expect("it commits");
        assert_eq!(receipt.fence.sequence, 1);
        world
            .load(&receipt.fence, "two", &[2, 3])
            .await
            .expect("it commits");
        world.assert(&[1, 2, 3], &["one", "two"]).await;
        let commits = world.commits();
        assert_eq!(
            commits.iter().filter(|id| id.ends_with("_1")).count(),
            0,
            "{commits:?}"
        );
    }
}

#[tokio::test]
async fn a_busy_service_is_asked_again() {
    let world = World::new("busy").await;
    world.proxy.fail("GET", "/datasets/", Fault::Unavailable, 2);
    world.proxy.fail("POST", "/tables", Fault::LostAfter, 1);
    let fence = world.open().await;
    world.proxy.fail("POST", COMMIT, Fault::RateLimited, 2);
    world.load(&fence, "one", &[1]).await.expect("it commits");
    world.assert(&[1], &["one"]).await;
}

#[tokio::test]
async fn a_transaction_that_another_one_aborts_is_made_again() {
    let world = World::new("conflict").await;
    let fence = world.open().await;
    world.proxy.fail("POST", COMMIT, Fault::Conflict, 1);
    world.load(&fence, "one", &[1]).await.expect("it commits");
    world.assert(&[1], &["one"]).await;
    let commits = world.commits();
    assert!(commits.iter().any(|id| id.ends_with("_1")), "{commits:?}");
}

#[tokio::test]
async fn a_load_whose_fate_is_unknown_is_told_by_the_next_opening() {
    let world = World::new("unknown").await;
    let fence = world.open().await;
    // The job runs; nobody hears of it, then or later.
    world.proxy.fail("POST", COMMIT, Fault::LostAfter, 1);
    world.proxy.fail("POST", COMMIT, Fault::Unavailable, 3);
    world
        .proxy
        .fail("GET", "tributary%5Ffaults", Fault::Unavailable, 4);
    let lost = world.load(&fence, "one", &[1]).await;
    let (state, newer) = world.bigquery.open(&world.name).await.expect("it opens");
    // Nobody could be asked about the job; the state told that it had committed.
    lost.expect("it commits");
    assert_eq!(newer.last_load.as_deref(), Some("one"));
    assert_eq!(state.shared, Some(serde_json::json!({"load": "one"})));
    world.load(&newer, "two", &[2]).await.expect("it commits");
}

#[tokio::test]
async fn a_right_that_is_missing_is_named_with_its_role() {
    let world = World::new("rights").await;
    world.open().await;
    let report = world.bigquery.check().await.expect("a check can be made");
    assert_eq!(report.verdict(), Verdict::Pass, "{report:?}");
    world.proxy.fail("POST", "SELECT 1", Fault::Denied, 1);
    let report = world.bigquery.check().await.expect("a check can be made");
    let text = format!("{report:?}");
    assert_eq!(report.verdict(), Verdict::Fail, "{text}");
    assert!(
        text.contains("bigquery.jobs.create") && text.contains("roles/bigquery.jobUser"),
        "{text}"
    );
    world
        .proxy
        .fail("POST", "_tributary_trial", Fault::Denied, 1);
    let report = world.bigquery.check().await.expect("a check can be made");
    let text = format!("{report:?}");
    assert!(
        text.contains("bigquery.tables.create") && text.contains("roles/bigquery.dataEditor"),
        "{text}"
    );
}

#[tokio::test]
async fn a_commit_that_nobody_can_be_asked_about_for_a_while_is_waited_for() {
    let world = World::new("outage").await;
    let fence = world.open().await;
    // The job is taken; then the service is away for longer than one question is asked again.
    world
        .proxy
        .fail("GET", "/jobs/tributary%5Ffaults", Fault::Unavailable, 6);
    world.load(&fence, "one", &[1]).await.expect("it commits");
    world.assert(&[1], &["one"]).await;
    let commits = world.commits();
    assert_eq!(commits.len(), 1, "{commits:?}");
}

#[tokio::test]
async fn a_question_that_changes_something_is_refused() {
    let world = World::new("questions").await;
    let fence = world.open().await;
    world.load(&fence, "one", &[1]).await.expect("it commits");
    let delete = "DELETE FROM `p.faults.questions` WHERE TRUE";
    let refused = world.bigquery.query(delete).await;
    let error = refused.expect_err("it is no SELECT").to_string();
    assert!(error.contains("not a SELECT"), "{error}");
}

#[tokio::test]
async fn a_token_is_fetched_once_and_again_once_it_is_refused() {
    let key = |proxy: &Proxy| {
        serde_json::json!({
            "type": "service_account", "client_email": "loader@p.iam", "private_key_id": "1",
            "private_key": tributary_standins::snowflake::private_key(),
            "token_uri": format!("{}/token", proxy.url()),
        })
        .to_string()
    };
    let world = World::with("tokens", Some(key)).await;
    let fence = world.open().await;
    assert_eq!(world.proxy.tokens(), 1);
    world.proxy.fail("POST", COMMIT, Fault::Expired, 1);
    world.load(&fence, "one", &[1]).await.expect("it commits");
    assert_eq!(world.proxy.tokens(), 2);
    world.assert(&[1], &["one"]).await;
}
