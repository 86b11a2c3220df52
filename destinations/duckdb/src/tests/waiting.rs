//! Rejected rows wait only as long as they are the newest of their keys, and leave as they came.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, StringArray};
use tributary_model::{
    Change, DataType, Deletes, Destination, Load, Mode, Op, Presence, Rejection, State, TablePlan,
    TruncateKind,
};

use super::fixture::{Fixture, batch, column, commit, orders};

const WAITING: &str = "SELECT \"value\" FROM _tributary.rejected ORDER BY 1";

fn plan(mode: Mode, deletes: Deletes) -> Arc<TablePlan> {
    let mut plan = orders(mode, deletes);
    plan.columns = vec![column("id", DataType::Int64), column("doc", DataType::Json)];
    Arc::new(plan)
}

/// Rows of documents; those that begin with `!` are no JSON.
fn rows(plan: &Arc<TablePlan>, given: &[(char, i64, &str)]) -> Change {
    let ops = given.iter().map(|(op, ..)| match op {
        'd' => Op::Delete,
        _ => Op::Update,
    });
    let ids: Int64Array = given.iter().map(|(_, id, _)| Some(*id)).collect();
    let docs: StringArray = given.iter().map(|(.., doc)| Some(*doc)).collect();
    let columns: Vec<ArrayRef> = vec![Arc::new(ids), Arc::new(docs)];
    batch(plan, Presence::Possible, ops.collect(), columns)
}

#[tokio::test]
async fn a_newer_change_of_a_key_ends_the_wait() {
    let mut fixture = Fixture::new().await;
    let plan = plan(Mode::Merge, Deletes::Soft);
    // In one batch: the last of each key counts.
    let changes = rows(
        &plan,
        &[
            ('u', 1, "!a1"),
            ('u', 1, "1"),
            ('u', 2, "2"),
            ('u', 2, "!a2"),
            ('u', 3, "!a3"),
            ('u', 3, "!b3"),
            ('u', 4, "!a4"),
            ('u', 5, "!a5"),
        ],
    );
    fixture.load(&[&plan], vec![changes]).await;
    assert_eq!(fixture.text(WAITING).await, "!a2; !a4; !a5; !b3");
    // In one load: in the order in which they come.
    let changes = vec![
        rows(&plan, &[('u', 6, "!a6"), ('u', 7, "7")]),
        rows(&plan, &[('u', 6, "6"), ('u', 7, "!a7")]),
    ];
    fixture.load(&[&plan], changes).await;
    assert_eq!(fixture.text(WAITING).await, "!a2; !a4; !a5; !a7; !b3");
    // In another load: changed, deleted, rejected again.
    let changes = rows(&plan, &[('u', 2, "22"), ('d', 4, "!"), ('u', 5, "!b5")]);
    fixture.load(&[&plan], vec![changes]).await;
    assert_eq!(fixture.text(WAITING).await, "!a7; !b3; !b5");
    let emptied = Change::Truncate {
        plan: plan.clone(),
        kind: TruncateKind::Change,
    };
    fixture.load(&[&plan], vec![emptied]).await;
    assert_eq!(fixture.text(WAITING).await, "");
}

#[tokio::test]
async fn in_append_each_change_waits_for_itself() {
    let mut fixture = Fixture::new().await;
    let plan = plan(Mode::Append, Deletes::Soft);
    let changes = rows(&plan, &[('u', 1, "!a"), ('u', 1, "1"), ('u', 1, "!b")]);
    fixture.load(&[&plan], vec![changes]).await;
    let changes = rows(&plan, &[('u', 1, "11")]);
    fixture.load(&[&plan], vec![changes]).await;
    assert_eq!(fixture.text(WAITING).await, "!a; !b");
}

#[tokio::test]
async fn what_is_taken_is_gone_with_the_commit_only() {
    let mut fixture = Fixture::new().await;
    let plan = plan(Mode::Merge, Deletes::Soft);
    let changes = rows(&plan, &[('u', 1, "!a"), ('u', 2, "!b"), ('u', 3, "!c")]);
    fixture.load(&[&plan], vec![changes]).await;
    let stream = &plan.stream;
    let mut load = fixture.begin("dropped", &[&plan]).await.unwrap();
    assert_eq!(load.take_rejected(stream, 10).await.unwrap().len(), 3);
    drop(load);
    assert_eq!(fixture.text(WAITING).await, "!a; !b; !c");
    let mut load = fixture.begin("again", &[&plan]).await.unwrap();
    let first = load.take_rejected(stream, 2).await.unwrap();
    assert_eq!(first[0].value.as_deref(), Some("!a"));
    assert_eq!(first[0].row["id"], 1);
    // One fits now, one does not: it comes back, and is not given again.
    let again = rows(&plan, &[('u', 1, "{}"), ('u', 2, "!still")]);
    load.write(again).await.unwrap();
    assert_eq!(load.take_rejected(stream, 2).await.unwrap().len(), 1);
    assert_eq!(load.take_rejected(stream, 2).await.unwrap().len(), 0);
    let receipt = load.commit(&commit(State::default())).await.unwrap();
    assert_eq!(receipt.rejected[stream], 1);
    assert_eq!(fixture.text(WAITING).await, "!still");
    assert_eq!(fixture.text("SELECT id FROM shop.orders").await, "1");
}

#[tokio::test]
async fn a_file_of_an_earlier_version_gets_what_it_lacks() {
    let fixture = Fixture::new().await;
    fixture.execute(
        "DROP TABLE _tributary.rejected; DROP TABLE _tributary.tables; CREATE TABLE _tributary.rejected (
            load_id VARCHAR, connection VARCHAR, stream VARCHAR, \"table\" VARCHAR, \"column\" VARCHAR,
            reason VARCHAR, \"row\" JSON, rejected_at TIMESTAMP WITH TIME ZONE);
        INSERT INTO _tributary.rejected VALUES ('old', 'shop', 'shop.orders', 'shop.orders', 'doc',
            'odd', '{\"id\": 9, \"doc\": \"{}\"}', now())",
    );
    let (_, fence) = fixture.db.open(&super::fixture::shop()).await.unwrap();
    let plan = plan(Mode::Merge, Deletes::Soft);
    let load = super::fixture::load_plan("new", &[&plan]);
    let mut load = fixture.db.begin(&load, &fence).await.unwrap();
    let taken = load.take_rejected(&plan.stream, 10).await.unwrap();
    assert_eq!(taken.len(), 0, "nobody knows whether newer ones have come");
    load.commit(&commit(State::default())).await.unwrap();
    assert_eq!(fixture.text(WAITING).await, "null");
}

#[tokio::test]
async fn without_a_key_equal_rows_wait_one_by_one() {
    const HASH: &str = "0123456789abcdef0123456789abcdef";
    const COUNT: &str = "SELECT count(*) FROM _tributary.rejected";
    let mut fixture = Fixture::new().await;
    let mut plan = orders(Mode::Merge, Deletes::Hard);
    plan.columns = vec![
        column("_tributary_id", DataType::Text),
        column("doc", DataType::Json),
    ];
    plan.key = vec!["_tributary_id".to_owned()];
    let plan = Arc::new(plan);
    let row = |id: String, doc: &str, op: Op| {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(vec![id])),
            Arc::new(StringArray::from(vec![doc])),
        ];
        batch(&plan, Presence::Possible, vec![op], columns)
    };
    let rejection = Rejection {
        stream: plan.stream.clone(),
        column: None,
        value: None,
        reason: "odd".to_owned(),
        row: serde_json::json!({"_tributary_id": HASH, "doc": "!"}),
        hidden: Vec::new(),
    };
    let two = Change::Rejected(vec![rejection; 2]);
    fixture.load(&[&plan], vec![two]).await;
    let another = row(HASH.to_owned(), "!", Op::Create);
    fixture.load(&[&plan], vec![another]).await;
    assert_eq!(fixture.text(COUNT).await, "3");
    let fits = row(HASH.to_owned(), "{}", Op::Create);
    fixture.load(&[&plan], vec![fits]).await;
    assert_eq!(fixture.text(COUNT).await, "3");
    let goes = row(format!("{HASH}-0"), "!", Op::Delete);
    fixture.load(&[&plan], vec![goes]).await;
    assert_eq!(fixture.text(COUNT).await, "2");
    assert_eq!(fixture.text("SELECT count(*) FROM shop.orders").await, "1");
}
