//! Tables that are built beside others, over several loads, and swapped in.

use std::sync::Arc;

use tributary_model::{
    Change, DataType, Deletes, Destination, Load, Mode, Old, TableName, TablePlan,
};

use super::subject::{Subject, absent, plan, rows};

const COLUMNS: [(&str, DataType); 1] = [("name", DataType::Text)];

fn next_to(live: &TablePlan) -> Arc<TablePlan> {
    Arc::new(TablePlan {
        table: TableName {
            table: format!("{}_next", live.table.table),
            ..live.table.clone()
        },
        ..live.clone()
    })
}

fn swap(live: &Arc<TablePlan>, next: &TablePlan, old: Old) -> Change {
    Change::Swap {
        plan: live.clone(),
        beside: next.table.clone(),
        old,
    }
}

/// Readers see the old rows until the load with the swap has committed.
pub(super) async fn takes_the_place<D: Destination>(subject: &Subject<D>) {
    let mut opened = subject.open("beside").await;
    let live = Arc::new(plan("beside", Mode::Merge, Deletes::Hard, &COLUMNS));
    let next = next_to(&live);
    opened
        .load(&[&live], vec![rows(&live, &["c 1 ann", "c 2 bob"])])
        .await;
    let renew = || Change::Renew {
        plan: next.clone(),
        like: Some(live.table.clone()),
    };
    // One that was begun and given up is begun again from nothing.
    let spoiled = [vec![Some("9"), Some("spoiled")]];
    opened
        .load(&[], vec![renew(), absent(&next, &spoiled)])
        .await;
    let snapshot = [vec![Some("2"), Some("bill")], vec![Some("3"), Some("cy")]];
    opened
        .load(&[], vec![renew(), absent(&next, &snapshot)])
        .await;
    opened.assert_rows(&live, &["1 ann", "2 bob"]).await;
    let last = || rows(&next, &["u 3 cyd", "c 4 dan", "d 2 bill"]);
    let mut load = opened.begin(&[&next]).await.expect("a load can begin");
    for change in [last(), swap(&live, &next, Old::Gone)] {
        load.write(change).await.expect("a load takes changes");
    }
    opened.assert_rows(&live, &["1 ann", "2 bob"]).await;
    drop(load);
    opened
        .load(&[&next], vec![last(), swap(&live, &next, Old::Gone)])
        .await;
    opened.assert_rows(&live, &["3 cyd", "4 dan"]).await;
    let there = opened
        .destination
        .describe(std::slice::from_ref(&next.table))
        .await
        .expect("tables can be described");
    assert!(there.is_empty(), "the table beside is left over: {there:?}");
    // It is a table like any other now.
    opened
        .load(&[&live], vec![rows(&live, &["u 3 cid", "d 4 dan"])])
        .await;
    opened.assert_rows(&live, &["3 cid"]).await;
}

/// Changes that are kept as rows come along: those of earlier loads, and those of the load that swaps.
pub(super) async fn takes_changes_along<D: Destination>(subject: &Subject<D>) {
    let mut opened = subject.open("beside changes").await;
    let columns = [
        ("_tributary_op", DataType::Text),
        ("_tributary_position", DataType::Text),
    ];
    let live = plan("history_of_changes", Mode::Append, Deletes::Soft, &columns);
    let live = Arc::new(live);
    let next = next_to(&live);
    opened
        .load(&[&live], vec![rows(&live, &["r 1 r 01"])])
        .await;
    let renew = Change::Renew {
        plan: next.clone(),
        like: Some(live.table.clone()),
    };
    let copied = rows(&next, &["r 1 r 02", "r 2 r 02"]);
    opened.load(&[], vec![renew, copied]).await;
    let changes = vec![
        rows(&next, &["u 1 u 03", "c 3 c 04"]),
        swap(&live, &next, Old::Gone),
    ];
    opened.load(&[&next], changes).await;
    opened
        .load(&[&live], vec![rows(&live, &["d 3 d 05"])])
        .await;
    let all = ["1 r 02", "2 r 02", "1 u 03", "3 c 04", "3 d 05"];
    opened.assert_rows(&live, &all).await;
}

/// The old table stays under another name; where there is none, none is needed.
pub(super) async fn keeps_the_old_one<D: Destination>(subject: &Subject<D>) {
    let mut opened = subject.open("beside kept").await;
    let live = Arc::new(plan("changes", Mode::Merge, Deletes::Hard, &COLUMNS));
    let next = next_to(&live);
    let renew = |like: Option<&TableName>| Change::Renew {
        plan: next.clone(),
        like: like.cloned(),
    };
    let first = vec![
        renew(None),
        rows(&next, &["c 1 ann"]),
        swap(&live, &next, Old::Gone),
    ];
    opened.load(&[], first).await;
    opened.assert_rows(&live, &["1 ann"]).await;
    let kept = TableName {
        table: "changes_as_it_was".to_owned(),
        ..live.table.clone()
    };
    let changes = vec![
        rows(&live, &["c 2 bob"]),
        renew(Some(&live.table)),
        rows(&next, &["c 3 cy", "u 3 cyd"]),
        swap(&live, &next, Old::Kept(kept.clone())),
    ];
    opened.load(&[&live], changes).await;
    opened.assert_rows(&live, &["3 cyd"]).await;
    let old = TablePlan {
        table: kept,
        ..(*live).clone()
    };
    opened.assert_rows(&old, &["1 ann", "2 bob"]).await;
}

/// What a table has besides goes on where nobody asked for it to go: changes of before, and rows that
/// are gone, as `deletes` has it.
pub(super) async fn goes_on_with_what_there_was<D: Destination>(subject: &Subject<D>) {
    let mut opened = subject.open("beside carried").await;
    let position = [("_tributary_position", DataType::Text)];
    for (name, mode, deletes, columns, expected) in [
        (
            "carried_marks",
            Mode::Merge,
            Deletes::Soft,
            &COLUMNS,
            ["1 new live", "2 old gone", "3 old gone", "4 new live"].as_slice(),
        ),
        (
            "carried_rows",
            Mode::Merge,
            Deletes::Ignore,
            &COLUMNS,
            ["1 new", "2 old", "3 old", "4 new"].as_slice(),
        ),
        (
            "carried_changes",
            Mode::Append,
            Deletes::Hard,
            &position,
            ["1 new", "1 old", "2 old", "3 old", "4 new"].as_slice(),
        ),
    ] {
        let live = Arc::new(plan(name, mode, deletes, columns));
        let next = next_to(&live);
        let first = rows(&live, &["r 1 old", "r 2 old", "r 3 old"]);
        opened.load(&[&live], vec![first]).await;
        if mode == Mode::Merge {
            opened.load(&[&live], vec![rows(&live, &["d 3 old"])]).await;
        }
        let renew = Change::Renew {
            plan: next.clone(),
            like: Some(live.table.clone()),
        };
        opened
            .load(&[], vec![renew, rows(&next, &["r 1 new"])])
            .await;
        let last = vec![
            rows(&next, &["r 4 new"]),
            swap(&live, &next, Old::Continued),
        ];
        opened.load(&[&next], last).await;
        opened.assert_rows(&live, expected).await;
    }
}
