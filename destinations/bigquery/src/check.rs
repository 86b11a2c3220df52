//! Preflight: every right, proved by using it as little as will do.
//!
//! A right that is missing is named with its permission and the role that gives it. What a check makes
//! it drops, but for `_tributary` and `dataset`, which a first sync may be using already.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array};
use chrono::TimeDelta;
use tributary_model::{DataType, Error, Report, Result, TableColumn, TableName, now};
use tributary_sql::Dialect;

use crate::client::Client;
use crate::layout::create_schema;
use crate::script::together;
use crate::stage::{Sender, Stage};
use crate::system::SCHEMA;

/// The dataset of the trial where none is set.
const TRIAL: &str = "_tributary_check";

/// A right on trial.
struct Right {
    requirement: &'static str,
    permission: &'static str,
    role: &'static str,
}

const JOBS: Right = Right {
    requirement: "jobs",
    permission: "bigquery.jobs.create",
    role: "roles/bigquery.jobUser",
};
const DATASETS: Right = Right {
    requirement: "datasets",
    permission: "bigquery.datasets.create",
    role: "roles/bigquery.user",
};
const TABLES: Right = Right {
    requirement: "tables",
    permission: "bigquery.tables.create",
    role: "roles/bigquery.dataEditor",
};
const STAGING: Right = Right {
    requirement: "staging",
    permission: "bigquery.tables.updateData",
    role: "roles/bigquery.dataEditor",
};
const LOAD: Right = Right {
    requirement: "load",
    permission: "bigquery.tables.updateData",
    role: "roles/bigquery.dataEditor",
};

/// Looks at everything a load needs.
pub(crate) async fn check(client: &Client) -> Report {
    let mut report = Report::default();
    if !jobs(&mut report, client).await {
        return report;
    }
    let mut there = true;
    for schema in [SCHEMA, client.settings.dataset.as_deref().unwrap_or(TRIAL)] {
        there &= trial(&mut report, client, schema).await;
    }
    if there {
        report.pass(
            "transactions",
            "rows were staged, merged and dropped again, in one transaction",
        );
    }
    report
}

/// Notes how a trial came out.
fn judge(report: &mut Report, client: &Client, right: &Right, tried: &Result<String>) -> bool {
    let error = match tried {
        Ok(proved) => {
            report.pass(right.requirement, proved.clone());
            return true;
        }
        Err(error) => error,
    };
    let found = match error.why() {
        Some(why) => format!("{} ({why})", error.what()),
        None => error.what(),
    };
    let fix = match error.kind() {
        tributary_model::ErrorKind::Access => format!(
            "Give {} the permission `{}`: gcloud projects add-iam-policy-binding {} --member=serviceAccount:{} --role={}",
            client.settings.credentials.who(),
            right.permission,
            client.settings.project,
            client.settings.credentials.who(),
            right.role
        ),
        _ => error.help().unwrap_or_default().to_owned(),
    };
    report.fail(right.requirement, found, fix);
    false
}

async fn jobs(report: &mut Report, client: &Client) -> bool {
    let tried = client.jobs.ask("SELECT 1 AS one", "asking").await;
    let project = &client.settings.project;
    let who = client.settings.credentials.who();
    let tried = tried.map(|_| format!("{who} may run jobs in the project {project}"));
    judge(report, client, &JOBS, &tried)
}

/// Tries everything in one dataset; whether it went well.
async fn trial(report: &mut Report, client: &Client, schema: &str) -> bool {
    let made = match dataset(client, schema).await {
        Ok(made) => made,
        Err(error) => return judge(report, client, &DATASETS, &Err(error)),
    };
    match location(client, schema).await {
        Ok(None) => {}
        Ok(Some(other)) => report.fail(
            "location",
            format!(
                "the dataset {schema} is in {other}, and jobs run in {}",
                client.settings.location
            ),
            format!("Set `location: {other}` of the destination, or use another dataset."),
        ),
        Err(error) => return judge(report, client, &DATASETS, &Err(error)),
    }
    let names = Names::new(schema);
    let went = load(report, client, &names).await;
    for table in [&names.table, &names.stage] {
        // What can't be dropped expires, or was never made.
        let _ = client.tables.drop(table).await;
    }
    // Others may be about to use one that is theirs: only the trial's own goes.
    if made && schema == TRIAL {
        let drop = format!("DROP SCHEMA IF EXISTS {}", client.dialect.schema(schema));
        let _ = client
            .jobs
            .run(&together(&[drop]), "dropping a trial")
            .await;
    }
    went
}

/// Makes the dataset where there is none; whether it did.
async fn dataset(client: &Client, schema: &str) -> Result<bool> {
    if client.tables.has_dataset(schema).await? {
        return Ok(false);
    }
    let create = create_schema(&client.dialect, schema, &client.settings.location);
    client
        .jobs
        .run(&together(&[create]), "making a dataset")
        .await?;
    Ok(true)
}

/// Where the dataset is, where that is not where jobs run.
async fn location(client: &Client, schema: &str) -> Result<Option<String>> {
    let found = client.tables.location(schema).await?.unwrap_or_default();
    let same = found.is_empty() || found.eq_ignore_ascii_case(&client.settings.location);
    Ok((!same).then_some(found))
}

struct Names {
    table: TableName,
    stage: TableName,
}

impl Names {
    fn new(schema: &str) -> Self {
        let id = uuid::Uuid::new_v4().simple();
        let own = |kind: &str| TableName {
            schema: schema.to_owned(),
            table: format!("_tributary_{kind}_{id}"),
        };
        Self {
            table: own("trial"),
            stage: own("staged"),
        }
    }
}

/// A small load.
async fn load(report: &mut Report, client: &Client, names: &Names) -> bool {
    let table = client.dialect.table(&names.table);
    let schema = &names.table.schema;
    let create = format!("CREATE TABLE {table} (id INT64, n INT64)");
    let alter = format!("ALTER TABLE {table} ADD COLUMN IF NOT EXISTS more STRING");
    let tried = client
        .jobs
        .run(&together(&[create, alter]), "making a table")
        .await;
    let tried = tried.map(|_| format!("tables can be made and changed in the dataset {schema}"));
    if !judge(report, client, &TABLES, &tried) {
        return false;
    }
    let tried = stage(client, &names.stage).await;
    let tried = tried.map(|()| format!("rows can be staged in the dataset {schema}"));
    if !judge(report, client, &STAGING, &tried) {
        return false;
    }
    let merge = format!(
        "BEGIN TRANSACTION;\nMERGE INTO {table} AS t USING {} AS s ON t.id = s.id \
         WHEN MATCHED THEN UPDATE SET n = s.id WHEN NOT MATCHED THEN INSERT (id, n) VALUES (s.id, s.id);\n\
         DELETE FROM {table} WHERE id = 1;\nCOMMIT TRANSACTION;",
        client.dialect.table(&names.stage)
    );
    let merged = client.jobs.run(&merge, "merging a trial").await;
    let tried = match merged {
        Ok(_) => count(client, &table).await,
        Err(error) => Err(error),
    };
    judge(report, client, &LOAD, &tried)
}

async fn stage(client: &Client, table: &TableName) -> Result<()> {
    let column = TableColumn {
        name: "id".to_owned(),
        data_type: DataType::Int64,
        default: None,
    };
    let sender = Sender {
        tables: client.tables.clone(),
        writer: client.writer.clone(),
        expires: now() + TimeDelta::hours(1),
    };
    let mut stage = Stage::new(table.clone(), vec![column]);
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    stage.take(&[ids])?;
    stage.finish(&sender).await
}

async fn count(client: &Client, table: &str) -> Result<String> {
    let sql = format!("SELECT CAST(COUNT(*) AS STRING) AS n FROM {table}");
    let rows = client.jobs.ask(&sql, "counting a trial's rows").await?;
    let count = rows
        .texts()
        .next()
        .and_then(|row| row.first().copied().flatten().map(str::to_owned));
    match count.as_deref() {
        Some("1") => Ok("rows can be merged and deleted".to_owned()),
        other => Err(Error::bug(format!(
            "a trial's table has {other:?} rows and not one"
        ))),
    }
}
