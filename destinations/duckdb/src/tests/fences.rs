//! State and rows are true together, and only of the one who opened last.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use tributary_model::{Deletes, Destination, ErrorKind, Load, Mode, State, StreamName, TablePlan};

use super::fixture::{Fixture, at, commit, load_plan, orders, rows, shop};

fn plan() -> Arc<TablePlan> {
    Arc::new(orders(Mode::Merge, Deletes::Soft))
}

fn state(shared: Option<i64>, streams: &[(&str, i64)]) -> State {
    State {
        epoch: 0,
        shared: shared.map(|at| json!({"at": at})),
        streams: streams
            .iter()
            .map(|(name, at)| (StreamName::plain(*name), json!(at)))
            .collect(),
        ..State::default()
    }
}

#[tokio::test]
async fn state_is_what_was_committed() {
    let mut fixture = Fixture::new().await;
    let plan = plan();
    let states = [
        state(None, &[("a", 1), ("b", 1)]),
        state(Some(7), &[("a", 1), ("b", 2), ("c", 1)]),
        state(Some(7), &[("c", 2)]),
        state(None, &[]),
    ];
    for (number, wanted) in states.into_iter().enumerate() {
        let load = fixture
            .begin(&format!("l{number}"), &[&plan])
            .await
            .unwrap();
        let receipt = load.commit(&commit(wanted.clone())).await.unwrap();
        assert_eq!(receipt.fence.sequence, number as u64 + 1);
        let peeked = fixture.db.peek(&shop()).await.unwrap().unwrap();
        assert_eq!(
            peeked,
            State {
                epoch: fixture.fence.epoch,
                ..wanted.clone()
            }
        );
        let (state, fence) = fixture.db.open(&shop()).await.unwrap();
        assert_eq!(
            (state.shared, state.streams),
            (wanted.shared, wanted.streams)
        );
        assert_eq!(
            (fence.epoch, fence.sequence),
            (fixture.fence.epoch + 1, receipt.fence.sequence)
        );
        assert_eq!(fence.last_load, Some(format!("l{number}")));
        fixture.fence = fence;
    }
}

#[tokio::test]
async fn connections_of_one_file_do_not_meet() {
    let fixture = Fixture::new().await;
    let other = tributary_model::ConnectionName::new("billing");
    let load = fixture.begin("one", &[&plan()]).await.unwrap();
    let (state, fence) = fixture.db.open(&other).await.unwrap();
    assert_eq!((state.epoch, fence.sequence, fence.last_load), (1, 0, None));
    load.commit(&commit(state_of_one())).await.unwrap();
    assert_eq!(fixture.db.peek(&other).await.unwrap(), Some(state));
    assert!(fixture.db.loads(&other, 5).await.unwrap().is_empty());
}

fn state_of_one() -> State {
    state(Some(1), &[])
}

#[tokio::test]
async fn whoever_opened_last_may_write() {
    let fixture = Fixture::new().await;
    let plan = plan();
    // Before it begins, while it writes, and when it commits.
    let mut writing = fixture.begin("old", &[&plan]).await.unwrap();
    writing.write(rows(&plan, &[('r', 1, "a")])).await.unwrap();
    let second = at(&fixture.dir).await;
    let (state, newer) = second.open(&shop()).await.unwrap();
    assert_eq!((state.shared, newer.last_load.clone()), (None, None));
    let error = writing
        .write(rows(&plan, &[('r', 2, "b")]))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    let error = writing.commit(&commit(state_of_one())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    let error = fixture.begin("again", &[&plan]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    assert!(
        second
            .describe(std::slice::from_ref(&plan.table))
            .await
            .unwrap()
            .is_empty()
    );
    let load = second
        .begin(&load_plan("new", &[&plan]), &newer)
        .await
        .unwrap();
    load.commit(&commit(state_of_one())).await.unwrap();
    assert_eq!(
        fixture.text("SELECT load_id FROM _tributary.loads").await,
        "new"
    );
}

#[tokio::test]
async fn a_fence_is_good_for_one_load() {
    let fixture = Fixture::new().await;
    let load = fixture.begin("one", &[&plan()]).await.unwrap();
    load.commit(&commit(state_of_one())).await.unwrap();
    let error = fixture.begin("replayed", &[&plan()]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
}

#[tokio::test]
async fn a_dropped_load_leaves_nothing() {
    let mut fixture = Fixture::new().await;
    let plan = plan();
    let mut load = fixture.begin("dropped", &[&plan]).await.unwrap();
    load.write(rows(&plan, &[('r', 1, "a")])).await.unwrap();
    load.write(rows(&plan, &[('u', 2, "b")])).await.unwrap();
    drop(load);
    // The next one waits for the rolling back by itself.
    fixture
        .load(&[&plan], vec![rows(&plan, &[('r', 3, "c")])])
        .await;
    assert_eq!(fixture.text("SELECT id FROM shop.orders").await, "3");
    assert_eq!(
        fixture
            .text("SELECT load_id FROM _tributary.schema_changes")
            .await,
        "load-1"
    );
}

#[tokio::test]
async fn a_cancelled_begin_gives_up_its_turn() {
    let mut fixture = Fixture::new().await;
    let plan = plan();
    for wait in 0..20 {
        let plans = [&plan];
        let begin = fixture.begin("cancelled", &plans);
        let _ = tokio::time::timeout(std::time::Duration::from_micros(wait * 200), begin).await;
    }
    fixture
        .load(&[&plan], vec![rows(&plan, &[('r', 3, "c")])])
        .await;
    assert_eq!(fixture.text("SELECT id FROM shop.orders").await, "3");
}

#[tokio::test]
async fn a_load_is_recorded_with_its_rows() {
    let mut fixture = Fixture::new().await;
    let plan = plan();
    fixture.load(&[&plan], vec![]).await;
    fixture.load(&[&plan], vec![]).await;
    let records = fixture.db.loads(&shop(), 1).await.unwrap();
    assert_eq!(records.len(), 1);
    let record = &records[0];
    assert_eq!((record.load_id.as_str(), record.sequence), ("load-2", 2));
    let wanted = commit(State::default());
    assert_eq!(record.started_at, load_plan("", &[]).started_at);
    assert_eq!(record.committed_at, wanted.committed_at);
    assert_eq!(record.streams, wanted.streams);
    assert_eq!(record.to_cursor, json!({"shared": null, "streams": {}}));
    let sums = "SELECT duration_seconds, rows_read, rows_written, bytes_read FROM _tributary.loads WHERE sequence = 2";
    assert_eq!(fixture.text(sums).await, "2.0 10 10 640");
}

#[tokio::test]
async fn a_newer_format_is_refused_and_not_touched() {
    let fixture = Fixture::new().await;
    let newer = crate::system::FORMAT + 1;
    fixture.execute(&format!(
        "UPDATE _tributary.state SET format = {newer}, written_by = '9.8.7'"
    ));
    for error in [
        fixture.db.open(&shop()).await.unwrap_err(),
        fixture.db.peek(&shop()).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Incompatible);
        assert!(error.to_string().contains("9.8.7"), "{error}");
    }
    assert_eq!(
        fixture.text("SELECT epoch FROM _tributary.state").await,
        "1"
    );
    let report = fixture.db.check().await.unwrap();
    assert_eq!(report.verdict(), tributary_model::Verdict::Fail);
}

#[tokio::test]
async fn peeking_makes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let db = at(&dir).await;
    assert_eq!(db.peek(&shop()).await.unwrap(), None);
    assert_eq!(db.describe(&[]).await.unwrap(), BTreeMap::new());
    assert!(db.loads(&shop(), 5).await.unwrap().is_empty());
    assert_eq!(
        db.query("SELECT 1").await.unwrap_err().kind(),
        ErrorKind::Config
    );
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    // A file without our tables, and one that is closed again.
    drop(duckdb::Connection::open(dir.path().join("warehouse.duckdb")).unwrap());
    assert_eq!(db.peek(&shop()).await.unwrap(), None);
    assert!(db.loads(&shop(), 5).await.unwrap().is_empty());
    let opened = at(&dir).await;
    opened.open(&shop()).await.unwrap();
    drop(opened);
    assert_eq!(db.peek(&shop()).await.unwrap().unwrap().epoch, 1);
    assert_eq!(
        db.peek(&tributary_model::ConnectionName::new("x"))
            .await
            .unwrap(),
        None
    );
}
