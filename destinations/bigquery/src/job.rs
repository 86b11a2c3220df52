//! Query jobs, each under an id that is chosen here.
//!
//! The id is what makes a job happen once. Where the answer to its insertion is lost, or the id is
//! there already (409), the job is found again by it: one that is running is waited for, one that is
//! done says how it ended. A job whose id was never seen by BigQuery did not happen and never will.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tributary_model::{Error, ErrorKind, Result};

use crate::api::{Answer, Api, encoded};
use crate::error::of_reason;
use crate::settings::Settings;

/// The first pause between two looks at a job, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Rows of a page of results.
const PAGE: usize = 20_000;

/// Runs jobs.
#[derive(Clone, Debug)]
pub(crate) struct Jobs {
    api: Api,
    location: String,
    labels: Value,
    maximum_bytes_billed: Option<u64>,
    timeout: Duration,
}

/// Where a job is, as far as anybody knows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// BigQuery has it.
    There,
    /// It has not.
    Missing,
}

/// How a job ended.
#[derive(Debug)]
pub(crate) enum Ended {
    Done,
    /// It is over and did nothing.
    Failed(Error),
    /// It took longer than it may: it is over or will be soon.
    Late(Error),
}

impl Ended {
    fn done(self) -> Result<()> {
        match self {
            Self::Done => Ok(()),
            Self::Failed(error) | Self::Late(error) => Err(error),
        }
    }

    fn context(self, doing: &str) -> Self {
        match self {
            Self::Done => Self::Done,
            Self::Failed(error) => Self::Failed(error.context(doing.to_owned())),
            Self::Late(error) => Self::Late(error.context(doing.to_owned())),
        }
    }
}

impl Jobs {
    pub(crate) fn new(settings: &Settings, api: Api) -> Self {
        let mut labels = settings.labels.clone();
        labels
            .entry("managed_by".to_owned())
            .or_insert_with(|| "tributary".to_owned());
        Self {
            api,
            location: settings.location.clone(),
            labels: json!(labels),
            maximum_bytes_billed: settings.maximum_bytes_billed,
            timeout: settings.job_timeout,
        }
    }

    /// Runs `sql` under a new id and waits until it is done.
    pub(crate) async fn run(&self, sql: &str, doing: &str) -> Result<String> {
        let id = format!("tributary_{}", uuid::Uuid::new_v4().simple());
        self.run_as(&id, sql, doing).await?.done()?;
        Ok(id)
    }

    /// Runs `sql` under `id`, unless that has happened already, and waits until it is over. An error
    /// means that nobody knows what became of it.
    pub(crate) async fn run_as(&self, id: &str, sql: &str, doing: &str) -> Result<Ended> {
        tracing::debug!(job = id, sql, "running a job");
        self.insert(id, sql)
            .await
            .map_err(|error| error.context(doing.to_owned()))?;
        match self.wait(id).await {
            Ok(ended) => Ok(ended.context(doing)),
            Err(error) => Err(error.context(doing.to_owned())),
        }
    }

    /// Runs a question and gives its rows.
    pub(crate) async fn ask(&self, sql: &str, doing: &str) -> Result<Rows> {
        let id = self.run(sql, doing).await?;
        let rows = self.rows(&id).await;
        rows.map_err(|error| error.context(doing.to_owned()))
    }

    /// Sees to it that BigQuery has the job.
    async fn insert(&self, id: &str, sql: &str) -> Result<()> {
        let body = self.body(id, sql);
        let inserted = self.api.call(Method::POST, "/jobs", Some(&body)).await;
        match inserted {
            // 409 is what the second try after a lost answer is told: it is this very job.
            Ok(Answer::Done(_) | Answer::Exists) => Ok(()),
            Ok(Answer::Missing(error)) => Err(error),
            Err(error) if error.kind() == ErrorKind::Unavailable => match self.look(id).await {
                Ok(Known::There) => Ok(()),
                Ok(Known::Missing) | Err(_) => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    fn body(&self, id: &str, sql: &str) -> Value {
        let mut query = json!({"query": sql, "useLegacySql": false});
        if let Some(most) = self.maximum_bytes_billed {
            query["maximumBytesBilled"] = json!(most.to_string());
        }
        let timeout = u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX);
        json!({
            "jobReference": {"jobId": id, "location": self.location},
            "configuration": {
                "query": query, "labels": self.labels, "jobTimeoutMs": timeout.to_string(),
            },
        })
    }

    /// What BigQuery calls a statement, which is not run.
    pub(crate) async fn kind(&self, sql: &str) -> Result<String> {
        let id = format!("tributary_{}", uuid::Uuid::new_v4().simple());
        let mut body = self.body(&id, sql);
        body["configuration"]["dryRun"] = json!(true);
        let job = self
            .api
            .call(Method::POST, "/jobs", Some(&body))
            .await?
            .done()?;
        let kind = job["statistics"]["query"]["statementType"].as_str();
        Ok(kind.unwrap_or_default().to_owned())
    }

    /// Whether BigQuery has a job.
    pub(crate) async fn look(&self, id: &str) -> Result<Known> {
        match self.api.get(&self.path("jobs", id)).await? {
            Answer::Done(_) | Answer::Exists => Ok(Known::There),
            Answer::Missing(_) => Ok(Known::Missing),
        }
    }

    /// Waits until a job is over. It goes on whoever can be asked about it: so a service that is away or
    /// busy is asked again for as long as the job may take.
    async fn wait(&self, id: &str) -> Result<Ended> {
        let begun = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let is_late = begun.elapsed() > self.timeout + LONGEST_PAUSE;
            match self.api.get(&self.path("jobs", id)).await {
                Ok(answer) => {
                    let job = answer.done()?;
                    if job["status"]["state"] == "DONE" {
                        return Ok(self.ended(&job["status"]["errorResult"], begun.elapsed()));
                    }
                    if is_late {
                        return Ok(Ended::Late(late()));
                    }
                }
                Err(error) if is_late || !passes(&error) => return Err(error),
                Err(error) => tracing::debug!(%error, job = id, "asking for the job again"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// What BigQuery says of a job that is over; it ends those that take longer than they may.
    fn ended(&self, error: &Value, waited: Duration) -> Ended {
        let was_stopped = matches!(error["reason"].as_str(), Some("timeout" | "stopped"));
        if was_stopped && waited + LONGEST_PAUSE >= self.timeout {
            return Ended::Late(
                late().because(error["message"].as_str().unwrap_or("stopped").to_owned()),
            );
        }
        match outcome(error) {
            Ok(()) => Ended::Done,
            Err(error) => Ended::Failed(error),
        }
    }

    fn path(&self, of: &str, id: &str) -> String {
        format!("/{of}/{}?location={}", encoded(id), encoded(&self.location))
    }

    /// The rows of a job that is done.
    pub(crate) async fn rows(&self, id: &str) -> Result<Rows> {
        let mut rows = Rows::default();
        let mut token = None;
        loop {
            let page = self.page(id, token.as_deref()).await?;
            rows.take(&page);
            token = page["pageToken"].as_str().map(str::to_owned);
            if token.is_none() {
                return Ok(rows);
            }
        }
    }

    /// One page of the rows of a job that is done.
    pub(crate) async fn page(&self, id: &str, token: Option<&str>) -> Result<Value> {
        let mut path = self.path("queries", id);
        path.push_str(&format!(
            "&maxResults={PAGE}&formatOptions.useInt64Timestamp=true"
        ));
        if let Some(token) = token {
            path.push_str(&format!("&pageToken={}", encoded(token)));
        }
        self.api.get(&path).await?.done()
    }
}

/// Whether the service may answer later.
fn passes(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Unavailable | ErrorKind::Throttled(_)
    )
}

fn late() -> Error {
    Error::new(ErrorKind::Unavailable, "a job takes too long")
        .fix("Raise `job_timeout` of the destination, or reserve slots.")
}

fn outcome(error: &Value) -> Result<()> {
    if error.is_null() {
        return Ok(());
    }
    let text = |name: &str| error[name].as_str().unwrap_or_default();
    Err(of_reason(text("reason"), text("message")))
}

/// The rows of an answer, each cell as BigQuery writes it.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    /// Names and types of the columns.
    pub(crate) columns: Vec<(String, String)>,
    pub(crate) cells: Vec<Vec<Value>>,
}

impl Rows {
    pub(crate) fn take(&mut self, page: &Value) {
        if self.columns.is_empty() {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let fields = page["schema"]["fields"].as_array().into_iter().flatten();
            let fields = fields.map(|field| (text(&field["name"]), text(&field["type"])));
            self.columns = fields.collect();
        }
        for row in page["rows"].as_array().into_iter().flatten() {
            let cells = row["f"].as_array().into_iter().flatten();
            self.cells
                .push(cells.map(|cell| cell["v"].clone()).collect());
        }
    }

    /// The cells of each row as texts; `None` is NULL.
    pub(crate) fn texts(&self) -> impl Iterator<Item = Vec<Option<&str>>> {
        let rows = self.cells.iter();
        rows.map(|row| row.iter().map(Value::as_str).collect())
    }
}
