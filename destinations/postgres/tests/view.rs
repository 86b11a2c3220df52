//! A view for a comparison shows one moment, or says that it can't.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use sqlx::{Connection, Executor, PgConnection};
use tributary_model::{
    Batch, Change, Commit, ConnectionName, DataType, Deletes, Destination, ErrorKind, KeyRange,
    Load, LoadPlan, Mode, Op, Presence, Result, State, StreamName, TableColumn, TableName,
    TablePlan, TableScan, View, now,
};
use tributary_postgres::{Config, Postgres};

fn plan() -> Arc<TablePlan> {
    Arc::new(TablePlan {
        stream: StreamName::plain("t"),
        table: TableName {
            schema: "Odd \" schema".to_owned(),
            table: "t".to_owned(),
        },
        mode: Mode::Merge,
        deletes: Deletes::Hard,
        columns: vec![TableColumn {
            name: "id".to_owned(),
            data_type: DataType::Int64,
            default: None,
        }],
        key: vec!["id".to_owned()],
    })
}

async fn load(destination: &Postgres, plan: &Arc<TablePlan>, ids: &[i64]) {
    let connection = ConnectionName::new("c");
    let (state, fence) = destination.open(&connection).await.unwrap();
    let load = LoadPlan {
        connection,
        load_id: format!("load {}", fence.sequence),
        started_at: now(),
        tables: vec![plan.clone()],
    };
    let mut load = destination.begin(&load, &fence).await.unwrap();
    let array: ArrayRef = Arc::new(Int64Array::from(ids.to_vec()));
    let rows = Batch {
        plan: plan.clone(),
        ops: vec![Op::Create; ids.len()],
        presence: Presence::Possible,
        rows: RecordBatch::try_from_iter([("id", array)]).unwrap(),
    };
    load.write(Change::Rows(rows)).await.unwrap();
    let commit = Commit {
        state: state.clone(),
        before: State::default(),
        streams: std::collections::BTreeMap::new(),
        committed_at: now(),
    };
    load.commit(&commit).await.unwrap();
}

async fn count(view: &dyn View, plan: &Arc<TablePlan>) -> Result<usize> {
    let scan = TableScan {
        plan: plan.clone(),
        columns: plan.columns.clone(),
        range: KeyRange::default(),
    };
    let (mut batches, mut rows) = (view.scan(&scan).await?, 0);
    while let Some(batch) = batches.recv().await {
        rows += batch?.num_rows();
    }
    Ok(rows)
}

#[tokio::test]
async fn a_table_that_is_replaced_behind_the_view_is_not_taken_for_empty() {
    let server = tributary_testkit::postgres::Postgres::start();
    let destination = Postgres::connect(Config::at(server.url())).await.unwrap();
    let plan = plan();
    load(&destination, &plan, &[1, 2, 3]).await;
    let table = r#""Odd "" schema".t"#;
    let swap = format!(
        "CREATE TABLE {table}2 AS SELECT * FROM {table}; DROP TABLE {table}; \
         ALTER TABLE {table}2 RENAME TO t"
    );
    let meanwhile = [
        swap,
        format!("ALTER TABLE {table} ALTER COLUMN id TYPE numeric"),
        format!("ALTER TABLE {table} ALTER COLUMN id TYPE bigint"),
        format!(
            "CREATE TABLE saved AS SELECT * FROM {table}; TRUNCATE {table}; INSERT INTO {table} SELECT * FROM saved"
        ),
    ];
    for sql in meanwhile {
        let view = destination.view(&ConnectionName::new("c")).await.unwrap();
        let mut other = PgConnection::connect(&server.url()).await.unwrap();
        other.execute(sqlx::raw_sql(&sql)).await.unwrap();
        let error = count(&*view, &plan).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{sql}: {error}");
        drop(view);
        let view = destination.view(&ConnectionName::new("c")).await.unwrap();
        assert_eq!(count(&*view, &plan).await.unwrap(), 3, "{sql}");
        // Rows that come and go are nobody's business.
        let more =
            format!("DELETE FROM {table} WHERE id = 1; INSERT INTO {table} (id) VALUES (9), (8)");
        other.execute(sqlx::raw_sql(&more)).await.unwrap();
        assert_eq!(count(&*view, &plan).await.unwrap(), 3, "{sql}");
        let back = format!("DELETE FROM {table} WHERE id > 3; INSERT INTO {table} (id) VALUES (1)");
        other.execute(sqlx::raw_sql(&back)).await.unwrap();
    }
}
