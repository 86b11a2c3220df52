//! The state is where the rows are, and comes back as it was.

use std::sync::Arc;

use serde_json::json;
use tributary_model::{Change, ConnectionName, Deletes, Destination, Rejection, State, StreamName};

use super::subject::{Subject, any_mode, plan, rows};

pub(super) async fn begins_empty_and_comes_back<D: Destination>(subject: &Subject<D>) {
    let name = ConnectionName::new("state");
    let peeked = subject
        .connect()
        .await
        .peek(&name)
        .await
        .expect("a state can be looked at");
    assert_eq!(
        peeked, None,
        "a connection that was never opened has no state"
    );

    let mut opened = subject.open("state").await;
    assert_eq!(
        (&opened.state.shared, opened.state.streams.len()),
        (&None, 0)
    );
    assert_eq!((opened.fence.sequence, &opened.fence.last_load), (0, &None));
    let epoch = opened.fence.epoch;
    opened.load(&[], Vec::new()).await;
    let committed = opened.commit_of(1).state;
    let last_load = opened.fence.last_load.clone();
    assert!(last_load.is_some(), "a receipt names the load");
    drop(opened);

    let peeked = subject
        .connect()
        .await
        .peek(&name)
        .await
        .expect("a state can be looked at");
    same_cursors(&peeked.expect("a state was committed"), &committed);
    let again = subject.open("state").await;
    same_cursors(&again.state, &committed);
    assert!(again.fence.epoch > epoch, "opening raises the epoch");
    assert_eq!(
        (again.fence.sequence, again.fence.last_load),
        (1, last_load)
    );
}

fn same_cursors(found: &State, expected: &State) {
    assert_eq!(
        (&found.shared, &found.streams),
        (&expected.shared, &expected.streams)
    );
}

pub(super) async fn lists_its_loads<D: Destination>(subject: &Subject<D>) {
    let mut opened = subject.open("loads").await;
    for _ in 0..3 {
        opened.load(&[], Vec::new()).await;
    }
    let loads = opened
        .destination
        .loads(&opened.name, 2)
        .await
        .expect("loads can be listed");
    let sequences: Vec<_> = loads.iter().map(|load| load.sequence).collect();
    assert_eq!(
        sequences,
        [3, 2],
        "the newest first, as many as were asked for"
    );
    let (newest, commit) = (&loads[0], opened.commit_of(3));
    assert_eq!(newest.connection, opened.name);
    assert_eq!(newest.streams, commit.streams);
    assert_eq!(newest.to_cursor["shared"], json!(commit.state.shared));
    assert_eq!(
        newest.from_cursor["shared"],
        json!(opened.commit_of(2).state.shared)
    );
    assert_eq!(opened.fence.last_load.as_ref(), Some(&newest.load_id));
    assert!(newest.started_at <= newest.committed_at);
}

pub(super) async fn keeps_what_was_rejected<D: Destination>(subject: &Subject<D>) {
    let mut opened = subject.open("rejected").await;
    let mode = any_mode(&opened.destination);
    let plan = Arc::new(plan("rejected", mode, Deletes::Hard, &[]));
    let rejection = Rejection {
        stream: StreamName::within("shop", "orders"),
        column: Some("amount".to_owned()),
        value: Some("value-canary".to_owned()),
        reason: "the reason-canary is 7 digits too long".to_owned(),
        row: json!({"id": 1, "amount": "row-canary 'quoted'"}),
        hidden: Vec::new(),
    };
    opened
        .load(
            &[&plan],
            vec![rows(&plan, &["c 1"]), Change::Rejected(vec![rejection])],
        )
        .await;
    for wanted in ["orders", "amount", "reason-canary", "row-canary 'quoted'"] {
        assert_eq!(
            opened.system_rows("rejected", wanted).await,
            1,
            "{wanted} is kept"
        );
    }
    opened.assert_rows(&plan, &["1"]).await;
}
