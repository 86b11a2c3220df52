//! Only the last opening may write, each load counts once, and nothing is seen before it commits.

use std::sync::Arc;

use tributary_model::{Deletes, Destination, ErrorKind, Fence, Load, Result};

use super::subject::{Opened, Subject, any_mode, plan, rows};

/// The error of a load that must not commit, wherever it shows first.
async fn refused<D: Destination>(
    opened: &Opened<D>,
    load_id: &str,
    plan: &Arc<tributary_model::TablePlan>,
    lines: &[&str],
) -> Result<()> {
    let mut load = opened.begin_as(load_id, &[plan]).await?;
    load.write(rows(plan, lines)).await?;
    opened.commit(load, 99).await.map(|_| ())
}

#[track_caller]
fn assert_fenced(outcome: Result<()>, what: &str) {
    let error = outcome.expect_err(what);
    assert_eq!(error.kind(), ErrorKind::Fenced, "{what}: {error}");
}

pub(super) async fn refuses_an_older_opening<D: Destination>(subject: &Subject<D>) {
    let mut opened = subject.open("fenced").await;
    let mode = any_mode(&opened.destination);
    let plan = Arc::new(plan("fenced", mode, Deletes::Hard, &[]));
    opened.load(&[&plan], vec![rows(&plan, &["c 1"])]).await;
    // One load is under way and one has not begun when another process takes over.
    let mut under_way = opened.begin(&[&plan]).await.expect("a load can begin");
    under_way
        .write(rows(&plan, &["c 2"]))
        .await
        .expect("a load takes changes");
    let (_, newer) = opened
        .destination
        .open(&opened.name)
        .await
        .expect("it can be opened again");
    let late = opened.commit(under_way, 2).await.map(|_| ());
    assert_fenced(
        late,
        "a load that was under way when another process took over",
    );
    assert_fenced(
        refused(&opened, "late", &plan, &["c 3"]).await,
        "a load of an older opening",
    );
    opened.assert_rows(&plan, &["1"]).await;
    opened.fence = newer;
    opened.load(&[&plan], vec![rows(&plan, &["c 4"])]).await;
    opened.assert_rows(&plan, &["1", "4"]).await;
}

pub(super) async fn takes_a_load_once<D: Destination>(subject: &Subject<D>) {
    let mut opened = subject.open("replayed").await;
    let mode = any_mode(&opened.destination);
    let plan = Arc::new(plan("replayed", mode, Deletes::Hard, &[]));
    let before: Fence = opened.fence.clone();
    let mut load = opened
        .begin_as("the-load", &[&plan])
        .await
        .expect("a load can begin");
    load.write(rows(&plan, &["c 1", "c 2"]))
        .await
        .expect("a load takes changes");
    let receipt = opened.commit(load, 1).await.expect("a load can commit");
    // Its reply was lost: the same load with the same fence once more.
    let again = refused(&opened, "the-load", &plan, &["c 1", "c 2"]).await;
    assert_fenced(again, "the same load a second time");
    assert_eq!(opened.fence, before);
    opened.fence = receipt.fence;
    opened.assert_rows(&plan, &["1", "2"]).await;
    // Whoever opens it next can see that it committed.
    drop(opened);
    let opened = subject.open("replayed").await;
    assert_eq!(opened.fence.last_load.as_deref(), Some("the-load"));
    assert_eq!(
        opened.state.shared,
        opened.commit_of(1).state.shared,
        "the refused state is not kept"
    );
}

pub(super) async fn forgets_an_abandoned_load<D: Destination>(subject: &Subject<D>) {
    let mut opened = subject.open("abandoned").await;
    let mode = any_mode(&opened.destination);
    let plan = Arc::new(plan("abandoned", mode, Deletes::Hard, &[]));
    opened.load(&[&plan], vec![rows(&plan, &["c 1"])]).await;
    let mut load = opened.begin(&[&plan]).await.expect("a load can begin");
    load.write(rows(&plan, &["c 2"]))
        .await
        .expect("a load takes changes");
    opened.assert_rows(&plan, &["1"]).await;
    drop(load);
    opened.assert_rows(&plan, &["1"]).await;
    opened.load(&[&plan], vec![rows(&plan, &["c 3"])]).await;
    opened.assert_rows(&plan, &["1", "3"]).await;
}

pub(super) async fn keeps_connections_apart<D: Destination>(subject: &Subject<D>) {
    let mut first = subject.open("apart-1").await;
    let mode = any_mode(&first.destination);
    let plan = Arc::new(plan("apart", mode, Deletes::Hard, &[]));
    let other = tributary_model::ConnectionName::new("apart-2");
    let (state, fence) = first
        .destination
        .open(&other)
        .await
        .expect("another can be opened");
    assert_eq!((state.shared, fence.sequence), (None, 0));
    first.load(&[&plan], vec![rows(&plan, &["c 1"])]).await;
    let peeked = first
        .destination
        .peek(&other)
        .await
        .expect("a state can be looked at");
    assert_eq!(
        peeked.and_then(|state| state.shared),
        None,
        "the other's state has not moved"
    );
    let loads = first
        .destination
        .loads(&other, 10)
        .await
        .expect("loads can be listed");
    assert!(loads.is_empty(), "the other made no load");
}
