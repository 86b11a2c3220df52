//! Values that the table can't hold are rejected and counted, never stored as something else.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, StringArray, Time64MicrosecondArray};
use serde_json::json;
use tributary_model::{
    Change, DataType, Deletes, Destination, Mode, Op, Presence, Rejection, StreamName, TablePlan,
};

use super::fixture::{Fixture, batch, column, orders, rows, shop};

const REJECTED: &str = "SELECT load_id, connection, stream, \"table\", \"column\", reason, \"row\" FROM _tributary.rejected ORDER BY \"row\"";

fn documents(mode: Mode, deletes: Deletes) -> Arc<TablePlan> {
    let mut plan = orders(mode, deletes);
    plan.columns = vec![
        column("id", DataType::Int64),
        column("doc", DataType::Json),
        column("at", DataType::Time),
    ];
    Arc::new(plan)
}

fn document(
    plan: &Arc<TablePlan>,
    presence: Presence,
    given: &[(Op, Option<i64>, &str, i64)],
) -> Change {
    let ids: Int64Array = given.iter().map(|row| row.1).collect();
    let docs: StringArray = given.iter().map(|row| Some(row.2)).collect();
    let times: Time64MicrosecondArray = given.iter().map(|row| Some(row.3)).collect();
    let columns: Vec<ArrayRef> = vec![Arc::new(ids), Arc::new(docs), Arc::new(times)];
    batch(
        plan,
        presence,
        given.iter().map(|row| row.0).collect(),
        columns,
    )
}

#[tokio::test]
async fn rows_at_fault_are_set_apart_on_every_way() {
    for (mode, presence) in [
        (Mode::Merge, Presence::Absent),
        (Mode::Merge, Presence::Possible),
        (Mode::Append, Presence::Possible),
    ] {
        let mut fixture = Fixture::new().await;
        let plan = documents(mode, Deletes::Soft);
        let given = [
            (Op::Create, Some(1), "{}", 0),
            (Op::Create, Some(2), "{", 0),
            (Op::Create, Some(3), "[1]", 86_400_000_001),
            (Op::Create, Some(4), "NaN", -1),
            (Op::Create, Some(5), "5", 5),
        ];
        fixture
            .load(&[&plan], vec![document(&plan, presence, &given)])
            .await;
        assert_eq!(
            fixture
                .text("SELECT id, doc FROM shop.orders ORDER BY id")
                .await,
            "1 {}; 5 5"
        );
        let rejected = fixture.rows(REJECTED).await;
        let columns: Vec<_> = rejected
            .iter()
            .map(|row| row[4].as_str().unwrap())
            .collect();
        assert_eq!(columns, ["doc", "at", "doc"]);
        assert_eq!(
            rejected[0][..4],
            ["load-1", "shop", "shop.orders", "shop.orders"].map(|text| json!(text))
        );
        assert_eq!(rejected[0][6], r#"{"id":2,"doc":"{","at":"00:00:00"}"#);
        assert!(
            rejected[1][5].as_str().unwrap().contains("86400000001"),
            "{rejected:?}"
        );
        let record = &fixture.db.loads(&shop(), 1).await.unwrap()[0];
        let count = &record.streams[&plan.stream];
        assert_eq!(
            (count.rows_read, count.rows_written, count.rows_rejected),
            (10, 7, 3)
        );
        assert_eq!(
            fixture
                .text("SELECT rows_written, rows_rejected FROM _tributary.loads")
                .await,
            "7 3"
        );
    }
}

#[tokio::test]
async fn a_delete_counts_even_with_a_value_at_fault() {
    for (deletes, left) in [
        (Deletes::Soft, "1 {\"a\":1} true; 2 null true"),
        (Deletes::Hard, ""),
    ] {
        let mut fixture = Fixture::new().await;
        let plan = documents(Mode::Merge, deletes);
        let first = document(
            &plan,
            Presence::Absent,
            &[(Op::Read, Some(1), "{\"a\":1}", 0)],
        );
        fixture.load(&[&plan], vec![first]).await;
        let gone = [(Op::Delete, Some(1), "{", 0), (Op::Delete, Some(2), "{", 0)];
        fixture
            .load(&[&plan], vec![document(&plan, Presence::Possible, &gone)])
            .await;
        let deleted = if deletes == Deletes::Soft {
            "_tributary_deleted"
        } else {
            "1"
        };
        let sql = format!("SELECT id, doc, {deleted} FROM shop.orders ORDER BY id");
        assert_eq!(fixture.text(&sql).await, left);
        assert!(fixture.rows(REJECTED).await.is_empty());
    }
}

#[tokio::test]
async fn a_row_without_its_key_is_rejected() {
    let mut fixture = Fixture::new().await;
    let plan = documents(Mode::Merge, Deletes::Hard);
    let given = [
        (Op::Create, None, "{}", 0),
        (Op::Delete, None, "{}", 0),
        (Op::Create, Some(1), "{}", 0),
    ];
    fixture
        .load(&[&plan], vec![document(&plan, Presence::Possible, &given)])
        .await;
    assert_eq!(fixture.text("SELECT id FROM shop.orders").await, "1");
    assert_eq!(fixture.rows(REJECTED).await.len(), 2);
}

#[tokio::test]
async fn rejections_of_the_engine_are_kept() {
    let mut fixture = Fixture::new().await;
    let plan = Arc::new(orders(Mode::Merge, Deletes::Soft));
    let rejection = |stream: StreamName| Rejection {
        stream,
        column: None,
        value: None,
        reason: "it's odd".to_owned(),
        row: json!({"id": 1, "note": "\u{0}ü"}),
        hidden: Vec::new(),
    };
    let rejections = vec![
        rejection(plan.stream.clone()),
        rejection(StreamName::plain("other")),
    ];
    fixture
        .load(
            &[&plan],
            vec![rows(&plan, &[('c', 2, "b")]), Change::Rejected(rejections)],
        )
        .await;
    let kept = fixture.text("SELECT stream, \"table\", \"column\", reason, \"row\"->>'$.id' FROM _tributary.rejected ORDER BY stream").await;
    assert_eq!(
        kept,
        "other null null it's odd 1; shop.orders shop.orders null it's odd 1"
    );
}

#[tokio::test]
async fn a_constraint_of_the_user_is_reported_and_nothing_is_half_done() {
    let mut fixture = Fixture::new().await;
    let plan = Arc::new(orders(Mode::Merge, Deletes::Soft));
    fixture.load(&[&plan], vec![]).await;
    fixture.execute("ALTER TABLE shop.orders ALTER COLUMN note SET NOT NULL");
    let null: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![1])),
        Arc::new(StringArray::from(vec![None::<&str>])),
    ];
    for presence in [Presence::Absent, Presence::Possible] {
        let changes = vec![
            rows(&plan, &[('r', 5, "e")]),
            batch(&plan, presence, vec![Op::Read], null.clone()),
        ];
        let error = fixture.try_load(&[&plan], changes).await.unwrap_err();
        assert_eq!(
            error.kind(),
            tributary_model::ErrorKind::Rejected,
            "{error}"
        );
        assert!(error.to_string().contains("NOT NULL"), "{error}");
    }
    assert_eq!(fixture.text("SELECT count(*) FROM shop.orders").await, "0");
}
