//! Documents that are absent: NULL, and not the text `null`.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use serde_json::json;
use tributary_bigquery::{BigQuery, Config};
use tributary_model::{
    Batch, Change, Commit, ConnectionName, DataType, Deletes, Destination, Fence, KeyRange, Load,
    LoadPlan, Mode, Op, Presence, State, StreamName, TableColumn, TableName, TablePlan, TableScan,
    now,
};
use tributary_standins::bigquery::{Emulator, Proxy};

fn plan(document: DataType) -> Arc<TablePlan> {
    let column = |name: &str, data_type| TableColumn {
        name: name.to_owned(),
        data_type,
        default: None,
    };
    Arc::new(TablePlan {
        stream: StreamName::within("documents", "notes"),
        table: TableName {
            schema: "documents".to_owned(),
            table: "notes".to_owned(),
        },
        mode: Mode::Merge,
        deletes: Deletes::Hard,
        columns: vec![column("id", DataType::Int64), column("note", document)],
        key: vec!["id".to_owned()],
    })
}

async fn load(
    bigquery: &BigQuery,
    fence: &Fence,
    plan: &Arc<TablePlan>,
    rows: &[(i64, Option<&str>)],
) -> Fence {
    let load_plan = LoadPlan {
        connection: fence.connection.clone(),
        load_id: format!("load-{}", fence.sequence),
        started_at: now(),
        tables: vec![plan.clone()],
    };
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.0)));
    let notes: ArrayRef = Arc::new(rows.iter().map(|row| row.1).collect::<StringArray>());
    let batch = Batch {
        plan: plan.clone(),
        ops: vec![Op::Create; rows.len()],
        presence: Presence::Possible,
        rows: RecordBatch::try_from_iter_with_nullable([("id", ids, true), ("note", notes, true)])
            .expect("two columns"),
    };
    let mut load = bigquery.begin(&load_plan, fence).await.expect("it begins");
    load.write(Change::Rows(batch))
        .await
        .expect("rows are taken");
    let commit = Commit {
        state: State::default(),
        before: State::default(),
        streams: Default::default(),
        committed_at: now(),
    };
    load.commit(&commit).await.expect("it commits").fence
}

/// The documents as a comparison sees them, sorted.
async fn seen(
    bigquery: &BigQuery,
    name: &ConnectionName,
    plan: &Arc<TablePlan>,
) -> Vec<Option<String>> {
    let view = bigquery.view(name).await.expect("a view opens");
    let scan = TableScan {
        plan: plan.clone(),
        columns: plan.columns.clone(),
        range: KeyRange::default(),
    };
    let mut batches = view.scan(&scan).await.expect("a table can be read");
    let mut seen = Vec::new();
    while let Some(batch) = batches.recv().await {
        let batch = batch.expect("rows can be read");
        let notes = batch.column(1).as_string::<i32>();
        seen.extend(notes.iter().map(|note| note.map(str::to_owned)));
    }
    seen.sort();
    seen
}

#[tokio::test]
async fn a_document_that_is_absent_stays_so() {
    let emulator = Emulator::shared();
    let proxy = Proxy::start(emulator.clone());
    let bigquery = BigQuery::connect(Config {
        project: Some("p".to_owned()),
        api_endpoint: Some(proxy.url()),
        storage_endpoint: Some(emulator.storage()),
        ..Config::default()
    });
    let bigquery = bigquery.await.expect("the settings are right");
    let name = ConnectionName::new("documents");
    let (_, fence) = bigquery.open(&name).await.expect("it opens");
    let rows = [(1, Some("{\"a\":1}")), (2, None), (3, Some("null"))];
    let documents = plan(DataType::Json);
    let fence = load(&bigquery, &fence, &documents, &rows).await;
    let expected = [None, Some("null".to_owned()), Some("{\"a\":1}".to_owned())];
    assert_eq!(seen(&bigquery, &name, &documents).await, expected);

    // The column becomes one of texts.
    let texts = plan(DataType::Text);
    load(&bigquery, &fence, &texts, &[(4, Some("plain"))]).await;
    let answer = bigquery.query("SELECT note FROM `p.documents.notes` ORDER BY id");
    let answer = answer.await.expect("the table can be read");
    let found: Vec<_> = answer.rows.iter().map(|row| row[0].clone()).collect();
    let expected = [
        json!("{\"a\":1}"),
        json!(null),
        json!("null"),
        json!("plain"),
    ];
    assert_eq!(found, expected);
}
